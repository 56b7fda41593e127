/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_TABLE_H
#define PW_OUTPUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct pw_buf;

/*
 * A table whose columns are as wide as their widest cell. Cells are copied as they are escaped, control characters
 * never reach the terminal. The last column is not padded. Errors stick; print then writes nothing.
 */
#define PW_TABLE_COLUMNS_MAX 12

struct pw_text_table {
	struct pw_column {
		const char *title;
		bool right;   /* numbers */
		size_t width; /* characters */
	} columns[PW_TABLE_COLUMNS_MAX];
	size_t column_count;
	char **cells; /* owned, row by row */
	size_t cell_count, capacity;
	bool failed;
};

void pw_text_table_column(struct pw_text_table *table, const char *title, bool right);
/* The next cell, in reading order; longer than max characters is cut with "~" in front (the end says more). */
void pw_text_table_cell(struct pw_text_table *table, const char *text, size_t max);
void pw_text_table_number(struct pw_text_table *table, unsigned long long value, bool known);
void pw_text_table_print(const struct pw_text_table *table, struct pw_buf *out);
void pw_text_table_done(struct pw_text_table *table);

#endif
