/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/heap_build.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/vec.h"
#include "collect/allocs.h"
#include "model/heap.h"
#include "model/profile.h"
#include "model/runtime_numbers.h"
#include "observe/profile_names.h"
#include "target/gather.h"
#include "target/heap_profile.h"
#include "target/symbolize.h"

/*
 * A profile of 50,000 buckets has a million addresses, but few different ones: each is named once, and the frames of a
 * stack are copies.
 */
struct named { /* an address */
	uint64_t pc;
	const struct pw_located_frame *frames;
	int count;			   /* of frames; 0: it has no name */
	struct pw_profile_frame innermost; /* addr not yet set */
	bool hidden;			   /* by runtime/pprof, at the inner end of a stack */
};

struct naming {
	struct pw_addr_map map; /* pc -> index in named */
	PW_VEC(struct named) named;
	uint32_t *ids; /* parallel to the addresses */
	bool physical; /* addresses of calls as they stand on a stack: inlined calls have none of their own */
};

static void naming_done(struct naming *naming)
{
	pw_addr_map_done(&naming->map);
	pw_vec_done(&naming->named);
	free(naming->ids);
}

static int naming_init(struct naming *naming, const uint64_t *pcs, size_t count)
{
	naming->ids = malloc((count + 1) * sizeof(*naming->ids));
	if (!naming->ids)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t next = (uint32_t)naming->named.count, id;
		int r = 0;

		id = pw_addr_map_add(&naming->map, pcs[i], next);
		if (id == UINT32_MAX && pcs[i])
			return -ENOMEM;
		if (id == UINT32_MAX) /* the address 0, which is in no map */
			id = next;
		if (id == next)
			r = pw_vec_push(&naming->named, (struct named){.pc = pcs[i]});
		if (r < 0)
			return r;
		naming->ids[i] = id;
	}
	return 0;
}

static bool is_runtime(const char *function)
{
	return !strncmp(function, "runtime.", 8) || !strncmp(function, "internal/runtime/", 17);
}

/*
 * All names, or -EAGAIN. What is hidden goes by runtime.FuncForPC(pc) without the subtraction of 1 that a return
 * address needs (src/runtime/pprof/protomem.go, go1.19 to go1.27); so here, that stacks begin where those of pprof
 * begin.
 */
static int name_all(struct naming *naming, struct pw_heap_profile *heap, struct pw_symbolizer *symbolizer)
{
	bool missing = false;

	pw_vec_foreach (&naming->named, named) {
		const struct pw_located_frame *exact;
		int r = pw_name_frames(symbolizer, named->pc, false, &exact);

		named->count = pw_name_frames(symbolizer, named->pc, true, &named->frames);
		if ((r < 0 && r != -EAGAIN) || (named->count < 0 && named->count != -EAGAIN))
			return r < 0 ? r : named->count;
		missing |= r < 0 || named->count < 0;
		named->hidden = r <= 0 || is_runtime(exact[0].function);
	}
	if (missing)
		return -EAGAIN;
	pw_vec_foreach (&naming->named, named)
		if (named->count)
			named->innermost = pw_name_frame(heap->base, &named->frames[0], 0);
	return 0;
}

/* What every stack ends with, and runtime/pprof leaves out. */
static void drop_goexit(const struct pw_profile *base, struct pw_heap_site *site)
{
	uint32_t last = site->first_frame + site->frame_count - 1;

	if (site->frame_count > 1 && !strcmp(pw_profile_string(base, base->frames[last].function), "runtime.goexit"))
		site->frame_count--;
}

/* Frame k of an address. */
static int add_frame(struct pw_heap_profile *heap, const struct named *named, int k, uint64_t addr)
{
	struct pw_profile_frame *frame;

	if (!named->count)
		return pw_name_add_nameless(heap->base, addr);
	frame = pw_profile_add_frame(heap->base);
	if (!frame)
		return -ENOMEM;
	*frame = k ? pw_name_frame(heap->base, &named->frames[k], addr) : named->innermost;
	frame->addr = addr;
	return 0;
}

/*
 * Each address is one frame, the innermost that stands there: where a call was inlined, the runtime has put an address
 * of its own for what it is inlined into. Only behind the last one, where the stack was cut, there may be more
 * (src/runtime/symtab.go:expandFinalInlineFrame). Frames of one physical function share the address of the innermost.
 */
static int add_frames(struct pw_heap_profile *heap, const struct naming *naming, struct pw_heap_site *site,
		      const uint32_t *ids, uint32_t count)
{
	uint64_t addr = 0;
	uint32_t first = 0;
	bool inside = false; /* the frame before is inlined into this one */

	while (first < count && naming->named.items[ids[first]].hidden)
		first++;
	if (first == count) /* all of it is the runtime's: then all is shown */
		first = 0;
	site->first_frame = (uint32_t)heap->base->frame_count;
	for (uint32_t i = first; i < count; i++) {
		const struct named *named = &naming->named.items[ids[i]];
		int frames = i + 1 == count || naming->physical ? PW_MAX(named->count, 1) : 1, r = 0;

		if (!inside)
			addr = named->pc - 1;
		for (int k = 0; k < frames && !r; k++)
			r = add_frame(heap, named, k, addr);
		if (r)
			return r;
		inside = named->count > 0 && named->frames[0].inlined && !naming->physical;
	}
	site->frame_count = (uint32_t)heap->base->frame_count - site->first_frame;
	drop_goexit(heap->base, site);
	return 0;
}

static int add_site(struct pw_heap_profile *heap, const struct pw_heap_look *look, const struct naming *naming,
		    const struct pw_heap_bucket *bucket)
{
	struct pw_heap_site *site = pw_heap_add_site(heap);
	struct pw_heap_values *values = &site->values;

	if (!site)
		return -ENOMEM;
	site->object_bytes = bucket->object_bytes;
	pw_heap_scale(bucket->allocs - bucket->frees, bucket->object_bytes, look->rate, &values->inuse_objects,
		      &values->inuse_bytes);
	pw_heap_scale(bucket->allocs, bucket->object_bytes, look->rate, &values->alloc_objects, &values->alloc_bytes);
	return add_frames(heap, naming, site, naming->ids + bucket->first_pc, bucket->pc_count);
}

int pw_heap_build(struct pw_heap_profile *heap, const struct pw_heap_look *look, struct pw_symbolizer *symbolizer)
{
	_cleanup_(naming_done) struct naming naming = {0};
	int r = naming_init(&naming, look->pcs, look->pc_count);

	if (!r)
		r = name_all(&naming, heap, symbolizer);
	for (size_t i = 0; i < look->count && !r; i++)
		if (look->buckets[i].allocs)
			r = add_site(heap, look, &naming, &look->buckets[i]);
	if (r)
		return r;
	heap->kind = PW_HEAP_OF_RUNTIME;
	heap->rate = look->rate;
	heap->cycle = look->cycle;
	heap->before_gc = look->before_gc;
	heap->unsettled = look->unsettled;
	heap->skipped = look->skipped;
	heap->buckets = look->count;
	heap->duration_ns = look->duration_ns;
	snprintf(heap->broken, sizeof(heap->broken), "%s", look->broken ? look->broken : "");
	return 0;
}

/* --- sampled by probes ---------------------------------------------------------------------------------------------
 */

/* Pages of a span of each size class: src/runtime/sizeclasses.go, internal/runtime/gc (1.25 and later), the same in
 * go1.17 to go1.27. */
static const uint8_t span_pages[PW_SIZE_CLASSES] = {
	0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,	 1, 1,
	1, 2, 1, 2, 1, 2, 1, 3, 2, 3, 1, 3, 2, 3, 4, 5, 6, 1, 7, 6, 5, 4, 3, 5, 7, 2, 9, 7, 5, 8, 3, 10, 7, 4,
};
#define PAGE 8192U

static uint64_t scaled(uint64_t value, double factor)
{
	return (uint64_t)PW_MIN((double)value * factor + 0.5, 0x1p62);
}

static int add_sampled(struct pw_heap_profile *heap, const struct naming *naming, const struct pw_alloc_row *row,
		       double factor)
{
	struct pw_heap_site *site = pw_heap_add_site(heap);
	uint64_t bytes = row->bytes, objects = row->hits;

	if (!site)
		return -ENOMEM;
	if (row->class != PW_ALLOC_LARGE) {
		uint32_t class = PW_MIN(row->class / 2, PW_SIZE_CLASSES - 1U);

		site->object_bytes = pw_size_classes[class];
		bytes = row->hits * span_pages[class] * PAGE;
		objects = class ? bytes / site->object_bytes : 0;
	} else if (row->hits) {
		site->object_bytes = bytes / row->hits;
	}
	site->values.alloc_bytes = scaled(bytes, factor);
	site->values.alloc_objects = scaled(objects, factor);
	return add_frames(heap, naming, site, naming->ids + row->first_frame, row->depth);
}

int pw_heap_build_sampled(struct pw_heap_profile *heap, const struct pw_allocs *allocs, uint64_t bias,
			  struct pw_symbolizer *symbolizer)
{
	_cleanup_(naming_done) struct naming naming = {.physical = true};
	_cleanup_free_ uint64_t *pcs = malloc((allocs->frame_count + 1) * sizeof(*pcs));
	double factor = allocs->attached_ns ? (double)allocs->elapsed_ns / (double)allocs->attached_ns : 1;
	int r;

	if (!pcs)
		return -ENOMEM;
	for (size_t i = 0; i < allocs->frame_count; i++)
		pcs[i] = allocs->frames[i] - bias;
	r = naming_init(&naming, pcs, allocs->frame_count);
	if (!r)
		r = name_all(&naming, heap, symbolizer);
	for (size_t i = 0; i < allocs->count && !r; i++)
		r = add_sampled(heap, &naming, &allocs->rows[i], factor);
	if (r)
		return r;
	heap->kind = PW_HEAP_SAMPLED;
	heap->duration_ns = allocs->elapsed_ns;
	heap->attached_ns = allocs->attached_ns;
	heap->samples = allocs->hits;
	heap->skipped = allocs->lost;
	return 0;
}
