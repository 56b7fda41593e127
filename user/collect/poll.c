/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "collect/collect_internal.h"

/* What was counted: from the maps to struct pw_target_counts, at each poll. */
#define STATS_WORDS (sizeof(struct pw_bpf_stats) / sizeof(uint64_t))

static struct pw_collect_entry *find_kept(const struct pw_collect *collect, uint64_t id)
{
	for (size_t i = 0; i < collect->entries.count; i++)
		if (collect->entries.items[i]->id == id)
			return collect->entries.items[i]->removing ? NULL : collect->entries.items[i];
	return NULL;
}

/* Totals of one target: the per-CPU array, and the statements that the maps have. */
static int sum_up(struct pw_collect *collect, struct pw_collect_entry *entry, uint64_t now_ns, bool judge)
{
	uint64_t sums[STATS_WORDS];
	struct pw_target_counts *counts = &entry->counts;
	int r = pw_map_read_one(&collect->reader, &collect->stats_shape, &entry->slot, sums);

	if (r < 0)
		return r;
	memcpy(counts->site_hits, sums + offsetof(struct pw_bpf_stats, probed) / sizeof(*sums),
	       sizeof(counts->site_hits));
	counts->statements = pw_counts_of(&collect->counts, (uint32_t)entry->id, &counts->statement_count);
	pw_govern_counts(collect, entry);
	counts->spawned = sums[PW_EVENT_SPAWN];
	counts->exited = sums[PW_EVENT_EXIT];
	counts->parked = sums[PW_EVENT_PARK];
	counts->ran = sums[PW_EVENT_RUN];
	for (size_t i = 0; i < counts->statement_count; i++) {
		counts->spawned += counts->statements[i].spawned;
		counts->exited += counts->statements[i].exited;
		counts->parked += counts->statements[i].parked;
		counts->ran += counts->statements[i].ran;
	}
	counts->hits = 0;
	memset(counts->gc_counts, 0, sizeof(counts->gc_counts));
	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		counts->hits += counts->site_hits[event];
		if (pw_attach_group_of((enum pw_event)event) == PW_GROUP_GC)
			counts->gc_counts[event] = sums[event];
	}
	memcpy(entry->drops, sums + _PW_BPF_EVENT_MAX, sizeof(entry->drops));
	entry->drops[PW_DROP_RING_FULL] += entry->gc_events_lost;
	counts->drops = entry->drops;
	counts->drop_count = _PW_DROP_MAX;
	counts->gc_cycles_told = entry->gc.target && counts->site_attached[PW_EVENT_GC_MARK_TERMINATION] &&
				 counts->site_attached[PW_EVENT_STW_END];
	if (judge) {
		pw_govern_judge(collect, entry, now_ns);
		counts->polled_ns = now_ns;
	}
	return 0;
}

/* The events since the last poll; those that come from now on wait for the next. */
static void turn_gc_events(struct pw_collect_entry *entry)
{
	struct pw_gc_events last = entry->gc_events;

	entry->gc_events = entry->gc_incoming;
	entry->gc_incoming = last;
	pw_vec_reset(&entry->gc_incoming);
	entry->counts.gc_events = entry->gc_events.items;
	entry->counts.gc_event_count = entry->gc_events.count;
	struct pw_gc_cycles cycles = entry->gc_cycles;
	entry->gc_cycles = entry->gc_cycles_incoming;
	entry->gc_cycles_incoming = cycles;
	pw_vec_reset(&entry->gc_cycles_incoming);
	entry->counts.gc_cycles = entry->gc_cycles.items;
	entry->counts.gc_cycle_count = entry->gc_cycles.count;
}

static int compare_ids(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static int read_maps(struct pw_collect *collect)
{
	pw_vec_reset(&collect->known);
	pw_vec_foreach (&collect->entries, entry) {
		int r = (*entry)->removing ? 0 : pw_vec_push(&collect->known, (uint32_t)(*entry)->id);

		if (r < 0)
			return r;
	}
	pw_vec_sort(&collect->known, compare_ids);
	return pw_counts_poll(&collect->counts, &collect->reader, collect->known.items, collect->known.count);
}

/* Between polls: counts as they are when gates have closed, and all that the last poll handed out made anew. */
void pw_collect_refresh(struct pw_collect *collect)
{
	bool due = false;

	pw_vec_foreach (&collect->entries, entry)
		due |= (*entry)->govern.counts_due && !(*entry)->in_flight && !(*entry)->govern.open;
	if (!due)
		return;
	int r = read_maps(collect);
	pw_vec_foreach (&collect->entries, entry) {
		if (r >= 0 && !(*entry)->removing)
			r = sum_up(collect, *entry, 0, false);
		if (r < 0)
			(*entry)->counts.statement_count = 0;
	}
}

int pw_collect_poll(struct pw_collect *collect, uint64_t now_ns)
{
	uint64_t start_ns = pw_now_ns();

	pw_collect_dispatch(collect);
	pw_collect_try_waiting(collect, now_ns);
	pw_collect_try_failed(collect, now_ns);
	pw_collect_calibrate_more(collect);
	int r = ring_buffer__consume(collect->ring);
	pw_vec_foreach (&collect->entries, entry)
		turn_gc_events(*entry);
	if (r >= 0)
		r = read_maps(collect);
	pw_govern_share(collect);
	for (size_t i = 0; i < collect->entries.count; i++) {
		struct pw_collect_entry *entry = collect->entries.items[i];

		if (r >= 0 && !entry->removing)
			r = sum_up(collect, entry, now_ns, true);
		pw_collect_pump(collect, entry);
	}
	pw_govern_dispatch(collect);
	collect->stats.polls++;
	collect->stats.poll_ns_last = pw_now_ns() - start_ns;
	if (r < 0)
		pw_vec_foreach (&collect->entries, entry)
			(*entry)->counts.statement_count = 0;
	return PW_MIN(r, 0);
}

const struct pw_target_counts *pw_collect_counts(const struct pw_collect *collect, uint64_t target_id)
{
	const struct pw_collect_entry *entry = find_kept(collect, target_id);

	return entry ? &entry->counts : NULL;
}

const char *pw_drop_name(size_t drop)
{
	static const char *const names[] = {
		[PW_DROP_SITE_MAP_FULL] = "site_map_full",	   [PW_DROP_REASON_MAP_FULL] = "reason_map_full",
		[PW_DROP_CREATION_MAP_FULL] = "creation_map_full", [PW_DROP_STACK_UNREADABLE] = "stack_unreadable",
		[PW_DROP_G_UNREADABLE] = "goroutine_unreadable",   [PW_DROP_REASON_UNREADABLE] = "reason_unreadable",
		[PW_DROP_RING_FULL] = "ring_buffer_full",	   [PW_DROP_UNKNOWN_TARGET] = "unknown_target",
		[PW_DROP_TARGET_SHARE] = "target_share",	   [PW_DROP_GC_UNREADABLE] = "gc_unreadable",
	};
	_Static_assert(ARRAY_SIZE(names) == _PW_DROP_MAX, "a name for each drop");

	return drop < ARRAY_SIZE(names) ? names[drop] : "?";
}

void pw_collect_stats(const struct pw_collect *collect, struct pw_collect_stats *ret_stats)
{
	uint64_t sums[STATS_WORDS];
	struct pw_map_reader *reader = (struct pw_map_reader *)&collect->reader; /* only its buffer changes */
	uint32_t nobody = 0;

	*ret_stats = collect->stats;
	ret_stats->attached_targets = 0;
	ret_stats->waiting_targets = collect->waiting.count;
	for (size_t i = 0; i < collect->entries.count; i++)
		ret_stats->attached_targets += collect->entries.items[i]->counts.armed;
	ret_stats->map_memory_bytes = pw_skeleton_memory(collect->skeleton);
	ret_stats->emulated_hit_ns = collect->cost.emulated_ns;
	ret_stats->stepped_hit_ns = collect->cost.stepped_ns;
	ret_stats->cost_complete = collect->cost.more;
	ret_stats->stack_hit_ns = collect->cost.stack_ns;
	ret_stats->further_hit_ns = collect->cost.further_ns;
	ret_stats->cost_percent = 0;
	for (size_t i = 0; i < collect->entries.count; i++)
		ret_stats->cost_percent += collect->entries.items[i]->counts.cpu_percent;
	if (!pw_map_read_one(reader, &collect->stats_shape, &nobody, sums))
		ret_stats->unknown_target_hits = sums[_PW_BPF_EVENT_MAX + PW_DROP_UNKNOWN_TARGET];
}
