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
#include "base/json.h"

static void a_document_is_written_compact_and_pretty(void **state)
{
	_cleanup_buf_ struct pw_buf compact = PW_BUF_INIT(4096), pretty = PW_BUF_INIT(4096);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pw_json json = pw_json_init(i ? &pretty : &compact, i);

		pw_json_object(&json);
		pw_json_key_u64(&json, "a", UINT64_MAX);
		pw_json_key_array(&json, "b");
		pw_json_i64(&json, -5);
		pw_json_bool(&json, true);
		pw_json_null(&json);
		pw_json_str(&json, NULL);
		pw_json_end(&json);
		pw_json_key_object(&json, "c");
		pw_json_end(&json);
		pw_json_end(&json);
		assert_int_equal(pw_json_finish(&json), 0);
	}
	assert_string_equal(pw_buf_text(&compact), "{\"a\":18446744073709551615,\"b\":[-5,true,null,null],\"c\":{}}");
	assert_string_equal(
		pw_buf_text(&pretty),
		"{\n  \"a\": 18446744073709551615,\n  \"b\": [\n    -5,\n    true,\n    null,\n    null\n  ],\n"
		"  \"c\": {}\n}\n");
}

static void foreign_strings_cannot_break_the_document(void **state)
{
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(4096);
	struct pw_json json = pw_json_init(&buf, false);

	(void)state;
	pw_json_strn(&json, "q\"b\\n\n\x01\x7f\0\xff\xc3\xbc", 12);
	assert_int_equal(pw_json_finish(&json), 0);
	assert_string_equal(pw_buf_text(&buf), "\"q\\\"b\\\\n\\n\\u0001\\u007f\\u0000\\ufffd\xc3\xbc\"");
}

static void doubles_are_short_and_exact(void **state)
{
	const double values[] = {0.1, 1.0 / 3, 1e300, -2.5, 0, 123456789.125};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(64);
		struct pw_json json = pw_json_init(&buf, false);

		pw_json_double(&json, values[i]);
		assert_int_equal(pw_json_finish(&json), 0);
		assert_true(strtod(pw_buf_text(&buf), NULL) == values[i]);
		if (i == 0)
			assert_string_equal(pw_buf_text(&buf), "0.1");
	}
	for (int i = 0; i < 2; i++) {
		_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(64);
		struct pw_json json = pw_json_init(&buf, false);

		pw_json_double(&json, i ? NAN : -INFINITY);
		assert_string_equal(pw_buf_text(&buf), "null");
	}
}

static void misuse_of_the_writer_sticks(void **state)
{
	(void)state;
	for (int kind = 0; kind < 7; kind++) {
		_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(kind == 6 ? 5 : 4096);
		struct pw_json json = pw_json_init(&buf, false);

		switch (kind) {
		case 0: /* a value without a key */
			pw_json_object(&json);
			pw_json_u64(&json, 1);
			pw_json_end(&json);
			break;
		case 1: /* a key in an array */
			pw_json_array(&json);
			pw_json_key(&json, "x");
			pw_json_end(&json);
			break;
		case 2: /* an end too many */
			pw_json_array(&json);
			pw_json_end(&json);
			pw_json_end(&json);
			break;
		case 3: /* not ended */
			pw_json_object(&json);
			break;
		case 4: /* two roots */
			pw_json_u64(&json, 1);
			pw_json_u64(&json, 2);
			break;
		case 5: /* too deep */
			for (int i = 0; i <= PW_JSON_DEPTH_MAX; i++)
				pw_json_array(&json);
			for (int i = 0; i <= PW_JSON_DEPTH_MAX; i++)
				pw_json_end(&json);
			break;
		default: /* the buffer is full */
			pw_json_str(&json, "longer than five");
			assert_int_equal(pw_json_finish(&json), -E2BIG);
			continue;
		}
		assert_int_equal(pw_json_finish(&json), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_written_compact_and_pretty),
		cmocka_unit_test(foreign_strings_cannot_break_the_document),
		cmocka_unit_test(doubles_are_short_and_exact),
		cmocka_unit_test(misuse_of_the_writer_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
