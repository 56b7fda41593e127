/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"

static uint32_t hash_of(const uint64_t *packed, uint32_t count, bool truncated)
{
	uint64_t hash = truncated ? 0x2545f4914f6cdd1dULL : 0;

	for (uint32_t i = 0; i < count; i++) {
		hash = (hash ^ packed[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash ^ hash >> 32);
}

static bool same(const struct pw_stack_set *set, const struct pw_stack_entry *entry, const uint64_t *packed,
		 uint32_t count)
{
	const struct pw_snapshot_pc *pcs = set->pcs + entry->first;

	if (entry->count != count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (pcs[i].pc != packed[i] >> 1 || pcs[i].is_return != (packed[i] & 1))
			return false;
	return true;
}

static int grow_slots(struct pw_stack_set *set)
{
	size_t count = set->slot_count ? set->slot_count * 2 : 1024;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t id = 0; id < set->entry_count; id++) {
		size_t i = set->entries[id].hash & (count - 1);

		while (slots[i])
			i = (i + 1) & (count - 1);
		slots[i] = (uint32_t)id + 1;
	}
	free(set->slots);
	set->slots = slots;
	set->slot_count = count;
	return 0;
}

/* Room for one more stack of count pcs. */
static int make_room(struct pw_stack_set *set, uint32_t count)
{
	void *grown;

	if (set->entry_count >= PW_STACKS_MAX || set->pc_count + count > PW_STACK_PCS_MAX)
		return -E2BIG;
	if (set->entry_count == set->entry_capacity) {
		size_t capacity = PW_MAX(set->entry_capacity * 2, (size_t)256);

		grown = realloc(set->entries, capacity * sizeof(*set->entries));
		if (!grown)
			return -ENOMEM;
		set->entries = grown;
		set->entry_capacity = capacity;
	}
	if (set->pc_count + count > set->pc_capacity) {
		size_t capacity = PW_MAX(set->pc_capacity * 2, (size_t)4096);

		grown = realloc(set->pcs, capacity * sizeof(*set->pcs));
		if (!grown)
			return -ENOMEM;
		set->pcs = grown;
		set->pc_capacity = capacity;
	}
	return 2 * (set->entry_count + 1) > set->slot_count ? grow_slots(set) : 0;
}

int pw_stack_set_add(struct pw_stack_set *set, const uint64_t *packed, uint32_t count, bool truncated, uint32_t *ret_id)
{
	uint32_t hash = hash_of(packed, count, truncated);
	size_t i;
	int r;

	for (i = set->slot_count ? hash & (set->slot_count - 1) : 0; set->slot_count && set->slots[i];
	     i = (i + 1) & (set->slot_count - 1)) {
		const struct pw_stack_entry *entry = &set->entries[set->slots[i] - 1];

		if (entry->hash == hash && entry->truncated == truncated && same(set, entry, packed, count)) {
			*ret_id = set->slots[i] - 1;
			return 0;
		}
	}
	r = make_room(set, count);
	if (r)
		return r;
	for (i = hash & (set->slot_count - 1); set->slots[i]; i = (i + 1) & (set->slot_count - 1))
		;
	set->slots[i] = (uint32_t)set->entry_count + 1;
	*ret_id = (uint32_t)set->entry_count;
	set->entries[set->entry_count++] = (struct pw_stack_entry){
		.first = (uint32_t)set->pc_count, .count = count, .hash = hash, .truncated = truncated};
	for (uint32_t k = 0; k < count; k++)
		set->pcs[set->pc_count++] = (struct pw_snapshot_pc){.pc = packed[k] >> 1, .is_return = packed[k] & 1};
	return 0;
}

void pw_stack_set_reset(struct pw_stack_set *set)
{
	set->entry_count = set->pc_count = 0;
	if (set->slots)
		memset(set->slots, 0, set->slot_count * sizeof(*set->slots));
}

void pw_stack_set_done(struct pw_stack_set *set)
{
	free(set->entries);
	free(set->slots);
	free(set->pcs);
	*set = (struct pw_stack_set){};
}
