/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/profile_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"

static uint32_t intern(struct pw_profile *profile, const struct pw_record *record, pw_string string)
{
	return pw_profile_intern(profile, pw_record_string(record, string));
}

static int add_frames(struct pw_profile *profile, struct pw_profile_group *group, const struct pw_record *record,
		      const struct pw_record_park *park)
{
	const struct pw_record_stack *stack;

	group->first_frame = (uint32_t)profile->frame_count;
	if (park->stack == UINT32_MAX)
		return 0;
	stack = &record->stacks[park->stack];
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct pw_record_frame *from = &record->frames[stack->first + i];
		struct pw_profile_frame *to = pw_profile_add_frame(profile);
		char text[32];

		if (!to)
			return -ENOMEM;
		to->function = intern(profile, record, from->function);
		if (!from->function) { /* a frame without a name is its address */
			snprintf(text, sizeof(text), "0x%" PRIx64, from->addr);
			to->function = pw_profile_intern(profile, text);
		}
		to->file = intern(profile, record, from->file);
		to->line = from->line;
		to->inlined = from->inlined;
		to->addr = from->addr;
	}
	group->frame_count = stack->count;
	return 0;
}

static uint64_t since(uint64_t then, uint64_t now)
{
	return then < now ? now - then : 0;
}

/* Of the park if it waits, else of the goroutine; steps are oldest first. */
static void set_ages(struct pw_profile_group *group, const struct pw_record *record, const struct pw_record_park *park)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns, total = 0, below = 0;
	uint32_t first = park->age_count ? park->first_age : park->first_birth;
	uint32_t count = park->age_count ? park->age_count : park->birth_count;

	if (!count)
		return;
	for (uint32_t i = first; i < first + count; i++)
		total += record->snapshot.ages[i].count;
	group->age_max_ns = since(record->snapshot.ages[first].born_before_ns, taken_ns);
	group->age_min_ns = since(record->snapshot.ages[first + count - 1].born_before_ns, taken_ns);
	for (uint32_t i = first; i < first + count && 2 * below <= total; i++) {
		below += record->snapshot.ages[i].count;
		group->age_median_ns = since(record->snapshot.ages[i].born_before_ns, taken_ns);
	}
	group->age_at_least = park->age_count && park->oldest_at_least;
}

static struct pw_profile_wait wait_of(struct pw_profile *profile, const struct pw_record *record,
				      const struct pw_record_wait *from)
{
	return (struct pw_profile_wait){.kind = intern(profile, record, from->kind),
					.present = from->known,
					.nil = from->nil,
					.closed = from->closed,
					.length = from->length,
					.capacity = from->capacity,
					.receivers = from->receivers,
					.senders = from->senders,
					.fd = from->fd,
					.deadline_ns = from->deadline_ns,
					.cases = from->cases,
					.period_ns = from->period_ns,
					.sync = intern(profile, record, from->sync),
					.state_known = from->state_known,
					.locked = from->locked,
					.starving = from->starving,
					.woken = from->woken,
					.writer = from->writer,
					.counter = from->counter,
					.owner_goid = from->owner_goid};
}

static int add_group(struct pw_profile *profile, const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_statement *statement = &record->statements[park->statement];
	const char *starter = pw_record_string(record, statement->function);
	struct pw_profile_group *group = pw_profile_add_group(profile);

	if (!group)
		return -ENOMEM;
	group->count = (uint32_t)PW_MIN(park->count, (uint64_t)UINT32_MAX);
	group->status = park->status;
	group->wait_reason = intern(profile, record, park->reason);
	group->system = statement->system;
	group->truncated = park->truncated;
	group->runs_per_second = -1;
	if (park->runs != PW_UNKNOWN && record->snapshot.elapsed_ns)
		group->runs_per_second = (double)park->runs * 1e9 / (double)record->snapshot.elapsed_ns;
	group->never_ran = park->never_ran;
	group->arrived = park->arrived;
	group->waiting_on = wait_of(profile, record, &park->wait);
	group->distinct_objects = park->wait.objects;
	if (strncmp(starter, "runtime.", 8) != 0) {
		group->created_by.function = pw_profile_intern(profile, starter);
		group->created_by.file = intern(profile, record, statement->file);
		group->created_by.line = statement->line;
	}
	set_ages(group, record, park);
	profile->total += group->count;
	return add_frames(profile, group, record, park);
}

/* Goroutines one by one, where the record has them. Only what is asked of one: its group, whether it ran, whom it waits
 * for. */
static int add_row(struct pw_profile *profile, const struct pw_record *record, const struct pw_record_row *row)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns;
	struct pw_profile_goroutine *to = pw_profile_add_goroutine(profile);

	if (!to)
		return -ENOMEM;
	*to = (struct pw_profile_goroutine){.goid = row->goid,
					    .group = row->park,
					    .runs = row->runs,
					    .age_ns = since(row->born_before_ns, taken_ns),
					    .age_at_least = !row->born_after_ns,
					    .parked_ns =
						    row->parked_since_ns ? since(row->parked_since_ns, taken_ns) : 0,
					    .wait = {.length = UINT64_MAX,
						     .capacity = UINT64_MAX,
						     .receivers = UINT64_MAX,
						     .senders = UINT64_MAX,
						     .fd = -1,
						     .deadline_ns = INT64_MIN,
						     .object = row->object,
						     .counter = -1,
						     .owner_goid = row->owner_goid}};
	return 0;
}

static void set_head(struct pw_profile *profile, const struct pw_record *record)
{
	const struct pw_record_identity *id = &record->identity;

#define TEXT(member, string) snprintf(profile->member, sizeof(profile->member), "%s", pw_record_string(record, string))
	TEXT(process, id->process);
	TEXT(go_version, id->go_version);
	TEXT(service, id->service);
	TEXT(build_id, id->build_id);
	TEXT(exe, id->exe);
#undef TEXT
	profile->pid = id->pid;
	profile->taken_wall_ns = since(since(record->snapshot.section.taken_ns, record->boot_ns), record->wall_ns);
	profile->duration_ns = record->snapshot.duration_ns;
	profile->elapsed_ns = record->snapshot.elapsed_ns;
	profile->looks = profile->elapsed_ns ? 2 : 1;
	profile->skipped = record->snapshot.skipped;
	profile->torn = record->snapshot.torn;
}

int pw_profile_from_record(const struct pw_record *record, struct pw_profile **ret_profile)
{
	struct pw_profile *profile;
	int r = 0;

	if (!record->snapshot.section.present)
		return -ENODATA;
	profile = pw_profile_new();
	if (!profile)
		return -ENOMEM;
	set_head(profile, record);
	for (size_t i = 0; i < record->snapshot.park_count && !r; i++)
		r = add_group(profile, record, &record->snapshot.parks[i]);
	for (size_t i = 0; i < record->snapshot.row_count && !r; i++)
		r = add_row(profile, record, &record->snapshot.rows[i]);
	if (!r)
		r = pw_profile_sort(profile);
	if (r < 0) {
		pw_profile_free(profile);
		return r;
	}
	*ret_profile = profile;
	return 0;
}
