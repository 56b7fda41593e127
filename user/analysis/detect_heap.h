/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DETECT_HEAP_H
#define PW_ANALYSIS_DETECT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/floors.h"

/*
 * Does memory climb? PW-H01, the live heap after each GC (DETECTORS 7.3), and PW-H03, memory in use against its limit.
 * Pure functions of floors; bytes throughout.
 */
struct pw_heap_limits {
	double min_growth_bytes;	   /* 32 MB over the window */
	double novel_bytes;		   /* 16 MB above what is normal */
	double baseline;		   /* 99.9% of what is normal at that scale; < 0: not known */
	const struct pw_floors *load;	   /* beside those of the heap; NULL: not known */
	double per_load;		   /* bytes that a unit of it takes: they are left out */
	double relative[PW_FLOORS_SCALES]; /* .25 .15 .10 .10 of the median, over the window */
};

struct pw_heap_verdict {
	bool grows;
	uint64_t window_ns;
	double z, growth_bytes; /* over the window, by the slope */
	double slope_per_hour, slope_low_per_hour, slope_high_per_hour;
	double first, last;		   /* medians of the first and the last six floors */
	double growth_needed, last_needed; /* what growth_bytes and last had to reach; the latter < 0: no baseline */
};

/* Judges a window of 60 floors: false if less than 60% of it has been seen. */
bool pw_heap_judge(const struct pw_floors *live, size_t scale, const struct pw_heap_limits *limits,
		   struct pw_heap_verdict *ret_verdict);

#define PW_EXHAUSTION_BUCKETS 15 /* base widths that it is judged over */

struct pw_exhaustion {
	bool near; /* fires, if it stays so */
	bool far;  /* more than clear_ns away, or not coming at all */
	double used, limit, slope_per_hour, z;
	double eta_ns, eta_low_ns, eta_high_ns; /* INFINITY: never at this pace */
};

/*
 * Memory in use over 15 base widths against a limit: near when at least `share` of it is used, it climbs beyond doubt,
 * and even at the lower bound of its pace is there within eta_ns. False if too little has been seen, or no limit.
 */
bool pw_exhaustion_judge(const struct pw_floors *used, double limit_bytes, double share, double eta_ns, double clear_ns,
			 struct pw_exhaustion *ret_exhaustion);

#endif
