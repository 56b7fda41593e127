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
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* Records of a process with a GC and a look at its memory each minute. */
#define MINUTE (60 * PW_NS_PER_SEC)
#define EPOCH  (1000000 * MINUTE)
#define MB     1048576.0

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[16];
	size_t count;
	uint64_t seed;
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

static double noise(struct world *world, double bytes)
{
	world->seed = world->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return ((double)(world->seed >> 33) / (double)(1U << 31) - 0.5) * 2 * bytes;
}

/* limit 0: none */
static void judge(struct world *world, uint64_t minute, double live, double used, double limit)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;
	struct pw_record_gc_cycle *cycle = pw_record_builder_gc_cycle(world->builder, NULL);

	draft->boot_ns = EPOCH + minute * MINUTE;
	draft->wall_ns = 1700000000ULL * PW_NS_PER_SEC + minute * MINUTE;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->identity.service = pw_record_builder_string(world->builder, "orders.service");
	draft->gc.section = (struct pw_section){.present = true, .version = 1, .taken_ns = draft->boot_ns};
	cycle->number = minute + 1;
	cycle->end_ns = draft->boot_ns;
	cycle->heap_live_bytes = (uint64_t)(live + noise(world, MB));
	draft->memory.section = draft->gc.section;
	draft->memory.table.limits = (struct pw_memory_limits){
		.cgroup_version = 2,
		.max_bytes = limit > 0 ? (uint64_t)limit : PW_UNKNOWN,
		.max_used_bytes = (uint64_t)(used + 100 * MB + noise(world, MB)),
		.max_reclaimable_bytes = (uint64_t)(100 * MB),
		.high_bytes = PW_UNKNOWN,
		.swap_max_bytes = PW_UNKNOWN,
	};
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* Post-mortem 004: 119 MB an hour on top of 1.2 GB, in a process that was level for a day before. */
static void a_climbing_heap_is_found_with_its_pace(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint64_t start = 1440, minute = start;

	(void)state;
	for (uint64_t i = 0; i < start; i++)
		judge(world, i, 1200 * MB, 1400 * MB, 0);
	assert_int_equal(world->count, 0);
	for (; minute < start + 1000 && !world->count; minute++)
		judge(world, minute, 1200 * MB + (double)(minute - start) / 60 * 119 * MB, 1400 * MB, 0);
	print_message("119 MB an hour: after %llu minutes\n%s\n", (unsigned long long)(minute - start), alert->text);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->rule, "PW-H01");
	assert_string_equal(alert->unit, "bytes");
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_true(alert->baseline > 1100 * MB && alert->baseline < 1300 * MB);
	assert_true(alert->growth_per_hour > 60 * MB && alert->growth_per_hour < 130 * MB);
	assert_true(minute - start <= 420);
	assert_non_null(strstr(alert->reproduce, "parkwatch heap -p 4711"));
	/* level again, at the new height: after a quarter of the window it is over */
	for (uint64_t end = minute + 1500; minute < end && world->count < 2; minute++)
		judge(world, minute, 1900 * MB, 1400 * MB, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void a_level_heap_and_one_that_fills_up_are_not(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		judge(world, i, 600 * MB + 300 * MB * (1 - exp(-(double)i / 90)), 1400 * MB, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void a_limit_that_comes_near_is_critical_without_a_baseline(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint64_t minute = 0;

	(void)state;
	for (; minute < 200 && !world->count; minute++)
		judge(world, minute, 100 * MB, 500 * MB + (double)minute * 5 * MB, 1024 * MB);
	print_message("%s\n", alert->text);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->rule, "PW-H03");
	assert_int_equal(alert->level, PW_LEVEL_CRITICAL);
	assert_true(alert->limit == 1024 * MB);
	assert_true(alert->eta_ns > 15 * MINUTE && alert->eta_ns < 31 * MINUTE);
	assert_true(alert->eta_low_ns <= alert->eta_ns && alert->eta_ns <= alert->eta_high_ns);
	for (uint64_t end = minute + 60; minute < end && world->count < 2; minute++)
		judge(world, minute, 100 * MB, 600 * MB, 1024 * MB);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void the_page_cache_and_no_limit_are_no_reason(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	for (uint64_t i = 0; i < 200; i++) /* 950 of 1024 MB with the page cache, 850 without, and level */
		judge(world, i, 100 * MB, 850 * MB, 1024 * MB);
	for (uint64_t i = 200; i < 400; i++)
		judge(world, i, 100 * MB, 850 * MB + (double)i * 5 * MB, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void rules_that_are_off_say_nothing(void **state)
{
	struct pw_rules_config rules;
	struct world *world;

	(void)state;
	pw_rules_config_default(&rules);
	rules.h01_enabled = rules.h03_enabled = false;
	world = world_new(&rules);
	for (uint64_t i = 0; i < 600; i++)
		judge(world, i, 100 * MB + (double)i * 5 * MB, 500 * MB + (double)i * 5 * MB, 4096 * MB);
	assert_int_equal(world->count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_climbing_heap_is_found_with_its_pace),
		cmocka_unit_test(a_level_heap_and_one_that_fills_up_are_not),
		cmocka_unit_test(a_limit_that_comes_near_is_critical_without_a_baseline),
		cmocka_unit_test(the_page_cache_and_no_limit_are_no_reason),
		cmocka_unit_test(rules_that_are_off_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
