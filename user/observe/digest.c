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

static void group_free(struct pw_digest_group *group)
{
	if (group)
		pw_age_steps_done(&group->ages);
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
	pw_table_done(&digest->by_key);
	free(digest);
}

void pw_digest_begin(struct pw_digest *digest, const struct pw_digest_source *source)
{
	const struct pw_census_result *census = source->census;

	pw_table_done(&digest->by_key);
	digest->groups_used = 0;
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
	pw_age_steps_reset(&group->ages);
	return group;
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
	if (!after_ns) {
		totals->count_initial++;
		return 0;
	}
	return pw_age_steps_add(&group->ages, before_ns, digest->taken_ns);
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

static void complete(struct pw_digest *digest)
{
	if (digest->groups_used > 1)
		qsort(digest->groups.items, digest->groups_used, sizeof(*digest->groups.items), compare_groups);
	digest->complete = true;
}

int pw_digest_step(struct pw_digest *digest, const struct pw_digest_source *source, struct pw_statements *statements,
		   uint64_t budget_ns)
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
		complete(digest);
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

	if (!to)
		return;
	*to = group->totals;
	if (pw_status_parked(group->status))
		to->reason = pw_reason_string(builder, source->reason_names, source->reason_count, group->reason);
	pw_age_steps_write(&group->ages, builder, pw_record_builder_age, &to->first_age, &to->age_count);
}

void pw_digest_write(const struct pw_digest *digest, const struct pw_digest_source *source,
		     struct pw_record_builder *builder)
{
	for (size_t i = 0; i < digest->groups_used; i++)
		write_group(digest->groups.items[i], source, builder);
}
