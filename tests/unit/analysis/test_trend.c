/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "analysis/trend.h"
#include "base/macros.h"

/* The numbers expected here were worked out by another program (Python, from the papers' formulas). */
static void assert_near(double actual, double expected)
{
	if (!(fabs(actual - expected) <= 1e-6 * fmax(1, fabs(expected)))) {
		print_message("expected %.9g, is %.9g\n", expected, actual);
		fail();
	}
}

static void assert_trend(const double *x, size_t n, double z, double slope, double low, double high, double factor)
{
	struct pw_trend trend;

	assert_true(pw_trend_test(x, n, &trend));
	assert_near(trend.z, z);
	assert_near(trend.slope, slope);
	assert_near(trend.slope_low, low);
	assert_near(trend.slope_high, high);
	assert_near(trend.variance_factor, factor);
}

static void noise_does_not_rise(void **state)
{
	static const double x[] = {42, 51, 65, 38, 80, 50, 55, 7,  84, 20, 75, 54, 78, 32, 24,
				   75, 42, 57, 62, 20, 87, 98, 55, 62, 39, 79, 59, 5,  96, 89};

	(void)state;
	assert_trend(x, ARRAY_SIZE(x), 1.303432891, 0.666666667, -0.5, 1.894736842, 1);
}

static void a_rise_is_found_with_its_slope(void **state)
{
	static const double x[] = {6,  15, 10, 17, 19, 15, 28, 18, 16, 24, 24, 35, 44, 33, 40,
				   36, 36, 45, 36, 42, 49, 48, 57, 46, 60, 69, 59, 73, 73, 59};

	(void)state;
	assert_trend(x, ARRAY_SIZE(x), 6.448485177, 2, 1.777777778, 2.35, 1);
}

static void a_random_walk_counts_less_than_its_values(void **state)
{
	static const double x[] = {-4, -1, -6, 1,  4,  -4, -3,	-9,  -1,  -9,  -9,  -15, -18, -8,  -2,
				   7,  -2, -5, -3, -2, -2, -10, -11, -19, -26, -31, -28, -38, -46, -45};

	(void)state;
	assert_trend(x, ARRAY_SIZE(x), -2.421814405, -1.086956522, -1.947368421, -0.125, 2.497529055);
}

static void ties_are_taken_into_account(void **state)
{
	static const double pairs[] = {1, 1, 2, 2, 3, 3, 4, 4}, flat[] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5};

	(void)state;
	assert_trend(pairs, ARRAY_SIZE(pairs), 2.936835031, 0.5, 1.0 / 3, 0.6, 1);
	assert_trend(flat, ARRAY_SIZE(flat), 0, 0, 0, 0, 1);
}

static void too_few_and_too_many_values_are_refused(void **state)
{
	double x[PW_TREND_MAX + 1] = {0};
	struct pw_trend trend;

	(void)state;
	assert_false(pw_trend_test(x, 3, &trend));
	assert_false(pw_trend_test(x, PW_TREND_MAX + 1, &trend));
	assert_true(pw_trend_test(x, PW_TREND_MAX, &trend));
}

static void many_tests_demand_more_of_each(void **state)
{
	(void)state;
	assert_near(pw_trend_z_needed(0), 3.090232306);
	assert_near(pw_trend_z_needed(1), 3.090232306);
	assert_near(pw_trend_z_needed(1000), 4.753424309);
}

/* White noise passes 3.09 once in 1,000 times by construction: 20,000 series must not show more than twice that. */
static void noise_seldom_passes(void **state)
{
	uint64_t seed = 42;
	unsigned int passed = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		double x[30];
		struct pw_trend trend;

		for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			x[i] = (double)(seed >> 33);
		}
		assert_true(pw_trend_test(x, ARRAY_SIZE(x), &trend));
		passed += trend.z >= 3.09;
	}
	assert_true(passed <= 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise_does_not_rise),
		cmocka_unit_test(a_rise_is_found_with_its_slope),
		cmocka_unit_test(a_random_walk_counts_less_than_its_values),
		cmocka_unit_test(ties_are_taken_into_account),
		cmocka_unit_test(too_few_and_too_many_values_are_refused),
		cmocka_unit_test(many_tests_demand_more_of_each),
		cmocka_unit_test(noise_seldom_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
