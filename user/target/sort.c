/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/sort.h"

#include <stdbool.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS	   (1u << DIGIT_BITS)

/* One stable counting pass. */
static void sort_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned int shift)
{
	size_t starts[DIGITS] = {0}, sum = 0;

	for (size_t i = 0; i < count; i++)
		starts[(from[i] >> shift) & (DIGITS - 1)]++;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		size_t n = starts[digit];

		starts[digit] = sum;
		sum += n;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[(from[i] >> shift) & (DIGITS - 1)]++] = from[i];
}

/* The bits, from low_bit on, that are not the same in all values; 0: they are in order already. */
static uint64_t bits_to_sort(const uint64_t *values, size_t count, unsigned int low_bit)
{
	uint64_t differ = 0;
	bool sorted = true;

	for (size_t i = 1; i < count; i++) {
		differ |= values[i] ^ values[0];
		sorted &= values[i - 1] >> low_bit <= values[i] >> low_bit;
	}
	return sorted ? 0 : differ >> low_bit << low_bit;
}

void pw_sort_u64(uint64_t *values, size_t count, unsigned int low_bit, uint64_t *scratch)
{
	uint64_t *from = values, *to = scratch, differ = bits_to_sort(values, count, low_bit);

	while (differ) {
		unsigned int shift = (unsigned int)__builtin_ctzll(differ);
		uint64_t *sorted = to;

		sort_digit(from, to, count, shift);
		to = from;
		from = sorted;
		differ = shift + DIGIT_BITS < 64 ? differ >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS) : 0;
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
