/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "analysis/floors.h"
#include "analysis/survivors.h"
#include "base/macros.h"

#define MINUTE (60 * PW_NS_PER_SEC)
#define START  (1000000 * MINUTE)

static const struct pw_survivor_limits limits = {.base_ns = MINUTE,
						 .life_ns = 360 * MINUTE,
						 .min_added = 50,
						 .min_slope = 25,
						 .baseline_factor = 1.25,
						 .baseline_margin = 50,
						 .baseline = -1,
						 .tests = 1};

/* --- floors ------------------------------------------------------------------------------------------------------ */

static void a_bucket_keeps_its_lowest_value(void **state)
{
	struct pw_floors floors = {0};
	double values[PW_FLOORS_BUCKETS], filled;

	(void)state;
	assert_int_equal(pw_floors_add(&floors, MINUTE, START, 7), 0);
	assert_int_equal(pw_floors_add(&floors, MINUTE, START + 10 * PW_NS_PER_SEC, 3), 0);
	assert_int_equal(pw_floors_add(&floors, MINUTE, START + 50 * PW_NS_PER_SEC, 9), 0);
	assert_int_equal(pw_floors_add(&floors, MINUTE, START + MINUTE, 5) & 1, 1);
	assert_int_equal(pw_floors_copy(&floors, 0, values, 60, &filled), 1);
	assert_true(values[0] > 2.9 && values[0] < 3.1);
	assert_true(filled > 0.99);
}

static void an_empty_bucket_carries_the_one_before_it(void **state)
{
	struct pw_floors floors = {0};
	double values[PW_FLOORS_BUCKETS], filled;

	(void)state;
	(void)pw_floors_add(&floors, MINUTE, START, 7);
	(void)pw_floors_add(&floors, MINUTE, START + 3 * MINUTE, 9);
	(void)pw_floors_add(&floors, MINUTE, START + 4 * MINUTE, 1);
	assert_int_equal(pw_floors_copy(&floors, 0, values, 60, &filled), 4);
	assert_true(values[0] == 7 && values[1] == 7 && values[2] == 7 && values[3] == 9);
	assert_true(filled > 0.49 && filled < 0.51);
	assert_int_equal(pw_floors_copy(&floors, 0, values, 3, &filled), 0); /* would begin with an empty one */
}

static void a_long_gap_and_a_time_that_goes_back_begin_anew(void **state)
{
	struct pw_floors floors = {0};
	double values[PW_FLOORS_BUCKETS], filled;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		(void)pw_floors_add(&floors, MINUTE, START + i * MINUTE, (double)i);
	assert_int_equal(pw_floors_copy(&floors, 0, values, 60, &filled), 60);
	assert_true(values[59] == 98);
	assert_int_equal(pw_floors_copy(&floors, 1, values, 60, &filled), 17); /* START is no multiple of 6 */
	(void)pw_floors_add(&floors, MINUTE, START + 1000 * MINUTE, 5);
	assert_int_equal(pw_floors_copy(&floors, 0, values, 60, &filled), 0);
	(void)pw_floors_add(&floors, MINUTE, START, 5);
	assert_int_equal(pw_floors_copy(&floors, 1, values, 60, &filled), 0);
	assert_int_equal(pw_floors_add(&floors, 2 * MINUTE, START + MINUTE, 5), 0); /* another width, too */
	assert_int_equal(pw_floors_width_ns(&floors, 3), 144 * MINUTE);
}

/* --- survivors --------------------------------------------------------------------------------------------------- */

static void the_bound_of_a_life_is_that_of_the_chi_square(void **state)
{
	static const struct {
		double exits, upper; /* of the Poisson mean, 95%: exact, from the sum of its terms */
	} known[] = {{0, 2.995732274}, {1, 4.743864518}, {5, 10.513034909}, {20, 29.062018840}, {100, 118.079272782}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_true(fabs(pw_survivors_life(1000, known[i].exits) * known[i].upper / 1000 - 1) < 0.005);
}

/* One minute of a site after another: born(i) become old, ended(old) old ones end. Returns windows that fired, by mask.
 */
static unsigned int simulate(uint64_t minutes, double (*born)(uint64_t minute), double (*ended)(uint64_t old),
			     const struct pw_survivor_limits *by, uint64_t *ret_first)
{
	struct pw_survivors survivors = {0};
	struct pw_survivor_verdict verdict;
	double births = 0, ends = 0;
	uint64_t old = 0;
	unsigned int fired = 0;

	for (uint64_t minute = 0; minute < minutes; minute++)
		for (uint64_t tick = 0; tick < 6; tick++) {
			struct pw_survivor_sample sample = {.elapsed_ns = MINUTE / 6};
			unsigned int judged;

			births += born(minute) / 6;
			ends += ended(old) / 6;
			sample.arrivals = (uint64_t)births;
			births -= (double)sample.arrivals;
			sample.exits = PW_MIN((uint64_t)ends, old + sample.arrivals);
			ends -= (double)(uint64_t)ends;
			old += sample.arrivals - sample.exits;
			sample.old = old;
			judged = pw_survivors_add(&survivors, by, START + minute * MINUTE + tick * MINUTE / 6, &sample);
			for (size_t window = 0; window < PW_SURVIVOR_WINDOWS; window++)
				if (judged >> window & 1 && pw_survivors_judge(&survivors, window, by, &verdict) &&
				    survivors.held[window] >= 3) {
					if (!fired && ret_first)
						*ret_first = minute;
					fired |= 1U << window;
				}
		}
	return fired;
}

static double none(uint64_t minute pw_unused)
{
	return 0;
}

static double ten_a_minute(uint64_t minute pw_unused)
{
	return 10;
}

static double one_in_two_minutes(uint64_t minute pw_unused)
{
	return 0.5;
}

static double after_two_hours(uint64_t old)
{
	return (double)old / 120;
}

static double until_noon(uint64_t minute)
{
	return minute < 30 ? 10 : 0;
}

static void a_leak_is_found_in_the_shortest_window_that_can_tell(void **state)
{
	uint64_t first = 0;

	(void)state;
	assert_true(simulate(120, ten_a_minute, none, &limits, &first) & 1);
	assert_true(first <= 30);
	print_message("10 a minute: after %llu minutes\n", (unsigned long long)first);
	/* 30 an hour: too slow for 15 minutes and an hour, not for six */
	assert_int_equal(simulate(1000, one_in_two_minutes, none, &limits, &first) & 3, 0);
	assert_true(simulate(1000, one_in_two_minutes, none, &limits, &first) & 4);
	print_message("30 an hour: after %llu minutes\n", (unsigned long long)first);
}

static void those_that_end_too_are_no_leak(void **state)
{
	(void)state;
	assert_int_equal(simulate(3000, ten_a_minute, ten_a_minute, &limits, NULL), 0);
	/* a site that fills up to 1,200, each living two hours: it grows for hours, and is no leak */
	assert_int_equal(simulate(3000, ten_a_minute, after_two_hours, &limits, NULL), 0);
}

static void growth_that_has_stopped_is_no_leak(void **state)
{
	(void)state;
	assert_int_equal(simulate(3000, until_noon, none, &limits, NULL) & ~1U, 0);
}

static void a_baseline_and_a_pool_demand_more(void **state)
{
	struct pw_survivor_limits more = limits;

	(void)state;
	more.baseline = 100000;
	assert_int_equal(simulate(200, ten_a_minute, none, &more, NULL), 0);
	more = limits;
	more.pool_least = 4000;
	assert_int_equal(simulate(200, ten_a_minute, none, &more, NULL), 0);
	assert_int_not_equal(simulate(600, ten_a_minute, none, &more, NULL), 0);
}

static void shorter_windows_judge_sooner(void **state)
{
	struct pw_survivor_limits quick = limits;
	struct pw_survivors survivors = {0};
	struct pw_survivor_verdict verdict = {0};
	uint64_t second;

	(void)state;
	quick.base_ns = PW_NS_PER_SEC;
	quick.life_ns = 60 * PW_NS_PER_SEC;
	for (second = 0; second < 200; second++) {
		struct pw_survivor_sample sample = {.old = second * 10, .arrivals = 10, .elapsed_ns = PW_NS_PER_SEC};
		unsigned int judged = pw_survivors_add(&survivors, &quick, START + second * PW_NS_PER_SEC, &sample);

		if (judged & 1 && pw_survivors_judge(&survivors, 0, &quick, &verdict) && survivors.held[0] >= 3)
			break;
	}
	assert_true(second < 25);
	assert_int_equal(verdict.window_ns, 15 * PW_NS_PER_SEC);
	assert_true(fabs(verdict.slope_per_hour - 36000) < 1);
	assert_true(fabs(verdict.arrivals_per_hour - 36000) < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_keeps_its_lowest_value),
		cmocka_unit_test(an_empty_bucket_carries_the_one_before_it),
		cmocka_unit_test(a_long_gap_and_a_time_that_goes_back_begin_anew),
		cmocka_unit_test(the_bound_of_a_life_is_that_of_the_chi_square),
		cmocka_unit_test(a_leak_is_found_in_the_shortest_window_that_can_tell),
		cmocka_unit_test(those_that_end_too_are_no_leak),
		cmocka_unit_test(growth_that_has_stopped_is_no_leak),
		cmocka_unit_test(a_baseline_and_a_pool_demand_more),
		cmocka_unit_test(shorter_windows_judge_sooner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
