/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SORT_H
#define PW_TARGET_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts by radix, stably and by the bits from low_bit on only; digits that all values share are skipped. scratch has
 * room for count values. (Who sorts keys made of an index below low_bit, in the order of that index, need not sort by
 * it.) Pure. */
void pw_sort_u64(uint64_t *values, size_t count, unsigned int low_bit, uint64_t *scratch);

/* Merges `fresh`, ascending, into `values`, ascending, which has room for both; drops what is there twice. Returns the
 * number of values. */
size_t pw_merge_u64(uint64_t *values, size_t count, const uint64_t *fresh, size_t fresh_count);

#endif
