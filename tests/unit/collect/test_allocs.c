/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/allocs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS 1000000ULL

static void without_a_budget_probes_stay(void **state)
{
	(void)state;
	assert_true(pw_allocs_within_budget(true, 1000 * MS, 1, -1, 0.5));
}

static void a_burst_may_spend_a_second_ahead(void **state)
{
	(void)state;
	assert_true(pw_allocs_within_budget(true, 10 * MS, 0, 1, 0.5)); /* 1% of the first second */
	assert_false(pw_allocs_within_budget(true, 10 * MS + 1, 0, 1, 0.5));
	assert_true(pw_allocs_within_budget(true, 20 * MS, 1000 * MS, 1, 0.5));
}

static void detached_probes_come_back_when_half_a_second_is_saved(void **state)
{
	(void)state;
	assert_false(pw_allocs_within_budget(false, 10 * MS + 1, 0, 1, 0.5));
	assert_false(pw_allocs_within_budget(false, 10 * MS, 400 * MS, 1, 0.5));
	assert_true(pw_allocs_within_budget(false, 10 * MS, 500 * MS, 1, 0.5));
}

static void how_much_is_saved_is_a_matter_of_chance(void **state)
{
	(void)state;
	assert_false(pw_allocs_within_budget(false, 10 * MS, 249 * MS, 1, 0));
	assert_true(pw_allocs_within_budget(false, 10 * MS, 251 * MS, 1, 0));
	assert_false(pw_allocs_within_budget(false, 10 * MS, 749 * MS, 1, 1));
	assert_true(pw_allocs_within_budget(false, 10 * MS, 751 * MS, 1, 1));
}

/* In the long run the part of the time that they are attached is what the budget allows. */
static void a_steady_load_is_held_to_the_budget(void **state)
{
	uint64_t cost = 0, elapsed = 0;
	bool attached = true;

	(void)state;
	for (int i = 0; i < 2000; i++) { /* 100 s, and attached it would cost 10% */
		elapsed += 50 * MS;
		cost += attached ? 5 * MS : 0;
		attached = pw_allocs_within_budget(attached, cost, elapsed, 1, 0.5);
	}
	assert_in_range(cost, elapsed / 100 - 10 * MS, elapsed / 100 + 15 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_budget_probes_stay),
		cmocka_unit_test(a_burst_may_spend_a_second_ahead),
		cmocka_unit_test(detached_probes_come_back_when_half_a_second_is_saved),
		cmocka_unit_test(how_much_is_saved_is_a_matter_of_chance),
		cmocka_unit_test(a_steady_load_is_held_to_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
