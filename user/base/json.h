/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/limits.h"
#include "base/macros.h"

struct pw_buf;

/*
 * Streaming JSON writer on a pw_buf. Misuse (a value without a key in an object, too deep, an end without a start) and
 * buffer errors stick; pw_json_finish reports them. Strings are escaped, bytes that are not UTF-8 become U+FFFD.
 *
 *	struct pw_json json = pw_json_init(&buf, true);
 *	pw_json_object(&json);
 *	pw_json_key_u64(&json, "goroutines", 12);
 *	pw_json_end(&json);
 *	r = pw_json_finish(&json);
 */
struct pw_json {
	struct pw_buf *buf; /* borrowed */
	int error;
	bool pretty;
	bool after_key;
	uint8_t depth;
	struct {
		bool is_object;
		bool has_items;
	} levels[PW_JSON_DEPTH_MAX];
	bool has_root;
};

struct pw_json pw_json_init(struct pw_buf *buf, bool pretty);

void pw_json_object(struct pw_json *json);
void pw_json_array(struct pw_json *json);
void pw_json_end(struct pw_json *json); /* of the innermost object or array */
void pw_json_key(struct pw_json *json, const char *key);

void pw_json_str(struct pw_json *json, const char *text); /* NULL writes null */
void pw_json_strn(struct pw_json *json, const char *text, size_t size);
void pw_json_printf(struct pw_json *json, const char *fmt, ...) pw_printf_like(2, 3); /* a string */
void pw_json_u64(struct pw_json *json, uint64_t value);
void pw_json_i64(struct pw_json *json, int64_t value);
void pw_json_double(struct pw_json *json, double value); /* shortest that reads back the same; NaN and infinity: null */
void pw_json_bool(struct pw_json *json, bool value);
void pw_json_null(struct pw_json *json);
void pw_json_hex(struct pw_json *json, uint64_t value);		       /* "0x..." as a string */
void pw_json_raw(struct pw_json *json, const char *text, size_t size); /* a complete value made by us */

/* Key and value at once. */
void pw_json_key_object(struct pw_json *json, const char *key);
void pw_json_key_array(struct pw_json *json, const char *key);
void pw_json_key_str(struct pw_json *json, const char *key, const char *text);
void pw_json_key_u64(struct pw_json *json, const char *key, uint64_t value);
void pw_json_key_i64(struct pw_json *json, const char *key, int64_t value);
void pw_json_key_double(struct pw_json *json, const char *key, double value);
void pw_json_key_bool(struct pw_json *json, const char *key, bool value);
void pw_json_key_null(struct pw_json *json, const char *key);

/* 0 when the document is complete and the buffer took it all; -EINVAL on misuse; the buffer's error. */
int pw_must_check pw_json_finish(struct pw_json *json);

/* Appends text escaped for the inside of a JSON string, without the quotes. */
int pw_json_escape(struct pw_buf *buf, const char *text, size_t size);
