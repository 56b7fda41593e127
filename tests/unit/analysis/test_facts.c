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
#include "analysis/facts.h"
#include "analysis/severity.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

#define EPOCH (100000 * PW_NS_PER_SEC)
#define WALL  (1700000000ULL * PW_NS_PER_SEC)
#define HOUR  (3600 * PW_NS_PER_SEC)
#define MB    1048576.0

/* A process of 1,000 goroutines with 8 kB each, and a limit of 1,000 MB of which it uses its RSS. */
static void take(struct pw_facts *facts, uint64_t second, double rss, uint64_t dropped)
{
	struct pw_record_builder *builder;
	struct pw_record *draft, *record = NULL;

	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->boot_ns = EPOCH + second * PW_NS_PER_SEC;
	draft->kernel.section.present = draft->runtime.section.present = draft->census.section.present =
		draft->memory.section.present = draft->events.section.present = draft->drops_section.present = true;
	draft->kernel.rss_bytes = (uint64_t)rss;
	draft->kernel.threads = 10;
	draft->kernel.open_files = PW_UNKNOWN;
	draft->runtime.numbers.stack_inuse_bytes = 8000000;
	draft->runtime.numbers.heap_live_bytes = 1000;
	draft->runtime.numbers.memory_limit_bytes = PW_MEMORY_LIMIT_NONE;
	draft->runtime.numbers.gc_percent = 100;
	draft->census.total = 1000;
	draft->events.spawned = 10 * second;
	draft->memory.table.limits = (struct pw_memory_limits){.max_bytes = (uint64_t)(1000 * MB),
							       .max_used_bytes = (uint64_t)(rss + 100 * MB),
							       .max_reclaimable_bytes = (uint64_t)(100 * MB)};
	pw_record_builder_drop(builder, NULL)->count = dropped;
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	pw_facts_take(facts, record);
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

static void what_rose_since_the_onset_moves_along(void **state)
{
	struct pw_facts *facts = calloc(1, sizeof(*facts));
	struct pw_alert alert = {.onset_wall_ns = WALL};

	(void)state;
	assert_non_null(facts);
	for (uint64_t second = 0; second <= 1000; second++)
		take(facts, second, 100 * MB + (double)second * 0.1 * MB, 0);
	pw_facts_note(facts, WALL + 500 * PW_NS_PER_SEC, &alert); /* half of it is of before the onset */
	assert_int_equal(alert.moving_count, 1);
	assert_string_equal(alert.moving[0].what, "rss");
	assert_string_equal(alert.moving[0].unit, "bytes");
	assert_true(alert.moving[0].from >= 149 * MB && alert.moving[0].from <= 150 * MB);
	assert_true(alert.moving[0].to == (double)(uint64_t)(200 * MB));
	assert_true(alert.loss.known);
	assert_true(alert.loss.share == 0);
	free(facts);
}

static void gaps_and_drops_since_the_onset_are_loss(void **state)
{
	struct pw_facts *facts = calloc(1, sizeof(*facts));
	struct pw_alert alert = {.onset_wall_ns = WALL};

	(void)state;
	assert_non_null(facts);
	for (uint64_t second = 0; second < 100; second++)
		take(facts, second, MB, 5);
	take(facts, 160, MB, 5); /* the host was suspended */
	for (uint64_t second = 161; second <= 200; second++)
		take(facts, second, MB, 105);
	pw_facts_note(facts, WALL + 200 * PW_NS_PER_SEC, &alert);
	assert_int_equal(alert.loss.gaps, 1);
	assert_int_equal(alert.loss.gap_ns, 61 * PW_NS_PER_SEC);
	assert_int_equal(alert.loss.dropped_events, 100);
	assert_true(alert.loss.share > 0.30 &&
		    alert.loss.share < 0.31); /* 61 s of 200 s; of the events it is 1 of 21 */
	alert.onset_wall_ns = WALL + 180 * PW_NS_PER_SEC;
	pw_facts_note(facts, WALL + 200 * PW_NS_PER_SEC, &alert);
	assert_int_equal(alert.loss.gaps, 0); /* before its time */
	assert_int_equal(alert.loss.dropped_events, 0);
	free(facts);
}

static void goroutines_reach_the_memory_limit_by_their_stacks_and_what_they_pin(void **state)
{
	struct pw_facts *facts = calloc(1, sizeof(*facts));
	struct pw_alert alert = {.rule = "PW-G10",
				 .growth_per_hour = 1000,
				 .growth_low_per_hour = 500,
				 .growth_high_per_hour = 2000,
				 .window_ns = HOUR,
				 .parked = 100};

	(void)state;
	assert_non_null(facts);
	pw_facts_eta(facts, &alert);
	assert_int_equal(alert.eta_ns, 0); /* nothing is known yet */
	take(facts, 0, 200 * MB, 0);
	pw_facts_eta(facts, &alert);
	/* 800 MB at 8 kB x 1,000 an hour */
	assert_true(alert.eta_ns / HOUR == 104);
	assert_true(alert.eta_low_ns / HOUR == 52);
	assert_true(alert.eta_high_ns / HOUR == 209);
	assert_true(alert.limit == 1000 * MB);
	assert_string_equal(alert.limit_name, "memory.max");
	alert.pinned_known = true;
	alert.pinned_bytes = 100 * 92000; /* 100 kB each, with the stack */
	pw_facts_eta(facts, &alert);
	assert_true(alert.eta_ns / HOUR == 8);
	alert = (struct pw_alert){.rule = "PW-H01", .unit = "bytes", .growth_per_hour = 100 * MB};
	pw_facts_eta(facts, &alert); /* GOGC=100: twice as much as is live */
	assert_int_equal(alert.eta_ns, 4 * HOUR);
	free(facts);
}

static void severity_is_by_certainty_pace_and_time_left(void **state)
{
	static const struct {
		const char *rule, *confidence;
		uint64_t eta_hours, parked;
		double per_hour;
		enum pw_alert_level level;
	} cases[] = {
		{"PW-G10", "cold", 1, 50000, 1e6, PW_LEVEL_INFO},
		{"PW-G10", "suspected", 1, 50000, 1e6, PW_LEVEL_INFO},
		{"PW-G10", "leak", 0, 500, 300, PW_LEVEL_WARNING},
		{"PW-G01", "leak", 7, 500, 300, PW_LEVEL_WARNING},
		{"PW-G01", "leak", 5, 500, 300, PW_LEVEL_CRITICAL},
		{"PW-G01", "leak", 0, 10001, 300, PW_LEVEL_CRITICAL},
		{"PW-G01", "proven", 5, 50, 3, PW_LEVEL_CRITICAL},
		{"PW-G06", "leak", 0, 99, 9, PW_LEVEL_INFO},
		{"PW-G06", "leak", 0, 101, 9, PW_LEVEL_WARNING},
		{"PW-H01", "leak", 5, 0, 0, PW_LEVEL_CRITICAL},
		{"PW-H01", "cold", 5, 0, 0, PW_LEVEL_WARNING}, /* as the rule has it */
		{"PW-G02", "certain", 5, 50000, 0, PW_LEVEL_WARNING},
	};
	struct pw_rules_config rules;

	(void)state;
	pw_rules_config_default(&rules);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pw_alert alert = {.level = PW_LEVEL_WARNING,
					 .eta_ns = cases[i].eta_hours * HOUR,
					 .parked = cases[i].parked,
					 .growth_per_hour = cases[i].per_hour};

		snprintf(alert.rule, sizeof(alert.rule), "%s", cases[i].rule);
		snprintf(alert.confidence, sizeof(alert.confidence), "%s", cases[i].confidence);
		pw_severity_note(&rules, &alert);
		assert_int_equal(alert.level, cases[i].level);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_rose_since_the_onset_moves_along),
		cmocka_unit_test(gaps_and_drops_since_the_onset_are_loss),
		cmocka_unit_test(goroutines_reach_the_memory_limit_by_their_stacks_and_what_they_pin),
		cmocka_unit_test(severity_is_by_certainty_pace_and_time_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
