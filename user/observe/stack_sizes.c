/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/stack_sizes.h"

#include "base/macros.h"
#include "target/snapshot.h"

static bool is_larger(const struct pw_record_large_stack *a, const struct pw_record_large_stack *b)
{
	return a->bytes != b->bytes ? a->bytes > b->bytes : a->goid < b->goid;
}

static size_t log2_of(uint64_t bytes)
{
	return bytes ? 63 - (size_t)__builtin_clzll(bytes) : 0;
}

void pw_stack_sizes_add(struct pw_stack_sizes *sizes, const struct pw_snapshot_goroutine *g,
			struct pw_park_group *group)
{
	struct pw_record_large_stack one = {
		.goid = g->goid, .bytes = g->stack_bytes, .used_bytes = g->running ? PW_UNKNOWN : g->depth};
	uint32_t at = sizes->large_count;

	if (!g->stack_bytes)
		return;
	sizes->total++;
	sizes->of_size[log2_of(g->stack_bytes)]++;
	if (g->stack_bytes < PW_LARGE_STACK_BYTES ||
	    (at == PW_RECORD_LARGE_STACKS_MAX && !is_larger(&one, &sizes->large[at - 1].shown)))
		return;
	if (at < PW_RECORD_LARGE_STACKS_MAX)
		sizes->large_count++;
	else
		at--;
	for (; at > 0 && is_larger(&one, &sizes->large[at - 1].shown); at--)
		sizes->large[at] = sizes->large[at - 1];
	sizes->large[at].shown = one;
	sizes->large[at].group = group;
}

uint64_t pw_stack_sizes_p99(const struct pw_stack_sizes *sizes)
{
	uint64_t below = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes->of_size); i++) {
		below += sizes->of_size[i];
		if (sizes->total && below * 100 >= sizes->total * 99)
			return 1ULL << i;
	}
	return PW_UNKNOWN;
}
