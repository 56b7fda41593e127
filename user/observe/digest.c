/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/builder.h"
#include "observe/statements.h"
#include "target/goroutines.h"

#define CHUNK	   2048U  /* goroutines between two looks at the clock: about 0.3 ms */
#define GROUPS_MAX 16384U /* PW_RECORD_GROUPS_MAX */
/* Steps are rounded only from here on, so that rounding by an eighth never reaches below PW_AGE_EXACT_NS. */
#define ROUND_FROM_NS (PW_AGE_EXACT_NS / 4 * 5)

static void group_free(struct pw_digest_group *group)
{
	if (group)
		pw_vec_done(&group->ages);
	free(group);
}

int pw_digest_new(struct pw_digest **ret_digest)
{
	struct pw_digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		return -ENOMEM;
	digest->groups.max = GROUPS_MAX;
	digest->by_key = (struct pw_table)PW_TABLE_INIT(GROUPS_MAX, NULL);
	*ret_digest = digest;
	return 0;
}

void pw_digest_free(struct pw_digest *digest)
{
	if (!digest)
		return;
	for (size_t i = 0; i < digest->groups.count; i++)
		group_free(digest->groups.items[i]);
	pw_vec_done(&digest->groups);
	pw_vec_done(&digest->rows);
	pw_table_done(&digest->by_key);
	free(digest);
}

void pw_digest_begin(struct pw_digest *digest, const struct pw_digest_source *source)
{
	const struct pw_census_result *census = source->census;

	pw_table_done(&digest->by_key);
	digest->groups_used = 0;
	pw_vec_reset(&digest->rows);
	digest->taken_ns = census->started_ns;
	digest->skipped = census->skipped;
	digest->torn = census->torn;
	digest->num_goroutine = census->num_goroutine;
	digest->cost_ns = census->duration_ns;
	digest->bytes_read = census->bytes_read;
	digest->total = digest->system = 0;
	digest->next = 0;
	digest->complete = false;
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

static struct pw_digest_group *next_group(struct pw_digest *digest)
{
	struct pw_digest_group *group;

	if (digest->groups_used < digest->groups.count)
		return digest->groups.items[digest->groups_used++];
	group = calloc(1, sizeof(*group));
	if (!group || pw_vec_push(&digest->groups, group) < 0) {
		free(group);
		return NULL;
	}
	group->ages.max = PW_DIGEST_AGES_MAX;
	digest->groups_used++;
	return group;
}

static struct pw_digest_group *group_of(struct pw_digest *digest, uint32_t statement, uint8_t status, uint8_t reason)
{
	uint64_t key = (uint64_t)statement << 16 | (uint64_t)status << 8 | reason;
	struct pw_digest_group *group = pw_table_peek(&digest->by_key, &key, sizeof(key));

	if (group)
		return group;
	group = next_group(digest);
	if (!group)
		return NULL;
	if (pw_table_put_u64(&digest->by_key, key, group) < 0) {
		digest->groups_used--;
		return NULL;
	}
	group->statement = statement;
	group->status = status;
	group->reason = reason;
	group->totals =
		(struct pw_record_group){.statement = statement, .status = status, .oldest_born_before_ns = UINT64_MAX};
	pw_vec_reset(&group->ages);
	return group;
}

uint64_t pw_digest_age_step(uint64_t born_before_ns, uint64_t taken_ns)
{
	uint64_t age, grid = 1;

	if (born_before_ns > taken_ns)
		return taken_ns;
	age = taken_ns - born_before_ns;
	if (age < ROUND_FROM_NS)
		return born_before_ns;
	while (grid <= age / 16)
		grid *= 2;
	return (born_before_ns + grid - 1) / grid * grid;
}

/* Adds one goroutine to the step of that birth. Most come in at the end or where the one before did. */
static int add_age(struct pw_digest_group *group, uint64_t born_before_ns)
{
	size_t low = 0, high = group->ages.count;
	struct pw_record_age *ages = group->ages.items;
	int r;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ages[middle].born_before_ns < born_before_ns)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < group->ages.count && ages[low].born_before_ns == born_before_ns) {
		ages[low].count++;
		return 0;
	}
	if (group->ages.count == PW_DIGEST_AGES_MAX) { /* the two oldest become one, as old as the younger of them */
		if (low <= 1) {
			ages[low].count++;
			return 0;
		}
		ages[1].count += ages[0].count;
		memmove(&ages[0], &ages[1], (group->ages.count - 1) * sizeof(*ages));
		group->ages.count--;
		low--;
	}
	r = pw_vec_reserve(&group->ages, 1);
	if (r < 0)
		return r;
	ages = group->ages.items;
	memmove(&ages[low + 1], &ages[low], (group->ages.count - low) * sizeof(*ages));
	ages[low] = (struct pw_record_age){.born_before_ns = born_before_ns, .count = 1};
	group->ages.count++;
	return 0;
}

static int add_goroutine(struct pw_digest *digest, const struct pw_digest_source *source,
			 struct pw_statements *statements, const struct pw_goroutine *goroutine)
{
	uint64_t after_ns = 0, before_ns = 0;
	uint64_t gopc = goroutine->gopc ? goroutine->gopc - source->bias : 0;
	uint32_t index = pw_statements_find(statements, gopc, digest->taken_ns);
	struct pw_statement *statement = &statements->items[index];
	uint8_t reason = pw_status_parked(goroutine->status) ? goroutine->wait_reason : 0;
	struct pw_digest_group *group = group_of(digest, index, goroutine->status, reason);
	struct pw_record_group *totals;

	statement->system = statement->seen_in_census ? statement->system && goroutine->system : goroutine->system;
	statement->seen_in_census = true;
	digest->total++;
	digest->system += goroutine->system;
	if (source->main_pc && goroutine->startpc == source->main_pc)
		pw_statements_name_main(statements, statement);
	if (!group) { /* more groups than we keep, or no memory: it is counted, but not shown where it waits */
		digest->skipped++;
		return 0;
	}
	totals = &group->totals;
	source->bounds(source->bounds_context, goroutine->goid, &after_ns, &before_ns);
	if (!before_ns || before_ns > digest->taken_ns)
		before_ns = digest->taken_ns; /* it was there when we looked */
	totals->count++;
	totals->oldest_born_before_ns = PW_MIN(totals->oldest_born_before_ns, before_ns);
	totals->youngest_born_after_ns = PW_MAX(totals->youngest_born_after_ns, after_ns);
	if (source->census->count <= source->rows_max) {
		struct pw_digest_row row = {.goid = goroutine->goid,
					    .born_after_ns = after_ns,
					    .born_before_ns = before_ns,
					    .group = group,
					    .sequence = goroutine->tracking_seq};
		int r = pw_vec_push(&digest->rows, row);

		if (r < 0)
			return r;
	}
	if (!after_ns) {
		totals->count_initial++;
		return 0;
	}
	return add_age(group, pw_digest_age_step(before_ns, digest->taken_ns));
}

static int compare_groups(const void *a, const void *b)
{
	const struct pw_digest_group *x = *(struct pw_digest_group *const *)a, *y = *(struct pw_digest_group *const *)b;

	if (x->statement != y->statement)
		return x->statement < y->statement ? -1 : 1;
	if (x->status != y->status)
		return x->status < y->status ? -1 : 1;
	return (x->reason > y->reason) - (x->reason < y->reason);
}

static int compare_rows(const void *a, const void *b)
{
	const struct pw_digest_row *x = a, *y = b;

	return (x->goid > y->goid) - (x->goid < y->goid);
}

/*
 * How often each ran since the census before: trackingSeq counts transitions out of running, modulo 256 (GO-RUNTIME;
 * src/runtime/proc.go:casgstatus, go1.17). Both lists are sorted by goid.
 */
static void count_runs(struct pw_digest *digest, const struct pw_digest *previous)
{
	size_t old = 0, old_count = previous && previous->complete ? previous->rows.count : 0;

	for (size_t i = 0; i < digest->rows.count; i++) {
		struct pw_digest_row *row = &digest->rows.items[i];

		while (old < old_count && previous->rows.items[old].goid < row->goid)
			old++;
		if (old < old_count && previous->rows.items[old].goid == row->goid)
			row->runs = (uint8_t)(row->sequence - previous->rows.items[old].sequence);
		else
			row->runs = UINT32_MAX;
	}
}

static void complete(struct pw_digest *digest, const struct pw_digest *previous)
{
	if (digest->groups_used > 1)
		qsort(digest->groups.items, digest->groups_used, sizeof(*digest->groups.items), compare_groups);
	for (size_t i = 0; i < digest->groups_used; i++)
		digest->groups.items[i]->position = (uint32_t)i;
	pw_vec_sort(&digest->rows, compare_rows);
	count_runs(digest, previous);
	digest->complete = true;
}

int pw_digest_step(struct pw_digest *digest, const struct pw_digest_source *source, struct pw_statements *statements,
		   const struct pw_digest *previous, uint64_t budget_ns)
{
	uint64_t start_ns = pw_boot_ns(), now_ns;

	if (digest->complete)
		return 0;
	for (;;) {
		size_t end = PW_MIN(digest->next + CHUNK, source->census->count);

		for (; digest->next < end; digest->next++) {
			int r = add_goroutine(digest, source, statements, &source->census->goroutines[digest->next]);

			if (r < 0)
				return r;
		}
		now_ns = pw_boot_ns();
		if (digest->next == source->census->count || now_ns - start_ns >= budget_ns)
			break;
	}
	if (digest->next == source->census->count)
		complete(digest, previous);
	digest->cost_ns += pw_boot_ns() - start_ns;
	return digest->complete ? 0 : -EAGAIN;
}

pw_string pw_reason_string(struct pw_record_builder *builder, const char (*names)[40], size_t count, uint8_t code)
{
	char text[32];

	if (code < count && names[code][0])
		return pw_record_builder_string(builder, names[code]);
	snprintf(text, sizeof(text), "wait reason %u", code);
	return pw_record_builder_string(builder, text);
}

static void write_group(const struct pw_digest_group *group, const struct pw_digest_source *source,
			struct pw_record_builder *builder)
{
	struct pw_record_group *to = pw_record_builder_group(builder, NULL);
	uint32_t last = 0, count = 0;

	if (!to)
		return;
	*to = group->totals;
	if (pw_status_parked(group->status))
		to->reason = pw_reason_string(builder, source->reason_names, source->reason_count, group->reason);
	for (size_t i = 0; i < group->ages.count; i++) {
		struct pw_record_age *age = pw_record_builder_age(builder, &last);

		if (!age)
			break;
		*age = group->ages.items[i];
		count++;
	}
	to->first_age = count ? last + 1 - count : 0;
	to->age_count = count;
}

void pw_digest_write(const struct pw_digest *digest, const struct pw_digest_source *source,
		     struct pw_record_builder *builder)
{
	for (size_t i = 0; i < digest->groups_used; i++)
		write_group(digest->groups.items[i], source, builder);
	for (size_t i = 0; i < digest->rows.count; i++) {
		const struct pw_digest_row *from = &digest->rows.items[i];
		struct pw_record_row *row = pw_record_builder_row(builder, NULL);

		if (!row)
			return;
		*row = (struct pw_record_row){.goid = from->goid,
					      .group = from->group->position,
					      .runs = from->runs,
					      .born_after_ns = from->born_after_ns,
					      .born_before_ns = from->born_before_ns};
	}
}
