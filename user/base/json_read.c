/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/json_read.h"

#include <string.h>

#include "base/parse.h"
#include "base/utf8.h"

#define NUMBER_MAX 64 /* characters of a number; doubles need 24 */

enum expect {
	VALUE,
	VALUE_OR_CLOSE, /* behind "[" */
	KEY_OR_CLOSE,	/* behind "{" */
	KEY,		/* behind "," in an object */
	COMMA_OR_CLOSE,
	END,
};

void pw_json_reader_init(struct pw_json_reader *reader, const void *data, size_t size)
{
	*reader = (struct pw_json_reader){.data = data, .size = size, .text = PW_BUF_INIT(PW_JSON_READ_STRING_MAX)};
}

void pw_json_reader_done(struct pw_json_reader *reader)
{
	pw_buf_done(&reader->text);
}

static enum pw_json_token fail(struct pw_json_reader *reader, int error)
{
	if (!reader->error)
		reader->error = error;
	return PW_JSON_ERROR;
}

/* The next character, or 0 at the end; a NUL inside is no JSON anywhere, so both end the reading. */
static char peek(const struct pw_json_reader *reader)
{
	return reader->position < reader->size ? reader->data[reader->position] : '\0';
}

static void skip_space(struct pw_json_reader *reader)
{
	while (reader->position < reader->size && strchr(" \t\r\n", reader->data[reader->position]) &&
	       reader->data[reader->position])
		reader->position++;
}

static void value_done(struct pw_json_reader *reader)
{
	reader->expect = reader->depth ? COMMA_OR_CLOSE : END;
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

static bool hex4(struct pw_json_reader *reader, uint32_t *ret_code)
{
	uint32_t code = 0;

	if (reader->size - reader->position < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = reader->data[reader->position++];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (uint32_t)(c - 'A') + 10;
		else
			return false;
		code = code << 4 | digit;
	}
	*ret_code = code;
	return true;
}

static void put_code(struct pw_buf *out, uint32_t code)
{
	if (code < 0x80) {
		pw_buf_u8(out, (uint8_t)code);
	} else if (code < 0x800) {
		pw_buf_u8(out, (uint8_t)(0xc0 | code >> 6));
		pw_buf_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		pw_buf_u8(out, (uint8_t)(0xe0 | code >> 12));
		pw_buf_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
		pw_buf_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	} else {
		pw_buf_u8(out, (uint8_t)(0xf0 | code >> 18));
		pw_buf_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
		pw_buf_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
		pw_buf_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	}
}

/* Behind "\u": surrogates come in pairs; a lone one and a NUL are refused. */
static bool read_unicode(struct pw_json_reader *reader)
{
	uint32_t code, low;

	if (!hex4(reader, &code) || !code || (code >= 0xdc00 && code < 0xe000))
		return false;
	if (code >= 0xd800 && code < 0xdc00) {
		if (reader->size - reader->position < 2 || reader->data[reader->position] != '\\' ||
		    reader->data[reader->position + 1] != 'u')
			return false;
		reader->position += 2;
		if (!hex4(reader, &low) || low < 0xdc00 || low >= 0xe000)
			return false;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	put_code(&reader->text, code);
	return true;
}

static bool read_escape(struct pw_json_reader *reader)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = peek(reader);
	const char *at = c ? strchr(from, c) : NULL;

	reader->position += c != '\0';
	if (c == 'u')
		return read_unicode(reader);
	if (!at)
		return false;
	pw_buf_putc(&reader->text, to[at - from]);
	return true;
}

/* At the opening quote. */
static bool read_string(struct pw_json_reader *reader)
{
	pw_buf_reset(&reader->text);
	for (reader->position++; reader->position < reader->size && !pw_buf_error(&reader->text);) {
		const char *at = reader->data + reader->position;
		size_t length;

		if (*at == '"') {
			reader->position++;
			return true;
		}
		if (*at == '\\') {
			reader->position++;
			if (!read_escape(reader))
				return false;
			continue;
		}
		length = pw_utf8_next(at, reader->size - reader->position, NULL);
		if (!length || (unsigned char)*at < 0x20)
			return false;
		pw_buf_append(&reader->text, at, length);
		reader->position += length;
	}
	return false;
}

static enum pw_json_token string_token(struct pw_json_reader *reader, enum pw_json_token token)
{
	if (read_string(reader))
		return token;
	return fail(reader, pw_buf_error(&reader->text) ? pw_buf_error(&reader->text) : -EBADMSG);
}

/* --- numbers and words ------------------------------------------------------------------------------------------- */

static size_t digits(const struct pw_json_reader *reader, size_t at)
{
	size_t start = at;

	while (at < reader->size && reader->data[at] >= '0' && reader->data[at] <= '9')
		at++;
	return at - start;
}

static enum pw_json_token read_number(struct pw_json_reader *reader)
{
	size_t start = reader->position, at = start, n;
	char text[NUMBER_MAX + 1];
	bool integer = true;

	reader->negative = reader->data[at] == '-';
	at += reader->negative;
	n = digits(reader, at);
	if (!n || (n > 1 && reader->data[at] == '0'))
		return fail(reader, -EBADMSG);
	at += n;
	if (at < reader->size && reader->data[at] == '.') {
		integer = false;
		n = digits(reader, at + 1);
		if (!n)
			return fail(reader, -EBADMSG);
		at += 1 + n;
	}
	if (at < reader->size && (reader->data[at] == 'e' || reader->data[at] == 'E')) {
		integer = false;
		at++;
		at += at < reader->size && (reader->data[at] == '+' || reader->data[at] == '-');
		n = digits(reader, at);
		if (!n)
			return fail(reader, -EBADMSG);
		at += n;
	}
	if (at - start > NUMBER_MAX)
		return fail(reader, -E2BIG);
	memcpy(text, reader->data + start, at - start);
	text[at - start] = '\0';
	reader->position = at;
	reader->integer = 0;
	reader->is_integer = integer && !pw_parse_u64(text + reader->negative, &reader->integer);
	if (pw_parse_double(text + reader->negative, &reader->number) < 0)
		return fail(reader, -EBADMSG);
	if (reader->negative)
		reader->number = -reader->number;
	value_done(reader);
	return PW_JSON_NUMBER;
}

static enum pw_json_token read_word(struct pw_json_reader *reader)
{
	static const struct {
		const char *word;
		enum pw_json_token token;
	} words[] = {{"true", PW_JSON_TRUE}, {"false", PW_JSON_FALSE}, {"null", PW_JSON_NULL}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t length = strlen(words[i].word);

		if (reader->size - reader->position < length ||
		    memcmp(reader->data + reader->position, words[i].word, length) != 0)
			continue;
		reader->position += length;
		value_done(reader);
		return words[i].token;
	}
	return fail(reader, -EBADMSG);
}

/* --- structure --------------------------------------------------------------------------------------------------- */

static enum pw_json_token open_level(struct pw_json_reader *reader, bool object)
{
	if (reader->depth >= PW_JSON_READ_DEPTH_MAX)
		return fail(reader, -E2BIG);
	reader->position++;
	reader->in_object[reader->depth++] = object;
	reader->expect = object ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
	return object ? PW_JSON_OBJECT : PW_JSON_ARRAY;
}

static enum pw_json_token close_level(struct pw_json_reader *reader)
{
	reader->position++;
	reader->depth--;
	value_done(reader);
	return PW_JSON_CLOSE;
}

static enum pw_json_token read_value(struct pw_json_reader *reader)
{
	switch (peek(reader)) {
	case '{':
		return open_level(reader, true);
	case '[':
		return open_level(reader, false);
	case '"': {
		enum pw_json_token token = string_token(reader, PW_JSON_STRING);

		value_done(reader);
		return token;
	}
	case '-':
	case '0' ... '9':
		return read_number(reader);
	default:
		return read_word(reader);
	}
}

static enum pw_json_token read_key(struct pw_json_reader *reader)
{
	if (peek(reader) != '"' || string_token(reader, PW_JSON_KEY) == PW_JSON_ERROR)
		return fail(reader, -EBADMSG);
	skip_space(reader);
	if (peek(reader) != ':')
		return fail(reader, -EBADMSG);
	reader->position++;
	reader->expect = VALUE;
	return PW_JSON_KEY;
}

enum pw_json_token pw_json_next(struct pw_json_reader *reader)
{
	bool object = reader->depth && reader->in_object[reader->depth - 1];
	char c;

	if (reader->error)
		return PW_JSON_ERROR;
	skip_space(reader);
	c = peek(reader);
	if (reader->expect == END)
		return reader->position == reader->size ? PW_JSON_EOF : fail(reader, -EBADMSG);
	if (reader->expect != VALUE && reader->expect != KEY && c == (object ? '}' : ']'))
		return close_level(reader);
	if (reader->expect == COMMA_OR_CLOSE) {
		if (c != ',')
			return fail(reader, -EBADMSG);
		reader->position++;
		skip_space(reader);
		reader->expect = object ? KEY : VALUE;
	}
	return reader->expect == KEY || reader->expect == KEY_OR_CLOSE ? read_key(reader) : read_value(reader);
}

bool pw_json_skip_rest(struct pw_json_reader *reader, enum pw_json_token token)
{
	unsigned int depth = reader->depth;

	if (token != PW_JSON_OBJECT && token != PW_JSON_ARRAY)
		return token != PW_JSON_ERROR && token != PW_JSON_CLOSE && token != PW_JSON_EOF;
	while (reader->depth >= depth)
		if (pw_json_next(reader) == PW_JSON_ERROR)
			return false;
	return true;
}

bool pw_json_skip(struct pw_json_reader *reader)
{
	return pw_json_skip_rest(reader, pw_json_next(reader));
}

/* ---- documents of a known form ---- */

bool pw_json_fail(struct pw_json_reader *reader, int error)
{
	if (!reader->error)
		reader->error = error;
	return false;
}

bool pw_json_read_u64(struct pw_json_reader *reader, uint64_t max, uint64_t *ret_value)
{
	if (pw_json_next(reader) != PW_JSON_NUMBER || !reader->is_integer || reader->negative || reader->integer > max)
		return pw_json_fail(reader, -EBADMSG);
	*ret_value = reader->integer;
	return true;
}

bool pw_json_read_i64(struct pw_json_reader *reader, int64_t *ret_value)
{
	if (pw_json_next(reader) != PW_JSON_NUMBER || !reader->is_integer || reader->integer > INT64_MAX)
		return pw_json_fail(reader, -EBADMSG);
	*ret_value = reader->negative ? -(int64_t)reader->integer : (int64_t)reader->integer;
	return true;
}

bool pw_json_read_text(struct pw_json_reader *reader, const char **ret_text)
{
	if (pw_json_next(reader) != PW_JSON_STRING)
		return pw_json_fail(reader, -EBADMSG);
	*ret_text = pw_buf_text(&reader->text);
	return true;
}

bool pw_json_is_key(const struct pw_json_reader *reader, const char *key)
{
	return !strcmp(pw_buf_text(&reader->text), key);
}

bool pw_json_read_members(struct pw_json_reader *reader, void *context, pw_json_member member)
{
	enum pw_json_token token;

	while ((token = pw_json_next(reader)) == PW_JSON_KEY)
		if (!member(reader, context))
			return pw_json_fail(reader, -EBADMSG);
	return token == PW_JSON_CLOSE || pw_json_fail(reader, -EBADMSG);
}
