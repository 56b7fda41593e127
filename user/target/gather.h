/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_GATHER_H
#define PW_TARGET_GATHER_H

#include <stddef.h>
#include <stdint.h>

struct pw_mem;

/* Structures of one kind, somewhere in memory: neighbours are read in one range (see goroutines.c). */
typedef void (*pw_gather_fn)(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes);

/* Reads `size` bytes (at most 4096) at each of the addresses, at most 2^20 of them, and calls back in the order of
 * addresses; one that cannot be read has no call. 0, -ESRCH, -EPERM, -ENOMEM, -E2BIG. */
int pw_gather(struct pw_mem *mem, const uint64_t *addrs, size_t count, uint32_t size, pw_gather_fn callback,
	      void *context) __attribute__((warn_unused_result));

/* A map from addresses to small numbers: open addressing. A zeroed one is empty; the address 0 is not in it. */
struct pw_addr_map {
	struct {
		uint64_t addr;
		uint32_t value;
	} * slots;
	size_t capacity, count;
	uint64_t multiplier; /* of the hash: drawn at random, since targets choose the addresses */
};
/* Makes room for `count` addresses in all, so that filling it does not move it again and again. 0, -ENOMEM. */
int pw_addr_map_reserve(struct pw_addr_map *map, size_t count) __attribute__((warn_unused_result));
/* The value of addr, which becomes `value` if it is new. UINT32_MAX: no memory. */
uint32_t pw_addr_map_add(struct pw_addr_map *map, uint64_t addr, uint32_t value);
uint32_t pw_addr_map_find(const struct pw_addr_map *map, uint64_t addr); /* UINT32_MAX: not there */
void pw_addr_map_reset(struct pw_addr_map *map);
void pw_addr_map_done(struct pw_addr_map *map);

#endif
