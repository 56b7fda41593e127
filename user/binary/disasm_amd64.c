/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <capstone/capstone.h>

#include "binary/disasm_arch.h"

enum { AX, CX, DX, BX, SP, BP, SI, DI };

/* The machine's number of a general register of any width; the rest (vectors, segments) have none. */
static uint8_t register_number(unsigned int reg)
{
	switch (reg) {
	case X86_REG_RAX:
	case X86_REG_EAX:
	case X86_REG_AX:
	case X86_REG_AL:
	case X86_REG_AH:
		return AX;
	case X86_REG_RCX:
	case X86_REG_ECX:
	case X86_REG_CX:
	case X86_REG_CL:
	case X86_REG_CH:
		return CX;
	case X86_REG_RDX:
	case X86_REG_EDX:
	case X86_REG_DX:
	case X86_REG_DL:
	case X86_REG_DH:
		return DX;
	case X86_REG_RBX:
	case X86_REG_EBX:
	case X86_REG_BX:
	case X86_REG_BL:
	case X86_REG_BH:
		return BX;
	case X86_REG_RSP:
	case X86_REG_ESP:
	case X86_REG_SP:
	case X86_REG_SPL:
		return SP;
	case X86_REG_RBP:
	case X86_REG_EBP:
	case X86_REG_BP:
	case X86_REG_BPL:
		return BP;
	case X86_REG_RSI:
	case X86_REG_ESI:
	case X86_REG_SI:
	case X86_REG_SIL:
		return SI;
	case X86_REG_RDI:
	case X86_REG_EDI:
	case X86_REG_DI:
	case X86_REG_DIL:
		return DI;
	case X86_REG_RIP:
	case X86_REG_EIP:
		return PW_REG_IP;
	default:
		break;
	}
	if (reg >= X86_REG_R8 && reg <= X86_REG_R15)
		return (uint8_t)(8 + reg - X86_REG_R8);
	if (reg >= X86_REG_R8D && reg <= X86_REG_R15D)
		return (uint8_t)(8 + reg - X86_REG_R8D);
	if (reg >= X86_REG_R8W && reg <= X86_REG_R15W)
		return (uint8_t)(8 + reg - X86_REG_R8W);
	if (reg >= X86_REG_R8B && reg <= X86_REG_R15B)
		return (uint8_t)(8 + reg - X86_REG_R8B);
	return PW_REG_NONE;
}

static void take_operand(struct pw_insn *insn, const cs_x86_op *from, struct pw_operand *operand)
{
	operand->size = from->size;
	operand->written = from->access & CS_AC_WRITE;
	operand->reg = operand->base = operand->index = PW_REG_NONE;
	switch (from->type) {
	case X86_OP_REG:
		operand->kind = PW_OPERAND_REG;
		operand->reg = register_number(from->reg);
		break;
	case X86_OP_IMM:
		operand->kind = PW_OPERAND_IMM;
		operand->disp = from->imm;
		break;
	case X86_OP_MEM:
		operand->kind = PW_OPERAND_MEM;
		operand->base = register_number(from->mem.base);
		operand->index = register_number(from->mem.index);
		operand->scale = (uint8_t)from->mem.scale;
		operand->disp = from->mem.disp;
		if (operand->base == PW_REG_IP)
			operand->address = insn->addr + insn->size + (uint64_t)from->mem.disp;
		break;
	default:
		break;
	}
}

static bool is_direct(const cs_x86 *detail)
{
	return detail->op_count == 1 && detail->operands[0].type == X86_OP_IMM;
}

static bool is_nop(const struct pw_insn *insn)
{
	return insn->size == 2 && insn->bytes[0] == 0x66 && insn->bytes[1] == 0x90;
}

static enum pw_insn_kind data_kind(unsigned int id)
{
	switch (id) {
	case X86_INS_NOP:
		return PW_INSN_NOP;
	case X86_INS_MOV:
	case X86_INS_MOVABS:
	case X86_INS_MOVZX:
	case X86_INS_MOVSX:
	case X86_INS_MOVSXD:
		return PW_INSN_MOVE;
	case X86_INS_LEA:
		return PW_INSN_LEA;
	case X86_INS_CMP:
	case X86_INS_TEST:
		return PW_INSN_COMPARE;
	case X86_INS_ADD:
	case X86_INS_SUB:
	case X86_INS_INC:
	case X86_INS_DEC:
	case X86_INS_AND:
	case X86_INS_OR:
	case X86_INS_XOR:
	case X86_INS_SHL:
	case X86_INS_SHR:
	case X86_INS_SAL:
	case X86_INS_SAR:
	case X86_INS_NEG:
	case X86_INS_NOT:
	case X86_INS_IMUL:
	case X86_INS_MUL:
	case X86_INS_DIV:
	case X86_INS_IDIV:
	case X86_INS_ADC:
	case X86_INS_SBB:
	case X86_INS_XADD:
	case X86_INS_ROL:
	case X86_INS_ROR:
		return PW_INSN_ARITHMETIC;
	case X86_INS_CMPXCHG:
	case X86_INS_CMPXCHG8B:
	case X86_INS_CMPXCHG16B:
		return PW_INSN_COMPARE_EXCHANGE;
	case X86_INS_INT3:
	case X86_INS_UD2:
	case X86_INS_HLT:
		return PW_INSN_TRAP;
	default:
		return PW_INSN_OTHER;
	}
}

static enum pw_insn_kind kind_of(const cs_insn *from, const struct pw_insn *insn)
{
	const cs_x86 *detail = &from->detail->x86;

	switch (from->id) {
	case X86_INS_CALL:
	case X86_INS_LCALL:
		return is_direct(detail) ? PW_INSN_CALL : PW_INSN_CALL_INDIRECT;
	case X86_INS_JMP:
	case X86_INS_LJMP:
		return is_direct(detail) ? PW_INSN_JUMP : PW_INSN_JUMP_INDIRECT;
	case X86_INS_RET:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
	case X86_INS_IRETQ:
		return PW_INSN_RETURN;
	case X86_INS_LOOP:
	case X86_INS_LOOPE:
	case X86_INS_LOOPNE:
		return PW_INSN_BRANCH;
	case X86_INS_PUSH:
		return detail->op_count == 1 && detail->operands[0].type == X86_OP_REG ? PW_INSN_PUSH : PW_INSN_OTHER;
	default:
		break;
	}
	for (unsigned int i = 0; i < from->detail->groups_count; i++)
		if (from->detail->groups[i] == CS_GRP_JUMP)
			return is_direct(detail) ? PW_INSN_BRANCH : PW_INSN_OTHER;
	return is_nop(insn) ? PW_INSN_NOP : data_kind(from->id);
}

/* Capstone 4 is not sure which operands some forms write; of these kinds we are. */
static void correct_writes(struct pw_insn *insn)
{
	if (insn->kind == PW_INSN_MOVE || insn->kind == PW_INSN_LEA)
		insn->operand[0].written = true;
	else if (insn->kind == PW_INSN_ARITHMETIC && insn->operand_count > 1)
		insn->operand[0].written = true;
	else if (insn->kind == PW_INSN_COMPARE || insn->kind == PW_INSN_PUSH)
		insn->operand[0].written = false;
	if (insn->kind == PW_INSN_COMPARE_EXCHANGE)
		insn->operand[0].written = true;
}

void pw_disasm_amd64_translate(struct pw_insn *insn, const cs_insn *from)
{
	const cs_x86 *detail = &from->detail->x86;

	for (uint8_t i = 0; i < detail->op_count && insn->operand_count < ARRAY_SIZE(insn->operand); i++)
		take_operand(insn, &detail->operands[i], &insn->operand[insn->operand_count++]);
	insn->lock = detail->prefix[0] == X86_PREFIX_LOCK;
	insn->kind = kind_of(from, insn);
	if (insn->kind == PW_INSN_CALL || insn->kind == PW_INSN_JUMP || insn->kind == PW_INSN_BRANCH)
		insn->target = (uint64_t)insn->operand[0].disp;
	correct_writes(insn);
}

static bool is_nop_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 || byte == 0x65 ||
	       byte == 0x26 || byte == 0x67;
}

/*
 * arch/x86/kernel/uprobes.c:branch_setup_xol_ops, push_setup_xol_ops. By bytes, because the kernel goes by bytes: it
 * refuses branches with a 66 prefix, and takes 41 90 (xchg r8, rax) for a nop, which we must never touch.
 */
bool pw_disasm_amd64_emulated(const struct pw_insn *insn)
{
	const uint8_t *bytes = insn->bytes;
	uint8_t at = 0;

	switch (insn->size) {
	case 1:
		return bytes[0] == 0x90 || (bytes[0] >= 0x50 && bytes[0] <= 0x57);
	case 2:
		if (bytes[0] == 0x41 && bytes[1] >= 0x50 && bytes[1] <= 0x57)
			return true;
		if (bytes[0] == 0xeb || (bytes[0] >= 0x70 && bytes[0] <= 0x7f))
			return true;
		break;
	case 5:
		if (bytes[0] == 0xe8 || bytes[0] == 0xe9)
			return true;
		break;
	case 6:
		if (bytes[0] == 0x0f && bytes[1] >= 0x80 && bytes[1] <= 0x8f)
			return true;
		break;
	default:
		break;
	}
	while (at + 1 < insn->size && is_nop_prefix(bytes[at]))
		at++;
	return at + 1 == insn->size && bytes[at] == 0x90;
}
