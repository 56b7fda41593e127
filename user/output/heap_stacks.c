/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/buf.h"
#include "base/macros.h"
#include "model/heap.h"
#include "model/profile.h"
#include "output/flame.h"
#include "output/folded.h"
#include "output/heap.h"
#include "output/pprof.h"

/* Heap profiles in the formats of others: pprof, folded stacks, flame graph. */

static bool shows_alloc(const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
{
	return shown->alloc || heap->kind == PW_HEAP_SAMPLED;
}

/* Bytes of a site; of a compared profile those that came to it, none if it shrank: such a graph has no room below 0. */
static uint64_t bytes_of(const struct pw_heap_profile *heap, const struct pw_heap_site *site, bool alloc)
{
	if (!heap->compared)
		return alloc ? site->values.alloc_bytes : site->values.inuse_bytes;
	if (alloc)
		return site->growth_alloc_bytes;
	return site->growth_bytes > 0 ? (uint64_t)site->growth_bytes : 0;
}

int pw_heap_write_folded(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
{
	_cleanup_(pw_heap_room_done) struct pw_heap_room room = {0};

	for (size_t i = 0; i < heap->site_count; i++) {
		const struct pw_heap_site *site = &heap->sites[i];
		const struct pw_profile_frame *frames = pw_heap_stack(heap, site, &room);

		if (!frames)
			return -ENOMEM;
		pw_folded_line(out, heap->base, frames, site->frame_count, NULL,
			       bytes_of(heap, site, shows_alloc(heap, shown)));
	}
	return pw_buf_error(out);
}

static const char *title_of(const struct pw_heap_profile *heap, bool alloc)
{
	if (heap->kind == PW_HEAP_SAMPLED)
		return "bytes allocated by stack, sampled by probes";
	if (heap->compared)
		return alloc ? "bytes allocated since the older profile, by stack"
			     : "growth of bytes in use since the older profile, by allocation stack";
	return alloc ? "bytes allocated since the start, by stack" : "bytes in use by allocation stack";
}

int pw_heap_write_svg(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
{
	bool alloc = shows_alloc(heap, shown);
	const struct pw_flame_title title = {.text = title_of(heap, alloc), .unit = PW_FLAME_BYTES};
	_cleanup_(pw_flame_freep) struct pw_flame *flame = NULL;
	_cleanup_(pw_heap_room_done) struct pw_heap_room room = {0};
	int r = pw_flame_new(&flame, heap->base);

	for (size_t i = 0; i < heap->site_count && r >= 0; i++) {
		const struct pw_heap_site *site = &heap->sites[i];

		const struct pw_profile_frame *frames = pw_heap_stack(heap, site, &room);

		r = frames ? pw_flame_add(flame, frames, site->frame_count, NULL, bytes_of(heap, site, alloc))
			   : -ENOMEM;
	}
	return r < 0 ? r : pw_flame_finish(flame, &title, out);
}

/* src/runtime/pprof/protomem.go:writeHeapProto: these four, in this order. */
static const struct pw_pprof_type types[] = {
	{"alloc_objects", "count"}, {"alloc_space", "bytes"}, {"inuse_objects", "count"}, {"inuse_space", "bytes"}};
#define TYPES_OF_SAMPLED 2 /* nothing is known of what became of the objects */

static void add_site(struct pw_pprof *writer, const struct pw_heap_profile *heap, const struct pw_heap_site *site)
{
	const struct pw_heap_values *values = &site->values;
	uint64_t numbers[ARRAY_SIZE(types)] = {values->alloc_objects, values->alloc_bytes, values->inuse_objects,
					       values->inuse_bytes};
	struct pw_pprof_label size = {.key = "bytes", .number = site->object_bytes, .unit = "bytes"};
	struct pw_pprof_sample sample = {
		.numbers = heap->stacks + site->first_frame,
		.frame_count = site->frame_count,
		.stackless = "[unknown]",
		.values = numbers,
		.value_count = heap->kind == PW_HEAP_SAMPLED ? TYPES_OF_SAMPLED : ARRAY_SIZE(types),
		.labels = &size,
		.label_count = site->object_bytes != 0,
	};

	if (heap->compared) { /* as of pprof -diff_base; a negative number is a varint of ten bytes */
		numbers[0] = site->object_bytes ? site->growth_alloc_bytes / site->object_bytes : 0;
		numbers[1] = site->growth_alloc_bytes;
		numbers[2] = (uint64_t)site->growth_objects;
		numbers[3] = (uint64_t)site->growth_bytes;
	}
	pw_pprof_add(writer, &sample);
}

int pw_heap_write_pprof(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
{
	struct pw_pprof_kind kind = {
		.types = types,
		.type_count = heap->kind == PW_HEAP_SAMPLED ? TYPES_OF_SAMPLED : ARRAY_SIZE(types),
		.period_type = {"space", "bytes"},
		.period = heap->rate,
		.duration_ns = heap->compared		       ? heap->apart_ns
			       : heap->kind == PW_HEAP_SAMPLED ? heap->duration_ns
							       : 0,
		.default_type = shows_alloc(heap, shown) ? "alloc_space" : "inuse_space",
	};
	_cleanup_(pw_pprof_freep) struct pw_pprof *writer = NULL;
	int r = pw_pprof_new(&writer, heap->base);

	if (r < 0)
		return r;
	for (size_t i = 0; i < heap->site_count; i++)
		add_site(writer, heap, &heap->sites[i]);
	return pw_pprof_finish(writer, &kind, out);
}
