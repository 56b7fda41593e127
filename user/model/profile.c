/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/profile.h"

#include <string.h>

#include "base/intern.h"
#include "base/limits.h"
#include "base/macros.h"
#include "model/record.h"

static const char *const verdicts[] = {"", "possible", "likely", "certain"};

const char *pw_verdict_name(enum pw_verdict verdict)
{
	return (unsigned int)verdict < ARRAY_SIZE(verdicts) ? verdicts[verdict] : "";
}

struct pw_profile *pw_profile_new(void)
{
	struct pw_profile *profile = calloc(1, sizeof(*profile));

	if (!profile)
		return NULL;
	if (pw_intern_new(&profile->strings, PW_PROFILE_STRINGS_MAX, PW_PROFILE_STRING_BYTES_MAX) < 0) {
		free(profile);
		return NULL;
	}
	return profile;
}

void pw_profile_free(struct pw_profile *profile)
{
	if (!profile)
		return;
	free(profile->groups);
	free(profile->goroutines);
	free(profile->cases);
	free(profile->frames);
	free(profile->labels);
	pw_intern_free(profile->strings);
	free(profile);
}

const char *pw_profile_string(const struct pw_profile *profile, uint32_t string)
{
	return pw_intern_text(profile->strings, string);
}

uint32_t pw_profile_intern(struct pw_profile *profile, const char *text)
{
	uint32_t id = 0;

	return pw_intern_adds(profile->strings, text, &id) < 0 ? 0 : id;
}

/* Lists grow by doubling: a list whose count is a power of two (or 0) is full. */
void *pw_profile_list_add(void **items, size_t *count, size_t size)
{
	void *grown;

	if (*count >= PW_PROFILE_ELEMENTS_MAX)
		return NULL;
	if ((*count & (*count - 1)) == 0) {
		grown = reallocarray(*items, *count ? *count * 2 : 1, size);
		if (!grown)
			return NULL;
		*items = grown;
	}
	grown = (char *)*items + (*count)++ * size;
	memset(grown, 0, size);
	return grown;
}

struct pw_profile_group *pw_profile_add_group(struct pw_profile *profile)
{
	return pw_profile_list_add((void **)&profile->groups, &profile->group_count, sizeof(*profile->groups));
}

struct pw_profile_goroutine *pw_profile_add_goroutine(struct pw_profile *profile)
{
	return pw_profile_list_add((void **)&profile->goroutines, &profile->goroutine_count,
				   sizeof(*profile->goroutines));
}

struct pw_profile_frame *pw_profile_add_frame(struct pw_profile *profile)
{
	return pw_profile_list_add((void **)&profile->frames, &profile->frame_count, sizeof(*profile->frames));
}

struct pw_profile_label *pw_profile_add_label(struct pw_profile *profile)
{
	return pw_profile_list_add((void **)&profile->labels, &profile->label_count, sizeof(*profile->labels));
}

/* --- summary ----------------------------------------------------------------------------------------------------- */

/* Rows by group: the members of group g are order[first[g]] .. order[first[g + 1] - 1], ascending by goid. */
struct membership {
	uint32_t *first, *order;
	uint64_t *ages; /* room for those of one group */
	uint32_t *objects;
};

static void membership_done(struct membership *members)
{
	free(members->first);
	free(members->order);
	free(members->ages);
	free(members->objects);
}

static int membership_make(struct membership *ret_members, const struct pw_profile *profile)
{
	struct membership members = {
		.first = calloc(profile->group_count + 2, sizeof(uint32_t)),
		.order = calloc(profile->goroutine_count + 1, sizeof(uint32_t)),
		.ages = calloc(profile->goroutine_count + 1, sizeof(uint64_t)),
		.objects = calloc(profile->goroutine_count + 1, sizeof(uint32_t)),
	};

	if (!members.first || !members.order || !members.ages || !members.objects) {
		membership_done(&members);
		return -ENOMEM;
	}
	/* One place up, so that filling moves first[g + 1] from the start of g to its end. */
	for (size_t i = 0; i < profile->goroutine_count; i++)
		if (profile->goroutines[i].group + 2 <= profile->group_count)
			members.first[profile->goroutines[i].group + 2]++;
	for (size_t g = 2; g <= profile->group_count; g++)
		members.first[g] += members.first[g - 1];
	for (size_t i = 0; i < profile->goroutine_count; i++)
		if (profile->goroutines[i].group < profile->group_count)
			members.order[members.first[profile->goroutines[i].group + 1]++] = (uint32_t)i;
	*ret_members = members;
	return 0;
}

static int by_age(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static int by_number(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static void summarize_ages(struct pw_profile_group *group, const struct pw_profile_goroutine *rows,
			   const uint32_t *order, struct membership *members)
{
	bool parked = pw_status_parked(group->status) && !group->mixed_status;

	for (uint32_t i = 0; i < group->count; i++) {
		const struct pw_profile_goroutine *row = &rows[order[i]];
		uint64_t age = parked ? row->parked_ns : row->age_ns;

		if (age > group->age_max_ns || !i)
			group->age_at_least = parked ? row->parked_at_least : row->age_at_least;
		else if (age == group->age_max_ns)
			group->age_at_least |= parked ? row->parked_at_least : row->age_at_least;
		group->age_max_ns = PW_MAX(group->age_max_ns, age);
		members->ages[i] = age;
	}
	qsort(members->ages, group->count, sizeof(uint64_t), by_age);
	group->age_min_ns = members->ages[0];
	group->age_median_ns = members->ages[group->count / 2];
}

static void summarize_runs(struct pw_profile_group *group, const struct pw_profile_goroutine *rows,
			   const uint32_t *order, uint64_t elapsed_ns)
{
	uint64_t runs = 0;
	bool known = false;

	for (uint32_t i = 0; i < group->count; i++) {
		uint32_t n = rows[order[i]].runs;

		group->arrived += n == UINT32_MAX && elapsed_ns;
		if (n == UINT32_MAX)
			continue;
		known = true;
		runs += n;
		group->never_ran += n == 0;
	}
	group->runs_per_second = known && elapsed_ns ? (double)runs * 1e9 / (double)elapsed_ns : -1;
}

/* The most common kind among the members; its figures are the largest of each, so that "closed", "nil" and queues show.
 */
static void summarize_wait(struct pw_profile_group *group, const struct pw_profile_goroutine *rows,
			   const uint32_t *order, struct membership *members)
{
	const struct pw_profile_wait *typical = NULL;
	uint32_t balance = 0, objects = 0;

	for (uint32_t i = 0; i < group->count; i++) { /* the majority's, if there is one (Boyer and Moore) */
		const struct pw_profile_wait *wait = &rows[order[i]].wait;

		if (!wait->kind)
			continue;
		if (!balance || !typical)
			typical = wait;
		if (typical->kind == wait->kind)
			balance++;
		else
			balance--;
	}
	if (!typical)
		return;
	group->waiting_on = *typical;
	for (uint32_t i = 0; i < group->count; i++) {
		const struct pw_profile_wait *wait = &rows[order[i]].wait;

		if (wait->kind != typical->kind)
			continue;
		if (wait->object)
			members->objects[objects++] = wait->object;
		if (!group->waiting_on.present && wait->present)
			group->waiting_on = *wait;
		group->waiting_on.nil = group->waiting_on.nil && wait->nil;
		group->waiting_on.closed = group->waiting_on.closed || wait->closed;
		if (!group->waiting_on.owner_goid)
			group->waiting_on.owner_goid = wait->owner_goid;
		if (wait->deadline_ns > 0 &&
		    (group->waiting_on.deadline_ns == INT64_MIN || wait->deadline_ns < group->waiting_on.deadline_ns))
			group->waiting_on.deadline_ns = wait->deadline_ns; /* the next to come */
	}
	qsort(members->objects, objects, sizeof(uint32_t), by_number);
	for (uint32_t i = 0; i < objects; i++)
		group->distinct_objects += !i || members->objects[i] != members->objects[i - 1];
	if (group->distinct_objects > 1) { /* no figure of one fd or owner speaks for all of them */
		group->waiting_on.object = 0;
		group->waiting_on.fd = -1;
	}
}

static bool has_label(const struct pw_profile *profile, const struct pw_profile_goroutine *row,
		      struct pw_profile_label label)
{
	for (uint32_t i = 0; i < row->label_count; i++)
		if (profile->labels[row->first_label + i].key == label.key &&
		    profile->labels[row->first_label + i].value == label.value)
			return true;
	return false;
}

/* Labels that all members have. Most groups have none, or members that share one list. */
static int summarize_labels(struct pw_profile *profile, struct pw_profile_group *group, const uint32_t *order)
{
	struct pw_profile_goroutine first = profile->goroutines[order[0]];
	uint32_t start = (uint32_t)profile->label_count;

	group->label_count = 0;
	for (uint32_t i = 0; i < first.label_count; i++) {
		struct pw_profile_label label = profile->labels[first.first_label + i], *added;
		bool common = true;

		for (uint32_t k = 1; k < group->count && common; k++)
			common = has_label(profile, &profile->goroutines[order[k]], label);
		if (!common)
			continue;
		added = pw_profile_add_label(profile);
		if (!added)
			return -ENOMEM;
		*added = label;
		group->label_count++;
	}
	group->first_label = start;
	return 0;
}

static void summary_reset(struct pw_profile_group *group, uint32_t count)
{
	group->count = count;
	group->age_min_ns = group->age_median_ns = group->age_max_ns = 0;
	group->age_at_least = false;
	group->runs_per_second = -1;
	group->never_ran = group->arrived = 0;
	group->waiting_on = (struct pw_profile_wait){.fd = -1, .deadline_ns = INT64_MIN, .counter = -1};
	group->waiting_on.length = group->waiting_on.capacity = UINT64_MAX;
	group->waiting_on.receivers = group->waiting_on.senders = UINT64_MAX;
	group->distinct_objects = 0;
}

int pw_profile_summarize(struct pw_profile *profile)
{
	_cleanup_(membership_done) struct membership members = {0};
	int r = membership_make(&members, profile);

	if (r < 0)
		return r;
	profile->total = 0;
	for (size_t g = 0; g < profile->group_count && r >= 0; g++) {
		struct pw_profile_group *group = &profile->groups[g];
		const uint32_t *order = members.order + members.first[g];

		summary_reset(group, members.first[g + 1] - members.first[g]);
		if (!group->count)
			continue;
		profile->total += group->count;
		summarize_ages(group, profile->goroutines, order, &members);
		summarize_runs(group, profile->goroutines, order, profile->elapsed_ns);
		summarize_wait(group, profile->goroutines, order, &members);
		r = summarize_labels(profile, group, order);
	}
	return r < 0 ? r : pw_profile_sort(profile);
}

uint32_t pw_profile_shown_frames(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	uint32_t count = group->frame_count;

	if (count && !strcmp(pw_profile_string(profile, profile->frames[group->first_frame + count - 1].function),
			     "runtime.goexit"))
		count--;
	return count;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

struct sortable {
	struct pw_profile_group group;
	uint32_t index;
};

static int by_weight(const void *a, const void *b)
{
	const struct sortable *left = a, *right = b;
	const struct pw_profile_group *x = &left->group, *y = &right->group;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x->system != y->system)
		return x->system ? 1 : -1;
	if (x->age_max_ns != y->age_max_ns)
		return x->age_max_ns < y->age_max_ns ? 1 : -1;
	return left->index < right->index ? -1 : left->index > right->index;
}

int pw_profile_sort(struct pw_profile *profile)
{
	_cleanup_free_ struct sortable *items = calloc(profile->group_count + 1, sizeof(*items));
	_cleanup_free_ uint32_t *moved = calloc(profile->group_count + 1, sizeof(*moved));
	size_t kept = 0;

	if (!items || !moved)
		return -ENOMEM;
	for (size_t i = 0; i < profile->group_count; i++) {
		moved[i] = UINT32_MAX;
		if (profile->groups[i].count)
			items[kept++] = (struct sortable){profile->groups[i], (uint32_t)i};
	}
	qsort(items, kept, sizeof(*items), by_weight);
	for (size_t i = 0; i < kept; i++) {
		profile->groups[i] = items[i].group;
		moved[items[i].index] = (uint32_t)i;
	}
	for (size_t i = 0; i < profile->goroutine_count; i++) {
		uint32_t group = profile->goroutines[i].group;

		profile->goroutines[i].group = group < profile->group_count ? moved[group] : UINT32_MAX;
	}
	profile->group_count = kept;
	return 0;
}
