/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/detector.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* A program with one lock, looked at every 10 s, under the rules as they are shipped. */
#define EPOCH (100000 * PW_NS_PER_SEC)
#define WALL  (1700000000 * PW_NS_PER_SEC)
#define STEP  10

struct lock {
	uint64_t object, waiters;
	uint32_t still, waiting; /* seconds, since when */
	uint64_t owner;
	uint32_t circle;
};

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[16];
	size_t count;
	/* What the next record says. */
	struct lock locks[2];
	size_t lock_count;
	uint64_t goroutines;
	const char *reason, *outermost;
	uint8_t locks_seen;
	bool stopped, frozen;
	uint64_t throttled_ns, cpu_ns;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (!strcmp(alert->rule, "PW-G04") && world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	assert_non_null(world);
	world->goroutines = 1000;
	world->reason = "sync.Mutex.Lock";
	world->locks_seen = PW_LOCKS_SEEN;
	world->throttled_ns = PW_UNKNOWN;
	world->locks[0] = (struct lock){.object = 1, .waiters = 3};
	world->lock_count = 1;
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, &rules, on_transition, world), 0);
	return world;
}

static void world_free(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_record_builder_free(world->builder);
	free(world);
}

static uint64_t at(uint32_t second)
{
	return EPOCH + second * PW_NS_PER_SEC;
}

/* Goroutines of go statement `index` are parked on a stack of its own. */
static void put_park(struct world *world, struct pw_record_builder *builder, uint32_t index, const struct lock *lock)
{
	const char *functions[] = {"sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow", "main.get", "main.serve"};
	struct pw_record_park *park = pw_record_builder_park(builder, NULL);
	uint32_t first = 0;

	if (world->outermost)
		functions[3] = world->outermost;
	park->statement = index;
	park->status = PW_GOROUTINE_WAITING;
	park->reason = pw_record_builder_string(builder, world->reason);
	park->count = lock->waiters;
	park->oldest_since_ns = at(lock->waiting);
	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(builder, &first);

		frame->function = pw_record_builder_string(builder, functions[i]);
		frame->file = pw_record_builder_string(builder, "/src/store.go");
		frame->line = 10 + i;
		frame->addr = 0x500000 + 16 * index + i;
	}
	*pw_record_builder_stack(builder, &park->stack) =
		(struct pw_record_stack){first + 1 - (uint32_t)ARRAY_SIZE(functions), ARRAY_SIZE(functions)};
}

static void put_lock(struct world *world, uint32_t index)
{
	const struct lock *from = &world->locks[index];
	struct pw_record_lock *lock = pw_record_builder_lock(world->builder, NULL);

	lock->park = index;
	lock->owner_park = from->owner ? index : UINT32_MAX;
	lock->owner_goid = from->owner;
	lock->owner_since_ns = at(from->waiting);
	lock->type = pw_record_builder_string(world->builder, "sync.Mutex");
	lock->object = from->object;
	lock->waiters = lock->all_waiters = from->waiters;
	lock->locks = 1;
	lock->still_since_ns = at(from->still);
	lock->waiting_since_ns = at(from->waiting);
	lock->circle_count = from->circle;
	for (uint32_t i = 0; i < from->circle && i < PW_LOCK_CIRCLE_MAX; i++)
		lock->circle[i] = 18 + (index + i) % from->circle;
}

static struct pw_record *record_at(struct world *world, uint32_t second)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;
	struct pw_section section = {.present = true, .taken_ns = at(second)};

	draft->boot_ns = at(second);
	draft->wall_ns = WALL + second * PW_NS_PER_SEC;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->identity.start_time_ns = EPOCH / 2;
	draft->identity.service = pw_record_builder_string(world->builder, "orders");
	draft->census.section = draft->snapshot.section = draft->kernel.section = section;
	draft->census.system = 5;
	draft->snapshot.total = world->goroutines + 5;
	draft->snapshot.interval_ns = STEP * PW_NS_PER_SEC;
	draft->snapshot.locks_seen = world->locks_seen;
	draft->kernel.stopped = world->stopped;
	draft->kernel.frozen = world->frozen;
	draft->kernel.throttled_ns = world->throttled_ns;
	draft->kernel.cpu_ns = world->cpu_ns;
	for (uint32_t i = 0; i < world->lock_count; i++) {
		struct pw_record_statement *statement = pw_record_builder_statement(world->builder, NULL);

		statement->gopc = 0x401000 + i;
		statement->function = pw_record_builder_string(world->builder, "main.main");
		statement->file = pw_record_builder_string(world->builder, "/src/main.go");
		statement->line = 42 + i;
		put_park(world, world->builder, i, &world->locks[i]);
		put_lock(world, i);
	}
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	return record;
}

static void look(struct world *world, uint32_t second)
{
	struct pw_record *record = record_at(world, second);

	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* Looks from begin to end; the second of the first thing told, or end. */
static uint32_t watch(struct world *world, uint32_t begin, uint32_t end)
{
	size_t before = world->count;

	for (uint32_t second = begin; second < end; second += STEP) {
		look(world, second);
		if (world->count > before)
			return second;
	}
	return end;
}

static void a_lock_that_nobody_unlocks_is_told_after_a_minute_and_is_a_warning_after_five(void **state)
{
	struct world *world = world_new();
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	world->locks[0].owner = 18;
	assert_int_equal(watch(world, 0, 1000), 60);
	assert_int_equal(alert->level, PW_LEVEL_INFO);
	assert_string_equal(alert->confidence, "suspected");
	assert_int_equal(alert->parked, 3);
	assert_int_equal(alert->still_ns, 60 * PW_NS_PER_SEC);
	assert_string_equal(alert->waiting_on.type, "sync.Mutex");
	assert_int_equal(alert->holder.goid, 18);
	assert_string_equal(alert->holder.at.function, "main.get");
	print_message("%s\n", alert->text);
	assert_non_null(strstr(alert->text,
			       "3 goroutines wait for a sync.Mutex at main.get (store.go:12) that nobody has "
			       "unlocked for 1m"));
	assert_non_null(strstr(alert->text, "Goroutine 18 seems to hold it, itself in sync.Mutex.Lock"));
	assert_int_equal(watch(world, 70, 1000), 300);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_int_equal(watch(world, 310, 2000), 2000);
	world_free(world);
}

static void it_is_resolved_when_somebody_gets_it(void **state)
{
	struct world *world = world_new();

	(void)state;
	assert_int_equal(watch(world, 0, 100), 60);
	world->locks[0].still = 70;
	assert_int_equal(watch(world, 70, 130), 70);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	print_message("%s\n", world->seen[1].text);
	/* What ended by itself is normal from then on: it has to last half as long again. */
	assert_int_equal(watch(world, 80, 1000), 170);
	world->lock_count = 0;
	assert_int_equal(watch(world, 180, 1000), 180);
	assert_int_equal(world->seen[3].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void more_and_more_waiters_are_a_warning_and_half_of_the_program_is_critical(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->locks[0].waiters = 9;
	assert_int_equal(watch(world, 0, 100), 60);
	world->locks[0].waiters = 10;
	assert_int_equal(watch(world, 70, 100), 70);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	world->locks[0].waiters = 500;
	assert_int_equal(watch(world, 80, 200), 80);
	assert_int_equal(world->seen[2].level, PW_LEVEL_CRITICAL);
	world_free(world);
}

static void many_that_are_no_more_than_they_were_are_information(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->locks[0].waiters = 50;
	assert_int_equal(watch(world, 0, 100), 60);
	assert_int_equal(watch(world, 70, 290), 290);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	world_free(world);
}

/* Each gets the lock after 50 s: still for long, and not for ever. */
static void long_critical_sections_are_silent(void **state)
{
	struct world *world = world_new();

	(void)state;
	for (uint32_t second = 0; second < 7200; second += STEP) {
		world->locks[0].still = second / 50 * 50;
		world->locks[0].waiting = world->locks[0].still;
		look(world, second);
	}
	assert_int_equal(world->count, 0);
	/* One that was seen still for 40 s at most has to be so for half as long again. */
	world->locks[0].still = world->locks[0].waiting = 7200;
	assert_int_equal(watch(world, 7200, 8000), 7270);
	world_free(world);
}

static void another_lock_of_the_same_place_is_no_hand_off(void **state)
{
	struct world *world = world_new();

	(void)state;
	for (uint32_t second = 0; second < 3600; second += STEP) {
		world->locks[0].object = 1 + second / 30; /* each is there for 30 s */
		world->locks[0].still = second / 30 * 30;
		look(world, second);
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void a_process_that_cannot_run_is_not_judged(void **state)
{
	enum { STOPPED, FROZEN, THROTTLED, _CASES };

	(void)state;
	for (int which = 0; which < _CASES; which++) {
		struct world *world = world_new();

		world->throttled_ns = 1;
		look(world, 0);
		for (uint32_t second = STEP; second <= 600; second += STEP) {
			world->stopped = which == STOPPED;
			world->frozen = which == FROZEN;
			if (which == THROTTLED)
				world->throttled_ns += 9 * PW_NS_PER_SEC;
			look(world, second);
		}
		assert_int_equal(world->count, 0);
		world->stopped = world->frozen = false;
		assert_int_equal(watch(world, 610, 1000), which == STOPPED ? 670 : 660);
		world_free(world);
	}
}

static void one_that_runs_at_its_quota_is_judged(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->throttled_ns = 1;
	for (uint32_t second = 0; second < 60; second += STEP) {
		world->throttled_ns += 9 * PW_NS_PER_SEC; /* on several CPUs */
		world->cpu_ns += 10 * PW_NS_PER_SEC;
		look(world, second);
	}
	assert_int_equal(watch(world, 60, 100), 60);
	world_free(world);
}

static void an_alert_waits_while_the_process_is_stopped_or_its_locks_are_not_read(void **state)
{
	struct world *world = world_new();

	(void)state;
	assert_int_equal(watch(world, 0, 100), 60);
	world->stopped = true;
	assert_int_equal(watch(world, 70, 200), 200);
	world->stopped = false;
	world->lock_count = 0;
	world->locks_seen = PW_LOCKS_CUT;
	assert_int_equal(watch(world, 200, 300), 300);
	world->locks_seen = PW_LOCKS_SEEN;
	assert_int_equal(watch(world, 300, 400), 300);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

/* We were away, or the machine slept. */
static void a_gap_says_nothing(void **state)
{
	struct world *world = world_new();

	(void)state;
	look(world, 0);
	look(world, 10);
	look(world, 1000);
	assert_int_equal(world->count, 0);
	assert_int_equal(watch(world, 1010, 2000), 1060);
	world_free(world);
}

static void a_circle_is_told_once_and_as_such(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->lock_count = 2;
	world->locks[0] = (struct lock){.object = 5, .waiters = 1, .owner = 19, .circle = 2};
	world->locks[1] = (struct lock){.object = 4, .waiters = 1, .owner = 18, .circle = 2};
	assert_int_equal(watch(world, 0, 100), 60);
	assert_int_equal(watch(world, 70, 200), 200);
	assert_int_equal(world->count, 1);
	print_message("%s\n", world->seen[0].text);
	assert_non_null(strstr(world->seen[0].text, "in a circle: goroutines 19 -> 18 -> 19"));
	assert_non_null(strstr(world->seen[0].hint, "in one order"));
	world_free(world);
}

static void a_finalizer_that_waits_alone_is_another_rule_s(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->outermost = "runtime.runfinq";
	world->locks[0].waiters = 1;
	assert_int_equal(watch(world, 0, 300), 300);
	world->locks[0].waiters = 2;
	assert_true(watch(world, 300, 400) < 400);
	world_free(world);
}

static void it_says_why_it_cannot_judge(void **state)
{
	struct world *world = world_new();
	const struct pw_rule *rule = pw_rule_find("PW-G04");
	char text[PW_OFF_TEXT_SIZE];

	(void)state;
	for (uint8_t seen = 0; seen < _PW_LOCKS_MAX; seen++) {
		struct pw_record *record;
		const char *off;

		world->locks_seen = seen;
		record = record_at(world, 10);
		off = rule->off(record, text, sizeof(text));
		assert_true((off == NULL) == (seen == PW_LOCKS_SEEN));
		pw_record_unref(record);
	}
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_that_nobody_unlocks_is_told_after_a_minute_and_is_a_warning_after_five),
		cmocka_unit_test(it_is_resolved_when_somebody_gets_it),
		cmocka_unit_test(more_and_more_waiters_are_a_warning_and_half_of_the_program_is_critical),
		cmocka_unit_test(many_that_are_no_more_than_they_were_are_information),
		cmocka_unit_test(long_critical_sections_are_silent),
		cmocka_unit_test(another_lock_of_the_same_place_is_no_hand_off),
		cmocka_unit_test(a_process_that_cannot_run_is_not_judged),
		cmocka_unit_test(one_that_runs_at_its_quota_is_judged),
		cmocka_unit_test(an_alert_waits_while_the_process_is_stopped_or_its_locks_are_not_read),
		cmocka_unit_test(a_gap_says_nothing),
		cmocka_unit_test(a_circle_is_told_once_and_as_such),
		cmocka_unit_test(a_finalizer_that_waits_alone_is_another_rule_s),
		cmocka_unit_test(it_says_why_it_cannot_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
