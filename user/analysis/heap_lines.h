/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_HEAP_LINES_H
#define PW_ANALYSIS_HEAP_LINES_H

#include <stddef.h>
#include <stdint.h>

struct pw_alert;
struct pw_record;

/*
 * How much is in use of what each line allocated, over time, for alerts about memory: from the heap profiles of the
 * records or, of a program that keeps none, by size of objects. Of each line 16 looks are kept, the older the further
 * apart, so that the growth over an hour and over a day are known alike. Pure; internal to analysis. A zeroed one is
 * empty.
 */
#define PW_HEAP_LINES_MAX  96 /* of one process; a record names 32 of them, or 68 sizes */
#define PW_HEAP_POINTS_MAX 16

struct pw_heap_point {
	uint64_t taken_ns; /* CLOCK_BOOTTIME */
	double bytes;	   /* in use */
};

struct pw_heap_line {
	uint64_t key; /* of function, file and line, or of a size; 0: of all */
	size_t count;
	struct pw_heap_point points[PW_HEAP_POINTS_MAX]; /* oldest first */
};

struct pw_heap_lines {
	struct pw_heap_line *lines; /* owned; NULL: nothing seen yet */
	size_t count;
	uint64_t taken_ns; /* of the newest look */
	double *floors;	   /* owned: by size, the least since the look before; frees lag behind the collector */
	uint64_t floors_from_ns;
};

/* Takes in what the record says of it, if that is new. width_ns: sizes are looked at once in so long. */
void pw_heap_lines_see(struct pw_heap_lines *lines, const struct pw_record *record, uint64_t width_ns);
void pw_heap_lines_done(struct pw_heap_lines *lines);

/* Into the alert, those that grew most within the window, by the newest look, which the record must hold. */
void pw_heap_lines_tell(const struct pw_heap_lines *lines, const struct pw_record *record, uint64_t window_ns,
			struct pw_alert *alert);

#endif
