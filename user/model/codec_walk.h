/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_CODEC_WALK_H
#define PW_MODEL_CODEC_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct pw_buf;
struct pw_bytes;
struct pw_record;

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
/* Everything but the strings, which come first because all else points into them. */
void pw_walk_record(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old);

#endif
