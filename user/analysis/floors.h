/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_FLOORS_H
#define PW_ANALYSIS_FLOORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One signal over four windows at once: rings of 60 buckets, 1, 6, 24 and 72 base widths wide (base one minute: windows
 * of 1, 6, 24 and 72 hours). A bucket keeps its minimum, the floor: what comes and goes between does not count. 1 KB.
 * Plain data; zeroed is empty. Pure: time comes from the caller (CLOCK_BOOTTIME).
 */
#define PW_FLOORS_SCALES  4
#define PW_FLOORS_BUCKETS 60

struct pw_floors {
	uint64_t base_ns;
	float ring[PW_FLOORS_SCALES][PW_FLOORS_BUCKETS];
	uint64_t filled[PW_FLOORS_SCALES]; /* one bit per place of the ring: a value was seen in that bucket */
	uint64_t bucket[PW_FLOORS_SCALES]; /* number of the bucket under way: time / width */
	uint16_t count[PW_FLOORS_SCALES];  /* closed ones in the ring */
	float minimum[PW_FLOORS_SCALES];   /* of the bucket under way */
	bool open[PW_FLOORS_SCALES], any;
};

uint64_t pw_floors_width_ns(const struct pw_floors *floors, size_t scale);

/*
 * Takes in a value. Returns a mask of the scales at which a bucket has been closed by it. Another base width, or a time
 * that goes back, begins anew.
 */
unsigned int pw_floors_add(struct pw_floors *floors, uint64_t base_ns, uint64_t now_ns, double value);

/*
 * The newest closed buckets of a scale, oldest first, at most max: how many. An empty bucket has the value of the one
 * before it; *ret_filled is the share that is not empty. 0 if the oldest is empty.
 */
size_t pw_floors_copy(const struct pw_floors *floors, size_t scale, double *ret_values, size_t max, double *ret_filled);

/* The value of the bucket that leaves the ring of a scale when the next one closes; < 0: none does, or it is empty. */
double pw_floors_oldest(const struct pw_floors *floors, size_t scale);

#endif
