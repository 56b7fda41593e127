/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/stack_memo.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"
#include "target/stacks.h"
#include "target/unwind.h"

static uint64_t word_at(const struct pw_unwind_start *start, uint32_t at)
{
	uint64_t word;

	memcpy(&word, start->bytes + at, sizeof(word));
	return word;
}

static bool matches(const struct pw_stack_memo_entry *entry, const struct pw_unwind_start *start)
{
	if (entry->pc != start->pc || entry->lr != start->lr || start->size < sizeof(uint64_t) ||
	    entry->at[entry->count - 1] > start->size - sizeof(uint64_t))
		return false;
	for (uint32_t i = entry->count; i-- > 0;) /* from the outermost: there they differ first */
		if (word_at(start, entry->at[i]) != entry->value[i])
			return false;
	return true;
}

static void to_front(struct pw_stack_memo *memo, unsigned int place)
{
	uint8_t entry = memo->order[place];

	memmove(memo->order + 1, memo->order, place);
	memo->order[0] = entry;
}

uint32_t pw_stack_memo_find(struct pw_stack_memo *memo, const struct pw_unwind_start *start)
{
	for (unsigned int place = 0; place < memo->used; place++) {
		const struct pw_stack_memo_entry *entry = &memo->entries[memo->order[place]];

		if (!matches(entry, start))
			continue;
		if (place)
			to_front(memo, place);
		return entry->stack;
	}
	return PW_STACK_NONE;
}

void pw_stack_memo_keep(struct pw_stack_memo *memo, const struct pw_unwind_start *start,
			const struct pw_unwind_stack *walked, uint32_t stack)
{
	struct pw_stack_memo_entry *entry;

	if (walked->truncated || walked->missing || !walked->read_count || walked->read_count > PW_STACK_MEMO_WORDS)
		return;
	if (memo->used < PW_STACK_MEMO_ENTRIES) {
		memo->order[memo->used] = memo->used;
		memo->used++;
	}
	to_front(memo, memo->used - 1u);
	entry = &memo->entries[memo->order[0]];
	entry->pc = start->pc;
	entry->lr = start->lr;
	entry->count = walked->read_count;
	entry->stack = stack;
	for (uint32_t i = 0; i < walked->read_count; i++) {
		entry->at[i] = walked->read_at[i];
		entry->value[i] = word_at(start, walked->read_at[i]);
	}
}

void pw_stack_memo_reset(struct pw_stack_memo *memo)
{
	memo->used = 0;
}
