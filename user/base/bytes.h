/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

/*
 * Bounded cursor over foreign bytes; the only way in which we read them. Errors are sticky: after the first read that
 * does not fit, `failed` is set, every read returns 0 and moves nothing, so a parser reads a whole structure and checks
 * once. The bytes are borrowed. May be copied by value.
 */
struct pw_bytes {
	const uint8_t *data;
	size_t size;
	size_t pos;
	bool failed;
	bool big_endian;
};

/* Little-endian cursor over size bytes; data may be NULL only if size is 0. */
struct pw_bytes pw_bytes_init(const void *data, size_t size);

uint8_t pw_bytes_u8(struct pw_bytes *bytes);
uint16_t pw_bytes_u16(struct pw_bytes *bytes);
uint32_t pw_bytes_u32(struct pw_bytes *bytes);
uint64_t pw_bytes_u64(struct pw_bytes *bytes);
int32_t pw_bytes_i32(struct pw_bytes *bytes);
int64_t pw_bytes_i64(struct pw_bytes *bytes);

/* A double by its IEEE bits. */
double pw_bytes_double(struct pw_bytes *bytes);

/* A number of width 1, 2, 4 or 8 bytes; any other width fails. */
uint64_t pw_bytes_uint(struct pw_bytes *bytes, unsigned int width);

/* LEB128 of at most 64 bits (10 bytes); more fails. */
uint64_t pw_bytes_uvarint(struct pw_bytes *bytes);

/* Zigzag: 0, -1, 1, -2, ... */
int64_t pw_bytes_svarint(struct pw_bytes *bytes);

/*
 * A C string: returns its start (borrowed from data) and its length without the NUL, and moves behind the NUL. NULL and
 * failed when there is no NUL before the end or within max_len + 1 bytes.
 */
const char *pw_bytes_cstr(struct pw_bytes *bytes, size_t max_len, size_t *ret_len);

/* The next size bytes, borrowed; NULL and failed if there are fewer. */
const uint8_t *pw_bytes_take(struct pw_bytes *bytes, size_t size);

/* Copies the next size bytes; false, failed and dst zeroed if there are fewer. */
bool pw_bytes_copy(struct pw_bytes *bytes, void *dst, size_t size);

void pw_bytes_skip(struct pw_bytes *bytes, uint64_t count);

/* Moves to an absolute position; the end itself is allowed. */
void pw_bytes_seek(struct pw_bytes *bytes, uint64_t pos);

/* Moves to the next multiple of a power of two, counted from the start of data. */
void pw_bytes_align(struct pw_bytes *bytes, size_t alignment);

/* A cursor over [offset, offset + size) of data (not of the rest); a failed empty one, and failed here, if outside. */
struct pw_bytes pw_bytes_slice(struct pw_bytes *bytes, uint64_t offset, uint64_t size);

/* A cursor over the next size bytes, and moves behind them. */
struct pw_bytes pw_bytes_sub(struct pw_bytes *bytes, uint64_t size);

/* Bytes left; 0 once failed. */
size_t pw_bytes_remaining(const struct pw_bytes *bytes);

bool pw_bytes_ok(const struct pw_bytes *bytes);

/*
 * True if count elements of at least elem_size bytes each can be in what is left and count is at most max: the check to
 * make before a count sizes anything. Does not set failed.
 */
bool pw_bytes_can_hold(const struct pw_bytes *bytes, uint64_t count, size_t elem_size, uint64_t max);
