/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/metrics_writer.h"

/* GC cycles as they were seen one by one, and where the RSS goes. */

/* ---- cycles ---- */

static void write_le(struct pw_writer *w, const char *labels, double bound, uint64_t value)
{
	char more[48];

	snprintf(more, sizeof(more), "le=\"%g\"", bound);
	pw_write_u64(w, "_bucket", labels, more, value);
}

/* counts[i]: at most bounds[i] and above the one before; what is above all bounds is in `seen` only. */
static void write_histogram(struct pw_writer *w, const struct pw_metric_target *t, const double *bounds, size_t count,
			    const uint64_t *counts, uint64_t seen, double sum)
{
	uint64_t cumulative = 0;

	if (!t->record->gc.section.present)
		return;
	for (size_t i = 0; i < count; i++) {
		cumulative += counts[i];
		write_le(w, t->labels, bounds[i], cumulative);
	}
	pw_write_u64(w, "_bucket", t->labels, "le=\"+Inf\"", seen);
	pw_write_double(w, "_sum", t->labels, NULL, sum);
	pw_write_u64(w, "_count", t->labels, NULL, seen);
}

static void gc_stopped(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_gc_sums *sums = &t->record->gc.sums;

	write_histogram(w, t, pw_gc_bucket_seconds, PW_GC_BUCKETS - 1, sums->pause_counts, sums->seen,
			(double)sums->pause_ns / (double)PW_NS_PER_SEC);
}

static void gc_mark(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_gc_sums *sums = &t->record->gc.sums;

	write_histogram(w, t, pw_gc_bucket_seconds, PW_GC_BUCKETS - 1, sums->mark_counts, sums->seen,
			(double)sums->mark_ns / (double)PW_NS_PER_SEC);
}

static void gc_assist(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_gc_sums *sums = &t->record->gc.sums;

	write_histogram(w, t, pw_gc_share_bounds, PW_GC_SHARES, sums->share_counts, sums->seen, sums->assist_share);
}

static void gc_cpu(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_gc_sums *sums = &t->record->gc.sums;

	if (!t->record->gc.section.present)
		return;
	pw_write_seconds(w, "", t->labels, "kind=\"assist\"", sums->assist_ns);
	pw_write_seconds(w, "", t->labels, "kind=\"dedicated\"", sums->dedicated_ns);
	pw_write_seconds(w, "", t->labels, "kind=\"fractional\"", sums->fractional_ns);
	pw_write_seconds(w, "", t->labels, "kind=\"idle\"", sums->idle_ns);
	pw_write_seconds(w, "", t->labels, "kind=\"stopped\"", sums->stopped_cpu_ns);
}

static void gc_missed(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->gc.section.present)
		pw_write_u64(w, "", t->labels, NULL, t->record->gc.sums.missed);
}

static const struct pw_record_gc_cycle *last_cycle(const struct pw_metric_target *t)
{
	size_t count = t->record->gc.section.present ? t->record->gc.cycle_count : 0;

	return count ? &t->record->gc.cycles[count - 1] : NULL;
}

static void gc_last_live(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (last_cycle(t))
		pw_write_u64(w, "", t->labels, NULL, last_cycle(t)->heap_live_bytes);
}

static void gc_last_trigger(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (last_cycle(t))
		pw_write_u64(w, "", t->labels, NULL, last_cycle(t)->trigger_bytes);
}

static void gc_last_scanned(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (!last_cycle(t))
		return;
	pw_write_u64(w, "", t->labels, "roots=\"stacks\"", last_cycle(t)->stack_bytes);
	pw_write_u64(w, "", t->labels, "roots=\"globals\"", last_cycle(t)->globals_bytes);
}

/* ---- memory ---- */

/* Kinds of the heap are absent when the runtime's numbers were not to be had. */
static bool kind_known(const struct pw_memory_table *table, enum pw_memory_kind kind)
{
	return kind >= PW_MEMORY_NON_GO ||
	       (table->heap_committed_bytes && (table->detailed || kind != PW_MEMORY_GLOBALS));
}

static void memory_kinds(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_memory_table *table = &t->record->memory.table;
	char more[48];

	for (int i = 0; t->record->memory.section.present && i < _PW_MEMORY_KIND_MAX; i++) {
		if (!kind_known(table, (enum pw_memory_kind)i))
			continue;
		snprintf(more, sizeof(more), "kind=\"%s\"", pw_memory_kind_name((enum pw_memory_kind)i));
		pw_write_u64(w, "", t->labels, more, table->kind[i]);
	}
}

static void memory_unexplained(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->memory.section.present)
		pw_write_double(w, "", t->labels, NULL, (double)t->record->memory.table.unexplained_bytes);
}

#define MEMORY_NUMBER(function, member)                                                       \
	static void function(struct pw_writer *w, const struct pw_metric_target *t)           \
	{                                                                                     \
		if (t->record->memory.section.present)                                        \
			pw_write_u64(w, "", t->labels, NULL, t->record->memory.table.member); \
	}
MEMORY_NUMBER(memory_rss, rss_bytes)
MEMORY_NUMBER(memory_swap, swap_bytes)
MEMORY_NUMBER(memory_heap_resident, heap_resident_bytes)
MEMORY_NUMBER(memory_heap_counted, heap_committed_bytes)
MEMORY_NUMBER(memory_limit_used, limits.max_used_bytes)
MEMORY_NUMBER(memory_limit_reclaimable, limits.max_reclaimable_bytes)

static void memory_limits(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_memory_table *table = &t->record->memory.table;

	if (!t->record->memory.section.present)
		return;
	pw_write_u64(w, "", t->labels, "limit=\"memory.max\"", table->limits.max_bytes);
	pw_write_u64(w, "", t->labels, "limit=\"memory.high\"", table->limits.high_bytes);
	pw_write_u64(w, "", t->labels, "limit=\"memory.swap.max\"", table->limits.swap_max_bytes);
	if (table->heap_committed_bytes && table->memory_limit_bytes != PW_MEMORY_LIMIT_NONE)
		pw_write_u64(w, "", t->labels, "limit=\"GOMEMLIMIT\"", table->memory_limit_bytes);
}

#define G PW_METRIC_GAUGE
#define C PW_METRIC_COUNTER
#define H PW_METRIC_HISTOGRAM
const struct pw_metric_family pw_metrics_memory[] = {
	{"parkwatch_gc_cycle_stopped_seconds", H, "seconds",
	 "How long each garbage collection stopped the program, both stops together; of the cycles seen.", gc_stopped,
	 NULL},
	{"parkwatch_gc_cycle_mark_seconds", H, "seconds",
	 "How long each garbage collection marked beside the program; of the cycles seen.", gc_mark, NULL},
	{"parkwatch_gc_cycle_assist_ratio", H, "ratio",
	 "Share of each cycle's marking that allocating goroutines had to do themselves; of the cycles seen.",
	 gc_assist, NULL},
	{"parkwatch_gc_cycle_cpu_seconds_total", C, "seconds",
	 "CPU time of garbage collection by who spent it; of the cycles seen.", gc_cpu, NULL},
	{"parkwatch_gc_cycles_missed_total", C, NULL,
	 "Garbage collections that ended between two looks and are in no number of these; 0 where probes tell each.",
	 gc_missed, NULL},
	{"parkwatch_gc_last_cycle_live_bytes", G, "bytes", "Heap that the last cycle seen marked live.", gc_last_live,
	 NULL},
	{"parkwatch_gc_last_cycle_trigger_bytes", G, "bytes", "Heap at which the last cycle seen began.",
	 gc_last_trigger, NULL},
	{"parkwatch_gc_last_cycle_scanned_bytes", G, "bytes", "Roots that the last cycle seen had to scan.",
	 gc_last_scanned, NULL},
	{"parkwatch_memory_bytes", G, "bytes",
	 "Where the resident memory goes; with the unexplained rest it adds up to it.", memory_kinds, NULL},
	{"parkwatch_memory_unexplained_bytes", G, "bytes",
	 "Resident memory minus all kinds; negative: heap that was never written, or is swapped out.",
	 memory_unexplained, NULL},
	{"parkwatch_memory_rss_bytes", G, "bytes", "Resident memory at the time of that look.", memory_rss, NULL},
	{"parkwatch_memory_swap_bytes", G, "bytes", "Swapped out.", memory_swap, NULL},
	{"parkwatch_memory_heap_counted_bytes", G, "bytes", "Heap and stacks as the runtime counts them.",
	 memory_heap_counted, NULL},
	{"parkwatch_memory_heap_resident_bytes", G, "bytes", "Of them resident.", memory_heap_resident, NULL},
	{"parkwatch_memory_limit_bytes", G, "bytes", "Limits that hold for it, by its cgroup or one above, or its own.",
	 memory_limits, NULL},
	{"parkwatch_memory_limit_used_bytes", G, "bytes", "Used by all of the cgroup whose memory.max that is.",
	 memory_limit_used, NULL},
	{"parkwatch_memory_limit_reclaimable_bytes", G, "bytes", "Of that, pages of files that were not used lately.",
	 memory_limit_reclaimable, NULL},
};
const size_t pw_metrics_memory_count = ARRAY_SIZE(pw_metrics_memory);
