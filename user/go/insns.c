/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * amd64 is read from the decoded operands. arm64 instructions are all one word with few forms, and what matters here
 * (the width of a load, a pre-indexed store, which of three registers is written) is plainer in the word itself than in
 * a disassembler's operands: Arm ARM DDI 0487, C4.1.
 */
#include "go/insns.h"

#include <string.h>

#include "go/funcs.h"

#define X86_AX	   0
#define X86_CX	   1
#define X86_DX	   2
#define X86_SP	   4
#define X86_SI	   6
#define X86_DI	   7
#define A64_SP	   31
#define A64_REGTMP 27 /* the assembler's own scratch register (cmd/internal/obj/arm64), never an argument */
#define ALL_REGS   UINT64_MAX

uint8_t pw_abi_arg(enum pw_arch arch, unsigned int n)
{
	static const uint8_t amd64[] = {0, 3, 1, 7, 6, 8, 9, 10, 11};

	if (arch == PW_ARCH_AMD64)
		return n < sizeof(amd64) ? amd64[n] : PW_REG_NONE;
	return n < 16 ? (uint8_t)n : PW_REG_NONE;
}

uint8_t pw_abi_g(enum pw_arch arch)
{
	return arch == PW_ARCH_AMD64 ? 14 : 28;
}

static uint32_t word(const struct pw_insn *insn)
{
	return insn->bytes[0] | (uint32_t)insn->bytes[1] << 8 | (uint32_t)insn->bytes[2] << 16 |
	       (uint32_t)insn->bytes[3] << 24;
}

static uint32_t bits(uint32_t w, unsigned int low, unsigned int count)
{
	return w >> low & ((1U << count) - 1);
}

static int64_t sign_extend(uint32_t value, unsigned int count)
{
	uint32_t sign = 1U << (count - 1);

	return (int64_t)(value ^ sign) - (int64_t)sign;
}

static bool starts(const struct pw_insn *insn, const char *prefix)
{
	return !strncmp(insn->text, prefix, strlen(prefix));
}

static uint64_t reg_bit(uint8_t reg)
{
	return reg < 64 ? PW_REG_SET_BIT(reg) : 0;
}

static uint64_t reg_operands(const struct pw_insn *insn, bool all)
{
	uint64_t set = 0;

	for (uint8_t i = 0; i < insn->operand_count && i < 4; i++)
		if (insn->operand[i].kind == PW_OPERAND_REG && (all || i == 0 || insn->operand[i].written))
			set |= reg_bit(insn->operand[i].reg);
	return set;
}

static uint64_t clobbers_amd64(const struct pw_insn *insn)
{
	const uint64_t ax_dx = PW_REG_SET_BIT(X86_AX) | PW_REG_SET_BIT(X86_DX);

	switch (insn->kind) {
	case PW_INSN_CALL:
	case PW_INSN_CALL_INDIRECT:
		return ALL_REGS;
	case PW_INSN_BRANCH:
	case PW_INSN_JUMP:
	case PW_INSN_JUMP_INDIRECT:
	case PW_INSN_RETURN:
	case PW_INSN_COMPARE:
	case PW_INSN_NOP:
	case PW_INSN_TRAP:
		return 0;
	case PW_INSN_PUSH:
		return PW_REG_SET_BIT(X86_SP);
	case PW_INSN_MOVE:
	case PW_INSN_LEA:
		return reg_operands(insn, starts(insn, "xchg"));
	case PW_INSN_ARITHMETIC:
		if (insn->operand_count == 1 && !starts(insn, "inc") && !starts(insn, "dec")) /* mul, div */
			return reg_operands(insn, true) | ax_dx;
		return reg_operands(insn, starts(insn, "x")); /* xchg, xadd; xor too, which does no harm */
	case PW_INSN_COMPARE_EXCHANGE:
		return reg_operands(insn, true) | ax_dx;
	default: /* string operations, cpuid and the like write what no operand says */
		return reg_operands(insn, true) | ax_dx | PW_REG_SET_BIT(X86_CX) | PW_REG_SET_BIT(X86_SI) |
		       PW_REG_SET_BIT(X86_DI);
	}
}

static uint64_t clobbers_arm64(const struct pw_insn *insn)
{
	uint32_t w = word(insn);
	uint64_t rt = 1ULL << bits(w, 0, 5), rn = 1ULL << bits(w, 5, 5), rs = 1ULL << bits(w, 16, 5);
	uint64_t rt2 = 1ULL << bits(w, 10, 5);

	if (insn->kind == PW_INSN_CALL || insn->kind == PW_INSN_CALL_INDIRECT)
		return ALL_REGS;
	if ((w & 0x1c000000) == 0x14000000) /* branches, exceptions, hints; mrs writes rt */
		return (w & 0xfff00000) == 0xd5300000 ? rt : 0;
	if ((w & 0x3a000000) == 0x28000000) /* pairs */
		return (bits(w, 22, 1) ? rt | rt2 : 0) | (bits(w, 23, 1) ? rn : 0);
	if ((w & 0x3a000000) == 0x38000000) { /* one register */
		bool indexed = !bits(w, 24, 1) && !bits(w, 21, 1) && bits(w, 10, 1);
		bool atomic = !bits(w, 24, 1) && bits(w, 21, 1) && !bits(w, 10, 2);
		bool store = !bits(w, 22, 2) && !atomic;

		return (store ? 0 : rt) | (indexed ? rn : 0);
	}
	if ((w & 0x3f000000) == 0x08000000) /* exclusive, ordered, compare and swap */
		return rt | rs;
	return rt;
}

uint64_t pw_insn_clobbers(enum pw_arch arch, const struct pw_insn *insn)
{
	return arch == PW_ARCH_AMD64 ? clobbers_amd64(insn) : clobbers_arm64(insn);
}

bool pw_insn_is_copy(enum pw_arch arch, const struct pw_insn *insn, uint8_t *ret_dst, uint8_t *ret_src)
{
	const struct pw_operand *op = insn->operand;

	if (arch == PW_ARCH_ARM64) {
		uint32_t w = word(insn);

		if ((w & 0xffe0ffe0) != 0xaa0003e0 || bits(w, 16, 5) == 31) /* orr rd, xzr, rm */
			return false;
		*ret_dst = (uint8_t)bits(w, 0, 5);
		*ret_src = (uint8_t)bits(w, 16, 5);
		return true;
	}
	if (insn->kind != PW_INSN_MOVE || insn->operand_count != 2 || starts(insn, "xchg") ||
	    op[0].kind != PW_OPERAND_REG || op[1].kind != PW_OPERAND_REG || op[0].size != 8 || op[1].size != 8)
		return false;
	*ret_dst = op[0].reg;
	*ret_src = op[1].reg;
	return true;
}

bool pw_insn_sets_constant(const struct pw_insn *insn, uint8_t reg, int64_t *ret_value)
{
	const struct pw_operand *last;

	if (insn->operand_count < 2 || insn->operand_count > 3 || insn->operand[0].kind != PW_OPERAND_REG ||
	    insn->operand[0].reg != reg)
		return false;
	last = &insn->operand[insn->operand_count - 1];
	if (last->kind != PW_OPERAND_IMM)
		return false;
	if (insn->operand_count == 2 && insn->kind != PW_INSN_MOVE)
		return false;
	if (insn->operand_count == 3 && !starts(insn, "orr"))
		return false;
	if (insn->operand_count == 3 && !strstr(insn->text, "zr,"))
		return false;
	*ret_value = last->disp;
	return true;
}

bool pw_insn_is_cas32(enum pw_arch arch, const struct pw_insn *insn, uint8_t base)
{
	uint32_t w = word(insn);
	bool ldaxr = (w & 0xfffffc00) == 0x885ffc00, casal = (w & 0xffe0fc00) == 0x88e0fc00;

	if (arch == PW_ARCH_ARM64)
		return (ldaxr || casal) && (base == PW_REG_NONE || bits(w, 5, 5) == base);
	return insn->kind == PW_INSN_COMPARE_EXCHANGE && insn->operand[0].kind == PW_OPERAND_MEM &&
	       insn->operand[0].size == 4 && (base == PW_REG_NONE || insn->operand[0].base == base);
}

bool pw_insn_is_ldaddal32(const struct pw_insn *insn, uint8_t base)
{
	uint32_t w = word(insn);

	return (w & 0xffe0fc00) == 0xb8e00000 && bits(w, 5, 5) == base;
}

uint8_t pw_insn_added_reg64(enum pw_arch arch, const struct pw_insn *insn)
{
	const struct pw_operand *op = insn->operand;

	if (arch == PW_ARCH_ARM64)
		return (word(insn) & 0xffe0fc00) == 0xf8e00000 ? (uint8_t)bits(word(insn), 16, 5) : PW_REG_NONE;
	if (!insn->lock || (!starts(insn, "lock xadd") && !starts(insn, "lock add")) || op[0].kind != PW_OPERAND_MEM ||
	    op[0].size != 8 || insn->operand_count < 2 || op[1].kind != PW_OPERAND_REG)
		return PW_REG_NONE;
	return op[1].reg;
}

bool pw_insn_is_stack_check(enum pw_arch arch, const struct pw_insn *insn)
{
	if (insn->kind != PW_INSN_BRANCH)
		return false;
	if (arch == PW_ARCH_ARM64)
		return (word(insn) & 0xff00001f) == 0x54000009;
	return insn->bytes[0] == 0x76 || (insn->bytes[0] == 0x0f && insn->bytes[1] == 0x86);
}

static bool reference_amd64(const struct pw_insn *insn, struct pw_reference *ret_reference)
{
	for (uint8_t i = 0; i < insn->operand_count && i < 4; i++) {
		const struct pw_operand *op = &insn->operand[i];

		if (op->kind != PW_OPERAND_MEM || op->base != PW_REG_IP || op->address == 0)
			continue;
		ret_reference->addr = op->address;
		ret_reference->kind = insn->kind == PW_INSN_LEA ? PW_REFERENCE_ADDRESS : PW_REFERENCE_ACCESS;
		return true;
	}
	return false;
}

/* ADRP rd; then ADD rx, rd, #low or a load or store [rd, #low] right behind it, which is how the linker wants them. */
static bool reference_arm64(const struct pw_insn *adrp, const struct pw_insn *insn, struct pw_reference *ret_reference)
{
	uint32_t first = word(adrp), w = word(insn), low;
	uint64_t page;

	if ((first & 0x9f000000) != 0x90000000 || bits(first, 0, 5) != bits(w, 5, 5))
		return false;
	page = (adrp->addr & ~0xfffULL) +
	       ((uint64_t)sign_extend(bits(first, 5, 19) << 2 | bits(first, 29, 2), 21) << 12);
	if ((w & 0xff800000) == 0x91000000) {
		low = bits(w, 10, 12) << (bits(w, 22, 1) ? 12 : 0);
		ret_reference->kind = bits(w, 0, 5) == A64_REGTMP ? PW_REFERENCE_ACCESS : PW_REFERENCE_ADDRESS;
	} else if ((w & 0x3f000000) == 0x39000000) {
		low = bits(w, 10, 12) << bits(w, 30, 2);
		ret_reference->kind = PW_REFERENCE_ACCESS;
	} else {
		return false;
	}
	ret_reference->addr = page + low;
	return true;
}

bool pw_code_next_reference(const struct pw_code *code, size_t *pos, struct pw_reference *ret_reference)
{
	for (size_t i = *pos; i < code->count; i++) {
		bool found;

		if (code->arch == PW_ARCH_AMD64)
			found = reference_amd64(&code->insn[i], ret_reference);
		else
			found = i > 0 && reference_arm64(&code->insn[i - 1], &code->insn[i], ret_reference);
		if (!found)
			continue;
		ret_reference->insn = i;
		*pos = i + 1;
		return true;
	}
	*pos = code->count;
	return false;
}

size_t pw_code_find_call(const struct pw_code *code, const struct pw_pclntab *table, const char *name, size_t pos)
{
	for (; pos < code->count; pos++)
		if (code->insn[pos].kind == PW_INSN_CALL && pw_function_at(table, code->insn[pos].target, name))
			break;
	return pos < code->count ? pos : code->count;
}

static bool access_amd64(const struct pw_insn *insn, struct pw_access *ret_access)
{
	for (uint8_t i = 0; i < insn->operand_count && i < 4; i++) {
		const struct pw_operand *op = &insn->operand[i];
		const struct pw_operand *other = insn->operand_count == 2 ? &insn->operand[1 - i] : NULL;

		if (op->kind != PW_OPERAND_MEM)
			continue;
		if (op->base == PW_REG_IP || op->base == PW_REG_NONE || op->base == X86_SP || op->index != PW_REG_NONE)
			return false;
		if (insn->kind == PW_INSN_CALL_INDIRECT || insn->kind == PW_INSN_JUMP_INDIRECT ||
		    insn->kind == PW_INSN_NOP)
			return false;
		ret_access->base = op->base;
		ret_access->offset = op->disp;
		ret_access->size = op->size;
		ret_access->reg = other && other->kind == PW_OPERAND_REG ? other->reg : PW_REG_NONE;
		if (insn->kind == PW_INSN_LEA) {
			ret_access->kind = PW_ACCESS_ADDRESS;
			ret_access->size = 0;
		} else if (i == 0 && insn->kind != PW_INSN_COMPARE && insn->kind != PW_INSN_PUSH) {
			ret_access->kind = PW_ACCESS_STORE;
		} else {
			ret_access->kind = PW_ACCESS_LOAD;
		}
		return true;
	}
	return false;
}

static bool access_arm64(const struct pw_insn *insn, struct pw_access *ret_access)
{
	uint32_t w = word(insn);

	*ret_access = (struct pw_access){
		.kind = PW_ACCESS_LOAD,
		.base = (uint8_t)bits(w, 5, 5),
		.reg = (uint8_t)bits(w, 0, 5),
		.size = (uint8_t)(1U << bits(w, 30, 2)),
	};
	if (ret_access->base == A64_SP)
		return false;
	if ((w & 0x3f000000) == 0x39000000) { /* unsigned offset */
		ret_access->offset = (int64_t)bits(w, 10, 12) << bits(w, 30, 2);
		ret_access->kind = bits(w, 22, 2) ? PW_ACCESS_LOAD : PW_ACCESS_STORE;
	} else if ((w & 0x3f200c00) == 0x38000000) { /* ldur, stur */
		ret_access->offset = sign_extend(bits(w, 12, 9), 9);
		ret_access->kind = bits(w, 22, 2) ? PW_ACCESS_LOAD : PW_ACCESS_STORE;
	} else if ((w & 0xff800000) == 0xa9000000) { /* ldp, stp of two x */
		ret_access->offset = sign_extend(bits(w, 15, 7), 7) * 8;
		ret_access->size = 16;
		ret_access->kind = bits(w, 22, 1) ? PW_ACCESS_LOAD : PW_ACCESS_STORE;
	} else if ((w & 0xff800000) == 0x91000000) { /* add rd, rn, #imm: the address of a field, for ldar, stlr, cas */
		ret_access->offset = (int64_t)bits(w, 10, 12) << (bits(w, 22, 1) ? 12 : 0);
		ret_access->size = 0;
		ret_access->kind = PW_ACCESS_ADDRESS;
	} else {
		return false;
	}
	return true;
}

bool pw_insn_access(enum pw_arch arch, const struct pw_insn *insn, struct pw_access *ret_access)
{
	return arch == PW_ARCH_AMD64 ? access_amd64(insn, ret_access) : access_arm64(insn, ret_access);
}
