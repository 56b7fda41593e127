/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/bytes.h"

#include <string.h>

struct pw_bytes pw_bytes_init(const void *data, size_t size)
{
	return (struct pw_bytes){.data = data, .size = data ? size : 0};
}

size_t pw_bytes_remaining(const struct pw_bytes *bytes)
{
	return bytes->failed || bytes->pos > bytes->size ? 0 : bytes->size - bytes->pos;
}

bool pw_bytes_ok(const struct pw_bytes *bytes)
{
	return !bytes->failed;
}

const uint8_t *pw_bytes_take(struct pw_bytes *bytes, size_t size)
{
	const uint8_t *start;

	if (bytes->failed || size > pw_bytes_remaining(bytes)) {
		bytes->failed = true;
		return NULL;
	}
	start = bytes->data ? bytes->data + bytes->pos : (const uint8_t *)"";
	bytes->pos += size;
	return start;
}

uint64_t pw_bytes_uint(struct pw_bytes *bytes, unsigned int width)
{
	const uint8_t *start;
	uint64_t value = 0;

	if (width != 1 && width != 2 && width != 4 && width != 8) {
		bytes->failed = true;
		return 0;
	}
	start = pw_bytes_take(bytes, width);
	if (!start)
		return 0;
	for (unsigned int i = 0; i < width; i++)
		value = value << 8 | start[bytes->big_endian ? i : width - 1 - i];
	return value;
}

uint8_t pw_bytes_u8(struct pw_bytes *bytes)
{
	return (uint8_t)pw_bytes_uint(bytes, 1);
}

uint16_t pw_bytes_u16(struct pw_bytes *bytes)
{
	return (uint16_t)pw_bytes_uint(bytes, 2);
}

uint32_t pw_bytes_u32(struct pw_bytes *bytes)
{
	return (uint32_t)pw_bytes_uint(bytes, 4);
}

uint64_t pw_bytes_u64(struct pw_bytes *bytes)
{
	return pw_bytes_uint(bytes, 8);
}

int32_t pw_bytes_i32(struct pw_bytes *bytes)
{
	return (int32_t)pw_bytes_u32(bytes);
}

int64_t pw_bytes_i64(struct pw_bytes *bytes)
{
	return (int64_t)pw_bytes_u64(bytes);
}

double pw_bytes_double(struct pw_bytes *bytes)
{
	uint64_t bits = pw_bytes_u64(bytes);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

uint64_t pw_bytes_uvarint(struct pw_bytes *bytes)
{
	uint64_t value = 0;
	const uint8_t *byte;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		byte = pw_bytes_take(bytes, 1);
		if (!byte)
			return 0;
		if (shift == 63 && *byte > 1)
			break;
		value |= (uint64_t)(*byte & 0x7f) << shift;
		if (!(*byte & 0x80))
			return value;
	}
	bytes->failed = true;
	return 0;
}

int64_t pw_bytes_svarint(struct pw_bytes *bytes)
{
	uint64_t value = pw_bytes_uvarint(bytes);

	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

const char *pw_bytes_cstr(struct pw_bytes *bytes, size_t max_len, size_t *ret_len)
{
	size_t window = pw_bytes_remaining(bytes);
	const uint8_t *start, *end;

	if (window && max_len < window - 1)
		window = max_len + 1;
	start = window ? bytes->data + bytes->pos : NULL;
	end = start ? memchr(start, 0, window) : NULL;
	if (!end) {
		bytes->failed = true;
		return NULL;
	}
	if (ret_len)
		*ret_len = (size_t)(end - start);
	bytes->pos += (size_t)(end - start) + 1;
	return (const char *)start;
}

bool pw_bytes_copy(struct pw_bytes *bytes, void *dst, size_t size)
{
	const uint8_t *start = pw_bytes_take(bytes, size);

	if (!size)
		return start != NULL;
	if (start)
		memcpy(dst, start, size);
	else
		memset(dst, 0, size);
	return start != NULL;
}

void pw_bytes_skip(struct pw_bytes *bytes, uint64_t count)
{
	if (count > pw_bytes_remaining(bytes) || bytes->failed)
		bytes->failed = true;
	else
		bytes->pos += (size_t)count;
}

void pw_bytes_seek(struct pw_bytes *bytes, uint64_t pos)
{
	if (pos > bytes->size || bytes->failed)
		bytes->failed = true;
	else
		bytes->pos = (size_t)pos;
}

void pw_bytes_align(struct pw_bytes *bytes, size_t alignment)
{
	size_t past;

	if (!alignment || (alignment & (alignment - 1))) {
		bytes->failed = true;
		return;
	}
	past = bytes->pos & (alignment - 1);
	if (past)
		pw_bytes_skip(bytes, alignment - past);
}

struct pw_bytes pw_bytes_slice(struct pw_bytes *bytes, uint64_t offset, uint64_t size)
{
	struct pw_bytes slice = {.big_endian = bytes->big_endian};

	if (bytes->failed || offset > bytes->size || size > bytes->size - offset) {
		bytes->failed = true;
		slice.failed = true;
		return slice;
	}
	slice.data = bytes->data ? bytes->data + offset : NULL;
	slice.size = (size_t)size;
	return slice;
}

struct pw_bytes pw_bytes_sub(struct pw_bytes *bytes, uint64_t size)
{
	struct pw_bytes sub = {.big_endian = bytes->big_endian, .failed = true};

	if (bytes->failed || size > pw_bytes_remaining(bytes)) {
		bytes->failed = true;
		return sub;
	}
	sub = pw_bytes_slice(bytes, bytes->pos, size);
	bytes->pos += (size_t)size;
	return sub;
}

bool pw_bytes_can_hold(const struct pw_bytes *bytes, uint64_t count, size_t elem_size, uint64_t max)
{
	return !bytes->failed && count <= max && (!elem_size || count <= pw_bytes_remaining(bytes) / elem_size);
}
