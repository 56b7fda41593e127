/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_HEAP_NAMING_H
#define PW_OBSERVE_HEAP_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_heap_profile;
struct pw_heap_site;
struct pw_symbolizer;

/*
 * From the addresses of many stacks to frames of a heap profile. A profile of 50,000 buckets has a million addresses,
 * but few different ones: each is named once, and a stack is a row of numbers of frames.
 */
struct pw_heap_naming;

/*
 * Names the addresses, of all stacks one behind the other. physical: they are those of calls as they stand on a stack,
 * where inlined calls have none of their own; else each frame has one, whether inlined or not. 0, -EAGAIN when names
 * are missing that are now asked for, or -errno. A NULL symbolizer: none has a name.
 */
int pw_heap_naming_new(struct pw_heap_naming **ret_naming, struct pw_heap_profile *heap,
		       struct pw_symbolizer *symbolizer, const uint64_t *pcs, size_t count, bool physical)
	__attribute__((warn_unused_result));
/* Sets the stack of a site: count addresses from the first-th on. */
int pw_heap_naming_put(struct pw_heap_naming *naming, struct pw_heap_site *site, size_t first, uint32_t count)
	__attribute__((warn_unused_result));
void pw_heap_naming_free(struct pw_heap_naming *naming);

#endif
