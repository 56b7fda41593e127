/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/memory.h"

#include <string.h>

#include "base/macros.h"
#include "model/record.h"
#include "model/runtime_numbers.h"

static const char *const names[_PW_MEMORY_KIND_MAX] = {
	[PW_MEMORY_LIVE] = "live_heap",	 [PW_MEMORY_UNCOLLECTED] = "uncollected", [PW_MEMORY_SLOTS] = "free_slots",
	[PW_MEMORY_FREE] = "free_spans", [PW_MEMORY_STACKS] = "stacks",		  [PW_MEMORY_RUNTIME] = "runtime",
	[PW_MEMORY_GLOBALS] = "globals", [PW_MEMORY_NON_GO] = "non_go",		  [PW_MEMORY_FILE] = "file",
	[PW_MEMORY_SHMEM] = "shmem",
};

const char *pw_memory_kind_name(enum pw_memory_kind kind)
{
	return (unsigned int)kind < _PW_MEMORY_KIND_MAX ? names[kind] : "?";
}

static uint64_t known(uint64_t value)
{
	return value == PW_UNKNOWN ? 0 : value;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/*
 * What spans hold. heap_marked is exact as of the last GC; heap_live adds what was handed out to processors' caches
 * since, heap_objects what has not been swept yet; the higher of the two is what stands there now.
 */
static void split_heap(struct pw_memory_table *table, const struct pw_runtime_numbers *numbers)
{
	uint64_t in_use = known(numbers->heap_inuse_bytes), live = PW_MIN(known(numbers->heap_marked_bytes), in_use);
	uint64_t now = PW_MIN(PW_MAX(known(numbers->heap_live_bytes), known(numbers->heap_objects_bytes)), in_use);

	table->kind[PW_MEMORY_LIVE] = live;
	table->kind[PW_MEMORY_UNCOLLECTED] = minus(now, live);
	table->kind[PW_MEMORY_SLOTS] = in_use - live - table->kind[PW_MEMORY_UNCOLLECTED];
	table->kind[PW_MEMORY_FREE] = known(numbers->heap_free_bytes);
	table->kind[PW_MEMORY_STACKS] = known(numbers->stack_inuse_bytes);
	table->heap_committed_bytes = in_use + table->kind[PW_MEMORY_FREE] + table->kind[PW_MEMORY_STACKS];
	table->released_bytes = numbers->heap_released_bytes;
	table->gc_cycles = numbers->gc_cycles;
	table->gc_last_unix_ns = numbers->gc_last_unix_ns;
	table->gc_percent = numbers->gc_percent;
	table->memory_limit_bytes = numbers->memory_limit_bytes;
	table->heap_goal_bytes = numbers->heap_goal_bytes;
	table->heap_live_bytes = numbers->heap_live_bytes;
	table->goroutines = numbers->goroutines;
}

static uint64_t runtime_sys(const struct pw_runtime_numbers *numbers)
{
	return known(numbers->os_stack_bytes) + known(numbers->mspan_sys_bytes) + known(numbers->mcache_sys_bytes) +
	       known(numbers->profile_buckets_bytes) + known(numbers->gc_sys_bytes) + known(numbers->other_sys_bytes);
}

/*
 * The runtime keeps its own in mappings without a name, as C does: what is there is the runtime's up to what it says it
 * has, the rest is not Go's. (Both are a few MB in most programs; where the kernel keeps names, they are exact.)
 * Buffers of the collector are in the arenas.
 */
static void split_unnamed(struct pw_memory_table *table, const struct pw_memory_mappings *mappings,
			  const struct pw_runtime_numbers *numbers)
{
	uint64_t excess = minus(mappings->arenas.anonymous, table->heap_committed_bytes);
	uint64_t sys = runtime_sys(numbers), in_arenas = PW_MIN(excess, known(numbers->gc_sys_bytes));
	uint64_t outside = mappings->go_named.anonymous;

	if (!outside)
		outside = PW_MIN(minus(sys, in_arenas), mappings->other.anonymous);
	table->kind[PW_MEMORY_RUNTIME] = in_arenas + outside;
	table->kind[PW_MEMORY_NON_GO] =
		mappings->brk.anonymous +
		(mappings->go_named.anonymous ? mappings->other.anonymous : mappings->other.anonymous - outside);
}

static void explain_heap(struct pw_memory_table *table, const struct pw_memory_sizes *arenas)
{
	table->heap_resident_bytes = arenas->anonymous;
	table->heap_swapped_bytes = arenas->swap;
	table->heap_lazy_free_bytes = arenas->lazy_free;
	table->heap_huge_bytes = arenas->anon_huge;
	table->heap_untouched_bytes = minus(table->heap_committed_bytes, arenas->anonymous + arenas->swap);
}

static uint64_t sum_of_kinds(const struct pw_memory_table *table)
{
	uint64_t sum = 0;

	for (int i = 0; i < _PW_MEMORY_KIND_MAX; i++)
		sum += table->kind[i];
	return sum;
}

/* src/runtime/mgcpacer.go:heapLive counts whole spans of caches as used, so this is less than it may be. */
uint64_t pw_memory_known_garbage(const struct pw_memory_table *table)
{
	uint64_t live = table->kind[PW_MEMORY_LIVE], since = table->kind[PW_MEMORY_UNCOLLECTED];

	if (!table->gc_cycles || table->gc_cycles == PW_UNKNOWN || table->heap_live_bytes == PW_UNKNOWN ||
	    live == PW_UNKNOWN || since == PW_UNKNOWN)
		return PW_UNKNOWN;
	return PW_MIN(minus(live + since, table->heap_live_bytes), since);
}

void pw_memory_balance(struct pw_memory_table *table, const struct pw_memory_mappings *mappings,
		       const struct pw_runtime_numbers *numbers)
{
	uint64_t anonymous = mappings->total.anonymous, not_anonymous = minus(mappings->total.rss, anonymous);

	table->detailed = mappings->detailed;
	table->rss_bytes = mappings->total.rss;
	table->swap_bytes = mappings->total.swap;
	table->huge_bytes = mappings->total.anon_huge;
	table->mappings = mappings->count;
	table->kind[PW_MEMORY_SHMEM] = PW_MIN(mappings->shmem, not_anonymous);
	table->kind[PW_MEMORY_FILE] = not_anonymous - table->kind[PW_MEMORY_SHMEM];
	if (numbers)
		split_heap(table, numbers);
	if (numbers && mappings->detailed && mappings->arenas_bytes) {
		table->kind[PW_MEMORY_GLOBALS] = mappings->globals.anonymous;
		table->c_heap_bytes = mappings->brk.anonymous;
		split_unnamed(table, mappings, numbers);
		explain_heap(table, &mappings->arenas);
	} else {
		table->detailed = false;
		table->kind[PW_MEMORY_RUNTIME] = numbers ? runtime_sys(numbers) : 0;
		table->kind[PW_MEMORY_NON_GO] =
			minus(anonymous, table->heap_committed_bytes + table->kind[PW_MEMORY_RUNTIME]);
		table->heap_resident_bytes = table->heap_untouched_bytes = PW_UNKNOWN;
		table->heap_swapped_bytes = table->heap_lazy_free_bytes = table->heap_huge_bytes = PW_UNKNOWN;
		table->c_heap_bytes = PW_UNKNOWN;
	}
	table->unexplained_bytes = (int64_t)(table->rss_bytes - sum_of_kinds(table));
}

enum pw_memory_kind pw_memory_largest(const struct pw_memory_table *table)
{
	enum pw_memory_kind largest = PW_MEMORY_LIVE;

	for (int i = 0; i < _PW_MEMORY_KIND_MAX; i++)
		if (table->kind[i] > table->kind[largest])
			largest = (enum pw_memory_kind)i;
	return largest;
}
