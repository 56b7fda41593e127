/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/sort.h"

#include <stdbool.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS	   (1u << DIGIT_BITS)

/* One stable counting pass. False: all values have the same digit there, nothing was moved. */
static bool sort_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned int shift)
{
	size_t starts[DIGITS] = {0}, sum = 0;

	for (size_t i = 0; i < count; i++)
		starts[(from[i] >> shift) & (DIGITS - 1)]++;
	if (starts[(from[0] >> shift) & (DIGITS - 1)] == count)
		return false;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		size_t n = starts[digit];

		starts[digit] = sum;
		sum += n;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[(from[i] >> shift) & (DIGITS - 1)]++] = from[i];
	return true;
}

static bool is_sorted(const uint64_t *values, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (values[i] < values[i - 1])
			return false;
	return true;
}

void pw_sort_u64(uint64_t *values, size_t count, uint64_t *scratch)
{
	uint64_t *from = values, *to = scratch;

	if (is_sorted(values, count))
		return;
	for (unsigned int shift = 0; shift < 64; shift += DIGIT_BITS) {
		if (sort_digit(from, to, count, shift)) {
			uint64_t *sorted = to;

			to = from;
			from = sorted;
		}
	}
	if (from != values)
		memcpy(values, from, count * sizeof(*values));
}

size_t pw_merge_u64(uint64_t *values, size_t count, const uint64_t *fresh, size_t fresh_count)
{
	size_t old = count, add = fresh_count, at = count + fresh_count, total = at, kept = 0;

	/* from the back, so that it needs no second array */
	while (add) {
		if (old && values[old - 1] > fresh[add - 1])
			values[--at] = values[--old];
		else
			values[--at] = fresh[--add];
	}
	for (size_t i = 0; i < total; i++)
		if (!kept || values[kept - 1] != values[i])
			values[kept++] = values[i];
	return kept;
}
