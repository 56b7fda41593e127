/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_STACK_SIZES_H
#define PW_OBSERVE_STACK_SIZES_H

#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

struct pw_park_group;
struct pw_snapshot_goroutine;

/* How large the stacks of a snapshot are: the largest of them, and what hardly any exceeds. A part of struct pw_parks;
 * zeroed is empty. Sizes are powers of two (src/runtime/stack.go). */
struct pw_stack_sizes {
	struct {
		struct pw_record_large_stack shown;
		struct pw_park_group *group;
	} large[PW_RECORD_LARGE_STACKS_MAX]; /* the largest first */
	uint32_t large_count;
	uint64_t total, of_size[64]; /* goroutines, by the logarithm of what is reserved */
};

void pw_stack_sizes_add(struct pw_stack_sizes *sizes, const struct pw_snapshot_goroutine *g,
			struct pw_park_group *group);
/* 99 of 100 goroutines have no more reserved; PW_UNKNOWN: there are none. */
uint64_t pw_stack_sizes_p99(const struct pw_stack_sizes *sizes);

#endif
