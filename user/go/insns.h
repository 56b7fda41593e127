/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_INSNS_H
#define PW_GO_INSNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/disasm.h"

/*
 * What sites.c, globals.c and calibrate.c ask of machine code, for both architectures: which address does this
 * instruction refer to, which struct field does it load or store, what does it overwrite.
 */
struct pw_pclntab;

/* Go's register ABI (src/cmd/compile/abi-internal.md): n-th integer argument, the g, the closure context. */
uint8_t pw_abi_arg(enum pw_arch arch, unsigned int n);
uint8_t pw_abi_g(enum pw_arch arch);

#define PW_REG_SET_BIT(reg) (1ULL << (reg))
/* The registers that insn may overwrite, as a set. Implicit ones count; in doubt too many, never too few. */
uint64_t pw_insn_clobbers(enum pw_arch arch, const struct pw_insn *insn);

/* mov reg, reg of the full width: copies src to dst. */
bool pw_insn_is_copy(enum pw_arch arch, const struct pw_insn *insn, uint8_t *ret_dst, uint8_t *ret_src);
/* insn sets reg to a constant other than zero (mov; on arm64 also orr with the zero register). */
bool pw_insn_sets_constant(const struct pw_insn *insn, uint8_t reg, int64_t *ret_value);
/* An atomic compare-and-swap of a 32-bit word, or the load half of one: of any address (base PW_REG_NONE) or [base]. */
bool pw_insn_is_cas32(enum pw_arch arch, const struct pw_insn *insn, uint8_t base);
/* arm64 ldaddal of a 32-bit word at [base]. */
bool pw_insn_is_ldaddal32(const struct pw_insn *insn, uint8_t base);
/* An atomic addition to a 64-bit word (lock xadd, lock add, ldaddal): the register that is added; PW_REG_NONE if it is
 * none. */
uint8_t pw_insn_added_reg64(enum pw_arch arch, const struct pw_insn *insn);
/* The conditional branch of Go's stack check: jbe, b.ls. */
bool pw_insn_is_stack_check(enum pw_arch arch, const struct pw_insn *insn);

/* A global that an instruction names: RIP-relative, or the second half of an ADRP pair. */
enum pw_reference_kind { PW_REFERENCE_ANY, PW_REFERENCE_ADDRESS, PW_REFERENCE_ACCESS };
struct pw_reference {
	uint64_t addr;
	enum pw_reference_kind kind; /* ADDRESS: takes its address; ACCESS: loads, stores, compares it */
	size_t insn;
};

/* The next reference at or after instruction *pos; moves *pos behind it. On arm64, where the address is first built
 * and then used, the use of the address just built is no second reference. */
bool pw_code_next_reference(const struct pw_code *code, size_t *pos, struct pw_reference *ret_reference);

/* The next direct call of function name at or after pos; code->count if there is none. */
size_t pw_code_find_call(const struct pw_code *code, const struct pw_pclntab *table, const char *name, size_t pos);

/* A field that an instruction loads, stores or takes the address of: [base + offset], no index, base not the stack
 * pointer. A pair (arm64 ldp, stp) has size 16. */
enum pw_access_kind { PW_ACCESS_LOAD, PW_ACCESS_STORE, PW_ACCESS_ADDRESS };
struct pw_access {
	enum pw_access_kind kind;
	uint8_t base;
	uint8_t size; /* 0 for ADDRESS */
	uint8_t reg;  /* that is loaded, stored or given the address; PW_REG_NONE if it is none (inc, cmp, constants) */
	int64_t offset;
};
bool pw_insn_access(enum pw_arch arch, const struct pw_insn *insn, struct pw_access *ret_access);

#endif
