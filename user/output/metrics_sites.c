/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/metrics_writer.h"

/*
 * From statements of a record to label sets without duplicates, and few of them. Statements that would show the same
 * labels (a generic function's instances, one go statement inlined in several places) are one row.
 */
#define OLD_NS		 (30 * PW_NS_PER_SEC)
#define LABELS_BYTES_MAX (8U << 20) /* of 4096 statements: two values of 256 bytes each, all of them escaped */

struct draft { /* one statement on its way into a row */
	uint32_t statement, row;
	struct pw_site_row sum;
	bool named;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void put_number(struct pw_buf *out, uint32_t number)
{
	char text[10], *end = text + sizeof(text), *start = end;

	do
		*--start = (char)('0' + number % 10);
	while (number /= 10);
	pw_buf_append(out, start, (size_t)(end - start));
}

/* Writes them, NUL-terminated, behind what all has; site is scratch. */
static void statement_labels(struct pw_buf *all, struct pw_buf *site, struct pw_buf *out,
			     const struct pw_record *record, const struct pw_record_statement *statement)
{
	const char *function = pw_record_string(record, statement->function);
	const char *file = pw_record_string(record, statement->file);

	pw_buf_reset(site);
	pw_buf_reset(out);
	if (statement->gopc == PW_STATEMENT_OTHER) {
		function = "other";
		pw_buf_puts(site, "other");
	} else if (*function && !*file) {
		pw_buf_puts(site, function);
	} else if (*function) {
		pw_buf_puts(site, function);
		pw_buf_putc(site, ' ');
		pw_buf_puts(site, base_name(file));
		pw_buf_putc(site, ':');
		put_number(site, statement->line);
	} else if (!statement->gopc) {
		function = "runtime";
		pw_buf_puts(site, "runtime");
	} else {
		function = "unknown";
		pw_buf_printf(site, "0x%" PRIx64, statement->gopc);
	}
	pw_write_label(out, "function", function);
	pw_write_label(out, "site", pw_buf_text(site));
	pw_buf_append(all, pw_buf_text(out), out->size + 1);
}

/* One block for the labels of all statements. */
static int labels_fill(struct pw_site_table *table, struct draft *drafts, const struct pw_record *record)
{
	_cleanup_buf_ struct pw_buf all = PW_BUF_INIT(LABELS_BYTES_MAX), site = PW_BUF_INIT(8192),
				    out = PW_BUF_INIT(8192);
	_cleanup_free_ size_t *at = calloc(record->statement_count + 1, sizeof(*at));

	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < record->statement_count; i++) {
		at[i] = all.size;
		statement_labels(&all, &site, &out, record, &record->statements[i]);
	}
	table->labels = pw_buf_take(&all, NULL);
	if (!table->labels)
		return -ENOMEM;
	for (size_t i = 0; i < record->statement_count; i++)
		drafts[i].sum.labels = table->labels + at[i];
	return 0;
}

static int by_labels(const void *a, const void *b)
{
	return strcmp(((const struct draft *)a)->sum.labels, ((const struct draft *)b)->sum.labels);
}

static int by_labels_of(const void *a, const void *b)
{
	return by_labels(*(const struct draft *const *)a, *(const struct draft *const *)b);
}

static uint64_t growth_of(const struct draft *draft)
{
	return draft->sum.spawned > draft->sum.exited ? draft->sum.spawned - draft->sum.exited : 0;
}

static int by_live(const void *a, const void *b)
{
	const struct draft *left = a, *right = b;

	if (left->sum.live != right->sum.live)
		return left->sum.live < right->sum.live ? 1 : -1;
	if (left->sum.spawned != right->sum.spawned)
		return left->sum.spawned < right->sum.spawned ? 1 : -1;
	return by_labels(a, b);
}

static int by_growth(const void *a, const void *b)
{
	const struct draft *left = a, *right = b;

	if (growth_of(left) != growth_of(right))
		return growth_of(left) < growth_of(right) ? 1 : -1;
	return by_live(a, b);
}

static void row_add(struct pw_site_row *sum, const struct pw_site_row *row)
{
	sum->live += row->live;
	sum->old_30s += row->old_30s;
	sum->oldest_ns = PW_MAX(sum->oldest_ns, row->oldest_ns);
	sum->counted |= row->counted;
	sum->spawned += row->spawned;
	sum->exited += row->exited;
	sum->parked += row->parked;
	sum->drift_known |= row->drift_known;
	sum->drift += row->drift;
}

static void drafts_fill(struct draft *drafts, const struct pw_record *record)
{
	for (size_t i = 0; i < record->statement_count; i++) {
		drafts[i].statement = (uint32_t)i;
		drafts[i].sum.other = record->statements[i].gopc == PW_STATEMENT_OTHER;
	}
	for (size_t i = 0; record->census.section.present && i < record->census.group_count; i++) {
		const struct pw_record_group *group = &record->census.groups[i];
		uint64_t oldest = pw_group_oldest_age_ns(record, group);
		struct pw_site_row *sum;

		if (group->statement >= record->statement_count)
			continue;
		sum = &drafts[group->statement].sum;
		sum->live += group->count;
		sum->old_30s += pw_group_older_than(record, group, OLD_NS, true);
		if (oldest != PW_UNKNOWN)
			sum->oldest_ns = PW_MAX(sum->oldest_ns, oldest);
	}
	for (size_t i = 0; record->events.section.present && i < record->events.count; i++) {
		const struct pw_record_event_count *count = &record->events.counts[i];

		if (count->statement >= record->statement_count)
			continue;
		row_add(&drafts[count->statement].sum,
			&(struct pw_site_row){.counted = true,
					      .spawned = count->spawned,
					      .exited = count->exited,
					      .parked = count->parked,
					      .drift_known = count->drift_known,
					      .drift = count->drift_known ? count->drift : 0});
	}
}

/* Sorts by labels and makes one row of equal ones; row_of[statement] is its row. */
static int drafts_merge(struct draft *drafts, size_t count, struct pw_site_table *table, uint32_t *row_of)
{
	_cleanup_free_ struct draft **order = calloc(count + 1, sizeof(*order));

	if (!order || !table->rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = &drafts[i];
	qsort(order, count, sizeof(*order), by_labels_of);
	for (size_t i = 0; i < count; i++) {
		struct pw_site_row *last = table->row_count ? &table->rows[table->row_count - 1] : NULL;

		if (last && !strcmp(last->labels, order[i]->sum.labels))
			row_add(last, &order[i]->sum);
		else
			table->rows[table->row_count++] = order[i]->sum;
		row_of[order[i]->statement] = (uint32_t)(table->row_count - 1);
	}
	return 0;
}

/* Keeps series_sites rows by name, half by goroutines alive, the rest by growth; folds the others into a last row. */
static int rows_fold(struct pw_site_table *table, size_t series_sites, uint32_t *row_of, size_t statements)
{
	struct draft *order = calloc(table->row_count + 1, sizeof(*order));
	_cleanup_free_ uint32_t *moved = calloc(table->row_count + 1, sizeof(*moved));
	_cleanup_free_ bool *named = calloc(table->row_count + 1, sizeof(*named));
	struct pw_site_row other = {.other = true};
	size_t left = series_sites, kept = 0;

	if (!order || !moved || !named) {
		free(order);
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->row_count; i++)
		order[i] = (struct draft){.row = (uint32_t)i, .sum = table->rows[i]};
	qsort(order, table->row_count, sizeof(*order), by_live);
	for (size_t i = 0; i < table->row_count && left > series_sites / 2; i++, left--)
		named[order[i].row] = true;
	qsort(order, table->row_count, sizeof(*order), by_growth);
	for (size_t i = 0; i < table->row_count && left; i++) {
		left -= !named[order[i].row];
		named[order[i].row] = true;
	}
	free(order);
	for (size_t i = 0; i < table->row_count; i++) {
		struct pw_site_row row = table->rows[i];

		if (named[i]) {
			moved[i] = (uint32_t)kept;
			table->rows[kept++] = row;
			continue;
		}
		moved[i] = UINT32_MAX;
		row_add(&other, &row);
		table->folded++;
	}
	table->row_count = kept;
	if (table->folded) {
		other.labels = PW_SITE_OTHER;
		/* The record may have an "other" of its own, which was kept: then it is that one. */
		for (size_t i = 0; i < kept && other.labels; i++) {
			if (strcmp(table->rows[i].labels, other.labels))
				continue;
			row_add(&table->rows[i], &other);
			other.labels = NULL;
			kept = i;
		}
		if (other.labels)
			table->rows[table->row_count++] = other;
	}
	for (size_t i = 0; i < statements; i++)
		row_of[i] = moved[row_of[i]] == UINT32_MAX ? (uint32_t)kept : moved[row_of[i]];
	return 0;
}

static int by_group(const void *a, const void *b)
{
	const struct pw_site_group *left = a, *right = b;

	if (left->row != right->row)
		return left->row < right->row ? -1 : 1;
	if (left->status != right->status)
		return left->status < right->status ? -1 : 1;
	return strcmp(left->reason, right->reason);
}

static int by_parks(const void *a, const void *b)
{
	const struct pw_site_parks *left = a, *right = b;

	if (left->row != right->row)
		return left->row < right->row ? -1 : 1;
	return strcmp(left->reason, right->reason);
}

static int groups_fill(struct pw_site_table *table, const struct pw_record *record, const uint32_t *row_of)
{
	size_t count = 0;

	if (!record->census.section.present)
		return 0;
	table->groups = calloc(record->census.group_count + 1, sizeof(*table->groups));
	if (!table->groups)
		return -ENOMEM;
	for (size_t i = 0; i < record->census.group_count; i++) {
		const struct pw_record_group *group = &record->census.groups[i];

		if (group->statement < record->statement_count)
			table->groups[count++] =
				(struct pw_site_group){row_of[group->statement], group->status,
						       pw_record_string(record, group->reason), group->count};
	}
	qsort(table->groups, count, sizeof(*table->groups), by_group);
	for (size_t i = 0; i < count; i++) {
		struct pw_site_group *last = table->group_count ? &table->groups[table->group_count - 1] : NULL;

		if (last && !by_group(last, &table->groups[i]))
			last->count += table->groups[i].count;
		else
			table->groups[table->group_count++] = table->groups[i];
	}
	return 0;
}

static int parks_fill(struct pw_site_table *table, const struct pw_record *record, const uint32_t *row_of)
{
	size_t count = 0;

	if (!record->events.section.present)
		return 0;
	table->parks = calloc(record->reason_count + 1, sizeof(*table->parks));
	if (!table->parks)
		return -ENOMEM;
	for (size_t i = 0; i < record->events.count; i++) {
		const struct pw_record_event_count *events = &record->events.counts[i];

		if (events->statement >= record->statement_count)
			continue;
		for (uint32_t n = 0; n < events->reason_count && events->first_reason + n < record->reason_count &&
				     count < record->reason_count;
		     n++) {
			const struct pw_record_reason_count *reason = &record->reasons[events->first_reason + n];

			table->parks[count++] = (struct pw_site_parks){
				row_of[events->statement], pw_record_string(record, reason->reason), reason->count};
		}
	}
	qsort(table->parks, count, sizeof(*table->parks), by_parks);
	for (size_t i = 0; i < count; i++) {
		struct pw_site_parks *last = table->parks_count ? &table->parks[table->parks_count - 1] : NULL;

		if (last && !by_parks(last, &table->parks[i]))
			last->count += table->parks[i].count;
		else
			table->parks[table->parks_count++] = table->parks[i];
	}
	return 0;
}

struct pw_site_table *pw_site_table_new(const struct pw_record *record, size_t series_sites)
{
	struct pw_site_table *table = calloc(1, sizeof(*table));
	struct draft *drafts = calloc(record->statement_count + 1, sizeof(*drafts));
	_cleanup_free_ uint32_t *row_of = calloc(record->statement_count + 1, sizeof(*row_of));
	int r = -ENOMEM;

	if (table)
		table->rows = calloc(record->statement_count + 2, sizeof(*table->rows));
	if (table && table->rows && drafts && row_of)
		r = labels_fill(table, drafts, record);
	if (!r) {
		drafts_fill(drafts, record);
		r = drafts_merge(drafts, record->statement_count, table, row_of);
	}
	if (!r && table->row_count > series_sites)
		r = rows_fold(table, series_sites, row_of, record->statement_count);
	if (!r)
		r = groups_fill(table, record, row_of);
	if (!r)
		r = parks_fill(table, record, row_of);
	if (!r)
		r = pw_site_table_date(table, record, row_of);
	free(drafts);
	if (!r)
		return table;
	pw_site_table_free(table);
	return NULL;
}

void pw_site_table_free(struct pw_site_table *table)
{
	if (!table)
		return;
	free(table->labels);
	free(table->rows);
	free(table->groups);
	free(table->parks);
	free(table);
}
