/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_CODEC_WALK_H
#define PW_MODEL_CODEC_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct pw_buf;
struct pw_bytes;
struct pw_record;
struct pw_section;

/*
 * The walk: pw_walk_record() (codec_fields.c) visits every field of a record in one order. Encoding, `now` is the
 * record to write (its fields are only read); decoding, `now` is a draft whose arrays are grown here. `old` is what
 * both sides know already.
 */
struct pw_walk {
	bool encoding;
	struct pw_buf *out;
	struct pw_bytes *in;
	uint64_t zeros; /* encoding: unchanged fields not yet written; decoding: unchanged fields still to come */
	uint32_t next_reason, next_age, next_park_age,
		next_frame;   /* where the next range in that list is expected to begin */
	unsigned int version; /* of the format: what is newer is not there */
	bool failed, no_memory;
};

/* One number: returns what it is now. */
uint64_t pw_walk_value(struct pw_walk *walk, uint64_t now, uint64_t old, uint64_t max);
/* The record that is encoded is immutable and shared with other threads: nothing is stored into it, not even the same.
 */
#define WALK(field, type, max)                                                                          \
	do {                                                                                            \
		uint64_t value_ = pw_walk_value(walk, (uint64_t)now->field, (uint64_t)old->field, max); \
		if (!walk->encoding)                                                                    \
			now->field = (type)value_;                                                      \
	} while (0)
#define U64(field)  WALK(field, uint64_t, UINT64_MAX)
#define U32(field)  WALK(field, uint32_t, UINT32_MAX)
#define U8(field)   WALK(field, uint8_t, UINT8_MAX)
#define BOOL(field) WALK(field, bool, 1)
#define I64(field)  WALK(field, int64_t, UINT64_MAX)

void pw_walk_double(struct pw_walk *walk, double *now, double old);
void pw_walk_section(struct pw_walk *walk, struct pw_section *now, const struct pw_section *old);
/* GC cycles and the memory table (codec_memory.c). */
void pw_walk_memory(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);
/* Locks of the snapshot (codec_locks.c). */
void pw_walk_locks(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);
/* The largest stacks of the snapshot (codec_locks.c). */
void pw_walk_large_stacks(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);
/* Allocation sites (codec_heap.c). */
void pw_walk_heap(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);
/* What a process has only so many of (codec_holdings.c). */
void pw_walk_holdings(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);
/* Everything but the strings, which come first because all else points into them. */
void pw_walk_record(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);

#endif
