/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/robust.h"

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void quantiles_agree_with_numpy(void **state)
{
	const double values[] = {7, 1, 3, 9};
	double scratch[4];

	(void)state; /* numpy.quantile([7, 1, 3, 9], q) */
	assert_true(near(pw_robust_quantile(values, 4, 0, scratch), 1));
	assert_true(near(pw_robust_quantile(values, 4, 0.25, scratch), 2.5));
	assert_true(near(pw_robust_median(values, 4, scratch), 5));
	assert_true(near(pw_robust_quantile(values, 4, 0.9, scratch), 8.4));
	assert_true(near(pw_robust_quantile(values, 4, 1, scratch), 9));
	assert_true(values[0] == 7); /* the input stays as it is */
	assert_true(isnan(pw_robust_median(NULL, 0, NULL)));
	assert_true(near(pw_robust_median(values, 1, scratch), 7));
}

static void the_mad_ignores_an_outlier(void **state)
{
	const double values[] = {10, 11, 9, 10, 12, 8, 1000};
	double scratch[7], median = pw_robust_median(values, 7, scratch);

	(void)state;
	assert_true(near(median, 10));
	assert_true(near(pw_robust_mad(values, 7, median, scratch), 1));
	assert_true(isnan(pw_robust_mad(values, 0, 0, scratch)));
}

static void the_slope_survives_a_restart_in_the_middle(void **state)
{
	double x[11], y[11], scratch[PW_ROBUST_PAIRS(11)];

	(void)state;
	for (int i = 0; i < 11; i++) {
		x[i] = i;
		y[i] = 100 + 2.5 * i;
	}
	y[5] = 0;
	assert_true(near(pw_robust_slope(x, y, 11, scratch), 2.5));
	assert_true(pw_robust_slope(x, y, 2, scratch) == 2.5);
	x[1] = x[0];
	assert_true(isnan(pw_robust_slope(x, y, 2, scratch))); /* no two different times */
	assert_true(isnan(pw_robust_slope(x, y, 1, scratch)));
}

static void mann_kendall_tells_a_trend_from_noise(void **state)
{
	const double rising[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, flat[] = {5, 5, 5, 5, 5, 5};
	const double ties[] = {1, 1, 2, 2, 3, 3, 4, 4};
	double falling[10], scratch[10];

	(void)state;
	for (int i = 0; i < 10; i++)
		falling[i] = 10 - i;
	assert_int_equal(pw_robust_kendall_s(rising, 10), 45);
	/* var = 10*9*25/18 = 125, Z = 44 / sqrt(125) */
	assert_true(near(pw_robust_mann_kendall_z(rising, 10, scratch), 44 / sqrt(125)));
	assert_true(near(pw_robust_mann_kendall_z(falling, 10, scratch), -44 / sqrt(125)));
	assert_true(near(pw_robust_mann_kendall_z(flat, 6, scratch), 0));
	/* S = 24, var = (8*7*21 - 4*2*1*9)/18 = 1104/18 */
	assert_true(near(pw_robust_mann_kendall_z(ties, 8, scratch), 23 / sqrt(1104.0 / 18)));
	assert_true(near(pw_robust_mann_kendall_z(rising, 2, scratch), 0));
}

static void welford_agrees_with_the_formula(void **state)
{
	const double values[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
	struct pw_welford welford = {};

	(void)state;
	assert_true(isnan(pw_welford_variance(&welford)));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		pw_welford_add(&welford, values[i]);
	assert_true(near(welford.mean, 1e9 + 10));
	assert_true(near(pw_welford_variance(&welford), 30)); /* the naive sum of squares gives garbage here */
	assert_true(near(pw_robust_mean(values, 4), 1e9 + 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_agree_with_numpy),
		cmocka_unit_test(the_mad_ignores_an_outlier),
		cmocka_unit_test(the_slope_survives_a_restart_in_the_middle),
		cmocka_unit_test(mann_kendall_tells_a_trend_from_noise),
		cmocka_unit_test(welford_agrees_with_the_formula),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
