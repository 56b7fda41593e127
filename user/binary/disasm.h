/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_BINARY_DISASM_H
#define PW_BINARY_DISASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/elf.h"

struct pw_why;

/*
 * One function's machine code as plain data, for amd64 and arm64. Only disasm*.c know capstone.
 * Registers are numbered by the machine: amd64 ax=0 cx=1 dx=2 bx=3 sp=4 bp=5 si=6 di=7 r8..r15=8..15,
 * arm64 x0..x30=0..30, sp=31; whatever the operand's width. Vector, segment and zero registers are PW_REG_NONE.
 *
 * arm64 is made to look like amd64: of a store operand 0 is the memory; an ADRP has no address (only a page, in disp),
 * the ADD that completes it is a LEA whose operand 1 has the address, and so is the memory operand of a load or store
 * that does. So "address != 0" finds each use of a global once on both. Jump tables are not followed: is_target says
 * nothing about what a JUMP_INDIRECT reaches.
 */
#define PW_REG_NONE 0xff
#define PW_REG_IP   0xfe /* rip-relative */

enum pw_insn_kind {
	PW_INSN_OTHER,
	PW_INSN_CALL, /* direct: target set */
	PW_INSN_CALL_INDIRECT,
	PW_INSN_JUMP, /* direct unconditional: target set */
	PW_INSN_JUMP_INDIRECT,
	PW_INSN_BRANCH, /* conditional, CBZ/TBZ included: target set */
	PW_INSN_RETURN,
	PW_INSN_PUSH, /* of a register */
	PW_INSN_NOP,
	PW_INSN_MOVE,	 /* mov/movzx/ldr/str: operand 0 destination, 1 source */
	PW_INSN_LEA,	 /* lea, adr, adrp: operand 1 memory with the address */
	PW_INSN_COMPARE, /* cmp, test */
	PW_INSN_ARITHMETIC,
	PW_INSN_COMPARE_EXCHANGE, /* cmpxchg; arm64 cas, ldaxr/stlxr pairs are OTHER with operands */
	PW_INSN_TRAP,
};

enum pw_operand_kind { PW_OPERAND_NONE, PW_OPERAND_REG, PW_OPERAND_IMM, PW_OPERAND_MEM };

struct pw_operand {
	enum pw_operand_kind kind;
	uint8_t size;		    /* bytes */
	uint8_t reg;		    /* REG */
	uint8_t base, index, scale; /* MEM; PW_REG_IP: address is absolute below */
	bool written;
	int64_t disp;	  /* MEM displacement, or IMM value */
	uint64_t address; /* MEM with PW_REG_IP, or ADRP+ADD/LDR pair resolved: link-time address; else 0 */
};

struct pw_insn {
	uint64_t addr;
	uint8_t size;
	uint8_t bytes[16];
	enum pw_insn_kind kind;
	bool lock;	 /* lock prefix */
	bool is_target;	 /* some direct branch of this function lands here */
	uint64_t target; /* direct calls, jumps, branches */
	uint8_t operand_count;
	struct pw_operand operand[4];
	char text[64]; /* for people: "push rbp" */
};

struct pw_code { /* owned by the caller; pw_code_done frees */
	enum pw_arch arch;
	struct pw_insn *insn;
	size_t count;
	bool complete; /* every byte of [start, end) was decoded */
};

/* Disassembles [start, end) of elf, both link-time. -EFAULT not in the file, -E2BIG longer than the cap, -EBADMSG
 * nothing decodable at start. */
int pw_code_read(struct pw_code *ret_code, const struct pw_elf *elf, uint64_t start, uint64_t end,
		 struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_code_done(struct pw_code *code);

/* May the kernel emulate this instruction under a uprobe instead of single-stepping it? Only the set that holds on
 * 5.10 to 7.2 (KERNELS 3): on x86 90 with prefixes, e8, e9, eb, 70-7f, 0f 80-8f, 50-57, 41 50-57; on arm64 what
 * arch/arm64/kernel/probes/decode-insn.c simulates. */
bool pw_insn_emulated(enum pw_arch arch, const struct pw_insn *insn);

#endif
