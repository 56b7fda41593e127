/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/heap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/table.h"
#include "base/vec.h"
#include "model/profile.h"
#include "model/profile_select.h"

struct pw_heap_profile *pw_heap_profile_new(void)
{
	struct pw_heap_profile *heap = calloc(1, sizeof(*heap));

	if (!heap)
		return NULL;
	heap->base = pw_profile_new();
	if (!heap->base) {
		free(heap);
		return NULL;
	}
	return heap;
}

void pw_heap_profile_free(struct pw_heap_profile *heap)
{
	if (!heap)
		return;
	pw_profile_free(heap->base);
	free(heap->sites);
	free(heap->stacks);
	free(heap->classes);
	free(heap->types);
	free(heap);
}

struct pw_heap_site *pw_heap_add_site(struct pw_heap_profile *heap)
{
	return pw_profile_list_add((void **)&heap->sites, &heap->site_count, sizeof(*heap->sites));
}

int pw_heap_reserve_stacks(struct pw_heap_profile *heap, size_t more)
{
	return pw_vec_grow_((void **)&heap->stacks, &heap->stack_capacity, heap->stack_count, PW_PROFILE_ELEMENTS_MAX,
			    more, sizeof(*heap->stacks));
}

const struct pw_profile_frame *pw_heap_stack(const struct pw_heap_profile *heap, const struct pw_heap_site *site,
					     struct pw_heap_room *room)
{
	if (pw_vec_grow_((void **)&room->frames, &room->capacity, 0, PW_PROFILE_ELEMENTS_MAX, site->frame_count + 1UL,
			 sizeof(*room->frames)) < 0)
		return NULL;
	for (uint32_t i = 0; i < site->frame_count; i++)
		room->frames[i] = *pw_heap_frame(heap, site, i);
	return room->frames;
}

void pw_heap_room_done(struct pw_heap_room *room)
{
	free(room->frames);
	*room = (struct pw_heap_room){0};
}

struct pw_heap_class *pw_heap_add_class(struct pw_heap_profile *heap)
{
	return pw_profile_list_add((void **)&heap->classes, &heap->class_count, sizeof(*heap->classes));
}

struct pw_heap_type *pw_heap_add_type(struct pw_heap_profile *heap)
{
	return pw_profile_list_add((void **)&heap->types, &heap->type_count, sizeof(*heap->types));
}

double pw_heap_scale_factor(uint64_t object_bytes, uint64_t rate)
{
	return rate > 1 ? 1 / (1 - exp(-(double)object_bytes / (double)rate)) : 1;
}

void pw_heap_scale_by(double factor, uint64_t objects, uint64_t object_bytes, uint64_t *ret_objects,
		      uint64_t *ret_bytes)
{
	uint64_t bytes;

	if (pw_mul_overflows(objects, object_bytes, &bytes))
		bytes = 0; /* no program has allocated that much */
	if (!bytes) {
		*ret_objects = *ret_bytes = 0;
		return;
	}
	/* Sampled ones of a huge number stay below 2^63 only if nobody lies. */
	*ret_objects = factor > 1 ? (uint64_t)PW_MIN((double)objects * factor, 0x1p62) : objects;
	*ret_bytes = factor > 1 ? (uint64_t)PW_MIN((double)bytes * factor, 0x1p62) : bytes;
}

void pw_heap_scale(uint64_t objects, uint64_t object_bytes, uint64_t rate, uint64_t *ret_objects, uint64_t *ret_bytes)
{
	pw_heap_scale_by(pw_heap_scale_factor(object_bytes, rate), objects, object_bytes, ret_objects, ret_bytes);
}

/* --- stacks ------------------------------------------------------------------------------------------------------ */

/* What a site is, in words that hold in every profile. */
static int identity(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_site *site)
{
	pw_buf_reset(out);
	for (uint32_t i = 0; i < site->frame_count; i++) {
		const struct pw_profile_frame *frame = pw_heap_frame(heap, site, i);

		pw_buf_puts(out, pw_profile_string(heap->base, frame->function));
		pw_buf_putc(out, '\n');
		pw_buf_puts(out, pw_profile_string(heap->base, frame->file));
		pw_buf_printf(out, ":%u\n", frame->line);
	}
	return pw_buf_error(out);
}

static void add_up(struct pw_heap_values *to, const struct pw_heap_values *from)
{
	to->inuse_objects += from->inuse_objects;
	to->inuse_bytes += from->inuse_bytes;
	to->alloc_objects += from->alloc_objects;
	to->alloc_bytes += from->alloc_bytes;
}

static void sum_up(struct pw_heap_profile *heap)
{
	heap->total = (struct pw_heap_values){0};
	for (size_t i = 0; i < heap->site_count; i++)
		add_up(&heap->total, &heap->sites[i].values);
}

/* Index of a site by its stack. The strings of one profile are interned, so ids tell them apart. */
static int put_key(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_site *site)
{
	pw_buf_reset(out);
	for (uint32_t i = 0; i < site->frame_count; i++) {
		const struct pw_profile_frame *frame = pw_heap_frame(heap, site, i);
		uint32_t key[3] = {frame->function, frame->file, frame->line};

		pw_buf_append(out, key, sizeof(key));
	}
	pw_buf_u8(out, 0); /* not empty */
	return pw_buf_error(out);
}

int pw_heap_merge(struct pw_heap_profile *heap)
{
	_cleanup_(pw_table_done) struct pw_table table = PW_TABLE_INIT(PW_HEAP_BUCKETS_MAX, NULL);
	_cleanup_buf_ struct pw_buf key = PW_BUF_INIT(1U << 20);
	size_t kept = 0;

	for (size_t i = 0; i < heap->site_count; i++) {
		struct pw_heap_site site = heap->sites[i];
		uintptr_t known;
		int r = put_key(&key, heap, &site);

		if (r < 0)
			return r;
		known = (uintptr_t)pw_table_peek(&table, key.data, key.size);
		if (known) {
			struct pw_heap_site *into = &heap->sites[known - 1];

			add_up(&into->values, &site.values);
			if (into->object_bytes != site.object_bytes)
				into->object_bytes = 0;
			continue;
		}
		heap->sites[kept++] = site;
		r = pw_table_put(&table, key.data, key.size, (void *)(uintptr_t)kept);
		if (r < 0)
			return r;
	}
	heap->site_count = kept; /* nothing is added behind this: see pw_profile_list_add */
	sum_up(heap);
	pw_heap_sort(heap, heap->kind == PW_HEAP_SAMPLED ? PW_HEAP_BY_ALLOC : PW_HEAP_BY_INUSE);
	return 0;
}

static bool matches(const struct pw_heap_profile *heap, const struct pw_heap_site *site, const regex_t *focus)
{
	for (uint32_t i = 0; i < site->frame_count; i++)
		if (pw_profile_frame_matches(heap->base, focus, pw_heap_frame(heap, site, i)))
			return true;
	return false;
}

int pw_heap_focus(struct pw_heap_profile *heap, const regex_t *focus)
{
	size_t kept = 0;

	for (size_t i = 0; i < heap->site_count; i++)
		if (matches(heap, &heap->sites[i], focus))
			heap->sites[kept++] = heap->sites[i];
	heap->site_count = kept;
	sum_up(heap);
	return 0;
}

/* --- growth ------------------------------------------------------------------------------------------------------ */

static void compare_classes(struct pw_heap_profile *heap, const struct pw_heap_profile *old)
{
	for (size_t i = 0; i < heap->class_count; i++) {
		struct pw_heap_class *class = &heap->classes[i];

		for (size_t k = 0; k < old->class_count; k++) {
			const struct pw_heap_class *was = &old->classes[k];

			if (was->object_bytes != class->object_bytes)
				continue;
			class->growth_objects = (int64_t)(class->objects - was->objects);
			class->growth_bytes = (int64_t)(class->bytes - was->bytes);
			class->growth_alloc_bytes = class->alloc_bytes - PW_MIN(was->alloc_bytes, class->alloc_bytes);
			break;
		}
	}
}

static void compare_types(struct pw_heap_profile *heap, const struct pw_heap_profile *old)
{
	for (size_t i = 0; i < heap->type_count; i++) {
		struct pw_heap_type *type = &heap->types[i];
		const char *name = pw_profile_string(heap->base, type->name);

		type->growth_objects = (int64_t)type->objects;
		type->growth_bytes = (int64_t)type->bytes;
		for (size_t k = 0; k < old->type_count; k++) {
			if (strcmp(pw_profile_string(old->base, old->types[k].name), name) != 0)
				continue;
			type->growth_objects -= (int64_t)old->types[k].objects;
			type->growth_bytes -= (int64_t)old->types[k].bytes;
			break;
		}
	}
}

int pw_heap_compare(struct pw_heap_profile *heap, const struct pw_heap_profile *old)
{
	_cleanup_(pw_table_done) struct pw_table table = PW_TABLE_INIT(PW_HEAP_BUCKETS_MAX, NULL);
	_cleanup_buf_ struct pw_buf key = PW_BUF_INIT(16U << 20);
	int r = 0;

	for (size_t i = 0; i < old->site_count && r >= 0; i++) {
		r = identity(&key, old, &old->sites[i]);
		if (r >= 0 && key.size)
			r = pw_table_put(&table, key.data, key.size, &old->sites[i]);
	}
	for (size_t i = 0; i < heap->site_count && r >= 0; i++) {
		struct pw_heap_site *site = &heap->sites[i];
		const struct pw_heap_site *before;
		struct pw_heap_values was = {0};

		r = identity(&key, heap, site);
		if (r < 0)
			break;
		before = key.size ? pw_table_take(&table, key.data, key.size) : NULL;
		if (before)
			was = before->values;
		site->growth_bytes = (int64_t)(site->values.inuse_bytes - was.inuse_bytes);
		site->growth_objects = (int64_t)(site->values.inuse_objects - was.inuse_objects);
		site->growth_alloc_bytes = site->values.alloc_bytes - PW_MIN(was.alloc_bytes, site->values.alloc_bytes);
	}
	if (r < 0)
		return r;
	compare_classes(heap, old);
	compare_types(heap, old);
	heap->compared = true;
	heap->old_wall_ns = old->base->taken_wall_ns;
	heap->old_cycle = old->cycle;
	heap->old_total = old->total;
	heap->gone = (struct pw_heap_values){0};
	if (heap->base->taken_wall_ns > heap->old_wall_ns)
		heap->apart_ns = heap->base->taken_wall_ns - heap->old_wall_ns;
	pw_table_foreach(&table, entry) add_up(&heap->gone, &((const struct pw_heap_site *)entry->value)->values);
	pw_heap_sort(heap, PW_HEAP_BY_GROWTH);
	return 0;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

static double weight(const struct pw_heap_site *site, enum pw_heap_order order)
{
	switch (order) {
	case PW_HEAP_BY_ALLOC:
		return (double)site->values.alloc_bytes;
	case PW_HEAP_BY_GROWTH:
		return (double)site->growth_bytes;
	case PW_HEAP_BY_ALLOC_GROWTH:
		return (double)site->growth_alloc_bytes;
	case PW_HEAP_BY_INUSE:
		break;
	}
	return (double)site->values.inuse_bytes;
}

static int by_weight(const void *a, const void *b, void *context)
{
	const struct pw_heap_site *left = a, *right = b;
	enum pw_heap_order order = *(const enum pw_heap_order *)context;
	double x = weight(left, order), y = weight(right, order);

	if (x != y)
		return x < y ? 1 : -1;
	if (left->values.inuse_bytes != right->values.inuse_bytes)
		return left->values.inuse_bytes < right->values.inuse_bytes ? 1 : -1;
	if (left->values.alloc_bytes != right->values.alloc_bytes)
		return left->values.alloc_bytes < right->values.alloc_bytes ? 1 : -1;
	return left->first_frame < right->first_frame ? -1 : left->first_frame > right->first_frame;
}

void pw_heap_sort(struct pw_heap_profile *heap, enum pw_heap_order order)
{
	if (heap->site_count > 1)
		qsort_r(heap->sites, heap->site_count, sizeof(*heap->sites), by_weight, &order);
}
