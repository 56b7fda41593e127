/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/buf.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define FIRST_CAPACITY 128

void pw_buf_init(struct pw_buf *buf, size_t max)
{
	*buf = PW_BUF_INIT(max);
}

void pw_buf_done(struct pw_buf *buf)
{
	free(buf->data);
	*buf = PW_BUF_INIT(buf->max);
}

void pw_buf_reset(struct pw_buf *buf)
{
	buf->size = 0;
	buf->error = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

int pw_buf_error(const struct pw_buf *buf)
{
	return buf->error;
}

const char *pw_buf_text(const struct pw_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *pw_buf_take(struct pw_buf *buf, size_t *ret_size)
{
	char *data;

	if (buf->error || (!buf->data && !pw_buf_reserve(buf, 0)))
		return NULL;
	data = TAKE_PTR(buf->data);
	if (ret_size)
		*ret_size = buf->size;
	buf->size = buf->capacity = 0;
	return data;
}

/* Room for `more` bytes and the NUL behind them; capacity at least doubles and never passes max + 1. */
static int grow(struct pw_buf *buf, size_t more)
{
	size_t wanted, capacity;
	char *data;

	if (buf->error)
		return buf->error;
	if (pw_add_overflows(buf->size, more, &wanted) || wanted > buf->max || wanted == SIZE_MAX)
		return buf->error = -E2BIG;
	wanted++;
	if (wanted <= buf->capacity)
		return 0;
	capacity = PW_MAX(wanted, PW_MAX(buf->capacity * 2, (size_t)FIRST_CAPACITY));
	if (capacity - 1 > buf->max)
		capacity = buf->max + 1;
	data = realloc(buf->data, capacity);
	if (!data)
		return buf->error = -ENOMEM;
	buf->data = data;
	buf->capacity = capacity;
	return 0;
}

void *pw_buf_reserve(struct pw_buf *buf, size_t size)
{
	char *start;

	if (grow(buf, size))
		return NULL;
	start = buf->data + buf->size;
	buf->size += size;
	buf->data[buf->size] = '\0';
	return start;
}

void pw_buf_cut(struct pw_buf *buf, size_t reserved, size_t used)
{
	if (buf->error || used > reserved || reserved > buf->size)
		return;
	buf->size -= reserved - used;
	buf->data[buf->size] = '\0';
}

int pw_buf_append(struct pw_buf *buf, const void *data, size_t size)
{
	void *start;

	if (!size)
		return buf->error;
	start = pw_buf_reserve(buf, size);
	if (!start)
		return buf->error;
	memcpy(start, data, size);
	return 0;
}

int pw_buf_puts(struct pw_buf *buf, const char *text)
{
	return pw_buf_append(buf, text, strlen(text));
}

int pw_buf_putc(struct pw_buf *buf, char c)
{
	return pw_buf_append(buf, &c, 1);
}

int pw_buf_vprintf(struct pw_buf *buf, const char *fmt, va_list args)
{
	size_t room = 0;
	va_list again;
	char *start;
	int length;

	if (buf->error)
		return buf->error;
	if (buf->data)
		room = buf->capacity - buf->size;
	va_copy(again, args);
	length = vsnprintf(room ? buf->data + buf->size : NULL, room, fmt, again);
	va_end(again);
	if (length < 0)
		return buf->error = -EINVAL;
	if ((size_t)length < room && (size_t)length <= buf->max - buf->size) {
		buf->size += (size_t)length;
		return 0;
	}
	if (room)
		buf->data[buf->size] = '\0';
	start = pw_buf_reserve(buf, (size_t)length);
	if (!start)
		return buf->error;
	vsnprintf(start, (size_t)length + 1, fmt, args);
	return 0;
}

int pw_buf_printf(struct pw_buf *buf, const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = pw_buf_vprintf(buf, fmt, args);
	va_end(args);
	return r;
}

static int append_le(struct pw_buf *buf, uint64_t value, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	return pw_buf_append(buf, bytes, width);
}

int pw_buf_u8(struct pw_buf *buf, uint8_t value)
{
	return append_le(buf, value, 1);
}

int pw_buf_u16(struct pw_buf *buf, uint16_t value)
{
	return append_le(buf, value, 2);
}

int pw_buf_u32(struct pw_buf *buf, uint32_t value)
{
	return append_le(buf, value, 4);
}

int pw_buf_u64(struct pw_buf *buf, uint64_t value)
{
	return append_le(buf, value, 8);
}

int pw_buf_double(struct pw_buf *buf, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return pw_buf_u64(buf, bits);
}

int pw_buf_uvarint(struct pw_buf *buf, uint64_t value)
{
	uint8_t bytes[10];
	size_t count = 0;

	while (value >= 0x80) {
		bytes[count++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[count++] = (uint8_t)value;
	return pw_buf_append(buf, bytes, count);
}

int pw_buf_svarint(struct pw_buf *buf, int64_t value)
{
	return pw_buf_uvarint(buf, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

int pw_buf_zeros(struct pw_buf *buf, size_t size)
{
	void *start = pw_buf_reserve(buf, size);

	if (!start)
		return buf->error;
	memset(start, 0, size);
	return 0;
}

int pw_buf_patch_u32(struct pw_buf *buf, size_t offset, uint32_t value)
{
	if (buf->error)
		return buf->error;
	if (buf->size < 4 || offset > buf->size - 4)
		return -EINVAL;
	for (size_t i = 0; i < 4; i++)
		buf->data[offset + i] = (char)(value >> (8 * i));
	return 0;
}

int pw_buf_escaped(struct pw_buf *buf, const char *text, size_t size)
{
	size_t pos = 0, length;
	uint32_t code = 0;

	while (pos < size && !buf->error) {
		length = pw_utf8_next(text + pos, size - pos, &code);
		if (length && !pw_utf8_is_control(code)) {
			pw_buf_append(buf, text + pos, length);
			pos += length;
			continue;
		}
		if (length && code == '\n')
			pw_buf_puts(buf, "\\n");
		else if (length && code == '\t')
			pw_buf_puts(buf, "\\t");
		else
			for (size_t i = 0; i < PW_MAX(length, (size_t)1); i++)
				pw_buf_printf(buf, "\\x%02x", (unsigned int)(uint8_t)text[pos + i]);
		pos += PW_MAX(length, (size_t)1);
	}
	return buf->error;
}

/* What %.15g shows as plain digits. */
#define WHOLE_MAX 1e15

static bool is_whole(double value)
{
	return value > -WHOLE_MAX && value < WHOLE_MAX && !(value < trunc(value)) && !(value > trunc(value)) &&
	       !(signbit(value) && !(value < 0));
}

int pw_buf_decimal(struct pw_buf *buf, double value)
{
	char text[32];

	if (is_whole(value)) {
		uint64_t rest = (uint64_t)fabs(value);
		char *end = text + sizeof(text), *start = end;

		do
			*--start = (char)('0' + rest % 10);
		while (rest /= 10);
		if (value < 0)
			*--start = '-';
		return pw_buf_append(buf, start, (size_t)(end - start));
	}

	for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		double back;

		snprintf(text, sizeof(text), "%.*g", digits, value);
		back = strtod(text, NULL);
		if (!(back < value) && !(back > value))
			break;
	}
	return pw_buf_puts(buf, text);
}
