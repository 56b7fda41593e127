/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/table.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"

#define CELL_BYTES_MAX 4096

/* Characters, for alignment: bytes that do not continue a UTF-8 character. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void pw_text_table_column(struct pw_text_table *table, const char *title, bool right)
{
	if (table->column_count < PW_TABLE_COLUMNS_MAX)
		table->columns[table->column_count++] = (struct pw_column){title, right, width_of(title)};
}

/* Keeps the last max characters. */
static void cut(char *text, size_t max)
{
	size_t width = width_of(text), skip;
	char *at = text;

	if (width <= max)
		return;
	for (skip = width - max + 1; skip && *at; skip--)
		for (at++; ((unsigned char)*at & 0xc0) == 0x80; at++)
			;
	memmove(text + 1, at, strlen(at) + 1);
	text[0] = '~';
}

void pw_text_table_cell(struct pw_text_table *table, const char *text, size_t max)
{
	struct pw_buf cell = PW_BUF_INIT(CELL_BYTES_MAX);
	struct pw_column *column = &table->columns[table->cell_count % table->column_count];
	size_t capacity = table->capacity ? table->capacity * 2 : 64;
	char **grown, *owned;

	if (table->failed)
		return;
	if (table->cell_count == table->capacity) {
		grown = reallocarray(table->cells, capacity, sizeof(*grown));
		if (!grown) {
			table->failed = true;
			return;
		}
		table->cells = grown;
		table->capacity = capacity;
	}
	pw_buf_escaped(&cell, text, strlen(text));
	pw_buf_puts(&cell, "");
	owned = pw_buf_take(&cell, NULL);
	if (!owned)
		owned = strdup("?"); /* a cell over its cap */
	pw_buf_done(&cell);
	if (!owned) {
		table->failed = true;
		return;
	}
	cut(owned, max);
	column->width = PW_MAX(column->width, width_of(owned));
	table->cells[table->cell_count++] = owned;
}

void pw_text_table_number(struct pw_text_table *table, unsigned long long value, bool known)
{
	char text[32] = "-";

	if (known)
		snprintf(text, sizeof(text), "%llu", value);
	pw_text_table_cell(table, text, sizeof(text));
}

static void print_cell(const struct pw_column *column, const char *text, bool last, struct pw_buf *out)
{
	size_t pad = column->width - PW_MIN(column->width, width_of(text));

	if (column->right)
		pw_buf_printf(out, "%*s", (int)pad, "");
	pw_buf_puts(out, text);
	if (!column->right && !last)
		pw_buf_printf(out, "%*s", (int)pad, "");
	pw_buf_puts(out, last ? "\n" : "  ");
}

void pw_text_table_print(const struct pw_text_table *table, struct pw_buf *out)
{
	if (table->failed)
		return;
	for (size_t i = 0; i < table->column_count; i++)
		print_cell(&table->columns[i], table->columns[i].title, i + 1 == table->column_count, out);
	for (size_t i = 0, column = 0; i < table->cell_count && table->column_count; i++) {
		print_cell(&table->columns[column], table->cells[i], column + 1 == table->column_count, out);
		column = column + 1 < table->column_count ? column + 1 : 0;
	}
}

void pw_text_table_done(struct pw_text_table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct pw_text_table){0};
}
