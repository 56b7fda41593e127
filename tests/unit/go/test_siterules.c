/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rules on code written by hand, instruction by instruction, as the disassembler would hand it over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "go/insns.h"
#include "go/siterules.h"

#define AX   0
#define CX   1
#define DX   2
#define BX   3
#define R14  14
#define BASE 0x1000

static struct pw_insn lines[64];
static size_t used;

static struct pw_insn *add(enum pw_insn_kind kind, const char *text, size_t size, const char *bytes)
{
	struct pw_insn *insn = &lines[used];

	memset(insn, 0, sizeof(*insn));
	insn->addr = used ? lines[used - 1].addr + lines[used - 1].size : BASE;
	insn->kind = kind;
	insn->size = (uint8_t)size;
	memcpy(insn->bytes, bytes, size);
	snprintf(insn->text, sizeof(insn->text), "%s", text);
	used++;
	return insn;
}

static struct pw_operand reg(uint8_t number, bool written)
{
	return (struct pw_operand){.kind = PW_OPERAND_REG, .size = 8, .reg = number, .written = written};
}

static struct pw_insn *two(struct pw_insn *insn, struct pw_operand first, struct pw_operand second)
{
	insn->operand_count = 2;
	insn->operand[0] = first;
	insn->operand[1] = second;
	return insn;
}

static void cmp_stack(void)
{
	add(PW_INSN_COMPARE, "cmp rsp, qword ptr [r14 + 0x10]", 4, "\x49\x3b\x66\x10");
}

static void jbe(void)
{
	add(PW_INSN_BRANCH, "jbe 0x2000", 2, "\x76\x40")->target = 0x2000;
}

static void sub_rsp(void)
{
	two(add(PW_INSN_ARITHMETIC, "sub rsp, 0x18", 4, "\x48\x83\xec\x18"), reg(4, true),
	    (struct pw_operand){.kind = PW_OPERAND_IMM, .disp = 0x18});
}

static void mov(uint8_t dst, uint8_t src)
{
	two(add(PW_INSN_MOVE, "mov r, r", 3, "\x48\x89\xc3"), reg(dst, true), reg(src, false));
}

static void mov_imm(uint8_t dst, int64_t value)
{
	two(add(PW_INSN_MOVE, "mov r, imm", 5, "\xbb\x06\x00\x00\x00"), reg(dst, true),
	    (struct pw_operand){.kind = PW_OPERAND_IMM, .disp = value});
}

static void nop(void)
{
	add(PW_INSN_NOP, "nop", 1, "\x90");
}

static void push_rbp(void)
{
	add(PW_INSN_PUSH, "push rbp", 1, "\x55");
}

static struct pw_insn *call(void)
{
	return add(PW_INSN_CALL, "call 0x3000", 5, "\xe8\x00\x00\x00\x00");
}

static void jump(uint64_t target)
{
	add(PW_INSN_JUMP, "jmp", 2, "\xeb\x00")->target = target;
}

static const struct pw_code *code(void)
{
	static struct pw_code all;

	all = (struct pw_code){.arch = PW_ARCH_AMD64, .insn = lines, .count = used, .complete = true};
	return &all;
}

static int start(void **state)
{
	(void)state;
	used = 0;
	return 0;
}

static void the_stack_check_is_the_first_unsigned_branch(void **state)
{
	(void)state;
	cmp_stack();
	jbe();
	push_rbp();
	assert_int_equal(pw_code_stack_check(code()), 1);
}

static void a_function_that_begins_with_its_frame_has_no_stack_check(void **state)
{
	(void)state;
	push_rbp();
	cmp_stack();
	jbe();
	assert_int_equal(pw_code_stack_check(code()), used);
}

static void a_branch_that_others_reach_is_no_stack_check(void **state)
{
	(void)state;
	cmp_stack();
	nop();
	lines[1].is_target = true;
	jbe();
	assert_int_equal(pw_code_stack_check(code()), used);
}

static void what_is_not_emulated_is_passed_over(void **state)
{
	struct pw_traced g = pw_trace_start(R14), arg = pw_trace_start(CX);

	(void)state;
	cmp_stack();
	jbe();
	sub_rsp();
	mov(DX, R14);
	nop();
	assert_int_equal(pw_code_first_emulated(code(), 2, &g, &arg), 4);
	assert_int_equal(g.reg, R14);
	assert_int_equal(arg.reg, CX);
}

static void a_value_is_followed_into_the_register_it_was_moved_to(void **state)
{
	struct pw_traced g = pw_trace_start(AX), none = pw_trace_start(PW_REG_NONE);

	(void)state;
	mov(BX, AX);
	mov(AX, DX);
	nop();
	assert_int_equal(pw_code_first_emulated(code(), 0, &g, &none), 2);
	assert_int_equal(g.reg, BX);
	assert_int_equal(none.reg, PW_REG_NONE);
}

static void a_value_that_is_overwritten_gives_no_site(void **state)
{
	struct pw_traced g = pw_trace_start(AX), none = pw_trace_start(PW_REG_NONE);

	(void)state;
	mov(AX, DX);
	nop();
	assert_int_equal(pw_code_first_emulated(code(), 0, &g, &none), used);
}

static void a_multiplication_takes_its_implicit_registers(void **state)
{
	struct pw_traced g = pw_trace_start(AX), arg = pw_trace_start(CX);
	struct pw_insn *mul;

	(void)state;
	mul = add(PW_INSN_ARITHMETIC, "mul rbx", 3, "\x48\xf7\xe3");
	mul->operand_count = 1;
	mul->operand[0] = reg(BX, false);
	nop();
	assert_int_equal(pw_code_first_emulated(code(), 0, &g, &arg), used);
}

static void an_instruction_that_a_branch_reaches_is_not_taken(void **state)
{
	struct pw_traced g = pw_trace_start(AX), none = pw_trace_start(PW_REG_NONE);

	(void)state;
	cmp_stack();
	jbe();
	sub_rsp();
	nop();
	lines[3].is_target = true;
	nop();
	assert_int_equal(pw_code_first_emulated(code(), 2, &g, &none), used);
}

static void nothing_behind_a_return_is_taken(void **state)
{
	struct pw_traced g = pw_trace_start(PW_REG_NONE), none = pw_trace_start(PW_REG_NONE);

	(void)state;
	sub_rsp();
	add(PW_INSN_RETURN, "ret", 1, "\xc3");
	nop();
	assert_int_equal(pw_code_first_emulated(code(), 0, &g, &none), used);
}

static void the_call_itself_is_emulated_with_its_arguments_in_place(void **state)
{
	struct pw_traced g = pw_trace_start(AX), none = pw_trace_start(PW_REG_NONE);

	(void)state;
	sub_rsp();
	call();
	assert_int_equal(pw_code_first_emulated(code(), 0, &g, &none), 1);
	assert_int_equal(g.reg, AX);
}

static void only_a_backward_jump_around_an_instruction_makes_a_loop(void **state)
{
	(void)state;
	cmp_stack(); /* 0x1000 */
	jbe();
	sub_rsp(); /* 0x1006 */
	nop();	   /* 0x100a */
	jump(0x1006);
	call();	    /* 0x100d */
	jump(BASE); /* to the entry, as behind morestack */
	assert_true(pw_code_in_loop(code(), 2));
	assert_true(pw_code_in_loop(code(), 3));
	assert_false(pw_code_in_loop(code(), 1));
	assert_false(pw_code_in_loop(code(), 5));
}

static void the_call_for_a_dead_g_is_told_from_the_one_for_a_new_one(void **state)
{
	(void)state;
	mov(AX, DX);
	two(add(PW_INSN_ARITHMETIC, "xor ebx, ebx", 2, "\x31\xdb"), reg(BX, true), reg(BX, false));
	mov_imm(CX, 6);
	call(); /* casgstatus(gp, _Gidle, _Gdead) */
	mov_imm(BX, 6);
	mov_imm(CX, 1);
	nop();
	call(); /* casgstatus(gp, _Gdead, _Grunnable) */
	assert_false(pw_call_passes_constant(code(), 3, 6));
	assert_true(pw_call_passes_constant(code(), 7, 6));
	assert_false(pw_call_passes_constant(code(), 7, 1));
}

static void the_frame_is_missing_up_to_the_push(void **state)
{
	(void)state;
	cmp_stack();
	jbe();
	push_rbp();
	sub_rsp();
	nop();
	assert_true(pw_code_frame_missing(code(), 0));
	assert_true(pw_code_frame_missing(code(), 1));
	assert_true(pw_code_frame_missing(code(), 2));
	assert_false(pw_code_frame_missing(code(), 4));
}

static void a_function_without_code_has_nothing(void **state)
{
	struct pw_traced g = pw_trace_start(AX), none = pw_trace_start(PW_REG_NONE);

	(void)state;
	assert_int_equal(pw_code_stack_check(code()), 0);
	assert_int_equal(pw_code_first_emulated(code(), 0, &g, &none), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
	const struct CMUnitTest tests[] = {
		TEST(the_stack_check_is_the_first_unsigned_branch),
		TEST(a_function_that_begins_with_its_frame_has_no_stack_check),
		TEST(a_branch_that_others_reach_is_no_stack_check),
		TEST(what_is_not_emulated_is_passed_over),
		TEST(a_value_is_followed_into_the_register_it_was_moved_to),
		TEST(a_value_that_is_overwritten_gives_no_site),
		TEST(a_multiplication_takes_its_implicit_registers),
		TEST(an_instruction_that_a_branch_reaches_is_not_taken),
		TEST(nothing_behind_a_return_is_taken),
		TEST(the_call_itself_is_emulated_with_its_arguments_in_place),
		TEST(only_a_backward_jump_around_an_instruction_makes_a_loop),
		TEST(the_call_for_a_dead_g_is_told_from_the_one_for_a_new_one),
		TEST(the_frame_is_missing_up_to_the_push),
		TEST(a_function_without_code_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
