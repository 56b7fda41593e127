/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The one gate of foreign bytes, held against a second reader that is as plain as can be: 128-bit positions, one byte
 * at a time, no care for speed. The input is the bytes, then, behind their count, what to do with them; both readers
 * must give the same numbers, positions and failures. The bytes lie in memory of exactly their size, so that the
 * sanitizer sees a step over the end.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef unsigned __int128 wide;

struct plain {
	const uint8_t *data;
	wide size, pos;
	bool failed, big_endian;
};

static void expect(bool what)
{
	if (!what)
		abort();
}

static void same(const struct pw_bytes *bytes, const struct plain *plain)
{
	expect(pw_bytes_ok(bytes) == !plain->failed);
	expect(bytes->pos <= bytes->size && bytes->size == plain->size);
	expect(plain->failed || bytes->pos == plain->pos);
	expect(pw_bytes_remaining(bytes) == (plain->failed ? 0 : plain->size - plain->pos));
}

static bool plain_move(struct plain *plain, wide count)
{
	plain->failed |= plain->pos + count > plain->size;
	if (!plain->failed)
		plain->pos += count;
	return !plain->failed;
}

static uint64_t plain_uint(struct plain *plain, unsigned int width)
{
	wide start = plain->pos;
	uint64_t value = 0;

	if (width != 1 && width != 2 && width != 4 && width != 8)
		plain->failed = true;
	if (!plain_move(plain, width))
		return 0;
	for (unsigned int i = 0; i < width; i++)
		value = value << 8 | plain->data[start + (plain->big_endian ? i : width - 1 - i)];
	return value;
}

static uint64_t plain_uvarint(struct plain *plain)
{
	wide value = 0;

	for (unsigned int i = 0; i < 10; i++) {
		uint8_t byte = (uint8_t)plain_uint(plain, 1);

		if (plain->failed)
			return 0;
		value |= (wide)(byte & 0x7f) << (7 * i);
		if (i == 9 && byte > 1)
			break;
		if (!(byte & 0x80))
			return (uint64_t)value;
	}
	plain->failed = true;
	return 0;
}

static void check_cstr(struct pw_bytes *bytes, struct plain *plain, size_t max_len)
{
	size_t length = 0;
	wide start = plain->pos, end = start;
	const char *text = pw_bytes_cstr(bytes, max_len, &length);

	while (!plain->failed && end < plain->size && plain->data[end])
		end++;
	if (plain->failed || end == plain->size || end - start > max_len) {
		plain->failed = true;
		expect(!text);
		return;
	}
	plain->pos = end + 1;
	expect(text && length == end - start && strlen(text) == length);
}

static void check_take(struct pw_bytes *bytes, struct plain *plain, uint64_t count)
{
	wide start = plain->pos;
	const uint8_t *taken = pw_bytes_take(bytes, count);

	if (!plain_move(plain, count))
		expect(!taken);
	else if (count)
		expect(taken && !memcmp(taken, plain->data + start, count));
}

static void check_copy(struct pw_bytes *bytes, struct plain *plain, size_t count)
{
	static const uint8_t zero[256];
	uint8_t copy[256];
	wide start = plain->pos;

	memset(copy, 0xaa, sizeof(copy));
	pw_bytes_copy(bytes, copy, count);
	if (count)
		expect(!memcmp(copy, plain_move(plain, count) ? plain->data + start : zero, count));
	else
		plain_move(plain, 0);
	for (size_t i = count; i < sizeof(copy); i++)
		expect(copy[i] == 0xaa);
}

/* A part of it, of which every byte is looked at. */
static void check_part(const struct pw_bytes *part, const struct plain *plain, wide start, wide count, bool good)
{
	expect(pw_bytes_ok(part) == good);
	expect(part->size == (good ? count : 0) && part->big_endian == plain->big_endian);
	for (size_t i = 0; i < part->size; i++)
		expect(part->data[i] == plain->data[start + i]);
}

static void step(struct pw_bytes *bytes, struct plain *plain, uint8_t what, uint64_t number)
{
	static const unsigned int widths[] = {1, 2, 4, 8, 3, 0, 16};
	size_t alignment = (size_t)(number & 0xff);
	struct pw_bytes part;
	wide start;
	bool good;

	switch (what % 12) {
	case 0:
		expect(pw_bytes_uint(bytes, widths[number % 7]) == plain_uint(plain, widths[number % 7]));
		break;
	case 1:
		expect(pw_bytes_u16(bytes) == plain_uint(plain, 2));
		expect(pw_bytes_i32(bytes) == (int32_t)plain_uint(plain, 4));
		break;
	case 2:
		expect(pw_bytes_u64(bytes) == plain_uint(plain, 8));
		break;
	case 3:
		expect(pw_bytes_uvarint(bytes) == plain_uvarint(plain));
		break;
	case 4:
		check_cstr(bytes, plain, number);
		break;
	case 5:
		check_take(bytes, plain, number);
		break;
	case 6:
		check_copy(bytes, plain, number & 0xff);
		break;
	case 7:
		pw_bytes_skip(bytes, number);
		plain_move(plain, number);
		break;
	case 8:
		pw_bytes_seek(bytes, number);
		plain->failed |= number > plain->size;
		plain->pos = plain->failed ? plain->pos : number;
		break;
	case 9:
		pw_bytes_align(bytes, alignment);
		if (__builtin_popcountll(alignment) != 1)
			plain->failed = true;
		else
			plain_move(plain, (alignment - plain->pos % alignment) % alignment);
		break;
	case 10:
		start = plain->pos;
		part = pw_bytes_sub(bytes, number);
		check_part(&part, plain, start, number, plain_move(plain, number));
		break;
	case 11:
		part = pw_bytes_slice(bytes, number >> 8, number & 0xff);
		good = !plain->failed && (wide)(number >> 8) + (number & 0xff) <= plain->size;
		check_part(&part, plain, number >> 8, number & 0xff, good);
		plain->failed |= !good;
		break;
	}
	good = !plain->failed && number <= 1000 && (wide)number * what <= plain->size - plain->pos;
	expect(pw_bytes_can_hold(bytes, number, what, 1000) == good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = size ? data[0] % size : 0;
	struct pw_bytes bytes;
	struct plain plain;
	uint8_t *exact;

	if (!size)
		return 0;
	exact = malloc(length ? length : 1);
	if (!exact)
		return 0;
	memcpy(exact, data + 1, length);
	bytes = pw_bytes_init(exact, length);
	bytes.big_endian = data[0] >> 7;
	plain = (struct plain){.data = exact, .size = length, .big_endian = bytes.big_endian};
	/* What to do, how wide its number is, the number: small ones are likely, huge ones possible. */
	for (const uint8_t *at = data + 1 + length, *end = data + size; at < end;) {
		size_t width = at[0] >> 4 & 8 ? 8 : 1, left = (size_t)(end - at) - 1;
		uint64_t number = 0;
		uint8_t what = at[0] & 0x7f;

		width = left < width ? left : width;
		memcpy(&number, at + 1, width);
		at += 1 + width;
		step(&bytes, &plain, what, number);
		same(&bytes, &plain);
	}
	free(exact);
	return 0;
}
