/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/baseline.h"

#include <string.h>

/*
 * Only multiplications and comparisons of doubles, which IEEE 754 fixes to the bit: log() and pow() of two C libraries
 * may differ in the last digit, and then a replay on another machine would not give the same alert.
 */
#define GAMMA (1.02 / 0.98)

static uint32_t bin_of(uint64_t value)
{
	double edge = 1;
	uint32_t bin = 1;

	if (value == 0)
		return 0;
	while (edge < (double)value) {
		edge *= GAMMA;
		bin++;
	}
	return bin;
}

/* The middle of a bin, whose edges are gamma^(bin-2) and gamma^(bin-1): at most 2% from any value in it. */
static double value_of(uint32_t bin)
{
	double edge = 1;

	if (bin <= 1)
		return bin;
	for (uint32_t i = 1; i < bin; i++)
		edge *= GAMMA;
	return 2 * edge / (GAMMA + 1);
}

/* All counts halved when one would overflow: the shape stays, what is old weighs less. */
static void halve(struct pw_baseline *baseline)
{
	baseline->samples = 0;
	for (uint32_t i = 0; i < baseline->bin_count; i++) {
		baseline->bins[i].count = (baseline->bins[i].count + 1) / 2;
		baseline->samples += baseline->bins[i].count;
	}
}

static struct pw_baseline_bin *insert(struct pw_baseline *baseline, uint32_t at, uint32_t index)
{
	if (baseline->bin_count == PW_BASELINE_BINS) {
		if (at == 0) /* lower than all: goes into the lowest, which is where merging would put it */
			return &baseline->bins[0];
		baseline->bins[1].count += baseline->bins[0].count;
		memmove(&baseline->bins[0], &baseline->bins[1], (PW_BASELINE_BINS - 1) * sizeof(baseline->bins[0]));
		baseline->bin_count--;
		at--;
		if (at == 0)
			return &baseline->bins[0];
	}
	memmove(&baseline->bins[at + 1], &baseline->bins[at], (baseline->bin_count - at) * sizeof(baseline->bins[0]));
	baseline->bin_count++;
	baseline->bins[at] = (struct pw_baseline_bin){.index = index};
	return &baseline->bins[at];
}

static void absorb_bin(struct pw_baseline *baseline, uint32_t index, uint64_t count)
{
	struct pw_baseline_bin *bin;
	uint32_t at = 0;

	if (!count)
		return;
	while (at < baseline->bin_count && baseline->bins[at].index < index)
		at++;
	if (at < baseline->bin_count && baseline->bins[at].index == index)
		bin = &baseline->bins[at];
	else
		bin = insert(baseline, at, index);
	while (count > UINT32_MAX / 4 || bin->count > UINT32_MAX / 2) {
		halve(baseline);
		count = (count + 1) / 2;
	}
	bin->count += (uint32_t)count;
	baseline->samples += count;
}

void pw_baseline_absorb(struct pw_baseline *baseline, uint64_t value, uint64_t count)
{
	absorb_bin(baseline, bin_of(value), count);
}

void pw_baseline_merge(struct pw_baseline *baseline, const struct pw_baseline *other)
{
	for (uint32_t i = 0; i < other->bin_count; i++)
		absorb_bin(baseline, other->bins[i].index, other->bins[i].count);
}

double pw_baseline_quantile(const struct pw_baseline *baseline, double q)
{
	double rank = q * (double)baseline->samples, seen = 0;

	for (uint32_t i = 0; i < baseline->bin_count; i++) {
		seen += baseline->bins[i].count;
		if (seen >= rank)
			return value_of(baseline->bins[i].index);
	}
	return baseline->bin_count ? value_of(baseline->bins[baseline->bin_count - 1].index) : 0;
}
