/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/huge.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/macros.h"

#define HUGE_PAGE ((size_t)2 << 20) /* x86-64, and arm64 with pages of 4 kB; elsewhere it only aligns */

void pw_huge_init(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, PW_HUGE_FROM_BYTES);
}

void *pw_huge_alloc(size_t bytes)
{
	size_t rounded;
	void *memory;

	if (bytes < PW_HUGE_FROM_BYTES)
		return malloc(bytes ? bytes : 1);
	if (pw_add_overflows(bytes, HUGE_PAGE - 1, &rounded))
		return NULL;
	rounded &= ~(HUGE_PAGE - 1);
	memory = aligned_alloc(HUGE_PAGE, rounded);
	if (memory)
		(void)madvise(memory, rounded, MADV_HUGEPAGE); /* refused: small pages serve as well, only slower */
	return memory;
}

void *pw_huge_realloc(void *old, size_t used, size_t bytes)
{
	void *grown;

	if (bytes < PW_HUGE_FROM_BYTES)
		return realloc(old, bytes);
	grown = pw_huge_alloc(bytes);
	if (!grown)
		return NULL;
	if (used)
		memcpy(grown, old, used);
	free(old);
	return grown;
}
