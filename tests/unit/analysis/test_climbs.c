/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/detector.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* PW-C01, PW-T01 and the descriptors of PW-G07 with the shipped windows: a look at what the process holds each minute.
 */
#define MINUTE (60 * PW_NS_PER_SEC)
#define EPOCH  (1000000 * MINUTE)

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[16];
	size_t count;
	uint64_t minute;
	struct pw_holdings holds;
	const char *go_version;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct world *world_new(const struct pw_rules_config *rules)
{
	struct pw_rules_config defaults;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	pw_rules_config_default(&defaults);
	pw_holdings_init(&world->holds);
	world->holds.threads = 12;
	world->holds.threads_go = 11;
	world->holds.threads_max = 10000;
	world->holds.gomaxprocs = 8;
	world->holds.timers = 50;
	world->holds.files = 40;
	world->holds.gc_cycles = 1;
	world->go_version = "go1.24.4";
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, rules ? rules : &defaults, on_transition, world), 0);
	return world;
}

static void world_free(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_record_builder_free(world->builder);
	free(world);
}

static struct pw_record *record_of(struct world *world, bool looked)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;

	draft->boot_ns = EPOCH + world->minute * MINUTE;
	draft->wall_ns = 1700000000ULL * PW_NS_PER_SEC + world->minute * MINUTE;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->identity.service = pw_record_builder_string(world->builder, "orders.service");
	draft->identity.go_version = pw_record_builder_string(world->builder, world->go_version);
	draft->abilities[PW_ABILITY_MEMORY].ok = true;
	draft->holdings.section =
		(struct pw_section){.present = looked, .version = 1, .taken_ns = looked ? draft->boot_ns : 0};
	if (looked)
		draft->holdings.numbers = world->holds;
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	return record;
}

static void look(struct world *world)
{
	struct pw_record *record = record_of(world, true);

	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
	world->minute++;
	world->holds.gc_cycles++;
}

static void run(struct world *world, uint64_t minutes, uint64_t threads, uint64_t timers, uint64_t files)
{
	for (uint64_t end = world->minute + minutes; world->minute < end;) {
		look(world);
		world->holds.threads += threads;
		world->holds.threads_go += threads;
		world->holds.timers += timers;
		world->holds.files += files;
	}
}

/* Minutes until something is said, at most so many. */
static uint64_t run_until(struct world *world, uint64_t minutes, uint64_t threads, uint64_t timers, uint64_t files)
{
	size_t before = world->count;
	uint64_t start = world->minute;

	while (world->minute < start + minutes && world->count == before)
		run(world, 1, threads, timers, files);
	return world->minute - start;
}

static void threads_that_hang_in_c_are_found_with_what_they_are_at(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint64_t minutes;

	(void)state;
	run(world, 300, 0, 0, 0);
	world->holds.threads_cgo = 90;
	world->holds.threads_cgo_long = 88;
	world->holds.threads_syscall = 2;
	world->holds.threads_locked = 1;
	world->holds.threads_idle = 3;
	minutes = run_until(world, 240, 2, 0, 0);
	print_message("2 a minute: after %llu minutes\n%s\n", (unsigned long long)minutes, alert->text);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->rule, "PW-C01");
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_string_equal(alert->confidence, "leak");
	assert_string_equal(alert->unit, "threads");
	assert_true(minutes >= 25 && minutes <= 75);
	assert_true(alert->baseline > 11 && alert->baseline < 13);
	assert_true(alert->growth_per_hour > 20 && alert->growth_per_hour < 130);
	assert_true(alert->limit > 9999 && alert->limit < 10001);
	assert_true(alert->eta_ns > 60 * 60 * MINUTE && alert->eta_low_ns <= alert->eta_ns);
	assert_non_null(strstr(alert->text, "90 in C (88 for a minute or more), 2 in system calls, 1 locked"));
	assert_non_null(strstr(alert->text, "debug.SetMaxThreads"));
	assert_non_null(strstr(alert->hint, "calls into C"));
	assert_string_equal(alert->reproduce, "parkwatch goroutines -p 4711 --with reason=syscall");
	/* it stays on that plateau: Go keeps its threads, and nothing is wrong any more */
	run(world, 100, 0, 0, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void a_near_limit_is_critical_also_without_a_baseline(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	world->holds.pids_max = 1200;
	world->holds.pids_used = 400;
	(void)run_until(world, 240, 4, 0, 0);
	print_message("%s\n", alert->text);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->confidence, "cold");
	assert_int_equal(alert->level, PW_LEVEL_CRITICAL);
	assert_non_null(strstr(alert->text, "1,200 (pids.max of its cgroup) in 3h20m"));
	world_free(world);
	world = world_new(NULL);
	world->holds.threads_max = PW_UNKNOWN;
	world->holds.threads_cgo = PW_UNKNOWN;
	(void)run_until(world, 240, 2, 0, 0);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	assert_non_null(strstr(world->seen[0].text, "what they are at is not known; no limit is known"));
	world_free(world);
}

static void threads_of_a_busy_program_are_no_leak(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	run(world, 40, 1, 0, 0); /* below GOMAXPROCS and 50 */
	run(world, 200, 0, 0, 0);
	for (int i = 0; i < 40; i++) { /* bursts that come and go: C's own threads */
		run(world, 1, 100, 0, 0);
		world->holds.threads -= 100;
		run(world, 9, 0, 0, 0);
	}
	run(world, 8, 20, 0, 0); /* a new plateau */
	run(world, 300, 0, 0, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void timers_that_are_never_stopped_are_found(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint64_t minutes;

	(void)state;
	run(world, 300, 0, 0, 0);
	minutes = run_until(world, 300, 0, 300, 0);
	print_message("300 a minute: after %llu minutes\n%s\n", (unsigned long long)minutes, alert->text);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->rule, "PW-T01");
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_string_equal(alert->unit, "timers");
	assert_true(alert->value >= 10000 && alert->value < 15000);
	assert_true(alert->growth_per_hour > 9000 && alert->growth_per_hour < 19000);
	assert_non_null(strstr(alert->text, "40 descriptors are open"));
	run(world, 130, 0, 0, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void deadlines_of_connections_and_few_timers_are_silent(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->holds.files = 100;
	world->holds.timers = 200;
	run(world, 300, 0, 200, 100); /* two a connection */
	assert_int_equal(world->count, 0);
	world_free(world);
	world = world_new(NULL);
	run(world, 900, 0, 10, 0); /* below 10,000 */
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* Go 1.23 and later: what nobody refers to is gone after a collection. Before, there is nothing to wait for. */
static void from_go_1_23_on_they_must_survive_collections(void **state)
{
	static const struct {
		const char *version;
		size_t count;
	} cases[] = {{"go1.24.4", 0}, {"go1.22.12", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *world = world_new(NULL);

		world->go_version = cases[i].version;
		for (int minute = 0; minute < 200; minute++) {
			world->holds.gc_cycles = 7; /* GOGC=off */
			run(world, 1, 0, 300, 0);
		}
		assert_int_equal(world->count, cases[i].count);
		world_free(world);
	}
}

/* One more a minute that the other side has closed. */
static void connections_that_nobody_closes_are_found(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint64_t minutes = 0;

	(void)state;
	world->holds.files_max = 1024;
	world->holds.tcp_close_wait_long = world->holds.tcp_close_wait = world->holds.unix_closed_long = 0;
	run(world, 10, 0, 0, 0);
	for (; minutes < 100 && !world->count; minutes++) {
		world->holds.tcp_close_wait_long++;
		run(world, 1, 0, 0, 1);
	}
	print_message("one a minute: after %llu minutes\n%s\n", (unsigned long long)minutes, alert->text);
	assert_int_equal(world->count, 1);
	assert_int_equal(minutes, 20);
	assert_string_equal(alert->rule, "PW-G07");
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_string_equal(alert->unit, "connections");
	assert_true(alert->growth_per_hour > 50 && alert->growth_per_hour < 70);
	assert_non_null(strstr(alert->text, "20 connections were closed by the other side"));
	assert_non_null(strstr(alert->text, "59 of 1,024 are open"));
	assert_string_equal(alert->reproduce, "lsof -nP -p 4711 | grep -e CLOSE_WAIT -e 'protocol: TCP'");
	world->holds.tcp_close_wait_long = 3;
	run(world, 20, 0, 0, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void few_or_level_ones_are_silent(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->holds.tcp_close_wait_long = 30; /* since before we looked, and no more */
	run(world, 100, 0, 0, 0);
	for (int i = 0; i < 100; i++) { /* they come and go */
		world->holds.tcp_close_wait_long = i % 3 * 20;
		run(world, 1, 0, 0, 0);
	}
	world->holds.tcp_close_wait_long = PW_UNKNOWN;
	run(world, 10, 0, 0, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void descriptors_that_run_out_within_a_day_are_found(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint64_t minutes;

	(void)state;
	world->holds.files_max = 1024;
	run(world, 300, 0, 0, 0);
	minutes = run_until(world, 200, 0, 0, 2);
	print_message("2 a minute: after %llu minutes\n%s\n", (unsigned long long)minutes, alert->text);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->rule, "PW-G07");
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_string_equal(alert->unit, "descriptors");
	assert_string_equal(alert->limit_name, "RLIMIT_NOFILE");
	assert_true(alert->eta_ns > 5 * 60 * MINUTE && alert->eta_ns < 24 * 60 * MINUTE);
	assert_non_null(strstr(alert->text, "of 1,024 are open"));
	run(world, 100, 0, 0, 0);
	assert_int_equal(world->count, 2);
	world_free(world);
	world = world_new(NULL); /* a limit that is far away */
	world->holds.files_max = 1048576;
	run(world, 300, 0, 0, 0);
	run(world, 300, 0, 0, 2);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void what_is_absent_is_said_and_what_is_off_is_silent(void **state)
{
	struct pw_rules_config rules;
	char text[PW_OFF_TEXT_SIZE];
	struct pw_record *record;
	struct world *world;

	(void)state;
	pw_rules_config_default(&rules);
	rules.c01_enabled = rules.t01_enabled = false;
	world = world_new(&rules);
	run(world, 300, 5, 500, 0);
	assert_int_equal(world->count, 0);
	record = record_of(world, true);
	assert_null(pw_rule_find("PW-C01")->off(record, text, sizeof(text)));
	assert_null(pw_rule_find("PW-T01")->off(record, text, sizeof(text)));
	pw_record_unref(record);
	world->holds.timers = world->holds.threads = PW_UNKNOWN;
	record = record_of(world, true);
	assert_string_equal(pw_rule_find("PW-C01")->off(record, text, sizeof(text)), "its threads cannot be counted");
	assert_string_equal(pw_rule_find("PW-T01")->off(record, text, sizeof(text)), "its timers cannot be counted");
	pw_record_unref(record);
	record = record_of(world, false);
	assert_string_equal(pw_rule_find("PW-C01")->off(record, text, sizeof(text)),
			    "its threads have not been looked at yet");
	assert_string_equal(pw_rule_find("PW-T01")->off(record, text, sizeof(text)),
			    "its timers have not been looked at yet");
	pw_record_unref(record);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_that_hang_in_c_are_found_with_what_they_are_at),
		cmocka_unit_test(a_near_limit_is_critical_also_without_a_baseline),
		cmocka_unit_test(threads_of_a_busy_program_are_no_leak),
		cmocka_unit_test(timers_that_are_never_stopped_are_found),
		cmocka_unit_test(deadlines_of_connections_and_few_timers_are_silent),
		cmocka_unit_test(from_go_1_23_on_they_must_survive_collections),
		cmocka_unit_test(connections_that_nobody_closes_are_found),
		cmocka_unit_test(few_or_level_ones_are_silent),
		cmocka_unit_test(descriptors_that_run_out_within_a_day_are_found),
		cmocka_unit_test(what_is_absent_is_said_and_what_is_off_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
