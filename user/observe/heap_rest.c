/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/heap_rest.h"

#include <errno.h>

#include "base/macros.h"
#include "model/heap.h"
#include "model/profile.h"
#include "model/record.h"
#include "model/runtime_numbers.h"
#include "target/heap_types.h"

static uint64_t less(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

/* Large objects have no size of their own: their bytes are what is left of all. */
static int add_large(struct pw_heap_profile *heap, const struct pw_runtime_numbers *numbers, uint64_t allocs,
		     uint64_t frees)
{
	struct pw_heap_class *large = pw_heap_add_class(heap);
	uint64_t bytes = 0, alloc_bytes = 0;

	if (!large)
		return -ENOMEM;
	for (size_t i = 0; i + 1 < heap->class_count; i++) {
		bytes += heap->classes[i].bytes;
		alloc_bytes += heap->classes[i].alloc_bytes;
	}
	large = &heap->classes[heap->class_count - 1];
	large->objects = less(allocs, frees);
	large->alloc_objects = allocs;
	if (numbers->heap_objects_bytes != PW_UNKNOWN)
		large->bytes = less(numbers->heap_objects_bytes, bytes);
	if (numbers->alloc_bytes != PW_UNKNOWN)
		large->alloc_bytes = less(numbers->alloc_bytes, alloc_bytes);
	return 0;
}

int pw_heap_add_sizes(struct pw_heap_profile *heap, const struct pw_runtime_numbers *numbers,
		      const struct pw_histograms *histograms)
{
	const uint64_t *allocs = histograms->count[PW_HISTOGRAM_ALLOCS_BY_SIZE];
	const uint64_t *frees = histograms->count[PW_HISTOGRAM_FREES_BY_SIZE];

	if (histograms->scale[PW_HISTOGRAM_ALLOCS_BY_SIZE] != PW_SCALE_SIZE ||
	    histograms->scale[PW_HISTOGRAM_FREES_BY_SIZE] != PW_SCALE_SIZE)
		return 0;
	for (size_t i = 1; i < PW_SIZE_CLASSES; i++) {
		struct pw_heap_class *class;

		if (!allocs[i])
			continue;
		class = pw_heap_add_class(heap);
		if (!class)
			return -ENOMEM;
		class->object_bytes = pw_size_classes[i];
		class->objects = less(allocs[i], frees[i]);
		class->alloc_objects = allocs[i];
		class->bytes = class->objects * class->object_bytes;
		class->alloc_bytes = allocs[i] * class->object_bytes;
	}
	return add_large(heap, numbers, allocs[PW_SIZE_CLASSES], frees[PW_SIZE_CLASSES]);
}

int pw_heap_add_types(struct pw_heap_profile *heap, const struct pw_heap_types_look *look)
{
	double share = look->spans_looked_at ? (double)look->spans / (double)look->spans_looked_at : 1;

	heap->spans = look->spans;
	heap->spans_looked_at = look->spans_looked_at;
	heap->untyped_bytes = (uint64_t)((double)look->untyped_bytes * share);
	for (size_t i = 0; i < look->count; i++) {
		struct pw_heap_type *type = pw_heap_add_type(heap);

		if (!type)
			return -ENOMEM;
		type->name = pw_profile_intern(heap->base, look->types[i].name);
		type->objects = (uint64_t)((double)look->types[i].objects * share + 0.5);
		type->bytes = (uint64_t)((double)look->types[i].bytes * share);
	}
	return 0;
}
