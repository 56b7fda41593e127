/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/floors.h"

#include <string.h>

#include "base/macros.h"

static const uint16_t widths[PW_FLOORS_SCALES] = {1, 6, 24, 72}; /* in base widths */

uint64_t pw_floors_width_ns(const struct pw_floors *floors, size_t scale)
{
	return scale < PW_FLOORS_SCALES ? floors->base_ns * widths[scale] : 0;
}

/* Closes the bucket under way, and `empty` ones behind it. */
static void close_buckets(struct pw_floors *floors, size_t scale, uint64_t empty)
{
	uint64_t number = floors->bucket[scale];

	for (uint64_t i = 0; i <= PW_MIN(empty, (uint64_t)PW_FLOORS_BUCKETS); i++, number++) {
		size_t place = number % PW_FLOORS_BUCKETS;
		bool filled = !i && floors->open[scale];

		floors->ring[scale][place] = filled ? floors->minimum[scale] : 0;
		floors->filled[scale] &= ~(1ULL << place);
		floors->filled[scale] |= (uint64_t)filled << place;
	}
	floors->count[scale] = (uint16_t)PW_MIN(floors->count[scale] + empty + 1, (uint64_t)PW_FLOORS_BUCKETS);
	floors->open[scale] = false;
}

unsigned int pw_floors_add(struct pw_floors *floors, uint64_t base_ns, uint64_t now_ns, double value)
{
	unsigned int closed = 0;

	if (!base_ns)
		return 0;
	if (floors->base_ns != base_ns ||
	    (floors->any && now_ns / base_ns < floors->bucket[0])) { /* the finest scale tells best */
		*floors = (struct pw_floors){.base_ns = base_ns};
	}
	for (size_t scale = 0; scale < PW_FLOORS_SCALES; scale++) {
		uint64_t number = now_ns / (base_ns * widths[scale]);

		if (floors->any && number > floors->bucket[scale]) {
			uint64_t gap = number - floors->bucket[scale] - 1;

			if (gap > PW_FLOORS_BUCKETS) { /* nothing of the ring is of this time any more */
				floors->count[scale] = 0;
				floors->filled[scale] = 0;
				floors->open[scale] = false;
			} else {
				close_buckets(floors, scale, gap);
				closed |= 1U << scale;
			}
		}
		floors->bucket[scale] = number;
		if (!floors->open[scale] || value < (double)floors->minimum[scale])
			floors->minimum[scale] = (float)value;
		floors->open[scale] = true;
	}
	floors->any = true;
	return closed;
}

size_t pw_floors_copy(const struct pw_floors *floors, size_t scale, double *ret_values, size_t max, double *ret_filled)
{
	size_t count = scale < PW_FLOORS_SCALES ? PW_MIN((size_t)floors->count[scale], max) : 0, filled = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t number = floors->bucket[scale] - count + i;
		size_t place = number % PW_FLOORS_BUCKETS;

		if (floors->filled[scale] >> place & 1) {
			ret_values[i] = (double)floors->ring[scale][place];
			filled++;
		} else if (i) {
			ret_values[i] = ret_values[i - 1];
		} else {
			return 0;
		}
	}
	*ret_filled = count ? (double)filled / (double)count : 0;
	return count;
}

double pw_floors_oldest(const struct pw_floors *floors, size_t scale)
{
	size_t place = floors->bucket[scale] % PW_FLOORS_BUCKETS;

	if (floors->count[scale] < PW_FLOORS_BUCKETS || !(floors->filled[scale] >> place & 1))
		return -1;
	return (double)floors->ring[scale][place];
}
