/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "analysis/detect_heap.h"
#include "base/macros.h"

#define MINUTE (60 * PW_NS_PER_SEC)
#define START  (1000008 * MINUTE)
#define MB     1048576.0

static const struct pw_heap_limits limits = {
	.min_growth_bytes = 32 * MB, .novel_bytes = 16 * MB, .baseline = -1, .relative = {.25, .15, .10, .10}};

static uint64_t seed;

static double noise_of(double bytes)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return ((double)(seed >> 33) / (double)(1U << 31) - 0.5) * 2 * bytes;
}

/* Feeds a live heap, a GC every 10 s; the minute at which a scale first grew 6 times in a row, or 0. */
static uint64_t first_growth(double (*live)(double minute), uint64_t minutes, size_t scale,
			     const struct pw_heap_limits *by)
{
	struct pw_floors floors = {0};
	struct pw_heap_verdict verdict;
	unsigned int held = 0;

	seed = 7;
	for (uint64_t tick = 0; tick < minutes * 6; tick++) {
		unsigned int closed = pw_floors_add(&floors, MINUTE, START + tick * 10 * PW_NS_PER_SEC,
						    live((double)tick / 6) + noise_of(4 * MB));

		if (!(closed >> scale & 1) || !pw_heap_judge(&floors, scale, by, &verdict))
			continue;
		held = verdict.grows ? held + 1 : 0;
		if (held == 6)
			return tick / 6;
	}
	return 0;
}

/* The post-mortem: 1.2 to 9.8 GB in 72 hours. */
static double post_mortem(double minute)
{
	return 1200 * MB + minute / 60 * 119 * MB;
}

static double flat(double minute)
{
	(void)minute;
	return 1200 * MB;
}

static double cache_that_fills(double minute)
{
	return 200 * MB + 800 * MB * (1 - exp(-minute / 60));
}

static double sawtooth(double minute)
{
	return 300 * MB + fmod(minute, 45) * 10 * MB;
}

static double small_leak(double minute)
{
	return 50 * MB + minute * 0.05 * MB;
}

static void a_leak_of_119_mb_an_hour_is_found_within_hours(void **state)
{
	uint64_t minute = first_growth(post_mortem, 3000, 1, &limits);

	(void)state;
	print_message("119 MB an hour: after %llu minutes\n", (unsigned long long)minute);
	assert_true(minute > 0 && minute <= 420);
}

static void what_is_level_fills_up_or_comes_back_is_no_leak(void **state)
{
	(void)state;
	for (size_t scale = 0; scale < 2; scale++) {
		assert_int_equal(first_growth(flat, 6000, scale, &limits), 0);
		assert_int_equal(first_growth(sawtooth, 6000, scale, &limits), 0);
	}
	assert_int_equal(first_growth(cache_that_fills, 6000, 1, &limits), 0);
	assert_int_equal(first_growth(small_leak, 3000, 0, &limits), 0); /* 3 MB an hour: not in an hour */
}

static void what_is_normal_is_no_news(void **state)
{
	struct pw_heap_limits known = limits;

	(void)state;
	known.baseline = 20000 * MB;
	assert_int_equal(first_growth(post_mortem, 3000, 1, &known), 0);
}

static void fill_used(struct pw_floors *used, double start, double per_minute, uint64_t minutes)
{
	seed = 11;
	for (uint64_t tick = 0; tick < minutes * 6; tick++)
		(void)pw_floors_add(used, MINUTE, START + tick * 10 * PW_NS_PER_SEC,
				    start + per_minute * (double)tick / 6 + noise_of(MB));
}

static void a_limit_that_is_near_is_said_with_its_time(void **state)
{
	struct pw_floors used = {0};
	struct pw_exhaustion out;

	(void)state;
	fill_used(&used, 750 * MB, 5 * MB, 17);
	assert_true(pw_exhaustion_judge(&used, 900 * MB, 0.7, 30.0 * MINUTE, 120.0 * MINUTE, &out));
	assert_true(out.near && !out.far);
	assert_true(out.eta_ns > 10.0 * MINUTE && out.eta_ns < 17.0 * MINUTE);
	assert_true(out.eta_low_ns <= out.eta_ns && out.eta_ns <= out.eta_high_ns);
	print_message("at 5 MB a minute: %.1f minutes left [%.1f .. %.1f]\n", out.eta_ns / MINUTE,
		      out.eta_low_ns / MINUTE, out.eta_high_ns / MINUTE);
}

static void far_away_level_or_without_a_limit_is_not_near(void **state)
{
	struct pw_floors used = {0}, level = {0}, little = {0};
	struct pw_exhaustion out;

	(void)state;
	fill_used(&used, 750 * MB, 1 * MB, 17); /* 130 minutes */
	assert_true(pw_exhaustion_judge(&used, 900 * MB, 0.7, 30.0 * MINUTE, 120.0 * MINUTE, &out));
	assert_true(!out.near && out.far);
	fill_used(&level, 880 * MB, 0, 17);
	assert_true(pw_exhaustion_judge(&level, 900 * MB, 0.7, 30.0 * MINUTE, 120.0 * MINUTE, &out));
	assert_false(out.near);
	assert_false(pw_exhaustion_judge(&used, 0, 0.7, 30.0 * MINUTE, 120.0 * MINUTE, &out));
	assert_false(pw_exhaustion_judge(&used, INFINITY, 0.7, 30.0 * MINUTE, 120.0 * MINUTE, &out));
	fill_used(&little, 750 * MB, 5 * MB, 10);
	assert_false(pw_exhaustion_judge(&little, 900 * MB, 0.7, 30.0 * MINUTE, 120.0 * MINUTE, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_of_119_mb_an_hour_is_found_within_hours),
		cmocka_unit_test(what_is_level_fills_up_or_comes_back_is_no_leak),
		cmocka_unit_test(what_is_normal_is_no_news),
		cmocka_unit_test(a_limit_that_is_near_is_said_with_its_time),
		cmocka_unit_test(far_away_level_or_without_a_limit_is_not_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
