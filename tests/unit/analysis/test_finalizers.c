/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* A program with finalizers, looked at every 10 s and counted every second, under the rules as they are shipped. */
#define EPOCH (100000 * PW_NS_PER_SEC)
#define WALL  (1700000000 * PW_NS_PER_SEC)
#define STEP  10

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[16];
	size_t count;
	/* What the next record says. */
	const char *reason, *outermost;
	uint32_t since; /* seconds, that it has been so */
	uint64_t waiting, cycle, queued, executed;
	bool cleanups, locked, stopped;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (!strcmp(alert->rule, "PW-F01") && world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	assert_non_null(world);
	world->reason = "chan receive";
	world->outermost = "runtime.runfinq";
	world->queued = world->executed = PW_UNKNOWN;
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

static void put_park(struct world *world, struct pw_record *draft)
{
	const char *functions[] = {"runtime.gopark", "main.get", "main.close", world->outermost};
	struct pw_record_statement *statement = pw_record_builder_statement(world->builder, NULL);
	struct pw_record_park *park = pw_record_builder_park(world->builder, NULL);
	uint32_t first = 0;

	statement->gopc = 0x401000;
	statement->function = pw_record_builder_string(world->builder, "runtime.createfing");
	statement->system = true;
	park->status = PW_GOROUTINE_WAITING;
	park->reason = pw_record_builder_string(world->builder, world->reason);
	park->count = 1;
	park->oldest_since_ns = at(world->since);
	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(world->builder, &first);

		frame->function = pw_record_builder_string(world->builder, functions[i]);
		frame->file = pw_record_builder_string(world->builder, "/src/file.go");
		frame->line = 10 + i;
		frame->addr = 0x500000 + i;
	}
	*pw_record_builder_stack(world->builder, &park->stack) = (struct pw_record_stack){0, ARRAY_SIZE(functions)};
	if (!world->locked)
		return;
	*pw_record_builder_lock(world->builder, NULL) = (struct pw_record_lock){
		.owner_goid = 18,
		.type = pw_record_builder_string(world->builder, "sync.Mutex"),
		.waiters = 1,
		.locks = 1,
		.all_waiters = 1,
		.still_since_ns = at(world->since),
		.waiting_since_ns = at(world->since),
	};
	draft->snapshot.locks_seen = PW_LOCKS_SEEN;
}

static struct pw_record *record_at(struct world *world, uint32_t second)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;
	struct pw_section section = {.present = true, .taken_ns = at(second)};
	struct pw_runtime_numbers *numbers = &draft->runtime.numbers;

	draft->boot_ns = at(second);
	draft->wall_ns = WALL + second * PW_NS_PER_SEC;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->identity.start_time_ns = EPOCH / 2;
	draft->identity.service = pw_record_builder_string(world->builder, "orders");
	draft->census.section = draft->snapshot.section = draft->runtime.section = draft->kernel.section = section;
	draft->snapshot.section.taken_ns = at(second / STEP * STEP);
	draft->snapshot.interval_ns = STEP * PW_NS_PER_SEC;
	draft->snapshot.total = 10;
	draft->kernel.stopped = world->stopped;
	pw_runtime_numbers_init(numbers);
	numbers->gc_cycles = world->cycle;
	numbers->finalizers_waiting = world->waiting;
	*(world->cleanups ? &numbers->cleanups_queued : &numbers->finalizers_queued) = world->queued;
	*(world->cleanups ? &numbers->cleanups_executed : &numbers->finalizers_executed) = world->executed;
	if (world->reason)
		put_park(world, draft);
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	return record;
}

/* A record each second from begin to end; the second of the first thing told, or end. */
static uint32_t watch(struct world *world, uint32_t begin, uint32_t end)
{
	size_t before = world->count;

	for (uint32_t second = begin; second < end; second++) {
		struct pw_record *record = record_at(world, second);

		assert_int_equal(pw_analysis_step(world->analysis, record), 0);
		pw_record_unref(record);
		if (world->count > before)
			return second;
	}
	return end;
}

static void a_finalizer_that_stands_still_is_told_at_once_and_louder_the_longer_it_does(void **state)
{
	struct world *world = world_new();
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	world->waiting = 1200;
	assert_int_equal(watch(world, 0, 100), 10);
	assert_int_equal(alert->level, PW_LEVEL_INFO);
	assert_string_equal(alert->unit, "finalizers");
	assert_true(alert->value > 1199);
	assert_string_equal(alert->finalizer.function, "main.close");
	print_message("%s\n", alert->text);
	assert_string_equal(alert->text,
			    "the finalizer main.close (file.go:12) has been in chan receive for 10s: no other "
			    "runs, 1,200 wait");
	assert_int_equal(watch(world, 11, 100), 60);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_int_equal(watch(world, 61, 1000), 600);
	assert_int_equal(world->seen[2].level, PW_LEVEL_CRITICAL);
	world->reason = "finalizer wait";
	assert_int_equal(watch(world, 601, 1000), 610);
	assert_int_equal(world->seen[3].state, PW_ALERT_RESOLVED);
	print_message("%s\n", world->seen[3].text);
	world_free(world);
}

static void slow_ones_that_end_are_silent(void **state)
{
	struct world *world = world_new();

	(void)state;
	for (uint32_t second = 0; second < 3600; second++) {
		world->since = second / STEP * STEP - (second >= STEP ? 5 : 0); /* each takes some seconds */
		world->waiting = second % 7 * 300;
		world->cycle = second / 2;
		assert_int_equal(watch(world, second, second + 1), second + 1);
	}
	world_free(world);
}

static void one_that_waits_for_a_lock_names_who_seems_to_hold_it(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->reason = "sync.Mutex.Lock";
	world->locked = true;
	assert_int_equal(watch(world, 0, 100), 10);
	assert_int_equal(world->seen[0].holder.goid, 18);
	assert_string_equal(world->seen[0].waiting_on.type, "sync.Mutex");
	assert_non_null(strstr(world->seen[0].text, "Goroutine 18 seems to hold it"));
	world_free(world);
}

static void cleanups_have_a_queue_of_their_own(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->outermost = "runtime.runCleanups";
	world->cleanups = true;
	world->queued = 500;
	world->executed = 100;
	assert_int_equal(watch(world, 0, 100), 10);
	assert_string_equal(world->seen[0].unit, "cleanups");
	assert_true(world->seen[0].value > 399 && world->seen[0].value < 401);
	world->reason = "cleanup wait";
	assert_int_equal(watch(world, 11, 100), 20);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

/* They run, but not as fast as they are queued. */
static void a_queue_that_grows_from_cycle_to_cycle_is_a_warning(void **state)
{
	struct world *world = world_new();
	uint32_t second, told = 0;

	(void)state;
	world->reason = NULL;
	world->executed = 0;
	world->queued = 0;
	for (second = 0; second < 600 && !told; second++) {
		world->cycle = 5 + second / 5;
		world->queued = 1000 + second * 50;
		world->executed = second * 10;
		told = watch(world, second, second + 1) == second ? second : 0;
	}
	assert_true(told >= 20 && told <= 40);
	assert_int_equal(world->seen[0].level, PW_LEVEL_WARNING);
	assert_non_null(strstr(world->seen[0].text, "finalizers wait, and more with each GC"));
	print_message("after %u s: %s\n", told, world->seen[0].text);
	world->executed = world->queued;
	world->cycle += 2;
	(void)watch(world, second, second + 20);
	world->cycle += 2;
	(void)watch(world, second + 20, second + 40);
	assert_int_equal(world->seen[world->count - 1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

/* As many as ever are queued with each GC, and run until the next one. */
static void a_queue_that_drains_between_cycles_is_silent(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->reason = NULL;
	for (uint32_t second = 0; second < 3600; second++) {
		world->cycle = 5 + second / 5;
		world->waiting = second % 5 == 0 ? 5000 + second * 10 : 3;
		assert_int_equal(watch(world, second, second + 1), second + 1);
	}
	/* A stock of them that stays, and does not grow, is none of this rule's. */
	for (uint32_t second = 3600; second < 4000; second++) {
		world->cycle = 5 + second / 5;
		world->waiting = 100000;
		assert_int_equal(watch(world, second, second + 1), second + 1);
	}
	world_free(world);
}

static void a_stopped_process_is_not_judged(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->stopped = true;
	assert_int_equal(watch(world, 0, 300), 300);
	world->stopped = false;
	assert_int_equal(watch(world, 300, 400), 310);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finalizer_that_stands_still_is_told_at_once_and_louder_the_longer_it_does),
		cmocka_unit_test(slow_ones_that_end_are_silent),
		cmocka_unit_test(one_that_waits_for_a_lock_names_who_seems_to_hold_it),
		cmocka_unit_test(cleanups_have_a_queue_of_their_own),
		cmocka_unit_test(a_queue_that_grows_from_cycle_to_cycle_is_a_warning),
		cmocka_unit_test(a_queue_that_drains_between_cycles_is_silent),
		cmocka_unit_test(a_stopped_process_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
