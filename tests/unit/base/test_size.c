/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

static void sizes_have_at_most_four_digits_and_the_right_unit(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{102348, "99.9 KiB"},
		{102400, "100 KiB"},
		{1048064, "1.0 MiB"},
		{1048000, "1023 KiB"},
		{5ULL << 40, "5.0 TiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char text[PW_SIZE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(pw_size_text(cases[i].bytes, text), cases[i].text);
}

static void changes_have_a_sign_unless_they_are_none(void **state)
{
	char text[PW_SIZE_TEXT_SIZE];

	(void)state;
	assert_string_equal(pw_size_change_text(0, text), "0 B");
	assert_string_equal(pw_size_change_text(2048, text), "+2.0 KiB");
	assert_string_equal(pw_size_change_text(-2048, text), "-2.0 KiB");
	assert_string_equal(pw_size_change_text(INT64_MIN, text), "-8.0 EiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_at_most_four_digits_and_the_right_unit),
		cmocka_unit_test(changes_have_a_sign_unless_they_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
