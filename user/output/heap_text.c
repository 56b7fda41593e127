/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/time.h"
#include "model/heap.h"
#include "model/profile.h"
#include "output/heap.h"
#include "output/heap_tables.h"
#include "output/place.h"

/* A heap profile for people. What is said first: how much, as of when, how sure; then what leads, then each site. */
struct text {
	struct pw_buf *out;
	const struct pw_heap_profile *heap;
	bool alloc;
};

static uint64_t bytes_of(const struct text *text, const struct pw_heap_site *site)
{
	return text->alloc ? site->values.alloc_bytes : site->values.inuse_bytes;
}

static uint64_t total_of(const struct text *text)
{
	return text->alloc ? text->heap->total.alloc_bytes : text->heap->total.inuse_bytes;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* --- the top ----------------------------------------------------------------------------------------------------- */

static void put_sampled_head(const struct text *text)
{
	const struct pw_heap_profile *heap = text->heap;
	char size[PW_SIZE_TEXT_SIZE], rate[PW_SIZE_TEXT_SIZE], duration[PW_DURATION_SIZE], number[PW_GROUPED_SIZE];
	uint64_t per_second =
		heap->duration_ns ? (uint64_t)((double)heap->total.alloc_bytes * 1e9 / (double)heap->duration_ns) : 0;

	pw_buf_printf(text->out, "%s allocated in %s (%s/s) at %zu sites; ",
		      pw_size_text(heap->total.alloc_bytes, size), pw_time_duration(heap->duration_ns, duration),
		      pw_size_text(per_second, rate), heap->site_count);
	pw_buf_printf(text->out, "estimated from %s samples: spans taken, and large objects\n",
		      pw_grouped(heap->samples, number));
	if (heap->hit_ns && heap->duration_ns)
		pw_buf_printf(text->out,
			      "the probes took about %s of CPU time, %.2g%% of one CPU; %" PRIu64 " ns a hit\n",
			      pw_time_duration(heap->cost_ns, duration),
			      100 * (double)heap->cost_ns / (double)heap->duration_ns, heap->hit_ns);
	if (heap->attached_ns && heap->attached_ns < heap->duration_ns / 10 * 9)
		pw_buf_printf(text->out,
			      "probes were attached for %s of it, to stay within the budget, and figures are "
			      "scaled up\n",
			      pw_time_duration(heap->attached_ns, duration));
	if (heap->skipped)
		pw_buf_printf(text->out, "%s samples are left out: their stacks could not be kept\n",
			      pw_grouped(heap->skipped, number));
}

static void put_growth_line(const struct text *text)
{
	const struct pw_heap_profile *heap = text->heap;
	int64_t growth = (int64_t)(heap->total.inuse_bytes - heap->old_total.inuse_bytes);
	uint64_t allocated = heap->total.alloc_bytes - PW_MIN(heap->old_total.alloc_bytes, heap->total.alloc_bytes);
	char size[PW_SIZE_TEXT_SIZE], duration[PW_DURATION_SIZE];

	if (!heap->compared)
		return;
	pw_buf_printf(text->out, "%s in use", pw_size_change_text(growth, size));
	pw_buf_printf(text->out, ", %s allocated in %s", pw_size_text(allocated, size),
		      pw_time_duration(heap->apart_ns, duration));
	if (heap->kind != PW_HEAP_OF_RUNTIME)
		pw_buf_putc(text->out, '\n');
	else if (heap->cycle == heap->old_cycle)
		pw_buf_puts(text->out, ": no GC cycle ended in that time, and the profile moves only when one does; "
				       "look longer\n");
	else
		pw_buf_printf(text->out, ", between GC cycles %" PRIu64 " and %" PRIu64 "\n", heap->old_cycle,
			      heap->cycle);
	if (heap->gone.inuse_bytes)
		pw_buf_printf(text->out, "%s of it at sites that are no more in the profile\n",
			      pw_size_change_text(-(int64_t)heap->gone.inuse_bytes, size));
}

static void put_runtime_head(const struct text *text)
{
	const struct pw_heap_profile *heap = text->heap;
	char size[PW_SIZE_TEXT_SIZE], number[PW_GROUPED_SIZE];

	pw_buf_printf(text->out, "%s %s at %s site%s", pw_size_text(total_of(text), size),
		      text->alloc ? "allocated since the start" : "in use", pw_grouped(heap->site_count, number),
		      heap->site_count == 1 ? "" : "s");
	if (heap->before_gc)
		pw_buf_puts(text->out, ", before the first GC cycle");
	else
		pw_buf_printf(text->out,
			      ", as of GC cycle %" PRIu64 " (what is new since the one before may be missing)",
			      heap->cycle);
	if (heap->rate > 1)
		pw_buf_printf(text->out, "; estimated from 1 sample per %s", pw_size_text(heap->rate, size));
	pw_buf_putc(text->out, '\n');
	if (heap->unsettled)
		pw_buf_puts(text->out, "it was changing while it was read: a cycle's frees may be half there\n");
	if (heap->skipped)
		pw_buf_printf(text->out, "%s buckets left out: they are none, or over the limit\n",
			      pw_grouped(heap->skipped, number));
	if (heap->broken[0])
		pw_buf_printf(text->out, "its list of buckets could not be followed to the end: %s\n", heap->broken);
}

static void put_head(const struct text *text)
{
	const struct pw_heap_profile *heap = text->heap;

	pw_put_foreign(text->out, heap->base->process);
	pw_buf_printf(text->out, " (pid %d, ", heap->base->pid);
	pw_put_foreign(text->out, heap->base->go_version);
	pw_buf_puts(text->out, "): ");
	if (heap->kind == PW_HEAP_SAMPLED)
		put_sampled_head(text);
	else if (heap->kind == PW_HEAP_OF_RUNTIME)
		put_runtime_head(text);
	else
		pw_buf_printf(text->out, "%s\n", heap->absent);
	if (heap->kind == PW_HEAP_OF_RUNTIME)
		put_growth_line(text);
}

/* --- sites ------------------------------------------------------------------------------------------------------- */

static void put_leader(const struct text *text, const char *title, const char *figure, const struct pw_heap_site *site)
{
	pw_buf_printf(text->out, "%-9s %12s  ", title, figure);
	if (site->frame_count)
		pw_put_place(text->out, text->heap->base, pw_heap_frame(text->heap, site, 0), false);
	else
		pw_buf_putc(text->out, '?');
	pw_buf_putc(text->out, '\n');
}

static void put_leaders(const struct text *text)
{
	const struct pw_heap_profile *heap = text->heap;
	const struct pw_heap_site *biggest = NULL, *fastest = NULL;
	char size[PW_SIZE_TEXT_SIZE];

	for (size_t i = 0; i < heap->site_count; i++) {
		const struct pw_heap_site *site = &heap->sites[i];

		if (!biggest || bytes_of(text, site) > bytes_of(text, biggest))
			biggest = site;
		if (site->growth_bytes > 0 && (!fastest || site->growth_bytes > fastest->growth_bytes))
			fastest = site;
	}
	if (!biggest)
		return;
	pw_buf_putc(text->out, '\n');
	if (fastest)
		put_leader(text, "growing", pw_size_change_text(fastest->growth_bytes, size), fastest);
	put_leader(text, "biggest", pw_size_text(bytes_of(text, biggest), size), biggest);
}

static void put_objects(const struct text *text, const struct pw_heap_site *site)
{
	uint64_t count = text->alloc ? site->values.alloc_objects : site->values.inuse_objects;
	char number[PW_GROUPED_SIZE], size[PW_SIZE_TEXT_SIZE];

	if (text->heap->kind == PW_HEAP_SAMPLED && !count)
		return;
	pw_buf_printf(text->out, ", %s object%s", pw_grouped(count, number), count == 1 ? "" : "s");
	if (site->object_bytes)
		pw_buf_printf(text->out, " of %s", pw_size_text(site->object_bytes, size));
}

static bool is_same(const struct pw_profile_frame *a, const struct pw_profile_frame *b)
{
	return a->function == b->function && a->file == b->file && a->line == b->line;
}

/* Recursion at one line is one line; runtime.main, which calls main.main, says nothing. */
static void put_stack(const struct text *text, const struct pw_heap_site *site)
{
	const struct pw_heap_profile *heap = text->heap;
	const struct pw_profile *base = heap->base;
	uint32_t count = site->frame_count, same;

	if (count > 1 &&
	    !strcmp(pw_profile_string(base, pw_heap_frame(heap, site, count - 1)->function), "runtime.main"))
		count--;
	for (uint32_t i = 0; i < count; i += same) {
		const struct pw_profile_frame *frame = pw_heap_frame(heap, site, i);

		for (same = 1; i + same < count && is_same(frame, pw_heap_frame(heap, site, i + same)); same++)
			;
		pw_buf_puts(text->out, "      ");
		pw_put_place(text->out, base, frame, true);
		if (same > 1)
			pw_buf_printf(text->out, " (%u times)", same);
		pw_buf_puts(text->out, frame->inlined ? " (inlined)\n" : "\n");
	}
	if (!count)
		pw_buf_puts(text->out, "      (its stack is not known)\n");
}

static void put_site(const struct text *text, const struct pw_heap_site *site)
{
	const struct pw_heap_profile *heap = text->heap;
	char size[PW_SIZE_TEXT_SIZE];

	pw_buf_putc(text->out, '\n');
	if (heap->compared)
		pw_buf_printf(text->out, "%s, now ", pw_size_change_text(site->growth_bytes, size));
	pw_buf_printf(text->out, "%s (%.1f %%)", pw_size_text(bytes_of(text, site), size),
		      percent(bytes_of(text, site), total_of(text)));
	put_objects(text, site);
	if (heap->compared && site->growth_alloc_bytes)
		pw_buf_printf(text->out, "; %s allocated meanwhile", pw_size_text(site->growth_alloc_bytes, size));
	else if (heap->kind == PW_HEAP_SAMPLED && heap->duration_ns)
		pw_buf_printf(
			text->out, ", %s/s",
			pw_size_text((uint64_t)((double)site->values.alloc_bytes * 1e9 / (double)heap->duration_ns),
				     size));
	pw_buf_putc(text->out, '\n');
	put_stack(text, site);
}

/* Sites that hold or gained nothing are in the profile, but nobody asks for them. */
static bool is_shown(const struct text *text, const struct pw_heap_site *site)
{
	if (text->heap->compared)
		return site->growth_bytes || (text->alloc && site->growth_alloc_bytes);
	return bytes_of(text, site) != 0;
}

static void put_rest(const struct text *text, const struct pw_heap_site *rest, size_t count)
{
	char size[PW_SIZE_TEXT_SIZE], number[PW_GROUPED_SIZE];

	if (!count)
		return;
	pw_buf_putc(text->out, '\n');
	if (text->heap->compared)
		pw_buf_printf(text->out, "and %s in", pw_size_change_text(rest->growth_bytes, size));
	else
		pw_buf_printf(text->out, "and %s in", pw_size_text(bytes_of(text, rest), size));
	pw_buf_printf(text->out, " %s more sites (--top)\n", pw_grouped(count, number));
}

static void put_sites(const struct text *text, size_t top)
{
	struct pw_heap_site rest = {0};
	size_t shown = 0, left = 0;

	for (size_t i = 0; i < text->heap->site_count; i++) {
		const struct pw_heap_site *site = &text->heap->sites[i];

		if (!is_shown(text, site))
			continue;
		if (shown++ < top) {
			put_site(text, site);
			continue;
		}
		left++;
		rest.values.inuse_bytes += site->values.inuse_bytes;
		rest.values.alloc_bytes += site->values.alloc_bytes;
		rest.growth_bytes += site->growth_bytes;
	}
	put_rest(text, &rest, left);
}

int pw_heap_write_text(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
{
	const struct text text = {out, heap, shown->alloc || heap->kind == PW_HEAP_SAMPLED};

	put_head(&text);
	if (heap->kind != PW_HEAP_NONE) {
		put_leaders(&text);
		put_sites(&text, shown->top);
	}
	if (heap->class_count)
		pw_heap_put_classes(out, heap, shown->top);
	if (heap->kind == PW_HEAP_NONE || heap->type_count || heap->no_types[0])
		pw_heap_put_types(out, heap, shown->top);
	return pw_buf_error(out);
}
