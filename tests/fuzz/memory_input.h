/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_FUZZ_MEMORY_INPUT_H
#define TESTS_FUZZ_MEMORY_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "support/fake_mem.h"

/* The input as (where, how much, what) records that are written over the memory of a target. */
static inline void memory_overwrite(struct fake_go *go, const uint8_t *data, size_t size)
{
	while (size >= 5) {
		size_t region = data[0] % go->mem.count, length = (size_t)data[1] % 64 + 1,
		       at = ((size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4]) % (go->mem.regions[region].size);

		data += 5;
		size -= 5;
		if (length > size)
			length = size;
		if (length > go->mem.regions[region].size - at)
			length = go->mem.regions[region].size - at;
		memcpy(go->mem.regions[region].bytes + at, data, length);
		data += length;
		size -= length;
	}
}

#endif
