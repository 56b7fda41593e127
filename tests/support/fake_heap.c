/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/fake_heap.h"

#include <stdlib.h>

static int32_t offset(const struct fake_heap *heap, enum pw_field field)
{
	return heap->go->build.facts.layout.offset[field];
}

void fake_heap_init(struct fake_heap *heap, struct fake_go *go)
{
	struct pw_build_facts *facts = &go->build.facts;

	*heap = (struct fake_heap){.go = go, .next = FAKE_HEAP_BUCKETS + 64};
	facts->has_mem_profile = true;
	facts->globals.addr[PW_GLOBAL_MEMPROFILERATE] = FAKE_HEAP_RATE_AT;
	facts->globals.addr[PW_GLOBAL_MBUCKETS] = FAKE_HEAP_MBUCKETS_AT;
	facts->globals.addr[PW_GLOBAL_MPROFCYCLE] = FAKE_HEAP_CYCLE_AT;
	go->target.memory_ok = true;
	fake_mem_add(&go->mem, FAKE_HEAP_BUCKETS, FAKE_HEAP_SIZE);
	fake_mem_put(&go->mem, FAKE_HEAP_RATE_AT, 512 << 10, 8);
}

/* src/runtime/mprof.go:stkbucket */
static uint64_t hash_of(const struct fake_bucket *bucket)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < bucket->pc_count; i++) {
		hash += bucket->pcs[i];
		hash += hash << 10;
		hash ^= hash >> 6;
	}
	hash += bucket->object_bytes;
	hash += hash << 10;
	hash ^= hash >> 6;
	hash += hash << 3;
	return hash ^ hash >> 11;
}

void fake_heap_set(struct fake_heap *heap, uint64_t bucket, enum pw_field field, uint64_t value)
{
	fake_mem_put(&heap->go->mem, bucket + (uint64_t)offset(heap, field), value, 8);
}

static void put_cycle(struct fake_heap *heap, uint64_t at, uint64_t allocs, uint64_t frees)
{
	fake_mem_put(&heap->go->mem, at + (uint64_t)offset(heap, PW_FIELD_MEMRECORDCYCLE_ALLOCS), allocs, 8);
	fake_mem_put(&heap->go->mem, at + (uint64_t)offset(heap, PW_FIELD_MEMRECORDCYCLE_FREES), frees, 8);
}

uint64_t fake_heap_add(struct fake_heap *heap, const struct fake_bucket *bucket)
{
	uint64_t addr = heap->next, pcs = addr + (uint64_t)offset(heap, PW_FIELD_BUCKET_SIZE);
	uint64_t record = pcs + bucket->pc_count * 8,
		 future = record + (uint64_t)offset(heap, PW_FIELD_MEMRECORD_FUTURE);

	fake_heap_set(heap, addr, PW_FIELD_BUCKET_ALLNEXT, heap->head);
	fake_heap_set(heap, addr, PW_FIELD_BUCKET_TYP, 1);
	fake_heap_set(heap, addr, PW_FIELD_BUCKET_HASH, hash_of(bucket));
	fake_heap_set(heap, addr, PW_FIELD_BUCKET_OBJECT_SIZE, bucket->object_bytes);
	fake_heap_set(heap, addr, PW_FIELD_BUCKET_NSTK, bucket->pc_count);
	for (size_t i = 0; i < bucket->pc_count; i++)
		fake_mem_put(&heap->go->mem, pcs + i * 8, bucket->pcs[i], 8);
	put_cycle(heap, record + (uint64_t)offset(heap, PW_FIELD_MEMRECORD_ACTIVE), bucket->allocs, bucket->frees);
	for (size_t i = 0; i < 3; i++)
		put_cycle(heap, future + i * (uint64_t)offset(heap, PW_FIELD_MEMRECORDCYCLE_SIZE),
			  bucket->future_allocs[i], bucket->future_frees[i]);
	heap->next = record + (uint64_t)offset(heap, PW_FIELD_MEMRECORD_SIZE);
	heap->head = addr;
	fake_mem_put(&heap->go->mem, FAKE_HEAP_MBUCKETS_AT, addr, 8);
	return addr;
}
