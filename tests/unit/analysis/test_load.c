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
#include "analysis/load.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* PW-H01 on a server whose live heap follows its load: a record a minute, with a GC in it. */
#define MINUTE (60 * PW_NS_PER_SEC)
#define EPOCH  (1000000 * MINUTE)
#define MB     1048576.0
#define DAY    1440

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_load load;
	struct pw_alert seen[16];
	size_t count;
	uint64_t minute, spawned, waits, seed;
	bool events, serves;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (!strcmp(alert->rule, "PW-H01") && world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct world *world_new(bool use_load)
{
	struct pw_rules_config rules;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	pw_rules_config_default(&rules);
	rules.h01_load = use_load;
	world->events = world->serves = true;
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

static double noise(struct world *world, double around)
{
	world->seed = world->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return ((double)(world->seed >> 33) / (double)(1U << 31) - 0.5) * 2 * around;
}

static void events(struct world *world, struct pw_record *draft)
{
	struct pw_record_statement *statement = pw_record_builder_statement(world->builder, NULL);
	struct pw_record_event_count *count = pw_record_builder_event_count(world->builder, NULL);
	struct pw_record_reason_count *reason = pw_record_builder_reason(world->builder, NULL);

	draft->events.section = draft->gc.section;
	statement->gopc = 0x401000;
	statement->function =
		pw_record_builder_string(world->builder, world->serves ? "net/http.(*Server).Serve" : "main.tick");
	count->spawned = world->spawned;
	count->creation_stack = UINT32_MAX;
	count->reason_count = 1;
	reason->reason = pw_record_builder_string(world->builder, world->serves ? "IO wait" : "select");
	reason->count = world->waits;
}

/* One minute with so many requests, each with a connection and two waits for the network. */
static void minute(struct world *world, double requests, double live)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;
	struct pw_record_gc_cycle *cycle = pw_record_builder_gc_cycle(world->builder, NULL);

	world->spawned += (uint64_t)requests;
	world->waits += 2 * (uint64_t)requests;
	draft->boot_ns = EPOCH + world->minute * MINUTE;
	draft->wall_ns = 1700000000ULL * PW_NS_PER_SEC + world->minute * MINUTE;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->gc.section = (struct pw_section){.present = true, .version = 1, .taken_ns = draft->boot_ns};
	cycle->number = ++world->minute;
	cycle->end_ns = draft->boot_ns;
	cycle->heap_live_bytes = (uint64_t)(live + noise(world, MB));
	if (world->events)
		events(world, draft);
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	pw_load_see(&world->load, record, MINUTE);
	pw_load_take_cycle(&world->load, MINUTE, draft->boot_ns, (double)cycle->heap_live_bytes, 0.3);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* Requests a minute: 1,000 by night, 5,000 by day; a day is `period` minutes. */
static double requests_at(uint64_t minute_now, double period)
{
	return 3000 - 2000 * cos((double)minute_now / period * 2 * M_PI);
}

/* Trailing load of 15 minutes: what the heap holds follows that; 100 kB a request a minute. */
static double heap_of(double requests)
{
	return 200 * MB + requests * 100000;
}

static void bytes_per_unit_of_load_are_found(void **state)
{
	struct world *world = world_new(true);

	(void)state;
	for (uint64_t i = 0; i < 2 * DAY; i++)
		minute(world, requests_at(i, DAY), heap_of(requests_at(i, DAY)));
	print_message("a unit of load takes %.0f bytes\n", world->load.per_unit);
	/* 3 units a request, 15 minutes of them: 100,000 / 45; the floor of 15 minutes lags a little */
	assert_true(world->load.per_unit > 2100 && world->load.per_unit < 2350);
	assert_true(pw_load_now(&world->load) > 0);
	world_free(world);
}

/* Load rises for half a day: without its part this is growth beyond doubt. */
static void a_heap_that_follows_its_load_is_silent(void **state)
{
	struct world *with = world_new(true), *without = world_new(false);

	(void)state;
	for (uint64_t i = 0; i < 2 * DAY; i++) { /* small days, so that what is normal is known */
		minute(with, requests_at(i, DAY) / 2, heap_of(requests_at(i, DAY) / 2));
		minute(without, requests_at(i, DAY) / 2, heap_of(requests_at(i, DAY) / 2));
	}
	assert_int_equal(with->count, 0);
	for (uint64_t i = 2 * DAY; i < 3 * DAY; i++) { /* and one of twice that */
		minute(with, requests_at(i, DAY), heap_of(requests_at(i, DAY)));
		minute(without, requests_at(i, DAY), heap_of(requests_at(i, DAY)));
	}
	print_message("with load: %zu, without: %zu\n", with->count, without->count);
	assert_int_equal(with->count, 0);
	assert_true(without->count > 0); /* else this would show nothing */
	world_free(with);
	world_free(without);
}

static void a_leak_beside_a_changing_load_is_found(void **state)
{
	struct world *world = world_new(true);
	uint64_t start = 2 * DAY, i = start;

	(void)state;
	for (uint64_t k = 0; k < start; k++) {
		minute(world, requests_at(k, 360), heap_of(requests_at(k, 360)));
		if (k < DAY)
			world->count = 0; /* it takes five hours to know what load does */
	}
	assert_int_equal(world->count, 0);
	for (; i < start + DAY && !world->count; i++)
		minute(world, requests_at(i, 360), heap_of(requests_at(i, 360)) + (double)(i - start) * 2 * MB);
	print_message("120 MB an hour beside a load that doubles and halves: after %llu minutes\n%s\n%s\n",
		      (unsigned long long)(i - start), world->seen[0].text, world->seen[0].hint);
	assert_int_equal(world->count, 1);
	assert_true(i - start <= 480);
	assert_true(world->seen[0].growth_per_hour > 80 * MB && world->seen[0].growth_per_hour < 160 * MB);
	assert_non_null(strstr(world->seen[0].hint, "What its load explains"));
	world_free(world);
}

static void what_is_not_known_of_the_load_is_said(void **state)
{
	struct world *world = world_new(true);

	(void)state;
	world->events = false;
	for (uint64_t i = 0; i < 500; i++)
		minute(world, 1000, 200 * MB + (double)i * 2 * MB);
	assert_true(world->count > 0);
	assert_non_null(strstr(world->seen[0].hint, "Its load is not known"));
	world_free(world);
	world = world_new(true);
	world->serves = false; /* starts and waits of a ticker are no load */
	for (uint64_t i = 0; i < 500; i++)
		minute(world, 1000 + (double)i * 10, 200 * MB + (double)i * 2 * MB);
	assert_true(world->count > 0);
	assert_non_null(strstr(world->seen[0].hint, "Its load does not explain it"));
	world_free(world);
}

/* Counting that stops, and a host that slept, begin it anew; what was learnt stays. */
static void gaps_begin_it_anew(void **state)
{
	struct world *world = world_new(true);
	double learnt;

	(void)state;
	for (uint64_t i = 0; i < DAY; i++)
		minute(world, requests_at(i, DAY), heap_of(requests_at(i, DAY)));
	learnt = world->load.per_unit;
	assert_true(learnt > 0);
	world->minute += 100;
	minute(world, 1000, heap_of(1000));
	assert_true(pw_load_now(&world->load) < 0);
	for (uint64_t i = 0; i < 16; i++)
		minute(world, 1000, heap_of(1000));
	assert_true(pw_load_now(&world->load) >= 45000 - 1 && pw_load_now(&world->load) <= 45000 + 1);
	assert_true(world->load.per_unit > 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_per_unit_of_load_are_found),
		cmocka_unit_test(a_heap_that_follows_its_load_is_silent),
		cmocka_unit_test(a_leak_beside_a_changing_load_is_found),
		cmocka_unit_test(what_is_not_known_of_the_load_is_said),
		cmocka_unit_test(gaps_begin_it_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
