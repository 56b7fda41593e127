/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>

#include "model/codec_walk.h"
#include "model/record.h"
#include "model/storage.h"

/* GC cycles and the memory table, in the order of the format. */

static void walk_cycle(struct pw_walk *walk, struct pw_record_gc_cycle *now, const struct pw_record_gc_cycle *old)
{
	U64(number);
	U64(start_ns);
	U64(mark_ns);
	U64(mark_termination_ns);
	U64(end_ns);
	U64(since_init_ns);
	U64(pause_ns);
	U64(heap_start_bytes);
	U64(heap_mark_end_bytes);
	U64(heap_live_bytes);
	U64(goal_bytes);
	U64(trigger_bytes);
	U64(stack_bytes);
	U64(globals_bytes);
	U64(assist_ns);
	U64(dedicated_ns);
	U64(fractional_ns);
	U64(idle_ns);
	pw_walk_double(walk, &now->cpu_fraction, old->cpu_fraction);
	U32(stw_procs);
	U32(max_procs);
	BOOL(forced);
	BOOL(leak_check);
	BOOL(polled);
}

/* Where in the old ring a cycle was: it moves towards the beginning as new ones come. */
static size_t find_cycle(const struct pw_record *old, uint64_t number, size_t expected)
{
	for (size_t i = expected; i < old->gc.cycle_count; i++)
		if (old->gc.cycles[i].number == number)
			return i;
	return old->gc.cycle_count;
}

/* One that is new is held against the one before it. */
static void walk_cycles(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	static const struct pw_record_gc_cycle nothing;
	size_t count = (size_t)pw_walk_value(walk, now->gc.cycle_count, old->gc.cycle_count, PW_RECORD_GC_CYCLES_MAX);
	size_t expected = 0;

	if (walk->failed || !count)
		return;
	if (!walk->encoding) {
		now->gc.cycles = calloc(count, sizeof(*now->gc.cycles));
		walk->failed = walk->no_memory = !now->gc.cycles;
		now->gc.cycle_count = now->gc.cycles ? count : 0;
	}
	for (size_t i = 0; i < count && !walk->failed; i++) {
		size_t from = walk->encoding ? find_cycle(old, now->gc.cycles[i].number, expected) : 0;

		from = (size_t)pw_walk_value(walk, from, expected, old->gc.cycle_count);
		if (from < old->gc.cycle_count)
			expected = from + 1;
		walk_cycle(walk, &now->gc.cycles[i],
			   from < old->gc.cycle_count ? &old->gc.cycles[from]
			   : i			      ? &now->gc.cycles[i - 1]
						      : &nothing);
	}
}

static void walk_gc(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	pw_walk_section(walk, &now->gc.section, &old->gc.section);
	walk_cycles(walk, now, old);
	U64(gc.sums.seen);
	U64(gc.sums.missed);
	U64(gc.sums.refused);
	U64(gc.sums.pause_ns);
	U64(gc.sums.mark_ns);
	U64(gc.sums.stopped_cpu_ns);
	U64(gc.sums.assist_ns);
	U64(gc.sums.dedicated_ns);
	U64(gc.sums.fractional_ns);
	U64(gc.sums.idle_ns);
	pw_walk_double(walk, &now->gc.sums.assist_share, old->gc.sums.assist_share);
	for (size_t i = 0; i < PW_GC_BUCKETS; i++) {
		U64(gc.sums.pause_counts[i]);
		U64(gc.sums.mark_counts[i]);
	}
	for (size_t i = 0; i < PW_GC_SHARES; i++)
		U64(gc.sums.share_counts[i]);
}

/* A field added to one of these must be added to its walk, and the format's version raised. */
_Static_assert(sizeof(struct pw_record_gc_cycle) == 168, "walk_cycle");
_Static_assert(sizeof(struct pw_gc_sums) == 368, "walk_gc");
_Static_assert(sizeof(struct pw_memory_table) == 304, "pw_walk_memory");

void pw_walk_memory(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	walk_gc(walk, now, old);
	pw_walk_section(walk, &now->memory.section, &old->memory.section);
	U64(memory.table.detailed);
	U64(memory.table.rss_bytes);
	for (size_t i = 0; i < _PW_MEMORY_KIND_MAX; i++)
		U64(memory.table.kind[i]);
	I64(memory.table.unexplained_bytes);
	U64(memory.table.heap_resident_bytes);
	U64(memory.table.heap_committed_bytes);
	U64(memory.table.heap_untouched_bytes);
	U64(memory.table.heap_swapped_bytes);
	U64(memory.table.heap_lazy_free_bytes);
	U64(memory.table.heap_huge_bytes);
	U64(memory.table.c_heap_bytes);
	U64(memory.table.huge_bytes);
	U64(memory.table.released_bytes);
	U64(memory.table.swap_bytes);
	U64(memory.table.gc_cycles);
	U64(memory.table.gc_last_unix_ns);
	U64(memory.table.gc_percent);
	U64(memory.table.memory_limit_bytes);
	U64(memory.table.heap_goal_bytes);
	U64(memory.table.heap_live_bytes);
	U64(memory.table.goroutines);
	U64(memory.table.limits.cgroup_version);
	U64(memory.table.limits.max_bytes);
	U64(memory.table.limits.max_used_bytes);
	U64(memory.table.limits.max_reclaimable_bytes);
	U64(memory.table.limits.high_bytes);
	U64(memory.table.limits.swap_max_bytes);
	U64(memory.table.mappings);
	U64(memory.table.cost_ns);
	U32(memory.max_path);
	U32(memory.high_path);
}
