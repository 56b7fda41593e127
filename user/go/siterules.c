/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "go/siterules.h"

#include "base/macros.h"
#include "go/insns.h"
#include "go/sites.h"

#define PROLOGUE_INSNS_MAX 10 /* large frames take up to eight before the branch */
#define STRAIGHT_INSNS_MAX 64 /* a straight line longer than that is not what the rules are about */
#define ARGUMENT_INSNS_MAX 12 /* how far before a call its arguments are set */

struct pw_traced pw_trace_start(uint8_t reg)
{
	struct pw_traced traced = {.wanted = reg != PW_REG_NONE, .reg = PW_SITE_REG_NONE};

	if (traced.wanted) {
		traced.reg = reg;
		traced.regs = PW_REG_SET_BIT(reg);
	}
	return traced;
}

static void trace_step(struct pw_traced *traced, enum pw_arch arch, const struct pw_insn *insn)
{
	uint8_t dst, src;
	bool copies =
		pw_insn_is_copy(arch, insn, &dst, &src) && src < 64 && dst < 64 && (traced->regs & PW_REG_SET_BIT(src));

	if (!traced->wanted)
		return;
	traced->regs &= ~pw_insn_clobbers(arch, insn);
	if (copies)
		traced->regs |= PW_REG_SET_BIT(dst);
	if (traced->regs && (traced->reg > 63 || !(traced->regs & PW_REG_SET_BIT(traced->reg))))
		traced->reg = (uint8_t)__builtin_ctzll(traced->regs);
}

static bool trace_holds(const struct pw_traced *traced)
{
	return !traced->wanted || traced->regs != 0;
}

bool pw_code_in_loop(const struct pw_code *code, size_t index)
{
	uint64_t addr = code->insn[index].addr;

	for (size_t i = index; i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if ((insn->kind == PW_INSN_JUMP || insn->kind == PW_INSN_BRANCH) && insn->target <= addr &&
		    insn->target > code->insn[0].addr)
			return true;
	}
	return false;
}

size_t pw_code_stack_check(const struct pw_code *code)
{
	for (size_t i = 0; i < code->count && i < PROLOGUE_INSNS_MAX; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if (i > 0 && insn->is_target)
			break;
		if (pw_insn_is_stack_check(code->arch, insn))
			return i;
		if (insn->kind == PW_INSN_CALL || insn->kind == PW_INSN_CALL_INDIRECT || insn->kind == PW_INSN_JUMP ||
		    insn->kind == PW_INSN_JUMP_INDIRECT || insn->kind == PW_INSN_RETURN || insn->kind == PW_INSN_PUSH)
			break;
	}
	return code->count;
}

size_t pw_code_first_emulated(const struct pw_code *code, size_t index, struct pw_traced *g, struct pw_traced *arg)
{
	size_t end = PW_MIN(code->count, index + STRAIGHT_INSNS_MAX);

	for (size_t i = index; i < end; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if (insn->is_target && i > 0)
			break;
		if (!trace_holds(g) || !trace_holds(arg))
			break;
		if (pw_insn_emulated(code->arch, insn))
			return i;
		if (insn->kind == PW_INSN_BRANCH || insn->kind == PW_INSN_JUMP || insn->kind == PW_INSN_JUMP_INDIRECT ||
		    insn->kind == PW_INSN_RETURN || insn->kind == PW_INSN_TRAP)
			break;
		trace_step(g, code->arch, insn);
		trace_step(arg, code->arch, insn);
	}
	return code->count;
}

bool pw_call_passes_constant(const struct pw_code *code, size_t index, int64_t constant)
{
	uint8_t reg = pw_abi_arg(code->arch, 1);

	for (size_t back = 1; back <= ARGUMENT_INSNS_MAX && back <= index; back++) {
		const struct pw_insn *insn = &code->insn[index - back];
		int64_t value;

		if (pw_insn_sets_constant(insn, reg, &value))
			return value == constant;
		if (pw_insn_clobbers(code->arch, insn) & PW_REG_SET_BIT(reg))
			return false;
	}
	return false;
}

bool pw_code_frame_missing(const struct pw_code *code, size_t index)
{
	size_t check = pw_code_stack_check(code);

	return index == 0 || code->insn[index].kind == PW_INSN_PUSH || (check < code->count && index <= check + 1);
}
