/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/record.h"
#include "observe/steps.h"

/* Records of a program that is described by its go statements: see records.h. */

void program_spawn(struct program_statement *statement, uint32_t second, uint32_t count)
{
	statement->born[second] += count;
	statement->newest = PW_MAX(statement->newest, second);
	statement->spawned += count;
}

void program_end_oldest(struct program_statement *statement, uint64_t count)
{
	uint64_t initial = PW_MIN(count, statement->initial);

	statement->initial -= initial;
	statement->exited += initial;
	count -= initial;
	while (count && statement->oldest < PROGRAM_SECONDS) {
		uint32_t ended = (uint32_t)PW_MIN(count, (uint64_t)statement->born[statement->oldest]);

		statement->born[statement->oldest] -= ended;
		statement->exited += ended;
		count -= ended;
		if (count)
			statement->oldest++;
	}
}

void program_end_youngest(struct program_statement *statement, uint32_t second, uint64_t count)
{
	for (uint32_t i = second; count; i--) {
		uint32_t ended = (uint32_t)PW_MIN(count, (uint64_t)statement->born[i]);

		statement->born[i] -= ended;
		statement->exited += ended;
		count -= ended;
		if (!i)
			break;
	}
}

uint64_t program_live(const struct program_statement *statement)
{
	uint64_t live = statement->initial;

	for (uint32_t i = statement->oldest; i <= statement->newest; i++)
		live += statement->born[i];
	return live;
}

static void add_step(struct pw_record_builder *builder, struct pw_record_group *group, uint64_t born_ns, uint32_t count)
{
	struct pw_record_age *age;
	uint32_t index;

	age = pw_record_builder_age(builder, &index);
	if (!group->age_count)
		group->first_age = index;
	group->age_count++;
	age->born_before_ns = born_ns;
	age->count = count;
}

static void program_group(const struct program *program, struct pw_record_builder *builder, uint32_t index,
			  uint32_t second, uint64_t taken_ns)
{
	const struct program_statement *from = program->statements[index];
	struct pw_record_group *group = pw_record_builder_group(builder, NULL);
	uint64_t step_ns = 0;
	uint32_t step_count = 0;

	group->statement = index;
	group->status = PW_GOROUTINE_WAITING;
	group->reason = pw_record_builder_string(builder, from->reason);
	group->count = group->count_initial = from->initial;
	group->oldest_born_before_ns = from->initial ? program->epoch_ns : taken_ns;
	for (uint32_t i = from->oldest; i <= second && i < PROGRAM_SECONDS; i++) {
		uint64_t born_ns = pw_age_step(program->epoch_ns + i * PW_NS_PER_SEC, taken_ns);

		if (!from->born[i])
			continue;
		group->count += from->born[i];
		if (step_count && born_ns != step_ns) {
			add_step(builder, group, step_ns, step_count);
			step_count = 0;
		}
		step_ns = born_ns;
		step_count += from->born[i];
	}
	if (step_count)
		add_step(builder, group, step_ns, step_count);
}

static void add_birth(struct pw_record_builder *builder, struct pw_record_park *park, uint64_t born_ns, uint32_t count)
{
	struct pw_record_age *age;
	uint32_t index;

	if (!count)
		return;
	age = pw_record_builder_park_age(builder, &index);
	if (!park->birth_count)
		park->first_birth = index;
	park->birth_count++;
	*age = (struct pw_record_age){.born_before_ns = born_ns, .count = count};
}

static void program_births(const struct program *program, struct pw_record_builder *builder,
			   struct pw_record_park *park, const struct program_statement *from, uint64_t taken_ns)
{
	uint64_t step_ns = 0;
	uint32_t count = 0;

	for (uint32_t i = from->oldest; i <= from->newest; i++) {
		uint64_t born_ns;

		if (!from->born[i])
			continue;
		born_ns = pw_age_step(program->epoch_ns + i * PW_NS_PER_SEC, taken_ns);
		if (born_ns != step_ns) {
			add_birth(builder, park, step_ns, count);
			count = 0;
		}
		step_ns = born_ns;
		count += from->born[i];
	}
	add_birth(builder, park, step_ns, count);
}

/* All of a statement parked on one stack since the snapshot before, each sending on one unbuffered channel. */
static void program_park(const struct program *program, struct pw_record *draft, struct pw_record_builder *builder,
			 uint32_t index)
{
	const struct program_statement *from = program->statements[index];
	const char *const functions[] = {"runtime.gopark", from->caller ? from->caller : "main.publish", "main.handle"};
	uint64_t taken_ns = draft->snapshot.section.taken_ns;
	struct pw_record_park *park = pw_record_builder_park(builder, NULL);
	uint32_t first = 0;

	park->statement = index;
	park->count_initial = from->initial;
	program_births(program, builder, park, from, taken_ns);
	park->runs = from->runs_each * program_live(from);
	park->status = PW_GOROUTINE_WAITING;
	park->reason = pw_record_builder_string(builder, program->statements[index]->reason);
	park->count = program_live(from);
	park->never_ran = from->runs_each ? 0 : park->count;
	park->stacks = 1;
	park->oldest_since_ns = taken_ns - (from->parked_seconds ? from->parked_seconds : 10) * PW_NS_PER_SEC;
	*pw_record_builder_park_age(builder, &park->first_age) =
		(struct pw_record_age){.born_before_ns = park->oldest_since_ns, .count = park->count};
	park->age_count = 1;
	park->wait = (struct pw_record_wait){.kind = pw_record_builder_string(builder, "channel"),
					     .known = true,
					     .objects = from->objects ? from->objects : 1,
					     .length = 0,
					     .senders = park->count,
					     .fd = -1,
					     .deadline_ns = INT64_MIN,
					     .counter = -1};
	park->sockets = from->sockets;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(builder, &first);

		frame->function = pw_record_builder_string(builder, functions[i]);
		frame->file = pw_record_builder_string(builder, "/src/bus.go");
		frame->line = 40 + (uint32_t)i;
		frame->addr = from->gopc + i;
	}
	*pw_record_builder_stack(builder, &park->stack) = (struct pw_record_stack){first - 2, 3};
}

struct pw_record *program_record(const struct program *program, struct pw_record_builder *builder, uint32_t second)
{
	struct pw_record *draft = pw_record_builder_begin(builder), *record = NULL;
	uint64_t taken_ns = program->epoch_ns + second * PW_NS_PER_SEC;

	draft->sequence = second + 1;
	draft->boot_ns = taken_ns;
	draft->wall_ns = program->wall_epoch_ns + second * PW_NS_PER_SEC;
	draft->interval_ns = PW_NS_PER_SEC;
	draft->identity.target_id = program->target_id;
	draft->identity.pid = program->pid ? program->pid : 4711;
	if (program->build)
		draft->identity.build_id = pw_record_builder_string(builder, program->build);
	draft->identity.start_time_ns = program->start_ns;
	draft->identity.service = pw_record_builder_string(builder, program->service);
	draft->identity.process = pw_record_builder_string(builder, "orders");
	draft->census.section = (struct pw_section){.present = true, .version = 1, .taken_ns = taken_ns};
	if (program->events)
		draft->events.section = draft->census.section;
	if (program->snapshots) {
		draft->snapshot.section = draft->census.section;
		draft->snapshot.section.taken_ns = program->epoch_ns + program->snapshot_second * PW_NS_PER_SEC;
		draft->snapshot.interval_ns = 10 * PW_NS_PER_SEC;
		draft->snapshot.elapsed_ns = program->snapshot_elapsed_seconds * PW_NS_PER_SEC;
	}
	for (uint32_t i = 0; i < program->count; i++) {
		const struct program_statement *from = program->statements[i];
		struct pw_record_statement *statement = pw_record_builder_statement(builder, NULL);
		struct pw_record_event_count *count;

		if (!statement)
			break;
		draft->census.total += program_live(from);
		draft->census.system += from->system ? program_live(from) : 0;
		statement->gopc = from->gopc;
		statement->function = pw_record_builder_string(builder, from->function);
		statement->file = pw_record_builder_string(builder, from->file);
		statement->line = from->line;
		statement->system = from->system;
		if (program->events) {
			count = pw_record_builder_event_count(builder, NULL);
			count->statement = i;
			count->spawned = from->spawned;
			count->exited = from->exited;
			count->creation_stack = UINT32_MAX;
		}
		program_group(program, builder, i, second, taken_ns);
		if (program->snapshots)
			program_park(program, draft, builder, i);
	}
	return pw_record_builder_finish(builder, &record) == 0 ? record : NULL;
}
