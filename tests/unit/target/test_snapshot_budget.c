/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Snapshots that run out of time or memory, and one of a stack that is moved while it is read; in fake memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "reader/reader.h"
#include "support/fake_world.h"

static struct pw_reader *reader;

struct motion {
	struct fake_world *world;
	unsigned int left; /* how often it still happens */
};

/* Once its g was read, the stack of goroutine 4 is moved and the old one used for something else (runtime.copystack).
 */
static void grow_while_read(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct motion *motion = context;
	struct fake_go *go = motion->world->go;
	uint64_t g = fake_go_g(go, 3), lo = FAKE_OBJECTS + 0x18000, used = FAKE_STACKS + 4 * 0x2000 - fake_world_sp(3);

	if (range->addr > g || range->addr + range->size <= g || !motion->left)
		return;
	motion->left--;
	memcpy(fake_mem_at(mem, lo + 0x4000 - used, used), fake_mem_at(mem, fake_world_sp(3), used), used);
	memset(fake_mem_at(mem, fake_world_sp(3), used), 0x5a, used);
	fake_go_set(go, 3, PW_FIELD_G_STACK_LO, lo, 8);
	fake_go_set(go, 3, PW_FIELD_G_STACK_HI, lo + 0x4000, 8);
	fake_go_set(go, 3, PW_FIELD_G_SCHED_SP, lo + 0x4000 - used, 8);
}

static void a_stack_that_grows_while_it_is_read_is_read_where_it_went(void **state)
{
	struct fake_world world = fake_world_new(24, reader);
	struct motion motion = {.world = &world, .left = 1};
	const struct pw_snapshot_result *result;

	(void)state;
	world.go->mem.after_range = grow_while_read;
	world.go->mem.context = &motion;
	for (int n = 0; n < 2; n++) {
		result = fake_world_look(&world);
		assert_int_equal(motion.left, 0);
		assert_int_equal(result->count, FAKE_COUNT);
		assert_int_equal(result->torn + result->skipped, 0);
		assert_int_equal(result->goroutines[3].pc_count, 3);
		assert_int_equal(result->goroutines[3].first_pc, result->goroutines[4].first_pc);
		assert_false(result->goroutines[3].stack_truncated);
	}
	assert_int_equal(result->stacks_read, 0);
	fake_world_end(&world);
}

static void with_options(struct fake_world *world, const struct pw_snapshot_options *options)
{
	pw_snapshot_free(world->snapshot);
	assert_int_equal(pw_snapshot_new(&world->snapshot, &world->go->target, options), 0);
}

static void what_does_not_fit_into_memory_is_skipped_and_counted(void **state)
{
	struct fake_world world = fake_world_new(24, reader);
	const struct pw_snapshot_result *result;

	(void)state;
	for (uint64_t budget = 1; budget < 200000; budget *= 3) {
		struct pw_snapshot_options options = {.memory_budget_bytes = budget, .waits = true};

		with_options(&world, &options);
		result = fake_world_look(&world);
		assert_true(result->count == 1 || result->count <= budget / sizeof(*result->goroutines));
		assert_int_equal(result->count + result->skipped, FAKE_COUNT);
		assert_int_equal(result->skipped, result->skipped_by[PW_SKIP_MEMORY]);
	}
	assert_int_equal(result->count, FAKE_COUNT);
	fake_world_end(&world);
}

static void what_there_is_no_time_for_is_skipped_and_counted(void **state)
{
	struct pw_snapshot_options options = {.time_budget_ns = 1, .waits = true, .labels = true};
	struct fake_world world = fake_world_new(24, reader);
	const struct pw_snapshot_result *result;

	(void)state;
	with_options(&world, &options);
	result = fake_world_look(&world); /* the census is one step */
	assert_int_equal(result->count, FAKE_COUNT);
	assert_int_equal(result->stacks_read, 0);
	assert_int_equal(result->skipped, FAKE_COUNT);
	assert_int_equal(result->skipped_by[PW_SKIP_TIME], FAKE_COUNT);
	assert_true(result->waits_cut);
	assert_true(result->labels_cut);
	for (size_t i = 0; i < FAKE_COUNT; i++)
		assert_int_equal(result->goroutines[i].pc_count, 0);
	fake_world_end(&world);
}

static void a_census_without_time_leaves_the_rest_out(void **state)
{
	struct pw_snapshot_options options = {.time_budget_ns = 1};
	struct fake_go *go = fake_go_new(24, 20000, 1);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct pw_snapshot_result *result;
	struct pw_snapshot *snapshot;

	(void)state;
	assert_int_equal(pw_symbolizer_new(&go->target.symbolizer, reader, fd, "go:fake"), 0);
	close(fd);
	assert_int_equal(pw_snapshot_new(&snapshot, &go->target, &options), 0);
	assert_int_equal(pw_snapshot_look(snapshot), 0);
	result = pw_snapshot_result(snapshot);
	assert_in_range(result->count, 100, 10000);
	assert_int_equal(result->skipped, 20000); /* not there, or without a stack */
	assert_int_equal(result->skipped_by[PW_SKIP_TIME], 20000);
	pw_snapshot_free(snapshot);
	pw_symbolizer_free(go->target.symbolizer);
	fake_go_free(go);
}

static void take_long(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	uint64_t start = pw_now_ns();

	(void)mem;
	if (range->addr >= FAKE_STACKS && range->addr < FAKE_OBJECTS)
		while (pw_now_ns() - start < *(uint64_t *)context)
			;
}

static void stacks_that_could_not_be_looked_at_twice_are_not_shown(void **state)
{
	struct pw_snapshot_options options = {.time_budget_ns = 50000000};
	uint64_t takes_ns = 2 * options.time_budget_ns;
	struct fake_world world = fake_world_new(24, reader);
	const struct pw_snapshot_result *result;

	(void)state;
	with_options(&world, &options);
	world.go->mem.after_range = take_long;
	world.go->mem.context = &takes_ns;
	result = fake_world_look(&world);
	assert_true(result->stacks_read > 0);
	assert_int_equal(result->count, FAKE_COUNT);
	assert_int_equal(result->skipped_by[PW_SKIP_TIME], FAKE_COUNT);
	for (size_t i = 0; i < FAKE_COUNT; i++)
		assert_int_equal(result->goroutines[i].pc_count, 0);
	takes_ns = 0;
	result = fake_world_look(&world); /* and the next look is whole */
	assert_int_equal(result->skipped, 0);
	assert_int_equal(result->goroutines[FAKE_COUNT - 1].pc_count, 3);
	fake_world_end(&world);
}

static int set_up(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	return pw_reader_start(&reader) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	pw_reader_free(reader);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_that_grows_while_it_is_read_is_read_where_it_went),
		cmocka_unit_test(what_does_not_fit_into_memory_is_skipped_and_counted),
		cmocka_unit_test(what_there_is_no_time_for_is_skipped_and_counted),
		cmocka_unit_test(a_census_without_time_leaves_the_rest_out),
		cmocka_unit_test(stacks_that_could_not_be_looked_at_twice_are_not_shown),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
