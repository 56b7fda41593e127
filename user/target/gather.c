/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/gather.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/huge.h"
#include "base/limits.h"
#include "base/macros.h"
#include "target/mem.h"
#include "target/sort.h"

#define BUFFER_SIZE (256u << 10) /* stays in the second level cache until it was looked at */
#define RANGES_MAX  512u
#define GAP_MAX	    512u
#define INDEX_BITS  20
#define SPAN_MAX    (1ULL << (64 - INDEX_BITS)) /* of addresses / 8 that fit beside an index */

struct gather {
	struct pw_mem *mem;
	const uint64_t *addrs;
	uint64_t base;
	uint64_t *keys; /* (address - base) / 8, index: by address */
	size_t count, position;
	uint32_t size;
	uint8_t *buffer;
	struct pw_mem_range *ranges;
	size_t first[RANGES_MAX];
	pw_gather_fn callback;
	void *context;
};

static uint32_t item_of(const struct gather *gather, size_t i)
{
	return (uint32_t)(gather->keys[i] & ((1u << INDEX_BITS) - 1));
}

static uint64_t addr_of(const struct gather *gather, size_t i)
{
	return gather->base + (gather->keys[i] >> INDEX_BITS) * 8;
}

static bool plausible(uint64_t addr)
{
	return addr >= 4096 && addr % 8 == 0 && addr < PW_USER_ADDRESS_MAX;
}

static int make_keys(struct gather *gather, size_t count)
{
	_cleanup_free_ uint64_t *scratch = pw_huge_alloc(count * sizeof(*scratch));

	if (!scratch || !gather->keys)
		return -ENOMEM;
	gather->base = UINT64_MAX;
	for (size_t i = 0; i < count; i++)
		if (plausible(gather->addrs[i]))
			gather->base = PW_MIN(gather->base, gather->addrs[i]);
	for (size_t i = 0; i < count; i++) {
		uint64_t addr = gather->addrs[i];

		if (plausible(addr) && (addr - gather->base) / 8 < SPAN_MAX)
			gather->keys[gather->count++] = (addr - gather->base) / 8 << INDEX_BITS | i;
	}
	pw_sort_u64(gather->keys, gather->count, INDEX_BITS, scratch);
	return 0;
}

static size_t plan_ranges(struct gather *gather, size_t *ret_next)
{
	size_t i = gather->position, ranges = 0, used = 0;

	while (i < gather->count && ranges < RANGES_MAX && used + gather->size <= BUFFER_SIZE) {
		uint64_t start = addr_of(gather, i), end = start + gather->size;

		gather->first[ranges] = i++;
		while (i < gather->count) {
			uint64_t addr = addr_of(gather, i);

			if (addr > end + GAP_MAX || addr + gather->size - start > BUFFER_SIZE - used)
				break;
			end = addr + gather->size;
			i++;
		}
		gather->ranges[ranges++] = (struct pw_mem_range){
			.addr = start, .buffer = gather->buffer + used, .size = (size_t)(end - start)};
		used += (size_t)(end - start);
	}
	*ret_next = i;
	return ranges;
}

static int take_range(struct gather *gather, const struct pw_mem_range *range, size_t first, size_t end)
{
	uint8_t bytes[4096];

	for (size_t i = first; i < end; i++) {
		uint32_t item = item_of(gather, i);
		uint64_t addr = addr_of(gather, i);
		int r = 0;

		if (range->ok) {
			gather->callback(gather->context, item, addr,
					 (const uint8_t *)range->buffer + (addr - range->addr));
			continue;
		}
		r = pw_mem_read(gather->mem, addr, bytes, gather->size);
		if (r == -ESRCH || r == -EPERM)
			return r;
		if (!r)
			gather->callback(gather->context, item, addr, bytes);
	}
	return 0;
}

static int run(struct gather *gather)
{
	while (gather->position < gather->count) {
		size_t next, ranges = plan_ranges(gather, &next);
		int r = pw_mem_read_many(gather->mem, gather->ranges, ranges);

		for (size_t k = 0; r >= 0 && k < ranges; k++) {
			int error = take_range(gather, &gather->ranges[k], gather->first[k],
					       k + 1 < ranges ? gather->first[k + 1] : next);

			if (error)
				r = error;
		}
		if (r < 0)
			return r;
		gather->position = next;
	}
	return 0;
}

int pw_gather(struct pw_mem *mem, const uint64_t *addrs, size_t count, uint32_t size, pw_gather_fn callback,
	      void *context)
{
	struct gather gather = {.mem = mem, .addrs = addrs, .size = size, .callback = callback, .context = context};
	int r;

	if (!count)
		return 0;
	if (count > 1u << INDEX_BITS || !size || size > 4096)
		return -E2BIG;
	gather.keys = pw_huge_alloc(count * sizeof(*gather.keys));
	gather.buffer = malloc(BUFFER_SIZE);
	gather.ranges = malloc(RANGES_MAX * sizeof(*gather.ranges));
	r = gather.buffer && gather.ranges ? make_keys(&gather, count) : -ENOMEM;
	if (!r)
		r = run(&gather);
	free(gather.keys);
	free(gather.buffer);
	free(gather.ranges);
	return r;
}

/*
 * What lies in one page of the target lies in one page of the table, in the same order: maps are filled and asked
 * mostly by address, or along a queue, which is nearly that. Where the page begins is random to whoever chose the
 * addresses.
 */
static size_t slot_of(const struct pw_addr_map *map, uint64_t addr)
{
	return ((addr >> 13) * map->multiplier >> 32) + (addr >> 4 & 511);
}

static void place(struct pw_addr_map *map, uint64_t addr, uint32_t value)
{
	size_t at = slot_of(map, addr) & (map->capacity - 1);

	while (map->slots[at].addr)
		at = (at + 1) & (map->capacity - 1);
	map->slots[at].addr = addr;
	map->slots[at].value = value;
}

static int grow(struct pw_addr_map *map, size_t capacity)
{
	struct pw_addr_map grown = {.capacity = capacity, .count = map->count, .multiplier = map->multiplier};

	if (!grown.multiplier && getrandom(&grown.multiplier, sizeof(grown.multiplier), 0) < 0)
		grown.multiplier = 0x9e3779b97f4a7c15ULL;
	grown.multiplier |= 1;
	grown.slots = pw_huge_alloc(capacity * sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	memset(grown.slots, 0, capacity * sizeof(*grown.slots));
	for (size_t i = 0; i < map->capacity; i++)
		if (map->slots[i].addr)
			place(&grown, map->slots[i].addr, map->slots[i].value);
	free(map->slots);
	*map = grown;
	return 0;
}

int pw_addr_map_reserve(struct pw_addr_map *map, size_t count)
{
	size_t capacity = PW_MAX(map->capacity, (size_t)1024);

	if (2 * count <= map->capacity)
		return 0;
	while (capacity < 2 * count)
		capacity *= 2;
	return grow(map, capacity);
}

uint32_t pw_addr_map_find(const struct pw_addr_map *map, uint64_t addr)
{
	if (!map->capacity || !addr)
		return UINT32_MAX;
	for (size_t i = slot_of(map, addr) & (map->capacity - 1); map->slots[i].addr; i = (i + 1) & (map->capacity - 1))
		if (map->slots[i].addr == addr)
			return map->slots[i].value;
	return UINT32_MAX;
}

uint32_t pw_addr_map_add(struct pw_addr_map *map, uint64_t addr, uint32_t value)
{
	size_t i;

	if (!addr || pw_addr_map_reserve(map, map->count + 1))
		return UINT32_MAX;
	for (i = slot_of(map, addr) & (map->capacity - 1); map->slots[i].addr; i = (i + 1) & (map->capacity - 1))
		if (map->slots[i].addr == addr)
			return map->slots[i].value;
	map->slots[i].addr = addr;
	map->slots[i].value = value;
	map->count++;
	return value;
}

void pw_addr_map_reset(struct pw_addr_map *map)
{
	if (map->slots)
		memset(map->slots, 0, map->capacity * sizeof(*map->slots));
	map->count = 0;
}

void pw_addr_map_done(struct pw_addr_map *map)
{
	free(map->slots);
	*map = (struct pw_addr_map){};
}
