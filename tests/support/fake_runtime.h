/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_SUPPORT_FAKE_RUNTIME_H
#define TESTS_SUPPORT_FAKE_RUNTIME_H

#include "support/fake_mem.h"

/*
 * The runtime's statistics of a fake Go process, at fixed addresses: consistent, with FAKE_GC_CYCLES collections of
 * 1000 * n ns pause each, and a heap of two size classes.
 */
#define FAKE_MEMSTATS	  0x800000
#define FAKE_GCCONTROLLER 0x810000
#define FAKE_WORK	  0x812000
#define FAKE_MHEAP	  0x820000
#define FAKE_WORDS	  0x814000 /* single variables, 0x40 apart, by their place in enum pw_global */
#define FAKE_MS		  0x850000 /* Ms, FAKE_M_STRIDE apart */
#define FAKE_M_STRIDE	  0x1000
#define FAKE_FINBLOCKS	  0x880000 /* blocks of finalizers, 0x1000 apart */
#define FAKE_GC_CYCLES	  300

struct fake_go *fake_runtime_new(int go_minor, size_t g_count, size_t p_count);

uint64_t fake_runtime_word(enum pw_global global); /* its address */
/* A field of memstats, gcController or work; of slot n of memstats.heapStats. */
void fake_runtime_memstats(struct fake_go *go, enum pw_field field, uint64_t value, size_t size);
void fake_runtime_controller(struct fake_go *go, enum pw_field field, uint64_t value);
void fake_runtime_slot(struct fake_go *go, unsigned int n, enum pw_field field, size_t index, uint64_t value);
/* m number i: its link (0: end), cgo calls and time waited for locks of the runtime. */
void fake_runtime_m(struct fake_go *go, size_t i, uint64_t next, uint64_t cgo_calls, uint64_t lock_wait_ns);
void fake_runtime_finblock(struct fake_go *go, size_t i, uint64_t next, uint32_t count);

#endif
