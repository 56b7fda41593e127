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
#include "observe/heap_naming.h"
#include "target/heap_profile.h"

static void namingp_free(struct pw_heap_naming **naming)
{
	pw_heap_naming_free(*naming);
}

struct scaling { /* of objects of the size that was met last: neighbours mostly are of one size */
	uint64_t object_bytes;
	double factor;
};

static int add_site(struct pw_heap_profile *heap, const struct pw_heap_look *look, struct pw_heap_naming *naming,
		    const struct pw_heap_bucket *bucket, struct scaling *scaling)
{
	struct pw_heap_site *site = pw_heap_add_site(heap);
	struct pw_heap_values *values;

	if (!site)
		return -ENOMEM;
	if (scaling->object_bytes != bucket->object_bytes)
		*scaling =
			(struct scaling){bucket->object_bytes, pw_heap_scale_factor(bucket->object_bytes, look->rate)};
	values = &site->values;
	site->object_bytes = bucket->object_bytes;
	pw_heap_scale_by(scaling->factor, bucket->allocs - bucket->frees, bucket->object_bytes, &values->inuse_objects,
			 &values->inuse_bytes);
	pw_heap_scale_by(scaling->factor, bucket->allocs, bucket->object_bytes, &values->alloc_objects,
			 &values->alloc_bytes);
	return pw_heap_naming_put(naming, site, bucket->first_pc, bucket->pc_count);
}

int pw_heap_build(struct pw_heap_profile *heap, const struct pw_heap_look *look, struct pw_symbolizer *symbolizer)
{
	_cleanup_(namingp_free) struct pw_heap_naming *naming = NULL;
	struct scaling scaling = {.object_bytes = 0, .factor = 1};
	int r = pw_heap_naming_new(&naming, heap, symbolizer, look->pcs, look->pc_count, false);

	for (size_t i = 0; i < look->count && !r; i++)
		if (look->buckets[i].allocs)
			r = add_site(heap, look, naming, &look->buckets[i], &scaling);
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

static int add_sampled(struct pw_heap_profile *heap, struct pw_heap_naming *naming, const struct pw_alloc_row *row,
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
	return pw_heap_naming_put(naming, site, row->first_frame, row->depth);
}

int pw_heap_build_sampled(struct pw_heap_profile *heap, const struct pw_allocs *allocs, uint64_t bias,
			  struct pw_symbolizer *symbolizer)
{
	_cleanup_(namingp_free) struct pw_heap_naming *naming = NULL;
	_cleanup_free_ uint64_t *pcs = malloc((allocs->frame_count + 1) * sizeof(*pcs));
	double factor = allocs->attached_ns ? (double)allocs->elapsed_ns / (double)allocs->attached_ns : 1;
	int r;

	if (!pcs)
		return -ENOMEM;
	for (size_t i = 0; i < allocs->frame_count; i++)
		pcs[i] = allocs->frames[i] - bias;
	r = pw_heap_naming_new(&naming, heap, symbolizer, pcs, allocs->frame_count, true);
	for (size_t i = 0; i < allocs->count && !r; i++)
		r = add_sampled(heap, naming, &allocs->rows[i], factor);
	if (r)
		return r;
	heap->kind = PW_HEAP_SAMPLED;
	heap->duration_ns = allocs->elapsed_ns;
	heap->attached_ns = allocs->attached_ns;
	heap->samples = allocs->hits;
	heap->cost_ns = allocs->cost_ns;
	heap->hit_ns = allocs->hit_ns;
	heap->skipped = allocs->lost;
	return 0;
}
