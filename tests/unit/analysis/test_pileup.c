/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "model/stream.h"
#include "support/records.h"

/* Rule PW-G08 on simulated programs, second by second, with the shipped thresholds unless a test says otherwise. */

#define ALERTS_MAX 64

struct world {
	struct program program;
	struct program_statement statement; /* the one under test */
	struct program_statement *pointers[2];
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[ALERTS_MAX]; /* transitions, in order */
	size_t count;
	uint64_t wall_step_ns; /* added to the wall clock */
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	assert_true(world->count < ALERTS_MAX);
	world->seen[world->count++] = *alert;
}

static struct world *world_new(const struct pw_rules_config *config)
{
	struct world *world = calloc(1, sizeof(*world));
	struct pw_rules_config defaults;

	pw_rules_config_default(&defaults);
	world->statement = (struct program_statement){.gopc = 0x401234,
						      .function = "main.handle",
						      .file = "/src/server.go",
						      .line = 42,
						      .reason = "chan send"};
	world->pointers[0] = &world->statement;
	world->program = (struct program){.target_id = 1,
					  .start_ns = 1000 * PW_NS_PER_SEC,
					  .epoch_ns = 5000 * PW_NS_PER_SEC,
					  .wall_epoch_ns = 1700000000 * PW_NS_PER_SEC,
					  .service = "orders.service",
					  .statements = world->pointers,
					  .count = 1};
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, config ? config : &defaults, on_transition, world), 0);
	return world;
}

static void world_free(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_record_builder_free(world->builder);
	free(world);
}

static void judge(struct world *world, uint32_t second)
{
	struct pw_record *record = program_record(&world->program, world->builder, second);

	assert_non_null(record);
	record->wall_ns += world->wall_step_ns;
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

static size_t firing(const struct world *world)
{
	size_t count = 0;

	for (size_t i = 0; i < world->count; i++)
		count += world->seen[i].state == PW_ALERT_FIRING;
	return count;
}

/* A healthy server: starts rate a second, each lives life seconds; some day it leaks leak of them a second from `from`
 * on. */
static void serve(struct world *world, uint32_t begin, uint32_t end, uint32_t rate, uint32_t life, uint32_t leak)
{
	for (uint32_t second = begin; second < end; second++) {
		program_spawn(&world->statement, second, rate + leak);
		if (second >= life && world->statement.born[second - life] >= rate) {
			world->statement.born[second - life] -= rate;
			world->statement.exited += rate;
		}
		judge(world, second);
	}
}

/* Post-mortem 001: 25 a second on a quiet site, after three healthy hours. DETECTORS 7.4 measured 90 s; must: 120 s. */
static void leak_on_a_quiet_site_fires_within_two_minutes(void **state)
{
	struct world *world = world_new(NULL);
	const struct pw_alert *alert = &world->seen[0];
	uint32_t start = 3 * 3600, second = start;

	(void)state;
	serve(world, 0, start, 5, 2, 0);
	assert_int_equal(world->count, 0);
	for (; second < start + 300 && !world->count; second++)
		serve(world, second, second + 1, 5, 2, 25);
	print_message("fired after %u s\n", second - start);
	assert_true(second - start <= 120);
	assert_int_equal(world->count, 1);
	assert_int_equal(alert->state, PW_ALERT_FIRING);
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_string_equal(alert->rule, "PW-G08");
	assert_string_equal(alert->confidence, "suspected");
	assert_string_equal(alert->service, "orders.service");
	assert_string_equal(alert->statement.function, "main.handle");
	assert_int_equal(alert->statement.line, 42);
	assert_string_equal(alert->wait_reason, "chan send");
	assert_int_equal(alert->baseline, 0);
	/* 25 a second are 90,000 an hour; the first goroutines need the age of 30 s to count. */
	assert_true(alert->growth_per_hour > 60000 && alert->growth_per_hour < 120000);
	print_message("%s\n", alert->text);
	assert_non_null(
		strstr(alert->text, "goroutines started at main.handle (server.go:42) are parked in chan send;"));
	assert_non_null(strstr(alert->text, "older than 30s"));
	assert_non_null(strstr(alert->text, "(baseline 0)"));
	assert_non_null(strstr(alert->reproduce, "-p 4711"));
	world_free(world);
}

static void leak_without_baseline_is_cold_and_only_info(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	serve(world, 0, 150, 0, 2, 25);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	assert_string_equal(world->seen[0].confidence, "cold");
	assert_true(world->seen[0].baseline < 0);
	assert_non_null(strstr(world->seen[0].text, "(no baseline yet)"));
	world_free(world);
}

/* 1 s ticks, 5 s age, as `make demo` has it. */
static void leak_with_the_demo_rules_fires_within_half_a_minute(void **state)
{
	struct pw_rules_config config;
	struct world *world;
	uint32_t second = 0;

	(void)state;
	pw_rules_config_default(&config);
	config.g08_tick_ns = PW_NS_PER_SEC;
	config.g08_age_ns = 5 * PW_NS_PER_SEC;
	world = world_new(&config);
	for (; second < 60 && !world->count; second++)
		serve(world, second, second + 1, 100, 1, 25);
	print_message("fired after %u s\n", second);
	assert_true(second <= 30);
	world_free(world);
}

static void healthy_twin_is_silent(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	serve(world, 0, 4 * 3600, 25, 60, 0); /* 1,500 alive, half of them older than 30 s */
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* Every five minutes 3,000 goroutines that take 90 s to drain: a queue that fills and empties. */
static void noisy_twin_is_no_warning(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	for (uint32_t second = 0; second < 4 * 3600; second++) {
		uint32_t phase = second % 300;

		if (phase < 100)
			program_spawn(&world->statement, second, 30);
		if (phase >= 100 && phase < 250)
			program_end_oldest(&world->statement, PW_MIN(program_live(&world->statement), 40UL));
		judge(world, second);
	}
	for (size_t i = 0; i < world->count; i++)
		assert_int_not_equal(world->seen[i].level, PW_LEVEL_WARNING);
	/* Cold it may say so, as info; but what it said must be over. */
	assert_true(world->count == 0 || world->seen[world->count - 1].state == PW_ALERT_RESOLVED);
	print_message("%zu times info\n", firing(world));
	world_free(world);
}

/* 5,000 connections were there before us, and are replaced one by one: N of those we saw born rises for hours. */
static void pool_from_before_attach_that_turns_over_is_silent(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->statement.initial = 5000;
	for (uint32_t second = 0; second < 3600; second++) {
		program_spawn(&world->statement, second, 2);
		program_end_oldest(&world->statement, 2);
		judge(world, second);
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void goroutines_from_before_attach_are_never_growth(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->statement.initial = 100000;
	for (uint32_t second = 0; second < 600; second++)
		judge(world, second);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void burst_that_has_stopped_does_not_fire_while_it_grows_old(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	for (uint32_t second = 0; second < 600; second++) {
		/* 50 s of starts, then nothing: in the 30 s after it the old still become more, six ticks in a row in
		 * all. */
		if (second >= 100 && second < 150)
			program_spawn(&world->statement, second, 20);
		if (second >= 400 && second < 500)
			program_end_oldest(&world->statement, 10);
		judge(world, second);
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void alert_resolves_after_the_leak_is_drained_and_keeps_its_id(void **state)
{
	struct world *world = world_new(NULL);
	uint32_t start = 3 * 3600;

	(void)state;
	serve(world, 0, start, 1, 2, 0);
	serve(world, start, start + 200, 1, 2, 25);
	assert_int_equal(world->count, 1);
	program_end_oldest(&world->statement, program_live(&world->statement));
	serve(world, start + 200, start + 480, 1, 2, 0);
	assert_int_equal(world->count, 1); /* low, but not yet for five minutes */
	serve(world, start + 480, start + 540, 1, 2, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	assert_string_equal(world->seen[0].id, world->seen[1].id);
	assert_true(world->seen[1].resolved_wall_ns > world->seen[0].fired_wall_ns);
	assert_non_null(strstr(world->seen[1].text, "resolved"));
	serve(world, start + 540, start + 740, 1, 2, 25);
	assert_int_equal(world->count, 3);
	assert_string_equal(world->seen[0].id, world->seen[2].id); /* the same incident, again */
	world_free(world);
}

static void process_that_ends_leaves_its_alert_as_gone(void **state)
{
	struct world *world = world_new(NULL);
	struct pw_alert alerts[8];

	(void)state;
	serve(world, 0, 150, 0, 2, 25);
	assert_int_equal(world->count, 1);
	pw_analysis_forget(world->analysis, &(struct pw_death){.target_id = 1, .wall_ns = 1700001000 * PW_NS_PER_SEC});
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_GONE);
	assert_int_equal(pw_analysis_alerts(world->analysis, alerts, ARRAY_SIZE(alerts)), 1);
	assert_int_equal(alerts[0].state, PW_ALERT_GONE);

	/* The restarted process is another target: it has no past, and the key part of its id is the same. */
	world->program.target_id = 2;
	memset(world->statement.born, 0, sizeof(world->statement.born));
	world->statement.oldest = 0;
	serve(world, 200, 350, 0, 2, 25);
	assert_int_equal(world->count, 3);
	assert_string_equal(world->seen[2].id, world->seen[0].id);
	assert_int_equal(world->seen[2].target_id, 2);
	world_free(world);
}

/* The host sleeps for an hour: all goroutines age at once, and nothing is compared across the gap. */
static void suspended_host_does_not_fire(void **state)
{
	struct world *world = world_new(NULL);
	uint32_t second = 0;

	(void)state;
	for (; second < 400; second++) {
		program_spawn(&world->statement, second, 40);
		if (second >= 20)
			program_end_oldest(&world->statement, 40);
		judge(world, second);
	}
	for (unsigned int i = 0; i < 6; i++) { /* sleeps again and again, each time with 800 young ones grown old */
		second += 600;
		judge(world, second);
		program_spawn(&world->statement, second, 300);
	}
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void steps_of_the_wall_clock_change_nothing_but_times_shown(void **state)
{
	struct world *world = world_new(NULL), *stepped = world_new(NULL);

	(void)state;
	for (uint32_t second = 0; second < 200; second++) {
		stepped->wall_step_ns = second % 3 ? 86400 * PW_NS_PER_SEC : 0;
		serve(world, second, second + 1, 0, 2, 25);
		serve(stepped, second, second + 1, 0, 2, 25);
	}
	assert_int_equal(world->count, 1);
	assert_int_equal(stepped->count, 1);
	assert_int_equal(world->seen[0].parked, stepped->seen[0].parked);
	assert_true(world->seen[0].growth_per_hour == stepped->seen[0].growth_per_hour);
	world_free(world);
	world_free(stepped);
}

static void records_out_of_order_are_survived(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t second = i % 20 == 19 ? i / 2 : i; /* the clock falls back, again and again */

		program_spawn(&world->statement, i, 25);
		judge(world, second);
	}
	world_free(world);
}

/* Events that were counted anew (another attach) fall: that must neither fire nor stop anything for good. */
static void counters_that_start_anew_do_not_blind(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->program.events = true;
	serve(world, 0, 100, 50, 2, 0);
	world->statement.spawned = world->statement.exited = 0;
	serve(world, 100, 300, 50, 2, 25);
	assert_int_equal(firing(world), 1);
	world_free(world);
}

/* On a busy statement nearly all goroutines end at once; the few that stay are found all the same. */
static void leak_under_load_fires(void **state)
{
	struct world *world = world_new(NULL);
	uint32_t start = 3 * 3600, second = start;

	(void)state;
	world->program.events = true;
	serve(world, 0, start, 1000, 2, 0);
	assert_int_equal(world->count, 0);
	for (; second < start + 300 && !world->count; second++)
		serve(world, second, second + 1, 1000, 2, 25);
	print_message("fired after %u s\n", second - start);
	assert_int_equal(world->count, 1);
	assert_true(second - start <= 120);
	world_free(world);
}

static void disabled_rule_is_silent(void **state)
{
	struct pw_rules_config config;
	struct world *world;

	(void)state;
	pw_rules_config_default(&config);
	config.g08_enabled = false;
	world = world_new(&config);
	serve(world, 0, 200, 0, 2, 25);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void system_goroutines_are_not_judged(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->statement.system = true;
	serve(world, 0, 200, 0, 2, 25);
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* The recording of a leak, replayed: the same alerts in every bit. */
struct source {
	const char *data;
	size_t size, position;
};

static int read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t n = PW_MIN(size, source->size - source->position);

	memcpy(buffer, source->data + source->position, n);
	source->position += n;
	return (int)n;
}

static void replay_gives_the_same_alerts(void **state)
{
	struct world *world = world_new(NULL), *replay = world_new(NULL);
	const struct pw_death death = {.target_id = 1, .boot_ns = 77, .wall_ns = 88};
	struct pw_buf out = PW_BUF_INIT(64U << 20);
	struct source source;
	struct pw_encoder *encoder;
	struct pw_decoder *decoder;
	struct pw_entry entry;
	struct pw_why why;

	(void)state;
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(pw_encoder_header(encoder, &out), 0);
	for (uint32_t second = 0; second < 900; second++) {
		struct pw_record *record;

		program_spawn(&world->statement, second, 25);
		if (second == 300)
			program_end_oldest(&world->statement, program_live(&world->statement));
		record = program_record(&world->program, world->builder, second);
		assert_int_equal(pw_encoder_record(encoder, record, &out), 0);
		assert_int_equal(pw_analysis_step(world->analysis, record), 0);
		pw_record_unref(record);
	}
	assert_int_equal(pw_encoder_gone(encoder, &death, &out), 0);
	pw_analysis_forget(world->analysis, &death);
	source = (struct source){.data = out.data, .size = out.size};
	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	while (pw_decoder_next(decoder, &entry, &why) == 1) {
		if (entry.kind == PW_ENTRY_GONE) {
			pw_analysis_forget(replay->analysis, &entry.death);
			continue;
		}
		assert_int_equal(pw_analysis_step(replay->analysis, entry.record), 0);
		pw_record_unref(entry.record);
	}
	assert_true(world->count >= 2);
	assert_int_equal(world->count, replay->count);
	for (size_t i = 0; i < world->count; i++)
		assert_memory_equal(&world->seen[i], &replay->seen[i], sizeof(world->seen[i]));
	pw_decoder_free(decoder);
	pw_encoder_free(encoder);
	pw_buf_done(&out);
	world_free(world);
	world_free(replay);
}

/* A target with 10,000 go statements: memory is bounded, the largest are kept, and what is dropped is counted. */
static void ten_thousand_sites_are_bounded_and_the_large_one_is_seen(void **state)
{
	enum { SITES = 4000 }; /* of one record; three such sets of other statements follow each other */
	static struct program_statement statements[SITES];
	static struct program_statement *pointers[SITES];
	struct world *world = world_new(NULL);
	struct pw_analysis_stats stats;

	(void)state;
	for (uint32_t i = 0; i < SITES; i++) {
		statements[i] = (struct program_statement){.gopc = 0x500000 + i * 16, .reason = "select"};
		pointers[i] = &statements[i];
	}
	world->program.statements = pointers;
	world->program.count = SITES;
	for (uint32_t second = 0; second < 300; second += 10) {
		for (uint32_t i = 0; i < SITES; i++) {
			statements[i].gopc += second % 100 == 0 && i < 3000 ? 0x100000 : 0;
			program_spawn(&statements[i], second, i == SITES - 1 ? 500 : 1);
		}
		judge(world, second);
	}
	pw_analysis_stats(world->analysis, &stats);
	print_message("%zu tracked, %zu dropped\n", (size_t)stats.sites_tracked, (size_t)stats.sites_dropped);
	assert_true(stats.sites_tracked <= 1000);
	assert_true(stats.sites_dropped > 0);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].parked_onset <= world->seen[0].parked, true);
	world_free(world);
}

/* A leak whose next tick fires, while the last snapshot is from long before. */
static struct world *about_to_fire(uint32_t *ret_second)
{
	struct world *world = world_new(NULL);
	uint32_t start = 3 * 3600, second = start;

	world->program.snapshots = true;
	serve(world, 0, start, 5, 2, 0);
	world->program.snapshot_second = start - 8;
	while (second < start + 300 && !pw_analysis_wants_stacks(world->analysis, 1)) {
		serve(world, second, second + 1, 5, 2, 25);
		second++;
	}
	assert_true(pw_analysis_wants_stacks(world->analysis, 1));
	assert_int_equal(world->count, 0);
	*ret_second = second - 1; /* that of the tick */
	return world;
}

static void an_alert_is_told_when_its_stacks_are_fresh(void **state)
{
	uint32_t second;
	struct world *world = about_to_fire(&second);
	const struct pw_alert *alert = &world->seen[0];
	struct pw_alert shown;

	(void)state;
	assert_int_equal(pw_analysis_alerts(world->analysis, &shown, 1), 0); /* pending: not to be seen anywhere */
	world->program.snapshot_second = second;
	judge(world, second); /* the daemon has taken one, within the same second */
	assert_false(pw_analysis_wants_stacks(world->analysis, 1));
	assert_int_equal(world->count, 1);
	assert_int_equal(alert->state, PW_ALERT_FIRING);
	assert_int_equal(alert->fired_wall_ns, (1700000000 + (uint64_t)second) * PW_NS_PER_SEC);
	assert_int_equal(alert->stacks_wall_ns, alert->fired_wall_ns);
	assert_int_equal(alert->parked_stack_depth, 2);
	assert_string_equal(alert->parked_stack[0].function, "main.publish"); /* without the runtime below it */
	assert_int_equal(alert->parked_stack[0].line, 41);
	assert_string_equal(alert->parked_stack[1].function, "main.handle");
	assert_int_equal(alert->parked_there, program_live(&world->statement));
	assert_int_equal(alert->oldest_park_ns, 10 * PW_NS_PER_SEC);
	assert_string_equal(alert->waiting_on.kind, "channel");
	assert_int_equal(alert->waiting_on.senders, alert->parked_there);
	assert_int_equal(pw_analysis_alerts(world->analysis, &shown, 1), 1);
	for (uint32_t i = 1; i < 30; i++)
		serve(world, second + i, second + i + 1, 5, 2, 25);
	assert_int_equal(world->count, 1); /* once */
	world_free(world);
}

static void without_fresh_stacks_it_is_told_after_five_seconds_with_old_ones(void **state)
{
	uint32_t second;
	struct world *world = about_to_fire(&second);
	uint32_t begin = second;

	(void)state;
	while (!world->count && second < begin + 20) {
		second++;
		serve(world, second, second + 1, 5, 2, 25);
	}
	assert_int_equal(second - begin, 5);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].parked_stack_depth, 2);
	assert_true(world->seen[0].stacks_wall_ns < world->seen[0].fired_wall_ns);
	world_free(world);
}

static void a_process_that_ends_before_its_stacks_are_read_is_told_of_all_the_same(void **state)
{
	uint32_t second;
	struct world *world = about_to_fire(&second);

	(void)state;
	pw_analysis_forget(world->analysis, &(struct pw_death){.target_id = 1, .wall_ns = 1700099999 * PW_NS_PER_SEC});
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[0].state, PW_ALERT_FIRING);
	assert_int_equal(world->seen[1].state, PW_ALERT_GONE);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_is_told_when_its_stacks_are_fresh),
		cmocka_unit_test(without_fresh_stacks_it_is_told_after_five_seconds_with_old_ones),
		cmocka_unit_test(a_process_that_ends_before_its_stacks_are_read_is_told_of_all_the_same),
		cmocka_unit_test(leak_on_a_quiet_site_fires_within_two_minutes),
		cmocka_unit_test(leak_without_baseline_is_cold_and_only_info),
		cmocka_unit_test(leak_with_the_demo_rules_fires_within_half_a_minute),
		cmocka_unit_test(leak_under_load_fires),
		cmocka_unit_test(healthy_twin_is_silent),
		cmocka_unit_test(noisy_twin_is_no_warning),
		cmocka_unit_test(pool_from_before_attach_that_turns_over_is_silent),
		cmocka_unit_test(goroutines_from_before_attach_are_never_growth),
		cmocka_unit_test(burst_that_has_stopped_does_not_fire_while_it_grows_old),
		cmocka_unit_test(alert_resolves_after_the_leak_is_drained_and_keeps_its_id),
		cmocka_unit_test(process_that_ends_leaves_its_alert_as_gone),
		cmocka_unit_test(suspended_host_does_not_fire),
		cmocka_unit_test(steps_of_the_wall_clock_change_nothing_but_times_shown),
		cmocka_unit_test(records_out_of_order_are_survived),
		cmocka_unit_test(counters_that_start_anew_do_not_blind),
		cmocka_unit_test(disabled_rule_is_silent),
		cmocka_unit_test(system_goroutines_are_not_judged),
		cmocka_unit_test(replay_gives_the_same_alerts),
		cmocka_unit_test(ten_thousand_sites_are_bounded_and_the_large_one_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
