/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_BASELINE_H
#define PW_ANALYSIS_BASELINE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is normal for one signal: a histogram of its values over healthy time with bins of constant relative width
 * (alpha = 2%, gamma = 1.02 / 0.98, DETECTORS 7.1), so that quantiles are right within 2% from 1 to 2^64 in little
 * memory. Bins are kept sparsely, as most signals visit few; beyond PW_BASELINE_BINS the two lowest are merged, which
 * only blurs the low quantiles, never those we ask for. Plain data: copied, compared and freed as it is.
 */
#define PW_BASELINE_BINS 48

struct pw_baseline_bin {
	uint32_t index; /* smallest i with x <= gamma^(i-1); 0 is x = 0 */
	uint32_t count;
};

struct pw_baseline {
	uint64_t samples;
	uint32_t bin_count;
	struct pw_baseline_bin bins[PW_BASELINE_BINS]; /* by index */
};

/* Takes in count observations of value. The oldest weigh less once 2^31 are in one bin. */
void pw_baseline_absorb(struct pw_baseline *baseline, uint64_t value, uint64_t count);

/* Takes in all that another one has seen. */
void pw_baseline_merge(struct pw_baseline *baseline, const struct pw_baseline *other);

/* The value that a share q of the samples does not exceed, within 2%; 0 without samples. */
double pw_baseline_quantile(const struct pw_baseline *baseline, double q);

#endif
