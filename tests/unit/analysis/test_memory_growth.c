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
#include "analysis/heap_lines.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "model/runtime_numbers.h"

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

/* --- what grows -------------------------------------------------------------------------------------------------- */

struct heap_of { /* what a record says of the heap, by line or by size */
	bool profile;
	uint64_t cycle; /* of the profile; 0: the one of this minute */
	double leak, still, all;
};

static void put_site(struct world *world, struct pw_record *draft, const char *function, uint32_t line, double bytes,
		     double growth)
{
	draft->heap.site[draft->heap.site_count++] = (struct pw_record_heap_site){
		.function = pw_record_builder_string(world->builder, function),
		.file = pw_record_builder_string(world->builder, "/src/orders/cache.go"),
		.line = line,
		.inuse_bytes = (uint64_t)bytes,
		.growth_bytes = (int64_t)growth,
	};
}

static void put_objects(struct world *world, struct pw_record *draft, uint16_t class, uint64_t objects)
{
	struct pw_record_bucket *bucket = pw_record_builder_bucket(world->builder, NULL);

	(void)draft;
	*bucket = (struct pw_record_bucket){
		.histogram = PW_HISTOGRAM_ALLOCS_BY_SIZE, .bucket = class, .count = objects + 1000};
	bucket = pw_record_builder_bucket(world->builder, NULL);
	*bucket = (struct pw_record_bucket){.histogram = PW_HISTOGRAM_FREES_BY_SIZE, .bucket = class, .count = 1000};
}

static void judge_heap(struct world *world, uint64_t minute, const struct heap_of *heap)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;
	struct pw_record_gc_cycle *cycle = pw_record_builder_gc_cycle(world->builder, NULL);

	draft->boot_ns = EPOCH + minute * MINUTE;
	draft->wall_ns = 1700000000ULL * PW_NS_PER_SEC + minute * MINUTE;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->gc.section = (struct pw_section){.present = true, .version = 1, .taken_ns = draft->boot_ns};
	cycle->number = minute + 1;
	cycle->end_ns = draft->boot_ns;
	cycle->heap_live_bytes = (uint64_t)(heap->all + noise(world, MB));
	if (heap->profile) {
		draft->heap.section = draft->gc.section;
		draft->heap.rate = 512 << 10;
		draft->heap.cycle = heap->cycle ? heap->cycle : minute + 1;
		draft->heap.inuse_bytes = (uint64_t)heap->all;
		put_site(world, draft, "orders.still", 12, heap->still, 0);
		put_site(world, draft, "orders.(*Cache).put", 41, heap->leak, MB);
	} else {
		draft->runtime.section = draft->gc.section;
		draft->runtime.scale[PW_HISTOGRAM_ALLOCS_BY_SIZE] = PW_SCALE_SIZE;
		draft->runtime.scale[PW_HISTOGRAM_FREES_BY_SIZE] = PW_SCALE_SIZE;
		draft->runtime.numbers.heap_objects_bytes = (uint64_t)heap->all;
		put_objects(world, draft, 8, (uint64_t)(heap->leak / pw_size_classes[8]));
		put_objects(world, draft, 20, (uint64_t)(heap->still / pw_size_classes[20]));
	}
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* 60 MB an hour, until something is said; the minute at which it was. */
static uint64_t judge_until_said(struct world *world, bool profile, uint64_t stuck_at)
{
	for (uint64_t minute = 0; minute < 400; minute++) {
		double leak = 20 * MB + (double)minute * MB;
		struct heap_of heap = {.profile = profile, .leak = leak, .still = 50 * MB, .all = leak + 70 * MB};

		if (stuck_at && minute >= stuck_at)
			heap.cycle = stuck_at;
		judge_heap(world, minute, &heap);
		if (world->count || pw_analysis_wants_heap(world->analysis, 7))
			return minute;
	}
	return 0;
}

static void the_line_that_grows_is_named(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	assert_true(judge_until_said(world, true, 0) > 60);
	print_message("%s\n", alert->text);
	assert_int_equal(world->count, 1);
	assert_int_equal(alert->growing_count, 1); /* the one that stands still is not */
	assert_string_equal(alert->growing[0].frame.function, "orders.(*Cache).put");
	assert_int_equal(alert->growing[0].frame.line, 41);
	assert_true(alert->growing_sampled);
	assert_true(alert->growing_wall_ns > 0);
	assert_true(fabs(alert->growing[0].per_hour - 60 * MB) < 6 * MB);
	assert_true(alert->growing[0].bytes > 40 * MB && alert->growing[0].over_ns > 40 * MINUTE);
	assert_true(alert->growing[0].share > 0.9 && alert->growing[0].share <= 1);
	assert_non_null(strstr(alert->text, "most at orders.(*Cache).put (cache.go:41): +6"));
	world_free(world);
}

static void without_a_profile_the_size_is_named(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	assert_true(judge_until_said(world, false, 0) > 60);
	print_message("%s\n", alert->text);
	assert_int_equal(world->count, 1);
	assert_false(alert->growing_sampled);
	assert_true(alert->growing_count >= 1);
	assert_string_equal(alert->growing[0].frame.function, "");
	assert_int_equal(alert->growing[0].object_bytes, pw_size_classes[8]);
	assert_true(fabs(alert->growing[0].per_hour - 60 * MB) < 6 * MB);
	assert_non_null(strstr(alert->text, "most in objects of "));
	world_free(world);
}

/* The profile at hand is older than the cycle by which it fires. */
static void it_waits_for_a_look_at_the_heap_but_not_for_long(void **state)
{
	(void)state;
	for (int comes = 0; comes < 2; comes++) {
		struct world *world = world_new(NULL);
		uint64_t minute = judge_until_said(world, true, 60);
		struct heap_of heap = {
			.profile = true, .cycle = comes ? 0 : 60, .leak = 500 * MB, .still = 1, .all = 600 * MB};

		assert_true(minute > 60);
		assert_int_equal(world->count, 0);
		assert_true(pw_analysis_wants_heap(world->analysis, 7));
		assert_false(pw_analysis_wants_stacks(world->analysis, 7));
		judge_heap(world, minute + 1, &heap); /* the look; or the time to wait is over */
		assert_int_equal(world->count, 1);
		assert_false(pw_analysis_wants_heap(world->analysis, 7));
		assert_int_equal(world->seen[0].growing_count, 1);
		assert_true(world->seen[0].growing[0].inuse_bytes == 500 * MB);
		world_free(world);
	}
}

static void many_lines_that_come_and_go_are_bounded(void **state)
{
	struct pw_heap_lines lines = {0};
	struct world *world = world_new(NULL);
	struct pw_alert alert = {0};

	(void)state;
	for (uint64_t look = 0; look < 400; look++) {
		struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;

		draft->boot_ns = EPOCH + look * MINUTE;
		draft->wall_ns = draft->boot_ns;
		draft->heap.section = (struct pw_section){.present = true, .version = 1, .taken_ns = draft->boot_ns};
		for (uint32_t i = 0; i < PW_RECORD_HEAP_SITES_MAX; i++)
			put_site(world, draft, "main.f", i ? (uint32_t)look * 100 + i : 0, (double)(look + 1) * MB, MB);
		draft->heap.inuse_bytes = 4096;
		assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
		pw_heap_lines_see(&lines, record, MINUTE);
		assert_true(lines.count <= PW_HEAP_LINES_MAX);
		pw_heap_lines_tell(&lines, record, 60 * MINUTE, &alert);
		pw_record_unref(record);
	}
	/* the one line that was always there is known over the hour, whatever came meanwhile */
	assert_int_equal(alert.growing_count, PW_ALERT_GROWING_MAX);
	assert_int_equal(alert.growing[0].frame.line, 0);
	assert_true(alert.growing[0].over_ns >= 50 * MINUTE && alert.growing[0].over_ns <= 70 * MINUTE);
	assert_true(fabs(alert.growing[0].per_hour - 60 * MB) < MB);
	assert_int_equal(alert.growing[1].over_ns, MINUTE); /* a new one, by what it says of the look before */
	assert_true(alert.growing[1].bytes == MB);
	pw_heap_lines_done(&lines);
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
		cmocka_unit_test(the_line_that_grows_is_named),
		cmocka_unit_test(without_a_profile_the_size_is_named),
		cmocka_unit_test(it_waits_for_a_look_at_the_heap_but_not_for_long),
		cmocka_unit_test(many_lines_that_come_and_go_are_bounded),
		cmocka_unit_test(a_level_heap_and_one_that_fills_up_are_not),
		cmocka_unit_test(a_limit_that_comes_near_is_critical_without_a_baseline),
		cmocka_unit_test(the_page_cache_and_no_limit_are_no_reason),
		cmocka_unit_test(rules_that_are_off_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
