/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_STACK_MEMO_H
#define PW_TARGET_STACK_MEMO_H

#include <stdint.h>

struct pw_unwind_start;
struct pw_unwind_stack;

/*
 * The stacks unwound last. What a walk says depends on nothing but where it starts and the words it read: a stack with
 * the same words in the same places is the same stack, which a few comparisons tell that need not wait for one another,
 * as the steps of a walk do. Zeroed: empty.
 */
#define PW_STACK_MEMO_ENTRIES 8u
#define PW_STACK_MEMO_WORDS   64u /* deeper ones are walked each time */

struct pw_stack_memo {
	struct pw_stack_memo_entry {
		uint64_t pc, lr;
		uint32_t count; /* of words; 0: free */
		uint32_t stack;
		uint32_t at[PW_STACK_MEMO_WORDS]; /* ascending */
		uint64_t value[PW_STACK_MEMO_WORDS];
	} entries[PW_STACK_MEMO_ENTRIES];
	uint8_t order[PW_STACK_MEMO_ENTRIES]; /* the last one found comes first */
	uint8_t used;
};

/* The id that was kept for such a stack; PW_STACK_NONE: not there. */
uint32_t pw_stack_memo_find(struct pw_stack_memo *memo, const struct pw_unwind_start *start);
/* Keeps the id of a stack that was just walked to its outermost frame; others are not kept. */
void pw_stack_memo_keep(struct pw_stack_memo *memo, const struct pw_unwind_start *start,
			const struct pw_unwind_stack *walked, uint32_t stack);
void pw_stack_memo_reset(struct pw_stack_memo *memo);

#endif
