/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"

/*
 * Strict reader of JSON (RFC 8259), token by token, without building anything: for documents of our own that come back
 * from a file, so hostile ones. Bounded in depth (PW_JSON_READ_DEPTH_MAX) and in the size of a string. Errors stick.
 *
 *	pw_json_reader_init(&reader, data, size);
 *	while (pw_json_next(&reader) == PW_JSON_KEY)
 *		...
 */
enum pw_json_token {
	PW_JSON_ERROR, /* malformed, too deep, a string that is too long: reader.error, at reader.position */
	PW_JSON_EOF,   /* one complete value has been read, and nothing is behind it */
	PW_JSON_OBJECT,
	PW_JSON_ARRAY,
	PW_JSON_CLOSE, /* of the innermost object or array */
	PW_JSON_KEY,   /* text; its value is the next token */
	PW_JSON_STRING,
	PW_JSON_NUMBER, /* number; also integer, if it is one that fits */
	PW_JSON_TRUE,
	PW_JSON_FALSE,
	PW_JSON_NULL,
};

struct pw_json_reader {
	const char *data; /* borrowed */
	size_t size, position;
	struct pw_buf text; /* of the last key or string: UTF-8, NUL-terminated, without a NUL inside */
	double number;
	bool is_integer, negative;
	uint64_t integer; /* magnitude */
	int error;	  /* 0, -EBADMSG, -E2BIG, -ENOMEM */
	unsigned int depth;
	bool in_object[PW_JSON_READ_DEPTH_MAX];
	uint8_t expect; /* what may come next */
};

void pw_json_reader_init(struct pw_json_reader *reader, const void *data, size_t size);
void pw_json_reader_done(struct pw_json_reader *reader);

enum pw_json_token pw_json_next(struct pw_json_reader *reader);

/* Behind a key or in an array: passes over the next value, whatever it is. False on error. */
bool pw_json_skip(struct pw_json_reader *reader);
/* The rest of a value whose first token has been read. */
bool pw_json_skip_rest(struct pw_json_reader *reader, enum pw_json_token token);

/*
 * For documents of a known form: each reads the next value, which must be of that type. False on error: -EBADMSG when
 * it is another one, or out of range.
 */
bool pw_json_read_u64(struct pw_json_reader *reader, uint64_t max, uint64_t *ret_value);
bool pw_json_read_i64(struct pw_json_reader *reader, int64_t *ret_value);
bool pw_json_read_text(struct pw_json_reader *reader, const char **ret_text); /* until the next token */
/* The rest of an object whose "{" has been read: member is called behind each key and reads its value. */
typedef bool (*pw_json_member)(struct pw_json_reader *reader, void *context);
bool pw_json_read_members(struct pw_json_reader *reader, void *context, pw_json_member member);
/* Is this the key that was read last? */
bool pw_json_is_key(const struct pw_json_reader *reader, const char *key);
/* Makes an error stick, unless there is one already. Always false. */
bool pw_json_fail(struct pw_json_reader *reader, int error);
