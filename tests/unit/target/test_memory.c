/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/procfs.h"
#include "support/fake_mem.h"
#include "target/memory.h"

#define MHEAP	0x1000000
#define NUMBERS 0x2000000
#define MB	(1ULL << 20)
#define FIRST	((0xc000000000 + 0x800000000000) >> 26) /* the arena at 0xc000000000 */

static void put_slice(struct fake_go *go, uint64_t pointer, uint64_t length)
{
	uint64_t at = MHEAP + (uint64_t)go->build.facts.layout.offset[PW_FIELD_MHEAP_HEAPARENAS];

	fake_mem_put(&go->mem, at, pointer, 8);
	fake_mem_put(&go->mem, at + 8, length, 8);
}

/* Three arenas, two of them neighbours, in no order. */
static struct fake_go *with_arenas(int go_minor)
{
	struct fake_go *go = fake_go_new(go_minor, 1, 1);
	const uint64_t numbers[] = {FIRST + 1, FIRST + 40, FIRST};

	go->target.memory_ok = true;
	go->target.pid = 7;
	go->build.facts.globals.addr[PW_GLOBAL_MHEAP] = MHEAP;
	fake_mem_add(&go->mem, MHEAP, 0x80000);
	fake_mem_add(&go->mem, NUMBERS, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		fake_mem_put(&go->mem, NUMBERS + 8 * i, numbers[i], 8);
	put_slice(go, NUMBERS, ARRAY_SIZE(numbers));
	return go;
}

static void arenas_are_found_in_every_version(void **state)
{
	(void)state;
	for (int minor = 19; minor <= 27; minor++) {
		struct fake_go *go = with_arenas(minor);
		struct pw_arena *arenas = NULL;
		size_t count;

		assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), 0);
		assert_int_equal(count, 2);
		assert_int_equal(arenas[0].start, 0xc000000000);
		assert_int_equal(arenas[0].end, 0xc000000000 + 128 * MB);
		assert_int_equal(arenas[1].start, 0xc000000000 + 40 * 64 * MB);
		free(arenas);
		fake_go_free(go);
	}
}

static void lists_that_no_heap_can_have_are_refused(void **state)
{
	struct fake_go *go = with_arenas(27);
	struct pw_arena *arenas = NULL;
	size_t count;

	(void)state;
	put_slice(go, NUMBERS, 0);
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -EBADMSG);
	put_slice(go, NUMBERS, 1ULL << 40);
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -EBADMSG);
	put_slice(go, NUMBERS + 1, 2);
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -EBADMSG);
	put_slice(go, 0xdead0000, 2);
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -EFAULT);
	put_slice(go, NUMBERS, 3);
	fake_mem_put(&go->mem, NUMBERS, UINT64_MAX, 8);
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -EBADMSG);
	fake_mem_put(&go->mem, NUMBERS, 1, 8); /* in the kernel's half */
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -EBADMSG);
	go->mem.error = -ESRCH;
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -ESRCH);
	go->target.memory_ok = false;
	assert_int_equal(pw_memory_arenas(&go->target, &arenas, &count), -ENOTSUP);
	assert_null(arenas);
	fake_go_free(go);
}

#define SIZES "Rss: %d kB\nAnonymous: %d kB\nSwap: %d kB\n"

static void each_mapping_is_put_where_it_belongs(void **state)
{
	struct fake_go *go = with_arenas(25);
	struct pw_memory_look *look = NULL;
	struct pw_memory_mappings mappings;
	char path[64] = "/tmp/pw-test-memory.XXXXXX", file[128];
	struct pw_procfs procfs;
	FILE *smaps;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/7", path);
	assert_int_equal(mkdir(file, 0700), 0);
	snprintf(file, sizeof(file), "%s/7/status", path);
	FILE *status = fopen(file, "w");
	fputs("Name:\tx\nTgid:\t7\nRssShmem:\t  300 kB\n", status);
	fclose(status);
	snprintf(file, sizeof(file), "%s/7/smaps", path);
	smaps = fopen(file, "w");
	fprintf(smaps, "00400000-00500000 r-xp 00000000 08:01 99 /app\n" SIZES, 1000, 0, 0);
	fprintf(smaps, "00500000-00510000 rw-p 00100000 08:01 99 /app\n" SIZES, 40, 30, 1); /* data */
	fprintf(smaps, "00510000-00540000 rw-p 00000000 00:00 0 \n" SIZES, 20, 20, 0);	    /* bss behind it */
	fprintf(smaps, "00640000-00660000 rw-p 00000000 00:00 0 [heap]\n" SIZES, 100, 100, 0);
	fprintf(smaps, "c000000000-c002000000 rw-p 00000000 00:00 0 \n" SIZES, 5000, 5000, 7);
	fprintf(smaps, "c002000000-c004000000 ---p 00000000 00:00 0 \n" SIZES, 0, 0, 0);
	fprintf(smaps, "ca00000000-ca00400000 rw-p 00000000 00:00 0 [anon: Go: heap]\n" SIZES, 64, 64, 0);
	fprintf(smaps, "7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n" SIZES, 500, 500, 0); /* somebody's */
	fprintf(smaps, "7f0010000000-7f0010100000 rw-p 00000000 00:00 0 [anon: Go: page alloc]\n" SIZES, 8, 8, 0);
	fprintf(smaps, "7f0020000000-7f0020100000 rw-s 00000000 00:01 55 /memfd:x (deleted)\n" SIZES, 200, 0, 0);
	fprintf(smaps, "7fff00000000-7fff00021000 rw-p 00000000 00:00 0 [stack]\n" SIZES, 12, 12, 0);
	fclose(smaps);
	assert_int_equal(pw_procfs_open(&procfs, path), 0);
	assert_int_equal(pw_memory_look_begin(&look, &go->target, &procfs), 0);
	assert_int_equal(pw_memory_look_step(look, PW_NS_PER_SEC, &mappings), 0);
	pw_memory_look_free(look);
	assert_int_equal(mappings.count, 11);
	assert_int_equal(mappings.total.rss, (1000 + 40 + 20 + 100 + 5000 + 64 + 500 + 8 + 200 + 12) * 1024);
	assert_int_equal(mappings.arenas.anonymous, 5064 * 1024);
	assert_int_equal(mappings.arenas.swap, 7 * 1024);
	assert_int_equal(mappings.globals.anonymous, 50 * 1024);
	assert_int_equal(mappings.brk.anonymous, 100 * 1024);
	assert_int_equal(mappings.go_named.anonymous, 8 * 1024);
	assert_int_equal(mappings.other.anonymous, 512 * 1024);
	assert_int_equal(mappings.shmem, 300 * 1024); /* 200 by mapping: the kernel knows of files on tmpfs */
	assert_int_equal(mappings.arenas_bytes, 3 * 64 * MB);
	snprintf(file, sizeof(file), "%s/7/smaps", path);
	unlink(file);
	snprintf(file, sizeof(file), "%s/7/status", path);
	unlink(file);
	assert_int_equal(pw_memory_look_begin(&look, &go->target, &procfs), -ESRCH);
	snprintf(file, sizeof(file), "%s/7", path);
	rmdir(file);
	rmdir(path);
	pw_procfs_done(&procfs);
	fake_go_free(go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arenas_are_found_in_every_version),
		cmocka_unit_test(lists_that_no_heap_can_have_are_refused),
		cmocka_unit_test(each_mapping_is_put_where_it_belongs),
	};

	return cmocka_run_group_tests_name("target/memory", tests, NULL, NULL);
}
