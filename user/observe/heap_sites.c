/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/heap_sites.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/builder.h"
#include "model/heap.h"
#include "model/profile.h"
#include "observe/heap_build.h"
#include "target/heap_profile.h"
#include "target/target.h"

#define SHARE	     500	/* one part in so many of a CPU: 0.2% */
#define WANTED_SHARE 50		/* the same of one that is wanted for an alert: 2% */
#define BUCKETS_MAX  (1U << 16) /* read in one go, 30 ms */
#define NAMING_TRIES 50		/* ticks that names are waited for; then addresses stand for them */
#define BY_GROWTH    8		/* of the sites in a record are those that grew most */

void pw_heap_sites_done(struct pw_heap_sites *sites)
{
	pw_heap_profiler_free(sites->profiler);
	pw_heap_profile_free(sites->shown);
	*sites = (struct pw_heap_sites){0};
}

/* Only the line counts, not who calls it. */
static int merge_by_line(struct pw_heap_profile *heap)
{
	for (size_t i = 0; i < heap->site_count; i++)
		heap->sites[i].frame_count = PW_MIN(heap->sites[i].frame_count, 1U);
	return pw_heap_merge(heap);
}

static int build(struct pw_heap_sites *sites, struct pw_target *target)
{
	bool named = target->symbols_ok && sites->naming < NAMING_TRIES;
	struct pw_heap_profile *heap = pw_heap_profile_new();
	int r = heap ? pw_heap_build(heap, sites->look, named ? target->symbolizer : NULL) : -ENOMEM;

	if (!r)
		r = merge_by_line(heap);
	if (!r && sites->shown) {
		r = pw_heap_compare(heap, sites->shown);
		pw_heap_sort(heap, PW_HEAP_BY_INUSE);
	}
	if (r < 0) {
		pw_heap_profile_free(heap);
		return r;
	}
	pw_heap_profile_free(sites->shown);
	sites->shown = heap;
	return 0;
}

/* A look, or another try to name the last one. */
static int look_and_build(struct pw_heap_sites *sites, struct pw_target *target)
{
	int r = 0;

	if (!sites->profiler) {
		r = pw_heap_profiler_new(&sites->profiler);
		if (!r)
			pw_heap_profiler_limit(sites->profiler, BUCKETS_MAX);
	}
	if (!r && !sites->look) {
		sites->naming = 0;
		r = pw_heap_profiler_look(sites->profiler, target, &sites->look);
	}
	if (!r)
		r = build(sites, target);
	sites->naming += r == -EAGAIN;
	return r;
}

/* Nothing to look at, or nothing new. */
static bool is_idle(const struct pw_heap_sites *sites, const struct pw_target *target, uint64_t cycles)
{
	return !target->memory_ok || (target->heap_remark && *target->heap_remark) ||
	       (!sites->look && sites->shown && sites->shown->cycle == cycles);
}

bool pw_heap_sites_want(struct pw_heap_sites *sites, const struct pw_target *target, uint64_t cycles, uint64_t boot_ns)
{
	if (is_idle(sites, target, cycles) || sites->look || boot_ns < sites->taken_ns + sites->cost_ns * WANTED_SHARE)
		return false;
	sites->next_ns = 0;
	return true;
}

int pw_heap_sites_work(struct pw_heap_sites *sites, struct pw_target *target, uint64_t cycles, uint64_t interval_ns,
		       uint64_t boot_ns)
{
	uint64_t start_ns = pw_cpu_thread_ns(), cost_ns;
	int r;

	if (!interval_ns || is_idle(sites, target, cycles))
		return 0;
	if (!sites->look) {
		if (boot_ns < sites->next_ns)
			return 0;
		sites->taken_ns = boot_ns;
		sites->cost_ns = 0;
	}
	r = look_and_build(sites, target);
	cost_ns = pw_cpu_thread_ns() - start_ns;
	sites->cost_ns += cost_ns;
	if (r == -EAGAIN)
		return 0;
	sites->look = NULL;
	sites->failures += r < 0;
	sites->next_ns = sites->taken_ns + PW_MAX(interval_ns, sites->cost_ns * SHARE);
	return r == -ESRCH ? r : 0;
}

/* --- record --------------------------------------------------------------------------------------------------------
 */

static void write_site(struct pw_record *draft, struct pw_record_builder *builder, const struct pw_heap_profile *heap,
		       const struct pw_heap_site *from)
{
	struct pw_record_heap_site *to = &draft->heap.site[draft->heap.site_count++];
	const struct pw_profile_frame *frame = from->frame_count ? pw_heap_frame(heap, from, 0) : NULL;

	*to = (struct pw_record_heap_site){
		.inuse_bytes = from->values.inuse_bytes,
		.inuse_objects = from->values.inuse_objects,
		.alloc_bytes = from->values.alloc_bytes,
		.growth_bytes = from->growth_bytes,
	};
	if (!frame)
		return;
	to->function = pw_record_builder_string(builder, pw_profile_string(heap->base, frame->function));
	to->file = pw_record_builder_string(builder, pw_profile_string(heap->base, frame->file));
	to->line = frame->line;
}

/* The least growth that is among the BY_GROWTH largest of those that are not shown anyway. */
static int64_t growth_limit(const struct pw_heap_profile *heap, size_t first)
{
	int64_t largest[BY_GROWTH] = {0};

	for (size_t i = first; i < heap->site_count; i++) {
		int64_t growth = heap->sites[i].growth_bytes;

		for (size_t k = 0; k < BY_GROWTH && growth > 0; k++)
			if (growth > largest[k]) {
				int64_t moved = largest[k];

				largest[k] = growth;
				growth = moved;
			}
	}
	return PW_MAX(largest[BY_GROWTH - 1], (int64_t)1);
}

void pw_heap_sites_write(const struct pw_heap_sites *sites, struct pw_record *draft, struct pw_record_builder *builder)
{
	const struct pw_heap_profile *heap = sites->shown;
	size_t first = PW_RECORD_HEAP_SITES_MAX - BY_GROWTH;
	int64_t limit;

	draft->heap.site_count = 0;
	if (!heap)
		return;
	draft->heap.section =
		(struct pw_section){.present = true, .version = 1, .quality = PW_SAMPLED, .taken_ns = sites->taken_ns};
	draft->heap.rate = heap->rate;
	draft->heap.cycle = heap->cycle;
	draft->heap.sites = heap->site_count;
	draft->heap.inuse_bytes = heap->total.inuse_bytes;
	draft->heap.alloc_bytes = heap->total.alloc_bytes;
	draft->heap.cost_ns = sites->cost_ns;
	limit = growth_limit(heap, first);
	for (size_t i = 0; i < heap->site_count && draft->heap.site_count < PW_RECORD_HEAP_SITES_MAX; i++)
		if (i < first || heap->sites[i].growth_bytes >= limit)
			write_site(draft, builder, heap, &heap->sites[i]);
}
