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
 * Who is woken by what (DETECTORS 9). Programs with one go statement each, of several services: those on a nil channel
 * are found at the second look that sees them (PW-G02).
 */
#define HOUR	 3600
#define PROGRAMS 26
#define SEEN_MAX 256
#include "unit/analysis/world.h"

static const struct pw_alert *last(const struct world *world)
{
	return &world->seen[world->count - 1];
}

/* Of the alerts as they stand now, the one of that function. */
static struct pw_alert now(const struct world *world, const char *function)
{
	static struct pw_alert alerts[PROGRAMS + 1];
	size_t count = pw_analysis_alerts(world->analysis, alerts, ARRAY_SIZE(alerts));

	for (size_t i = 0; i < count; i++)
		if (!strcmp(alerts[i].statement.function, function))
			return alerts[i];
	fail_msg("no alert of %s", function);
	return alerts[0];
}

static void one_page_for_a_service_in_a_while_and_the_rest_in_the_next(void **state)
{
	struct world *world = world_new(NULL);
	static const char *const functions[] = {"main.first", "main.second", "main.third"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		world->programs[i].statement.function = functions[i];
	fault(world, 0, 0, 3);
	assert_int_equal(world->count, 1);
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	assert_true(last(world)->paged);
	fault(world, 1, 100, 3);
	assert_int_equal(world->count, 2); /* the log is told */
	assert_int_equal(last(world)->page, PW_PAGE_NOT);
	assert_int_equal(last(world)->hold, PW_HOLD_GROUPED);
	assert_string_equal(last(world)->held_by, world->seen[0].id);
	fault(world, 2, 200, 3000);
	assert_int_equal(last(world)->hold, PW_HOLD_GROUPED);
	look(world, 0, 800);
	assert_int_equal(world->count, 3);
	look(world, 0, 920); /* 15 minutes after the first: the one that matters most stands for both */
	assert_int_equal(world->count, 4);
	assert_string_equal(last(world)->statement.function, "main.third");
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	assert_int_equal(last(world)->grouped, 1);
	assert_int_equal(last(world)->hold, PW_HOLD_NONE);
	assert_string_equal(now(world, "main.second").held_by, last(world)->id);
	look(world, 0, 3000); /* it has had its page: that of the third */
	assert_int_equal(world->count, 4);
	heal(world, 2, 3100); /* which is over, and the second is not */
	assert_int_equal(world->seen[4].state, PW_ALERT_RESOLVED);
	assert_int_equal(world->seen[4].page, PW_PAGE_TELL);
	assert_int_equal(world->count, 6);
	assert_string_equal(last(world)->statement.function, "main.second");
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	world_free(world);
}

static void a_more_severe_one_need_not_wait(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->programs[0].statement.function = "main.one"; /* a single one is info */
	world->programs[1].statement.function = "main.many";
	fault(world, 0, 0, 1);
	assert_int_equal(last(world)->level, PW_LEVEL_INFO);
	fault(world, 1, 100, 5);
	assert_int_equal(world->count, 2);
	assert_int_equal(last(world)->level, PW_LEVEL_WARNING);
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	world_free(world);
}

static void services_have_budgets_of_their_own_and_what_was_not_told_ends_untold(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world->programs[1].program.service = "shop.service";
	world->programs[2].statement.function = "main.second";
	fault(world, 0, 0, 3);
	fault(world, 1, 100, 3);
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	fault(world, 2, 200, 3);
	assert_int_equal(last(world)->page, PW_PAGE_NOT);
	heal(world, 2, 300);
	assert_int_equal(last(world)->state, PW_ALERT_RESOLVED);
	assert_int_equal(last(world)->page, PW_PAGE_NOT);
	world_free(world);
}

static struct pw_rules_config quick_growth(void)
{
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	rules.g08_warmup_ns = 0;
	rules.g08_min_count = 20;
	rules.g08_rising_ticks = 3;
	rules.g10_bucket_ns = STEP * PW_NS_PER_SEC;
	rules.g10_age_ns = 100 * PW_NS_PER_SEC;
	rules.g10_life_ns = HOUR * PW_NS_PER_SEC;
	rules.g10_clear_ns = 150 * PW_NS_PER_SEC;
	rules.g10_warmup_ns = 0;
	return rules;
}

/* From second on, one a second that stays, until so many alerts were told. */
static uint32_t leak(struct world *world, size_t program, uint32_t second, size_t count)
{
	for (; world->count < count && second < 2 * HOUR; second++) {
		program_spawn(&world->programs[program].statement, second, 1);
		if (second % STEP == 0)
			look(world, program, second);
	}
	assert_int_equal(world->count, count);
	return second;
}

static void growth_explains_a_pile_up_of_the_same_go_statement(void **state)
{
	struct pw_rules_config rules = quick_growth();
	struct world *world = world_new(&rules);

	(void)state;
	world->programs[0].statement.reason = "chan send";
	(void)leak(world, 0, 0, 1);
	assert_string_equal(last(world)->rule, "PW-G08");
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	(void)leak(world, 0, 100, 3);
	assert_string_equal(world->seen[1].rule, "PW-G01");
	assert_string_equal(world->seen[2].rule, "PW-G08"); /* is over for those whom it woke */
	assert_int_equal(world->seen[2].state, PW_ALERT_FIRING);
	assert_int_equal(world->seen[2].page, PW_PAGE_WITHDRAW);
	assert_int_equal(world->seen[2].hold, PW_HOLD_INHIBITED);
	assert_string_equal(world->seen[2].held_by, world->seen[1].id);
	assert_false(world->seen[2].paged);
	world_free(world);
}

static void statistics_wait_after_a_deployment(void **state)
{
	struct pw_rules_config rules = quick_growth();
	struct world *world;

	(void)state;
	rules.g08_enabled = false;
	world = world_new(&rules);
	world->programs[0].program.build = "old";
	world->programs[1].program.build = "new";
	world->programs[1].program.start_ns = EPOCH + 95 * PW_NS_PER_SEC;
	world->programs[1].statement.reason = "chan send";
	look(world, 0, 0);
	(void)leak(world, 1, 100, 1);
	assert_string_equal(last(world)->rule, "PW-G01");
	assert_int_equal(last(world)->hold, PW_HOLD_DEPLOY);
	assert_int_equal(last(world)->page, PW_PAGE_NOT);
	fault(world, 0, 500, 3); /* what can never wake is no statistics */
	assert_string_equal(last(world)->rule, "PW-G02");
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	look(world, 0, 690);
	assert_int_equal(world->count, 2);
	for (uint32_t second = 690; second < 1500; second++) {
		program_spawn(&world->programs[1].statement, second, 1);
		if (second % STEP == 0)
			look(world, 1, second);
	}
	assert_int_equal(world->count, 3); /* ten minutes later, and fifteen after the other page */
	assert_string_equal(last(world)->rule, "PW-G01");
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	world_free(world);
}

static void what_ran_before_we_looked_is_no_deployment(void **state)
{
	struct pw_rules_config rules = quick_growth();
	struct world *world;

	(void)state;
	rules.g08_enabled = false;
	world = world_new(&rules);
	world->programs[0].program.build = "old";
	world->programs[1].program.build = "new";
	world->programs[1].statement.reason = "chan send";
	look(world, 0, 0);
	(void)leak(world, 1, 100, 1);
	assert_int_equal(last(world)->page, PW_PAGE_TELL);
	world_free(world);
}

static void many_services_at_once_are_one_incident(void **state)
{
	static char names[PROGRAMS][16];
	struct world *world = world_new(NULL);
	size_t told = 0, withdrawn = 0;

	(void)state;
	for (size_t i = 0; i < PROGRAMS; i++) {
		snprintf(names[i], sizeof(names[i]), "service-%zu", i);
		world->programs[i].program.service = names[i];
		program_spawn(&world->programs[i].statement, 0, 3);
	}
	for (uint32_t second = 0; second <= STEP; second += STEP)
		for (size_t i = 0; i < PROGRAMS; i++)
			look(world, i, second);
	for (size_t i = 0; i < world->count; i++) {
		if (!strcmp(world->seen[i].rule, "PW-O01")) {
			assert_int_equal(world->seen[i].page, PW_PAGE_TELL);
			assert_int_equal(world->seen[i].level, PW_LEVEL_CRITICAL);
			assert_string_equal(world->seen[i].service, "fleet");
			print_message("%s\n", world->seen[i].text);
		} else {
			told += world->seen[i].page == PW_PAGE_TELL;
			withdrawn += world->seen[i].page == PW_PAGE_WITHDRAW;
		}
	}
	assert_int_equal(told, 20);	 /* the 21st is too many, */
	assert_int_equal(withdrawn, 20); /* and then one stands for all */
	assert_int_equal(last(world)->hold, PW_HOLD_FLEET);
	for (size_t i = 0; i < PROGRAMS - 10; i++)
		heal(world, i, 100 + 20 * (uint32_t)i);
	told = 0;
	for (size_t i = world->count - 8; i < world->count; i++) {
		told += world->seen[i].page == PW_PAGE_TELL && world->seen[i].state == PW_ALERT_FIRING;
		if (!strcmp(world->seen[i].rule, "PW-O01"))
			assert_int_equal(world->seen[i].state, PW_ALERT_RESOLVED);
	}
	assert_int_equal(told, 6); /* those that are left are told by themselves: four have had their page lately */
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_page_for_a_service_in_a_while_and_the_rest_in_the_next),
		cmocka_unit_test(a_more_severe_one_need_not_wait),
		cmocka_unit_test(services_have_budgets_of_their_own_and_what_was_not_told_ends_untold),
		cmocka_unit_test(growth_explains_a_pile_up_of_the_same_go_statement),
		cmocka_unit_test(statistics_wait_after_a_deployment),
		cmocka_unit_test(what_ran_before_we_looked_is_no_deployment),
		cmocka_unit_test(many_services_at_once_are_one_incident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
