/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/blocks.h"

#include <string.h>

#include "base/macros.h"
#include "target/mem.h"

#define BLOCK_BYTES (64U << 10)
#define BLOCKS	    32U /* 2 MB; a list mostly stays in one block per P */

struct pw_block {
	uint64_t addr; /* 0: empty */
	bool partial;  /* could not be read as a whole: what is wanted of it is read by itself */
	uint8_t bytes[BLOCK_BYTES];
};

void pw_blocks_forget(struct pw_blocks *blocks)
{
	for (size_t i = 0; blocks->blocks && i < BLOCKS; i++)
		blocks->blocks[i].addr = 0;
}

void pw_blocks_begin(struct pw_blocks *blocks, struct pw_mem *mem)
{
	blocks->mem = mem;
	pw_blocks_forget(blocks);
}

void pw_blocks_done(struct pw_blocks *blocks)
{
	free(blocks->blocks);
	blocks->blocks = NULL;
}

static int block_at(struct pw_blocks *blocks, uint64_t addr, const struct pw_block **ret_block)
{
	struct pw_block *block = &blocks->blocks[addr / BLOCK_BYTES % BLOCKS];
	int r = 0;

	if (block->addr != addr) {
		block->addr = 0;
		r = pw_mem_read(blocks->mem, addr, block->bytes, BLOCK_BYTES);
		if (r && r != -EFAULT)
			return r;
		block->partial = r == -EFAULT;
		block->addr = addr;
	}
	*ret_block = block;
	return 0;
}

int pw_blocks_read(struct pw_blocks *blocks, uint64_t addr, void *buffer, size_t size)
{
	uint64_t end;

	if (pw_add_overflows(addr, size, &end) || addr < BLOCK_BYTES)
		return -EFAULT;
	if (!blocks->blocks)
		blocks->blocks = calloc(BLOCKS, sizeof(*blocks->blocks));
	if (!blocks->blocks)
		return -ENOMEM;
	while (size) {
		uint64_t start = addr - addr % BLOCK_BYTES;
		size_t at = (size_t)(addr - start), n = PW_MIN(size, (size_t)BLOCK_BYTES - at);
		const struct pw_block *block;
		int r = block_at(blocks, start, &block);

		if (!r && block->partial)
			r = pw_mem_read(blocks->mem, addr, buffer, n);
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
