/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_BLOCKS_H
#define PW_TARGET_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

struct pw_mem;

/*
 * Reading what is linked together rather than listed: memory comes in blocks of 64 KB, and the last ones are kept, so
 * that following a list of neighbours costs one system call for some hundred of them. What a block holds is as old as
 * its reading. A zeroed one is empty.
 */
struct pw_block;
struct pw_blocks {
	struct pw_mem *mem; /* borrowed */
	struct pw_block *blocks;
};

/* From now on from this memory; forgets what there was. */
void pw_blocks_begin(struct pw_blocks *blocks, struct pw_mem *mem);
void pw_blocks_forget(struct pw_blocks *blocks);
void pw_blocks_done(struct pw_blocks *blocks);

/* As pw_mem_read: 0, -EFAULT, -ESRCH, -EPERM, -ENOMEM. */
int pw_blocks_read(struct pw_blocks *blocks, uint64_t addr, void *buffer, size_t size)
	__attribute__((warn_unused_result));

#endif
