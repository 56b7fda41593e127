/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "observe/digest.h"
#include "observe/parks_state.h"
#include "observe/profile_wait.h"
#include "target/symbolize.h"

/* From a snapshot summed up to words: names of the stacks that are shown, and the section of the record. */

/* --- names ------------------------------------------------------------------------------------------------------- */

struct naming {
	struct pw_named_frame frames[PW_PARK_FRAMES_MAX];
	size_t count;
};

static int take_frame(void *context, const struct pw_located_frame *from, const struct pw_snapshot_pc *pc pw_unused,
		      uint64_t addr)
{
	struct naming *naming = context;
	struct pw_named_frame *to = &naming->frames[naming->count];

	if (naming->count == PW_PARK_FRAMES_MAX)
		return 1;
	if (from && !strcmp(from->function, "runtime.goexit"))
		return 0; /* where every goroutine ends: says nothing */
	*to = (struct pw_named_frame){.addr = addr};
	if (from) {
		to->function = from->function;
		to->file = from->file;
		to->line = from->line;
		to->inlined = from->inlined;
	}
	naming->count++;
	return 0;
}

static void name_group(struct pw_parks *parks, struct pw_park_group *group, struct pw_symbolizer *symbolizer)
{
	const struct pw_snapshot_pc *pcs = parks->pcs.items + group->first_own;
	struct naming naming = {};

	if (symbolizer && pw_stack_ask(symbolizer, pcs, group->own_count) == -EAGAIN)
		return;
	(void)pw_stack_frames(symbolizer, pcs, group->own_count, take_frame, &naming);
	group->frames = malloc((naming.count + !naming.count) * sizeof(*naming.frames));
	if (!group->frames)
		return;
	memcpy(group->frames, naming.frames, naming.count * sizeof(*naming.frames));
	group->frame_count = naming.count;
	parks->unnamed--;
	parks->generation = 0;
}

bool pw_parks_name(struct pw_parks *parks, struct pw_symbolizer *symbolizer)
{
	if (!parks->complete || !parks->unnamed)
		return true;
	for (size_t i = 0; i < parks->used; i++)
		if (parks->groups.items[i]->shown && !parks->groups.items[i]->frames)
			name_group(parks, parks->groups.items[i], symbolizer);
	return !parks->unnamed;
}

/* --- the record -------------------------------------------------------------------------------------------------- */

enum pw_sync_class pw_park_sync_class(const struct pw_park_group *group, const char (*names)[40], size_t name_count)
{
	const char *functions[PW_SYNC_FRAMES], *reason = "";
	size_t count = PW_MIN(group->frame_count, (size_t)PW_SYNC_FRAMES);

	if (pw_status_parked(group->key.status) && group->key.reason < name_count)
		reason = names[group->key.reason];
	for (size_t i = 0; i < count; i++)
		functions[i] = group->frames[i].function;
	return pw_sync_class(reason, functions, count);
}

static struct pw_record_wait wait_of(const struct pw_parks *parks, const struct pw_park_group *group,
				     enum pw_sync_class class, struct pw_record_builder *builder)
{
	const struct pw_wait *from = &group->wait;
	struct pw_profile_wait words = pw_profile_wait_of(NULL, from, class, parks->monotonic_ns);

	return (struct pw_record_wait){
		.kind = pw_record_builder_string(builder, pw_wait_kind_name(from->kind)),
		.known = from->known,
		.nil = from->nil,
		.closed = from->closed,
		.objects = group->objects,
		.length = from->known ? words.length : PW_UNKNOWN,
		.capacity = from->known ? words.capacity : PW_UNKNOWN,
		.receivers = from->known ? words.receivers : PW_UNKNOWN,
		.senders = from->known ? words.senders : PW_UNKNOWN,
		.sync = from->kind == PW_WAIT_SEMAPHORE ? pw_record_builder_string(builder, pw_sync_name(class)) : 0,
		.state_known = words.state_known,
		.locked = words.locked,
		.starving = words.starving,
		.woken = words.woken,
		.writer = words.writer,
		.cases = words.cases,
		.fd = group->objects <= 1 ? words.fd : -1,
		.deadline_ns = words.deadline_ns,
		.period_ns = words.period_ns,
		.counter = words.counter,
		.owner_goid = words.owner_goid,
	};
}

static void write_group(const struct pw_parks *parks, const struct pw_park_group *group, const char (*names)[40],
			size_t name_count, struct pw_record_builder *builder)
{
	struct pw_record_park *park = pw_record_builder_park(builder, NULL);

	if (!park)
		return;
	park->statement = group->key.statement;
	park->status = group->key.status;
	park->truncated = group->shown && (group->key.truncated || group->key.pc_count > PW_PARK_FRAMES_MAX);
	if (pw_status_parked(group->key.status))
		park->reason = pw_reason_string(builder, names, name_count, group->key.reason);
	park->stack = pw_frames_write(group->frames, group->frame_count, builder);
	park->stacks = group->stacks;
	park->count = group->count;
	park->never_ran = group->never_ran;
	park->arrived = group->arrived;
	park->runs = group->runs_known ? group->runs : PW_UNKNOWN;
	if (group->oldest_since_ns != UINT64_MAX) {
		park->oldest_since_ns = group->oldest_since_ns;
		park->oldest_at_least = group->oldest_at_least;
	}
	park->wait = wait_of(parks, group, pw_park_sync_class(group, names, name_count), builder);
	park->sockets = pw_park_sockets_write(&group->sockets);
	park->count_initial = group->count_initial;
	park->largest_stack_bytes = group->largest_stack_bytes;
	pw_age_steps_write(&group->ages, builder, pw_record_builder_park_age, &park->first_age, &park->age_count);
	pw_age_steps_write(&group->births, builder, pw_record_builder_park_age, &park->first_birth, &park->birth_count);
}

void pw_parks_write_sizes(const struct pw_parks *parks, struct pw_record *draft)
{
	draft->snapshot.stack_p99_bytes = pw_stack_sizes_p99(&parks->sizes);
	draft->snapshot.large_count = parks->sizes.large_count;
	for (uint32_t i = 0; i < parks->sizes.large_count; i++) {
		draft->snapshot.large[i] = parks->sizes.large[i].shown;
		draft->snapshot.large[i].park = parks->sizes.large[i].group->into->position;
	}
}

uint64_t pw_parks_locks_left_out(const struct pw_parks *parks)
{
	return parks->locks.left_out;
}

void pw_parks_write(struct pw_parks *parks, const char (*names)[40], size_t name_count,
		    struct pw_record_builder *builder)
{
	bool index = parks->generation != pw_record_builder_generation(builder);

	for (size_t i = 0; i < parks->used; i++) {
		struct pw_park_group *group = parks->groups.items[i];

		if (group->into != group)
			continue;
		if (index)
			pw_frames_index(group->frames, group->frame_count, builder);
		write_group(parks, group, names, name_count, builder);
	}
	parks->generation = pw_record_builder_generation(builder);
	pw_locks_write(parks, names, name_count, builder);
	pw_vec_foreach (&parks->rows, row) {
		struct pw_record_row *to = pw_record_builder_row(builder, NULL);

		if (!to)
			return;
		*to = row->shown;
		to->park = row->group->into->position;
	}
}
