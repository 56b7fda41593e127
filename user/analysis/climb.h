/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_CLIMB_H
#define PW_ANALYSIS_CLIMB_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/baseline.h"
#include "analysis/floors.h"
#include "analysis/tick.h"

struct pw_record;

/*
 * One number of a process that is looked at now and then (threads, timers, descriptors): does it rise, over an hour and
 * over its last quarter (DETECTORS 7.2; base width one minute), and what is normal for it. What has left the window
 * without an alert is normal. Plain data; zeroed is empty; pure.
 */
#define PW_CLIMB_BUCKETS 60
#define PW_CLIMB_SHORT	 15 /* of them, the newest */

struct pw_climb {
	struct pw_floors floors;
	struct pw_baseline normal;
	uint64_t normal_ns;
	double value, highest; /* the newest; of all so far */
	struct pw_tick tick;   /* of the newest look */
};

struct pw_climb_verdict {
	double z, short_z;  /* over the hour, and over its last quarter */
	bool rises;	    /* in both windows, beyond doubt */
	bool new_maximum;   /* the newest floor is above all before the last quarter */
	double first, last; /* medians of the first and the last six floors */
	double slope_per_hour, slope_low_per_hour, slope_high_per_hour;
	uint64_t window_ns;
};

/* Takes in a look; a value that is no news (not newer than the last) is not. teach: what leaves the window is normal.
 * True: a bucket has closed, so that it is time to judge. */
bool pw_climb_add(struct pw_climb *climb, const struct pw_record *record, uint64_t bucket_ns, uint64_t taken_ns,
		  double value, bool teach);
/* 99.9% of what is normal; < 0: not known, after less than so long of it. */
double pw_climb_baseline(const struct pw_climb *climb, uint64_t least_ns);
/* False: too little has been seen. */
bool pw_climb_judge(const struct pw_climb *climb, struct pw_climb_verdict *ret_verdict);
/* Until `left` more are used up at that pace, ns; INFINITY: never. */
double pw_climb_eta_ns(double left, double per_hour);

#endif
