/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* arm64 instructions by their words, as aarch64-linux-gnu-objdump shows them in Go 1.19 and 1.24 programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "go/insns.h"

static struct pw_insn a64(uint64_t addr, uint32_t word, enum pw_insn_kind kind)
{
	struct pw_insn insn = {.addr = addr, .size = 4, .kind = kind};

	for (int i = 0; i < 4; i++)
		insn.bytes[i] = (uint8_t)(word >> (8 * i));
	return insn;
}

static struct pw_access access_of(uint32_t word)
{
	struct pw_insn insn = a64(0, word, PW_INSN_OTHER);
	struct pw_access access = {.base = PW_REG_NONE};

	assert_true(pw_insn_access(PW_ARCH_ARM64, &insn, &access));
	return access;
}

static void arm64_loads_and_stores_name_their_field(void **state)
{
	struct pw_access access;
	struct pw_insn insn;

	(void)state;
	access = access_of(0x3902e0c2); /* strb w2, [x6, #184] */
	assert_int_equal(access.kind, PW_ACCESS_STORE);
	assert_int_equal(access.size, 1);
	assert_int_equal(access.base, 6);
	assert_int_equal(access.reg, 2);
	assert_int_equal(access.offset, 184);
	access = access_of(0xf9406884); /* ldr x4, [x4, #208] */
	assert_int_equal(access.kind, PW_ACCESS_LOAD);
	assert_int_equal(access.size, 8);
	assert_int_equal(access.offset, 208);
	access = access_of(0x91026005); /* add x5, x0, #0x98 */
	assert_int_equal(access.kind, PW_ACCESS_ADDRESS);
	assert_int_equal(access.reg, 5);
	assert_int_equal(access.offset, 0x98);
	access = access_of(0xa91a7c1f); /* stp xzr, xzr, [x0, #416] */
	assert_int_equal(access.kind, PW_ACCESS_STORE);
	assert_int_equal(access.size, 16);
	assert_int_equal(access.offset, 416);
	insn = a64(0, 0xf90023e1, PW_INSN_MOVE); /* str x1, [sp, #64]: the stack holds no fields */
	assert_false(pw_insn_access(PW_ARCH_ARM64, &insn, &access));
}

static void arm64_adrp_pairs_name_a_global(void **state)
{
	struct pw_insn insns[] = {
		a64(0x29920, 0xb0000000 | (0x4f6 >> 2) << 5 | 0, PW_INSN_LEA),	/* adrp x0, +0x4f5 pages or so */
		a64(0x29924, 0x9118a000, PW_INSN_ARITHMETIC),			/* add x0, x0, #0x628 */
		a64(0x29928, 0x97ffe05a, PW_INSN_CALL),				/* bl */
		a64(0x2992c, 0xb0000000 | (0x4f6 >> 2) << 5 | 27, PW_INSN_LEA), /* adrp x27 */
		a64(0x29930, 0xf9431b61, PW_INSN_MOVE),				/* ldr x1, [x27, #1584] */
		a64(0x29934, 0xf9431b41, PW_INSN_MOVE),				/* ldr x1, [x26, #1584]: no pair */
	};
	struct pw_code code = {.arch = PW_ARCH_ARM64, .insn = insns, .count = ARRAY_SIZE(insns)};
	uint64_t page = (0x29000 + ((uint64_t)((0x4f6 >> 2) << 2 | 1) << 12));
	struct pw_reference reference;
	size_t pos = 0;

	(void)state;
	assert_true(pw_code_next_reference(&code, &pos, &reference));
	assert_int_equal(reference.addr, page + 0x628);
	assert_int_equal(reference.kind, PW_REFERENCE_ADDRESS);
	assert_int_equal(reference.insn, 1);
	assert_true(pw_code_next_reference(&code, &pos, &reference));
	assert_int_equal(reference.addr, page + 1584);
	assert_int_equal(reference.kind, PW_REFERENCE_ACCESS);
	assert_false(pw_code_next_reference(&code, &pos, &reference));
}

static void arm64_stores_overwrite_nothing_and_loads_their_register(void **state)
{
	const struct {
		uint32_t word;
		enum pw_insn_kind kind;
		uint64_t clobbers;
	} cases[] = {
		{0xf90023e1, PW_INSN_MOVE, 0},			     /* str x1, [sp, #64] */
		{0xf81e0ffe, PW_INSN_MOVE, 1ULL << 31},		     /* str x30, [sp, #-32]! */
		{0xf9406884, PW_INSN_MOVE, 1ULL << 4},		     /* ldr x4, [x4, #208] */
		{0xa9400be1, PW_INSN_MOVE, 1ULL << 1 | 1ULL << 2},   /* ldp x1, x2, [sp] */
		{0xaa0003e1, PW_INSN_MOVE, 1ULL << 1},		     /* mov x1, x0 */
		{0x54000529, PW_INSN_BRANCH, 0},		     /* b.ls */
		{0xd503201f, PW_INSN_NOP, 0},			     /* nop */
		{0x97ffe05a, PW_INSN_CALL, UINT64_MAX},		     /* bl */
		{0x88fbfca2, PW_INSN_OTHER, 1ULL << 27 | 1ULL << 2}, /* casal w27, w2, [x5] */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pw_insn insn = a64(0, cases[i].word, cases[i].kind);

		assert_int_equal(pw_insn_clobbers(PW_ARCH_ARM64, &insn), cases[i].clobbers);
	}
}

static void arm64_copies_stack_checks_and_atomics_are_recognised(void **state)
{
	struct pw_insn copy = a64(0, 0xaa0003e1, PW_INSN_MOVE), check = a64(0, 0x54000529, PW_INSN_BRANCH);
	struct pw_insn zero = a64(0, 0xaa1f03e1, PW_INSN_MOVE), equal = a64(0, 0x54000520, PW_INSN_BRANCH);
	struct pw_insn casal = a64(0, 0x88fbfca2, PW_INSN_OTHER), add = a64(0, 0xb8e30085, PW_INSN_OTHER);
	uint8_t dst, src;

	(void)state;
	assert_true(pw_insn_is_copy(PW_ARCH_ARM64, &copy, &dst, &src));
	assert_int_equal(dst, 1);
	assert_int_equal(src, 0);
	assert_false(pw_insn_is_copy(PW_ARCH_ARM64, &zero, &dst, &src));
	assert_true(pw_insn_is_stack_check(PW_ARCH_ARM64, &check));
	assert_false(pw_insn_is_stack_check(PW_ARCH_ARM64, &equal));
	assert_true(pw_insn_is_cas32(PW_ARCH_ARM64, &casal, 5));
	assert_false(pw_insn_is_cas32(PW_ARCH_ARM64, &casal, 6));
	assert_true(pw_insn_is_ldaddal32(&add, 4)); /* ldaddal w3, w5, [x4] */
	assert_false(pw_insn_is_ldaddal32(&add, 5));
}

static void arguments_are_in_the_registers_of_the_go_abi(void **state)
{
	(void)state;
	assert_int_equal(pw_abi_arg(PW_ARCH_AMD64, 0), 0);
	assert_int_equal(pw_abi_arg(PW_ARCH_AMD64, 1), 3);
	assert_int_equal(pw_abi_arg(PW_ARCH_AMD64, 2), 1);
	assert_int_equal(pw_abi_arg(PW_ARCH_AMD64, 9), PW_REG_NONE);
	assert_int_equal(pw_abi_arg(PW_ARCH_ARM64, 2), 2);
	assert_int_equal(pw_abi_g(PW_ARCH_AMD64), 14);
	assert_int_equal(pw_abi_g(PW_ARCH_ARM64), 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arm64_loads_and_stores_name_their_field),
		cmocka_unit_test(arm64_adrp_pairs_name_a_global),
		cmocka_unit_test(arm64_stores_overwrite_nothing_and_loads_their_register),
		cmocka_unit_test(arm64_copies_stack_checks_and_atomics_are_recognised),
		cmocka_unit_test(arguments_are_in_the_registers_of_the_go_abi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
