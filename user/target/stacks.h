/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_STACKS_H
#define PW_TARGET_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/snapshot.h"

/*
 * Each different stack once, by a small id: 100,000 goroutines have some dozens of them. Goroutines of one stack share
 * its pcs, so whoever groups them may compare first_pc.
 */
#define PW_STACK_NONE UINT32_MAX

struct pw_stack_entry {
	uint32_t first, count; /* into pcs */
	uint32_t hash;
	bool truncated;
};

struct pw_stack_set {
	struct pw_stack_entry *entries;
	size_t entry_count, entry_capacity;
	uint32_t *slots; /* id + 1; 0: free */
	size_t slot_count;
	struct pw_snapshot_pc *pcs;
	size_t pc_count, pc_capacity;
};

/* packed: see target/unwind.h. 0; -E2BIG over a cap, -ENOMEM. A zeroed set is empty. */
int pw_stack_set_add(struct pw_stack_set *set, const uint64_t *packed, uint32_t count, bool truncated, uint32_t *ret_id)
	__attribute__((warn_unused_result));
/* Forgets all stacks, keeps the memory. */
void pw_stack_set_reset(struct pw_stack_set *set);
void pw_stack_set_done(struct pw_stack_set *set);

#endif
