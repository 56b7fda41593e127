/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/views.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "model/record.h"
#include "output/trace.h"

static void key_number(struct pw_json *json, const char *key, uint64_t value)
{
	if (value == PW_UNKNOWN)
		pw_json_key_null(json, key);
	else
		pw_json_key_u64(json, key, value);
}

static void finish(struct pw_json *json, struct pw_buf *out)
{
	if (!pw_json_finish(json) && !json->pretty) /* a pretty document ends in a newline by itself */
		pw_buf_putc(out, '\n');
}

static void ps_abilities(struct pw_json *json, const struct pw_record *record)
{
	static const char *const names[_PW_ABILITY_MAX] = {"events", "memory", "symbols"};

	pw_json_key_object(json, "abilities");
	for (size_t i = 0; i < _PW_ABILITY_MAX; i++) {
		pw_json_key_object(json, names[i]);
		pw_json_key_bool(json, "ok", record->abilities[i].ok);
		pw_json_key_str(json, "reason", pw_record_string(record, record->abilities[i].reason));
		pw_json_end(json);
	}
	pw_json_end(json);
}

/* Percentages are of one CPU. Null: nobody observes it. */
static void ps_cost(struct pw_json *json, const struct pw_record *record)
{
	if (!record->cost.section.present || !record->cost.governor_state) {
		pw_json_key_null(json, "cost");
		return;
	}
	pw_json_key_object(json, "cost");
	pw_json_key_str(json, "governor", pw_record_string(record, record->cost.governor_state));
	pw_json_key_double(json, "probes_percent", record->cost.cpu_percent);
	pw_json_key_double(json, "snapshots_percent", record->cost.snapshot_percent);
	if (record->cost.budget_percent >= 0)
		pw_json_key_double(json, "budget_percent", record->cost.budget_percent);
	else
		pw_json_key_null(json, "budget_percent");
	pw_json_key_u64(json, "probes_ns", record->cost.probe_ns);
	pw_json_key_u64(json, "snapshots_ns", record->cost.snapshot_ns);
	pw_json_key_u64(json, "snapshots_bytes", record->cost.snapshot_bytes);
	pw_json_end(json);
}

static void ps_sites(struct pw_json *json, const struct pw_record *record)
{
	pw_json_key_object(json, "sites");
	for (size_t i = 0; record->sites_section.present && i < record->site_count; i++) {
		const struct pw_record_site *site = &record->sites[i];
		const char *event = pw_record_string(record, site->event);

		if (!site->found || !strcmp(event, "run")) /* only trace --runs has a use for it */
			continue;
		pw_json_key_object(json, event);
		pw_json_key_str(json, "function", pw_record_string(record, site->function));
		pw_json_key_u64(json, "offset", site->offset);
		pw_json_key_str(json, "instruction", pw_record_string(record, site->instruction));
		pw_json_key_bool(json, "emulated", site->emulated);
		pw_json_key_bool(json, "attached", site->attached); /* by the daemon, now */
		pw_json_key_str(json, "counting", pw_counting_name(site->counting));
		pw_json_end(json);
	}
	pw_json_end(json);
}

void pw_view_ps(struct pw_buf *out, const struct pw_record *const *records, size_t count)
{
	struct pw_json json = pw_json_init(out, true);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_array(&json, "processes");
	for (size_t i = 0; i < count; i++) {
		const struct pw_record *record = records[i];
		const struct pw_record_identity *identity = &record->identity;

		pw_json_object(&json);
		pw_json_key_i64(&json, "pid", identity->pid);
		pw_json_key_str(&json, "service", pw_record_string(record, identity->service));
		pw_json_key_str(&json, "process", pw_record_string(record, identity->process));
		pw_json_key_str(&json, "exe", pw_record_string(record, identity->exe));
		pw_json_key_str(&json, "go_version", pw_record_string(record, identity->go_version));
		pw_json_key_str(&json, "module", pw_record_string(record, identity->module));
		pw_json_key_str(&json, "revision", pw_record_string(record, identity->revision));
		pw_json_key_bool(&json, "stripped", identity->stripped);
		key_number(&json, "goroutines",
			   record->runtime.section.present ? record->runtime.numbers.goroutines : PW_UNKNOWN);
		key_number(&json, "heap_bytes",
			   record->runtime.section.present ? record->runtime.numbers.heap_objects_bytes : PW_UNKNOWN);
		ps_abilities(&json, record);
		ps_cost(&json, record);
		ps_sites(&json, record);
		pw_json_end(&json);
	}
	pw_json_end(&json);
	pw_json_end(&json);
	finish(&json, out);
}

static void key_place(struct pw_json *json, const char *function, const char *file, uint32_t line)
{
	pw_json_key_str(json, "function", function);
	pw_json_key_str(json, "file", file);
	pw_json_key_u64(json, "line", line);
}

static void trace_stack(struct pw_json *json, const struct pw_record *record, uint32_t index)
{
	pw_json_key_array(json, "creation_stack");
	if (index < record->stack_count) {
		const struct pw_record_stack *stack = &record->stacks[index];

		for (uint32_t i = 0; i < stack->count && stack->first + i < record->frame_count; i++) {
			const struct pw_record_frame *frame = &record->frames[stack->first + i];

			pw_json_object(json);
			key_place(json, pw_record_string(record, frame->function),
				  pw_record_string(record, frame->file), frame->line);
			pw_json_end(json);
		}
	}
	pw_json_end(json);
}

static void trace_site(struct pw_json *json, const struct pw_trace *trace, const struct pw_trace_site *site)
{
	const struct pw_record_statement *statement = &trace->last->statements[site->statement];

	pw_json_object(json);
	key_place(json, pw_record_string(trace->last, statement->function),
		  pw_record_string(trace->last, statement->file), statement->line);
	pw_json_key_u64(json, "spawned", site->spawned);
	pw_json_key_u64(json, "exited", site->exited);
	pw_json_key_u64(json, "parked", site->parked);
	if (trace->runs)
		key_number(json, "ran", site->ran);
	key_number(json, "live", site->live);
	pw_json_key_object(json, "wait_reasons");
	for (size_t i = 0; i < site->reason_count; i++)
		pw_json_key_u64(json, site->reasons[i].reason, site->reasons[i].count);
	pw_json_end(json);
	trace_stack(json, trace->last, site->creation_stack);
	pw_json_end(json);
}

static void trace_event(struct pw_json *json, const char *key, const struct pw_trace_event *event)
{
	pw_json_key_object(json, key);
	pw_json_key_bool(json, "sampled", event->sampled);
	pw_json_key_bool(json, "total_exact", event->exact || !event->sampled);
	key_number(json, "error", event->error);
	pw_json_end(json);
}

/* How each event was counted, and why not each one. */
static void trace_sampling(struct pw_json *json, const struct pw_trace *trace)
{
	const struct pw_record *record = trace->last;

	pw_json_key_object(json, "governor");
	pw_json_key_str(json, "state", pw_record_string(record, record->cost.governor_state));
	pw_json_key_str(json, "reason", pw_trace_sampled_text(trace));
	pw_json_key_u64(json, "windows", trace->windows);
	pw_json_key_u64(json, "sampled_duration_ns", trace->sampled_ns);
	trace_event(json, "spawned", &trace->spawn);
	trace_event(json, "exited", &trace->exit);
	trace_event(json, "parked", &trace->park);
	pw_json_end(json);
}

void pw_view_trace(struct pw_buf *out, const struct pw_trace *trace)
{
	const struct pw_record *record = trace->last;
	struct pw_json json = pw_json_init(out, true);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_i64(&json, "pid", record->identity.pid);
	pw_json_key_str(&json, "process", pw_record_string(record, record->identity.process));
	pw_json_key_str(&json, "go_version", pw_record_string(record, record->identity.go_version));
	pw_json_key_u64(&json, "duration_ns", trace->duration_ns);
	pw_json_key_object(&json, "totals");
	pw_json_key_u64(&json, "spawned", trace->spawned);
	pw_json_key_u64(&json, "exited", trace->exited);
	pw_json_key_u64(&json, "parked", trace->parked);
	pw_json_end(&json);
	key_number(&json, "spawned_by_goid", trace->spawned_by_goid);
	pw_json_key_u64(&json, "lost", trace->lost);
	pw_json_key_object(&json, "lost_by");
	for (size_t i = 0; i < record->drop_count; i++)
		if (pw_trace_lost(trace, i))
			pw_json_key_u64(&json, pw_record_string(record, record->drops[i].name),
					pw_trace_lost(trace, i));
	pw_json_end(&json);
	trace_sampling(&json, trace);
	pw_json_key_array(&json, "sites");
	for (size_t i = 0; i < trace->site_count; i++)
		trace_site(&json, trace, &trace->sites[i]);
	pw_json_end(&json);
	pw_json_end(&json);
	finish(&json, out);
}
