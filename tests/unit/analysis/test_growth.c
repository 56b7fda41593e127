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
 * A program with one go statement, looked at every 10 s. Windows are shortened to a sixth: buckets of 10 s, windows of
 * 2.5, 10, 60 and 240 minutes, old from 100 s on.
 */
#define STEP  10
#define HOUR  3600
#define EPOCH (100000 * PW_NS_PER_SEC)

struct world {
	struct program program;
	struct program_statement statement;
	struct program_statement *pointers[1];
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert seen[32];
	size_t count;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (strcmp(alert->rule, "PW-G08") != 0 && world->count < ARRAY_SIZE(world->seen))
		world->seen[world->count++] = *alert;
}

static struct pw_rules_config quick_rules(void)
{
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	rules.g08_enabled = false;
	rules.g10_bucket_ns = STEP * PW_NS_PER_SEC;
	rules.g10_age_ns = 100 * PW_NS_PER_SEC;
	rules.g10_life_ns = HOUR * PW_NS_PER_SEC;
	rules.g10_clear_ns = 150 * PW_NS_PER_SEC;
	rules.g10_warmup_ns = 100 * PW_NS_PER_SEC;
	return rules;
}

static struct world *world_new(const char *reason, const struct pw_rules_config *rules)
{
	struct pw_rules_config quick = quick_rules();
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->statement = (struct program_statement){.gopc = 0x401000,
						      .function = "main.handle",
						      .file = "/src/server.go",
						      .line = 42,
						      .reason = reason,
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
	assert_int_equal(pw_analysis_new(&world->analysis, rules ? rules : &quick, on_transition, world), 0);
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
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* From begin to end, rate a second start and live life seconds, and leak more a second never end. Until one alert more
 * is told, or to the end: the second at which that was. */
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

static void a_leak_fires_by_the_rule_of_its_wait(void **state)
{
	static const struct {
		const char *reason, *caller, *rule;
		uint64_t runs_each;
	} kinds[] = {
		{"chan send", NULL, "PW-G01", 0},
		{"chan receive", NULL, "PW-G01", 0},
		{"select", NULL, "PW-G03", 0},
		{"sync.WaitGroup.Wait", "sync.(*WaitGroup).Wait", "PW-G05", 0},
		{"semacquire", "sync.(*WaitGroup).Wait", "PW-G05", 0},
		{"sync.Cond.Wait", "sync.(*Cond).Wait", "PW-G05", 0},
		{"sleep", "time.Sleep", "PW-G06", 0},
		{"select", NULL, "PW-G06", 10},
		{"coroutine", NULL, "PW-G11", 0},
		{"sync.Mutex.Lock", "sync.(*Mutex).Lock", "PW-G10", 0},
		{"IO wait", "internal/poll.(*FD).Read", "PW-G10", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct world *world = world_new(kinds[i].reason, NULL);
		uint32_t second;

		world->statement.caller = kinds[i].caller;
		world->statement.runs_each = kinds[i].runs_each;
		second = serve(world, 0, HOUR, 0, 1, 1);
		assert_int_equal(world->count, 1);
		assert_string_equal(world->seen[0].rule, kinds[i].rule);
		assert_int_equal(world->seen[0].state, PW_ALERT_FIRING);
		assert_true(second < 600);
		world_free(world);
	}
}

static void its_alert_has_the_evidence(void **state)
{
	struct world *world = world_new("chan send", NULL);
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	print_message("after %u s\n", serve(world, 0, HOUR, 0, 1, 1));
	print_message("%s\n", alert->text);
	assert_string_equal(alert->confidence, "cold");
	assert_int_equal(alert->level, PW_LEVEL_INFO);
	assert_string_equal(alert->statement.function, "main.handle");
	assert_string_equal(alert->wait_reason, "chan send");
	assert_string_equal(alert->parked_stack[0].function, "main.publish");
	assert_string_equal(alert->waiting_on.kind, "channel");
	assert_true(alert->baseline < 0);
	assert_int_equal(alert->window_ns, 150 * PW_NS_PER_SEC);
	assert_true(alert->growth_per_hour > 3000 && alert->growth_per_hour < 4200);
	assert_true(alert->growth_low_per_hour <= alert->growth_per_hour);
	assert_true(alert->exits_per_hour < 1);
	assert_true(alert->life_ns >= HOUR * PW_NS_PER_SEC);
	assert_non_null(
		strstr(alert->text, "goroutines started at main.handle (server.go:42) are parked in chan send: +"));
	assert_true(strncmp(alert->id, "g01-", 4) == 0);
	world_free(world);
}

static void those_that_end_are_no_leak(void **state)
{
	struct world *world = world_new("chan send", NULL);

	(void)state;
	/* twice as many, but each lives 150 s: 300 parked, 100 of them old */
	(void)serve(world, 0, 5 * HOUR, 2, 150, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void a_burst_that_stays_is_no_leak(void **state)
{
	struct world *world = world_new("chan receive", NULL);

	(void)state;
	(void)serve(world, 0, 60, 0, 1, 10); /* a pool is started: 600 workers, for ever */
	(void)serve(world, 60, 4 * HOUR, 0, 1, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void what_was_there_before_we_looked_is_no_growth(void **state)
{
	struct world *world = world_new("chan send", NULL);

	(void)state;
	world->statement.initial = 50000;
	(void)serve(world, 0, 4 * HOUR, 0, 1, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void workers_of_one_queue_are_given_more_room(void **state)
{
	struct world *world = world_new("chan receive", NULL);

	(void)state;
	world->statement.objects = 1;
	(void)serve(world, 0, 2 * HOUR, 0, 1, 0);
	assert_int_equal(world->count, 0);
	assert_true(serve(world, 2 * HOUR, 3 * HOUR, 0, 1, 1) == 3 * HOUR);
	assert_true(serve(world, 3 * HOUR, 5 * HOUR, 0, 1, 2) < 5 * HOUR); /* at 4,000 it is no pool any more */
	assert_true(world->seen[0].parked >= 4000);
	world_free(world);
}

static void with_a_baseline_it_is_a_leak_and_a_warning(void **state)
{
	struct world *world = world_new("chan send", NULL);
	uint32_t start = 4 * HOUR, second;

	(void)state;
	second = serve(world, 0, start, 1, 50, 0);
	assert_int_equal(world->count, 0);
	second = serve(world, start, start + HOUR, 1, 50, 1);
	print_message("1 a second beside 1 a second that end after 50 s: after %u s, %s\n", second - start,
		      world->seen[0].confidence);
	assert_int_equal(world->count, 1);
	assert_true(world->seen[0].baseline >= 0);
	assert_string_equal(world->seen[0].confidence, "suspected"); /* by the shortest window: info, not yet a leak */
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	(void)serve(world, second, second + HOUR, 1, 50, 1);
	assert_int_equal(world->count, 2);
	assert_string_equal(world->seen[1].confidence, "leak");
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_true(world->seen[1].loss.known && world->seen[1].loss.share < 0.01);
	world_free(world);
}

static void it_is_resolved_when_no_new_ones_come(void **state)
{
	struct world *world = world_new("chan send", NULL);
	uint32_t second = serve(world, 0, HOUR, 0, 1, 1), resolved;

	(void)state;
	resolved = serve(world, second + 1, second + HOUR, 0, 1, 0);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	assert_string_equal(world->seen[1].id, world->seen[0].id);
	assert_true(resolved - second < 900);
	assert_non_null(strstr(world->seen[1].text, "resolved:"));
	world_free(world);
}

static void it_is_gone_with_its_process(void **state)
{
	struct world *world = world_new("chan send", NULL);

	(void)state;
	(void)serve(world, 0, HOUR, 0, 1, 1);
	pw_analysis_forget(world->analysis,
			   &(struct pw_death){.target_id = 7, .wall_ns = 1700009999ULL * PW_NS_PER_SEC});
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_GONE);
	world_free(world);
}

/* PW-G02: at the second snapshot, whatever the windows. */
static void what_can_never_wake_is_said_at_once(void **state)
{
	struct world *world = world_new("chan receive (nil chan)", NULL);
	const struct pw_alert *alert = &world->seen[0];

	(void)state;
	program_spawn(&world->statement, 0, 3);
	world->statement.parked_seconds = 20;
	look(world, 0);
	look(world, 10);
	look(world, 20);
	assert_int_equal(world->count, 0); /* not yet 30 s */
	world->statement.parked_seconds = 40;
	look(world, 30);
	look(world, 40);
	assert_int_equal(world->count, 1);
	print_message("%s\n", alert->text);
	assert_string_equal(alert->rule, "PW-G02");
	assert_string_equal(alert->confidence, "certain");
	assert_int_equal(alert->level, PW_LEVEL_WARNING);
	assert_int_equal(alert->parked, 3);
	program_end_oldest(&world->statement, 3);
	look(world, 50);
	look(world, 60);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void one_that_waits_for_ever_is_worth_a_look_and_main_is_not(void **state)
{
	struct world *world = world_new("select (no cases)", NULL), *main_world = world_new("select (no cases)", NULL);

	(void)state;
	program_spawn(&world->statement, 0, 1);
	program_spawn(&main_world->statement, 0, 1);
	main_world->statement.function = "runtime.main";
	world->statement.parked_seconds = main_world->statement.parked_seconds = 60;
	for (uint32_t second = 0; second < 100; second += STEP) {
		look(world, second);
		look(main_world, second);
	}
	assert_int_equal(main_world->count, 0);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	program_spawn(&world->statement, 100, 5); /* a second one is a mistake: the level rises, and is told again */
	look(world, 110);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_string_equal(world->seen[1].id, world->seen[0].id);
	world_free(world);
	world_free(main_world);
}

static void a_rule_that_is_off_says_nothing(void **state)
{
	struct pw_rules_config rules = quick_rules();
	struct world *world;

	(void)state;
	rules.g01_enabled = false;
	world = world_new("chan send", &rules);
	(void)serve(world, 0, HOUR, 0, 1, 1);
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* PW-G07: goroutines in IO wait without a deadline. */
static void waits_for_the_network_are_judged_by_their_sockets(void **state)
{
	static const struct pw_record_sockets
		closed = {.deadline_known = 9, .no_deadline = 9, .known = 9, .established = 2, .closed = 7},
		silent = {.deadline_known = 9,
			  .no_deadline = 9,
			  .known = 9,
			  .established = 9,
			  .heard = 9,
			  .quiet_ns = 1024 * PW_NS_PER_SEC},
		alive = {.deadline_known = 9,
			 .no_deadline = 9,
			 .known = 9,
			 .established = 9,
			 .heard = 9,
			 .quiet_ns = 512 * PW_NS_PER_SEC},
		elsewhere = {.deadline_known = 9, .no_deadline = 9, .known = 9, .established = 9},
		deadlines = {.deadline_known = 9, .no_deadline = 4};
	static const struct {
		const struct pw_record_sockets *sockets;
		bool baseline;
		const char *rule, *hint; /* rule NULL: silent */
	} cases[] = {
		{&closed, false, "PW-G07",
		 "Of 9 sockets 2 are established, when they last received is not known, 7 closed"},
		{&silent, false, NULL, NULL}, /* keep-alive looks the same: never cold */
		{&silent, true, "PW-G07", "9 are established, half of them without data for 17m"},
		{&alive, true, NULL, NULL},
		{&elsewhere, true, "PW-G07", "when they last received is not known"},
		{&deadlines, false, "PW-G10", "peer"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *world = world_new("IO wait", NULL);
		uint32_t start = cases[i].baseline ? 4 * HOUR : 0;

		world->statement.caller = "internal/poll.(*FD).Read";
		world->statement.sockets = *cases[i].sockets;
		serve(world, 0, start, 1, 50, 0);
		assert_int_equal(world->count, 0);
		serve(world, start, start + HOUR, cases[i].baseline ? 1 : 0, 50, 1);
		assert_int_equal(world->count, cases[i].rule ? 1 : 0);
		if (cases[i].rule) {
			print_message("%s: %s\n", world->seen[0].text, world->seen[0].hint);
			assert_string_equal(world->seen[0].rule, cases[i].rule);
			assert_non_null(strstr(world->seen[0].hint, cases[i].hint));
		}
		world_free(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_fires_by_the_rule_of_its_wait),
		cmocka_unit_test(waits_for_the_network_are_judged_by_their_sockets),
		cmocka_unit_test(its_alert_has_the_evidence),
		cmocka_unit_test(those_that_end_are_no_leak),
		cmocka_unit_test(a_burst_that_stays_is_no_leak),
		cmocka_unit_test(what_was_there_before_we_looked_is_no_growth),
		cmocka_unit_test(workers_of_one_queue_are_given_more_room),
		cmocka_unit_test(with_a_baseline_it_is_a_leak_and_a_warning),
		cmocka_unit_test(it_is_resolved_when_no_new_ones_come),
		cmocka_unit_test(it_is_gone_with_its_process),
		cmocka_unit_test(what_can_never_wake_is_said_at_once),
		cmocka_unit_test(one_that_waits_for_ever_is_worth_a_look_and_main_is_not),
		cmocka_unit_test(a_rule_that_is_off_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
