/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_SURVIVORS_H
#define PW_ANALYSIS_SURVIVORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/floors.h"

/*
 * Growth of one site by its survivors (DETECTORS 7.4): not by how many goroutines there are, but by how many become old
 * and by how few old ones end. Four windows, 15, 60, 360 and 1,440 base widths long (base one minute: 15 m, 1 h, 6 h,
 * 24 h). Plain data; zeroed is empty; pure.
 */
#define PW_SURVIVOR_WINDOWS 4
#define PW_SURVIVOR_SCALES  3

struct pw_survivors {
	struct pw_floors old;				       /* how many are old */
	float arrivals[PW_SURVIVOR_SCALES][PW_FLOORS_BUCKETS]; /* became old */
	float exits[PW_SURVIVOR_SCALES][PW_FLOORS_BUCKETS];    /* old ones that ended */
	float exposure[PW_SURVIVOR_SCALES][PW_FLOORS_BUCKETS]; /* old x seconds */
	uint64_t bucket[PW_SURVIVOR_SCALES];		       /* under way */
	uint8_t held[PW_SURVIVOR_WINDOWS];		       /* judged so often in a row as growing */
};

struct pw_survivor_sample {
	uint64_t old; /* live, of at least the age */
	uint64_t arrivals, exits;
	uint64_t elapsed_ns; /* since the sample before; 0: first, or after a gap */
};

struct pw_survivor_limits {	/* DETECTORS 7.4 */
	uint64_t base_ns;	/* 1 min */
	uint64_t life_ns;	/* 6 h: old ones surely live that long */
	double min_added;	/* 50 in the window */
	double min_slope;	/* 25 over the window */
	double baseline_factor; /* 1.25 */
	double baseline_margin; /* 50 */
	double baseline;	/* 99.9% of what is normal; < 0: not known */
	double pool_least;	/* of a pool of waiting workers so many are needed at least; 0: it is none */
	size_t tests;		/* sites judged at once */
};

struct pw_survivor_verdict {
	bool grows; /* all of it holds */
	uint64_t window_ns;
	double z, slope_per_hour, slope_low_per_hour, slope_high_per_hour;
	double arrivals_per_hour, exits_per_hour, added;
	double life_ns;	  /* lower bound, 95%, of the mean time that an old one still lives */
	double old, rise; /* at the end of the window; over it, by the slope */
	double life_needed_ns, old_needed, z_needed; /* what life_ns, old and z had to reach */
};

/* Takes in a sample. Returns a mask of the windows that are to be judged anew. */
unsigned int pw_survivors_add(struct pw_survivors *survivors, const struct pw_survivor_limits *limits, uint64_t now_ns,
			      const struct pw_survivor_sample *sample);

/* Judges a window, and counts in survivors->held how often in a row it grew. False: too little of it has been seen. */
bool pw_survivors_judge(struct pw_survivors *survivors, size_t window, const struct pw_survivor_limits *limits,
			struct pw_survivor_verdict *ret_verdict);

/* 95% lower bound of a mean life, in the unit of the exposure, when `exits` have ended in it (exact for 0; Wilson and
 * Hilferty's chi-square else). */
double pw_survivors_life(double exposure, double exits);

#endif
