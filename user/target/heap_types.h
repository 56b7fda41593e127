/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_HEAP_TYPES_H
#define PW_TARGET_HEAP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_target;

/*
 * What the heap is made of, by type, without a profile: from Go 1.22 on each object above 512 bytes that has pointers
 * carries its type: in a word before it (src/runtime/mbitmap.go: heapBitsInSpan, mallocHeaderSize) or, with a span of
 * its own, in the span (mspan.largeType). A sample of spans is read; what is allocated in them is told by freeindex and
 * allocBits, garbage that is not yet swept included.
 */
#define PW_HEAP_TYPE_NAME_SIZE 128

struct pw_heap_type_count {
	uint64_t type;			   /* live address of its runtime._type */
	bool array;			   /* slots are larger than the type: a slice's backing array of it */
	char name[PW_HEAP_TYPE_NAME_SIZE]; /* "main.record", "[]main.record"; cut at the end if longer */
	uint64_t objects, bytes;	   /* seen in the spans that were looked at; bytes are those of the slots */
};

struct pw_heap_types_look {
	uint64_t spans, spans_looked_at;	/* in the list of all spans, in use or not */
	uint64_t slots_skipped;			/* objects not looked at: over the budget, unreadable, swapped out */
	uint64_t untyped_bytes;			/* in use, in spans that were looked at, without a type that is one */
	const struct pw_heap_type_count *types; /* by bytes, falling */
	size_t count;
};

struct pw_heap_types;
int pw_heap_types_new(struct pw_heap_types **ret_types) __attribute__((warn_unused_result));
void pw_heap_types_free(struct pw_heap_types *types);
/* *ret_look is valid until the next one. -ENOTSUP before Go 1.22, or not known for this build; -EBADMSG no list of
 * spans; -ESRCH, -EPERM, -EFAULT, -ENOMEM. */
int pw_heap_types_look(struct pw_heap_types *types, struct pw_target *target,
		       const struct pw_heap_types_look **ret_look) __attribute__((warn_unused_result));

#endif
