/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/record.h"
#include "observe/parks.h"
#include "observe/statements.h"
#include "target/snapshot.h"

/* Looks made by hand, summed up and written: does the record say what was in them? */

#define NOW	(5000 * PW_NS_PER_SEC)
#define REASONS 5
#define DEPTH	3

static const char reasons[REASONS][40] = {"", "chan receive", "select", "sleep", "sync.Mutex.Lock"};

struct world {
	struct pw_statements statements;
	struct pw_record_builder *builder;
	struct pw_parks *parks, *before;
	struct pw_snapshot_goroutine *goroutines;
	struct pw_snapshot_pc *pcs;
	struct pw_snapshot_result look;
	uint32_t rows_max;
};

static void world_init(struct world *world, size_t count, size_t stacks)
{
	*world = (struct world){.look = {.count = count, .pc_count = stacks * DEPTH, .taken_ns = NOW}};
	assert_int_equal(pw_statements_init(&world->statements, NULL), 0);
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_parks_new(&world->parks), 0);
	assert_int_equal(pw_parks_new(&world->before), 0);
	world->look.goroutines = world->goroutines = calloc(count + 1, sizeof(*world->goroutines));
	world->look.pcs = world->pcs = calloc(stacks * DEPTH + 1, sizeof(*world->pcs));
	for (size_t i = 0; i < stacks * DEPTH; i++)
		world->pcs[i] = (struct pw_snapshot_pc){.pc = 0x500000 + i * 16, .is_return = i % DEPTH > 0};
}

static void world_done(struct world *world)
{
	free(world->goroutines);
	free(world->pcs);
	pw_parks_free(world->parks);
	pw_parks_free(world->before);
	pw_record_builder_free(world->builder);
	pw_statements_done(&world->statements);
}

/* Parked in "chan receive" for 60 s. */
static void park(struct world *world, size_t index, uint64_t gopc, uint32_t stack)
{
	world->goroutines[index] = (struct pw_snapshot_goroutine){.goid = 10 + index,
								  .gopc = gopc,
								  .first_pc = stack * DEPTH,
								  .pc_count = DEPTH,
								  .status = PW_GOROUTINE_WAITING,
								  .wait_reason = 1,
								  .parked_since_ns = NOW - 60 * PW_NS_PER_SEC,
								  .stack_bytes = 8192,
								  .born_after_ns = NOW - 71 * PW_NS_PER_SEC,
								  .born_before_ns = NOW - 70 * PW_NS_PER_SEC};
}

/* The look becomes what is shown, as in an observation. */
static void sum_up(struct world *world)
{
	struct pw_parks *swapped = world->before;
	int r;

	world->before = world->parks;
	world->parks = swapped;
	pw_parks_begin(world->parks, &world->look, world->before, world->rows_max);
	do
		r = pw_parks_step(world->parks, &world->look, &world->statements, 1);
	while (r == -EAGAIN);
	assert_int_equal(r, 0);
	pw_parks_name(world->parks, NULL);
}

static struct pw_record *write_record(struct world *world)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;

	draft->snapshot.section = (struct pw_section){.present = true, .taken_ns = NOW};
	pw_statements_write(&world->statements, world->builder);
	pw_parks_write(world->parks, reasons, REASONS, world->builder);
	pw_parks_write_sizes(world->parks, draft);
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	return record;
}

static void equal_stacks_are_one_group_with_the_oldest_and_what_it_waits_on(void **state)
{
	const struct pw_record_park *group;
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5, 2);
	for (size_t i = 0; i < 4; i++) {
		park(&world, i, 0x401000, 0);
		world.goroutines[i].runs = i == 3 ? 7 : 0;
		world.goroutines[i].wait = (struct pw_wait){.kind = PW_WAIT_CHANNEL,
							    .known = true,
							    .object = 0xc000001000 + (i / 2) * 64,
							    .length = i,
							    .capacity = 8,
							    .receivers = 2};
	}
	world.goroutines[2].parked_since_ns = NOW - 900 * PW_NS_PER_SEC;
	world.goroutines[2].parked_at_least = true;
	world.goroutines[2].born_after_ns = 0;
	world.goroutines[3].stack_bytes = 1 << 20;
	park(&world, 4, 0x401000, 1); /* the same statement and reason on another stack */
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(record->snapshot.park_count, 2);
	group = &record->snapshot.parks[0];
	assert_int_equal(group->count, 4);
	assert_int_equal(group->stacks, 1);
	assert_int_equal(group->never_ran, 3);
	assert_int_equal(group->runs, 7);
	assert_int_equal(group->oldest_since_ns, NOW - 900 * PW_NS_PER_SEC);
	assert_true(group->oldest_at_least);
	assert_string_equal(pw_record_string(record, group->reason), "chan receive");
	assert_string_equal(pw_record_string(record, group->wait.kind), "channel");
	assert_int_equal(group->wait.objects, 2);
	assert_int_equal(group->wait.length, 2); /* that of the oldest */
	assert_int_equal(group->wait.capacity, 8);
	assert_int_equal(group->age_count, 2);
	assert_int_equal(record->snapshot.ages[group->first_age].count, 1);
	assert_int_equal(record->snapshot.ages[group->first_age + 1].count, 3);
	assert_int_equal(group->count_initial, 1);
	assert_int_equal(group->birth_count, 1);
	assert_int_equal(pw_park_older_than(record, group, 65 * PW_NS_PER_SEC, false), 3);
	assert_int_equal(pw_park_older_than(record, group, 65 * PW_NS_PER_SEC, true), 4);
	assert_int_equal(pw_park_older_than(record, group, 75 * PW_NS_PER_SEC, false), 0);
	assert_int_equal(group->largest_stack_bytes, 1 << 20);
	assert_int_equal(record->stacks[group->stack].count, DEPTH);
	assert_int_equal(record->frames[record->stacks[group->stack].first].addr, 0x500000);
	assert_int_equal(record->frames[record->stacks[group->stack].first + 1].addr, 0x500010 - 1); /* the call */
	assert_int_equal(record->snapshot.parks[1].count, 1);
	assert_int_equal(record->statements[group->statement].gopc, 0x401000);
	pw_record_unref(record);
	world_done(&world);
}

static void running_ones_have_neither_stack_nor_age(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 1, 0);
	world.goroutines[0] = (struct pw_snapshot_goroutine){
		.goid = 1, .gopc = 0x401000, .status = PW_GOROUTINE_RUNNING, .running = true, .runs = UINT32_MAX};
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(record->snapshot.park_count, 1);
	assert_int_equal(record->snapshot.parks[0].stack, UINT32_MAX);
	assert_int_equal(record->snapshot.parks[0].stacks, 0);
	assert_int_equal(record->snapshot.parks[0].oldest_since_ns, 0);
	assert_int_equal(record->snapshot.parks[0].age_count, 0);
	assert_true(record->snapshot.parks[0].runs == PW_UNKNOWN);
	assert_int_equal(record->snapshot.parks[0].reason, 0);
	pw_record_unref(record);
	world_done(&world);
}

static size_t with_stack(const struct pw_record *record)
{
	size_t count = 0;

	for (size_t i = 0; i < record->snapshot.park_count; i++)
		count += record->snapshot.parks[i].stack != UINT32_MAX;
	return count;
}

static uint64_t total(const struct pw_record *record)
{
	uint64_t count = 0;

	for (size_t i = 0; i < record->snapshot.park_count; i++)
		count += record->snapshot.parks[i].count;
	return count;
}

/* 1000 stacks of two goroutines each; then one of them begins to grow. */
static void small_groups_are_summed_up_and_a_growing_one_keeps_its_stack(void **state)
{
	const struct pw_record_park *grown = NULL, *rest = NULL;
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 2040, 1000);
	world.look.count = 2000;
	for (size_t i = 0; i < 2000; i++)
		park(&world, i, 0x401000, (uint32_t)i / 2);
	for (int i = 0; i < 40; i++) /* until two each is what is usual */
		sum_up(&world);
	for (size_t i = 2000; i < 2040; i++)
		park(&world, i, 0x401000, 777);
	world.look.count = 2004;
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(total(record), 2004);
	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		if (park->stack == UINT32_MAX)
			rest = park;
		else if (record->frames[record->stacks[park->stack].first].addr == 0x500000 + 777 * DEPTH * 16)
			grown = park;
	}
	assert_non_null(grown);
	assert_int_equal(grown->count, 6);
	assert_non_null(rest);
	assert_true(with_stack(record) >= PW_PARKS_BY_COUNT);
	assert_true(with_stack(record) <= PW_PARKS_BY_COUNT + PW_PARKS_BY_GROWTH);
	assert_int_equal(rest->stacks, 1000 - with_stack(record));
	assert_int_equal(rest->count, 2 * (uint64_t)rest->stacks);
	assert_int_equal(record->snapshot.ages[rest->first_age].count, rest->count);
	pw_record_unref(record);
	world_done(&world);
}

static void more_different_stacks_than_are_kept_are_still_counted(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 30000, 30000);
	for (size_t i = 0; i < 30000; i++)
		park(&world, i, 0x401000 + i % 5000 * 16, (uint32_t)i);
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(total(record), 30000);
	assert_true(record->snapshot.park_count <= 16640);
	pw_record_unref(record);
	world_done(&world);
}

static void objects_keep_their_numbers_from_one_snapshot_to_the_next(void **state)
{
	struct pw_record *record;
	uint32_t second;
	struct world world;

	(void)state;
	world_init(&world, 3, 1);
	world.rows_max = 3;
	for (size_t i = 0; i < 3; i++) {
		park(&world, i, 0x401000, 0);
		world.goroutines[i].wait =
			(struct pw_wait){.kind = PW_WAIT_CHANNEL, .object = 0xc000001000 + i / 2 * 64};
	}
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(record->snapshot.row_count, 3);
	assert_int_equal(record->snapshot.rows[0].goid, 10);
	assert_int_equal(record->snapshot.rows[0].object, record->snapshot.rows[1].object);
	assert_int_not_equal(record->snapshot.rows[0].object, record->snapshot.rows[2].object);
	assert_int_equal(record->snapshot.rows[2].parked_since_ns, NOW - 60 * PW_NS_PER_SEC);
	second = record->snapshot.rows[2].object;
	pw_record_unref(record);
	world.goroutines[0].wait.object = 0xc000009000; /* another one, and it comes first */
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(record->snapshot.rows[2].object, second);
	assert_true(record->snapshot.rows[0].object > second);
	pw_record_unref(record);
	world.rows_max = 2; /* more goroutines than that: groups only */
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(record->snapshot.row_count, 0);
	assert_int_equal(record->snapshot.parks[0].count, 3);
	pw_record_unref(record);
	world_done(&world);
}

/* --- locks ---------------------------------------------------------------------------------------------------------
 */

#define LOCK 0xc000002004

/* Waits for the mutex whose semaphore is at `object`, since that second, on the stack. */
static void wait_for(struct world *world, size_t index, uint32_t stack, uint64_t object, uint64_t since_ns)
{
	park(world, index, 0x401000 + stack, stack);
	world->goroutines[index].wait_reason = 4;
	world->goroutines[index].parked_since_ns = since_ns;
	world->goroutines[index].wait = (struct pw_wait){
		.kind = PW_WAIT_SEMAPHORE, .known = true, .lock = true, .lock_sure = true, .object = object};
}

static void seems_to_hold(struct world *world, size_t waiter, size_t owner)
{
	struct pw_wait *wait = &world->goroutines[waiter].wait;

	wait->owner_goid = world->goroutines[owner].goid;
	wait->owner_at = 4;
	wait->around_known = true;
	wait->around[PW_WAIT_AROUND - 4] = 1; /* locked */
}

static void look_again(struct world *world, uint64_t taken_ns)
{
	world->look.taken_ns = taken_ns;
	sum_up(world);
}

static void a_lock_is_still_until_one_of_its_waiters_has_run_or_left(void **state)
{
	const uint64_t second = PW_NS_PER_SEC;
	const struct pw_record_lock *lock;
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 3, 2);
	for (size_t i = 0; i < 3; i++)
		wait_for(&world, i, i == 2, LOCK, NOW);
	world.goroutines[2].parked_at_least = true;
	look_again(&world, NOW);
	record = write_record(&world);
	assert_int_equal(record->snapshot.lock_count, 0); /* seen once */
	pw_record_unref(record);

	look_again(&world, NOW + 10 * second);
	look_again(&world, NOW + 20 * second);
	record = write_record(&world);
	assert_int_equal(record->snapshot.lock_count, 1);
	lock = &record->snapshot.locks[0];
	assert_string_equal(pw_record_string(record, lock->type), "sync.Mutex");
	assert_int_equal(lock->waiters, 3);
	assert_int_equal(lock->locks, 1);
	assert_int_equal(lock->still_since_ns, NOW);
	assert_int_equal(lock->waiting_since_ns, NOW);
	assert_int_equal(lock->owner_park, UINT32_MAX);
	assert_int_equal(record->snapshot.parks[lock->park].count, 2); /* of the first of the longest waiters */
	pw_record_unref(record);

	wait_for(&world, 0, 0, LOCK, NOW + 30 * second); /* has run: somebody has unlocked it */
	look_again(&world, NOW + 30 * second);
	record = write_record(&world);
	assert_int_equal(record->snapshot.lock_count, 0);
	pw_record_unref(record);
	look_again(&world, NOW + 40 * second);
	record = write_record(&world);
	assert_int_equal(record->snapshot.locks[0].still_since_ns, NOW + 30 * second);
	pw_record_unref(record);

	world.goroutines[1].wait.object = LOCK + 64; /* has left it for another one */
	world.goroutines[1].parked_since_ns = NOW + 50 * second;
	look_again(&world, NOW + 50 * second);
	record = write_record(&world);
	assert_int_equal(record->snapshot.lock_count, 0);
	pw_record_unref(record);
	world_done(&world);
}

/* 100 stacks before it, each with more goroutines than its own. */
static void the_stacks_of_locks_are_in_the_record_and_say_who_holds_them(void **state)
{
	const struct pw_record_lock *lock;
	struct pw_record *record;
	struct world world;
	size_t count = 0;

	(void)state;
	world_init(&world, 1002, 502);
	for (; count < 1000; count++)
		park(&world, count, 0x401000, (uint32_t)count / 2);
	wait_for(&world, 1000, 500, LOCK, NOW);
	wait_for(&world, 1001, 501, LOCK + 64, NOW);
	seems_to_hold(&world, 1000, 1001);
	seems_to_hold(&world, 1001, 1000);
	for (uint64_t i = 0; i < 3; i++)
		look_again(&world, NOW + i * PW_NS_PER_SEC);
	record = write_record(&world);
	assert_int_equal(record->snapshot.lock_count, 2);
	for (size_t i = 0; i < 2; i++) {
		lock = &record->snapshot.locks[i];
		assert_int_not_equal(record->snapshot.parks[lock->park].stack, UINT32_MAX);
		assert_int_equal(lock->owner_goid, lock->park < lock->owner_park ? 1011 : 1010);
		assert_int_equal(lock->circle_count, 2);
		assert_int_equal(lock->circle[0], lock->owner_goid);
		assert_int_equal(lock->owner_since_ns, NOW);
	}
	pw_record_unref(record);

	world.goroutines[1000].wait.around[PW_WAIT_AROUND - 4] = 0; /* no longer locked: nobody holds it */
	record = NULL;
	look_again(&world, NOW + 4 * PW_NS_PER_SEC);
	record = write_record(&world);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(record->snapshot.locks[i].circle_count, 0);
	pw_record_unref(record);
	world_done(&world);
}

/* Two wait for a locked Mutex that goroutine 99 seems to hold; one of them was not there in the look before. */
static void a_lock_is_told_with_its_state_and_its_owner(void **state)
{
	uint32_t locked = 1;
	const struct pw_record_park *group;
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 2, 1);
	world.look.previous_ns = NOW - 10 * PW_NS_PER_SEC;
	world.rows_max = 2;
	for (size_t i = 0; i < 2; i++) {
		struct pw_wait *wait = &world.goroutines[i].wait;

		park(&world, i, 0x401000, 0);
		world.goroutines[i].wait_reason = 4;
		world.goroutines[i].runs = i ? UINT32_MAX : 0;
		*wait = (struct pw_wait){.kind = PW_WAIT_SEMAPHORE,
					 .known = true,
					 .around_known = true,
					 .object = 0xc000001004,
					 .receivers = 2,
					 .owner_at = 4,
					 .owner_goid = 99,
					 .fd = -1};
		memcpy(&wait->around[PW_WAIT_AROUND - 4], &locked, sizeof(locked));
	}
	sum_up(&world);
	record = write_record(&world);
	group = &record->snapshot.parks[0];
	assert_int_equal(group->count, 2);
	assert_int_equal(group->arrived, 1);
	assert_int_equal(group->never_ran, 1);
	assert_string_equal(pw_record_string(record, group->wait.sync), "sync.Mutex");
	assert_true(group->wait.state_known && group->wait.locked && !group->wait.starving);
	assert_int_equal(group->wait.owner_goid, 99);
	assert_true(group->wait.length == PW_UNKNOWN && group->wait.senders == PW_UNKNOWN);
	assert_int_equal(group->wait.receivers, 2);
	assert_true(group->wait.deadline_ns == INT64_MIN);
	assert_int_equal(record->snapshot.rows[0].owner_goid, 99);
	pw_record_unref(record);
	world_done(&world);
}

/* The runtime's own goroutine in a finalizer of the program, behind 500 stacks that more have. */
static void the_stack_of_a_finalizer_is_in_the_record(void **state)
{
	struct pw_record *record;
	struct world world;
	bool shown = false;

	(void)state;
	world_init(&world, 1001, 501);
	for (size_t i = 0; i < 1001; i++)
		park(&world, i, 0x401000, (uint32_t)i / 2);
	world.goroutines[1000].gopc = 0x500000;
	for (int finalizes = 0; finalizes < 2; finalizes++) {
		world.goroutines[1000].finalizes = finalizes;
		for (int i = 0; i < 40; i++) /* so that none grows */
			sum_up(&world);
		record = write_record(&world);
		for (size_t i = 0; i < record->snapshot.park_count; i++)
			if (record->statements[record->snapshot.parks[i].statement].gopc == 0x500000)
				shown = record->snapshot.parks[i].stack != UINT32_MAX;
		assert_true(shown == finalizes);
		pw_record_unref(record);
	}
	world_done(&world);
}

/* 1,000 goroutines, 20 of which have large stacks. */
static void the_largest_stacks_are_in_the_record(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 1000, 500);
	for (size_t i = 0; i < 1000; i++) {
		park(&world, i, 0x401000, (uint32_t)i / 2);
		if (i % 50 == 7)
			world.goroutines[i].stack_bytes = PW_LARGE_STACK_BYTES << i / 250;
		world.goroutines[i].depth = (uint32_t)world.goroutines[i].stack_bytes - 100;
	}
	world.goroutines[957].running = true;
	for (int i = 0; i < 40; i++) /* so that none grows */
		sum_up(&world);
	record = write_record(&world);
	assert_int_equal(record->snapshot.stack_p99_bytes, PW_LARGE_STACK_BYTES * 2); /* 10 have more */
	assert_int_equal(record->snapshot.large_count, PW_RECORD_LARGE_STACKS_MAX);
	for (uint32_t i = 0; i < record->snapshot.large_count; i++) {
		const struct pw_record_large_stack *large = &record->snapshot.large[i];
		uint64_t index = i < 5 ? 757 + 50 * i : 507 + 50 * (i - 5);

		assert_int_equal(large->goid, 10 + index);
		assert_int_equal(large->bytes, PW_LARGE_STACK_BYTES << index / 250);
		assert_true(large->used_bytes == (index == 957 ? PW_UNKNOWN : large->bytes - 100));
		assert_int_not_equal(record->snapshot.parks[large->park].stack, UINT32_MAX);
	}
	pw_record_unref(record);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_one_group_with_the_oldest_and_what_it_waits_on),
		cmocka_unit_test(running_ones_have_neither_stack_nor_age),
		cmocka_unit_test(small_groups_are_summed_up_and_a_growing_one_keeps_its_stack),
		cmocka_unit_test(more_different_stacks_than_are_kept_are_still_counted),
		cmocka_unit_test(a_lock_is_told_with_its_state_and_its_owner),
		cmocka_unit_test(objects_keep_their_numbers_from_one_snapshot_to_the_next),
		cmocka_unit_test(a_lock_is_still_until_one_of_its_waiters_has_run_or_left),
		cmocka_unit_test(the_stacks_of_locks_are_in_the_record_and_say_who_holds_them),
		cmocka_unit_test(the_stack_of_a_finalizer_is_in_the_record),
		cmocka_unit_test(the_largest_stacks_are_in_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
