/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Snapshots of a process made of fake memory: what no real program can be made to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "model/record.h"
#include "reader/reader.h"
#include "support/fake_world.h"
#include "target/snapshot.h"
#include "target/symbolize.h"
#include "target/unwind.h"

#define new_world() fake_world_new(24, reader)

static struct pw_reader *reader;

static void goroutines_of_one_stack_share_it(void **state)
{
	struct fake_world world = new_world();
	const struct pw_snapshot_result *result = fake_world_look(&world);

	(void)state;
	assert_int_equal(result->count, FAKE_COUNT);
	assert_int_equal(result->stacks_read, FAKE_COUNT);
	assert_int_equal(result->skipped + result->torn, 0);
	assert_int_equal(result->pc_count, 3);
	for (size_t i = 0; i < FAKE_COUNT; i++) {
		const struct pw_snapshot_goroutine *g = &result->goroutines[i];

		assert_int_equal(g->goid, i + 1);
		assert_int_equal(g->pc_count, 3);
		assert_int_equal(result->pcs[g->first_pc + 1].pc, FAKE_WORK);
		assert_true(result->pcs[g->first_pc + 1].is_return);
		assert_int_equal(g->runs, UINT32_MAX);
		assert_true(g->parked_at_least);
		assert_int_equal(g->wait.kind, PW_WAIT_CHANNEL);
		assert_false(g->wait.known);
	}
	fake_world_end(&world);
}

static void the_second_look_reads_what_ran(void **state)
{
	struct fake_world world = new_world();
	const struct pw_snapshot_result *result = fake_world_look(&world);
	uint64_t first = result->taken_ns;

	(void)state;
	fake_go_set(world.go, 7, PW_FIELD_G_TRACKINGSEQ, 5, 1);
	result = fake_world_look(&world);
	assert_int_equal(result->stacks_read, 1);
	assert_int_equal(result->stacks_kept, FAKE_COUNT - 1);
	assert_int_equal(result->goroutines[7].runs, 5);
	assert_int_equal(result->goroutines[7].parked_since_ns, result->taken_ns);
	assert_false(result->goroutines[7].parked_at_least);
	assert_int_equal(result->goroutines[8].runs, 0);
	assert_int_equal(result->goroutines[8].parked_since_ns, first);
	assert_int_equal(result->goroutines[8].pc_count, 3);
	fake_world_end(&world);
}

static void a_list_of_2_to_the_60_is_garbage(void **state)
{
	struct fake_world world = new_world();

	(void)state;
	fake_go_set_allglen(world.go, 1ULL << 60);
	assert_int_equal(pw_snapshot_look(world.snapshot), -EBADMSG);
	fake_go_set_allglen(world.go, FAKE_COUNT);
	assert_int_equal(fake_world_look(&world)->count, FAKE_COUNT);
	fake_world_end(&world);
}

/* ---- while it is read ---- */

struct motion {
	struct fake_world *world;
	unsigned int left; /* how often goroutine 4 runs each time its stack was read */
	uint64_t ranges_left;
};

static void run_while_read(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct motion *motion = context;
	uint64_t sp = fake_world_sp(3), at = fake_go_g(motion->world->go, 3);

	if (range->addr > sp || range->addr + range->size <= sp || !motion->left)
		return;
	motion->left--;
	mem->ran_ns += mem->ran_ns ? 100 : 0;
	*fake_mem_at(mem, at + (uint64_t)motion->world->go->build.facts.layout.offset[PW_FIELD_G_TRACKINGSEQ], 1) += 1;
}

static void one_that_moved_once_is_read_again(void **state)
{
	struct fake_world world = new_world();
	struct motion motion = {.world = &world, .left = 1};
	const struct pw_snapshot_result *result;

	(void)state;
	world.go->mem.after_range = run_while_read;
	world.go->mem.context = &motion;
	result = fake_world_look(&world);
	assert_int_equal(motion.left, 0);
	assert_int_equal(result->torn, 0);
	assert_int_equal(result->count, FAKE_COUNT);
	assert_int_equal(result->goroutines[3].pc_count, 3);
	fake_world_end(&world);
}

static void a_program_that_did_not_run_is_not_looked_at_again(void **state)
{
	struct fake_world world = new_world(), idle = new_world();
	uint64_t bytes = fake_world_look(&world)->bytes_read, size = 0;
	const struct pw_layout *layout = &idle.go->build.facts.layout;

	(void)state;
	idle.go->mem.ran_ns = 1000;
	assert_int_equal(fake_world_look(&idle)->count, FAKE_COUNT);
	size = (uint64_t)layout->offset[PW_FIELD_G_GOID]; /* of a g that is read, at least */
	assert_true(size > 100);
	assert_true(pw_snapshot_result(idle.snapshot)->bytes_read + FAKE_COUNT * size < bytes);
	assert_int_equal(pw_snapshot_result(idle.snapshot)->goroutines[3].pc_count, 3);
	fake_world_end(&idle);
	fake_world_end(&world);
}

static void one_that_moved_in_a_program_that_ran_is_read_again(void **state)
{
	struct fake_world world = new_world();
	struct motion motion = {.world = &world, .left = 1};
	const struct pw_snapshot_result *result;

	(void)state;
	world.go->mem.ran_ns = 1000;
	world.go->mem.after_range = run_while_read;
	world.go->mem.context = &motion;
	result = fake_world_look(&world);
	assert_int_equal(world.go->mem.ran_ns, 1100);
	assert_int_equal(result->goroutines[3].tracking_seq, 1);
	assert_int_equal(result->torn, 0);
	fake_world_end(&world);
}

static void one_that_never_stands_still_is_left_out_and_counted(void **state)
{
	struct fake_world world = new_world();
	struct motion motion = {.world = &world, .left = 1000};
	const struct pw_snapshot_result *result;

	(void)state;
	world.go->mem.after_range = run_while_read;
	world.go->mem.context = &motion;
	result = fake_world_look(&world);
	assert_int_equal(result->torn, 1);
	assert_int_equal(result->count, FAKE_COUNT - 1);
	for (size_t i = 0; i < result->count; i++)
		assert_int_not_equal(result->goroutines[i].goid, 4);
	fake_world_end(&world);
}

static void die_while_read(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct motion *motion = context;

	(void)range;
	if (motion->ranges_left && --motion->ranges_left == 0)
		mem->error = -ESRCH;
}

static void a_target_may_die_at_any_moment(void **state)
{
	(void)state;
	for (uint64_t ranges = 1; ranges < 40; ranges++) {
		struct fake_world world = new_world();
		struct motion motion = {.world = &world, .ranges_left = ranges};
		int r;

		world.go->mem.after_range = die_while_read;
		world.go->mem.context = &motion;
		r = pw_snapshot_look(world.snapshot);
		assert_true(r == -ESRCH || (r == 0 && motion.ranges_left));
		if (r)
			assert_int_equal(pw_snapshot_result(world.snapshot)->count, 0);
		fake_world_end(&world);
	}
}

/* ---- bad memory ---- */

static void stacks_of_garbage_are_cut(void **state)
{
	struct fake_world world = new_world();
	const struct pw_snapshot_result *result;

	(void)state;
	fake_mem_put(&world.go->mem, fake_world_sp(0) + 24, 0xdeadbeef, 8);
	fake_mem_put(&world.go->mem, fake_world_sp(1) + 24, FAKE_GO_TEXT + 0x777,
		     8); /* in text, and not known to anybody */
	fake_go_set(world.go, 2, PW_FIELD_G_SCHED_SP, FAKE_STACKS + 2 * 0x2000 + 0x2000, 8); /* nothing is on it */
	fake_go_set(world.go, 5, PW_FIELD_G_STACK_LO, 0x10000, 8);
	fake_go_set(world.go, 5, PW_FIELD_G_STACK_HI, 0x12000, 8);
	fake_go_set(world.go, 5, PW_FIELD_G_SCHED_SP, 0x11000, 8); /* not mapped */
	result = fake_world_look(&world);
	assert_int_equal(result->count, FAKE_COUNT);
	assert_int_equal(result->skipped, 2);
	assert_int_equal(result->goroutines[0].pc_count, 1);
	assert_true(result->goroutines[0].stack_truncated);
	assert_int_equal(result->goroutines[1].pc_count, 1);
	assert_true(result->goroutines[1].stack_truncated);
	assert_int_equal(result->goroutines[2].pc_count, 0);
	assert_int_equal(result->goroutines[5].pc_count, 0);
	assert_false(result->goroutines[6].stack_truncated);
	fake_world_end(&world);
}

/* Goroutine i waits by a sudog of its own, in the queue of that channel. */
static uint64_t wait_on(struct fake_world *world, size_t i, uint64_t channel)
{
	uint64_t sudog = FAKE_OBJECTS + 0x1000 + i * 0x80;

	fake_go_set(world->go, i, PW_FIELD_G_WAITING, sudog, 8);
	fake_world_put(world, sudog, PW_FIELD_SUDOG_G, fake_go_g(world->go, i));
	fake_world_put(world, sudog, PW_FIELD_SUDOG_C, channel);
	return sudog;
}

static void channels_are_shown_with_their_queues(void **state)
{
	struct fake_world world = new_world();
	const uint64_t channel = FAKE_OBJECTS;
	const struct pw_snapshot_result *result;

	(void)state;
	fake_world_put(&world, channel, PW_FIELD_HCHAN_QCOUNT, 2);
	fake_world_put(&world, channel, PW_FIELD_HCHAN_DATAQSIZ, 3);
	for (size_t i = 0; i < 5; i++)
		wait_on(&world, i, channel);
	for (size_t i = 0; i < 4; i++)
		fake_world_put(&world, FAKE_OBJECTS + 0x1000 + i * 0x80, PW_FIELD_SUDOG_NEXT,
			       FAKE_OBJECTS + 0x1000 + (i + 1) * 0x80);
	fake_world_put(&world, channel, PW_FIELD_HCHAN_RECVQ_FIRST, FAKE_OBJECTS + 0x1000);
	result = fake_world_look(&world);
	for (size_t i = 0; i < 5; i++) {
		assert_true(result->goroutines[i].wait.known);
		assert_int_equal(result->goroutines[i].wait.object, channel);
		assert_int_equal(result->goroutines[i].wait.length, 2);
		assert_int_equal(result->goroutines[i].wait.capacity, 3);
		assert_int_equal(result->goroutines[i].wait.receivers, 5);
		assert_int_equal(result->goroutines[i].wait.senders, 0);
	}
	fake_world_end(&world);
}

/* A select over two channels; the first is shown. */
static void select_on(struct fake_world *world, size_t i, uint64_t first, uint64_t second)
{
	uint64_t sudog = wait_on(world, i, first), other = sudog + 0x4000;

	fake_go_set(world->go, i, PW_FIELD_G_WAITREASON, FAKE_SELECT, 1);
	fake_world_put(world, sudog, PW_FIELD_SUDOG_WAITLINK, other);
	fake_world_put(world, other, PW_FIELD_SUDOG_G, fake_go_g(world->go, i));
	fake_world_put(world, other, PW_FIELD_SUDOG_C, second);
}

static void cases_of_selects_count_where_their_channel_has_a_queue(void **state)
{
	struct fake_world world = new_world();
	const uint64_t first = FAKE_OBJECTS, second = FAKE_OBJECTS + 0x200, third = FAKE_OBJECTS + 0x400;
	const struct pw_snapshot_result *result;

	(void)state;
	wait_on(&world, 0, first);
	select_on(&world, 1, first, second);
	select_on(&world, 2, second, first);
	select_on(&world, 3, third, third); /* receives from it or sends to it */
	fake_world_put(&world, first, PW_FIELD_HCHAN_RECVQ_FIRST, FAKE_OBJECTS + 0x1000);
	fake_world_put(&world, second, PW_FIELD_HCHAN_SENDQ_FIRST, FAKE_OBJECTS + 0x1000);
	fake_world_put(&world, third, PW_FIELD_HCHAN_RECVQ_FIRST, FAKE_OBJECTS + 0x1000);
	fake_world_put(&world, third, PW_FIELD_HCHAN_SENDQ_FIRST, FAKE_OBJECTS + 0x1000);
	for (int n = 0; n < 2; n++) { /* the second look knows the channel of goroutine 0 */
		result = fake_world_look(&world);
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(result->goroutines[i].wait.object, first);
			assert_int_equal(result->goroutines[i].wait.receivers, 3);
			assert_int_equal(result->goroutines[i].wait.senders, 0);
		}
		assert_int_equal(result->goroutines[2].wait.object, second);
		assert_int_equal(result->goroutines[2].wait.receivers, 0);
		assert_int_equal(result->goroutines[2].wait.senders, 2);
		assert_int_equal(result->goroutines[2].wait.cases, 2);
		assert_true(result->goroutines[3].wait.known);
		assert_int_equal(result->goroutines[3].wait.receivers, PW_UNKNOWN);
		assert_int_equal(result->goroutines[3].wait.senders, PW_UNKNOWN);
	}
	fake_world_end(&world);
}

static void what_one_waits_on_is_asked_again_when_it_has_run(void **state)
{
	struct fake_world world = new_world();
	const uint64_t before = FAKE_OBJECTS, after = FAKE_OBJECTS + 0x200;
	const struct pw_snapshot_result *result;

	(void)state;
	wait_on(&world, 0, before);
	wait_on(&world, 1, before);
	result = fake_world_look(&world);
	assert_int_equal(result->goroutines[1].wait.object, before);
	wait_on(&world, 0, after); /* without having run that cannot be: it is not looked at */
	wait_on(&world, 1, after);
	fake_go_set(world.go, 1, PW_FIELD_G_TRACKINGSEQ, 1, 1);
	result = fake_world_look(&world);
	assert_int_equal(result->goroutines[0].wait.object, before);
	assert_int_equal(result->goroutines[0].wait.receivers, 1);
	assert_int_equal(result->goroutines[1].wait.object, after);
	assert_int_equal(result->goroutines[1].wait.receivers, 1);
	fake_world_end(&world);
}

static void chains_of_selects_that_are_cycles_end(void **state)
{
	struct fake_world world = new_world();
	const struct pw_snapshot_result *result;

	(void)state;
	for (size_t i = 0; i < FAKE_COUNT; i++) { /* 7 sudogs, and the last leads to the third */
		for (size_t k = 0; k < 7; k++) {
			uint64_t sudog = FAKE_OBJECTS + 0x1000 + (i * 7 + k) * 0x60;

			fake_world_put(&world, sudog, PW_FIELD_SUDOG_G, fake_go_g(world.go, i));
			fake_world_put(&world, sudog, PW_FIELD_SUDOG_C, FAKE_OBJECTS);
			fake_world_put(&world, sudog, PW_FIELD_SUDOG_WAITLINK, k < 6 ? sudog + 0x60 : sudog - 4 * 0x60);
		}
		fake_go_set(world.go, i, PW_FIELD_G_WAITREASON, FAKE_SELECT, 1);
		fake_go_set(world.go, i, PW_FIELD_G_WAITING, FAKE_OBJECTS + 0x1000 + i * 7 * 0x60, 8);
	}
	result = fake_world_look(&world);
	for (size_t i = 0; i < FAKE_COUNT; i++)
		assert_in_range(result->goroutines[i].wait.cases, 7, 21);
	assert_true(result->bytes_read < FAKE_COUNT * 8192);
	fake_world_end(&world);
}

static void cycles_and_wild_pointers_end(void **state)
{
	struct fake_world world = new_world();
	const uint64_t channel = FAKE_OBJECTS;
	const struct pw_snapshot_result *result;
	uint64_t sudog;

	(void)state;
	sudog = wait_on(&world, 0, channel); /* a queue that bites its tail */
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_NEXT, sudog);
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_WAITLINK, sudog);
	fake_world_put(&world, channel, PW_FIELD_HCHAN_RECVQ_FIRST, sudog);
	fake_go_set(world.go, 0, PW_FIELD_G_WAITREASON, FAKE_SELECT, 1);
	wait_on(&world, 1, 0xdeadbeef);	     /* no such channel */
	wait_on(&world, 2, channel + 0x400); /* garbage in it */
	fake_world_put(&world, channel + 0x400, PW_FIELD_HCHAN_QCOUNT, UINT64_MAX);
	sudog = wait_on(&world, 3, channel); /* the sudog of somebody else */
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_G, fake_go_g(world.go, 50));
	fake_go_set(world.go, 4, PW_FIELD_G_WAITING, UINT64_MAX - 7, 8);
	fake_go_set(world.go, 5, PW_FIELD_G_WAITING, 1, 8);
	fake_go_set(world.go, 6, PW_FIELD_G_LABELS, 0xdeadbee8, 8);
	fake_go_set(world.go, 7, PW_FIELD_G_LABELS, FAKE_OBJECTS + 0x8000, 8);
	fake_mem_put(&world.go->mem, FAKE_OBJECTS + 0x8000, FAKE_OBJECTS + 0x8000, 8);
	fake_mem_put(&world.go->mem, FAKE_OBJECTS + 0x8008, 50, 8); /* labels made of themselves */
	result = fake_world_look(&world);
	assert_int_equal(result->count, FAKE_COUNT);
	assert_true(result->goroutines[0].wait.known);
	assert_int_equal(result->goroutines[0].wait.receivers,
			 1); /* queues are not walked, those in them are counted */
	assert_int_equal(result->goroutines[0].wait.cases, 1);
	for (size_t i = 1; i <= 5; i++)
		assert_false(result->goroutines[i].wait.known);
	assert_int_equal(result->goroutines[6].label_count, 0);
	fake_world_end(&world);
}

static void a_semaphore_table_of_cycles_ends(void **state)
{
	struct fake_world world = new_world();
	const uint64_t sudog = FAKE_OBJECTS + 0x1000, table = FAKE_OBJECTS + 0x4000;
	const struct pw_snapshot_result *result;

	(void)state;
	world.go->build.facts.globals.addr[PW_GLOBAL_SEMTABLE] = table;
	for (size_t i = 0; i < 251; i++)
		fake_mem_put(&world.go->mem, table + i * 64 + 8, i % 2 ? sudog : 0x1234567890abcde8, 8);
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_G, fake_go_g(world.go, 9));
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_ELEM, FAKE_OBJECTS + 0x20);
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_PREV, sudog);
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_NEXT, 0x10);
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_WAITLINK, sudog);
	fake_go_set(world.go, 9, PW_FIELD_G_WAITREASON, FAKE_LOCK, 1);
	result = fake_world_look(&world);
	assert_int_equal(result->goroutines[9].wait.kind, PW_WAIT_SEMAPHORE);
	assert_true(result->goroutines[9].wait.known);
	assert_int_equal(result->goroutines[9].wait.receivers, 1);
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
		cmocka_unit_test(goroutines_of_one_stack_share_it),
		cmocka_unit_test(the_second_look_reads_what_ran),
		cmocka_unit_test(a_program_that_did_not_run_is_not_looked_at_again),
		cmocka_unit_test(one_that_moved_in_a_program_that_ran_is_read_again),
		cmocka_unit_test(a_list_of_2_to_the_60_is_garbage),
		cmocka_unit_test(one_that_moved_once_is_read_again),
		cmocka_unit_test(one_that_never_stands_still_is_left_out_and_counted),
		cmocka_unit_test(a_target_may_die_at_any_moment),
		cmocka_unit_test(stacks_of_garbage_are_cut),
		cmocka_unit_test(channels_are_shown_with_their_queues),
		cmocka_unit_test(cases_of_selects_count_where_their_channel_has_a_queue),
		cmocka_unit_test(what_one_waits_on_is_asked_again_when_it_has_run),
		cmocka_unit_test(chains_of_selects_that_are_cycles_end),
		cmocka_unit_test(cycles_and_wild_pointers_end),
		cmocka_unit_test(a_semaphore_table_of_cycles_ends),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
