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

static inline struct pw_record *sample_record(const char *process, const struct sample_site *sites, size_t count,
					      uint64_t taken_ns)
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
	draft->census.section = (struct pw_section){.present = true, .taken_ns = taken_ns};
	draft->runtime.section = (struct pw_section){.present = true, .taken_ns = taken_ns};
	draft->runtime.goroutines = 0;
	draft->runtime.spawn_total = draft->runtime.gc_cycles = draft->runtime.gc_pause_total_ns = PW_UNKNOWN;
	draft->runtime.threads = draft->runtime.gomaxprocs = draft->runtime.gc_forced = PW_UNKNOWN;
	draft->runtime.heap_live_bytes = draft->runtime.heap_marked_bytes = PW_UNKNOWN;
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
		draft->runtime.goroutines += sites[i].live;
	}
	if (pw_record_builder_finish(builder, &record))
		abort();
	pw_record_builder_free(builder);
	return record;
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
