/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <string.h>

#include "base/huge.h"
#include "base/limits.h"
#include "base/macros.h"

/*
 * Typed growable array with checked growth and a maximum:
 *
 *	PW_VEC(struct pw_proc_map) maps = PW_VEC_INIT(PW_PROC_MAPS_MAX);
 *	r = pw_vec_push(&maps, map);
 *	pw_vec_foreach(&maps, m) use(m->start);
 *	pw_vec_done(&maps);
 *
 * A zeroed vector is a valid empty one with the maximum PW_VEC_DEFAULT_MAX. Elements move when the array grows.
 */
#define PW_VEC(type)             \
	struct {                 \
		type *items;     \
		size_t count;    \
		size_t capacity; \
		size_t max;      \
	}

#define PW_VEC_INIT(max_count)     \
	{                          \
		.max = (max_count) \
	}

/* Makes room for `more` further elements: 0, -E2BIG over the maximum, -ENOMEM. */
#define pw_vec_reserve(vec, more) \
	pw_vec_grow_((void **)&(vec)->items, &(vec)->capacity, (vec)->count, (vec)->max, (more), sizeof(*(vec)->items))

/* Appends a copy of value: 0, -E2BIG, -ENOMEM. */
#define pw_vec_push(vec, value)                                 \
	({                                                      \
		int pw_vec_r_ = pw_vec_reserve((vec), 1);       \
		if (!pw_vec_r_)                                 \
			(vec)->items[(vec)->count++] = (value); \
		pw_vec_r_;                                      \
	})

/* Appends a zeroed element and yields its address, or NULL when full or out of memory. */
#define pw_vec_add(vec)                                                 \
	({                                                              \
		__typeof__((vec)->items) pw_vec_item_ = NULL;           \
		if (!pw_vec_reserve((vec), 1)) {                        \
			pw_vec_item_ = &(vec)->items[(vec)->count++];   \
			memset(pw_vec_item_, 0, sizeof(*pw_vec_item_)); \
		}                                                       \
		pw_vec_item_;                                           \
	})

/* Forgets the elements, keeps the memory. */
#define pw_vec_reset(vec) ((void)((vec)->count = 0))

/* Frees the memory; elements that own something are the caller's to free first. */
#define pw_vec_done(vec)                            \
	do {                                        \
		free((vec)->items);                 \
		(vec)->items = NULL;                \
		(vec)->count = (vec)->capacity = 0; \
	} while (0)

#ifndef __cppcheck__
#define pw_vec_foreach(vec, item)                                                                                 \
	for (__typeof__((vec)->items) item = (vec)->items, pw_vec_end_##item = item ? item + (vec)->count : item; \
	     item != pw_vec_end_##item; item++)
#else /* which cannot parse the declaration */
#define pw_vec_foreach(vec, item) for (item = (vec)->items; item != (vec)->items + (vec)->count; item++)
#endif

#define pw_vec_sort(vec, compare)                                                            \
	do {                                                                                 \
		if ((vec)->count > 1)                                                        \
			qsort((vec)->items, (vec)->count, sizeof(*(vec)->items), (compare)); \
	} while (0)

/* Moves the content to another vector of the same kind, which must be empty. */
#define pw_vec_move(dst, src)                       \
	do {                                        \
		(dst)->items = (src)->items;        \
		(dst)->count = (src)->count;        \
		(dst)->capacity = (src)->capacity;  \
		(dst)->max = (src)->max;            \
		(src)->items = NULL;                \
		(src)->count = (src)->capacity = 0; \
	} while (0)

static inline int pw_must_check pw_vec_grow_(void **items, size_t *capacity, size_t count, size_t max, size_t more,
					     size_t elem_size)
{
	size_t limit = max ? max : PW_VEC_DEFAULT_MAX, wanted, bytes;
	void *grown;

	if (pw_add_overflows(count, more, &wanted) || wanted > limit)
		return -E2BIG;
	if (*items && wanted <= *capacity)
		return 0;
	wanted = PW_MIN(PW_MAX(wanted, PW_MAX(*capacity * 2, (size_t)8)), limit);
	if (pw_mul_overflows(wanted, elem_size, &bytes))
		return -E2BIG;
	grown = pw_huge_realloc(*items, count * elem_size, bytes);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}
