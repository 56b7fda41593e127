/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_HEAP_BUILD_H
#define PW_OBSERVE_HEAP_BUILD_H

#include <stdint.h>

struct pw_allocs;
struct pw_heap_look;
struct pw_heap_profile;
struct pw_symbolizer;

/*
 * From a look at the runtime's heap profile to one in words: each bucket a site, scaled, frames of the runtime at the
 * inner end left out (mallocgc and the like, as runtime/pprof does it). Not merged: pw_heap_merge. The profile must be
 * empty but for its head. 0, -EAGAIN: names were asked for, settle the symbolizer and call again; -ENOMEM. symbolizer
 * NULL: no names, addresses only.
 */
int pw_heap_build(struct pw_heap_profile *heap, const struct pw_heap_look *look, struct pw_symbolizer *symbolizer)
	__attribute__((warn_unused_result));

/* The same from what probes have seen: each span counts with its size, as if nothing of it had been in use before. */
int pw_heap_build_sampled(struct pw_heap_profile *heap, const struct pw_allocs *allocs, uint64_t bias,
			  struct pw_symbolizer *symbolizer) __attribute__((warn_unused_result));

#endif
