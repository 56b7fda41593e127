/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "go/calibrate.h"
#include "go/layout_tables.h"
#include "support/binaries.h"

/* Two reasons per version whose codes moved between versions (src/runtime/runtime2.go). */
static const struct {
	int minor;
	size_t count, chan_receive, semacquire;
} expected[] = {
	{19, 27, 14, 18}, {21, 32, 14, 18}, {22, 37, 14, 18}, {23, 38, 14, 18},
	{24, 44, 14, 18}, {25, 47, 14, 19}, {26, 47, 19, 13}, {27, 47, 19, 13},
};

static void check(const char *name, size_t i)
{
	struct test_binary binary;
	struct pw_wait_reasons reasons;
	struct pw_why why = {""};
	const struct pw_layout_version *table = NULL;

	if (!test_binary_open(&binary, name))
		return;
	if (pw_wait_reasons_read(&reasons, binary.elf, binary.table, binary.info.go_minor, &why) < 0)
		fail_msg("%s: %s", name, why.text);
	if (!reasons.from_target)
		fail_msg("%s: %s", name, why.text);
	assert_int_equal(reasons.count, expected[i].count);
	assert_string_equal(reasons.name[0], "");
	assert_string_equal(reasons.name[expected[i].chan_receive], "chan receive");
	assert_string_equal(reasons.name[expected[i].semacquire], "semacquire");
	for (size_t k = 0; k < PW_LAYOUT_VERSIONS; k++)
		if (pw_layout_versions[k].go_minor == expected[i].minor)
			table = &pw_layout_versions[k];
	assert_non_null(table);
	assert_int_equal(reasons.count, table->reason_count);
	for (size_t k = 0; k < reasons.count; k++)
		assert_string_equal(reasons.name[k], table->reasons[k]);
	test_binary_close(&binary);
}

static void reasons_of_each_binary_equal_the_table_of_its_version(void **state)
{
	static const char *const flavours[] = {"plain", "stripped",	"pie-stripped",	 "pie-external-stripped",
					       "noopt", "cgo-stripped", "arm64-stripped"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(flavours); k++) {
			char name[128];

			snprintf(name, sizeof(name), "counts-1.%d-%s", expected[i].minor, flavours[k]);
			check(name, i);
		}
	}
}

static void no_table_has_a_hole_or_a_control_character(void **state)
{
	(void)state;
	for (size_t i = 0; i < PW_LAYOUT_VERSIONS; i++) {
		const struct pw_layout_version *version = &pw_layout_versions[i];

		assert_true(version->reason_count >= 27 && version->reason_count <= PW_WAIT_REASONS_MAX);
		assert_string_equal(version->reasons[0], "");
		for (size_t k = 1; k < version->reason_count; k++) {
			assert_true(version->reasons[k][0] != '\0');
			assert_true(strlen(version->reasons[k]) < PW_WAIT_REASON_SIZE);
			for (const char *c = version->reasons[k]; *c; c++)
				assert_in_range(*c, 0x20, 0x7e);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons_of_each_binary_equal_the_table_of_its_version),
		cmocka_unit_test(no_table_has_a_hole_or_a_control_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
