/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "go/calibrate.h"
#include "go/layout.h"
#include "support/binaries.h"

static const int minors[] = {19, 21, 22, 23, 24, 25, 26, 27};
static const char *const arches[] = {"plain", "arm64"};

static bool open_target(struct test_binary *binary, int minor, const char *flavour)
{
	char name[128];

	snprintf(name, sizeof(name), "counts-1.%d-%s", minor, flavour);
	return test_binary_open(binary, name);
}

/* npm's esbuild: Go 1.23.12, whose m is 0x18 longer in the middle than that of 1.23.5, which the table has. */
static void a_struct_that_a_point_release_changed_is_moved(void **state)
{
	struct test_binary binary;
	struct pw_layout layout, table;
	struct pw_why why = {""};

	(void)state;
	if (!test_binary_open(&binary, "servers/esbuildlinux-x6402512/package/bin/esbuild"))
		return;
	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, binary.info.go_minor), 0);
	table = layout;
	if (pw_layout_calibrate(&layout, binary.elf, binary.table, &why) != 0)
		fail_msg("%s: %s", binary.path, why.text);
	assert_string_equal(binary.info.go_version, "go1.23.12");
	assert_int_equal(layout.offset[PW_FIELD_M_NCGOCALL], table.offset[PW_FIELD_M_NCGOCALL] + 0x18);
	assert_int_equal(layout.offset[PW_FIELD_M_ALLLINK], table.offset[PW_FIELD_M_ALLLINK] + 0x18);
	assert_int_equal(layout.offset[PW_FIELD_M_MLOCKPROFILE_WAITTIME],
			 table.offset[PW_FIELD_M_MLOCKPROFILE_WAITTIME] + 0x18);
	test_binary_close(&binary);
}

static void the_code_confirms_the_table_of_its_own_version(void **state)
{
	/* Without these nothing can be read: they must be confirmed on every version. */
	static const enum pw_field needed[] = {
		PW_FIELD_G_STACK_LO,
		PW_FIELD_G_STACK_HI,
		PW_FIELD_G_M,
		PW_FIELD_G_SCHED_SP,
		PW_FIELD_G_SCHED_PC,
		PW_FIELD_G_SYSCALLSP,
		PW_FIELD_G_SYSCALLPC,
		PW_FIELD_G_ATOMICSTATUS,
		PW_FIELD_G_GOID,
		PW_FIELD_G_WAITREASON,
		PW_FIELD_G_TRACKINGSEQ,
		PW_FIELD_G_GOPC,
		PW_FIELD_G_STARTPC,
		PW_FIELD_G_LABELS,
		PW_FIELD_M_CURG,
		PW_FIELD_M_P,
		PW_FIELD_M_PROCID,
		PW_FIELD_P_RUNQHEAD,
		PW_FIELD_P_GOIDCACHE,
		PW_FIELD_P_GOIDCACHEEND,
		PW_FIELD_SCHED_GOIDGEN,
		PW_FIELD_SCHED_NGSYS,
		PW_FIELD_MSTATS_NUMGC,
		PW_FIELD_GCCONTROLLER_HEAPLIVE,
		PW_FIELD_M_ALLLINK,
		PW_FIELD_SCHED_MNEXT,
		PW_FIELD_SCHED_NMFREED,
		PW_FIELD_SCHED_NPIDLE,
		PW_FIELD_SCHED_GCWAITING,
		PW_FIELD_SCHED_TIMETORUN,
		PW_FIELD_SCHED_GFREE_N,
		PW_FIELD_SCHED_RUNQSIZE,
		PW_FIELD_MSTATS_PAUSE_NS,
		PW_FIELD_MSTATS_PAUSE_END,
		PW_FIELD_MSTATS_NUMFORCEDGC,
		PW_FIELD_WORK_TSWEEPTERM,
		PW_FIELD_WORK_TEND,
		PW_FIELD_M_NCGOCALL,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		for (size_t a = 0; a < ARRAY_SIZE(arches); a++) {
			struct test_binary binary;
			struct pw_layout layout, table;
			struct pw_why why = {""};

			if (!open_target(&binary, minors[i], arches[a]))
				continue;
			assert_int_equal(pw_layout_for(&layout, pw_elf_arch(binary.elf), minors[i]), 0);
			table = layout;
			if (pw_layout_calibrate(&layout, binary.elf, binary.table, &why) != 0)
				fail_msg("%s: %s", binary.path, why.text);
			assert_memory_equal(layout.offset, table.offset, sizeof(table.offset));
			for (size_t k = 0; k < ARRAY_SIZE(needed); k++)
				if (layout.trust[needed[k]] != PW_TRUST_CONFIRMED)
					fail_msg("%s: %s is not confirmed", binary.path, pw_field_name(needed[k]));
			if (minors[i] >= 22 && pw_elf_arch(binary.elf) == PW_ARCH_AMD64 &&
			    layout.trust[PW_FIELD_M_MLOCKPROFILE_WAITTIME] != PW_TRUST_CONFIRMED)
				fail_msg("%s: m.mLockProfile.waitTime is not confirmed", binary.path);
			test_binary_close(&binary);
		}
	}
}

static void flavours_do_not_contradict_the_table(void **state)
{
	static const char *const flavours[] = {
		"stripped", "pie",   "pie-stripped",	 "external", "pie-external",   "pie-external-stripped",
		"cgo",	    "noopt", "pie-cgo-stripped", "strip",    "arm64-stripped",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(flavours); k++) {
			struct test_binary binary;
			struct pw_layout layout, table;
			struct pw_why why = {""};

			if (!open_target(&binary, minors[i], flavours[k]))
				continue;
			assert_int_equal(pw_layout_for(&layout, pw_elf_arch(binary.elf), minors[i]), 0);
			table = layout;
			if (pw_layout_calibrate(&layout, binary.elf, binary.table, &why) != 0)
				fail_msg("%s: %s", binary.path, why.text);
			assert_memory_equal(layout.offset, table.offset, sizeof(table.offset));
			for (int f = 0; f < _PW_FIELD_MAX; f++)
				assert_true(layout.trust[f] == PW_TRUST_CONFIRMED || layout.trust[f] == table.trust[f]);
			test_binary_close(&binary);
		}
	}
}

/* memstats is found by an offset of the same table, so it is the sum that must be right. */
static int64_t where(const struct test_binary *binary, const struct pw_layout *layout, enum pw_field field)
{
	struct pw_globals globals;
	int64_t base = 0;

	if (field >= PW_FIELD_MSTATS_NUMGC && field <= PW_FIELD_MSTATS_BUCKHASH_SYS) {
		pw_globals_find(&globals, binary->elf, binary->table, layout, NULL);
		base = (int64_t)globals.addr[PW_GLOBAL_MEMSTATS];
	}
	return base + layout->offset[field];
}

/* Handles the binary as if only the table of another version were known; counts fields believed rightly. */
static int pretend(const struct test_binary *binary, int table_minor, const struct pw_layout *truth)
{
	struct pw_layout layout;
	int believed = 0;

	assert_int_equal(pw_layout_for(&layout, pw_elf_arch(binary->elf), table_minor), 0);
	layout.exact = false;
	for (int f = 0; f < _PW_FIELD_MAX; f++)
		if (layout.trust[f] == PW_TRUST_TABLE)
			layout.trust[f] = PW_TRUST_NEAR_TABLE;
	pw_layout_calibrate(&layout, binary->elf, binary->table, NULL);
	for (enum pw_field f = 0; f < _PW_FIELD_MAX; f++) {
		if (truth->trust[f] == PW_TRUST_NONE ||
		    (layout.trust[f] != PW_TRUST_CONFIRMED && layout.trust[f] != PW_TRUST_CODE))
			continue;
		believed++;
		if (where(binary, &layout, f) != where(binary, truth, f))
			fail_msg("%s with the table of 1.%d: %s believed at %#x, is at %#x", binary->path, table_minor,
				 pw_field_name(f), (unsigned int)layout.offset[f], (unsigned int)truth->offset[f]);
	}
	return believed;
}

static void with_a_table_of_another_version_nothing_wrong_is_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		for (size_t a = 0; a < ARRAY_SIZE(arches); a++) {
			struct test_binary binary;
			struct pw_layout truth;

			if (!open_target(&binary, minors[i], arches[a]))
				continue;
			assert_int_equal(pw_layout_for(&truth, pw_elf_arch(binary.elf), minors[i]), 0);
			for (int minor = 17; minor <= 27; minor++)
				if (minor != minors[i])
					assert_true(pretend(&binary, minor, &truth) >= 25);
			test_binary_close(&binary);
		}
	}
}

static void a_table_of_this_version_that_is_wrong_is_in_conflict_or_moved(void **state)
{
	struct test_binary binary;
	struct pw_layout layout, truth;
	struct pw_why why = {""};

	(void)state;
	if (!open_target(&binary, 24, "plain"))
		skip();
	assert_int_equal(pw_layout_for(&truth, PW_ARCH_AMD64, 24), 0);

	/* One field that a single function shows elsewhere, which the witness says too: moved. */
	layout = truth;
	layout.offset[PW_FIELD_G_TRACKINGSEQ] += 1;
	assert_int_equal(pw_layout_calibrate(&layout, binary.elf, binary.table, &why), 0);
	assert_int_equal(layout.trust[PW_FIELD_G_TRACKINGSEQ], PW_TRUST_CODE);
	assert_int_equal(layout.offset[PW_FIELD_G_TRACKINGSEQ], truth.offset[PW_FIELD_G_TRACKINGSEQ]);

	/* A whole group. */
	layout = truth;
	for (enum pw_field f = PW_FIELD_G_PARENTGOID; f <= PW_FIELD_G_LABELS; f++)
		layout.offset[f] += 8;
	assert_int_equal(pw_layout_calibrate(&layout, binary.elf, binary.table, &why), 0);
	for (enum pw_field f = PW_FIELD_G_PARENTGOID; f <= PW_FIELD_G_LABELS; f++) {
		assert_int_equal(layout.trust[f], PW_TRUST_CODE);
		assert_int_equal(layout.offset[f], truth.offset[f]);
	}

	/* What nothing measures is then only a guess, and never more. */
	assert_int_equal(layout.trust[PW_FIELD_G_SIZE], PW_TRUST_NEAR_TABLE);
	test_binary_close(&binary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_that_a_point_release_changed_is_moved),
		cmocka_unit_test(the_code_confirms_the_table_of_its_own_version),
		cmocka_unit_test(flavours_do_not_contradict_the_table),
		cmocka_unit_test(with_a_table_of_another_version_nothing_wrong_is_believed),
		cmocka_unit_test(a_table_of_this_version_that_is_wrong_is_in_conflict_or_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
