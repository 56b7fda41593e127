/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "binary/disasm_arch.h"

#define SP_NUMBER 31

static uint32_t word_of(const struct pw_insn *insn)
{
	struct pw_bytes bytes = pw_bytes_init(insn->bytes, 4);

	return pw_bytes_u32(&bytes);
}

/* x0..x30, sp; the zero register is none: nothing can be followed into or out of it. */
static uint8_t register_number(unsigned int reg)
{
	if (reg >= ARM64_REG_X0 && reg <= ARM64_REG_X28)
		return (uint8_t)(reg - ARM64_REG_X0);
	if (reg >= ARM64_REG_W0 && reg <= ARM64_REG_W30)
		return (uint8_t)(reg - ARM64_REG_W0);
	switch (reg) {
	case ARM64_REG_X29:
		return 29;
	case ARM64_REG_X30:
		return 30;
	case ARM64_REG_SP:
	case ARM64_REG_WSP:
		return SP_NUMBER;
	default:
		return PW_REG_NONE;
	}
}

static uint8_t register_size(unsigned int reg)
{
	if ((reg >= ARM64_REG_W0 && reg <= ARM64_REG_W30) || reg == ARM64_REG_WSP || reg == ARM64_REG_WZR)
		return 4;
	return register_number(reg) != PW_REG_NONE || reg == ARM64_REG_XZR ? 8 : 0;
}

static void take_operand(const cs_arm64_op *from, struct pw_operand *operand)
{
	operand->reg = operand->base = operand->index = PW_REG_NONE;
	operand->written = from->access & CS_AC_WRITE;
	switch (from->type) {
	case ARM64_OP_REG:
		operand->kind = PW_OPERAND_REG;
		operand->reg = register_number(from->reg);
		operand->size = register_size(from->reg);
		break;
	case ARM64_OP_IMM:
	case ARM64_OP_CIMM:
		operand->kind = PW_OPERAND_IMM;
		operand->disp = from->shift.type == ARM64_SFT_LSL && from->shift.value < 32
					? (int64_t)((uint64_t)from->imm << from->shift.value)
					: from->imm;
		break;
	case ARM64_OP_MEM:
		operand->kind = PW_OPERAND_MEM;
		operand->base = register_number(from->mem.base);
		operand->index = register_number(from->mem.index);
		operand->scale = operand->index == PW_REG_NONE ? 0 : 1;
		operand->disp = from->mem.disp;
		break;
	default:
		break;
	}
}

static bool is_load(unsigned int id)
{
	switch (id) {
	case ARM64_INS_LDR:
	case ARM64_INS_LDRB:
	case ARM64_INS_LDRH:
	case ARM64_INS_LDRSB:
	case ARM64_INS_LDRSH:
	case ARM64_INS_LDRSW:
	case ARM64_INS_LDUR:
	case ARM64_INS_LDURB:
	case ARM64_INS_LDURH:
	case ARM64_INS_LDURSB:
	case ARM64_INS_LDURSH:
	case ARM64_INS_LDURSW:
	case ARM64_INS_LDAR:
	case ARM64_INS_LDARB:
	case ARM64_INS_LDARH:
		return true;
	default:
		return false;
	}
}

static bool is_store(unsigned int id)
{
	switch (id) {
	case ARM64_INS_STR:
	case ARM64_INS_STRB:
	case ARM64_INS_STRH:
	case ARM64_INS_STUR:
	case ARM64_INS_STURB:
	case ARM64_INS_STURH:
	case ARM64_INS_STLR:
	case ARM64_INS_STLRB:
	case ARM64_INS_STLRH:
		return true;
	default:
		return false;
	}
}

/* Bytes moved: by the suffix of the mnemonic, else by the register. */
static uint8_t access_size(unsigned int id, uint8_t reg_size)
{
	switch (id) {
	case ARM64_INS_LDRB:
	case ARM64_INS_LDRSB:
	case ARM64_INS_LDURB:
	case ARM64_INS_LDURSB:
	case ARM64_INS_LDARB:
	case ARM64_INS_STRB:
	case ARM64_INS_STURB:
	case ARM64_INS_STLRB:
		return 1;
	case ARM64_INS_LDRH:
	case ARM64_INS_LDRSH:
	case ARM64_INS_LDURH:
	case ARM64_INS_LDURSH:
	case ARM64_INS_LDARH:
	case ARM64_INS_STRH:
	case ARM64_INS_STURH:
	case ARM64_INS_STLRH:
		return 2;
	case ARM64_INS_LDRSW:
	case ARM64_INS_LDURSW:
		return 4;
	default:
		return reg_size;
	}
}

static enum pw_insn_kind kind_of(const cs_insn *from)
{
	switch (from->id) {
	case ARM64_INS_B:
		return from->detail->arm64.cc == ARM64_CC_INVALID || from->detail->arm64.cc == ARM64_CC_AL
			       ? PW_INSN_JUMP
			       : PW_INSN_BRANCH;
	case ARM64_INS_CBZ:
	case ARM64_INS_CBNZ:
	case ARM64_INS_TBZ:
	case ARM64_INS_TBNZ:
		return PW_INSN_BRANCH;
	case ARM64_INS_BL:
		return PW_INSN_CALL;
	case ARM64_INS_BLR:
		return PW_INSN_CALL_INDIRECT;
	case ARM64_INS_BR:
		return PW_INSN_JUMP_INDIRECT;
	case ARM64_INS_RET:
		return PW_INSN_RETURN;
	case ARM64_INS_NOP:
		return PW_INSN_NOP;
	case ARM64_INS_MOV:
	case ARM64_INS_MOVZ:
	case ARM64_INS_MOVN:
		return PW_INSN_MOVE;
	case ARM64_INS_ADR:
	case ARM64_INS_ADRP:
		return PW_INSN_LEA;
	case ARM64_INS_CMP:
	case ARM64_INS_CMN:
	case ARM64_INS_TST:
	case ARM64_INS_CCMP:
		return PW_INSN_COMPARE;
	case ARM64_INS_ADD:
	case ARM64_INS_SUB:
	case ARM64_INS_AND:
	case ARM64_INS_ORR:
	case ARM64_INS_EOR:
	case ARM64_INS_LSL:
	case ARM64_INS_LSR:
	case ARM64_INS_ASR:
	case ARM64_INS_MUL:
	case ARM64_INS_MADD:
	case ARM64_INS_MSUB:
	case ARM64_INS_UDIV:
	case ARM64_INS_SDIV:
	case ARM64_INS_NEG:
	case ARM64_INS_MVN:
	case ARM64_INS_MOVK:
	case ARM64_INS_BIC:
	case ARM64_INS_ORN:
	case ARM64_INS_UBFX:
	case ARM64_INS_UBFIZ:
		return PW_INSN_ARITHMETIC;
	case ARM64_INS_BRK:
	case ARM64_INS_HLT:
		return PW_INSN_TRAP;
	default:
		return is_load(from->id) || is_store(from->id) ? PW_INSN_MOVE : PW_INSN_OTHER;
	}
}

/* Direct branches name their target last: "tbz w0, #3, 0x1234". */
static void set_target(struct pw_insn *insn)
{
	const struct pw_operand *last;

	if (insn->kind != PW_INSN_CALL && insn->kind != PW_INSN_JUMP && insn->kind != PW_INSN_BRANCH)
		return;
	last = insn->operand_count ? &insn->operand[insn->operand_count - 1] : NULL;
	if (last && last->kind == PW_OPERAND_IMM)
		insn->target = (uint64_t)last->disp;
	else
		insn->kind = PW_INSN_OTHER;
}

/* An immediate that is an address becomes memory, as on amd64. Of an ADRP the address is only a page: not set. */
static void set_address(struct pw_insn *insn, const cs_insn *from)
{
	struct pw_operand *operand = &insn->operand[1];

	if (insn->operand_count != 2 || operand->kind != PW_OPERAND_IMM)
		return;
	if (from->id != ARM64_INS_ADR && from->id != ARM64_INS_ADRP && !is_load(from->id))
		return;
	operand->kind = PW_OPERAND_MEM;
	operand->base = PW_REG_IP;
	if (from->id != ARM64_INS_ADRP)
		operand->address = (uint64_t)operand->disp;
}

static void set_moves(struct pw_insn *insn, const cs_insn *from)
{
	struct pw_operand swapped;

	if (insn->operand_count >= 2 && (is_load(from->id) || is_store(from->id))) {
		insn->operand[1].size = access_size(from->id, insn->operand[0].size);
		insn->operand[0].written = is_load(from->id);
		insn->operand[1].written = is_store(from->id);
	}
	if (insn->operand_count >= 2 && is_store(from->id)) { /* destination first */
		swapped = insn->operand[0];
		insn->operand[0] = insn->operand[1];
		insn->operand[1] = swapped;
	}
}

void pw_disasm_arm64_translate(struct pw_insn *insn, const cs_insn *from)
{
	const cs_arm64 *detail = &from->detail->arm64;

	for (uint8_t i = 0; i < detail->op_count && insn->operand_count < ARRAY_SIZE(insn->operand); i++)
		take_operand(&detail->operands[i], &insn->operand[insn->operand_count++]);
	insn->kind = kind_of(from);
	set_target(insn);
	set_address(insn, from);
	set_moves(insn, from);
	if (insn->kind == PW_INSN_ARITHMETIC || insn->kind == PW_INSN_LEA)
		insn->operand[0].written = true;
	if (insn->kind == PW_INSN_MOVE && !is_store(from->id))
		insn->operand[0].written = true;
	if (insn->kind == PW_INSN_COMPARE || insn->kind == PW_INSN_BRANCH)
		insn->operand[0].written = false;
}

static struct pw_operand register_operand(uint32_t number, uint8_t size, bool written)
{
	return (struct pw_operand){
		.kind = PW_OPERAND_REG,
		.size = size,
		.reg = number == 31 ? PW_REG_NONE : (uint8_t)number,
		.base = PW_REG_NONE,
		.index = PW_REG_NONE,
		.written = written,
	};
}

/* UDF #n; CAS Rs, Rt, [Rn] (Arm ARM C6.2.50) and LDADD, LDCLR, LDEOR, LDSET, SWP Rs, Rt, [Rn] (C4.1.66, atomic memory).
 */
bool pw_disasm_arm64_word(struct pw_insn *insn)
{
	uint32_t word = word_of(insn), size = word >> 30;
	bool cas = (word & 0x3fa07c00) == 0x08a07c00, atomic = (word & 0x3f200c00) == 0x38200000;
	uint8_t bytes = (uint8_t)(1U << size), reg_size = bytes == 8 ? 8 : 4;

	insn->kind = PW_INSN_OTHER;
	if (word >> 16 == 0) { /* Go pads functions with zeros */
		insn->kind = PW_INSN_TRAP;
		snprintf(insn->text, sizeof(insn->text), "udf #%u", word);
		return true;
	}
	if (!cas && !atomic) {
		snprintf(insn->text, sizeof(insn->text), ".inst 0x%08x", word);
		return false;
	}
	snprintf(insn->text, sizeof(insn->text), "%s %c%u, %c%u, [x%u]", cas ? "cas" : "ldop",
		 reg_size == 8 ? 'x' : 'w', word >> 16 & 31, reg_size == 8 ? 'x' : 'w', word & 31, word >> 5 & 31);
	insn->kind = cas ? PW_INSN_COMPARE_EXCHANGE : PW_INSN_ARITHMETIC;
	insn->operand[0] = register_operand(word >> 16 & 31, reg_size, cas);
	insn->operand[1] = register_operand(word & 31, reg_size, !cas);
	insn->operand[2] = (struct pw_operand){
		.kind = PW_OPERAND_MEM,
		.size = bytes,
		.reg = PW_REG_NONE,
		.base = (uint8_t)(word >> 5 & 31),
		.index = PW_REG_NONE,
		.written = true,
	};
	insn->operand_count = 3;
	return true;
}

struct pages { /* what ADRP put into each register, as long as it is certain */
	bool known[32];
	uint64_t page[32];
};

/* ADD Rd, Rn, #low becomes LEA Rd, [Rn + low]; memory through Rn gets its address. */
static void complete_pair(struct pw_insn *insn, const struct pages *pages)
{
	struct pw_operand *operand = insn->operand;

	if (insn->kind == PW_INSN_ARITHMETIC && (word_of(insn) & 0x7f800000) == 0x11000000 &&
	    insn->operand_count == 3 && operand[1].kind == PW_OPERAND_REG && operand[1].reg < 32 &&
	    pages->known[operand[1].reg]) {
		insn->kind = PW_INSN_LEA;
		insn->operand_count = 2;
		operand[1].kind = PW_OPERAND_MEM;
		operand[1].base = operand[1].reg;
		operand[1].reg = PW_REG_NONE;
		operand[1].disp = operand[2].disp;
		operand[1].address = pages->page[operand[1].base] + (uint64_t)operand[2].disp;
		operand[2] = (struct pw_operand){};
		return;
	}
	for (uint8_t i = 0; i < insn->operand_count; i++)
		if (operand[i].kind == PW_OPERAND_MEM && operand[i].base < 32 && operand[i].index == PW_REG_NONE &&
		    pages->known[operand[i].base])
			operand[i].address = pages->page[operand[i].base] + (uint64_t)operand[i].disp;
}

static void forget_written(struct pages *pages, const struct pw_insn *insn)
{
	for (uint8_t i = 0; i < insn->operand_count; i++) {
		const struct pw_operand *operand = &insn->operand[i];

		/* of kinds we do not know, every register may have been written; bases by write-back */
		if (operand->kind == PW_OPERAND_REG && operand->reg < 32 &&
		    (operand->written || insn->kind == PW_INSN_OTHER))
			pages->known[operand->reg] = false;
	}
}

static bool is_adrp(const struct pw_insn *insn)
{
	return (word_of(insn) & 0x9f000000) == 0x90000000;
}

/* LDR and STR with pre- or post-index change their base. */
static bool writes_back(const struct pw_insn *insn)
{
	return (word_of(insn) & 0x3b200400) == 0x38000400 || (word_of(insn) & 0x3a800000) == 0x28800000;
}

void pw_disasm_arm64_pair(struct pw_code *code)
{
	struct pages pages = {};
	struct pw_insn *insn;

	for (size_t i = 0; i < code->count; i++) {
		insn = &code->insn[i];
		if (insn->is_target)
			memset(pages.known, 0, sizeof(pages.known));
		complete_pair(insn, &pages);
		forget_written(&pages, insn);
		if (writes_back(insn) || insn->kind == PW_INSN_CALL || insn->kind == PW_INSN_CALL_INDIRECT)
			memset(pages.known, 0, sizeof(pages.known));
		if (is_adrp(insn) && insn->operand_count == 2 && insn->operand[0].reg < 32) {
			pages.known[insn->operand[0].reg] = true;
			pages.page[insn->operand[0].reg] = (uint64_t)insn->operand[1].disp;
		}
	}
}

/*
 * arch/arm64/kernel/probes/decode-insn.c:arm_probe_decode_insn: what it simulates on every kernel. NOP is simulated
 * from 6.13 on only; before, it is single-stepped like any other instruction.
 */
bool pw_disasm_arm64_emulated(const struct pw_insn *insn)
{
	static const struct {
		uint32_t mask, value;
	} simulated[] = {
		{0xff000010, 0x54000000}, /* B.cond */
		{0x7e000000, 0x34000000}, /* CBZ, CBNZ */
		{0x7e000000, 0x36000000}, /* TBZ, TBNZ */
		{0x1f000000, 0x10000000}, /* ADR, ADRP */
		{0x7c000000, 0x14000000}, /* B, BL */
		{0xfffffc1f, 0xd61f0000}, /* BR */
		{0xfffffc1f, 0xd63f0000}, /* BLR */
		{0xfffffc1f, 0xd65f0000}, /* RET */
		{0xbf000000, 0x18000000}, /* LDR literal */
		{0xff000000, 0x98000000}, /* LDRSW literal */
	};
	uint32_t word = word_of(insn);

	for (size_t i = 0; insn->size == 4 && i < ARRAY_SIZE(simulated); i++)
		if ((word & simulated[i].mask) == simulated[i].value)
			return true;
	return false;
}
