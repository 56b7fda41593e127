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
#include "model/death.h"
#include "model/record.h"
#include "support/records.h"

/*
 * The life of alerts, whatever the rule (DETECTORS 9). Programs with one go statement each, of several services: those
 * on a nil channel are found at the second look that sees them (PW-G02).
 */
#define HOUR	 3600
#define PROGRAMS 4
#define SEEN_MAX 64
#include "unit/analysis/world.h"

static void end(struct world *world, size_t program, uint32_t second)
{
	const struct pw_death death = {.target_id = world->programs[program].program.target_id,
				       .boot_ns = EPOCH + second * PW_NS_PER_SEC,
				       .wall_ns = (1700000000ULL + second) * PW_NS_PER_SEC};

	pw_analysis_forget(world->analysis, &death);
}

static void one_leak_in_several_processes_is_one_incident(void **state)
{
	struct world *world = world_new(NULL);
	struct pw_alert alerts[4];

	(void)state;
	world->programs[1].program.build = "another";
	fault(world, 0, 0, 3);
	fault(world, 1, 100, 8);
	assert_int_equal(world->count, 1); /* the second one is no news */
	assert_int_equal(pw_analysis_alerts(world->analysis, alerts, ARRAY_SIZE(alerts)), 1);
	assert_string_equal(alerts[0].id, world->seen[0].id);
	assert_int_equal(alerts[0].process_count, 2);
	assert_int_equal(alerts[0].processes[0].pid, 4002); /* the worst first, and the evidence is its */
	assert_int_equal(alerts[0].pid, 4002);
	assert_int_equal(alerts[0].parked, 8);
	end(world, 1, 200);
	assert_int_equal(world->count, 1); /* it goes on in the other */
	assert_int_equal(pw_analysis_alerts(world->analysis, alerts, ARRAY_SIZE(alerts)), 1);
	assert_int_equal(alerts[0].state, PW_ALERT_FIRING);
	assert_int_equal(alerts[0].pid, 4001);
	heal(world, 0, 300);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	world_free(world);
}

static void other_services_and_other_places_are_other_incidents(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->programs[1].program.service = "shop.service";
	world->programs[2].statement.function = "main.other";
	world->programs[3].statement.caller = "main.elsewhere";
	for (size_t i = 0; i < PROGRAMS; i++)
		fault(world, i, (uint32_t)(100 * i), 3);
	assert_int_equal(world->count, PROGRAMS);
	for (size_t i = 0; i < PROGRAMS; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(world->seen[i].id, world->seen[j].id);
	world_free(world);
}

static void a_restarted_process_goes_on_with_the_incident(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	fault(world, 0, 0, 3);
	end(world, 0, 100);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_GONE);
	world->programs[1].program.build = "another";
	fault(world, 1, 200, 4);
	assert_int_equal(world->count, 3);
	assert_string_equal(world->seen[2].id, world->seen[0].id);
	assert_int_equal(world->seen[2].recurrence, 1);
	assert_true(world->seen[2].first_fired_wall_ns == world->seen[0].fired_wall_ns);
	assert_true(world->seen[2].fired_wall_ns > world->seen[0].fired_wall_ns);
	world_free(world);
}

static void what_comes_again_after_a_day_is_new(void **state)
{
	struct pw_rules_config rules;
	struct world *world;

	(void)state;
	pw_rules_config_default(&rules);
	assert_true(rules.alerts_reopen_ns == 24 * HOUR * PW_NS_PER_SEC);
	rules.alerts_reopen_ns = HOUR * PW_NS_PER_SEC; /* the simulation has no day */
	world = world_new(&rules);
	fault(world, 0, 0, 3);
	heal(world, 0, 100);
	fault(world, 0, HOUR - 100, 3); /* within the hour */
	assert_int_equal(world->count, 3);
	assert_int_equal(world->seen[2].recurrence, 1);
	heal(world, 0, HOUR);
	fault(world, 0, 400 + 2 * HOUR, 3);
	assert_int_equal(world->count, 5);
	assert_int_equal(world->seen[4].recurrence, 0);
	assert_true(world->seen[4].first_fired_wall_ns == world->seen[4].fired_wall_ns);
	assert_string_equal(world->seen[4].id, world->seen[0].id);
	world_free(world);
}

/* The id has neither pid nor time in it: another analysis, as after a restart of the daemon, gives the same. */
static void an_id_is_the_same_after_a_restart_of_the_daemon(void **state)
{
	struct world *first = world_new(NULL), *second = world_new(NULL);

	(void)state;
	fault(first, 0, 0, 3);
	fault(second, 2, 5000, 9);
	assert_string_equal(first->seen[0].id, second->seen[0].id);
	assert_int_equal(strncmp(first->seen[0].id, "g02-", 4), 0);
	world_free(first);
	world_free(second);
}

static void alerts_are_listed_by_score_and_ended_ones_last(void **state)
{
	struct world *world = world_new(NULL);
	struct pw_alert alerts[PROGRAMS];

	(void)state;
	world->programs[1].statement.function = "main.large";
	world->programs[2].statement.function = "main.ended";
	fault(world, 0, 0, 3);
	fault(world, 1, 100, 3000);
	fault(world, 2, 200, 100000);
	heal(world, 2, 300);
	assert_int_equal(pw_analysis_alerts(world->analysis, alerts, PROGRAMS), 3);
	assert_string_equal(alerts[0].statement.function, "main.large");
	assert_string_equal(alerts[1].statement.function, "main.handle");
	assert_string_equal(alerts[2].statement.function, "main.ended");
	/* 100 x certain x log2(1 + 3000 / 50 + growth) / 20 */
	assert_true(alerts[0].score > 29.6 && alerts[0].score < 29.7);
	assert_int_equal(pw_analysis_alerts(world->analysis, alerts, 2), 2);
	assert_string_equal(alerts[1].statement.function, "main.handle"); /* the ended one has no room */
	world_free(world);
}

/* One second after the other: rate goroutines start, and each lives for life seconds; leak more never end. */
static void serve(struct world *world, uint32_t begin, uint32_t end_second, uint32_t leak)
{
	for (uint32_t second = begin; second < end_second; second++) {
		program_spawn(&world->programs[0].statement, second, leak);
		if (second % STEP == 0)
			look(world, 0, second);
	}
}

static void growth_is_over_when_half_of_it_has_gone_for_a_while(void **state)
{
	struct pw_rules_config rules;
	struct world *world;
	uint32_t second = 0;

	(void)state;
	pw_rules_config_default(&rules);
	rules.g08_enabled = false;
	rules.g10_bucket_ns = STEP * PW_NS_PER_SEC;
	rules.g10_age_ns = 100 * PW_NS_PER_SEC;
	rules.g10_life_ns = HOUR * PW_NS_PER_SEC;
	rules.g10_warmup_ns = 100 * PW_NS_PER_SEC;
	rules.alerts_clear_hold_ns = 100 * PW_NS_PER_SEC;
	world = world_new(&rules);
	world->programs[0].statement.reason = "chan send";
	for (; !world->count && second < HOUR; second += STEP)
		serve(world, second, second + STEP, 1);
	assert_int_equal(world->count, 1);
	assert_string_equal(world->seen[0].rule, "PW-G01");
	serve(world, second, 2000, 1);
	second = 2000;
	program_end_oldest(&world->programs[0].statement, program_live(&world->programs[0].statement) * 2 / 5);
	serve(world, second, second + 50, 1); /* two fifths are not half, and new ones keep coming */
	assert_int_equal(world->count, 1);
	program_end_oldest(&world->programs[0].statement, program_live(&world->programs[0].statement) * 4 / 5);
	serve(world, second + 50, second + 100, 1);
	assert_int_equal(world->count, 1); /* not yet for long enough */
	serve(world, second + 100, second + 200, 1);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].state, PW_ALERT_RESOLVED);
	assert_true(world->seen[1].peak > 2 * (double)world->seen[1].parked);
	world_free(world);
}

static void a_replay_says_the_same(void **state)
{
	struct world *worlds[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(worlds); i++) {
		worlds[i] = world_new(NULL);
		worlds[i]->programs[1].statement.function = "main.other";
		fault(worlds[i], 0, 0, 3);
		fault(worlds[i], 1, 50, 30);
		heal(worlds[i], 0, 100);
		end(worlds[i], 1, 200);
		fault(worlds[i], 2, 300, 7);
	}
	assert_int_equal(worlds[0]->count, 5);
	assert_int_equal(worlds[1]->count, worlds[0]->count);
	assert_memory_equal(worlds[0]->seen, worlds[1]->seen, worlds[0]->count * sizeof(*worlds[0]->seen));
	world_free(worlds[0]);
	world_free(worlds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_leak_in_several_processes_is_one_incident),
		cmocka_unit_test(other_services_and_other_places_are_other_incidents),
		cmocka_unit_test(a_restarted_process_goes_on_with_the_incident),
		cmocka_unit_test(what_comes_again_after_a_day_is_new),
		cmocka_unit_test(an_id_is_the_same_after_a_restart_of_the_daemon),
		cmocka_unit_test(alerts_are_listed_by_score_and_ended_ones_last),
		cmocka_unit_test(growth_is_over_when_half_of_it_has_gone_for_a_while),
		cmocka_unit_test(a_replay_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
