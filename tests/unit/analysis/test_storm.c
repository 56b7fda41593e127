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
#include "analysis/storm.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* PW-G09 with the shipped windows: a record a second of a process that starts goroutines, of which some stay. */
#define SEC   PW_NS_PER_SEC
#define EPOCH (100000 * SEC)
#define WALL  (1700000000ULL * SEC)

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[16];
	size_t count;
	uint64_t second, started, live;
	bool by_probes, known;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (!strcmp(alert->rule, "PW-G09") && world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct world *world_new(const struct pw_rules_config *rules)
{
	struct pw_rules_config defaults;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	pw_rules_config_default(&defaults);
	defaults.g08_enabled = false;
	world->live = 100;
	world->known = true;
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

static void statement(struct world *world, const char *function, uint32_t line, uint64_t gopc)
{
	struct pw_record_statement *to = pw_record_builder_statement(world->builder, NULL);

	to->gopc = gopc;
	to->function = pw_record_builder_string(world->builder, function);
	to->file = pw_record_builder_string(world->builder, "/src/server.go");
	to->line = line;
}

/* Two go statements: the 100 of the first are old; all that have come since are of the second. */
static void census(struct world *world, struct pw_record *draft, uint64_t young)
{
	struct pw_record_group *group;
	struct pw_record_age *age;

	statement(world, "main.serve", 12, 0x401000);
	statement(world, "main.fanOut", 40, 0x402000);
	draft->census.section = draft->runtime.section;
	draft->census.total = world->live;
	age = pw_record_builder_age(world->builder, NULL);
	*age = (struct pw_record_age){draft->boot_ns - 500 * SEC, 100};
	age = pw_record_builder_age(world->builder, NULL);
	*age = (struct pw_record_age){draft->boot_ns - SEC, young};
	group = pw_record_builder_group(world->builder, NULL);
	*group = (struct pw_record_group){.statement = 0, .status = PW_GOROUTINE_WAITING, .count = 100, .age_count = 1};
	group = pw_record_builder_group(world->builder, NULL);
	*group = (struct pw_record_group){
		.statement = 1, .status = PW_GOROUTINE_WAITING, .count = young, .first_age = 1, .age_count = 1};
}

static struct pw_record *record_of(struct world *world, uint64_t young)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;

	draft->boot_ns = EPOCH + world->second * SEC;
	draft->wall_ns = WALL + world->second * SEC;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->identity.service = pw_record_builder_string(world->builder, "orders.service");
	draft->identity.start_time_ns = EPOCH - 3600 * SEC;
	pw_runtime_numbers_init(&draft->runtime.numbers);
	draft->runtime.section = (struct pw_section){.present = true, .version = 1, .taken_ns = draft->boot_ns};
	if (world->known)
		census(world, draft, young);
	if (world->by_probes) {
		draft->events.section = draft->runtime.section;
		draft->events.spawned = world->started;
	} else if (world->known) {
		draft->runtime.numbers.spawn_total = world->started;
		draft->runtime.numbers.goroutines = world->live;
	}
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	return record;
}

/* For so many seconds. */
static void run(struct world *world, uint64_t seconds, uint64_t starts, uint64_t stay)
{
	for (uint64_t end = world->second + seconds; world->second < end; world->second++) {
		struct pw_record *record = record_of(world, stay * 10);

		assert_int_equal(pw_analysis_step(world->analysis, record), 0);
		pw_record_unref(record);
		world->started += starts;
		world->live += stay;
	}
}

static void a_storm_whose_goroutines_stay_is_found_with_its_line(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	run(world, 8000, 60, 0);
	assert_int_equal(world->count, 0);
	run(world, 29, 2000, 1500);
	assert_int_equal(world->count, 0); /* not yet for 30 s */
	run(world, 12, 2000, 1500);
	assert_int_equal(world->count, 1);
	print_message("%s\n", alert->text);
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_string_equal(alert->confidence, "suspected");
	assert_string_equal(alert->statement.function, "main.fanOut");
	assert_int_equal(alert->statement.line, 40);
	assert_string_equal(alert->unit, "starts/s");
	assert_true(alert->value > 1999 && alert->value < 2001);
	assert_true(alert->baseline >= 58 && alert->baseline <= 62);
	assert_true(alert->parked_onset == 100 && alert->parked > 40000);
	assert_non_null(strstr(alert->text, "2,000 goroutines are started a second and 75% of them stay"));
	assert_non_null(strstr(alert->text, "main.fanOut (server.go:40)"));
	assert_string_equal(alert->reproduce, "parkwatch trace -p 4711 -d 10s");
	run(world, 65, 60, 0);
	assert_int_equal(world->count, 1); /* low, but not for 60 s of windows */
	run(world, 20, 60, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void without_a_baseline_it_is_cold_and_informative(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	run(world, 60, 1500, 1000);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	assert_string_equal(world->seen[0].confidence, "cold");
	assert_non_null(strstr(world->seen[0].text, "no baseline yet"));
	world_free(world);
}

static void busy_servers_bursts_and_what_is_normal_are_silent(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	run(world, 600, 50000, 0);  /* starts are ends */
	run(world, 20, 5000, 5000); /* a mass reconnect, over in less than 30 s */
	run(world, 7300, 900, 0);
	run(world, 120, 900, 900); /* grows, below 1,000 a second */
	run(world, 600, 3000, 400);
	assert_int_equal(world->count, 0);
	world_free(world);
	world = world_new(NULL);
	run(world, 8000, 400, 0);
	run(world, 300, 2500, 2000); /* below 8 times what is normal */
	assert_int_equal(world->count, 0);
	run(world, 60, 4000, 3000);
	assert_int_equal(world->count, 1);
	world_free(world);
}

/* A host that slept: nothing is compared over the gap. */
static void gaps_and_counts_that_begin_anew_are_not_judged(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	run(world, 25, 2000, 1500);
	world->second += 300;
	run(world, 25, 2000, 1500);
	world->started = 0;
	run(world, 25, 2000, 1500);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void probes_do_where_memory_is_closed_and_off_is_said_where_neither_is(void **state)
{
	struct world *world = world_new(NULL);
	struct pw_record *record = record_of(world, 0);

	(void)state;
	assert_null(pw_storm_off(record, NULL, 0));
	pw_record_unref(record);
	world->by_probes = true;
	run(world, 60, 1500, 1000);
	assert_int_equal(world->count, 1);
	world->by_probes = world->known = false;
	record = record_of(world, 0);
	assert_string_equal(pw_storm_off(record, NULL, 0),
			    "neither memory nor probes tell how many goroutines are started");
	pw_record_unref(record);
	world->by_probes = true;
	record = record_of(world, 0);
	assert_string_equal(pw_storm_off(record, NULL, 0), "nothing tells how many goroutines live");
	pw_record_unref(record);
	world_free(world);
}

static void a_rule_that_is_off_says_nothing(void **state)
{
	struct pw_rules_config rules;
	struct world *world;

	(void)state;
	pw_rules_config_default(&rules);
	rules.g09_enabled = false;
	world = world_new(&rules);
	run(world, 120, 5000, 5000);
	assert_int_equal(world->count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_whose_goroutines_stay_is_found_with_its_line),
		cmocka_unit_test(without_a_baseline_it_is_cold_and_informative),
		cmocka_unit_test(busy_servers_bursts_and_what_is_normal_are_silent),
		cmocka_unit_test(gaps_and_counts_that_begin_anew_are_not_judged),
		cmocka_unit_test(probes_do_where_memory_is_closed_and_off_is_said_where_neither_is),
		cmocka_unit_test(a_rule_that_is_off_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
