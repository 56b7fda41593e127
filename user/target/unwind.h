/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_UNWIND_H
#define PW_TARGET_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "go/layout.h"

/* Flags of a function in pclntab (src/internal/abi/symtab.go:FuncFlag, go1.17 to 1.27). */
#define PW_FUNC_TOP_FRAME 1
#define PW_FUNC_SP_WRITE  2

/* What unwinding has to know of one pc, as it stands on a stack (not of pc - 1). */
struct pw_frame_info {
	uint64_t pc;	    /* link-time */
	int32_t size;	    /* pcsp: bytes between SP and the return address; -1: no function, or no table */
	bool asked : 1;	    /* not answered yet: the rest means nothing */
	bool top : 1;	    /* the outermost frame of every stack */
	bool writes_sp : 1; /* switches stacks: what calls it cannot be told */
	bool at_entry : 1;  /* pc is the first instruction: no return address */
	bool injects : 1;   /* asyncPreempt, sigpanic: stands on a function that did not call it */
};

/* pc -> frame: open addressing, grows to PW_FRAME_INFOS_MAX. A zeroed one is empty. */
struct pw_frame_table {
	struct pw_frame_info *slots;
	size_t capacity, count;
};
/* NULL: not there. Valid until the next put. */
const struct pw_frame_info *pw_frame_table_find(const struct pw_frame_table *table, uint64_t pc);
/* Adds or replaces. 0, -E2BIG, -ENOMEM. */
int pw_frame_table_put(struct pw_frame_table *table, const struct pw_frame_info *info)
	__attribute__((warn_unused_result));
void pw_frame_table_done(struct pw_frame_table *table);

/* Where a stack is, in bytes that were copied from it. Addresses are live ones. */
struct pw_unwind_start {
	enum pw_arch arch;
	uint64_t pc, sp, lr; /* lr: arm64 only */
	bool exact;	     /* pc is where it stood, not where a call returns to */
	uint64_t hi;	     /* end of the stack */
	const uint8_t *bytes;
	size_t size; /* bytes from sp on; less than hi - sp if the stack is deeper than what was read */
	uint64_t text, etext, bias;
};

/* Frames innermost first. A pc is kept with "1 is to be subtracted before it is looked up" in its lowest bit. */
#define PW_PACK_PC(pc, is_return) ((pc) << 1 | (is_return))
struct pw_unwind_stack {
	uint64_t missing;  /* != 0: this link-time pc has to be asked for first; nothing else is of use */
	size_t missing_at; /* offset in bytes behind which return addresses are still unknown */
	bool truncated;	   /* deeper than the cap or than what was read, or something the unwinder does not know */
	bool lost;	   /* then: it is the latter, or stands where no stack can */
	uint32_t count;
	uint32_t read_count; /* words of the stack that it depends on, by their offset, ascending */
	uint64_t packed[PW_UNWIND_DEPTH_MAX];
	uint32_t read_at[2 * PW_UNWIND_DEPTH_MAX];
};

/* Walks one stack by frame sizes (pcsp; src/runtime/traceback.go:(*unwinder).next). Pure. */
void pw_unwind(const struct pw_unwind_start *start, const struct pw_frame_table *frames,
	       struct pw_unwind_stack *ret_stack);

#endif
