/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TESTS_OUTPUT_SAMPLE_H
#define PW_TESTS_OUTPUT_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"

/* Small records for the tests of the faces, built by hand so that every expected byte can be written down. */
struct sample_site {
	uint64_t gopc;
	const char *function, *file;
	uint32_t line;
	uint64_t spawned, exited, parked, live;
	const char *reason;
};

/* count goroutines of a statement parked in function, below it in runtime.gopark, each for so many seconds. */
struct sample_park {
	uint32_t statement;
	const char *function; /* NULL: no stack */
	const char *reason, *kind;
	uint64_t count, seconds;
};

static inline void sample_park(struct pw_record *draft, struct pw_record_builder *builder,
			       const struct sample_park *from)
{
	const char *const functions[] = {"runtime.gopark", from->function};
	struct pw_record_park *park = pw_record_builder_park(builder, NULL);
	struct pw_record_age *age = pw_record_builder_park_age(builder, &park->first_age);
	uint32_t first = 0;

	park->age_count = 1;
	age->born_before_ns = park->oldest_since_ns = draft->snapshot.section.taken_ns - from->seconds * PW_NS_PER_SEC;
	age->count = park->count = park->never_ran = from->count;
	park->statement = from->statement;
	park->status = PW_GOROUTINE_WAITING;
	park->reason = pw_record_builder_string(builder, from->reason);
	park->wait = (struct pw_record_wait){.kind = pw_record_builder_string(builder, from->kind),
					     .known = true,
					     .objects = 1,
					     .length = 0,
					     .capacity = 0,
					     .receivers = 0,
					     .senders = from->count};
	park->stack = UINT32_MAX;
	for (size_t i = 0; from->function && i < ARRAY_SIZE(functions); i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(builder, &first);

		frame->function = pw_record_builder_string(builder, functions[i]);
		frame->file = pw_record_builder_string(builder, "/src/park.go");
		frame->line = (uint32_t)(7 + i);
	}
	if (from->function)
		*pw_record_builder_stack(builder, &park->stack) = (struct pw_record_stack){first - 1, 2};
}

static inline struct pw_record *sample_record_parks(const char *process, const struct sample_site *sites, size_t count,
						    uint64_t taken_ns, const struct sample_park *parks,
						    size_t park_count)
{
	struct pw_record_builder *builder = NULL;
	struct pw_record *draft, *record = NULL;

	if (pw_record_builder_new(&builder))
		abort();
	draft = pw_record_builder_begin(builder);
	draft->boot_ns = taken_ns;
	draft->identity.pid = 42;
	draft->identity.target_id = 7;
	draft->identity.service = pw_record_builder_string(builder, "shop");
	draft->identity.process = pw_record_builder_string(builder, process);
	draft->identity.exe = pw_record_builder_string(builder, "/bin/shop");
	draft->identity.go_version = pw_record_builder_string(builder, "go1.24.4");
	draft->identity.module = pw_record_builder_string(builder, "example.org/shop");
	draft->identity.revision = pw_record_builder_string(builder, "0123456789abcdef");
	draft->identity.stripped = true;
	draft->abilities[PW_ABILITY_EVENTS].ok = true;
	draft->abilities[PW_ABILITY_MEMORY].ok = true;
	draft->abilities[PW_ABILITY_SYMBOLS].reason = pw_record_builder_string(builder, "no table: \x1b[31mred");
	draft->events.section = (struct pw_section){.present = true, .taken_ns = taken_ns};
	draft->events.spawn.counting = draft->events.exit.counting = draft->events.park.counting = PW_COUNTING_CONTINUOUS;
	draft->cost.governor_state = pw_record_builder_string(builder, "continuous");
	draft->census.section = (struct pw_section){.present = true, .taken_ns = taken_ns};
	draft->runtime.section = (struct pw_section){.present = true, .taken_ns = taken_ns};
	pw_runtime_numbers_init(&draft->runtime.numbers);
	draft->runtime.numbers.goroutines = 0;
	for (size_t i = 0; i < count; i++) {
		struct pw_record_statement *statement = pw_record_builder_statement(builder, NULL);
		struct pw_record_reason_count *reason;
		struct pw_record_event_count *events;
		struct pw_record_group *group;

		statement->gopc = sites[i].gopc;
		statement->function = pw_record_builder_string(builder, sites[i].function);
		statement->file = pw_record_builder_string(builder, sites[i].file);
		statement->line = sites[i].line;
		events = pw_record_builder_event_count(builder, NULL);
		events->statement = (uint32_t)i;
		events->spawned = sites[i].spawned;
		events->exited = sites[i].exited;
		events->parked = sites[i].parked;
		events->ran = PW_UNKNOWN;
		events->first_reason = (uint32_t)i;
		events->reason_count = 1;
		events->creation_stack = UINT32_MAX;
		reason = pw_record_builder_reason(builder, NULL);
		reason->reason = pw_record_builder_string(builder, sites[i].reason);
		reason->count = sites[i].parked;
		draft->events.spawned += sites[i].spawned;
		draft->events.exited += sites[i].exited;
		draft->events.parked += sites[i].parked;
		if (!sites[i].live)
			continue;
		group = pw_record_builder_group(builder, NULL);
		group->statement = (uint32_t)i;
		group->status = PW_GOROUTINE_WAITING;
		group->reason = pw_record_builder_string(builder, sites[i].reason);
		group->count = sites[i].live;
		draft->runtime.numbers.goroutines += sites[i].live;
	}
	if (park_count)
		draft->snapshot.section = (struct pw_section){.present = true, .taken_ns = taken_ns};
	for (size_t i = 0; i < park_count; i++)
		sample_park(draft, builder, &parks[i]);
	if (pw_record_builder_finish(builder, &record))
		abort();
	pw_record_builder_free(builder);
	return record;
}

static inline struct pw_record *sample_record(const char *process, const struct sample_site *sites, size_t count,
					      uint64_t taken_ns)
{
	return sample_record_parks(process, sites, count, taken_ns, NULL, 0);
}

static inline struct pw_alert sample_alert(enum pw_alert_state state)
{
	struct pw_alert alert = {
		.id = "g08-1",
		.rule = "PW-G08",
		.level = PW_LEVEL_WARNING,
		.state = state,
		.confidence = "suspected",
		.service = "shop",
		.process = "shop",
		.pid = 42,
		.fired_wall_ns = 1000 * PW_NS_PER_SEC,
		.statement = {"main.leak", "/src/main.go", 42},
		.wait_reason = "chan send",
		.parked = 300,
		.baseline = -1,
		.growth_per_hour = 60,
		.text = "300 goroutines are parked",
		.hint = "look",
	};

	return alert;
}

#endif
