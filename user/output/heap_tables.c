/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/heap_tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/size.h"
#include "model/heap.h"
#include "model/profile.h"
#include "output/place.h"
#include "output/table.h"

#define NAME_MAX_ 100

static void cell_size(struct pw_text_table *table, uint64_t bytes)
{
	char text[PW_SIZE_TEXT_SIZE];

	pw_text_table_cell(table, pw_size_text(bytes, text), PW_SIZE_TEXT_SIZE);
}

static void cell_change(struct pw_text_table *table, int64_t bytes)
{
	char text[PW_SIZE_TEXT_SIZE];

	pw_text_table_cell(table, pw_size_change_text(bytes, text), PW_SIZE_TEXT_SIZE);
}

static void cell_count(struct pw_text_table *table, uint64_t count)
{
	char text[PW_GROUPED_SIZE];

	pw_text_table_cell(table, pw_grouped(count, text), PW_GROUPED_SIZE);
}

static void cell_count_change(struct pw_text_table *table, int64_t count)
{
	char text[PW_GROUPED_SIZE + 1], number[PW_GROUPED_SIZE];

	snprintf(text, sizeof(text), "%s%s",
		 count < 0 ? "-"
		 : count   ? "+"
			   : "",
		 pw_grouped(count < 0 ? 0 - (uint64_t)count : (uint64_t)count, number));
	pw_text_table_cell(table, text, sizeof(text));
}

static int compare(int64_t left_growth, int64_t right_growth, uint64_t left_bytes, uint64_t right_bytes)
{
	if (left_growth != right_growth)
		return left_growth < right_growth ? 1 : -1;
	return left_bytes < right_bytes ? 1 : left_bytes > right_bytes ? -1 : 0;
}

static int by_class_growth(const void *a, const void *b)
{
	const struct pw_heap_class *const *left = a, *const *right = b;

	return compare((*left)->growth_bytes, (*right)->growth_bytes, (*left)->bytes, (*right)->bytes);
}

static int by_type_growth(const void *a, const void *b)
{
	const struct pw_heap_type *const *left = a, *const *right = b;

	return compare((*left)->growth_bytes, (*right)->growth_bytes, (*left)->bytes, (*right)->bytes);
}

static void put_class(struct pw_text_table *table, const struct pw_heap_class *class, bool compared)
{
	char text[PW_GROUPED_SIZE];

	if (class->object_bytes)
		snprintf(text, sizeof(text), "%" PRIu64, class->object_bytes);
	else
		snprintf(text, sizeof(text), "large");
	pw_text_table_cell(table, text, sizeof(text));
	if (compared)
		cell_change(table, class->growth_bytes);
	cell_size(table, class->bytes);
	if (compared)
		cell_count_change(table, class->growth_objects);
	cell_count(table, class->objects);
	cell_size(table, compared ? class->growth_alloc_bytes : class->alloc_bytes);
}

void pw_heap_put_classes(struct pw_buf *out, const struct pw_heap_profile *heap, size_t top)
{
	_cleanup_free_ const struct pw_heap_class **order = calloc(heap->class_count + 1, sizeof(*order));
	_cleanup_(pw_text_table_done) struct pw_text_table table = {0};
	size_t shown = 0;

	if (!order) {
		out->error = out->error ? out->error : -ENOMEM;
		return;
	}
	for (size_t i = 0; i < heap->class_count; i++)
		order[i] = &heap->classes[i];
	qsort(order, heap->class_count, sizeof(*order), by_class_growth);
	pw_buf_puts(out, heap->compared ? "\nby size of objects, growth first\n" : "\nby size of objects\n");
	pw_text_table_column(&table, "SIZE", true);
	if (heap->compared)
		pw_text_table_column(&table, "GROWTH", true);
	pw_text_table_column(&table, "IN USE", true);
	if (heap->compared)
		pw_text_table_column(&table, "MORE", true);
	pw_text_table_column(&table, "OBJECTS", true);
	pw_text_table_column(&table, heap->compared ? "ALLOCATED" : "ALLOCATED EVER", true);
	for (size_t i = 0; i < heap->class_count && shown < top; i++) {
		if (!order[i]->bytes && !order[i]->growth_bytes)
			continue;
		put_class(&table, order[i], heap->compared);
		shown++;
	}
	pw_text_table_print(&table, out);
}

static void put_types_title(struct pw_buf *out, const struct pw_heap_profile *heap)
{
	char number[PW_GROUPED_SIZE], size[PW_SIZE_TEXT_SIZE];

	pw_buf_puts(out, "\nby type, of objects above 512 bytes with pointers in them");
	if (heap->spans_looked_at < heap->spans) {
		pw_buf_printf(out, "; estimated from %s", pw_grouped(heap->spans_looked_at, number));
		pw_buf_printf(out, " of %s spans", pw_grouped(heap->spans, number));
	}
	if (heap->untyped_bytes)
		pw_buf_printf(out, "; %s are in objects that do not tell", pw_size_text(heap->untyped_bytes, size));
	pw_buf_putc(out, '\n');
}

static void put_type_table(struct pw_buf *out, const struct pw_heap_profile *heap, size_t top)
{
	_cleanup_free_ const struct pw_heap_type **order = calloc(heap->type_count + 1, sizeof(*order));
	_cleanup_(pw_text_table_done) struct pw_text_table table = {0};

	if (!order) {
		out->error = out->error ? out->error : -ENOMEM;
		return;
	}
	for (size_t i = 0; i < heap->type_count; i++)
		order[i] = &heap->types[i];
	qsort(order, heap->type_count, sizeof(*order), by_type_growth);
	put_types_title(out, heap);
	if (heap->compared)
		pw_text_table_column(&table, "GROWTH", true);
	pw_text_table_column(&table, "IN USE", true);
	pw_text_table_column(&table, "OBJECTS", true);
	pw_text_table_column(&table, "TYPE", false);
	for (size_t i = 0; i < heap->type_count && i < top; i++) {
		if (heap->compared)
			cell_change(&table, order[i]->growth_bytes);
		cell_size(&table, order[i]->bytes);
		cell_count(&table, order[i]->objects);
		pw_text_table_cell(&table, pw_profile_string(heap->base, order[i]->name), NAME_MAX_);
	}
	pw_text_table_print(&table, out);
}

void pw_heap_put_types(struct pw_buf *out, const struct pw_heap_profile *heap, size_t top)
{
	if (heap->no_types[0])
		pw_buf_printf(out, "\nno types: %s\n", heap->no_types);
	else
		put_type_table(out, heap, top);
}
