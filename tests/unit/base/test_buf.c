/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/why.h"

static void content_grows_and_is_always_followed_by_a_nul(void **state)
{
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(100000);
	char *taken;
	size_t size = 0;

	(void)state;
	assert_string_equal(pw_buf_text(&buf), "");
	for (int i = 0; i < 5000; i++)
		assert_int_equal(pw_buf_printf(&buf, "%d,", i % 10), 0);
	assert_int_equal(buf.size, 10000);
	assert_int_equal(strlen(pw_buf_text(&buf)), 10000);
	taken = pw_buf_take(&buf, &size);
	assert_non_null(taken);
	assert_int_equal(size, 10000);
	assert_int_equal(buf.size, 0);
	free(taken);
	taken = pw_buf_take(&buf, NULL);
	assert_string_equal(taken, "");
	free(taken);
}

static void the_cap_sticks_until_reset(void **state)
{
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(8);

	(void)state;
	assert_int_equal(pw_buf_puts(&buf, "12345678"), 0);
	assert_int_equal(pw_buf_putc(&buf, '9'), -E2BIG);
	assert_int_equal(pw_buf_puts(&buf, ""), -E2BIG);
	assert_string_equal(pw_buf_text(&buf), "12345678");
	assert_null(pw_buf_take(&buf, NULL));
	pw_buf_reset(&buf);
	assert_int_equal(pw_buf_error(&buf), 0);
	assert_int_equal(pw_buf_printf(&buf, "%s", "abcdefgh"), 0);
	assert_int_equal(pw_buf_printf(&buf, "%d", 1), -E2BIG);
	assert_string_equal(pw_buf_text(&buf), "abcdefgh");
}

static void a_size_that_wraps_around_is_refused(void **state)
{
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(SIZE_MAX);

	(void)state;
	assert_int_equal(pw_buf_putc(&buf, 'x'), 0);
	assert_null(pw_buf_reserve(&buf, SIZE_MAX));
	assert_int_equal(pw_buf_error(&buf), -E2BIG);
}

static void what_was_reserved_too_much_is_given_back(void **state)
{
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(64);
	char *room;

	(void)state;
	assert_int_equal(pw_buf_puts(&buf, "ab"), 0);
	room = pw_buf_reserve(&buf, 20);
	assert_non_null(room);
	memcpy(room, "cde", 3);
	pw_buf_cut(&buf, 20, 3);
	assert_string_equal(pw_buf_text(&buf), "abcde");
	pw_buf_cut(&buf, 6, 0); /* more than there is */
	pw_buf_cut(&buf, 2, 3); /* more than was reserved */
	assert_string_equal(pw_buf_text(&buf), "abcde");
}

static void a_length_is_patched_only_where_it_was_written(void **state)
{
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(64);

	(void)state;
	assert_int_equal(pw_buf_patch_u32(&buf, 0, 1), -EINVAL);
	assert_int_equal(pw_buf_zeros(&buf, 6), 0);
	assert_int_equal(pw_buf_patch_u32(&buf, 2, 0x04030201), 0);
	assert_memory_equal(buf.data, "\0\0\1\2\3\4", 6);
	assert_int_equal(pw_buf_patch_u32(&buf, 3, 1), -EINVAL);
	assert_int_equal(pw_buf_patch_u32(&buf, SIZE_MAX, 1), -EINVAL);
}

static void foreign_text_cannot_speak_to_the_terminal(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"plain", "plain"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"a\nb\tc\r", "a\\nb\\tc\\x0d"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"\xc3", "\\xc3"},
		{"\xe2\x80\xae"
		 "evil",
		 "\\xe2\\x80\\xaeevil"},    /* right-to-left override */
		{"\xc2\x9b", "\\xc2\\x9b"}, /* C1 control sequence introducer */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(256);

		assert_int_equal(pw_buf_escaped(&buf, cases[i].text, strlen(cases[i].text)), 0);
		assert_string_equal(pw_buf_text(&buf), cases[i].shown);
	}
}

static void utf8_is_taken_strictly(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} cases[] = {
		{"a", 1},
		{"\xc2\x80", 2},
		{"\xe2\x82\xac", 3},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0},		 /* stray continuation */
		{"\xc0\x80", 0},	 /* overlong */
		{"\xe0\x80\xaf", 0},	 /* overlong */
		{"\xed\xa0\x80", 0},	 /* surrogate */
		{"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
		{"\xf8\x88\x80\x80", 0}, /* five bytes */
		{"\xe2\x82", 0},	 /* cut */
		{"\xe2\x41\x80", 0},	 /* interrupted */
	};
	uint32_t code = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(pw_utf8_next(cases[i].text, strlen(cases[i].text), NULL), cases[i].length);
	assert_int_equal(pw_utf8_next("", 0, NULL), 0);
	assert_int_equal(pw_utf8_next("\xe2\x82\xac", 3, &code), 3);
	assert_int_equal(code, 0x20ac);
}

static void a_cause_is_one_escaped_sentence_that_fits(void **state)
{
	struct pw_why why = {};
	char long_text[2 * PW_WHY_TEXT_MAX];

	(void)state;
	assert_int_equal(pw_why_set(NULL, -EBADMSG, "%s", "nobody listens"), -EBADMSG);
	assert_int_equal(pw_why_set(&why, -EBADMSG, "name '%s' at %d", "a\nb", 7), -EBADMSG);
	assert_string_equal(why.text, "name 'a\\nb' at 7");
	assert_int_equal(pw_why_prefix(&why, -EIO, "file %d", 3), -EIO);
	assert_string_equal(why.text, "file 3: name 'a\\nb' at 7");
	memset(long_text, '\x01', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(pw_why_set(&why, -EINVAL, "%s", long_text), -EINVAL);
	assert_true(strlen(why.text) < PW_WHY_TEXT_MAX);
	assert_int_equal(strncmp(why.text, "\\x01\\x01", 8), 0);
}

static void without_a_sentence_the_error_has_a_name(void **state)
{
	struct pw_why why = {};

	(void)state;
	assert_string_equal(pw_why_text(NULL, -ENOENT), "No such file or directory");
	assert_string_equal(pw_why_text(&why, -ENOENT), "No such file or directory");
	assert_string_equal(pw_why_text(&why, -100000), "no reason given");
	assert_string_equal(pw_why_text(&why, 0), "no reason given");
	assert_int_equal(pw_why_prefix(&why, -ENOENT, "config"), -ENOENT);
	assert_string_equal(why.text, "config: No such file or directory");
}

static void whole_numbers_read_like_others(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0, "0"},
		     {-0.0, "-0"},
		     {7, "7"},
		     {-12, "-12"},
		     {0.1, "0.1"},
		     {1e14, "100000000000000"},
		     {999999999999999, "999999999999999"},
		     {-999999999999999, "-999999999999999"},
		     {1e15, "1e+15"},
		     {1e300, "1e+300"},
		     {12.5, "12.5"},
		     {4294967296, "4294967296"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(64);

		assert_int_equal(pw_buf_decimal(&buf, cases[i].value), 0);
		assert_string_equal(pw_buf_text(&buf), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers_read_like_others),
		cmocka_unit_test(content_grows_and_is_always_followed_by_a_nul),
		cmocka_unit_test(the_cap_sticks_until_reset),
		cmocka_unit_test(a_size_that_wraps_around_is_refused),
		cmocka_unit_test(what_was_reserved_too_much_is_given_back),
		cmocka_unit_test(a_length_is_patched_only_where_it_was_written),
		cmocka_unit_test(foreign_text_cannot_speak_to_the_terminal),
		cmocka_unit_test(utf8_is_taken_strictly),
		cmocka_unit_test(a_cause_is_one_escaped_sentence_that_fits),
		cmocka_unit_test(without_a_sentence_the_error_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
