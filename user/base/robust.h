/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

/*
 * Robust statistics; pure. Inputs are finite. Functions that reorder say so; scratch is the caller's. An empty input
 * gives NaN.
 */

/* Sorts ascending in place. */
void pw_robust_sort(double *values, size_t count);

/* Quantile q in [0,1] of sorted values, linear between neighbours (type 7, as numpy and R). */
double pw_robust_quantile_sorted(const double *sorted, size_t count, double q);

/* As above for any order; scratch holds count values. */
double pw_robust_quantile(const double *values, size_t count, double q, double *scratch);
double pw_robust_median(const double *values, size_t count, double *scratch);

/* Median absolute deviation from center, unscaled (times 1.4826 estimates sigma of a normal); scratch holds count. */
double pw_robust_mad(const double *values, size_t count, double center, double *scratch);
#define PW_ROBUST_MAD_TO_SIGMA 1.4826

/*
 * Theil-Sen: the median of the slopes of all pairs with different x; NaN when there is none. scratch holds
 * count * (count - 1) / 2 values (PW_ROBUST_PAIRS).
 */
#define PW_ROBUST_PAIRS(count) ((count) * ((count)-1) / 2)
double pw_robust_slope(const double *x, const double *y, size_t count, double *scratch);

/* Kendall's S of y over time order: pairs that rise minus pairs that fall. */
int64_t pw_robust_kendall_s(const double *y, size_t count);

/* Variance of S if every order were equally likely, less what ties take from it; scratch holds count values. */
double pw_robust_kendall_variance(const double *y, size_t count, double *scratch);

/* Mann-Kendall Z with tie correction and continuity: above 1.64 rises at 5% one-sided; 0 for fewer than 3 values. */
double pw_robust_mann_kendall_z(const double *y, size_t count, double *scratch);

double pw_robust_mean(const double *values, size_t count);

/* Running mean and variance (Welford). Zeroed is empty. */
struct pw_welford {
	uint64_t count;
	double mean;
	double m2;
};
void pw_welford_add(struct pw_welford *welford, double value);
double pw_welford_variance(const struct pw_welford *welford); /* of the sample; NaN for fewer than 2 */
