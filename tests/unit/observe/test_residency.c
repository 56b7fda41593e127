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
#include "model/builder.h"
#include "model/record.h"
#include "observe/numbers.h"
#include "observe/residency.h"
#include "support/fake_mem.h"

#define MB (1ULL << 20)

struct world {
	char path[64];
	struct pw_procfs procfs;
	struct fake_go *go;
	struct pw_observed_numbers numbers;
	struct pw_residency residency;
};

static void put(struct world *world, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/7/%s", world->path, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	char path[128];

	snprintf(world->path, sizeof(world->path), "/tmp/pw-test-residency.XXXXXX");
	assert_non_null(mkdtemp(world->path));
	snprintf(path, sizeof(path), "%s/7", world->path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pw_procfs_open(&world->procfs, world->path), 0);
	world->go = fake_go_new(24, 1, 1);
	world->go->target.pid = 7;
	pw_runtime_numbers_init(&world->numbers.numbers);
	world->numbers.numbers.heap_inuse_bytes = 5 * MB;
	world->numbers.numbers.heap_marked_bytes = 3 * MB;
	world->numbers.taken_ns = 1;
	put(world, "cgroup", "0::/none\n");
	put(world, "status",
	    "Name:\tx\nTgid:\t7\nVmRSS:\t10240 kB\nRssAnon:\t8192 kB\nRssShmem:\t1024 kB\nVmSwap:\t5 kB\n");
	put(world, "smaps", "00400000-00500000 rw-p 00000000 00:00 0 \nRss: 9216 kB\nAnonymous: 9216 kB\n");
	return world;
}

static void world_free(struct world *world)
{
	static const char *const names[] = {"cgroup", "status", "smaps"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/7/%s", world->path, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/7", world->path);
	rmdir(path);
	rmdir(world->path);
	pw_residency_done(&world->residency);
	pw_procfs_done(&world->procfs);
	fake_go_free(world->go);
	free(world);
}

static int work(struct world *world, uint64_t boot_ns)
{
	int r;

	do {
		r = pw_residency_work(&world->residency, &world->go->target, &world->procfs, &world->numbers,
				      60 * PW_NS_PER_SEC, boot_ns, 0);
	} while (r == -EAGAIN);
	return r;
}

static void one_look_is_taken_per_interval(void **state)
{
	struct world *world = world_new();
	uint64_t taken_ns;

	(void)state;
	assert_int_equal(work(world, PW_NS_PER_SEC), 0);
	taken_ns = world->residency.taken_ns;
	assert_true(taken_ns > 0);
	assert_int_equal(world->residency.table.rss_bytes, 9 * MB); /* of smaps */
	assert_int_equal(world->residency.table.kind[PW_MEMORY_LIVE], 3 * MB);
	assert_int_equal(work(world, 60 * PW_NS_PER_SEC), 0);
	assert_int_equal(world->residency.taken_ns, taken_ns); /* not yet */
	assert_int_equal(work(world, 61 * PW_NS_PER_SEC), 0);
	assert_true(world->residency.taken_ns > taken_ns);
	world_free(world);
}

static void of_a_very_large_process_only_the_running_counts_are_taken(void **state)
{
	struct world *world = world_new();

	(void)state;
	put(world, "status", "Name:\tx\nTgid:\t7\nVmRSS:\t4194304 kB\nRssAnon:\t4000000 kB\nRssShmem:\t1024 kB\n");
	assert_int_equal(work(world, PW_NS_PER_SEC), 0);
	assert_int_equal(world->residency.table.rss_bytes, 4096 * MB);
	assert_int_equal(world->residency.table.detailed, 0);
	assert_int_equal(world->residency.table.kind[PW_MEMORY_SHMEM], MB);
	assert_null(world->residency.look);
	world_free(world);
}

static void a_process_that_ends_in_between_is_gone_and_a_closed_one_is_tried_again(void **state)
{
	struct world *world = world_new();

	(void)state;
	put(world, "smaps", ""); /* ended between two reads */
	assert_int_equal(work(world, PW_NS_PER_SEC), -ESRCH);
	assert_null(world->residency.look);
	put(world, "smaps", "nonsense\n");
	assert_int_equal(work(world, 100 * PW_NS_PER_SEC), 0);
	assert_int_equal(world->residency.failures, 2);
	assert_int_equal(world->residency.taken_ns, 0);
	put(world, "smaps", "00400000-00500000 rw-p 00000000 00:00 0 \nRss: 9216 kB\nAnonymous: 9216 kB\n");
	assert_int_equal(work(world, 200 * PW_NS_PER_SEC), 0);
	assert_true(world->residency.taken_ns > 0);
	world_free(world);
}

static void numbers_that_are_stale_are_not_mixed_with_fresh_pages(void **state)
{
	struct pw_record_builder *builder = NULL;
	struct world *world = world_new();
	struct pw_record *record = NULL, *draft;

	(void)state;
	world->numbers.stale = true;
	assert_int_equal(work(world, PW_NS_PER_SEC), 0);
	assert_int_equal(world->residency.table.kind[PW_MEMORY_LIVE], 0);
	assert_int_equal(world->residency.table.kind[PW_MEMORY_NON_GO], 9 * MB);
	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	pw_residency_write(&world->residency, draft, builder);
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	assert_true(record->memory.section.present);
	assert_int_equal(record->memory.section.taken_ns, world->residency.taken_ns);
	assert_int_equal(record->memory.table.rss_bytes, 9 * MB);
	pw_record_unref(record);
	pw_record_builder_free(builder);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_look_is_taken_per_interval),
		cmocka_unit_test(of_a_very_large_process_only_the_running_counts_are_taken),
		cmocka_unit_test(a_process_that_ends_in_between_is_gone_and_a_closed_one_is_tried_again),
		cmocka_unit_test(numbers_that_are_stale_are_not_mixed_with_fresh_pages),
	};

	return cmocka_run_group_tests_name("observe/residency", tests, NULL, NULL);
}
