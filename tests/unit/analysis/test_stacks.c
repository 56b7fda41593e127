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
#include "support/records.h"

/* A program with a few deep stacks, looked at every 10 s, under the rules as they are shipped. */
#define EPOCH (100000 * PW_NS_PER_SEC)
#define WALL  (1700000000 * PW_NS_PER_SEC)
#define STEP  10
#define MB    1048576ULL
#define HOUR  3600

struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[16];
	size_t count;
	/* What the next record says. */
	uint64_t used[2]; /* 0: that goroutine is not there */
	bool running;
	uint64_t total_bytes, p99_bytes;
	uint64_t most[2];
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (!strcmp(alert->rule, "PW-C02") && world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	assert_non_null(world);
	world->total_bytes = 10 * MB;
	world->p99_bytes = 8192;
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

static void put_goroutine(struct world *world, struct pw_record *draft, uint32_t index)
{
	static const char *const functions[] = {"runtime.gopark", "time.Sleep", "main.dig", "main.dig", "main.dig"};
	struct pw_record_large_stack *large;
	struct pw_record_park *park = pw_record_builder_park(world->builder, NULL);
	uint64_t bytes = 2048;
	uint32_t first = 0;

	while (bytes < world->used[index])
		bytes *= 2;
	world->most[index] = PW_MAX(world->most[index], bytes); /* it shrinks at a GC only */
	park->count = 1;
	park->stack = UINT32_MAX;
	park->status = world->running ? PW_GOROUTINE_RUNNING : PW_GOROUTINE_WAITING;
	for (uint32_t i = 0; !world->running && i < ARRAY_SIZE(functions); i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(world->builder, &first);

		frame->function = pw_record_builder_string(world->builder, functions[i]);
		frame->file = pw_record_builder_string(world->builder, "/src/dig.go");
		frame->line = 10 + i;
	}
	if (!world->running)
		*pw_record_builder_stack(world->builder, &park->stack) =
			(struct pw_record_stack){first + 1 - (uint32_t)ARRAY_SIZE(functions), ARRAY_SIZE(functions)};
	if (world->most[index] < PW_LARGE_STACK_BYTES)
		return;
	large = &draft->snapshot.large[draft->snapshot.large_count++];
	*large = (struct pw_record_large_stack){.goid = 18 + index,
						.bytes = world->most[index],
						.used_bytes = world->running ? PW_UNKNOWN : world->used[index],
						.park = index};
}

static void look(struct world *world, uint32_t second)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;
	struct pw_section section = {.present = true, .taken_ns = EPOCH + second * PW_NS_PER_SEC};
	struct pw_record_statement *statement = pw_record_builder_statement(world->builder, NULL);

	draft->boot_ns = section.taken_ns;
	draft->wall_ns = WALL + second * PW_NS_PER_SEC;
	draft->identity.target_id = 7;
	draft->identity.pid = 4711;
	draft->identity.start_time_ns = EPOCH / 2;
	draft->identity.service = pw_record_builder_string(world->builder, "orders");
	draft->census.section = draft->snapshot.section = draft->runtime.section = section;
	draft->snapshot.interval_ns = STEP * PW_NS_PER_SEC;
	draft->snapshot.total = 1000;
	draft->snapshot.stack_p99_bytes = world->p99_bytes;
	pw_runtime_numbers_init(&draft->runtime.numbers);
	draft->runtime.numbers.stack_inuse_bytes = world->total_bytes;
	statement->gopc = 0x401000;
	statement->function = pw_record_builder_string(world->builder, "main.serve");
	statement->file = pw_record_builder_string(world->builder, "/src/main.go");
	statement->line = 42;
	for (uint32_t i = 0; i < 2 && world->used[i]; i++)
		put_goroutine(world, draft, i);
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* The first goroutine uses first bytes, and rate more a second, from begin on; the second of the first thing told. */
static uint32_t grow(struct world *world, uint32_t begin, uint32_t end, uint64_t first, uint64_t rate)
{
	size_t before = world->count;

	for (uint32_t second = begin; second < end; second += STEP) {
		world->used[0] = first + (second - begin) * rate;
		look(world, second);
		if (world->count > before)
			return second;
	}
	return end;
}

static void a_recursion_that_does_not_end_is_critical_and_says_when_the_program_dies(void **state)
{
	struct world *world = world_new();
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	assert_int_equal(grow(world, 0, 1000, MB, MB), 40); /* 41 MB: 64 are reserved */
	assert_int_equal(alert->level, PW_LEVEL_CRITICAL);
	assert_int_equal(alert->goid, 18);
	assert_int_equal(alert->reserved_bytes, 64 * MB);
	assert_true(alert->value > 40.9 * (double)MB && alert->value < 41.1 * (double)MB);
	/* 512 MB are what fits below the limit of 1 GB. */
	assert_true(alert->eta_ns > 470 * PW_NS_PER_SEC && alert->eta_ns < 472 * PW_NS_PER_SEC);
	assert_string_equal(alert->recursion.function, "main.dig");
	print_message("%s\n", alert->text);
	assert_string_equal(alert->text,
			    "the stack of goroutine 18, started at main.serve (main.go:42), grows by 1.0 MB a "
			    "second: 43 MB of 67 MB, recursing in main.dig (dig.go:12); the program dies at "
			    "1.0 GB, in 7m51s");
	world->used[0] = 0;
	look(world, 50);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	print_message("%s\n", world->seen[1].text);
	world_free(world);
}

static void one_that_stops_growing_is_resolved_and_stays_so(void **state)
{
	struct world *world = world_new();

	(void)state;
	assert_int_equal(grow(world, 0, 60, MB, MB), 40);
	assert_int_equal(grow(world, 50, 3600, 51 * MB, 0), 350);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	assert_int_equal(grow(world, 360, 7200, 51 * MB, 0), 7200);
	world_free(world);
}

static void one_that_runs_all_the_time_is_found_by_its_doublings(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->running = true;
	for (uint32_t second = 0; second <= 60 && !world->count; second += STEP) {
		world->used[0] = 64 * 1024ULL << second / STEP; /* twice as much at each look */
		look(world, second);
	}
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].reserved_bytes, 4 * MB);
	assert_string_equal(world->seen[0].recursion.function, "");
	print_message("%s\n", world->seen[0].text);
	world_free(world);
}

static void deep_recursion_once_is_silent(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->used[0] = 4000;
	look(world, 0);
	for (uint32_t second = STEP; second < HOUR; second += STEP) {
		world->used[0] = second < 60 ? 200 * MB : second < 600 ? 200 * MB - second : 3000;
		look(world, second);
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* A parser that goes deep again and again, as deep as what it parses: a new one each time, so that it may exceed itself
 * steadily by chance at its first looks: one in fifty does. */
static void recursion_that_comes_and_goes_is_silent(void **state)
{
	uint64_t seed = 4711, told = 0;

	(void)state;
	for (int run = 0; run < 300; run++) {
		struct world *world = world_new();

		world->used[1] = 70 * MB;
		for (uint32_t second = 0; second < 600; second += STEP) {
			world->used[0] = 1000 + rnd_below(&seed, 100 * MB);
			look(world, second);
		}
		told += world->count > 0;
		world_free(world);
	}
	print_message("%d of 300\n", (int)told);
	assert_true(told <= 9);
}

static void slow_growth_is_a_warning(void **state)
{
	struct world *world = world_new();

	(void)state;
	assert_true(grow(world, 0, 3000, 100 * MB, 4000) < 3000);
	assert_int_equal(world->seen[0].level, PW_LEVEL_WARNING);
	print_message("%s\n", world->seen[0].text);
	world_free(world);
}

static uint32_t climb(struct world *world, uint32_t end, uint64_t rate, bool deeper)
{
	for (uint32_t second = 0; second < end; second += STEP) {
		world->total_bytes = 100 * MB + second * rate;
		world->p99_bytes = deeper && second > HOUR / 2 ? 32768 : 8192;
		look(world, second);
		if (world->count)
			return second;
	}
	return end;
}

static void all_stacks_that_get_deeper_are_told(void **state)
{
	struct world *world = world_new();
	const struct pw_alert *alert = &world->seen[0];
	uint32_t second = climb(world, 4 * HOUR, 30000, true);

	(void)state;
	assert_true(second > HOUR && second < 2 * HOUR);
	assert_int_equal(alert->level, PW_LEVEL_INFO); /* no baseline yet */
	assert_string_equal(alert->unit, "bytes");
	print_message("%s\n", alert->text);
	assert_non_null(strstr(alert->text, "because they get deeper: 99 of 100 had at most 8.2 kB, and now 33 kB"));
	world_free(world);
}

static void more_goroutines_of_the_same_depth_are_another_rule_s(void **state)
{
	struct world *world = world_new();

	(void)state;
	assert_int_equal(climb(world, 4 * HOUR, 30000, false), 4 * HOUR);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recursion_that_does_not_end_is_critical_and_says_when_the_program_dies),
		cmocka_unit_test(one_that_stops_growing_is_resolved_and_stays_so),
		cmocka_unit_test(one_that_runs_all_the_time_is_found_by_its_doublings),
		cmocka_unit_test(deep_recursion_once_is_silent),
		cmocka_unit_test(recursion_that_comes_and_goes_is_silent),
		cmocka_unit_test(slow_growth_is_a_warning),
		cmocka_unit_test(all_stacks_that_get_deeper_are_told),
		cmocka_unit_test(more_goroutines_of_the_same_depth_are_another_rule_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
