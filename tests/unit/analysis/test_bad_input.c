/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "support/records.h"

/*
 * What no clock and no host promises: wall time that steps, a machine that sleeps, a process that may not run, records
 * that are missing, more go statements than anybody has. All rules judge, with windows shortened to minutes; those of
 * one rule alone (PW-G04, PW-G08) have their own tests beside it.
 */
#define STEP  10
#define EPOCH (5000 * PW_NS_PER_SEC)

struct world {
	struct program program;
	struct program_statement statement;
	struct program_statement *pointers[1];
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[64];
	size_t count;
	uint64_t wall_step_ns; /* added to the wall time of records */
	bool stopped;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	assert_true(world->count < ARRAY_SIZE(world->seen));
	world->seen[world->count++] = *alert;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct pw_rules_config rules;

	assert_non_null(world);
	pw_rules_config_default(&rules);
	rules.g10_age_ns = 30 * PW_NS_PER_SEC;
	rules.g10_bucket_ns = 10 * PW_NS_PER_SEC;
	rules.g10_life_ns = 60 * PW_NS_PER_SEC;
	rules.g10_warmup_ns = 0;
	rules.g10_clear_ns = 120 * PW_NS_PER_SEC;
	rules.h01_bucket_ns = 10 * PW_NS_PER_SEC;
	world->statement = (struct program_statement){.gopc = 0x401000,
						      .function = "main.handle",
						      .file = "/src/server.go",
						      .line = 42,
						      .reason = "chan send",
						      .objects = 100000};
	world->pointers[0] = &world->statement;
	world->program = (struct program){.target_id = 7,
					  .start_ns = EPOCH - 60 * PW_NS_PER_SEC,
					  .epoch_ns = EPOCH,
					  .wall_epoch_ns = 1700000000ULL * PW_NS_PER_SEC,
					  .service = "orders.service",
					  .snapshots = true,
					  .statements = world->pointers,
					  .count = 1};
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

static void look(struct world *world, uint32_t second)
{
	struct pw_record *record;

	world->program.snapshot_second = second;
	record = program_record(&world->program, world->builder, second);
	assert_non_null(record);
	record->wall_ns += world->wall_step_ns;
	record->kernel.section = record->census.section;
	record->kernel.rss_bytes = record->kernel.threads = record->kernel.open_files = PW_UNKNOWN;
	record->kernel.cpu_ns = record->kernel.throttled_ns = PW_UNKNOWN;
	record->kernel.stopped = world->stopped;
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* rate a second start and live life seconds, leak more a second never end; looked at each STEP. Until one transition
 * more is told, or to the end: the second at which that was. */
static uint32_t serve(struct world *world, uint32_t begin, uint32_t end, uint32_t rate, uint32_t life, uint32_t leak)
{
	size_t before = world->count;

	for (uint32_t second = begin; second < end; second++) {
		program_spawn(&world->statement, second, rate + leak);
		if (second >= life && world->statement.born[second - life] >= rate) {
			world->statement.born[second - life] -= rate;
			world->statement.exited += rate;
		}
		if (second % STEP)
			continue;
		look(world, second);
		if (world->count > before)
			return second;
	}
	return end;
}

/* --- clocks ------------------------------------------------------------------------------------------------------ */

static void a_wall_clock_that_steps_a_day_to_and_fro_changes_nothing_but_times_shown(void **state)
{
	struct world *steady = world_new(), *stepped = world_new();
	uint32_t at = serve(steady, 0, 1200, 3, 5, 1), second = 0;

	(void)state;
	assert_true(at < 1200);
	for (; second < 1200 && !stepped->count; second++) {
		stepped->wall_step_ns = second % 20 < 10 ? 86400 * PW_NS_PER_SEC : -(86400 * PW_NS_PER_SEC);
		serve(stepped, second, second + 1, 3, 5, 1);
	}
	assert_int_equal(second - 1, at);
	assert_string_equal(stepped->seen[0].rule, steady->seen[0].rule);
	assert_string_equal(stepped->seen[0].id, steady->seen[0].id);
	assert_int_equal(stepped->seen[0].parked, steady->seen[0].parked);
	assert_true(stepped->seen[0].growth_per_hour == steady->seen[0].growth_per_hour);
	world_free(steady);
	world_free(stepped);
}

/* A server with hundreds in flight that sleeps for an hour again and again: what was in flight has grown old at once,
 * and ends. */
static void a_machine_that_sleeps_makes_no_leak(void **state)
{
	struct world *world = world_new();
	uint32_t second = 0;

	(void)state;
	for (unsigned int night = 0; night < 4; night++) {
		uint32_t awake = second;

		assert_int_equal(serve(world, second, second + 600, 20, 20, 0), second + 600);
		second += 600 + 3600; /* CLOCK_BOOTTIME runs on */
		/* those of before end in their 20 s */
		for (uint32_t i = 0; i < 20; i++) {
			look(world, second);
			program_end_oldest(&world->statement, 20);
			second++;
		}
		assert_int_equal(program_live(&world->statement), 0);
		assert_true(second > awake);
		second -= second % STEP;
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* And a leak that goes on beside it is still found, later. */
static void a_leak_is_found_all_the_same_between_two_sleeps(void **state)
{
	struct world *world = world_new();
	uint32_t second = 0;

	(void)state;
	for (unsigned int night = 0; night < 3 && !world->count; night++) {
		(void)serve(world, second, second + 900, 0, 5, 1);
		second += 900 + 3600;
	}
	assert_true(world->count >= 1);
	assert_string_equal(world->seen[0].rule, "PW-G01");
	world_free(world);
}

/* --- a process that may not run ---------------------------------------------------------------------------------- */

static void a_stopped_process_makes_no_leak_of_what_was_in_flight(void **state)
{
	struct world *world = world_new();
	uint32_t second;

	(void)state;
	assert_int_equal(serve(world, 0, 600, 20, 20, 0), 600);
	world->stopped = true; /* 400 in flight: they grow old and none ends; no GC, no run */
	for (second = 600; second < 600 + 3600; second += STEP)
		look(world, second);
	assert_int_equal(world->count, 0);
	world->stopped = false;
	program_end_oldest(&world->statement, program_live(&world->statement));
	assert_int_equal(serve(world, second, second + 600, 20, 20, 0), second + 600);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void an_alert_is_not_resolved_by_stopping_the_process(void **state)
{
	struct world *world = world_new();
	uint32_t second = serve(world, 0, 1200, 0, 5, 1);

	(void)state;
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].state, PW_ALERT_FIRING);
	world->stopped = true; /* no new ones come for an hour */
	for (second += STEP - second % STEP; second < 5000; second += STEP)
		look(world, second);
	for (size_t i = 1; i < world->count; i++)
		assert_int_not_equal(world->seen[i].state, PW_ALERT_RESOLVED);
	world->stopped = false; /* goes on, mended: now it is over */
	program_end_oldest(&world->statement, program_live(&world->statement));
	for (uint32_t end = second + 2400; second < end; second += STEP)
		look(world, second);
	assert_int_equal(world->seen[world->count - 1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

/* A quota lets it run a twentieth of the time: what took 2 s takes 40 s, twenty times as many are in flight, and no
 * more than that. */
static void a_throttled_process_that_only_got_slow_is_no_leak(void **state)
{
	struct world *world = world_new();
	uint32_t second = 0;

	(void)state;
	assert_int_equal(serve(world, 0, 1200, 10, 2, 0), 1200);
	for (second = 1200; second < 1238; second++) { /* nobody ends at first */
		program_spawn(&world->statement, second, 10);
		if (second % STEP == 0)
			look(world, second);
	}
	serve(world, second, second + 2400, 10, 40, 0);
	for (size_t i = 0; i < world->count; i++) /* a pile-up it may be called, for a while, and not a leak */
		assert_string_equal(world->seen[i].rule, "PW-G08");
	world_free(world);
}

/* --- records ----------------------------------------------------------------------------------------------------- */

/* Five minutes of records are missing, again and again: silent for who is well, found for who is not. */
static void holes_in_the_records_neither_alarm_nor_blind(void **state)
{
	struct world *healthy = world_new(), *leaky = world_new();

	(void)state;
	for (uint32_t second = 0; second < 7200; second++) {
		bool seen = second % 900 < 600 && second % STEP == 0;

		program_spawn(&healthy->statement, second, 20);
		if (second >= 5)
			program_end_oldest(&healthy->statement, 20);
		program_spawn(&leaky->statement, second, 1);
		if (!seen)
			continue;
		look(healthy, second);
		if (!leaky->count)
			look(leaky, second);
	}
	assert_int_equal(healthy->count, 0);
	assert_int_equal(leaky->count, 1);
	assert_string_equal(leaky->seen[0].rule, "PW-G01");
	world_free(healthy);
	world_free(leaky);
}

static void records_that_come_twice_or_from_the_past_are_survived(void **state)
{
	struct world *world = world_new();
	uint32_t second;

	(void)state;
	for (second = 0; second < 600; second++) {
		program_spawn(&world->statement, second, 20);
		if (second >= 5)
			program_end_oldest(&world->statement, 20);
		if (second % STEP)
			continue;
		look(world, second);
		look(world, second);
		if (second >= 300)
			look(world, second - 300);
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* 10,000 go statements with goroutines, one of which leaks: memory is bounded, what has no room is counted, and the
 * largest is seen. */
static void of_ten_thousand_go_statements_the_rest_is_counted(void **state)
{
	enum { SITES = 4000 }; /* of one record; three such sets of other statements follow each other */
	static struct program_statement statements[SITES];
	static struct program_statement *pointers[SITES];
	struct world *world = world_new();
	struct pw_analysis_stats stats;

	(void)state;
	for (uint32_t i = 0; i < SITES; i++) {
		statements[i] = (struct program_statement){.gopc = 0x500000 + i * 16, .reason = "select"};
		pointers[i] = &statements[i];
		program_spawn(&statements[i], 0, 1);
	}
	world->program.statements = pointers;
	world->program.count = SITES;
	for (uint32_t second = 0; second < 300; second += STEP) {
		for (uint32_t i = 0; second % 100 == 0 && i < SITES; i++)
			statements[i].gopc += 0x100000;
		look(world, second);
	}
	pw_analysis_stats(world->analysis, &stats);
	print_message("%zu tracked, %zu dropped\n", (size_t)stats.sites_tracked, (size_t)stats.sites_dropped);
	assert_true(stats.sites_tracked <= 1000);
	assert_true(stats.sites_dropped > 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wall_clock_that_steps_a_day_to_and_fro_changes_nothing_but_times_shown),
		cmocka_unit_test(a_machine_that_sleeps_makes_no_leak),
		cmocka_unit_test(a_leak_is_found_all_the_same_between_two_sleeps),
		cmocka_unit_test(a_stopped_process_makes_no_leak_of_what_was_in_flight),
		cmocka_unit_test(an_alert_is_not_resolved_by_stopping_the_process),
		cmocka_unit_test(a_throttled_process_that_only_got_slow_is_no_leak),
		cmocka_unit_test(holes_in_the_records_neither_alarm_nor_blind),
		cmocka_unit_test(records_that_come_twice_or_from_the_past_are_survived),
		cmocka_unit_test(of_ten_thousand_go_statements_the_rest_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
