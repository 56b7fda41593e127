/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/mem_cache.h"

#include <string.h>

#include "base/macros.h"
#include "target/mem.h"

#define BLOCK_BYTES (64U << 10)
#define BLOCKS	    32U /* 2 MB; a list mostly stays in one block per P */

struct pw_mem_block {
	uint64_t addr; /* 0: empty */
	bool partial;  /* could not be read as a whole: what is wanted of it is read by itself */
	uint8_t bytes[BLOCK_BYTES];
};

void pw_mem_cache_forget(struct pw_mem_cache *cache)
{
	for (size_t i = 0; cache->blocks && i < BLOCKS; i++)
		cache->blocks[i].addr = 0;
}

void pw_mem_cache_begin(struct pw_mem_cache *cache, struct pw_mem *mem)
{
	cache->mem = mem;
	pw_mem_cache_forget(cache);
}

void pw_mem_cache_done(struct pw_mem_cache *cache)
{
	free(cache->blocks);
	cache->blocks = NULL;
}

static int block_at(struct pw_mem_cache *cache, uint64_t addr, const struct pw_mem_block **ret_block)
{
	struct pw_mem_block *block = &cache->blocks[addr / BLOCK_BYTES % BLOCKS];
	int r = 0;

	if (block->addr != addr) {
		block->addr = 0;
		r = pw_mem_read(cache->mem, addr, block->bytes, BLOCK_BYTES);
		if (r && r != -EFAULT)
			return r;
		block->partial = r == -EFAULT;
		block->addr = addr;
	}
	*ret_block = block;
	return 0;
}

int pw_mem_cache_read(struct pw_mem_cache *cache, uint64_t addr, void *buffer, size_t size)
{
	uint64_t end;

	if (pw_add_overflows(addr, size, &end) || addr < BLOCK_BYTES)
		return -EFAULT;
	if (!cache->blocks)
		cache->blocks = calloc(BLOCKS, sizeof(*cache->blocks));
	if (!cache->blocks)
		return -ENOMEM;
	while (size) {
		uint64_t start = addr - addr % BLOCK_BYTES;
		size_t at = (size_t)(addr - start), n = PW_MIN(size, (size_t)BLOCK_BYTES - at);
		const struct pw_mem_block *block;
		int r = block_at(cache, start, &block);

		if (!r && block->partial)
			r = pw_mem_read(cache->mem, addr, buffer, n);
		else if (!r)
			memcpy(buffer, block->bytes + at, n);
		if (r)
			return r;
		buffer = (uint8_t *)buffer + n;
		addr += n;
		size -= n;
	}
	return 0;
}

int pw_mem_cache_view(struct pw_mem_cache *cache, uint64_t addr, size_t size, void *room, const uint8_t **ret_bytes)
{
	uint64_t start = addr - addr % BLOCK_BYTES;
	size_t at = (size_t)(addr - start);
	int r;

	if (cache->blocks && addr >= BLOCK_BYTES && size <= BLOCK_BYTES - at) {
		const struct pw_mem_block *block;

		r = block_at(cache, start, &block);
		if (r)
			return r;
		if (!block->partial) {
			*ret_bytes = block->bytes + at;
			return 0;
		}
	}
	r = pw_mem_cache_read(cache, addr, room, size);
	if (!r)
		*ret_bytes = room;
	return r;
}
