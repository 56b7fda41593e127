/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

struct pw_json pw_json_init(struct pw_buf *buf, bool pretty)
{
	return (struct pw_json){.buf = buf, .pretty = pretty};
}

static bool fail(struct pw_json *json)
{
	if (!json->error)
		json->error = -EINVAL;
	return false;
}

static void new_line(struct pw_json *json)
{
	if (!json->pretty)
		return;
	pw_buf_putc(json->buf, '\n');
	for (unsigned int i = 0; i < json->depth; i++)
		pw_buf_puts(json->buf, "  ");
}

/* Comma and line break before an item of the innermost level. */
static void separate(struct pw_json *json)
{
	if (json->levels[json->depth - 1].has_items)
		pw_buf_putc(json->buf, ',');
	json->levels[json->depth - 1].has_items = true;
	new_line(json);
}

/* What must stand before a value; false: it may not stand here. */
static bool before_value(struct pw_json *json)
{
	if (json->error)
		return false;
	if (json->depth == 0) {
		if (json->has_root)
			return fail(json);
		json->has_root = true;
		return true;
	}
	if (json->levels[json->depth - 1].is_object) {
		if (!json->after_key)
			return fail(json);
		json->after_key = false;
		return true;
	}
	separate(json);
	return true;
}

static void start(struct pw_json *json, bool is_object)
{
	if (!before_value(json))
		return;
	if (json->depth >= PW_JSON_DEPTH_MAX) {
		fail(json);
		return;
	}
	json->levels[json->depth].is_object = is_object;
	json->levels[json->depth].has_items = false;
	json->depth++;
	pw_buf_putc(json->buf, is_object ? '{' : '[');
}

void pw_json_object(struct pw_json *json)
{
	start(json, true);
}

void pw_json_array(struct pw_json *json)
{
	start(json, false);
}

void pw_json_end(struct pw_json *json)
{
	bool is_object, has_items;

	if (json->error)
		return;
	if (json->depth == 0 || json->after_key) {
		fail(json);
		return;
	}
	json->depth--;
	is_object = json->levels[json->depth].is_object;
	has_items = json->levels[json->depth].has_items;
	if (has_items)
		new_line(json);
	pw_buf_putc(json->buf, is_object ? '}' : ']');
	if (json->depth == 0 && json->pretty)
		pw_buf_putc(json->buf, '\n');
}

static void quoted(struct pw_json *json, const char *text, size_t size)
{
	pw_buf_putc(json->buf, '"');
	pw_json_escape(json->buf, text, size);
	pw_buf_putc(json->buf, '"');
}

void pw_json_key(struct pw_json *json, const char *key)
{
	if (json->error)
		return;
	if (json->depth == 0 || !json->levels[json->depth - 1].is_object || json->after_key) {
		fail(json);
		return;
	}
	separate(json);
	quoted(json, key, strlen(key));
	pw_buf_puts(json->buf, json->pretty ? ": " : ":");
	json->after_key = true;
}

void pw_json_strn(struct pw_json *json, const char *text, size_t size)
{
	if (before_value(json))
		quoted(json, text, size);
}

void pw_json_str(struct pw_json *json, const char *text)
{
	if (!text)
		pw_json_null(json);
	else
		pw_json_strn(json, text, strlen(text));
}

void pw_json_printf(struct pw_json *json, const char *fmt, ...)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT((size_t)PW_LOG_LINE_MAX * 4);
	va_list args;

	va_start(args, fmt);
	pw_buf_vprintf(&text, fmt, args);
	va_end(args);
	if (pw_buf_error(&text) && !json->error)
		json->error = pw_buf_error(&text);
	pw_json_strn(json, pw_buf_text(&text), text.size);
}

void pw_json_u64(struct pw_json *json, uint64_t value)
{
	if (before_value(json))
		pw_buf_printf(json->buf, "%llu", (unsigned long long)value);
}

void pw_json_i64(struct pw_json *json, int64_t value)
{
	if (before_value(json))
		pw_buf_printf(json->buf, "%lld", (long long)value);
}

void pw_json_double(struct pw_json *json, double value)
{
	if (!isfinite(value)) {
		pw_json_null(json);
		return;
	}
	if (!before_value(json))
		return;
	pw_buf_decimal(json->buf, value);
}

void pw_json_bool(struct pw_json *json, bool value)
{
	if (before_value(json))
		pw_buf_puts(json->buf, value ? "true" : "false");
}

void pw_json_null(struct pw_json *json)
{
	if (before_value(json))
		pw_buf_puts(json->buf, "null");
}

void pw_json_hex(struct pw_json *json, uint64_t value)
{
	if (before_value(json))
		pw_buf_printf(json->buf, "\"0x%llx\"", (unsigned long long)value);
}

void pw_json_raw(struct pw_json *json, const char *text, size_t size)
{
	if (before_value(json))
		pw_buf_append(json->buf, text, size);
}

void pw_json_key_object(struct pw_json *json, const char *key)
{
	pw_json_key(json, key);
	pw_json_object(json);
}

void pw_json_key_array(struct pw_json *json, const char *key)
{
	pw_json_key(json, key);
	pw_json_array(json);
}

void pw_json_key_str(struct pw_json *json, const char *key, const char *text)
{
	pw_json_key(json, key);
	pw_json_str(json, text);
}

void pw_json_key_u64(struct pw_json *json, const char *key, uint64_t value)
{
	pw_json_key(json, key);
	pw_json_u64(json, value);
}

void pw_json_key_i64(struct pw_json *json, const char *key, int64_t value)
{
	pw_json_key(json, key);
	pw_json_i64(json, value);
}

void pw_json_key_double(struct pw_json *json, const char *key, double value)
{
	pw_json_key(json, key);
	pw_json_double(json, value);
}

void pw_json_key_bool(struct pw_json *json, const char *key, bool value)
{
	pw_json_key(json, key);
	pw_json_bool(json, value);
}

void pw_json_key_null(struct pw_json *json, const char *key)
{
	pw_json_key(json, key);
	pw_json_null(json);
}

int pw_json_finish(struct pw_json *json)
{
	if (json->error)
		return json->error;
	if (json->depth > 0 || !json->has_root)
		return -EINVAL;
	return pw_buf_error(json->buf);
}

static void escape_ascii(struct pw_buf *buf, unsigned char c)
{
	switch (c) {
	case '"':
		pw_buf_puts(buf, "\\\"");
		break;
	case '\\':
		pw_buf_puts(buf, "\\\\");
		break;
	case '\n':
		pw_buf_puts(buf, "\\n");
		break;
	case '\r':
		pw_buf_puts(buf, "\\r");
		break;
	case '\t':
		pw_buf_puts(buf, "\\t");
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			pw_buf_printf(buf, "\\u%04x", c);
		else
			pw_buf_putc(buf, (char)c);
	}
}

int pw_json_escape(struct pw_buf *buf, const char *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t length;

		if ((unsigned char)text[i] < 0x80) {
			escape_ascii(buf, (unsigned char)text[i++]);
			continue;
		}
		length = pw_utf8_next(text + i, size - i, NULL);
		if (length > 0)
			pw_buf_append(buf, text + i, length);
		else
			pw_buf_puts(buf, "\\ufffd");
		i += length > 0 ? length : 1;
	}
	return pw_buf_error(buf);
}
