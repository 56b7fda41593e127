/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * A target whose heap profile and spans are the input: buckets begin sound and are then overwritten by (where, how
 * much, what) records. No walk may crash, hang, run on for ever or show a bucket whose hash is not its own.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "support/fake_heap.h"
#include "target/heap_profile.h"
#include "target/heap_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUCKETS 8
#define MHEAP	(FAKE_GO_GLOBALS + 0x9000)

static void overwrite(struct fake_go *go, const uint8_t *data, size_t size)
{
	while (size >= 5) {
		size_t region = data[0] % go->mem.count, length = (size_t)data[1] % 64 + 1;
		size_t reach = go->mem.regions[region].size < 8192 ? go->mem.regions[region].size : 8192;
		size_t at = ((size_t)data[2] << 8 | data[3]) % reach;

		if (data[0] & 0x80) /* the globals, where they are */
			region = 0, at = 0x8000 + at % 0x2000;
		data += 4;
		size -= 4;
		if (length > size)
			length = size;
		if (length > go->mem.regions[region].size - at)
			length = go->mem.regions[region].size - at;
		memcpy(go->mem.regions[region].bytes + at, data, length);
		data += length;
		size -= length;
	}
}

static void check(const struct pw_heap_look *look)
{
	uint64_t touched = 0;

	if (look->count > PW_HEAP_BUCKETS_MAX)
		abort();
	for (size_t i = 0; i < look->count; i++) {
		const struct pw_heap_bucket *bucket = &look->buckets[i];

		if (!bucket->pc_count || bucket->pc_count > PW_HEAP_STACK_MAX || !bucket->object_bytes ||
		    bucket->frees > bucket->allocs || bucket->first_pc > look->pc_count ||
		    bucket->pc_count > look->pc_count - bucket->first_pc)
			abort();
		for (uint32_t k = 0; k < bucket->pc_count; k++)
			touched += look->pcs[bucket->first_pc + k];
	}
	if (touched == 1) /* all of it is memory of ours */
		abort();
}

static void check_types(struct pw_target *target)
{
	const struct pw_heap_types_look *look;
	struct pw_heap_types *types;

	if (pw_heap_types_new(&types) < 0)
		abort();
	if (!pw_heap_types_look(types, target, &look))
		for (size_t i = 0; i < look->count; i++)
			if (strlen(look->types[i].name) >= PW_HEAP_TYPE_NAME_SIZE || !look->types[i].objects)
				abort();
	pw_heap_types_free(types);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pw_heap_look *look;
	struct pw_heap_profiler *profiler;
	struct fake_heap heap;
	struct fake_go *go;

	if (size < 2)
		return 0;
	go = fake_go_new(19 + data[0] % 9, 1, 1);
	go->build.facts.moduledata = FAKE_GO_GLOBALS + 0xa000;
	go->build.facts.globals.addr[PW_GLOBAL_MHEAP] = MHEAP;
	fake_heap_init(&heap, go);
	for (uint64_t i = 0; i < BUCKETS; i++) {
		uint64_t pcs[] = {0x410000 + i, 0x411000, 0x412000};

		fake_heap_add(&heap,
			      &(struct fake_bucket){
				      .object_bytes = 16 * (i + 1), .pc_count = i % 3 + 1, .pcs = pcs, .allocs = i});
	}
	overwrite(go, data + 2, size - 2);
	if (pw_heap_profiler_new(&profiler) < 0)
		abort();
	if (!pw_heap_profiler_look(profiler, &go->target, &look))
		check(look);
	check_types(&go->target);
	pw_heap_profiler_free(profiler);
	fake_go_free(go);
	return 0;
}
