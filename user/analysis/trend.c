/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/trend.h"

#include <math.h>

#include "base/macros.h"
#include "base/robust.h"

#define PAIRS_MAX	PW_ROBUST_PAIRS(PW_TREND_MAX)
#define TWO_SIDED_95	1.959963984540054
#define ONE_IN_1000	1e-3
#define Z_LEAST		3.09
#define BISECTION_STEPS 60

/* Ranks from 1, equal values share the middle one. */
static void rank(const double *values, size_t count, double *ret_ranks)
{
	for (size_t i = 0; i < count; i++) {
		double below = 0, same = 0;

		for (size_t j = 0; j < count; j++) {
			below += values[j] < values[i];
			same += !(values[j] < values[i]) && !(values[j] > values[i]);
		}
		ret_ranks[i] = below + (same + 1) / 2;
	}
}

/* n*: by how much fewer values there are in truth, since each is like those before it. Never below 1. */
static double correction(const double *values, size_t count, double slope)
{
	double rest[PW_TREND_MAX], ranks[PW_TREND_MAX], n = (double)count, mean, power = 0, sum = 0;

	for (size_t i = 0; i < count; i++)
		rest[i] = values[i] - slope * (double)i;
	rank(rest, count, ranks);
	mean = pw_robust_mean(ranks, count);
	for (size_t i = 0; i < count; i++)
		power += (ranks[i] - mean) * (ranks[i] - mean);
	for (size_t k = 1; k < count && power > 0; k++) {
		double r = 0, left = n - (double)k;

		for (size_t i = 0; i + k < count; i++)
			r += (ranks[i] - mean) * (ranks[i + k] - mean);
		r /= power;
		if (fabs(r) > TWO_SIDED_95 / sqrt(n))
			sum += left * (left - 1) * (left - 2) * r;
	}
	return PW_MAX(1.0, 1 + 2 / (n * (n - 1) * (n - 2)) * sum);
}

static double all_slopes(const double *values, size_t count, double *ret_slopes)
{
	size_t pairs = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			ret_slopes[pairs++] = (values[j] - values[i]) / (double)(j - i);
	pw_robust_sort(ret_slopes, pairs);
	return pw_robust_quantile_sorted(ret_slopes, pairs, 0.5);
}

bool pw_trend_test(const double *values, size_t count, struct pw_trend *ret_trend)
{
	double slopes[PAIRS_MAX], scratch[PW_TREND_MAX], s, v, reach, pairs;
	struct pw_trend trend;

	if (count < 4 || count > PW_TREND_MAX)
		return false;
	pairs = (double)count * (double)(count - 1) / 2;
	trend.slope = all_slopes(values, count, slopes);
	trend.variance_factor = correction(values, count, trend.slope);
	s = (double)pw_robust_kendall_s(values, count);
	v = pw_robust_kendall_variance(values, count, scratch) * trend.variance_factor;
	trend.z = v > 0 ? (s - (double)((s > 0) - (s < 0))) / sqrt(v) : 0;
	/* Sen 1968: the slopes so many ranks off the middle. */
	reach = TWO_SIDED_95 * sqrt(v);
	trend.slope_low = slopes[(size_t)PW_MAX(0.0, floor((pairs - reach) / 2))];
	trend.slope_high = slopes[(size_t)PW_MIN(pairs - 1, ceil((pairs + reach) / 2))];
	*ret_trend = trend;
	return true;
}

double pw_trend_z_needed(size_t tests)
{
	double wanted = ONE_IN_1000 / (double)PW_MAX(tests, (size_t)1), low = 0, high = 10;

	for (int i = 0; i < BISECTION_STEPS; i++) {
		double middle = (low + high) / 2;

		if (0.5 * erfc(middle / M_SQRT2) > wanted)
			low = middle;
		else
			high = middle;
	}
	return PW_MAX(high, Z_LEAST);
}
