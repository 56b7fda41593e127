/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Unwinding by the frame sizes of pclntab, the way the runtime itself does it. The chain of frame pointers would be
 * cheaper, but it loses frames: in system calls before Go 1.23, and in three of four preempted goroutines.
 *
 *	amd64           sp -> | frame of size bytes | return address | frame of the caller ...
 *	arm64           sp -> | return address, rest of size bytes | frame of the caller ...
 *
 * On arm64 a function that has no frame yet keeps its return address in a register: sched.lr for the innermost one, the
 * word that a signal handler pushed for one that was interrupted.
 */
#include "target/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_CAPACITY_MIN 1024u
#define ARM64_INJECTED	   16u /* bytes that a signal handler pushes: MinFrameSize, aligned */

static size_t slot_of(uint64_t pc, size_t capacity)
{
	return (size_t)((pc * 0x9e3779b97f4a7c15ULL) >> 32) & (capacity - 1);
}

const struct pw_frame_info *pw_frame_table_find(const struct pw_frame_table *table, uint64_t pc)
{
	if (!table->capacity || !pc)
		return NULL;
	for (size_t i = slot_of(pc, table->capacity); table->slots[i].pc; i = (i + 1) & (table->capacity - 1))
		if (table->slots[i].pc == pc)
			return &table->slots[i];
	return NULL;
}

static void place(struct pw_frame_table *table, const struct pw_frame_info *info)
{
	size_t i = slot_of(info->pc, table->capacity);

	while (table->slots[i].pc && table->slots[i].pc != info->pc)
		i = (i + 1) & (table->capacity - 1);
	table->count += !table->slots[i].pc;
	table->slots[i] = *info;
}

static int grow(struct pw_frame_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : TABLE_CAPACITY_MIN;
	struct pw_frame_table grown = {.capacity = capacity};

	grown.slots = calloc(capacity, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i].pc)
			place(&grown, &table->slots[i]);
	free(table->slots);
	*table = grown;
	return 0;
}

int pw_frame_table_put(struct pw_frame_table *table, const struct pw_frame_info *info)
{
	if (!info->pc)
		return -EINVAL;
	if (!pw_frame_table_find(table, info->pc)) {
		if (table->count >= PW_FRAME_INFOS_MAX)
			return -E2BIG;
		if (2 * table->count >= table->capacity) {
			int r = grow(table);

			if (r)
				return r;
		}
	}
	place(table, info);
	return 0;
}

void pw_frame_table_done(struct pw_frame_table *table)
{
	free(table->slots);
	*table = (struct pw_frame_table){};
}

struct walk {
	const struct pw_unwind_start *start;
	uint64_t pc, lr; /* pc link-time, lr live */
	size_t at;	 /* of sp in the bytes */
	bool exact;	 /* pc is where it stood, not where a call returns to */
};

static bool read_word(const struct pw_unwind_start *start, size_t at, struct pw_unwind_stack *stack, uint64_t *ret_word)
{
	if (at > start->size || start->size - at < sizeof(*ret_word))
		return false;
	memcpy(ret_word, start->bytes + at, sizeof(*ret_word));
	stack->read_at[stack->read_count++] = (uint32_t)at; /* two for each frame at most */
	return true;
}

/* Goes from one frame to its caller. False: it cannot be found. */
static bool step_out(struct walk *walk, const struct pw_frame_info *info, struct pw_unwind_stack *stack)
{
	const struct pw_unwind_start *start = walk->start;
	uint64_t caller, pushed = 0;
	size_t size = (size_t)info->size;

	if (start->arch == PW_ARCH_ARM64) {
		caller = walk->lr;
		if ((size || !caller) && !read_word(start, walk->at, stack, &caller))
			return false;
		walk->at += size;
		if (info->injects) {
			if (!read_word(start, walk->at, stack, &pushed))
				return false;
			walk->at += ARM64_INJECTED;
		}
		walk->lr = pushed;
	} else {
		if (!read_word(start, walk->at + size, stack, &caller))
			return false;
		walk->at += size + sizeof(caller);
	}
	if (caller < start->text || caller > start->etext)
		return false;
	walk->pc = caller - start->bias;
	walk->exact = info->injects;
	return true;
}

void pw_unwind(const struct pw_unwind_start *start, const struct pw_frame_table *frames,
	       struct pw_unwind_stack *ret_stack)
{
	struct walk walk = {.start = start, .pc = start->pc - start->bias, .lr = start->lr, .exact = start->exact};

	ret_stack->missing = ret_stack->missing_at = 0;
	ret_stack->count = ret_stack->read_count = 0;
	ret_stack->truncated = ret_stack->lost = true;
	if (start->pc < start->text || start->pc > start->etext)
		return;
	while (ret_stack->count < PW_UNWIND_DEPTH_MAX) {
		const struct pw_frame_info *info = pw_frame_table_find(frames, walk.pc);

		if (!info || info->asked) {
			ret_stack->missing = walk.pc;
			ret_stack->missing_at = walk.at;
			return;
		}
		if (info->size < 0)
			return;
		ret_stack->packed[ret_stack->count++] = PW_PACK_PC(walk.pc, !walk.exact && !info->at_entry);
		if (info->top) {
			ret_stack->truncated = ret_stack->lost = false;
			return;
		}
		if ((info->writes_sp && ret_stack->count > 1) || !step_out(&walk, info, ret_stack)) {
			ret_stack->lost = start->size >= start->hi - start->sp || walk.at < start->size;
			return;
		}
	}
	ret_stack->lost = false;
}
