/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_SUPPORT_FAKE_HEAP_H
#define TESTS_SUPPORT_FAKE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "support/fake_mem.h"

/* A heap profile in the memory of a fake Go process: buckets in a list, the last one added first, as the runtime does.
 */
#define FAKE_HEAP_BUCKETS     0xc200000000
#define FAKE_HEAP_SIZE	      (512U << 10)
#define FAKE_HEAP_RATE_AT     (FAKE_GO_GLOBALS + 0x8000)
#define FAKE_HEAP_MBUCKETS_AT (FAKE_GO_GLOBALS + 0x8008)
#define FAKE_HEAP_CYCLE_AT    (FAKE_GO_GLOBALS + 0x8010)

struct fake_heap {
	struct fake_go *go; /* borrowed */
	uint64_t next, head;
};

void fake_heap_init(struct fake_heap *heap, struct fake_go *go);

struct fake_bucket {
	uint64_t object_bytes;
	size_t pc_count;
	const uint64_t *pcs;
	uint64_t allocs, frees; /* active */
	uint64_t future_allocs[3], future_frees[3];
};
/* Its address. */
uint64_t fake_heap_add(struct fake_heap *heap, const struct fake_bucket *bucket);
/* Overwrites a field of the bucket's header. */
void fake_heap_set(struct fake_heap *heap, uint64_t bucket, enum pw_field field, uint64_t value);

#endif
