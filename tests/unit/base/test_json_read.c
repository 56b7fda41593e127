/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/json_read.h"

static int error_of(const char *text, size_t size)
{
	struct pw_json_reader reader;
	enum pw_json_token token;
	int error;

	pw_json_reader_init(&reader, text, size);
	while ((token = pw_json_next(&reader)) != PW_JSON_ERROR && token != PW_JSON_EOF)
		;
	error = reader.error;
	assert_int_equal(error != 0, token == PW_JSON_ERROR);
	pw_json_reader_done(&reader);
	return error;
}

static void tokens_come_in_order_with_their_values(void **state)
{
	static const char text[] = " {\"a\" : [1, -2.5e1, true,false,null,{}] , \"b\\u00e4\\n\\ud83d\\ude00\":\"x\"}\n";
	struct pw_json_reader reader;

	(void)state;
	pw_json_reader_init(&reader, text, strlen(text));
	assert_int_equal(pw_json_next(&reader), PW_JSON_OBJECT);
	assert_int_equal(pw_json_next(&reader), PW_JSON_KEY);
	assert_string_equal(pw_buf_text(&reader.text), "a");
	assert_int_equal(pw_json_next(&reader), PW_JSON_ARRAY);
	assert_int_equal(pw_json_next(&reader), PW_JSON_NUMBER);
	assert_true(reader.is_integer && reader.integer == 1 && !reader.negative);
	assert_int_equal(pw_json_next(&reader), PW_JSON_NUMBER);
	assert_true(!reader.is_integer && reader.number == -25);
	assert_int_equal(pw_json_next(&reader), PW_JSON_TRUE);
	assert_int_equal(pw_json_next(&reader), PW_JSON_FALSE);
	assert_int_equal(pw_json_next(&reader), PW_JSON_NULL);
	assert_int_equal(pw_json_next(&reader), PW_JSON_OBJECT);
	assert_int_equal(pw_json_next(&reader), PW_JSON_CLOSE);
	assert_int_equal(pw_json_next(&reader), PW_JSON_CLOSE);
	assert_int_equal(pw_json_next(&reader), PW_JSON_KEY);
	assert_string_equal(pw_buf_text(&reader.text), "b\xc3\xa4\n\xf0\x9f\x98\x80");
	assert_int_equal(pw_json_next(&reader), PW_JSON_STRING);
	assert_int_equal(pw_json_next(&reader), PW_JSON_CLOSE);
	assert_int_equal(pw_json_next(&reader), PW_JSON_EOF);
	pw_json_reader_done(&reader);
}

static void the_largest_integers_are_exact(void **state)
{
	static const char text[] = "[18446744073709551615,18446744073709551616,-9223372036854775808]";
	struct pw_json_reader reader;

	(void)state;
	pw_json_reader_init(&reader, text, strlen(text));
	assert_int_equal(pw_json_next(&reader), PW_JSON_ARRAY);
	assert_int_equal(pw_json_next(&reader), PW_JSON_NUMBER);
	assert_true(reader.is_integer && reader.integer == UINT64_MAX);
	assert_int_equal(pw_json_next(&reader), PW_JSON_NUMBER);
	assert_true(!reader.is_integer && reader.number == 18446744073709551616.0);
	assert_int_equal(pw_json_next(&reader), PW_JSON_NUMBER);
	assert_true(reader.is_integer && reader.negative && reader.integer == 1ULL << 63);
	pw_json_reader_done(&reader);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[",
		"[1,]",
		"[,1]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{1:2}",
		"[1 2]",
		"01",
		"1.",
		".5",
		"+1",
		"1e",
		"-",
		"tru",
		"nulll",
		"[1]]",
		"\"a",
		"\"\t\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\u0000\"",
		"\"\xff\"",
		"{} {}",
		"'a'",
		"[1}",
		"{\"a\":1]",
		"NaN",
		"Infinity",
		"/**/1",
		"\"\xc0\x80\"",
		"1e999",
		"\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (error_of(bad[i], strlen(bad[i])) >= 0)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(error_of("1\0", 2), -EBADMSG);
	assert_int_equal(error_of("[1,2]", 5), 0);
}

static void depth_and_strings_are_bounded(void **state)
{
	char deep[2 * PW_JSON_READ_DEPTH_MAX + 4];
	char *text = malloc(PW_JSON_READ_STRING_MAX + 16);

	(void)state;
	memset(deep, '[', PW_JSON_READ_DEPTH_MAX);
	memset(deep + PW_JSON_READ_DEPTH_MAX, ']', PW_JSON_READ_DEPTH_MAX);
	assert_int_equal(error_of(deep, 2 * PW_JSON_READ_DEPTH_MAX), 0);
	memset(deep, '[', PW_JSON_READ_DEPTH_MAX + 1);
	assert_int_equal(error_of(deep, PW_JSON_READ_DEPTH_MAX + 1), -E2BIG);
	assert_non_null(text);
	memset(text, 'a', PW_JSON_READ_STRING_MAX + 16);
	text[0] = text[PW_JSON_READ_STRING_MAX + 15] = '"';
	assert_int_equal(error_of(text, PW_JSON_READ_STRING_MAX + 16), -E2BIG);
	free(text);
}

static void a_value_of_any_kind_is_passed_over(void **state)
{
	static const char text[] = "[{\"a\":[1,{\"b\":2}],\"c\":3},[[]],\"x\",4,5]";
	struct pw_json_reader reader;

	(void)state;
	pw_json_reader_init(&reader, text, strlen(text));
	assert_int_equal(pw_json_next(&reader), PW_JSON_ARRAY);
	for (int i = 0; i < 4; i++)
		assert_true(pw_json_skip(&reader));
	assert_int_equal(pw_json_next(&reader), PW_JSON_NUMBER);
	assert_int_equal(reader.integer, 5);
	assert_false(pw_json_skip(&reader)); /* there is none */
	pw_json_reader_done(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_come_in_order_with_their_values),
		cmocka_unit_test(the_largest_integers_are_exact),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(depth_and_strings_are_bounded),
		cmocka_unit_test(a_value_of_any_kind_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
