/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * Memory for large arrays that are walked in no order: on huge pages where the kernel gives them to those who ask
 * (MADV_HUGEPAGE), which spares a page fault per 4 kB and most TLB misses; plain memory below PW_HUGE_FROM_BYTES.
 */
#define PW_HUGE_FROM_BYTES (4u << 20)

/* Once, before threads: what is that large always has a mapping of its own and goes back to the host when it is freed.
 * (malloc's own threshold grows up to 32 MB; arrays that come and go made a heap of twice their size by that.) */
void pw_huge_init(void);
/* Not zeroed; given back with free(). NULL: no memory. */
void *pw_huge_alloc(size_t bytes);
/* As realloc, of which `used` bytes are kept. NULL: no memory, then the old one is as it was. */
void *pw_huge_realloc(void *old, size_t used, size_t bytes);
