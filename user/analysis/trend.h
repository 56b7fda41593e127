/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_TREND_H
#define PW_ANALYSIS_TREND_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does a series rise? The Mann-Kendall test with ties, its variance widened for what neighbours have in common (Hamed
 * and Rao 1998, on the ranks of the series without its slope), and the Theil-Sen slope with its 95% bounds (DETECTORS
 * 7.2). Values are equally far apart. Pure.
 */
#define PW_TREND_MAX 60

struct pw_trend {
	double z;			     /* above 3.09: rises, at 1 in 1,000 */
	double slope, slope_low, slope_high; /* per step */
	double variance_factor;		     /* by which neighbours widened the variance; 1: they are independent */
};

/* False for fewer than 4 values, or more than PW_TREND_MAX. */
bool pw_trend_test(const double *values, size_t count, struct pw_trend *ret_trend);

/* The z that one of `tests` tests at once exceeds by chance once in 1,000 times at most (Bonferroni), at least 3.09. */
double pw_trend_z_needed(size_t tests);

#endif
