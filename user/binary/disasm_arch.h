/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"
#include "binary/disasm.h"

struct cs_insn;

/* The two halves of disasm.c. Each fills kind, operands and target of an instruction from capstone's detail. */
void pw_disasm_amd64_translate(struct pw_insn *insn, const struct cs_insn *from);
void pw_disasm_arm64_translate(struct pw_insn *insn, const struct cs_insn *from);

bool pw_disasm_amd64_emulated(const struct pw_insn *insn);
bool pw_disasm_arm64_emulated(const struct pw_insn *insn);

/* An instruction that capstone refused: UDF and the atomics of ARMv8.1 are decoded, others get ".inst" and false. */
bool pw_disasm_arm64_word(struct pw_insn *insn);

/* Resolves ADRP with the ADD, LDR or STR that completes it. Needs is_target. */
void pw_disasm_arm64_pair(struct pw_code *code);
