/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* What goroutines wait on, in memory that lies: Conds, timers, semaphores and those who hold them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "model/record.h"
#include "reader/reader.h"
#include "support/fake_world.h"

#define NOW	  (1000 * PW_NS_PER_SEC)
#define COND	  (FAKE_OBJECTS + 0x100) /* sync.Cond; its notifyList is behind the Locker */
#define LIST	  (COND + 16)
#define SUDOGS	  (FAKE_OBJECTS + 0x1000)
#define TIMERS	  (FAKE_OBJECTS + 0x4000)
#define HEAP	  (FAKE_OBJECTS + 0x8000)
#define MUTEX	  (FAKE_OBJECTS + 0x200)
#define SEMTABLE  (FAKE_OBJECTS + 0x10000)
#define ROOT_SIZE 64

static struct pw_reader *reader;

/* --- Cond -------------------------------------------------------------------------------------------------------- */

static uint64_t sudog_at(size_t i)
{
	return SUDOGS + i * 0x80;
}

/* The first n goroutines wait in one Cond, whose address is in the fourth word of their stacks. */
static struct fake_world new_cond(size_t n)
{
	struct fake_world world = fake_world_new(22, reader);

	for (size_t i = 0; i < n; i++) {
		fake_go_set(world.go, i, PW_FIELD_G_WAITREASON, FAKE_COND, 1);
		fake_mem_put(&world.go->mem, fake_world_sp(i) + 16, COND, 8);
		fake_world_put(&world, sudog_at(i), PW_FIELD_SUDOG_G, fake_go_g(world.go, i));
		fake_world_put(&world, sudog_at(i), PW_FIELD_SUDOG_NEXT, i + 1 < n ? sudog_at(i + 1) : 0);
	}
	fake_mem_put(&world.go->mem, LIST, 7 + n, 4); /* tickets: seven were called before */
	fake_mem_put(&world.go->mem, LIST + 4, 7, 4);
	fake_mem_put(&world.go->mem, LIST + 16, sudog_at(0), 8);
	fake_mem_put(&world.go->mem, LIST + 24, sudog_at(n - 1), 8);
	return world;
}

static void expect_cond(struct fake_world *world, size_t first, size_t end, bool known)
{
	const struct pw_snapshot_result *result = fake_world_look(world);

	for (size_t i = first; i < end; i++) {
		const struct pw_wait *wait = &result->goroutines[i].wait;

		assert_int_equal(wait->kind, PW_WAIT_SEMAPHORE);
		assert_int_equal(wait->known, known);
		assert_true(!known || wait->object == LIST);
	}
}

static void a_cond_is_found_by_a_word_of_the_stack_and_kept_for_the_next_look(void **state)
{
	struct fake_world world = new_cond(5);

	(void)state;
	expect_cond(&world, 0, 5, true);
	assert_int_equal(fake_world_look(&world)->goroutines[2].wait.receivers, 5);
	for (size_t i = 0; i < 5; i++) /* their stacks are not read again: the list is remembered */
		fake_mem_put(&world.go->mem, fake_world_sp(i) + 16, 0, 8);
	expect_cond(&world, 0, 5, true);
	fake_world_end(&world);
}

static void a_list_that_is_a_cycle_ends(void **state)
{
	struct fake_world world = new_cond(3);

	(void)state;
	fake_world_put(&world, sudog_at(2), PW_FIELD_SUDOG_NEXT, sudog_at(0));
	expect_cond(&world, 0, 3, true);
	fake_world_put(&world, sudog_at(0), PW_FIELD_SUDOG_NEXT, sudog_at(0));
	expect_cond(&world, 0, 1, true);
	expect_cond(&world, 1, 3, false);
	fake_world_end(&world);
}

static void lists_that_lie_are_not_believed(void **state)
{
	struct fake_world world = new_cond(3);

	(void)state;
	fake_world_put(&world, sudog_at(1), PW_FIELD_SUDOG_G, fake_go_g(world.go, 50)); /* somebody else's */
	expect_cond(&world, 1, 2, false);
	fake_world_put(&world, sudog_at(1), PW_FIELD_SUDOG_C, FAKE_OBJECTS); /* the queue of a channel */
	expect_cond(&world, 0, 1, true);
	expect_cond(&world, 1, 3, false);
	fake_mem_put(&world.go->mem, LIST + 16, 0x7fffdead0000, 8); /* nothing there */
	expect_cond(&world, 0, 3, false);
	fake_mem_put(&world.go->mem, LIST + 16, sudog_at(0) + 1, 8);
	expect_cond(&world, 0, 3, false);
	fake_world_end(&world);
}

static void a_list_whose_tickets_do_not_fit_is_none(void **state)
{
	static const uint32_t wait[] = {7, 6, 0x80000000};

	(void)state;
	for (size_t i = 0; i < sizeof(wait) / sizeof(wait[0]); i++) {
		struct fake_world world = new_cond(3);

		fake_mem_put(&world.go->mem, LIST, wait[i], 4);
		expect_cond(&world, 0, 3, false);
		fake_world_end(&world);
	}
}

/* --- timers ------------------------------------------------------------------------------------------------------ */

static uint64_t timer_at(size_t i)
{
	return TIMERS + i * 0x80;
}

static void put_timer(struct fake_world *world, size_t i, uint64_t wakes, uint64_t when, uint64_t period,
		      uint32_t state)
{
	bool flags = world->go->build.facts.layout.go_minor >= 23;
	int32_t state_at = world->go->build.facts.layout.offset[PW_FIELD_TIMER_STATE];

	fake_world_put(world, timer_at(i), PW_FIELD_TIMER_WHEN, when);
	fake_world_put(world, timer_at(i), PW_FIELD_TIMER_PERIOD, period);
	fake_mem_put(&world->go->mem,
		     timer_at(i) + (uint64_t)world->go->build.facts.layout.offset[PW_FIELD_TIMER_ARG] + 8, wakes, 8);
	fake_mem_put(&world->go->mem, timer_at(i) + (uint64_t)state_at, state, flags ? 1 : 4);
	fake_mem_put(&world->go->mem, HEAP + i * (flags ? 16 : 8), timer_at(i), 8);
}

static void put_heap(struct fake_world *world, uint64_t addr, uint64_t length)
{
	const int32_t *offset = world->go->build.facts.layout.offset;
	uint64_t p = FAKE_GO_PS + 0x1000 + (uint64_t)offset[PW_FIELD_P_TIMERS];

	if (world->go->build.facts.layout.go_minor >= 23)
		p += (uint64_t)offset[PW_FIELD_TIMERS_HEAP];
	fake_mem_put(&world->go->mem, p, addr, 8);
	fake_mem_put(&world->go->mem, p + 8, length, 8);
}

/* Sleepers 0 to 3: a timer that fires; one that was stopped; one that never was; one of the past. */
static void check_sleepers(int go_minor, uint32_t fires, uint32_t stopped)
{
	struct fake_world world = fake_world_new(go_minor, reader);
	const struct pw_snapshot_result *result;

	for (size_t i = 0; i < 4; i++)
		fake_go_set(world.go, i, PW_FIELD_G_WAITREASON, FAKE_SLEEP, 1);
	put_timer(&world, 0, fake_go_g(world.go, 0), NOW, 0, fires);
	put_timer(&world, 1, fake_go_g(world.go, 1), NOW, 0, stopped);
	put_timer(&world, 2, 0x10, NOW, 0, fires);
	put_timer(&world, 3, fake_go_g(world.go, 3), 1ULL << 63, 1ULL << 63, fires);
	put_heap(&world, HEAP, 4);
	result = fake_world_look(&world);
	assert_int_equal(result->goroutines[0].wait.kind, PW_WAIT_TIMER);
	assert_true(result->goroutines[0].wait.known);
	assert_int_equal(result->goroutines[0].wait.deadline_ns, NOW);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(result->goroutines[i].wait.kind, PW_WAIT_TIMER);
		assert_false(result->goroutines[i].wait.known);
	}
	fake_world_end(&world);
}

static void a_sleeper_wakes_by_a_timer_that_is_its_own_and_runs(void **state)
{
	(void)state;
	check_sleepers(22, 1, 3);
	check_sleepers(24, 1, 1 | 4);
}

static void the_timer_of_a_channel_is_a_deadline_with_a_period(void **state)
{
	struct fake_world world = fake_world_new(24, reader);
	const uint64_t channel = FAKE_OBJECTS + 0x600, sudog = sudog_at(0);
	const struct pw_snapshot_result *result;

	(void)state;
	fake_go_set(world.go, 0, PW_FIELD_G_WAITING, sudog, 8);
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_G, fake_go_g(world.go, 0));
	fake_world_put(&world, sudog, PW_FIELD_SUDOG_C, channel);
	fake_world_put(&world, channel, PW_FIELD_HCHAN_RECVQ_FIRST, sudog);
	put_timer(&world, 0, channel, NOW, 5, 1);
	put_heap(&world, HEAP, 1);
	result = fake_world_look(&world);
	assert_true(result->goroutines[0].wait.known);
	assert_int_equal(result->goroutines[0].wait.deadline_ns, NOW);
	assert_int_equal(result->goroutines[0].wait.period_ns, 5);
	assert_true(result->goroutines[1].wait.deadline_ns < 0);
	fake_world_end(&world);
}

static void heaps_of_2_to_the_60_timers_and_wild_ones_end(void **state)
{
	static const uint64_t addrs[] = {HEAP, 0x7fffdead0000, HEAP + 1, FAKE_OBJECTS + 0x1fff8, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		struct fake_world world = fake_world_new(24, reader);
		const struct pw_snapshot_result *result;

		fake_go_set(world.go, 0, PW_FIELD_G_WAITREASON, FAKE_SLEEP, 1);
		put_heap(&world, addrs[i], 1ULL << 60);
		result = fake_world_look(&world);
		assert_int_equal(result->count, FAKE_COUNT);
		assert_false(result->goroutines[0].wait.known);
		fake_world_end(&world);
	}
}

/* --- semaphores and who holds them ------------------------------------------------------------------------------- */

/* Goroutine i waits for the mutex, by a treap of one in the semaphore table. */
static void wait_for_mutex(struct fake_world *world, size_t i, uint64_t mutex)
{
	uint64_t root = SEMTABLE + i * ROOT_SIZE + 8;

	world->go->build.facts.globals.addr[PW_GLOBAL_SEMTABLE] = SEMTABLE;
	fake_go_set(world->go, i, PW_FIELD_G_WAITREASON, FAKE_LOCK, 1);
	fake_world_put(world, sudog_at(i), PW_FIELD_SUDOG_G, fake_go_g(world->go, i));
	fake_world_put(world, sudog_at(i), PW_FIELD_SUDOG_ELEM, mutex + 4);
	fake_mem_put(&world->go->mem, root, sudog_at(i), 8);
	if (fake_mem_at(&world->go->mem, mutex, 4))
		fake_mem_put(&world->go->mem, mutex, 1, 4);
}

/* The stack of goroutine i has that word. */
static void put_word(struct fake_world *world, size_t i, uint64_t word)
{
	fake_mem_put(&world->go->mem, fake_world_sp(i) + 40, word, 8);
}

static uint64_t owner_of(struct fake_world *world, size_t i)
{
	const struct pw_wait *wait = &fake_world_look(world)->goroutines[i].wait;

	assert_int_equal(wait->kind, PW_WAIT_SEMAPHORE);
	assert_true(wait->known);
	return wait->owner_goid;
}

static void a_lock_is_held_by_the_only_one_that_has_its_address(void **state)
{
	struct fake_world world = fake_world_new(24, reader);

	(void)state;
	wait_for_mutex(&world, 3, MUTEX);
	wait_for_mutex(&world, 4, MUTEX);
	put_word(&world, 3, MUTEX); /* waiters have it, too */
	assert_int_equal(owner_of(&world, 3), 0);
	put_word(&world, 7, MUTEX);
	assert_int_equal(owner_of(&world, 3), 8);
	assert_int_equal(fake_world_look(&world)->goroutines[3].wait.owner_at, 4);
	assert_int_equal(owner_of(&world, 4), 8);
	put_word(&world, 9, MUTEX); /* two: who is it? */
	assert_int_equal(owner_of(&world, 3), 0);
	put_word(&world, 9, 0);
	assert_int_equal(owner_of(&world, 3), 8);
	fake_go_set(world.go, 7, PW_FIELD_G_WAITREASON, FAKE_COND, 1); /* Cond.Wait has unlocked it */
	assert_int_equal(owner_of(&world, 3), 0);
	fake_world_end(&world);
}

static void a_lock_whose_waiters_move_on_has_no_owner(void **state)
{
	struct fake_world world = fake_world_new(24, reader);

	(void)state;
	wait_for_mutex(&world, 3, MUTEX);
	put_word(&world, 7, MUTEX);
	assert_int_equal(owner_of(&world, 3), 8);
	fake_go_set(world.go, 3, PW_FIELD_G_TRACKINGSEQ, 1, 1);
	assert_int_equal(owner_of(&world, 3), 0);
	assert_int_equal(owner_of(&world, 3), 8);
	fake_world_end(&world);
}

static void the_words_of_an_rwmutex_and_of_a_mutex_are_not_mixed_up(void **state)
{
	struct fake_world world = fake_world_new(24, reader);

	(void)state;
	wait_for_mutex(&world, 3, MUTEX);
	put_word(&world, 7, MUTEX - 4); /* what would be an RWMutex of which that is the semaphore of writers */
	put_word(&world, 8, MUTEX - 8);
	assert_int_equal(owner_of(&world, 3), 0);
	fake_world_end(&world);
}

static void what_stands_around_a_semaphore_is_read_where_it_can_be(void **state)
{
	struct fake_world world = fake_world_new(24, reader);
	const struct pw_wait *wait;

	(void)state;
	wait_for_mutex(&world, 3, MUTEX);
	wait_for_mutex(&world, 4, 0x7fffdead0000);
	wait_for_mutex(&world, 5, FAKE_OBJECTS + 0x1fff0); /* its end is not there */
	wait_for_mutex(&world, 6, 0);			   /* nor does it have a beginning */
	fake_mem_put(&world.go->mem, MUTEX, 0xffffffff, 4);
	wait = &fake_world_look(&world)->goroutines[3].wait;
	assert_true(wait->around_known);
	assert_memory_equal(&wait->around[PW_WAIT_AROUND - 4], "\xff\xff\xff\xff\0\0\0\0", 8);
	for (size_t i = 4; i < 7; i++)
		assert_false(fake_world_look(&world)->goroutines[i].wait.around_known);
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
		cmocka_unit_test(a_cond_is_found_by_a_word_of_the_stack_and_kept_for_the_next_look),
		cmocka_unit_test(a_list_that_is_a_cycle_ends),
		cmocka_unit_test(lists_that_lie_are_not_believed),
		cmocka_unit_test(a_list_whose_tickets_do_not_fit_is_none),
		cmocka_unit_test(a_sleeper_wakes_by_a_timer_that_is_its_own_and_runs),
		cmocka_unit_test(the_timer_of_a_channel_is_a_deadline_with_a_period),
		cmocka_unit_test(heaps_of_2_to_the_60_timers_and_wild_ones_end),
		cmocka_unit_test(a_lock_is_held_by_the_only_one_that_has_its_address),
		cmocka_unit_test(a_lock_whose_waiters_move_on_has_no_owner),
		cmocka_unit_test(the_words_of_an_rwmutex_and_of_a_mutex_are_not_mixed_up),
		cmocka_unit_test(what_stands_around_a_semaphore_is_read_where_it_can_be),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
