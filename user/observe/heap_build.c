/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/heap_build.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "model/heap.h"
#include "model/profile.h"
#include "observe/profile_names.h"
#include "target/heap_profile.h"
#include "target/symbolize.h"

static int ask_names(const struct pw_heap_look *look, struct pw_symbolizer *symbolizer)
{
	const struct pw_located_frame *frames;
	bool missing = false;

	for (size_t i = 0; i < look->pc_count; i++) {
		int r = pw_name_frames(symbolizer, look->pcs[i], true, &frames);

		if (r < 0 && r != -EAGAIN)
			return r;
		missing |= r == -EAGAIN;
	}
	return missing ? -EAGAIN : 0;
}

static bool is_runtime(const char *function)
{
	return !strncmp(function, "runtime.", 8) || !strncmp(function, "internal/runtime/", 17);
}

/* The first address whose function is not the runtime's; 0 if there is none (src/runtime/pprof/protomem.go). */
static uint32_t first_shown(struct pw_symbolizer *symbolizer, const uint64_t *pcs, uint32_t count)
{
	const struct pw_located_frame *frames;

	for (uint32_t i = 0; i < count; i++)
		if (pw_name_frames(symbolizer, pcs[i], true, &frames) > 0 && !is_runtime(frames[0].function))
			return i;
	return 0;
}

/* What every stack ends with, and runtime/pprof leaves out. */
static void drop_goexit(const struct pw_profile *base, struct pw_heap_site *site)
{
	uint32_t last = site->first_frame + site->frame_count - 1;

	if (site->frame_count > 1 && !strcmp(pw_profile_string(base, base->frames[last].function), "runtime.goexit"))
		site->frame_count--;
}

/*
 * Each address is one frame, the innermost that stands there: where a call was inlined, the runtime has put an address
 * of its own for what it is inlined into. Only behind the last one, where the stack was cut, there may be more
 * (src/runtime/symtab.go:expandFinalInlineFrame). Frames of one physical function share the address of the innermost.
 */
static int add_frames(struct pw_heap_profile *heap, struct pw_symbolizer *symbolizer, struct pw_heap_site *site,
		      const uint64_t *pcs, uint32_t count)
{
	uint64_t addr = 0;
	bool inside = false; /* the frame before is inlined into this one */

	site->first_frame = (uint32_t)heap->base->frame_count;
	for (uint32_t i = first_shown(symbolizer, pcs, count); i < count; i++) {
		const struct pw_located_frame *frames;
		int n = pw_name_frames(symbolizer, pcs[i], true, &frames), r = 0;

		if (!inside)
			addr = pcs[i] - 1;
		if (n <= 0)
			r = pw_name_add_nameless(heap->base, addr);
		for (int k = 0; k < n && (k == 0 || i + 1 == count) && !r; k++) {
			struct pw_profile_frame *frame = pw_profile_add_frame(heap->base);

			if (!frame)
				return -ENOMEM;
			*frame = pw_name_frame(heap->base, &frames[k], addr);
		}
		if (r)
			return r;
		inside = n > 0 && frames[0].inlined;
	}
	site->frame_count = (uint32_t)heap->base->frame_count - site->first_frame;
	drop_goexit(heap->base, site);
	return 0;
}

static int add_site(struct pw_heap_profile *heap, const struct pw_heap_look *look, struct pw_symbolizer *symbolizer,
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
	return add_frames(heap, symbolizer, site, look->pcs + bucket->first_pc, bucket->pc_count);
}

int pw_heap_build(struct pw_heap_profile *heap, const struct pw_heap_look *look, struct pw_symbolizer *symbolizer)
{
	int r = symbolizer ? ask_names(look, symbolizer) : 0;

	for (size_t i = 0; i < look->count && !r; i++)
		if (look->buckets[i].allocs)
			r = add_site(heap, look, symbolizer, &look->buckets[i]);
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
