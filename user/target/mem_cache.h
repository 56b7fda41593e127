/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_MEM_CACHE_H
#define PW_TARGET_MEM_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct pw_mem;

/*
 * Reading what is linked together rather than listed: memory comes in blocks of 64 KB, and the last ones are kept, so
 * that following a list of neighbours costs one system call for some hundred of them. What a block holds is as old as
 * its reading. A zeroed one is empty.
 */
struct pw_mem_block;
struct pw_mem_cache {
	struct pw_mem *mem; /* borrowed */
	struct pw_mem_block *blocks;
};

/* From now on from this memory; forgets what there was. */
void pw_mem_cache_begin(struct pw_mem_cache *cache, struct pw_mem *mem);
void pw_mem_cache_forget(struct pw_mem_cache *cache);
void pw_mem_cache_done(struct pw_mem_cache *cache);

/* As pw_mem_read: 0, -EFAULT, -ESRCH, -EPERM, -ENOMEM. */
int pw_mem_cache_read(struct pw_mem_cache *cache, uint64_t addr, void *buffer, size_t size)
	__attribute__((warn_unused_result));
/* The same without a copy where one block holds all of it; else it is put into room. *ret_bytes holds until the next
 * reading. */
int pw_mem_cache_view(struct pw_mem_cache *cache, uint64_t addr, size_t size, void *room, const uint8_t **ret_bytes)
	__attribute__((warn_unused_result));

#endif
