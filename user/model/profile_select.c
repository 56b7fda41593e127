/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/profile_select.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/table.h"
#include "model/profile.h"
#include "model/record.h"

/* --- filter ------------------------------------------------------------------------------------------------------ */

bool pw_profile_frame_matches(const struct pw_profile *profile, const regex_t *regex,
			      const struct pw_profile_frame *frame)
{
	return regexec(regex, pw_profile_string(profile, frame->function), 0, NULL, 0) == 0 ||
	       regexec(regex, pw_profile_string(profile, frame->file), 0, NULL, 0) == 0;
}

static bool group_fits(const struct pw_profile *profile, const struct pw_profile_group *group,
		       const struct pw_profile_filter *filter)
{
	bool found = !filter->blocked;

	if (filter->reason && strcmp(filter->reason, pw_profile_string(profile, group->wait_reason)) != 0 &&
	    (group->wait_reason || strcmp(filter->reason, pw_status_name(group->status)) != 0))
		return false;
	if (filter->created && !pw_profile_frame_matches(profile, filter->created, &group->created_by))
		return false;
	for (uint32_t i = 0; i < group->frame_count && !found; i++)
		found = pw_profile_frame_matches(profile, filter->blocked, &profile->frames[group->first_frame + i]);
	return found;
}

static bool row_fits(const struct pw_profile *profile, const struct pw_profile_goroutine *row,
		     const struct pw_profile_filter *filter)
{
	bool parked = pw_status_parked(profile->groups[row->group].status);

	if (filter->goid && row->goid != filter->goid)
		return false;
	if ((parked ? row->parked_ns : row->age_ns) < filter->min_age_ns)
		return false;
	for (uint32_t i = 0; filter->label_key && i < row->label_count; i++) {
		const struct pw_profile_label *label = &profile->labels[row->first_label + i];

		if (!strcmp(pw_profile_string(profile, label->key), filter->label_key) &&
		    (!filter->label_value || !strcmp(pw_profile_string(profile, label->value), filter->label_value)))
			return true;
	}
	return !filter->label_key;
}

static void recount(struct pw_profile *profile)
{
	profile->total = 0;
	for (size_t i = 0; i < profile->group_count; i++)
		profile->total += profile->groups[i].count;
}

static void drop_rows(struct pw_profile *profile)
{
	size_t kept = 0;

	for (size_t i = 0; i < profile->goroutine_count; i++)
		if (profile->goroutines[i].group != UINT32_MAX)
			profile->goroutines[kept++] = profile->goroutines[i];
	/* A list keeps room for the next power of two only as long as it never shrinks: nothing is added behind this.
	 */
	profile->goroutine_count = kept;
}

int pw_profile_filter(struct pw_profile *profile, const struct pw_profile_filter *filter)
{
	_cleanup_free_ bool *fits = calloc(profile->group_count + 1, sizeof(*fits));
	bool rows = profile->goroutine_count > 0;
	int r;

	if (!fits)
		return -ENOMEM;
	if (!rows && profile->group_count && (filter->min_age_ns || filter->goid || filter->label_key))
		return -ENOTSUP;
	for (size_t i = 0; i < profile->group_count; i++) {
		fits[i] = group_fits(profile, &profile->groups[i], filter);
		if (!fits[i])
			profile->groups[i].count = 0;
	}
	for (size_t i = 0; i < profile->goroutine_count; i++) {
		struct pw_profile_goroutine *row = &profile->goroutines[i];

		if (row->group >= profile->group_count || !fits[row->group] || !row_fits(profile, row, filter))
			row->group = UINT32_MAX;
	}
	if (rows) {
		drop_rows(profile);
		r = pw_profile_summarize(profile);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < profile->group_count; i++)
		if (profile->groups[i].count < filter->min_count)
			profile->groups[i].count = 0;
	r = pw_profile_sort(profile);
	if (r >= 0 && rows)
		drop_rows(profile);
	recount(profile);
	return r;
}

/* --- regroup ----------------------------------------------------------------------------------------------------- */

struct merge_key {
	uint32_t text[4];
	uint32_t kind;
};

static uint32_t label_value(const struct pw_profile *profile, const struct pw_profile_goroutine *row, const char *key)
{
	for (uint32_t i = 0; i < row->label_count; i++)
		if (!strcmp(pw_profile_string(profile, profile->labels[row->first_label + i].key), key))
			return profile->labels[row->first_label + i].value + 1;
	return 0;
}

static struct merge_key merge_key(const struct pw_profile_group *group, enum pw_profile_by by)
{
	struct merge_key key = {.kind = group->system};

	if (by == PW_PROFILE_BY_SITE) {
		key.text[0] = group->created_by.function;
		key.text[1] = group->created_by.file;
		key.text[2] = group->created_by.line;
	} else if (by == PW_PROFILE_BY_REASON) {
		key.text[0] = group->wait_reason;
		key.text[1] = group->status;
	} else {
		key.kind = 0;
	}
	return key;
}

static bool same_frame(const struct pw_profile_frame *a, const struct pw_profile_frame *b)
{
	return a->function == b->function && a->file == b->file && a->line == b->line;
}

/* What is not the same for both is given up. */
static void merge(const struct pw_profile *profile, struct pw_profile_group *into, const struct pw_profile_group *from)
{
	uint32_t common = 0, most = PW_MIN(into->frame_count, from->frame_count);

	while (common < most && same_frame(&profile->frames[into->first_frame + into->frame_count - 1 - common],
					   &profile->frames[from->first_frame + from->frame_count - 1 - common]))
		common++;
	into->first_frame += into->frame_count - common;
	into->frame_count = common;
	into->mixed_status |= from->mixed_status || into->status != from->status;
	into->truncated |= from->truncated;
	if (into->wait_reason != from->wait_reason)
		into->wait_reason = 0;
	if (!same_frame(&into->created_by, &from->created_by))
		into->created_by = (struct pw_profile_frame){0};
	if (into->start_function != from->start_function)
		into->start_function = 0;
	into->system = into->system && from->system;
	into->count += from->count;
	into->waiting_ns += from->waiting_ns;
	into->running_ns += from->running_ns;
	into->runnable_ns += from->runnable_ns;
	into->syscall_ns += from->syscall_ns;
	into->diagnosis.rule[0] = into->diagnosis.text[0] = '\0';
	into->diagnosis.verdict = PW_VERDICT_NONE;
}

struct merging {
	struct pw_table table; /* merge_key -> index of the new group + 1 */
	struct pw_profile_group *groups;
	size_t count;
};

static void merging_done(struct merging *merging)
{
	pw_table_done(&merging->table);
	free(merging->groups);
}

/* The new group of an old one. */
static int merge_into(struct merging *merging, const struct merge_key *key, const struct pw_profile_group *group,
		      uint32_t *ret_index)
{
	uintptr_t known = (uintptr_t)pw_table_peek(&merging->table, key, sizeof(*key));
	int r;

	if (known) {
		*ret_index = (uint32_t)known - 1;
		return 1;
	}
	r = pw_table_put(&merging->table, key, sizeof(*key), (void *)(uintptr_t)(merging->count + 1));
	if (r < 0)
		return r;
	*ret_index = (uint32_t)merging->count;
	merging->groups[merging->count++] = *group;
	return 0;
}

static int regroup_by_group(struct pw_profile *profile, struct merging *merging, enum pw_profile_by by)
{
	_cleanup_free_ uint32_t *moved = calloc(profile->group_count + 1, sizeof(*moved));

	if (!moved)
		return -ENOMEM;
	for (size_t i = 0; i < profile->group_count; i++) {
		struct merge_key key = merge_key(&profile->groups[i], by);
		int r = merge_into(merging, &key, &profile->groups[i], &moved[i]);

		if (r < 0)
			return r;
		if (r)
			merge(profile, &merging->groups[moved[i]], &profile->groups[i]);
	}
	for (size_t i = 0; i < profile->goroutine_count; i++)
		profile->goroutines[i].group = moved[profile->goroutines[i].group];
	return 0;
}

static int regroup_by_label(struct pw_profile *profile, struct merging *merging, const char *label_key)
{
	for (size_t i = 0; i < profile->goroutine_count; i++) {
		struct pw_profile_goroutine *row = &profile->goroutines[i];
		struct pw_profile_group *group = &profile->groups[row->group];
		struct merge_key key = {.text = {label_value(profile, row, label_key)}};
		int r = merge_into(merging, &key, group, &row->group);

		if (r < 0)
			return r;
		if (r)
			merge(profile, &merging->groups[row->group], group);
	}
	return 0;
}

int pw_profile_regroup(struct pw_profile *profile, enum pw_profile_by by, const char *label_key)
{
	_cleanup_(merging_done) struct merging merging = {.table = PW_TABLE_INIT(PW_PROFILE_STRINGS_MAX, NULL)};
	bool rows = profile->goroutine_count > 0;
	int r;

	if (by == PW_PROFILE_BY_STACK)
		return 0;
	if (by == PW_PROFILE_BY_LABEL && !rows && profile->group_count)
		return -ENOTSUP;
	merging.groups = calloc(PW_MAX(profile->group_count, profile->goroutine_count) + 1, sizeof(*merging.groups));
	if (!merging.groups)
		return -ENOMEM;
	if (by == PW_PROFILE_BY_LABEL)
		r = regroup_by_label(profile, &merging, label_key);
	else
		r = regroup_by_group(profile, &merging, by);
	if (r < 0)
		return r;
	free(profile->groups);
	profile->groups = TAKE_PTR(merging.groups);
	profile->group_count = merging.count;
	return rows ? pw_profile_summarize(profile) : pw_profile_sort(profile);
}

/* --- compare ----------------------------------------------------------------------------------------------------- */

static void put_frame(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_frame *frame)
{
	pw_buf_puts(out, pw_profile_string(profile, frame->function));
	pw_buf_putc(out, '\n');
	pw_buf_puts(out, pw_profile_string(profile, frame->file));
	pw_buf_printf(out, ":%u\n", frame->line);
}

/* What a group is, in words that hold in both profiles. */
static int identity(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	pw_buf_reset(out);
	pw_buf_printf(out, "%s\n%s\n", group->wait_reason || group->mixed_status ? "" : pw_status_name(group->status),
		      pw_profile_string(profile, group->wait_reason));
	put_frame(out, profile, &group->created_by);
	for (uint32_t i = 0; i < group->frame_count; i++)
		put_frame(out, profile, &profile->frames[group->first_frame + i]);
	return pw_buf_error(out);
}

static int index_old(struct pw_table *table, const struct pw_profile *old, uint64_t *counts)
{
	_cleanup_buf_ struct pw_buf key = PW_BUF_INIT(16U << 20);

	for (size_t i = 0; i < old->group_count; i++) {
		uint64_t *known;
		int r = identity(&key, old, &old->groups[i]);

		if (r < 0)
			return r;
		known = pw_table_peek(table, key.data, key.size);
		if (known) {
			*known += old->groups[i].count;
			continue;
		}
		counts[i] = old->groups[i].count;
		r = pw_table_put(table, key.data, key.size, &counts[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int pw_profile_compare(struct pw_profile *profile, const struct pw_profile *old)
{
	_cleanup_(pw_table_done) struct pw_table table = PW_TABLE_INIT(PW_PROFILE_STRINGS_MAX, NULL);
	_cleanup_(pw_table_done) struct pw_table seen = PW_TABLE_INIT(PW_PROFILE_STRINGS_MAX, NULL);
	_cleanup_free_ uint64_t *counts = calloc(old->group_count + 1, sizeof(*counts));
	_cleanup_buf_ struct pw_buf key = PW_BUF_INIT(16U << 20);
	int r;

	if (!counts)
		return -ENOMEM;
	r = index_old(&table, old, counts);
	for (size_t i = 0; i < profile->group_count && r >= 0; i++) {
		struct pw_profile_group *group = &profile->groups[i];
		struct pw_profile_group *first;
		uint64_t *before;

		r = identity(&key, profile, group);
		if (r < 0)
			break;
		/* Two groups of one name (another pc on the same line): the growth of both is the first one's. */
		first = pw_table_peek(&seen, key.data, key.size);
		group->growth = 0;
		if (first) {
			first->growth += group->count;
			continue;
		}
		before = pw_table_take(&table, key.data, key.size);
		group->growth = (int64_t)group->count - (int64_t)(before ? *before : 0);
		r = pw_table_put(&seen, key.data, key.size, group);
	}
	if (r < 0)
		return r;
	profile->compared = true;
	profile->old_total = profile->gone_groups = profile->gone_goroutines = 0;
	profile->old_taken_wall_ns = old->taken_wall_ns;
	for (size_t i = 0; i < old->group_count; i++)
		profile->old_total += old->groups[i].count;
	pw_table_foreach(&table, entry)
	{
		profile->gone_groups++;
		profile->gone_goroutines += *(uint64_t *)entry->value;
	}
	return 0;
}
