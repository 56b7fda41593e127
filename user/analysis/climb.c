/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/climb.h"

#include <math.h>

#include "analysis/trend.h"
#include "base/macros.h"
#include "base/robust.h"
#include "model/record.h"

#define NORMAL_SAMPLES	60
#define NORMAL_QUANTILE 0.999
#define FILLED_AT_LEAST 0.6
#define ENDS		6 /* floors whose median stands for the beginning and the end */
#define GAP_NS		(600 * PW_NS_PER_SEC)
#define NS_PER_HOUR	(3600.0 * (double)PW_NS_PER_SEC)

static void set_tick(struct pw_climb *climb, const struct pw_record *record, uint64_t taken_ns)
{
	struct pw_tick *tick = &climb->tick;
	bool gap = !tick->taken_ns || taken_ns - tick->taken_ns > GAP_NS;

	*tick = (struct pw_tick){.number = tick->number + 1,
				 .taken_ns = taken_ns,
				 .wall_ns = record->wall_ns,
				 .before_ns = gap ? 0 : tick->taken_ns,
				 .before_wall_ns = gap ? 0 : tick->wall_ns};
	if (taken_ns > record->identity.start_time_ns)
		tick->uptime_ns = taken_ns - record->identity.start_time_ns;
}

bool pw_climb_add(struct pw_climb *climb, const struct pw_record *record, uint64_t bucket_ns, uint64_t taken_ns,
		  double value, bool teach)
{
	double leaving = pw_floors_oldest(&climb->floors, 0);

	if (taken_ns <= climb->tick.taken_ns)
		return false;
	set_tick(climb, record, taken_ns);
	climb->value = value;
	climb->highest = PW_MAX(climb->highest, value);
	if (!(pw_floors_add(&climb->floors, bucket_ns, taken_ns, value) & 1))
		return false;
	if (teach && leaving >= 0) {
		pw_baseline_absorb(&climb->normal, (uint64_t)leaving, 1);
		climb->normal_ns += bucket_ns;
	}
	return true;
}

double pw_climb_baseline(const struct pw_climb *climb, uint64_t least_ns)
{
	if (climb->normal.samples < NORMAL_SAMPLES || climb->normal_ns < least_ns)
		return -1;
	return pw_baseline_quantile(&climb->normal, NORMAL_QUANTILE);
}

bool pw_climb_judge(const struct pw_climb *climb, struct pw_climb_verdict *ret_verdict)
{
	double floors[PW_CLIMB_BUCKETS], scratch[PW_CLIMB_BUCKETS], filled, highest, per_hour;
	size_t count = PW_CLIMB_BUCKETS, early = PW_CLIMB_BUCKETS - PW_CLIMB_SHORT;
	struct pw_trend trend, lately;

	if (pw_floors_copy(&climb->floors, 0, floors, count, &filled) < count || filled < FILLED_AT_LEAST ||
	    !pw_trend_test(floors, count, &trend) || !pw_trend_test(floors + early, PW_CLIMB_SHORT, &lately))
		return false;
	highest = floors[0];
	for (size_t i = 1; i < early; i++)
		highest = PW_MAX(highest, floors[i]);
	per_hour = NS_PER_HOUR / (double)pw_floors_width_ns(&climb->floors, 0);
	*ret_verdict = (struct pw_climb_verdict){
		.z = trend.z,
		.short_z = lately.z,
		.rises = trend.z >= pw_trend_z_needed(1) && lately.z >= pw_trend_z_needed(1),
		.new_maximum = floors[count - 1] > highest,
		.first = pw_robust_median(floors, ENDS, scratch),
		.last = pw_robust_median(floors + count - ENDS, ENDS, scratch),
		.slope_per_hour = trend.slope * per_hour,
		.slope_low_per_hour = trend.slope_low * per_hour,
		.slope_high_per_hour = trend.slope_high * per_hour,
		.window_ns = pw_floors_width_ns(&climb->floors, 0) * count,
	};
	return true;
}

double pw_climb_eta_ns(double left, double per_hour)
{
	return per_hour > 0 ? PW_MAX(left, 0.0) / per_hour * NS_PER_HOUR : INFINITY;
}
