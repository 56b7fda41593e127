/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/survivors.h"

#include <math.h>

#include "analysis/trend.h"
#include "base/macros.h"

#define NS_PER_HOUR	(3600.0 * (double)PW_NS_PER_SEC)
#define NORMAL_95	1.6448536269514722
#define HALF_AT_LEAST	0.5 /* arrivals of the second half against the first */
#define LIVES_AT_LEAST	4   /* windows */
#define FILLED_AT_LEAST 0.6 /* of the buckets */

static const struct {
	uint8_t scale, buckets;
} windows[PW_SURVIVOR_WINDOWS] = {{0, 15}, {0, 60}, {1, 60}, {2, 60}};

double pw_survivors_life(double exposure, double exits)
{
	double k = 2 * exits + 2, root;

	if (exits <= 0)
		return exposure / -log(0.05);
	root = 1 - 2 / (9 * k) + NORMAL_95 * sqrt(2 / (9 * k));
	return exposure / (k / 2 * root * root * root);
}

/* Empties the places of buckets that were passed over. */
static void advance(struct pw_survivors *survivors, size_t scale, uint64_t number)
{
	uint64_t from = survivors->bucket[scale] + 1;

	if (number < from)
		return;
	if (number - from >= PW_FLOORS_BUCKETS)
		from = number - PW_FLOORS_BUCKETS + 1;
	for (uint64_t i = from; i <= number; i++) {
		size_t place = i % PW_FLOORS_BUCKETS;

		survivors->arrivals[scale][place] = survivors->exits[scale][place] = 0;
		survivors->exposure[scale][place] = 0;
	}
	survivors->bucket[scale] = number;
}

unsigned int pw_survivors_add(struct pw_survivors *survivors, const struct pw_survivor_limits *limits, uint64_t now_ns,
			      const struct pw_survivor_sample *sample)
{
	unsigned int closed, judged = 0;

	if (survivors->old.base_ns != limits->base_ns || now_ns / limits->base_ns < survivors->old.bucket[0])
		*survivors = (struct pw_survivors){0};
	closed = pw_floors_add(&survivors->old, limits->base_ns, now_ns, (double)sample->old);
	for (size_t scale = 0; scale < PW_SURVIVOR_SCALES; scale++) {
		uint64_t number = survivors->old.bucket[scale];
		size_t place = number % PW_FLOORS_BUCKETS;

		advance(survivors, scale, number);
		survivors->arrivals[scale][place] += (float)sample->arrivals;
		survivors->exits[scale][place] += (float)sample->exits;
		survivors->exposure[scale][place] +=
			(float)((double)sample->old * (double)sample->elapsed_ns / (double)PW_NS_PER_SEC);
	}
	for (size_t window = 0; window < PW_SURVIVOR_WINDOWS; window++)
		judged |= (closed >> windows[window].scale & 1) << window;
	return judged;
}

struct sums {
	double arrivals, exits, exposure, quarter[4];
};

/* Of the closed buckets of a window. */
static void sum_up(const struct pw_survivors *survivors, size_t window, struct sums *ret_sums)
{
	size_t scale = windows[window].scale, count = windows[window].buckets;

	*ret_sums = (struct sums){0};
	for (size_t i = 0; i < count; i++) {
		size_t place = (survivors->bucket[scale] - count + i) % PW_FLOORS_BUCKETS;

		ret_sums->arrivals += (double)survivors->arrivals[scale][place];
		ret_sums->exits += (double)survivors->exits[scale][place];
		ret_sums->exposure += (double)survivors->exposure[scale][place];
		ret_sums->quarter[i * 4 / count] += (double)survivors->arrivals[scale][place];
	}
}

static bool keeps_arriving(const struct sums *sums)
{
	const double *quarter = sums->quarter;

	return quarter[0] > 0 && quarter[1] > 0 && quarter[2] > 0 && quarter[3] > 0 &&
	       quarter[2] + quarter[3] >= HALF_AT_LEAST * (quarter[0] + quarter[1]);
}

bool pw_survivors_judge(struct pw_survivors *survivors, size_t window, const struct pw_survivor_limits *limits,
			struct pw_survivor_verdict *ret_verdict)
{
	double floors[PW_FLOORS_BUCKETS], filled, needed;
	size_t scale = windows[window].scale, count = windows[window].buckets;
	struct pw_survivor_verdict verdict = {0};
	struct pw_trend trend;
	struct sums sums;
	double steps_per_hour, hours;

	if (pw_floors_copy(&survivors->old, scale, floors, count, &filled) < count || filled < FILLED_AT_LEAST ||
	    !pw_trend_test(floors, count, &trend))
		return false;
	sum_up(survivors, window, &sums);
	steps_per_hour = NS_PER_HOUR / (double)pw_floors_width_ns(&survivors->old, scale);
	hours = (double)count / steps_per_hour;
	verdict.window_ns = pw_floors_width_ns(&survivors->old, scale) * count;
	verdict.z = trend.z;
	verdict.slope_per_hour = trend.slope * steps_per_hour;
	verdict.slope_low_per_hour = trend.slope_low * steps_per_hour;
	verdict.slope_high_per_hour = trend.slope_high * steps_per_hour;
	verdict.arrivals_per_hour = sums.arrivals / hours;
	verdict.exits_per_hour = sums.exits / hours;
	verdict.old = floors[count - 1];
	verdict.added = verdict.old - floors[0];
	verdict.rise = trend.slope * (double)(count - 1);
	verdict.life_ns = pw_survivors_life(sums.exposure, sums.exits) * (double)PW_NS_PER_SEC;
	needed = limits->baseline < 0 ? 0 : limits->baseline_factor * limits->baseline + limits->baseline_margin;
	verdict.old_needed = PW_MAX(needed, limits->pool_least);
	verdict.life_needed_ns = PW_MAX((double)limits->life_ns, LIVES_AT_LEAST * (double)verdict.window_ns);
	verdict.z_needed = pw_trend_z_needed(limits->tests);
	verdict.grows = verdict.life_ns >= verdict.life_needed_ns && keeps_arriving(&sums) &&
			verdict.added >= limits->min_added && verdict.old >= verdict.old_needed &&
			trend.z >= verdict.z_needed && verdict.rise >= limits->min_slope;
	survivors->held[window] = verdict.grows ? (uint8_t)PW_MIN(survivors->held[window] + 1, UINT8_MAX) : 0;
	*ret_verdict = verdict;
	return true;
}
