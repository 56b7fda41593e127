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
#include "analysis/policy.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "tests/support/records.h"

/* What is different by service, on a program whose goroutines wait on a nil channel: PW-G02 tells of them at once. */
struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_policy *policy;
	struct pw_rules_config rules;
	struct program program;
	struct program_statement statement, *statements[1];
	struct pw_alert seen[16];
	size_t count;
	uint32_t second;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	assert_true(world->count < ARRAY_SIZE(world->seen));
	world->seen[world->count++] = *alert;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	pw_rules_config_default(&world->rules);
	assert_int_equal(pw_policy_new(&world->policy), 0);
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, &world->rules, on_transition, world), 0);
	world->statement = (struct program_statement){.gopc = 0x401000,
						      .function = "github.com/acme/bus.(*Bus).Subscribe",
						      .file = "/src/bus.go",
						      .line = 7,
						      .reason = "chan receive (nil chan)",
						      .parked_seconds = 60};
	world->statements[0] = &world->statement;
	world->program = (struct program){.target_id = 1,
					  .start_ns = PW_NS_PER_SEC,
					  .epoch_ns = 100000 * PW_NS_PER_SEC,
					  .wall_epoch_ns = 1800000000 * PW_NS_PER_SEC, /* 2027-01-15 */
					  .service = "orders-eu",
					  .snapshots = true,
					  .statements = world->statements,
					  .count = 1};
	return world;
}

static void world_free(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_policy_unref(world->policy);
	pw_record_builder_free(world->builder);
	free(world);
}

static struct pw_policy_service *service_of(struct world *world, const char *pattern)
{
	struct pw_policy_service *service;

	assert_int_equal(pw_policy_add_service(world->policy, pattern, &service), 0);
	return service;
}

static void switch_off(struct pw_policy_service *service, const struct pw_rule *rule)
{
	const struct pw_rule_override override = {.rule = rule, .parameter = &rule->parameters[0]};

	assert_string_equal(override.parameter->name, "enabled");
	assert_int_equal(pw_policy_override(service, &override), 0);
}

static void apply(struct world *world)
{
	assert_int_equal(pw_analysis_judge_by(world->analysis, &world->rules, world->policy), 0);
}

static void run(struct world *world, uint32_t seconds)
{
	for (uint32_t end = world->second + seconds; world->second < end; world->second++) {
		struct pw_record *record;

		world->program.snapshot_second = world->second;
		record = program_record(&world->program, world->builder, world->second);
		assert_int_equal(pw_analysis_step(world->analysis, record), 0);
		pw_record_unref(record);
	}
}

static void a_rule_can_be_off_for_one_service_alone(void **state)
{
	struct world *world = world_new();

	(void)state;
	switch_off(service_of(world, "orders*"), &pw_rule_g02);
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 0);
	world->program.service = "payment"; /* its name has changed */
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_string_equal(world->seen[0].rule, "PW-G02");
	assert_string_equal(world->seen[0].service, "payment");
	world_free(world);
}

static void the_first_service_that_matches_holds(void **state)
{
	struct world *world = world_new();

	(void)state;
	snprintf(service_of(world, "orders-eu")->owner, PW_ALERT_OWNER_SIZE, "team-eu");
	switch_off(service_of(world, "orders*"), &pw_rule_g02);
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_string_equal(world->seen[0].owner, "team-eu");
	world_free(world);
}

static void owner_runbook_and_level_come_with_the_alert(void **state)
{
	struct world *world = world_new();
	struct pw_policy_service *service = service_of(world, "orders*");
	struct pw_rule_note *note;

	(void)state;
	assert_int_equal(pw_rule_notes_at(&world->policy->notes, &pw_rule_g02, &note), 0);
	note->level = PW_LEVEL_CRITICAL;
	snprintf(note->owner, sizeof(note->owner), "everybody");
	snprintf(note->runbook, sizeof(note->runbook), "https://wiki/PW-G02");
	snprintf(service->owner, sizeof(service->owner), "team-orders");
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_CRITICAL);
	assert_string_equal(world->seen[0].owner, "team-orders"); /* the service goes before the rule */
	assert_string_equal(world->seen[0].runbook, "https://wiki/PW-G02");
	/* The rule of the service goes before both; what fires already says so from now on, without a transition. */
	assert_int_equal(pw_rule_notes_at(&service->notes, &pw_rule_g02, &note), 0);
	note->level = PW_LEVEL_INFO;
	snprintf(note->owner, sizeof(note->owner), "one");
	apply(world);
	run(world, 2);
	assert_int_equal(world->count, 1);
	assert_int_equal(pw_analysis_alerts(world->analysis, world->seen, 1), 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	assert_string_equal(world->seen[0].owner, "one");
	/* Without any of it, the level is again what the rule finds, and that is told: it is higher. */
	assert_int_equal(pw_analysis_judge_by(world->analysis, &world->rules, NULL), 0);
	run(world, 2);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_string_equal(world->seen[1].owner, "");
	world_free(world);
}

static void the_policy_lives_as_long_as_it_is_used(void **state)
{
	struct world *world = world_new();

	(void)state;
	switch_off(service_of(world, "*"), &pw_rule_g02);
	apply(world);
	pw_policy_unref(world->policy);
	world->policy = NULL;
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 0);
	pw_analysis_configure(world->analysis, &world->rules); /* of all: that of the service stays */
	run(world, 3);
	assert_int_equal(world->count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_can_be_off_for_one_service_alone),
		cmocka_unit_test(the_first_service_that_matches_holds),
		cmocka_unit_test(owner_runbook_and_level_come_with_the_alert),
		cmocka_unit_test(the_policy_lives_as_long_as_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
