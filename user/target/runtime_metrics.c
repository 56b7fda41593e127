/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One read: a batch of all variables with fixed addresses, memstats twice in a row; the list of Ps; a batch with what
 * is wanted of each P. If it was torn (runtime_blocks.c), it is done again at once: what can tear it lasts
 * microseconds. Until the numbers have once been seen to fit together in every way, they are not believed.
 */
#include "target/runtime_metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "base/why.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/runtime_blocks.h"
#include "target/runtime_lists.h"
#include "target/target.h"

#define TRIES	      116
#define TRIES_AT_ONCE 16	   /* then a pause between two */
#define PAUSE_NS      PW_NS_PER_MS /* 100 of them: who stops the world or merges statistics may wait for a CPU himself */
#define RANGES_PER_P  4

struct pw_runtime_metrics {
	struct pw_target *target; /* borrowed */
	struct pw_blocks blocks;
	struct pw_mem_range *ranges; /* RANGES_PER_P for each P */
	size_t range_capacity;
	struct pw_m_list ms;
	bool believed;
	uint64_t repeats;
};

PW_DEFINE_CLEANUP(struct pw_runtime_metrics *, pw_runtime_metrics_free);

/* ---- where all of it is ---- */

static uint64_t global(const struct pw_target *target, enum pw_global which)
{
	uint64_t addr = target->build->facts.globals.addr[which];

	return addr ? addr + target->bias : 0;
}

static void set_block(struct pw_runtime_metrics *metrics, enum pw_block block, uint64_t addr, int64_t size)
{
	if (!addr || size <= 0)
		return;
	metrics->blocks.block[block].addr = addr;
	metrics->blocks.block[block].size = (uint32_t)size;
}

/* Of memstats that part which holds counters: all but 1.17's and 1.18's tables behind them, and the pauses. */
static int64_t memstats_size(const struct pw_layout *layout)
{
	static const enum pw_field last[] = {PW_FIELD_MSTATS_HEAPSTATS_GEN, PW_FIELD_MSTATS_LAST_GC_NANOTIME,
					     PW_FIELD_MSTATS_GC_CPU_FRACTION, PW_FIELD_MSTATS_OTHER_SYS,
					     PW_FIELD_MSTATS_NUMFORCEDGC};
	int64_t size = 0;

	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		size = PW_MAX(size, pw_field_offset(layout, last[i], PW_MSTATS_SIZE_MAX) + (int64_t)8);
	return size;
}

static void place_structs(struct pw_runtime_metrics *metrics)
{
	const struct pw_layout *layout = metrics->blocks.layout;
	uint64_t memstats = global(metrics->target, PW_GLOBAL_MEMSTATS),
		 heap = global(metrics->target, PW_GLOBAL_MHEAP);
	int32_t cycles = pw_field_offset(layout, PW_FIELD_MSTATS_NUMGC, PW_MSTATS_SIZE_MAX);
	int32_t pauses = pw_field_offset(layout, PW_FIELD_MSTATS_GCPAUSEDIST, PW_MSTATS_SIZE_MAX);
	int32_t spans = pw_field_offset(layout, PW_FIELD_MHEAP_SPANALLOC_INUSE, PW_MHEAP_SIZE_MAX);
	int32_t caches = pw_field_offset(layout, PW_FIELD_MHEAP_CACHEALLOC_INUSE, PW_MHEAP_SIZE_MAX);

	set_block(metrics, PW_BLOCK_MEMSTATS, memstats, memstats_size(layout));
	set_block(metrics, PW_BLOCK_MEMSTATS_AGAIN, memstats, memstats_size(layout));
	if (memstats && cycles >= 0)
		set_block(metrics, PW_BLOCK_CYCLES_AGAIN, memstats + (uint64_t)cycles, 4);
	if (memstats && pauses >= 0)
		set_block(metrics, PW_BLOCK_PAUSES, memstats + (uint64_t)pauses,
			  pw_field_offset(layout, PW_FIELD_TIMEHISTOGRAM_SIZE, PW_SCHED_SIZE_MAX));
	set_block(metrics, PW_BLOCK_GCCONTROLLER, global(metrics->target, PW_GLOBAL_GCCONTROLLER),
		  pw_field_offset(layout, PW_FIELD_GCCONTROLLER_SIZE, PW_SCHED_SIZE_MAX));
	set_block(metrics, PW_BLOCK_SCHED, global(metrics->target, PW_GLOBAL_SCHED),
		  pw_field_offset(layout, PW_FIELD_SCHED_SIZE, PW_SCHED_SIZE_MAX));
	set_block(metrics, PW_BLOCK_WORK, global(metrics->target, PW_GLOBAL_WORK),
		  pw_field_offset(layout, PW_FIELD_WORK_SIZE, PW_SCHED_SIZE_MAX));
	if (heap && spans >= 0)
		set_block(metrics, PW_BLOCK_SPANALLOC, heap + (uint64_t)spans, 8);
	if (heap && caches >= 0)
		set_block(metrics, PW_BLOCK_CACHEALLOC, heap + (uint64_t)caches, 8);
	set_block(metrics, PW_BLOCK_LIMITER, global(metrics->target, PW_GLOBAL_GCCPULIMITER),
		  pw_field_offset(layout, PW_FIELD_GCCPULIMITER_LASTENABLEDCYCLE, PW_SCHED_SIZE_MAX) + 4);
	set_block(metrics, PW_BLOCK_CLEANUPS, global(metrics->target, PW_GLOBAL_GCCLEANUPS),
		  pw_field_offset(layout, PW_FIELD_CLEANUPQUEUE_EXECUTED, PW_SCHED_SIZE_MAX) + 8);
}

static void place_words(struct pw_runtime_metrics *metrics)
{
	static const struct {
		enum pw_block block;
		enum pw_global global;
		uint32_t size;
	} words[] = {
		{PW_BLOCK_ALLGLEN, PW_GLOBAL_ALLGLEN, 8},
		{PW_BLOCK_ALLP, PW_GLOBAL_ALLP, 24},
		{PW_BLOCK_ALLM, PW_GLOBAL_ALLM, 8},
		{PW_BLOCK_GCPHASE, PW_GLOBAL_GCPHASE, 4},
		{PW_BLOCK_NCGOCALL, PW_GLOBAL_NCGOCALL, 8},
		{PW_BLOCK_STARTING_STACK, PW_GLOBAL_STARTINGSTACKSIZE, 4},
		{PW_BLOCK_FINQ, PW_GLOBAL_FINQ, 8},
		{PW_BLOCK_FINQUEUED, PW_GLOBAL_FINQUEUED, 8},
		{PW_BLOCK_FINEXECUTED, PW_GLOBAL_FINEXECUTED, 8},
		{PW_BLOCK_EXTRA_IN_USE, PW_GLOBAL_EXTRAMINUSE, 4},
		{PW_BLOCK_EXTRA_LENGTH, PW_GLOBAL_EXTRAMLENGTH, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		set_block(metrics, words[i].block, global(metrics->target, words[i].global), words[i].size);
}

static int allocate_blocks(struct pw_runtime_metrics *metrics)
{
	size_t size = 0;

	for (size_t i = 0; i < _PW_BLOCK_MAX; i++)
		size += (metrics->blocks.block[i].size + 7U) & ~7U;
	metrics->blocks.storage = calloc(1, size);
	if (!metrics->blocks.storage)
		return -ENOMEM;
	size = 0;
	for (size_t i = 0; i < _PW_BLOCK_MAX; i++) {
		metrics->blocks.block[i].bytes = metrics->blocks.storage + size;
		size += (metrics->blocks.block[i].size + 7U) & ~7U;
	}
	return 0;
}

int pw_runtime_metrics_new(struct pw_runtime_metrics **ret_metrics, struct pw_target *target, struct pw_why *reterr_why)
{
	static const struct {
		enum pw_block block;
		const char *name;
	} needed[] = {
		{PW_BLOCK_MEMSTATS, "memstats"},
		{PW_BLOCK_GCCONTROLLER, "gcController"},
		{PW_BLOCK_SCHED, "sched"},
		{PW_BLOCK_ALLP, "allp"},
	};
	_cleanup_(pw_runtime_metrics_freep) struct pw_runtime_metrics *metrics = NULL;
	int r;

	if (!target->memory_ok || !target->bias_known || !target->build)
		return pw_why_set(reterr_why, -ENOTSUP, "the memory of the process cannot be read: %s",
				  target->memory_reason);
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return -ENOMEM;
	metrics->target = target;
	metrics->blocks.layout = &target->build->facts.layout;
	place_structs(metrics);
	place_words(metrics);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!metrics->blocks.block[needed[i].block].addr)
			return pw_why_set(reterr_why, -ENOTSUP, "this build does not tell where runtime.%s is",
					  needed[i].name);
	r = allocate_blocks(metrics);
	if (r)
		return r;
	pw_m_list_init(&metrics->ms, &target->mem, metrics->blocks.layout);
	*ret_metrics = TAKE_PTR(metrics);
	return 0;
}

void pw_runtime_metrics_free(struct pw_runtime_metrics *metrics)
{
	if (!metrics)
		return;
	pw_m_list_done(&metrics->ms);
	free(metrics->blocks.storage);
	free(metrics->blocks.p_words);
	free(metrics->ranges);
	free(metrics);
}

uint64_t pw_runtime_metrics_repeats(const struct pw_runtime_metrics *metrics)
{
	return metrics->repeats;
}

/* ---- reading ---- */

static int read_blocks(struct pw_runtime_metrics *metrics)
{
	struct pw_mem_range ranges[_PW_BLOCK_MAX];
	size_t count = 0;
	int n;

	for (size_t i = 0; i < _PW_BLOCK_MAX; i++)
		if (metrics->blocks.block[i].addr)
			ranges[count++] = (struct pw_mem_range){.addr = metrics->blocks.block[i].addr,
								.buffer = metrics->blocks.block[i].bytes,
								.size = metrics->blocks.block[i].size};
	n = pw_mem_read_many(&metrics->target->mem, ranges, count);
	if (n < 0)
		return n;
	return (size_t)n == count ? 0 : -EFAULT;
}

static int make_room(struct pw_runtime_metrics *metrics, size_t p_count)
{
	struct pw_p_words *words;
	struct pw_mem_range *ranges;

	if (p_count <= metrics->range_capacity)
		return 0;
	words = realloc(metrics->blocks.p_words, p_count * sizeof(*words));
	if (words)
		metrics->blocks.p_words = words;
	ranges = realloc(metrics->ranges, p_count * RANGES_PER_P * sizeof(*ranges));
	if (ranges)
		metrics->ranges = ranges;
	if (!words || !ranges)
		return -ENOMEM;
	metrics->range_capacity = p_count;
	return 0;
}

/* What is wanted of one P, as far as this version has it. */
static size_t p_ranges(struct pw_runtime_metrics *metrics, size_t p, struct pw_mem_range *ranges)
{
	struct pw_p_words *words = &metrics->blocks.p_words[p];
	const struct {
		enum pw_field field;
		void *buffer;
		size_t size;
	} wanted[RANGES_PER_P] = {
		{PW_FIELD_P_RUNQHEAD, &words->queue_head, 8}, /* and runqtail behind it: validated by calibration */
		{PW_FIELD_P_RUNNEXT, &words->runnext, 8},
		{PW_FIELD_P_GFREE_N, &words->gfree, 4},
		{PW_FIELD_P_CLEANUPSQUEUED, &words->cleanups_queued, 8},
	};
	size_t count = 0;

	*words = (struct pw_p_words){};
	for (size_t i = 0; i < RANGES_PER_P; i++) {
		int32_t offset = pw_field_offset(metrics->blocks.layout, wanted[i].field, PW_P_SIZE_MAX);

		if (offset >= 0)
			ranges[count++] = (struct pw_mem_range){.addr = metrics->blocks.ps[p] + (uint64_t)offset,
								.buffer = wanted[i].buffer,
								.size = wanted[i].size};
	}
	return count;
}

static int read_ps(struct pw_runtime_metrics *metrics, struct pw_why *reterr_why)
{
	const uint8_t *slice = metrics->blocks.block[PW_BLOCK_ALLP].bytes;
	uint64_t addr = pw_word_at(slice, 8), length = pw_word_at(slice + 8, 8);
	size_t count = 0;
	int r;

	if (!addr || addr % 8 || !length || length > PW_PS_MAX)
		return pw_why_set(reterr_why, -EBADMSG, "runtime.allp is no list of processors");
	r = make_room(metrics, length);
	if (!r)
		r = pw_mem_read(&metrics->target->mem, addr, metrics->blocks.ps, length * 8);
	if (r)
		return r;
	metrics->blocks.p_count = length;
	for (size_t i = 0; i < length; i++) {
		if (!metrics->blocks.ps[i] || metrics->blocks.ps[i] % 8)
			return pw_why_set(reterr_why, -EBADMSG, "runtime.allp is no list of processors");
		count += p_ranges(metrics, i, metrics->ranges + count);
	}
	r = pw_mem_read_many(&metrics->target->mem, metrics->ranges, count);
	if (r < 0)
		return r;
	return (size_t)r == count ? 0 : -EFAULT;
}

static void pause_between(unsigned int tries)
{
	if (tries >= TRIES_AT_ONCE)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = (long)PAUSE_NS}, NULL);
}

/* Until a read is whole and right, or nothing but a wrong or torn one was to be had. */
static int read_whole(struct pw_runtime_metrics *metrics, bool patient, struct pw_why *reterr_why)
{
	unsigned int tries_max = patient ? TRIES : TRIES_AT_ONCE;
	const char *torn = NULL, *wrong = NULL;

	for (unsigned int tries = 0; tries < tries_max; tries++) {
		int r;

		if (tries) {
			metrics->repeats++;
			pause_between(tries);
		}
		r = read_blocks(metrics);
		if (!r)
			r = read_ps(metrics, reterr_why);
		if (r)
			return r;
		pw_blocks_sum_slots(&metrics->blocks);
		torn = pw_blocks_torn(&metrics->blocks);
		wrong = torn ? NULL : pw_blocks_wrong(&metrics->blocks, !metrics->believed);
		if (!torn && !wrong) {
			metrics->believed = true;
			return 0;
		}
	}
	if (wrong)
		return pw_why_set(
			reterr_why, -EBADMSG,
			"%s does not fit the rest of the runtime's numbers: they are not laid out as in Go 1.%d", wrong,
			metrics->blocks.layout->go_minor);
	if (!metrics->believed && patient)
		return pw_why_set(reterr_why, -EBADMSG,
				  "%s never settles: the runtime's numbers are not laid out as in Go 1.%d", torn,
				  metrics->blocks.layout->go_minor);
	return pw_why_set(reterr_why, -EAGAIN, "%s changed in each of %u reads", torn, tries_max);
}

int pw_runtime_metrics_read(struct pw_runtime_metrics *metrics, unsigned int what,
			    struct pw_runtime_numbers *ret_numbers, struct pw_histograms *ret_histograms,
			    struct pw_why *reterr_why)
{
	struct pw_runtime_numbers numbers;
	int r = read_whole(metrics, what & PW_READ_PATIENT, reterr_why);

	if (r)
		return r;
	pw_blocks_sum(&metrics->blocks, &numbers);
	r = pw_m_list_read(&metrics->ms,
			   what & PW_READ_THREADS ? pw_block_first(&metrics->blocks, PW_BLOCK_ALLM, 8) : 0, &numbers);
	if (!r && what & PW_READ_QUEUES)
		r = pw_finalizers_waiting(&metrics->target->mem, metrics->blocks.layout,
					  pw_block_first(&metrics->blocks, PW_BLOCK_FINQ, 8),
					  &numbers.finalizers_waiting);
	if (r)
		return r;
	*ret_numbers = numbers;
	if (ret_histograms)
		pw_blocks_histograms(&metrics->blocks, ret_histograms);
	return 0;
}
