/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "go/layout.h"
#include "go/layout_tables.h"

static void every_version_has_a_table_for_both_architectures(void **state)
{
	(void)state;
	assert_int_equal(pw_layout_oldest(), 17);
	for (int minor = pw_layout_oldest(); minor <= pw_layout_newest(); minor++) {
		for (enum pw_arch arch = PW_ARCH_AMD64; arch <= PW_ARCH_ARM64; arch++) {
			struct pw_layout layout;

			assert_int_equal(pw_layout_for(&layout, arch, minor), 0);
			assert_int_equal(layout.go_minor, minor);
			assert_int_equal(layout.exact, minor != 17 && minor != 18 && minor != 20);
			/* What GO-RUNTIME calls the invariants of g: they tie the columns together. */
			assert_int_equal(layout.offset[PW_FIELD_G_GOID], layout.offset[PW_FIELD_G_ATOMICSTATUS] + 8);
			assert_int_equal(layout.offset[PW_FIELD_G_WAITREASON],
					 layout.offset[PW_FIELD_G_ATOMICSTATUS] + 0x20);
			assert_int_equal(layout.offset[PW_FIELD_G_STARTPC], layout.offset[PW_FIELD_G_GOPC] + 0x10);
			assert_int_equal(layout.offset[PW_FIELD_P_RUNQTAIL], layout.offset[PW_FIELD_P_RUNQHEAD] + 4);
		}
	}
}

static void known_offsets_are_those_of_the_runtime(void **state)
{
	struct pw_layout layout;

	(void)state;
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, 19), 0);
	assert_int_equal(layout.offset[PW_FIELD_G_GOPC], 0x128);
	assert_int_equal(layout.offset[PW_FIELD_G_TRACKINGSEQ], 189);
	assert_int_equal(layout.offset[PW_FIELD_G_PARENTGOID], PW_OFFSET_NONE);
	assert_int_equal(layout.trust[PW_FIELD_G_PARENTGOID], PW_TRUST_NONE);
	assert_int_equal(layout.trust[PW_FIELD_G_GOPC], PW_TRUST_TABLE);
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, 27), 0);
	assert_int_equal(layout.offset[PW_FIELD_G_GOPC], 0x120);
	assert_int_equal(layout.offset[PW_FIELD_G_TRACKINGSEQ], 191);
	assert_int_equal(layout.offset[PW_FIELD_P_SIZE], 0x3e30);
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_ARM64, 27), 0);
	assert_int_equal(layout.offset[PW_FIELD_P_SIZE], 0x37f0);
}

static void a_newer_version_gets_the_newest_table_and_is_not_believed(void **state)
{
	struct pw_layout layout;

	(void)state;
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, 99), 0);
	assert_int_equal(layout.go_minor, pw_layout_newest());
	assert_false(layout.exact);
	for (int i = 0; i < _PW_FIELD_MAX; i++)
		assert_true(layout.trust[i] == PW_TRUST_NEAR_TABLE || layout.trust[i] == PW_TRUST_NONE);
}

static void what_is_too_old_or_foreign_is_refused(void **state)
{
	struct pw_layout layout;

	(void)state;
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, 16), -ENOTSUP);
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, -1), -ENOTSUP);
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_UNKNOWN, 24), -ENOTSUP);
}

static void fields_have_names_for_people(void **state)
{
	(void)state;
	assert_string_equal(pw_field_name(PW_FIELD_G_WAITREASON), "g.waitreason");
	assert_string_equal(pw_field_name(PW_FIELD_SCHED_GOIDGEN), "schedt.goidgen");
	assert_string_equal(pw_field_name(PW_FIELD_G_SIZE), "g");
	assert_string_equal(pw_field_name(_PW_FIELD_MAX), "?");
}

/* The generator builds a program with a real toolchain, reads its DWARF and compares. */
static void the_table_equals_the_dwarf_of_a_toolchain(void **state)
{
	const char *cache = getenv("PARKWATCH_CACHE");
	char go[512], command[640];

	(void)state;
	if (cache && *cache)
		snprintf(go, sizeof(go), "%s/go-toolchains/go-1.24/go", cache);
	else
		snprintf(go, sizeof(go), "%s/.cache/parkwatch/go-toolchains/go-1.24/go", getenv("HOME"));
	if (access(go, X_OK) < 0) {
		print_message("skip - %s is missing: run scripts/toolchains 1.24\n", go);
		if (getenv("CI"))
			fail_msg("no toolchain");
		skip();
	}
	snprintf(command, sizeof(command), "scripts/gen-layouts --check 1.24");
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_has_a_table_for_both_architectures),
		cmocka_unit_test(known_offsets_are_those_of_the_runtime),
		cmocka_unit_test(a_newer_version_gets_the_newest_table_and_is_not_believed),
		cmocka_unit_test(what_is_too_old_or_foreign_is_refused),
		cmocka_unit_test(fields_have_names_for_people),
		cmocka_unit_test(the_table_equals_the_dwarf_of_a_toolchain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
