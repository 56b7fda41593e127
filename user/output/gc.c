/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/gc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/size.h"
#include "model/gc.h"
#include "model/record.h"
#include "output/views.h"

void pw_report_gc_header(struct pw_buf *out)
{
	pw_buf_printf(out, "%6s %10s %9s %9s %7s %5s  %s\n", "GC", "AT", "MARK", "STOPPED", "ASSIST", "CPU",
		      "HEAP: START, MARKED LIVE, GOAL");
}

void pw_report_gc_cycle(struct pw_buf *out, const struct pw_record_gc_cycle *cycle)
{
	char at[PW_DURATION_SIZE], mark[PW_DURATION_SIZE], stopped[PW_DURATION_SIZE], start[PW_SIZE_TEXT_SIZE],
		live[PW_SIZE_TEXT_SIZE], goal[PW_SIZE_TEXT_SIZE];

	pw_buf_printf(out, "%6" PRIu64 " %10s %9s %9s %6.1f%% %4d%%  %s, %s, %s%s%s\n", cycle->number,
		      pw_time_duration(cycle->since_init_ns, at), pw_time_duration(pw_gc_mark_ns(cycle), mark),
		      pw_time_duration(cycle->pause_ns, stopped), 100 * pw_gc_assist_share(cycle),
		      (int)(100 * cycle->cpu_fraction), pw_size_text(cycle->heap_start_bytes, start),
		      pw_size_text(cycle->heap_live_bytes, live),
		      cycle->goal_bytes >> 56 ? "none" : pw_size_text(cycle->goal_bytes, goal),
		      cycle->forced ? " (forced)" : "", cycle->leak_check ? " (leak check)" : "");
}

static void key_number(struct pw_json *json, const char *key, uint64_t value)
{
	if (value == PW_UNKNOWN)
		pw_json_key_null(json, key);
	else
		pw_json_key_u64(json, key, value);
}

static void write_cycle(struct pw_json *json, const struct pw_gc_view *view, const struct pw_record_gc_cycle *cycle)
{
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(1024);
	char started[PW_RFC3339_SIZE];

	pw_gctrace_format(&line, cycle, view->go_minor);
	pw_json_object(json);
	pw_json_key_u64(json, "number", cycle->number);
	pw_json_key_str(json, "started_at",
			pw_time_rfc3339(view->wall_ns - (view->boot_ns - cycle->start_ns), started));
	pw_json_key_u64(json, "since_start_ns", cycle->since_init_ns);
	pw_json_key_u64(json, "sweep_termination_ns", cycle->mark_ns - cycle->start_ns);
	pw_json_key_u64(json, "mark_ns", pw_gc_mark_ns(cycle));
	pw_json_key_u64(json, "mark_termination_ns", cycle->end_ns - cycle->mark_termination_ns);
	pw_json_key_u64(json, "stopped_ns", cycle->pause_ns);
	pw_json_key_u64(json, "heap_start_bytes", cycle->heap_start_bytes);
	pw_json_key_u64(json, "heap_mark_end_bytes", cycle->heap_mark_end_bytes);
	pw_json_key_u64(json, "heap_live_bytes", cycle->heap_live_bytes);
	pw_json_key_u64(json, "goal_bytes", cycle->goal_bytes);
	key_number(json, "trigger_bytes", cycle->trigger_bytes);
	pw_json_key_u64(json, "stack_scan_bytes", cycle->stack_bytes);
	pw_json_key_u64(json, "globals_scan_bytes", cycle->globals_bytes);
	pw_json_key_u64(json, "assist_cpu_ns", cycle->assist_ns);
	pw_json_key_u64(json, "dedicated_cpu_ns", cycle->dedicated_ns);
	pw_json_key_u64(json, "fractional_cpu_ns", cycle->fractional_ns);
	pw_json_key_u64(json, "idle_cpu_ns", cycle->idle_ns);
	pw_json_key_double(json, "assist_share", pw_gc_assist_share(cycle));
	pw_json_key_double(json, "gc_cpu_fraction", cycle->cpu_fraction);
	pw_json_key_u64(json, "gomaxprocs", cycle->max_procs);
	pw_json_key_bool(json, "forced", cycle->forced);
	pw_json_key(json, "leak_check");
	if (cycle->polled)
		pw_json_null(json);
	else
		pw_json_bool(json, cycle->leak_check);
	pw_json_key_str(json, "gctrace", pw_buf_text(&line));
	pw_json_end(json);
}

static void write_process(struct pw_json *json, const struct pw_gc_view *view)
{
	pw_json_key_i64(json, "pid", view->pid);
	pw_json_key_str(json, "process", view->process);
	pw_json_key_str(json, "go_version", view->go_version);
	pw_json_key_str(json, "source", view->source);
	pw_json_key_u64(json, "missed", view->sums->missed);
	pw_json_key_u64(json, "refused", view->sums->refused);
	pw_json_key_array(json, "cycles");
	for (size_t i = 0; i < view->cycle_count; i++)
		write_cycle(json, view, &view->cycles[i]);
	pw_json_end(json);
}

void pw_view_gc(struct pw_buf *out, const struct pw_gc_view *view)
{
	struct pw_json json = pw_json_init(out, true);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	write_process(&json, view);
	pw_json_end(&json);
	if (pw_json_finish(&json)) /* the buffer's error, which whoever prints it looks at */
		return;
}

static struct pw_gc_view view_of(const struct pw_record *record)
{
	const char *version = pw_record_string(record, record->identity.go_version);

	return (struct pw_gc_view){
		.pid = record->identity.pid,
		.process = pw_record_string(record, record->identity.process),
		.go_version = version,
		.go_minor = strncmp(version, "go1.", 4) ? 0 : (int)strtol(version + 4, NULL, 10),
		.source = record->gc.section.quality == PW_EXACT ? "probes" : "polls",
		.boot_ns = record->boot_ns,
		.wall_ns = record->wall_ns,
		.cycles = record->gc.cycles,
		.cycle_count = record->gc.cycle_count,
		.sums = &record->gc.sums,
	};
}

void pw_view_gc_all(struct pw_buf *out, const struct pw_record *const *records, size_t count)
{
	struct pw_json json = pw_json_init(out, false);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_array(&json, "processes");
	for (size_t i = 0; i < count; i++) {
		struct pw_gc_view view = view_of(records[i]);

		if (!records[i]->gc.section.present)
			continue;
		pw_json_object(&json);
		write_process(&json, &view);
		pw_json_end(&json);
	}
	pw_json_end(&json);
	pw_json_end(&json);
	if (!pw_json_finish(&json))
		pw_buf_putc(out, '\n');
}
