/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Words of the runtime's variables, and whether they were read in one piece. Pure.
 *
 * heapStats is kept in three slots (src/runtime/mstats.go:consistentHeapStats): Ps write to slot `gen`; who reads them
 * from inside turns gen on and merges the slot before the old one into it, field by field, so that a sum of all three
 * taken meanwhile counts twice or not at all. Outside of such a merge
 *
 *	slot gen      is written to
 *	slot gen + 1  is zero		(modulo 3)
 *	slot gen + 2  does not change
 *
 * and a copy is whole exactly if gen is the same before and after it, its slot gen + 1 is zero in both, and slot
 * gen + 2 is the same in both.
 *
 * The record of GC cycles is written while the world is stopped, numgc last: pause_end[numgc - 1] is last_gc_unix
 * whenever it is not being written (src/runtime/mgc.go:gcMarkTermination).
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/runtime_blocks.h"

#define SLOTS	  3
#define BYTES_MAX (1ULL << 47) /* of user memory: no count of bytes in use is above it */

uint64_t pw_word_at(const uint8_t *bytes, unsigned int width)
{
	uint64_t u64;
	uint32_t u32;

	if (width == 1)
		return *bytes;
	if (width == 4) {
		memcpy(&u32, bytes, sizeof(u32));
		return u32;
	}
	memcpy(&u64, bytes, sizeof(u64));
	return u64;
}

/* In sched and work no sum tells a wrong place from a right one: with the table of another version it has to be
 * confirmed by the code. */
static bool is_guess(const struct pw_blocks *blocks, enum pw_block block, enum pw_field field)
{
	return (block == PW_BLOCK_SCHED || block == PW_BLOCK_WORK) && !blocks->layout->exact &&
	       blocks->layout->trust[field] == PW_TRUST_NEAR_TABLE;
}

const uint8_t *pw_block_at(const struct pw_blocks *blocks, enum pw_block block, enum pw_field field, size_t width)
{
	uint32_t size = blocks->block[block].size;
	int32_t offset = pw_field_offset(blocks->layout, field, (int32_t)size);

	if (!blocks->block[block].addr || offset < 0 || is_guess(blocks, block, field) ||
	    width > size - (uint32_t)offset)
		return NULL;
	return blocks->block[block].bytes + offset;
}

uint64_t pw_block_word(const struct pw_blocks *blocks, enum pw_block block, enum pw_field field, unsigned int width)
{
	const uint8_t *at = pw_block_at(blocks, block, field, width);

	return at ? pw_word_at(at, width) : PW_UNKNOWN;
}

uint64_t pw_block_first(const struct pw_blocks *blocks, enum pw_block block, unsigned int width)
{
	if (!blocks->block[block].addr || blocks->block[block].size < width)
		return PW_UNKNOWN;
	return pw_word_at(blocks->block[block].bytes, width);
}

/* One slot of heapStats; NULL if this version's are not known. */
static const uint8_t *slot(const struct pw_blocks *blocks, enum pw_block block, uint64_t n, size_t *ret_size)
{
	int32_t size = pw_field_offset(blocks->layout, PW_FIELD_HEAPSTATS_SIZE, PW_MSTATS_SIZE_MAX);
	const uint8_t *first;

	if (size <= 0)
		return NULL;
	*ret_size = (size_t)size;
	first = pw_block_at(blocks, block, PW_FIELD_MSTATS_HEAPSTATS, (size_t)size * SLOTS);
	return first ? first + (size_t)size * (n % SLOTS) : NULL;
}

void pw_blocks_sum_slots(struct pw_blocks *blocks)
{
	const uint8_t *slots[SLOTS];
	size_t size = 0;

	for (unsigned int n = 0; n < SLOTS; n++)
		slots[n] = slot(blocks, PW_BLOCK_MEMSTATS, n, &size);
	blocks->heap_words = slots[0] && size <= sizeof(blocks->heap) ? size / 8 : 0;
	for (size_t i = 0; i < blocks->heap_words; i++)
		blocks->heap[i] = pw_word_at(slots[0] + i * 8, 8) + pw_word_at(slots[1] + i * 8, 8) +
				  pw_word_at(slots[2] + i * 8, 8);
}

uint64_t pw_block_heap(const struct pw_blocks *blocks, enum pw_field field, size_t index)
{
	int32_t offset = pw_field_offset(blocks->layout, field, (int32_t)(blocks->heap_words * 8));

	if (offset < 0 || offset % 8 || (size_t)offset / 8 + index >= blocks->heap_words)
		return PW_UNKNOWN;
	return blocks->heap[(size_t)offset / 8 + index];
}

/* ---- what changed, and what cannot be ---- */

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

static bool heap_torn(const struct pw_blocks *blocks)
{
	uint64_t gen = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_HEAPSTATS_GEN, 4);
	uint64_t again = pw_block_word(blocks, PW_BLOCK_MEMSTATS_AGAIN, PW_FIELD_MSTATS_HEAPSTATS_GEN, 4);
	const uint8_t *empty[2], *old[2];
	size_t size = 0;

	empty[0] = slot(blocks, PW_BLOCK_MEMSTATS, gen + 1, &size);
	empty[1] = slot(blocks, PW_BLOCK_MEMSTATS_AGAIN, gen + 1, &size);
	old[0] = slot(blocks, PW_BLOCK_MEMSTATS, gen + 2, &size);
	old[1] = slot(blocks, PW_BLOCK_MEMSTATS_AGAIN, gen + 2, &size);
	if (!empty[0] || !empty[1] || !old[0] || !old[1])
		return false; /* absent */
	return gen != again || gen >= SLOTS || !is_zero(empty[0], size) || !is_zero(empty[1], size) ||
	       memcmp(old[0], old[1], size) != 0;
}

/* The ring's entry of the n-th last cycle. */
uint64_t pw_block_pause(const struct pw_blocks *blocks, enum pw_field field, uint64_t cycles, uint64_t n)
{
	const uint8_t *at = pw_block_at(blocks, PW_BLOCK_MEMSTATS, field, PW_PAUSES * 8ULL);

	return at && n < cycles ? pw_word_at(at + (cycles - 1 - n) % PW_PAUSES * 8, 8) : PW_UNKNOWN;
}

static bool gc_torn(const struct pw_blocks *blocks)
{
	static const struct {
		enum pw_field field;
		unsigned int width;
	} words[] = {
		{PW_FIELD_MSTATS_NUMGC, 4},
		{PW_FIELD_MSTATS_NUMFORCEDGC, 4},
		{PW_FIELD_MSTATS_PAUSE_TOTAL_NS, 8},
		{PW_FIELD_MSTATS_LAST_GC_UNIX, 8},
	};
	uint64_t cycles = pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_NUMGC, 4), end;

	if (cycles != pw_block_first(blocks, PW_BLOCK_CYCLES_AGAIN, 4)) /* one ended under the other blocks */
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (pw_block_word(blocks, PW_BLOCK_MEMSTATS, words[i].field, words[i].width) !=
		    pw_block_word(blocks, PW_BLOCK_MEMSTATS_AGAIN, words[i].field, words[i].width))
			return true;
	end = cycles ? pw_block_pause(blocks, PW_FIELD_MSTATS_PAUSE_END, cycles, 0) : 0;
	return end != pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_LAST_GC_UNIX, 8);
}

const char *pw_blocks_torn(const struct pw_blocks *blocks)
{
	if (heap_torn(blocks))
		return "memstats.heapStats";
	if (gc_torn(blocks))
		return "memstats.numgc and pause_end";
	/* One byte from 1.20 on, a word of 0 or 1 before. */
	if (pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_GCWAITING, 1) == 1)
		return "sched.gcwaiting: the world is stopped";
	return NULL;
}

static bool above(uint64_t value, uint64_t max)
{
	return value != PW_UNKNOWN && value > max;
}

static bool differ(uint64_t a, uint64_t b)
{
	return a != PW_UNKNOWN && b != PW_UNKNOWN && a != b;
}

uint64_t pw_block_controller(const struct pw_blocks *blocks, enum pw_field field)
{
	return pw_block_word(blocks, PW_BLOCK_GCCONTROLLER, field, 8);
}

static const char *heap_wrong(const struct pw_blocks *blocks)
{
	static const enum pw_field sizes[] = {PW_FIELD_HEAPSTATS_COMMITTED, PW_FIELD_HEAPSTATS_RELEASED,
					      PW_FIELD_HEAPSTATS_INHEAP, PW_FIELD_HEAPSTATS_INSTACKS,
					      PW_FIELD_HEAPSTATS_INWORKBUFS};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (above(pw_block_heap(blocks, sizes[i], 0), BYTES_MAX))
			return pw_field_name(sizes[i]);
	if (pw_block_heap(blocks, PW_FIELD_HEAPSTATS_INHEAP, 0) >
	    pw_block_heap(blocks, PW_FIELD_HEAPSTATS_COMMITTED, 0))
		return "heapStatsDelta.committed";
	if (pw_block_heap(blocks, PW_FIELD_HEAPSTATS_LARGEFREE, 0) >
	    pw_block_heap(blocks, PW_FIELD_HEAPSTATS_LARGEALLOC, 0))
		return "heapStatsDelta.largeFree";
	for (size_t i = 0; i < PW_SIZE_CLASSES; i++)
		if (pw_block_heap(blocks, PW_FIELD_HEAPSTATS_SMALLFREECOUNT, i) >
		    pw_block_heap(blocks, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, i))
			return "heapStatsDelta.smallFreeCount";
	return NULL;
}

static const char *controller_wrong(const struct pw_blocks *blocks)
{
	static const enum pw_field sizes[] = {PW_FIELD_GCCONTROLLER_HEAPLIVE, PW_FIELD_GCCONTROLLER_HEAPMARKED,
					      PW_FIELD_GCCONTROLLER_HEAPINUSE, PW_FIELD_GCCONTROLLER_HEAPRELEASED,
					      PW_FIELD_GCCONTROLLER_HEAPFREE};
	uint64_t percent = pw_block_word(blocks, PW_BLOCK_GCCONTROLLER, PW_FIELD_GCCONTROLLER_GCPERCENT, 4);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (above(pw_block_controller(blocks, sizes[i]), BYTES_MAX))
			return pw_field_name(sizes[i]);
	if (percent > INT32_MAX && percent != UINT32_MAX && percent != PW_UNKNOWN)
		return "gcControllerState.gcPercent";
	if (above(pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_MEMORYLIMIT), INT64_MAX))
		return "gcControllerState.memoryLimit";
	if (pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_TOTALFREE) >
	    pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_TOTALALLOC))
		return "gcControllerState.totalFree";
	return NULL;
}

static const char *counts_wrong(const struct pw_blocks *blocks)
{
	uint64_t created = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_MNEXT, 8);
	uint64_t ended = pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NMFREED, 8);

	if (pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_NUMFORCEDGC, 4) >
	    pw_block_word(blocks, PW_BLOCK_MEMSTATS, PW_FIELD_MSTATS_NUMGC, 4))
		return "mstats.numforcedgc";
	if (above(pw_block_first(blocks, PW_BLOCK_GCPHASE, 4), 2))
		return "gcphase";
	if (above(pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NPIDLE, 4), blocks->p_count))
		return "schedt.npidle";
	if (above(pw_block_word(blocks, PW_BLOCK_SCHED, PW_FIELD_SCHED_NMIDLE, 4), INT32_MAX))
		return "schedt.nmidle";
	if (created != PW_UNKNOWN && (created < ended || created > INT32_MAX))
		return "schedt.mnext";
	return NULL;
}

uint64_t pw_block_cpu(const struct pw_blocks *blocks, size_t n)
{
	const uint8_t *at = pw_block_at(blocks, PW_BLOCK_WORK, PW_FIELD_WORK_CPUSTATS, PW_CPU_STATS * 8ULL);

	return at ? pw_word_at(at + n * 8, 8) : PW_UNKNOWN;
}

const char *pw_blocks_wrong(const struct pw_blocks *blocks, bool strict)
{
	const char *wrong = heap_wrong(blocks);

	if (!wrong)
		wrong = controller_wrong(blocks);
	if (!wrong)
		wrong = counts_wrong(blocks);
	if (wrong || !strict)
		return wrong;
	if (differ(pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPRELEASED),
		   pw_block_heap(blocks, PW_FIELD_HEAPSTATS_RELEASED, 0)))
		return "gcControllerState.heapReleased";
	/* Before 1.19 it is memstats.heap_inuse that is kept, and only by who asks. */
	if (pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPRELEASED) != PW_UNKNOWN &&
	    differ(pw_block_controller(blocks, PW_FIELD_GCCONTROLLER_HEAPINUSE),
		   pw_block_heap(blocks, PW_FIELD_HEAPSTATS_INHEAP, 0)))
		return "gcControllerState.heapInUse";
	if (differ(pw_block_cpu(blocks, 4), pw_block_cpu(blocks, 0) + pw_block_cpu(blocks, 1) +
						    pw_block_cpu(blocks, 2) + pw_block_cpu(blocks, 3)))
		return "work.cpuStats";
	return NULL;
}
