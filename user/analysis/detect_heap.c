/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/detect_heap.h"
#include "analysis/detector.h"

#include <math.h>

#include "analysis/trend.h"
#include "base/macros.h"
#include "base/robust.h"

static const struct pw_rule_parameter h01_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(h01_enabled), 1, 0, 1, "judge by this rule"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(h01_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "windows are 60 and 360 of these"},
	{"min_growth_mb", PW_PARAMETER_COUNT, PW_RULE_FIELD(h01_min_growth_mb), 32, 0, 1e6,
	 "so much over the window (and 25% or 15% of what there is)"},
	{"novel_mb", PW_PARAMETER_COUNT, PW_RULE_FIELD(h01_novel_mb), 16, 0, 1e6,
	 "so much above the baseline (and 10%)"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(h01_confirm), 6, 1, 60, "at so many buckets in a row"},
	{"load", PW_PARAMETER_BOOL, PW_RULE_FIELD(h01_load), 1, 0, 1,
	 "leave out what the load explains: starts of goroutines that serve, and waits for the network"},
	{"load_spread", PW_PARAMETER_NUMBER, PW_RULE_FIELD(h01_load_spread), 0.3, 0, 1000,
	 "a load explains something if it varies by this share of its median"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(h01_clear_ns), 15 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long, and a quarter of the window, without a sure slope"},
};

const struct pw_rule pw_rule_h01 = {
	.id = "PW-H01",
	.name = "live heap grows",
	.level = PW_LEVEL_WARNING,
	.text = "What is left of the heap after each GC climbs beyond chance, over an hour or six, and does "
		"not slow "
		"down as a cache that fills up does.",
	.hint = "See which lines grow: parkwatch heap -p PID --interval 60s",
	.parameters = h01_parameters,
	.parameter_count = ARRAY_SIZE(h01_parameters),
	.off = pw_off_gc,
};

static const struct pw_rule_parameter h03_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(h03_enabled), 1, 0, 1, "judge by this rule"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(h03_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "judged over 15 of these"},
	{"share", PW_PARAMETER_NUMBER, PW_RULE_FIELD(h03_share), 0.7, 0, 1, "at least this share of the limit is used"},
	{"eta", PW_PARAMETER_DURATION, PW_RULE_FIELD(h03_eta_ns), 30 * PW_RULE_MIN, PW_RULE_SEC, 24 * PW_RULE_HOUR,
	 "the limit is so near, even by the lower bound of the pace"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(h03_confirm), 3, 1, 60, "at so many looks in a row"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(h03_clear_ns), 2 * PW_RULE_HOUR, PW_RULE_SEC,
	 7 * 24 * PW_RULE_HOUR, "resolved when it is so far away"},
};

const struct pw_rule pw_rule_h03 = {
	.id = "PW-H03",
	.name = "memory limit is near",
	.level = PW_LEVEL_CRITICAL,
	.text = "What the process's cgroup uses, without the page cache, climbs beyond chance and will soon "
		"reach its "
		"limit: the kernel then kills.",
	.hint = "See where it goes: parkwatch memory -p PID",
	.parameters = h03_parameters,
	.parameter_count = ARRAY_SIZE(h03_parameters),
	.off = pw_off_memory_limit,
};

#define NS_PER_HOUR	(3600.0 * (double)PW_NS_PER_SEC)
#define FILLED_AT_LEAST 0.6  /* GCs of an idle program come every 2 min: empty buckets are carried */
#define ENDS		6    /* floors whose median stands for the beginning and the end of a window */
#define NOVEL_SHARE	0.10 /* above what is normal */
#define NOISE_FACTOR	4    /* of the spread around the slope */
#define STILL_GROWS	0.5  /* second half against the first: a cache that fills up slows down */

/* Spread around the slope, as a standard deviation. */
static double noise(const double *values, size_t count, double slope)
{
	double rest[PW_TREND_MAX], scratch[PW_TREND_MAX];

	for (size_t i = 0; i < count; i++)
		rest[i] = values[i] - slope * (double)i;
	return PW_ROBUST_MAD_TO_SIGMA * pw_robust_mad(rest, count, pw_robust_median(rest, count, scratch), scratch);
}

static double slope_of(const double *values, size_t count)
{
	struct pw_trend trend;

	return pw_trend_test(values, count, &trend) ? trend.slope : 0;
}

static double lowest(const double *values, size_t count)
{
	double least = values[0];

	for (size_t i = 1; i < count; i++)
		least = PW_MIN(least, values[i]);
	return least;
}

/* Leaves out what the load explains, where that is known of the whole window. */
static void leave_out_load(const struct pw_heap_limits *limits, size_t scale, double *floors, size_t count)
{
	double load[PW_FLOORS_BUCKETS], filled;

	if (!limits->load || !(limits->per_load > 0) ||
	    pw_floors_copy(limits->load, scale, load, count, &filled) < count || filled < FILLED_AT_LEAST)
		return;
	for (size_t i = 0; i < count; i++)
		floors[i] -= limits->per_load * load[i];
}

bool pw_heap_judge(const struct pw_floors *live, size_t scale, const struct pw_heap_limits *limits,
		   struct pw_heap_verdict *ret_verdict)
{
	double floors[PW_FLOORS_BUCKETS], scratch[PW_FLOORS_BUCKETS], filled, per_hour, median, first_half, second_half;
	size_t count = PW_FLOORS_BUCKETS, half = count / 2, third = count / 3;
	struct pw_heap_verdict verdict = {0};
	struct pw_trend trend;
	bool novel, effect, going_on, no_return;

	if (pw_floors_copy(live, scale, floors, count, &filled) < count || filled < FILLED_AT_LEAST)
		return false;
	per_hour = NS_PER_HOUR / (double)pw_floors_width_ns(live, scale);
	median = pw_robust_median(floors, count, scratch);
	leave_out_load(limits, scale, floors, count);
	if (!pw_trend_test(floors, count, &trend))
		return false;
	verdict.window_ns = pw_floors_width_ns(live, scale) * count;
	verdict.z = trend.z;
	verdict.growth_bytes = trend.slope * (double)(count - 1);
	verdict.slope_per_hour = trend.slope * per_hour;
	verdict.slope_low_per_hour = trend.slope_low * per_hour;
	verdict.slope_high_per_hour = trend.slope_high * per_hour;
	verdict.first = pw_robust_median(floors, ENDS, scratch);
	verdict.last = pw_robust_median(floors + count - ENDS, ENDS, scratch);
	first_half = slope_of(floors, half);
	second_half = slope_of(floors + half, half);
	verdict.last_needed = limits->baseline < 0
				      ? -1
				      : limits->baseline + PW_MAX(NOVEL_SHARE * limits->baseline, limits->novel_bytes);
	novel = verdict.last >= verdict.last_needed;
	verdict.growth_needed = PW_MAX(PW_MAX(limits->min_growth_bytes, limits->relative[scale] * median),
				       NOISE_FACTOR * noise(floors, count, trend.slope));
	effect = verdict.growth_bytes >= verdict.growth_needed;
	going_on = second_half > 0 && second_half >= STILL_GROWS * first_half;
	no_return = lowest(floors + count - third, third) > pw_robust_median(floors, third, scratch);
	verdict.grows = trend.z >= pw_trend_z_needed(1) && novel && effect && going_on && no_return;
	*ret_verdict = verdict;
	return true;
}

bool pw_exhaustion_judge(const struct pw_floors *used, double limit_bytes, double share, double eta_ns, double clear_ns,
			 struct pw_exhaustion *ret_exhaustion)
{
	double floors[PW_FLOORS_BUCKETS], filled, per_hour, left;
	struct pw_exhaustion out = {.limit = limit_bytes};
	struct pw_trend trend;
	size_t count = PW_EXHAUSTION_BUCKETS;

	if (!(limit_bytes > 0) || !isfinite(limit_bytes) || pw_floors_copy(used, 0, floors, count, &filled) < count ||
	    filled < FILLED_AT_LEAST || !pw_trend_test(floors, count, &trend))
		return false;
	per_hour = NS_PER_HOUR / (double)pw_floors_width_ns(used, 0);
	out.used = floors[count - 1];
	out.slope_per_hour = trend.slope * per_hour;
	out.z = trend.z;
	left = PW_MAX(0.0, limit_bytes - out.used);
	out.eta_ns = trend.slope > 0 ? left / (trend.slope * per_hour) * NS_PER_HOUR : INFINITY;
	out.eta_low_ns = trend.slope_high > 0 ? left / (trend.slope_high * per_hour) * NS_PER_HOUR : INFINITY;
	out.eta_high_ns = trend.slope_low > 0 ? left / (trend.slope_low * per_hour) * NS_PER_HOUR : INFINITY;
	out.near = out.used >= share * limit_bytes && trend.z >= pw_trend_z_needed(1) && out.eta_high_ns < eta_ns;
	out.far = out.eta_ns > clear_ns;
	*ret_exhaustion = out;
	return true;
}
