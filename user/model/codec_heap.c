/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/codec_walk.h"
#include "model/record.h"

/* A field added here must be added to the walk, and the format's version raised. */
_Static_assert(sizeof(struct pw_record_heap_site) == 48, "walk_site");

static void walk_site(struct pw_walk *walk, struct pw_record_heap_site *now, const struct pw_record_heap_site *old)
{
	U32(function);
	U32(file);
	U32(line);
	U64(inuse_bytes);
	U64(inuse_objects);
	U64(alloc_bytes);
	I64(growth_bytes);
}

void pw_walk_heap(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	pw_walk_section(walk, &now->heap.section, &old->heap.section);
	U64(heap.rate);
	U64(heap.cycle);
	U64(heap.sites);
	U64(heap.inuse_bytes);
	U64(heap.alloc_bytes);
	U64(heap.cost_ns);
	WALK(heap.site_count, uint64_t, PW_RECORD_HEAP_SITES_MAX);
	for (uint64_t i = 0; i < now->heap.site_count && i < PW_RECORD_HEAP_SITES_MAX && !walk->failed; i++)
		walk_site(walk, &now->heap.site[i], &old->heap.site[i]);
}
