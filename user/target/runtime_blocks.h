/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_RUNTIME_BLOCKS_H
#define PW_TARGET_RUNTIME_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "go/layout.h"
#include "model/runtime_numbers.h"
#include "target/mem.h"

struct pw_why;
struct pw_target;

/*
 * The inside of runtime_metrics: the pieces of memory that one read copies, for runtime_metrics.c (which reads them)
 * and runtime_sums.c (which works the numbers out of them; pure).
 */
enum pw_block {
	PW_BLOCK_MEMSTATS,
	PW_BLOCK_MEMSTATS_AGAIN, /* right behind: what is equal in both did not change in between */
	PW_BLOCK_GCCONTROLLER,
	PW_BLOCK_SCHED,
	PW_BLOCK_WORK,
	PW_BLOCK_PAUSES, /* memstats.gcPauseDist, 1.17 to 1.21 */
	PW_BLOCK_SPANALLOC,
	PW_BLOCK_CACHEALLOC,
	PW_BLOCK_ALLGLEN,
	PW_BLOCK_ALLP,
	PW_BLOCK_ALLM,
	PW_BLOCK_GCPHASE,
	PW_BLOCK_NCGOCALL,
	PW_BLOCK_LIMITER,
	PW_BLOCK_STARTING_STACK,
	PW_BLOCK_FINQ,
	PW_BLOCK_FINQUEUED,
	PW_BLOCK_FINEXECUTED,
	PW_BLOCK_CLEANUPS,
	PW_BLOCK_EXTRA_IN_USE,
	PW_BLOCK_EXTRA_LENGTH,
	PW_BLOCK_CYCLES_AGAIN, /* memstats.numgc, as the last */
	_PW_BLOCK_MAX,
};

/* What is wanted of each P. */
struct pw_p_words {
	uint32_t queue_head, queue_tail;
	uint64_t runnext; /* a g, or 0 */
	uint32_t gfree;
	uint64_t cleanups_queued; /* 0 before 1.25 */
};

#define PW_HEAP_WORDS_MAX 256 /* of runtime.heapStatsDelta; 148 in Go 1.18 */

struct pw_blocks {
	const struct pw_layout *layout;
	struct {
		uint64_t addr; /* live; 0: this version does not have it */
		uint32_t size;
		uint8_t *bytes; /* of the last read */
	} block[_PW_BLOCK_MAX];
	uint8_t *storage;
	uint64_t heap[PW_HEAP_WORDS_MAX]; /* the sum of memstats.heapStats' slots, word by word */
	size_t heap_words;		  /* 0: where they are is not known */

	uint64_t ps[PW_PS_MAX];
	size_t p_count;
	struct pw_p_words *p_words; /* p_count */
};

/* The first of width bytes of a field; NULL: no such block or field. */
const uint8_t *pw_block_at(const struct pw_blocks *blocks, enum pw_block block, enum pw_field field, size_t width);
uint64_t pw_word_at(const uint8_t *bytes, unsigned int width); /* 1, 4 or 8 bytes */
/* An unsigned word of 1, 4 or 8 bytes; PW_UNKNOWN: no such block or field. */
uint64_t pw_block_word(const struct pw_blocks *blocks, enum pw_block block, enum pw_field field, unsigned int width);
/* The first word of a block that is one variable. */
uint64_t pw_block_first(const struct pw_blocks *blocks, enum pw_block block, unsigned int width);
/* To be called after each read: sums the three slots of memstats.heapStats, modulo 2^64
 * (src/runtime/mstats.go:consistentHeapStats). */
void pw_blocks_sum_slots(struct pw_blocks *blocks);
/* Word `index` of a field of that sum. */
uint64_t pw_block_heap(const struct pw_blocks *blocks, enum pw_field field, size_t index);

#define PW_PAUSES    256 /* entries of memstats.pause_ns and pause_end */
#define PW_CPU_STATS 11	 /* words of runtime.cpuStats */
/* Of pause_ns or pause_end the entry of the n-th last of so many cycles; of cpuStats the n-th; of gcController a word:
 * PW_UNKNOWN if there is none. */
uint64_t pw_block_pause(const struct pw_blocks *blocks, enum pw_field field, uint64_t cycles, uint64_t n);
uint64_t pw_block_cpu(const struct pw_blocks *blocks, size_t n);
uint64_t pw_block_controller(const struct pw_blocks *blocks, enum pw_field field);

/* NULL: nothing changed while the blocks were read; else what did. */
const char *pw_blocks_torn(const struct pw_blocks *blocks);
/* NULL: all is as the runtime keeps it; else what is not. strict: at this moment, also what may differ for moments. */
const char *pw_blocks_wrong(const struct pw_blocks *blocks, bool strict);
void pw_blocks_sum(const struct pw_blocks *blocks, struct pw_runtime_numbers *ret_numbers);
void pw_blocks_histograms(const struct pw_blocks *blocks, struct pw_histograms *ret_histograms);

#endif
