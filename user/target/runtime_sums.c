/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the bytes of the runtime's variables to its numbers. Pure. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/runtime_blocks.h"

#define TRIGGER_MAX (1ULL << 47)
#define MIN_RUNWAY  (64U << 10) /* src/runtime/mgcpacer.go:heapGoalInternal */
#define HEADROOM    (1U << 20)	/* src/runtime/mgcpacer.go:memoryLimitHeapGoal */
#define P_QUEUE_MAX 256

/* a + b + ..., of which one may be unknown. */
static uint64_t sum_known(const uint64_t *values, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		if (values[i] == PW_UNKNOWN)
			return PW_UNKNOWN;
		sum += values[i];
	}
	return sum;
}

/* a - b of words that are read one after the other: never below 0. */
static uint64_t minus(uint64_t a, uint64_t b)
{
	if (a == PW_UNKNOWN || b == PW_UNKNOWN)
		return PW_UNKNOWN;
	return a > b ? a - b : 0;
}

static uint64_t or_zero(uint64_t value)
{
	return value == PW_UNKNOWN ? 0 : value;
}

static void sum_heap(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	uint64_t committed = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_COMMITTED, 0), gc_extra, in_use;

	n->heap_inuse_bytes = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_INHEAP, 0);
	n->heap_released_bytes = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_RELEASED, 0);
	n->stack_inuse_bytes = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_INSTACKS, 0);
	gc_extra = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_INWORKBUFS, 0);
	if (gc_extra == PW_UNKNOWN || committed == PW_UNKNOWN)
		return;
	gc_extra += or_zero(pw_block_heap(blocks, PW_FIELD_HEAPSTATS_INPTRSCALARBITS, 0));
	in_use = n->heap_inuse_bytes + n->stack_inuse_bytes + gc_extra;
	n->heap_free_bytes = minus(committed, in_use);
	n->gc_sys_bytes = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_GCMISCSYS, 8);
	if (n->gc_sys_bytes != PW_UNKNOWN)
		n->gc_sys_bytes += gc_extra;
	n->alloc_bytes = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_LARGEALLOC, 0);
	n->allocs = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_LARGEALLOCCOUNT, 0);
	n->freed_bytes = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_LARGEFREE, 0);
	n->frees = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_LARGEFREECOUNT, 0);
	n->tiny_allocs = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_TINYALLOCCOUNT, 0);
	for (size_t i = 0; i < PW_SIZE_CLASSES; i++) {
		uint64_t allocs = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, i);
		uint64_t frees = pw_block_heap(blocks, PW_FIELD_HEAPSTATS_SMALLFREECOUNT, i);

		n->allocs += allocs;
		n->frees += frees;
		n->alloc_bytes += allocs * pw_size_classes[i];
		n->freed_bytes += frees * pw_size_classes[i];
	}
	n->heap_objects_bytes = minus(n->alloc_bytes, n->freed_bytes);
	n->heap_objects = minus(n->allocs, n->frees);
	n->sys_bytes = committed + n->heap_released_bytes;
}

static void sum_system(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	uint64_t misc = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_GCMISCSYS, 8);

	n->os_stack_bytes = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_STACKS_SYS, 8);
	n->mspan_sys_bytes = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_MSPAN_SYS, 8);
	n->mcache_sys_bytes = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_MCACHE_SYS, 8);
	n->profile_buckets_bytes = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_BUCKHASH_SYS, 8);
	n->other_sys_bytes = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_OTHER_SYS, 8);
	n->mspan_inuse_bytes = pw_block_first(blocks, PW_BLOCK_SPANALLOC, 8);
	n->mcache_inuse_bytes = pw_block_first(blocks, PW_BLOCK_CACHEALLOC, 8);
	n->sys_bytes = sum_known((uint64_t[]){n->sys_bytes, n->os_stack_bytes, n->mspan_sys_bytes, n->mcache_sys_bytes,
					      n->profile_buckets_bytes, misc, n->other_sys_bytes},
				 7);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return left < right ? -1 : left > right;
}

/* src/runtime/debug/garbage.go:ReadGCStats */
static void sum_pauses(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	uint64_t pauses[PW_PAUSES], count = PW_MIN(n->gc_cycles, (uint64_t)PW_PAUSES);

	if (n->gc_cycles == PW_UNKNOWN)
		return;
	n->gc_last_pause_ns = pw_block_pause(blocks, PW_FIELD_MSTATS_PAUSE_NS, n->gc_cycles, 0);
	for (uint64_t i = 0; i < count; i++)
		pauses[i] = pw_block_pause(blocks, PW_FIELD_MSTATS_PAUSE_NS, n->gc_cycles, i);
	qsort(pauses, count, sizeof(pauses[0]), compare_u64);
	for (size_t i = 0; i + 1 < PW_PAUSE_QUANTILES; i++)
		n->gc_pause_quantiles_ns[i] = count ? pauses[count * i / (PW_PAUSE_QUANTILES - 1)] : 0;
	n->gc_pause_quantiles_ns[PW_PAUSE_QUANTILES - 1] = count ? pauses[count - 1] : 0;
}

/* src/runtime/mgcpacer.go:memoryLimitHeapGoal, go1.19 to 1.27 */
static uint64_t limit_goal(const struct pw_blocks *blocks, const struct pw_runtime_numbers *n)
{
	uint64_t limit = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_MEMORYLIMIT);
	uint64_t ready = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_MAPPEDREADY);
	uint64_t in_use = minus(pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_TOTALALLOC),
				pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_TOTALFREE));
	uint64_t idle = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPFREE), other, goal, headroom;

	if (limit == PW_UNKNOWN || ready == PW_UNKNOWN || in_use == PW_UNKNOWN || idle == PW_UNKNOWN)
		return PW_UNKNOWN;
	other = minus(minus(ready, idle), in_use) + minus(ready, limit);
	if (other >= limit)
		return n->heap_marked_bytes;
	goal = limit - other;
	headroom = blocks->layout->go_minor >= 21 ? PW_MAX(goal / 100 * 3, (uint64_t)HEADROOM) : HEADROOM;
	goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
	return PW_MAX(goal, n->heap_marked_bytes);
}

/* src/runtime/mgcpacer.go:heapGoalInternal */
static uint64_t heap_goal(const struct pw_blocks *blocks, const struct pw_runtime_numbers *n)
{
	uint64_t goal = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_GCPERCENTHEAPGOAL), by_limit, trigger,
		 triggered;
	int32_t has_trigger = pw_field_offset(blocks->layout, PW_FIELD_GCCONTROLLER_TRIGGERED, INT32_MAX);

	if (has_trigger < 0) /* 1.17, 1.18 keep it */
		return pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPGOAL);
	by_limit = limit_goal(blocks, n);
	if (by_limit == PW_UNKNOWN)
		return PW_UNKNOWN;
	if (by_limit < goal)
		return by_limit;
	trigger = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_SWEEPDISTMINTRIGGER);
	if (trigger != PW_UNKNOWN)
		goal = PW_MAX(goal, trigger);
	triggered = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_TRIGGERED); /* UINT64_MAX: no cycle is running */
	if (triggered != UINT64_MAX && triggered < TRIGGER_MAX)
		goal = PW_MAX(goal, triggered + MIN_RUNWAY);
	return goal; /* with GOGC=off UINT64_MAX, unless there is a limit */
}

static void sum_gc(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	uint64_t percent = pw_block_word(blocks, PW_BLOCK_GCCONTROLLER, PW_FIELD_GCCONTROLLER_GCPERCENT, 4);
	const uint8_t *fraction =
		pw_block_at(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_GC_CPU_FRACTION, sizeof(double));
	bool since_21 = blocks->layout->go_minor >= 21;

	n->gc_percent = percent == UINT32_MAX ? PW_GC_PERCENT_OFF : percent;
	n->memory_limit_bytes = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_MEMORYLIMIT);
	n->gc_cycles = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_NUMGC, 4);
	n->gc_forced = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_NUMFORCEDGC, 4);
	n->gc_phase = pw_block_first(blocks, PW_BLOCK_GCPHASE, 4);
	n->gc_pause_total_ns = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_PAUSE_TOTAL_NS, 8);
	n->gc_last_unix_ns = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_LAST_GC_UNIX, 8);
	if (fraction)
		memcpy(&n->gc_cpu_fraction, fraction, sizeof(n->gc_cpu_fraction));
	if (!(n->gc_cpu_fraction >= 0 && n->gc_cpu_fraction <= 1))
		n->gc_cpu_fraction = NAN;
	sum_pauses(blocks, n);
	n->heap_live_bytes = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPLIVE);
	n->heap_marked_bytes = pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPMARKED);
	n->heap_goal_bytes = heap_goal(blocks, n);
	n->scan_heap_bytes = since_21 ? pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPSCAN) : PW_UNKNOWN;
	n->scan_stack_bytes = since_21 ? pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_LASTSTACKSCAN) : PW_UNKNOWN;
	n->scan_globals_bytes = since_21 ? pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_GLOBALSSCAN) : PW_UNKNOWN;
	n->starting_stack_bytes = pw_block_first(blocks, PW_BLOCK_STARTING_STACK, 4);
	n->limiter_last_cycle = pw_block_word(blocks, PW_BLOCK_LIMITER, PW_FIELD_GCCPULIMITER_LASTENABLEDCYCLE, 4);
}

static void sum_cpu(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	uint64_t *const fields[PW_CPU_STATS] = {
		&n->cpu_gc_assist_ns,
		&n->cpu_gc_dedicated_ns,
		&n->cpu_gc_idle_ns,
		&n->cpu_gc_pause_ns,
		&n->cpu_gc_total_ns,
		&n->cpu_scavenge_assist_ns,
		&n->cpu_scavenge_background_ns,
		&n->cpu_scavenge_total_ns,
		&n->cpu_idle_ns,
		&n->cpu_user_ns,
		&n->cpu_total_ns,
	};

	for (size_t i = 0; i < PW_CPU_STATS; i++)
		*fields[i] = pw_block_cpu(blocks, i);
}

static void sum_goroutines(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	uint64_t all = pw_block_first(blocks, PW_BLOCK_ALLGLEN, 8);
	uint64_t system = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NGSYS, 4);
	uint64_t idle = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_GFREE_N, 4);
	uint64_t queued = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_RUNQSIZE, 4);

	if (all == PW_UNKNOWN || system == PW_UNKNOWN || idle == PW_UNKNOWN)
		return;
	idle += or_zero(pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_GFREE_NOSTACK_N, 4)); /* 1.25 and later */
	for (size_t i = 0; i < blocks->p_count; i++) {
		const struct pw_p_words *p = &blocks->p_words[i];

		idle += p->gfree;
		queued += PW_MIN(p->queue_tail - p->queue_head, (uint32_t)P_QUEUE_MAX) + (p->runnext != 0);
	}
	n->goroutines_system = system;
	n->goroutines = PW_MAX(minus(all, system + idle), 1ULL); /* src/runtime/proc.go:gcount */
	n->runnable = queued;
}

static void sum_sched(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	n->gomaxprocs = blocks->p_count;
	n->procs_idle = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NPIDLE, 4);
	n->threads_created = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_MNEXT, 8);
	n->threads_exited = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NMFREED, 8);
	n->threads = minus(n->threads_created, n->threads_exited);
	n->threads_idle = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NMIDLE, 4);
	n->threads_extra = sum_known((uint64_t[]){pw_block_first(blocks, PW_BLOCK_EXTRA_IN_USE, 4),
						  pw_block_first(blocks, PW_BLOCK_EXTRA_LENGTH, 4)},
				     2);
	n->mutex_wait_ns = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_TOTALMUTEXWAITTIME, 8);
	if (n->mutex_wait_ns != PW_UNKNOWN)
		n->mutex_wait_ns +=
			or_zero(pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_TOTALRUNTIMELOCKWAITTIME, 8));
	n->cgo_calls = pw_block_first(blocks, PW_BLOCK_NCGOCALL, 8);
}

static void sum_queues(const struct pw_blocks *blocks, struct pw_runtime_numbers *n)
{
	n->finalizers_queued = pw_block_first(blocks, PW_BLOCK_FINQUEUED, 8);
	n->finalizers_executed = pw_block_first(blocks, PW_BLOCK_FINEXECUTED, 8);
	n->cleanups_executed = pw_block_word(blocks, PW_BLOCK_CLEANUPS, PW_FIELD_CLEANUPQUEUE_EXECUTED, 8);
	n->cleanups_queued = pw_block_word(blocks, PW_BLOCK_CLEANUPS, PW_FIELD_CLEANUPQUEUE_QUEUED, 8);
	for (size_t i = 0; n->cleanups_queued != PW_UNKNOWN && i < blocks->p_count; i++)
		n->cleanups_queued += blocks->p_words[i].cleanups_queued;
}

void pw_blocks_sum(const struct pw_blocks *blocks, struct pw_runtime_numbers *ret_numbers)
{
	pw_runtime_numbers_init(ret_numbers);
	sum_heap(blocks, ret_numbers);
	sum_system(blocks, ret_numbers);
	sum_gc(blocks, ret_numbers);
	sum_cpu(blocks, ret_numbers);
	sum_goroutines(blocks, ret_numbers);
	sum_sched(blocks, ret_numbers);
	sum_queues(blocks, ret_numbers);
}

/* ---- histograms ---- */

/* A runtime.timeHistogram at bytes. */
static void copy_times(const struct pw_blocks *blocks, const uint8_t *bytes, size_t size,
		       struct pw_histograms *histograms, enum pw_histogram which)
{
	int32_t below = pw_field_offset(blocks->layout, PW_FIELD_TIMEHISTOGRAM_UNDERFLOW, (int32_t)size - 8);
	int32_t over = pw_field_offset(blocks->layout, PW_FIELD_TIMEHISTOGRAM_OVERFLOW, (int32_t)size - 8);
	enum pw_histogram_scale scale = over >= 0 ? PW_SCALE_TIME : PW_SCALE_FINE;
	size_t inner = pw_scale_buckets(scale) - (scale == PW_SCALE_TIME ? 2 : 1);
	uint64_t *count = histograms->count[which];

	if (below < 0 || (size_t)below != inner * 8)
		return;
	histograms->scale[which] = (uint8_t)scale;
	count[0] = pw_word_at(bytes + below, 8);
	memcpy(&count[1], bytes, inner * 8);
	if (over >= 0)
		count[inner + 1] = pw_word_at(bytes + over, 8);
}

static void copy_sizes(const struct pw_blocks *blocks, enum pw_field small, enum pw_field large,
		       struct pw_histograms *histograms, enum pw_histogram which)
{
	uint64_t *count = histograms->count[which];

	if (pw_block_heap(blocks, small, 0) == PW_UNKNOWN || pw_block_heap(blocks, large, 0) == PW_UNKNOWN)
		return;
	histograms->scale[which] = PW_SCALE_SIZE;
	count[0] = 0;
	for (size_t i = 1; i < PW_SIZE_CLASSES; i++)
		count[i] = pw_block_heap(blocks, small, i);
	count[PW_SIZE_CLASSES] = pw_block_heap(blocks, large, 0);
}

void pw_blocks_histograms(const struct pw_blocks *blocks, struct pw_histograms *ret_histograms)
{
	static const struct {
		enum pw_histogram histogram;
		enum pw_field field;
	} in_sched[] = {
		{PW_HISTOGRAM_SCHED_LATENCIES, PW_FIELD_SCHED_TIMETORUN},
		{PW_HISTOGRAM_GC_PAUSES, PW_FIELD_SCHED_STWTOTALTIMEGC},
		{PW_HISTOGRAM_STW_STOPPING_GC, PW_FIELD_SCHED_STWSTOPPINGTIMEGC},
		{PW_HISTOGRAM_STW_STOPPING_OTHER, PW_FIELD_SCHED_STWSTOPPINGTIMEOTHER},
		{PW_HISTOGRAM_STW_TOTAL_GC, PW_FIELD_SCHED_STWTOTALTIMEGC},
		{PW_HISTOGRAM_STW_TOTAL_OTHER, PW_FIELD_SCHED_STWTOTALTIMEOTHER},
	};
	int32_t size = pw_field_offset(blocks->layout, PW_FIELD_TIMEHISTOGRAM_SIZE, PW_SCHED_SIZE_MAX);

	memset(ret_histograms->scale, 0, sizeof(ret_histograms->scale));
	for (size_t i = 0; size >= 8 && i < ARRAY_SIZE(in_sched); i++) {
		const uint8_t *at = pw_block_at(blocks, PW_BLOCK_SCHED, in_sched[i].field, (size_t)size);

		if (at)
			copy_times(blocks, at, (size_t)size, ret_histograms, in_sched[i].histogram);
	}
	if (blocks->block[PW_BLOCK_PAUSES].addr && size >= 8)
		copy_times(blocks, blocks->block[PW_BLOCK_PAUSES].bytes, (size_t)size, ret_histograms,
			   PW_HISTOGRAM_GC_PAUSES);
	copy_sizes(blocks, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, PW_FIELD_HEAPSTATS_LARGEALLOCCOUNT, ret_histograms,
		   PW_HISTOGRAM_ALLOCS_BY_SIZE);
	copy_sizes(blocks, PW_FIELD_HEAPSTATS_SMALLFREECOUNT, PW_FIELD_HEAPSTATS_LARGEFREECOUNT, ret_histograms,
		   PW_HISTOGRAM_FREES_BY_SIZE);
}
