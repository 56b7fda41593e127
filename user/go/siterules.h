/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_SITERULES_H
#define PW_GO_SITERULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/disasm.h"

/* The rules of sites.c as pure functions of one function's code. An index equal to code->count means "none". */

/* A value on its way through straight-line code: the registers that hold it now. */
struct pw_traced {
	bool wanted;
	uint8_t reg; /* the one to use: where it started, or the lowest that is left */
	uint64_t regs;
};
/* reg may be PW_REG_NONE: no value is wanted, and none is ever lost. */
struct pw_traced pw_trace_start(uint8_t reg);

/* The branch of the stack check; none if the function has none (go:nosplit). */
size_t pw_code_stack_check(const struct pw_code *code);
/* The first emulated instruction from index on, before any branch target, at which both values are in a register. */
size_t pw_code_first_emulated(const struct pw_code *code, size_t index, struct pw_traced *g, struct pw_traced *arg);
/* Does a jump backwards, other than the one behind morestack to the entry, go around this instruction? */
bool pw_code_in_loop(const struct pw_code *code, size_t index);
/* Does the call at index pass the constant as its second argument? */
bool pw_call_passes_constant(const struct pw_code *code, size_t index, int64_t constant);
/* Is the frame of the function not built yet, so that a frame-pointer walk misses the immediate caller? */
bool pw_code_frame_missing(const struct pw_code *code, size_t index);

#endif
