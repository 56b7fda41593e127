/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_HEAP_H
#define PW_MODEL_HEAP_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"

/*
 * The heap of one process by allocation site, in words: what `parkwatch heap` shows, in every format. Built by
 * observe/heap_build.c, read back from JSON by output/heap_json.c for --diff, written by output/heap_*.c.
 */
struct pw_heap_values { /* estimates of all objects, by the sampling rate as runtime/pprof does it */
	uint64_t inuse_objects, inuse_bytes, alloc_objects, alloc_bytes;
};

enum pw_heap_kind {
	PW_HEAP_OF_RUNTIME, /* the runtime's own profile: in use and allocated since its start */
	PW_HEAP_SAMPLED,    /* by our probes, over a time: allocated in it, nothing is known of frees */
	PW_HEAP_NONE,	    /* the program keeps none: classes and types take its place */
};

struct pw_heap_site {			   /* allocations at one stack */
	uint32_t first_frame, frame_count; /* of stacks, innermost first */
	uint64_t object_bytes;		   /* size of each; 0: various */
	struct pw_heap_values values;
	int64_t growth_bytes, growth_objects; /* in use, against the older profile; 0 */
	uint64_t growth_alloc_bytes;	      /* allocated since then */
};

struct pw_heap_class {	       /* exact, from the runtime's own counters, which lag by what sits in mcaches */
	uint64_t object_bytes; /* of its slots; 0: all large objects, each with a span of its own */
	uint64_t objects, bytes, alloc_objects, alloc_bytes; /* in use, and allocated since the start */
	int64_t growth_objects, growth_bytes;
	uint64_t growth_alloc_bytes;
};

struct pw_heap_type {  /* of objects above 512 bytes with pointers in them, from Go 1.22 on */
	uint32_t name; /* string of base */
	uint64_t objects, bytes;
	int64_t growth_objects, growth_bytes;
};

struct pw_heap_profile {
	struct pw_profile *base; /* owned: strings, frames, and whose it is */
	enum pw_heap_kind kind;
	uint64_t rate;	      /* bytes per sample */
	uint64_t cycle;	      /* GC cycles that had completed when in-use was published */
	bool before_gc;	      /* none had: everything allocated counts as in use */
	bool unsettled;	      /* was changing while it was read */
	char broken[64];      /* why the list of buckets ended early; "" it did not */
	uint64_t skipped;     /* buckets that could not be used */
	uint64_t buckets;     /* that could */
	uint64_t duration_ns; /* of reading it; sampled: the time it speaks of */
	uint64_t attached_ns; /* sampled: for so much of the time; figures are scaled up to all of it */
	uint64_t samples;     /* sampled: hits of probes */
	uint64_t cost_ns;     /* sampled: what they cost the process, estimated, by */
	uint64_t hit_ns;      /* the price of one, which is measured */
	bool compared;	      /* growth is set, and the rest of this line */
	uint64_t old_wall_ns, old_cycle, apart_ns;
	struct pw_heap_values total, old_total;
	struct pw_heap_values gone; /* of sites of the older one that are no more */
	struct pw_heap_site *sites;
	size_t site_count;
	uint32_t *stacks; /* of all sites: numbers of frames of base, which stacks share */
	size_t stack_count, stack_capacity;

	char absent[192]; /* PW_HEAP_NONE: why, a sentence without a full stop */
	struct pw_heap_class *classes;
	size_t class_count;
	struct pw_heap_type *types;
	size_t type_count;
	uint64_t spans, spans_looked_at; /* types: estimated from so many of so many spans in use */
	uint64_t untyped_bytes;		 /* of those looked at: no pointers, 512 bytes or less, no type that is one */
	char no_types[128];		 /* why there are none; "" there are */
};

struct pw_heap_profile *pw_heap_profile_new(void); /* NULL: no memory */
void pw_heap_profile_free(struct pw_heap_profile *heap);
/* A zeroed one at the end; NULL: no memory, or too many. It moves when the list grows. */
struct pw_heap_site *pw_heap_add_site(struct pw_heap_profile *heap);

/* Frame i of a site, innermost first. */
static inline const struct pw_profile_frame *pw_heap_frame(const struct pw_heap_profile *heap,
							   const struct pw_heap_site *site, uint32_t i)
{
	return &heap->base->frames[heap->stacks[site->first_frame + i]];
}
/* All of them, one behind the other, as those want them who write stacks: until the next call with the same room, which
 * starts zeroed, and is freed by the caller. NULL: no memory. */
struct pw_heap_room {
	struct pw_profile_frame *frames;
	size_t capacity;
};
const struct pw_profile_frame *pw_heap_stack(const struct pw_heap_profile *heap, const struct pw_heap_site *site,
					     struct pw_heap_room *room);
void pw_heap_room_done(struct pw_heap_room *room);

/* For those who build one: room for so many more frames of stacks; and one of them, by its number in base. 0, -E2BIG,
 * -ENOMEM. */
int pw_heap_reserve_stacks(struct pw_heap_profile *heap, size_t more) __attribute__((warn_unused_result));
static inline int pw_heap_put_frame(struct pw_heap_profile *heap, uint32_t frame)
{
	int r = heap->stack_count < heap->stack_capacity ? 0 : pw_heap_reserve_stacks(heap, 1);

	if (!r)
		heap->stacks[heap->stack_count++] = frame;
	return r;
}

struct pw_heap_class *pw_heap_add_class(struct pw_heap_profile *heap);
struct pw_heap_type *pw_heap_add_type(struct pw_heap_profile *heap);

/* src/runtime/pprof/protomem.go:scaleHeapSample: what `objects` sampled ones of this size stand for; and what each of
 * them does. */
double pw_heap_scale_factor(uint64_t object_bytes, uint64_t rate);
void pw_heap_scale_by(double factor, uint64_t objects, uint64_t object_bytes, uint64_t *ret_objects,
		      uint64_t *ret_bytes);
void pw_heap_scale(uint64_t objects, uint64_t object_bytes, uint64_t rate, uint64_t *ret_objects, uint64_t *ret_bytes);

/* Sites of equal stacks (function, file and line of each frame) become one, whatever the size of their objects. Sums
 * up, and sorts. 0 or -ENOMEM. */
int pw_heap_merge(struct pw_heap_profile *heap) __attribute__((warn_unused_result));
/* Leaves only sites with a function or file on their stack that matches. Totals are those of what stays. */
int pw_heap_focus(struct pw_heap_profile *heap, const regex_t *focus) __attribute__((warn_unused_result));
/* Sets growth against an older one, both merged. 0 or -ENOMEM. */
int pw_heap_compare(struct pw_heap_profile *heap, const struct pw_heap_profile *old)
	__attribute__((warn_unused_result));

enum pw_heap_order { PW_HEAP_BY_INUSE, PW_HEAP_BY_ALLOC, PW_HEAP_BY_GROWTH, PW_HEAP_BY_ALLOC_GROWTH };
void pw_heap_sort(struct pw_heap_profile *heap, enum pw_heap_order order);

#endif
