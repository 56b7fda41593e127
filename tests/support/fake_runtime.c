/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/fake_runtime.h"

#include "base/macros.h"

uint64_t fake_runtime_word(enum pw_global global)
{
	return FAKE_WORDS + (uint64_t)global * 0x40;
}

static void put(struct fake_go *go, uint64_t at, enum pw_field field, uint64_t value, size_t size)
{
	int32_t offset = go->build.facts.layout.offset[field];

	if (offset >= 0)
		fake_mem_put(&go->mem, at + (uint64_t)offset, value, size);
}

void fake_runtime_memstats(struct fake_go *go, enum pw_field field, uint64_t value, size_t size)
{
	put(go, FAKE_MEMSTATS, field, value, size);
}

void fake_runtime_controller(struct fake_go *go, enum pw_field field, uint64_t value)
{
	put(go, FAKE_GCCONTROLLER, field, value, 8);
}

void fake_runtime_slot(struct fake_go *go, unsigned int n, enum pw_field field, size_t index, uint64_t value)
{
	const int32_t *offset = go->build.facts.layout.offset;
	uint64_t slots = FAKE_MEMSTATS + (uint64_t)offset[PW_FIELD_MSTATS_HEAPSTATS];

	put(go, slots + n * (uint64_t)offset[PW_FIELD_HEAPSTATS_SIZE] + index * 8, field, value, 8);
}

void fake_runtime_m(struct fake_go *go, size_t i, uint64_t next, uint64_t cgo_calls, uint64_t lock_wait_ns)
{
	uint64_t at = FAKE_MS + i * FAKE_M_STRIDE;

	put(go, at, PW_FIELD_M_ALLLINK, next, 8);
	put(go, at, PW_FIELD_M_NCGOCALL, cgo_calls, 8);
	put(go, at, PW_FIELD_M_MLOCKPROFILE_WAITTIME, lock_wait_ns, 8);
}

void fake_runtime_finblock(struct fake_go *go, size_t i, uint64_t next, uint32_t count)
{
	put(go, FAKE_FINBLOCKS + i * 0x1000, PW_FIELD_FINBLOCK_NEXT, next, 8);
	put(go, FAKE_FINBLOCKS + i * 0x1000, PW_FIELD_FINBLOCK_CNT, count, 4);
}

static void fill_heap(struct fake_go *go)
{
	/* Slot 2 is the old one, slot 0 the one that is written to, slot 1 empty. */
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_COMMITTED, 0, 8 << 20);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_RELEASED, 0, 1 << 20);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_INHEAP, 0, 4 << 20);
	fake_runtime_slot(go, 0, PW_FIELD_HEAPSTATS_INHEAP, 0, (uint64_t)-8192); /* one span less since */
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_INSTACKS, 0, 1 << 20);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_INWORKBUFS, 0, 1 << 16);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_TINYALLOCCOUNT, 0, 77);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_LARGEALLOC, 0, 1 << 20);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_LARGEALLOCCOUNT, 0, 4);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, 5, 1000); /* of 48 bytes */
	fake_runtime_slot(go, 0, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, 5, 10);
	fake_runtime_slot(go, 2, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, 67, 3); /* of 32 KiB */
	fake_runtime_slot(go, 0, PW_FIELD_HEAPSTATS_SMALLFREECOUNT, 5, 400);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_HEAPINUSE, (4 << 20) - 8192);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_HEAPRELEASED, 1 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_HEAPFREE, 2 << 20);
}

static void fill_cycles(struct fake_go *go)
{
	const int32_t *offset = go->build.facts.layout.offset;

	fake_runtime_memstats(go, PW_FIELD_MSTATS_NUMGC, FAKE_GC_CYCLES, 4);
	fake_runtime_memstats(go, PW_FIELD_MSTATS_NUMFORCEDGC, 7, 4);
	fake_runtime_memstats(go, PW_FIELD_MSTATS_PAUSE_TOTAL_NS, 12345678, 8);
	fake_runtime_memstats(go, PW_FIELD_MSTATS_LAST_GC_UNIX, 1000000 + FAKE_GC_CYCLES, 8);
	for (uint64_t n = 1; n <= FAKE_GC_CYCLES; n++) {
		uint64_t place = (n - 1) % 256 * 8;

		fake_mem_put(&go->mem, FAKE_MEMSTATS + (uint64_t)offset[PW_FIELD_MSTATS_PAUSE_NS] + place, n * 1000, 8);
		fake_mem_put(&go->mem, FAKE_MEMSTATS + (uint64_t)offset[PW_FIELD_MSTATS_PAUSE_END] + place, 1000000 + n,
			     8);
	}
}

struct fake_go *fake_runtime_new(int go_minor, size_t g_count, size_t p_count)
{
	static const enum pw_global words[] = {
		PW_GLOBAL_GCPHASE,     PW_GLOBAL_NCGOCALL,     PW_GLOBAL_STARTINGSTACKSIZE,
		PW_GLOBAL_FINQ,	       PW_GLOBAL_FINQUEUED,    PW_GLOBAL_FINEXECUTED,
		PW_GLOBAL_EXTRAMINUSE, PW_GLOBAL_EXTRAMLENGTH, PW_GLOBAL_ALLM,
	};
	struct fake_go *go = fake_go_new(go_minor, g_count, p_count);
	struct pw_globals *globals = &go->build.facts.globals;

	go->target.memory_ok = true;
	for (size_t i = 0; i < _PW_FIELD_MAX; i++) /* as if the code had confirmed all of it */
		if (go->build.facts.layout.trust[i] == PW_TRUST_NEAR_TABLE)
			go->build.facts.layout.trust[i] = PW_TRUST_CONFIRMED;
	fake_mem_add(&go->mem, FAKE_MEMSTATS, 0x8000);
	fake_mem_add(&go->mem, FAKE_GCCONTROLLER, 0x1000);
	fake_mem_add(&go->mem, FAKE_WORK, 0x1000);
	fake_mem_add(&go->mem, FAKE_WORDS, 0x2000);
	fake_mem_add(&go->mem, FAKE_MHEAP, 0x20000);
	fake_mem_add(&go->mem, FAKE_MS, 8 * FAKE_M_STRIDE);
	fake_mem_add(&go->mem, FAKE_FINBLOCKS, 8 * 0x1000);
	globals->addr[PW_GLOBAL_MEMSTATS] = FAKE_MEMSTATS;
	globals->addr[PW_GLOBAL_GCCONTROLLER] = FAKE_GCCONTROLLER;
	globals->addr[PW_GLOBAL_WORK] = FAKE_WORK;
	globals->addr[PW_GLOBAL_MHEAP] = FAKE_MHEAP;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (go_minor >= pw_global_since(words[i]))
			globals->addr[words[i]] = fake_runtime_word(words[i]);
	fake_go_set_sched(go, PW_FIELD_SCHED_MNEXT, 5, 8);
	fake_go_set_sched(go, PW_FIELD_SCHED_NMFREED, 2, 8);
	fake_go_set_sched(go, PW_FIELD_SCHED_NGSYS, 4, 4);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_MEMORYLIMIT, INT64_MAX);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_GCPERCENTHEAPGOAL, 9 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_HEAPMARKED, 3 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_TRIGGERED, UINT64_MAX);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_MAPPEDREADY, 8 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_TOTALALLOC, 3 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_TOTALFREE, 1 << 20);
	fake_mem_put(&go->mem, FAKE_GCCONTROLLER, 100, 4); /* gcPercent, which has always been first */
	fill_heap(go);
	fill_cycles(go);
	return go;
}
