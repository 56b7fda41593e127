/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/smaps.h"

struct seen {
	size_t count;
	struct pw_proc_map map[8];
	char path[8][64];
	struct pw_smaps_sizes sizes[8];
};

static void take(void *context, const struct pw_proc_map *map, const struct pw_smaps_sizes *sizes)
{
	struct seen *seen = context;

	if (seen->count < ARRAY_SIZE(seen->map)) {
		seen->map[seen->count] = *map;
		snprintf(seen->path[seen->count], sizeof(seen->path[0]), "%.63s", map->path);
		seen->sizes[seen->count] = *sizes;
	}
	seen->count++;
}

/* A /proc of ours with one process, 7. */
struct proc {
	char path[64];
	struct pw_procfs procfs;
};

static void put(const struct proc *proc, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/7/%s", proc->path, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct proc *proc_new(void)
{
	static struct proc proc;
	char path[128];

	snprintf(proc.path, sizeof(proc.path), "/tmp/pw-test-smaps.XXXXXX");
	assert_non_null(mkdtemp(proc.path));
	snprintf(path, sizeof(path), "%s/7", proc.path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pw_procfs_open(&proc.procfs, proc.path), 0);
	return &proc;
}

static void proc_done(struct proc *proc)
{
	static const char *const names[] = {"smaps", "smaps_rollup", ""};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/7/%s", proc->path, names[i]);
		(void)(names[i][0] ? unlink(path) : rmdir(path));
	}
	rmdir(proc->path);
	pw_procfs_done(&proc->procfs);
}

#define MAPPING(head)                                                                                      \
	head "\nSize: 8 kB\nKernelPageSize: 4 kB\nRss: 6 kB\nPss: 5 kB\nAnonymous: 4 kB\nLazyFree: 3 kB\n" \
	     "AnonHugePages: 2 kB\nSwap: 1 kB\nSwapPss: 0 kB\nLocked: 0 kB\nTHPeligible: 0\nVmFlags: rd mr mw me\n"

static int read_all(struct proc *proc, const char *text, struct seen *seen)
{
	struct pw_smaps smaps = PW_SMAPS_INIT;
	int r;

	put(proc, "smaps", text);
	assert_int_equal(pw_smaps_open(&smaps, &proc->procfs, 7, take, seen), 0);
	do {
		r = pw_smaps_step(&smaps, 0);
	} while (r == -EAGAIN);
	pw_smaps_close(&smaps);
	return r;
}

static void each_mapping_comes_with_its_sizes(void **state)
{
	struct proc *proc = proc_new();
	struct seen seen = {0};

	(void)state;
	assert_int_equal(read_all(proc,
				  MAPPING("00400000-00402000 r-xp 00000000 08:01 99        /bin/a b")
					  MAPPING("c000000000-c000400000 rw-p 00000000 00:00 0 "),
				  &seen),
			 0);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.path[0], "/bin/a b");
	assert_int_equal(seen.map[0].inode, 99);
	assert_string_equal(seen.path[1], "");
	assert_int_equal(seen.map[1].start, 0xc000000000);
	assert_int_equal(seen.sizes[1].size, 8192);
	assert_int_equal(seen.sizes[1].rss, 6144);
	assert_int_equal(seen.sizes[1].pss, 5120);
	assert_int_equal(seen.sizes[1].anonymous, 4096);
	assert_int_equal(seen.sizes[1].lazy_free, 3072);
	assert_int_equal(seen.sizes[1].anon_huge, 2048);
	assert_int_equal(seen.sizes[1].swap, 1024);
	proc_done(proc);
}

static void text_that_is_no_smaps_is_refused(void **state)
{
	static const char *const texts[] = {
		"Rss: 4 kB\n", /* of no mapping */
		"zzzz\n",
		"00400000-00402000 r-xp\n",
		"00402000-00400000 r-xp 00000000 08:01 99 /ends/before/it/begins\n",
	};
	struct proc *proc = proc_new();
	struct seen seen = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(read_all(proc, texts[i], &seen), -EBADMSG);
	assert_int_equal(read_all(proc, "", &seen), -ESRCH); /* a process that has just ended */
	assert_int_equal(seen.count, 0);
	proc_done(proc);
}

static void sizes_too_large_are_the_largest_and_not_small(void **state)
{
	struct proc *proc = proc_new();
	struct seen seen = {0};

	(void)state;
	assert_int_equal(read_all(proc,
				  "00400000-00402000 r-xp 00000000 08:01 99 /bin/a\nRss: 99999999999999999999999 kB\n"
				  "Anonymous: 18446744073709551615 kB\n",
				  &seen),
			 0);
	assert_true(seen.sizes[0].rss == UINT64_MAX);
	assert_true(seen.sizes[0].anonymous == UINT64_MAX);
	proc_done(proc);
}

static void a_line_without_an_end_is_refused_and_not_waited_for(void **state)
{
	struct proc *proc = proc_new();
	struct seen seen = {0};
	char *text = malloc(300001);

	(void)state;
	memset(text, 'a', 300000);
	text[300000] = '\0';
	assert_int_equal(read_all(proc, text, &seen), -EBADMSG);
	free(text);
	proc_done(proc);
}

static void a_path_of_any_length_is_cut(void **state)
{
	struct proc *proc = proc_new();
	struct seen seen = {0};
	char *text = malloc(20100);
	int length = sprintf(text, "00400000-00402000 r-xp 00000000 08:01 99 /");

	(void)state;
	memset(text + length, 'x', 20000);
	strcpy(text + length + 20000, "\nRss: 4 kB\n");
	assert_int_equal(read_all(proc, text, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.sizes[0].rss, 4096);
	free(text);
	proc_done(proc);
}

static void the_sum_of_our_own_mappings_is_about_the_rollup(void **state)
{
	struct pw_smaps smaps = PW_SMAPS_INIT;
	struct pw_smaps_sizes rollup;
	struct pw_procfs procfs;
	struct seen seen = {0};
	int r;

	(void)state;
	assert_int_equal(pw_procfs_open(&procfs, "/proc"), 0);
	assert_int_equal(pw_procfs_smaps_rollup(&procfs, getpid(), &rollup), 0);
	assert_true(rollup.rss > 100000 && rollup.anonymous > 10000 && rollup.anonymous <= rollup.rss);
	assert_int_equal(pw_smaps_open(&smaps, &procfs, getpid(), take, &seen), 0);
	while ((r = pw_smaps_step(&smaps, 1)) == -EAGAIN)
		;
	assert_int_equal(r, 0);
	assert_true(seen.count > 5);
	pw_smaps_close(&smaps);
	assert_int_equal(pw_procfs_smaps_rollup(&procfs, 4194303, &rollup), -ESRCH);
	pw_procfs_done(&procfs);
}

static void an_empty_rollup_is_a_process_that_is_gone(void **state)
{
	struct proc *proc = proc_new();
	struct pw_smaps_sizes sizes;

	(void)state;
	put(proc, "smaps_rollup", "");
	assert_int_equal(pw_procfs_smaps_rollup(&proc->procfs, 7, &sizes), -ESRCH);
	put(proc, "smaps_rollup", "0-1 ---p 0 0:0 0 [rollup]\nRss: 12 kB\nAnonymous: 4 kB\nSwap: 8 kB\n");
	assert_int_equal(pw_procfs_smaps_rollup(&proc->procfs, 7, &sizes), 0);
	assert_int_equal(sizes.rss, 12288);
	assert_int_equal(sizes.swap, 8192);
	proc_done(proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mapping_comes_with_its_sizes),
		cmocka_unit_test(text_that_is_no_smaps_is_refused),
		cmocka_unit_test(sizes_too_large_are_the_largest_and_not_small),
		cmocka_unit_test(a_line_without_an_end_is_refused_and_not_waited_for),
		cmocka_unit_test(a_path_of_any_length_is_cut),
		cmocka_unit_test(the_sum_of_our_own_mappings_is_about_the_rollup),
		cmocka_unit_test(an_empty_rollup_is_a_process_that_is_gone),
	};

	return cmocka_run_group_tests_name("base/smaps", tests, NULL, NULL);
}
