/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/record.h"
#include "output/alert_text.h"
#include "output/publish.h"
#include "output/table.h"
#include "output/trace.h"

static void put(struct pw_buf *out, const char *text)
{
	pw_buf_escaped(out, text, strlen(text));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "main.leak main.go:42" */
static void put_place(struct pw_buf *out, const char *function, const char *file, uint32_t line)
{
	put(out, *function ? function : "?");
	if (!*file)
		return;
	pw_buf_putc(out, ' ');
	put(out, base_name(file));
	pw_buf_printf(out, ":%u", line);
}

static void ps_reasons(struct pw_buf *out, const struct pw_record *record)
{
	static const char *const names[_PW_ABILITY_MAX] = {"events", "memory", "symbols"};

	for (size_t i = 0; i < _PW_ABILITY_MAX; i++) {
		const char *reason = pw_record_string(record, record->abilities[i].reason);

		if (!*reason)
			continue;
		pw_buf_printf(out, "%d ", record->identity.pid);
		put(out, pw_record_string(record, record->identity.process));
		pw_buf_printf(out, ", %s%s: ", record->abilities[i].ok ? "" : "no ", names[i]);
		put(out, reason);
		pw_buf_putc(out, '\n');
	}
}

/* Without a governor nobody has tried to attach: ps alone, or memory alone. */
static const char *attached(const struct pw_record *record, const struct pw_record_site *site)
{
	if (!site->found || !*pw_record_string(record, record->cost.governor_state))
		return "-";
	if (site->counting == PW_COUNTING_WINDOWS)
		return "in windows";
	return site->attached ? "yes" : "no";
}

/* What it costs in all, of one CPU; "-": nobody observes it. */
static void ps_cost(struct pw_text_table *table, const struct pw_record *record)
{
	char text[32];

	if (!record->cost.section.present || !*pw_record_string(record, record->cost.governor_state)) {
		pw_text_table_cell(table, "-", 1);
		return;
	}
	snprintf(text, sizeof(text), "%.2f%%", record->cost.cpu_percent + record->cost.snapshot_percent);
	pw_text_table_cell(table, text, sizeof(text));
}

static const char *events_word(const struct pw_record *record)
{
	const struct pw_record_sampled *const kinds[] = {&record->events.spawn, &record->events.exit,
							 &record->events.park};

	for (size_t i = 0; record->events.section.present && i < ARRAY_SIZE(kinds); i++)
		if (kinds[i]->counting == PW_COUNTING_WINDOWS)
			return "sampled";
	return "yes";
}

static void ps_sites(struct pw_buf *out, const struct pw_record *record)
{
	struct pw_text_table table = {0};
	char text[160];

	pw_buf_printf(out, "\nprobe sites of %d ", record->identity.pid);
	put(out, pw_record_string(record, record->identity.process));
	pw_buf_puts(out, "\n");
	if (!record->sites_section.present) {
		pw_buf_puts(out, "  none known\n");
		return;
	}
	pw_text_table_column(&table, "EVENT", false);
	pw_text_table_column(&table, "FUNCTION", false);
	pw_text_table_column(&table, "OFFSET", true);
	pw_text_table_column(&table, "INSTRUCTION", false);
	pw_text_table_column(&table, "HIT", false);
	pw_text_table_column(&table, "ATTACHED", false);
	pw_text_table_column(&table, "NOTE", false);
	for (size_t i = 0; i < record->site_count; i++) {
		const struct pw_record_site *site = &record->sites[i];

		pw_text_table_cell(&table, pw_record_string(record, site->event), 24);
		pw_text_table_cell(&table, site->found ? pw_record_string(record, site->function) : "-", 48);
		snprintf(text, sizeof(text), "0x%" PRIx64, site->offset);
		pw_text_table_cell(&table, site->found ? text : "-", 20);
		pw_text_table_cell(&table, site->found ? pw_record_string(record, site->instruction) : "-", 40);
		if (site->cost_ns)
			snprintf(text, sizeof(text), "%s, %" PRIu64 " ns",
				 site->emulated ? "emulated" : "single-stepped", site->cost_ns);
		else
			snprintf(text, sizeof(text), "%s", site->emulated ? "emulated" : "single-stepped");
		pw_text_table_cell(&table, site->found ? text : "-", 40);
		pw_text_table_cell(&table, attached(record, site), 12);
		pw_text_table_cell(&table, pw_record_string(record, site->note), 200);
	}
	pw_text_table_print(&table, out);
	pw_text_table_done(&table);
}

/* Bytes of heap objects, as runtime.MemStats.HeapAlloc. */
static void ps_heap(struct pw_text_table *table, const struct pw_record *record)
{
	uint64_t bytes = record->runtime.section.present ? record->runtime.numbers.heap_objects_bytes : PW_UNKNOWN;
	char text[PW_SIZE_TEXT_SIZE];

	pw_text_table_cell(table, bytes == PW_UNKNOWN ? "-" : pw_size_text(bytes, text), 16);
}

void pw_report_ps(struct pw_buf *out, const struct pw_record *const *records, size_t count, bool sites)
{
	static const char *const titles[] = {"EVENTS", "MEMORY", "SYMBOLS"};
	struct pw_text_table table = {0};
	size_t before;

	if (!count) {
		pw_buf_puts(out, "no Go processes found\n");
		return;
	}
	pw_text_table_column(&table, "PID", true);
	pw_text_table_column(&table, "SERVICE", false);
	pw_text_table_column(&table, "PROCESS", false);
	pw_text_table_column(&table, "GO", false);
	pw_text_table_column(&table, "MODULE", false);
	pw_text_table_column(&table, "REVISION", false);
	pw_text_table_column(&table, "GOROUTINES", true);
	pw_text_table_column(&table, "HEAP", true);
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		pw_text_table_column(&table, titles[i], false);
	pw_text_table_column(&table, "COST", true);
	for (size_t i = 0; i < count; i++) {
		const struct pw_record *record = records[i];
		const struct pw_record_identity *identity = &record->identity;
		const char *version = pw_record_string(record, identity->go_version);
		const char *module = pw_record_string(record, identity->module);
		char revision[13];

		snprintf(revision, sizeof(revision), "%.12s", pw_record_string(record, identity->revision));
		pw_text_table_number(&table, (unsigned long long)identity->pid, true);
		pw_text_table_cell(&table, pw_record_string(record, identity->service), 32);
		pw_text_table_cell(&table, pw_record_string(record, identity->process), 20);
		pw_text_table_cell(&table, strncmp(version, "go", 2) ? version : version + 2, 20);
		pw_text_table_cell(&table, *module ? module : "-", 40);
		pw_text_table_cell(&table, *revision ? revision : "-", 12);
		pw_text_table_number(&table, record->runtime.numbers.goroutines,
				     record->runtime.section.present &&
					     record->runtime.numbers.goroutines != PW_UNKNOWN);
		ps_heap(&table, record);
		for (size_t a = 0; a < _PW_ABILITY_MAX; a++)
			pw_text_table_cell(&table,
					   !record->abilities[a].ok ? "no"
					   : a == PW_ABILITY_EVENTS ? events_word(record)
								    : "yes",
					   8);
		ps_cost(&table, record);
	}
	pw_text_table_print(&table, out);
	pw_text_table_done(&table);
	pw_buf_putc(out, '\n');
	before = out->size;
	for (size_t i = 0; i < count; i++)
		ps_reasons(out, records[i]);
	if (out->size == before && !pw_buf_error(out)) /* nothing to say: no blank line either */
		out->data[--out->size] = '\0';
	for (size_t i = 0; i < count && sites; i++)
		ps_sites(out, records[i]);
}

void pw_report_configuration(struct pw_buf *out, const struct pw_health *health)
{
	char text[PW_RFC3339_SIZE];

	if (health->reload_ok)
		return;
	pw_buf_puts(out, "\nthe configuration is wrong, that of ");
	put(out, pw_time_rfc3339(health->reload_wall_ns, text));
	pw_buf_puts(out, " stays in force: ");
	put(out, health->reload_error);
	pw_buf_putc(out, '\n');
}

static void trace_reasons(struct pw_buf *out, const struct pw_trace_site *site)
{
	const size_t shown = PW_MIN(site->reason_count, (size_t)4);

	if (!shown)
		return;
	pw_buf_puts(out, "    parks: ");
	for (size_t i = 0; i < shown; i++) {
		put(out, site->reasons[i].reason);
		pw_buf_printf(out, " %" PRIu64 "%s", site->reasons[i].count, i + 1 < shown ? ", " : "");
	}
	if (shown < site->reason_count)
		pw_buf_printf(out, " and %zu more", site->reason_count - shown);
	pw_buf_putc(out, '\n');
}

static void trace_detail(struct pw_buf *out, const struct pw_trace *trace, const struct pw_trace_site *site)
{
	const struct pw_record *record = trace->last;
	const struct pw_record_statement *statement = &record->statements[site->statement];

	put_place(out, pw_record_string(record, statement->function), pw_record_string(record, statement->file),
		  statement->line);
	pw_buf_putc(out, '\n');
	trace_reasons(out, site);
	if (site->creation_stack >= record->stack_count)
		return;
	pw_buf_puts(out, "    started by:\n");
	for (uint32_t i = 0; i < record->stacks[site->creation_stack].count; i++) {
		const struct pw_record_frame *frame;

		if (record->stacks[site->creation_stack].first + i >= record->frame_count)
			break;
		frame = &record->frames[record->stacks[site->creation_stack].first + i];
		pw_buf_puts(out, "      ");
		put_place(out, pw_record_string(record, frame->function), pw_record_string(record, frame->file),
			  frame->line);
		pw_buf_putc(out, '\n');
	}
}

static void trace_row(struct pw_text_table *table, const struct pw_trace *trace, const struct pw_trace_site *site)
{
	const struct pw_record_statement *statement = &trace->last->statements[site->statement];
	_cleanup_buf_ struct pw_buf place = PW_BUF_INIT(8192);
	char growth[32];

	snprintf(growth, sizeof(growth), "%+" PRId64, (int64_t)(site->spawned - site->exited));
	pw_text_table_cell(table, growth, sizeof(growth));
	pw_text_table_number(table, site->spawned, true);
	pw_text_table_number(table, site->exited, true);
	pw_text_table_number(table, site->parked, true);
	if (trace->runs)
		pw_text_table_number(table, site->ran, site->ran != PW_UNKNOWN);
	pw_text_table_number(table, site->live, site->live != PW_UNKNOWN);
	/* The table escapes. */
	pw_buf_printf(&place, "%s", pw_record_string(trace->last, statement->function));
	if (*pw_record_string(trace->last, statement->file))
		pw_buf_printf(&place, " %s:%u", base_name(pw_record_string(trace->last, statement->file)),
			      statement->line);
	pw_text_table_cell(table, pw_buf_text(&place), 100);
}

static void trace_total(struct pw_buf *out, uint64_t count, const char *what, const struct pw_trace_event *event,
			const char *then)
{
	pw_buf_printf(out, "%" PRIu64, count);
	if (event->sampled && !event->exact && event->error != PW_UNKNOWN)
		pw_buf_printf(out, " (+- %" PRIu64 ")", event->error);
	pw_buf_printf(out, "%s%s", what, then);
}

static void trace_lost(struct pw_buf *out, const struct pw_trace *trace)
{
	const char *before = " (";

	pw_buf_printf(out, "; lost: %" PRIu64, trace->lost);
	for (size_t i = 0; i < trace->last->drop_count; i++) {
		if (!pw_trace_lost(trace, i))
			continue;
		pw_buf_puts(out, before);
		put(out, pw_record_string(trace->last, trace->last->drops[i].name));
		pw_buf_printf(out, " %" PRIu64, pw_trace_lost(trace, i));
		before = ", ";
	}
	pw_buf_puts(out, trace->lost ? ")\n" : "\n");
}

void pw_report_trace(struct pw_buf *out, const struct pw_trace *trace, size_t sites_max)
{
	const struct pw_record *record = trace->last;
	struct pw_text_table table = {0};
	char duration[PW_DURATION_SIZE];
	size_t shown = PW_MIN(trace->site_count, sites_max);

	put(out, pw_record_string(record, record->identity.process));
	pw_buf_printf(out, " (pid %d, ", record->identity.pid);
	put(out, pw_record_string(record, record->identity.go_version));
	pw_buf_printf(out, "), %s: ", pw_time_duration(trace->duration_ns, duration));
	trace_total(out, trace->spawned, " started", &trace->spawn, ", ");
	trace_total(out, trace->exited, " ended", &trace->exit, ", ");
	trace_total(out, trace->parked, " parks", &trace->park, "");
	if (trace->spawned_by_goid != PW_UNKNOWN)
		pw_buf_printf(out, "; started by goid: %" PRIu64, trace->spawned_by_goid);
	trace_lost(out, trace);
	if (pw_trace_is_sampled(trace)) {
		pw_buf_printf(out, "%s in %" PRIu64 " windows: ", pw_time_duration(trace->sampled_ns, duration),
			      trace->windows);
		put(out, pw_trace_sampled_text(trace));
		pw_buf_putc(out, '\n');
	}
	pw_buf_putc(out, '\n');
	if (!shown) {
		pw_buf_puts(out, "no goroutine was started, ended or parked\n");
		return;
	}
	pw_text_table_column(&table, "GROWTH", true);
	pw_text_table_column(&table, trace->spawn.sampled ? "STARTED (SAMPLED)" : "STARTED", true);
	pw_text_table_column(&table, trace->exit.sampled ? "ENDED (SAMPLED)" : "ENDED", true);
	pw_text_table_column(&table, trace->park.sampled ? "PARKS (SAMPLED)" : "PARKS", true);
	if (trace->runs)
		pw_text_table_column(&table, trace->park.sampled ? "RUNS (SAMPLED)" : "RUNS", true);
	pw_text_table_column(&table, "LIVE", true);
	pw_text_table_column(&table, "GO STATEMENT", false);
	for (size_t i = 0; i < shown; i++)
		trace_row(&table, trace, &trace->sites[i]);
	pw_text_table_print(&table, out);
	pw_text_table_done(&table);
	if (shown < trace->site_count)
		pw_buf_printf(out, "and %zu more go statements\n", trace->site_count - shown);
	pw_buf_putc(out, '\n');
	for (size_t i = 0; i < shown; i++)
		if (trace->sites[i].reason_count || trace->sites[i].creation_stack < record->stack_count)
			trace_detail(out, trace, &trace->sites[i]);
}

/* Less than a second says only that we looked at once. */
static void put_since(struct pw_buf *out, uint64_t then, uint64_t now)
{
	char text[PW_DURATION_SIZE];

	if (then && now > then && now - then >= PW_NS_PER_SEC)
		pw_buf_printf(out, " for %s", pw_time_duration(now - then, text));
}

static void put_frames(struct pw_buf *out, const char *title, const struct pw_alert_frame *frames, size_t count)
{
	for (size_t i = 0; i < count && i < PW_ALERT_FRAMES_MAX; i++) {
		pw_buf_printf(out, "  %*s", (int)strlen(title), i ? "" : title);
		put_place(out, frames[i].function, frames[i].file, frames[i].line);
		pw_buf_putc(out, '\n');
	}
}

/* Where they are parked, on what, and who started them. */
static void alert_stacks(struct pw_buf *out, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf wait = PW_BUF_INIT(512);
	char title[64];

	pw_alert_put_wait(&wait, alert);
	if (wait.size) {
		pw_buf_puts(out, "  waiting on: ");
		put(out, pw_buf_text(&wait));
		pw_buf_putc(out, '\n');
	}
	snprintf(title, sizeof(title), "%" PRIu64 " parked at: ", alert->parked_there);
	put_frames(out, title, alert->parked_stack, alert->parked_stack_depth);
	if (alert->parked_stack_cut)
		pw_buf_printf(out, "  %*s...\n", (int)strlen(title), "");
	put_frames(out, "started by: ", alert->creation, alert->creation_count);
}

static void alert_goroutines(struct pw_buf *out, const struct pw_alert *alert)
{
	char window[PW_DURATION_SIZE];

	pw_buf_puts(out, "  go statement: ");
	put_place(out, alert->statement.function, alert->statement.file, alert->statement.line);
	pw_buf_puts(out, "\n  waiting: ");
	put(out, *alert->wait_reason ? alert->wait_reason : "-");
	pw_buf_printf(out, "\n  parked: %" PRIu64 " (%" PRIu64 " when the growth began), baseline ", alert->parked,
		      alert->parked_onset);
	if (alert->baseline >= 0)
		pw_buf_printf(out, "%.0f", alert->baseline);
	else
		pw_buf_puts(out, "not yet known");
	pw_buf_printf(out, ", growth %+.0f per hour", alert->growth_per_hour);
	if (alert->window_ns)
		pw_buf_printf(out, " [%+.0f .. %+.0f] over %s: %.0f became old, %.0f of the old ended",
			      alert->growth_low_per_hour, alert->growth_high_per_hour,
			      pw_time_duration(alert->window_ns, window), alert->arrivals_per_hour,
			      alert->exits_per_hour);
	pw_buf_putc(out, '\n');
	alert_stacks(out, alert);
}

/* What of its memory grew most, by line or by size. */
static void alert_growing(struct pw_buf *out, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf growing = PW_BUF_INIT(8192);

	pw_alert_put_growing(&growing, alert, "\n");
	for (const char *line = pw_buf_text(&growing), *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		pw_buf_printf(out, "  %s", line == pw_buf_text(&growing) ? "growing: " : "         ");
		pw_buf_escaped(out, line, (size_t)(end - line));
		pw_buf_putc(out, '\n');
	}
}

/* One about the process, or a lock, may have a go statement that is to blame. */
static void alert_origin(struct pw_buf *out, const struct pw_alert *alert)
{
	if (!*alert->statement.function)
		return;
	pw_buf_puts(out, "  go statement: ");
	put_place(out, alert->statement.function, alert->statement.file, alert->statement.line);
	pw_buf_putc(out, '\n');
	alert_stacks(out, alert);
}

static void alert_line(struct pw_buf *out, const char *key, const char *text)
{
	if (!*text)
		return;
	pw_buf_printf(out, "  %s: ", key);
	put(out, text);
	pw_buf_putc(out, '\n');
}

static void alert_body(struct pw_buf *out, const struct pw_alert *alert)
{
	pw_buf_puts(out, "  ");
	put(out, alert->text);
	pw_buf_putc(out, '\n');
	if (*alert->unit || alert->locks) /* its numbers are in its sentence */
		alert_origin(out, alert);
	else
		alert_goroutines(out, alert);
	alert_growing(out, alert);
	alert_line(out, "id", alert->id);
	alert_line(out, "next", alert->hint);
	alert_line(out, "see", alert->reproduce);
	alert_line(out, "benign", alert->benign);
	alert_line(out, "owner", alert->owner);
	alert_line(out, "runbook", alert->runbook);
}

static void alert_head(struct pw_buf *out, const struct pw_alert *alert)
{
	pw_buf_printf(out, "%s %s %s ", alert->rule, pw_alert_state_name(alert->state),
		      pw_alert_level_name(alert->level));
	put(out, alert->service);
	pw_buf_puts(out, " (");
	put(out, alert->process);
	pw_buf_printf(out, ", pid %d)", alert->pid);
	if (alert->process_count > 1)
		pw_buf_printf(out, " and %" PRIu32 " more", alert->process_count - 1);
}

static bool is_held(const struct pw_alert *alert)
{
	return !alert->resolved_wall_ns && alert->hold != PW_HOLD_NONE;
}

static void held_line(struct pw_buf *out, const struct pw_alert *alert)
{
	if (is_held(alert))
		pw_buf_printf(out, "  held: %s%s%s\n", pw_alert_hold_name(alert->hold), *alert->held_by ? " by " : "",
			      alert->held_by);
}

void pw_report_alerts(struct pw_buf *out, const struct pw_alert *alerts, size_t count, bool all, uint64_t wall_ns)
{
	size_t held = 0, shown = 0;

	if (!count)
		pw_buf_puts(out, "no alerts\n");
	for (size_t i = 0; i < count; i++) {
		const struct pw_alert *alert = &alerts[i];

		held += is_held(alert);
		if (is_held(alert) && !all)
			continue;
		if (shown++)
			pw_buf_putc(out, '\n');
		alert_head(out, alert);
		/* What it is about began before it fired. */
		put_since(out, alert->onset_wall_ns ? alert->onset_wall_ns : alert->fired_wall_ns,
			  alert->resolved_wall_ns ? alert->resolved_wall_ns : wall_ns);
		pw_buf_putc(out, '\n');
		alert_body(out, alert);
		held_line(out, alert);
	}
	if (held && !all)
		pw_buf_printf(out,
			      "%sand %zu more that wake%s nobody (explained by others, grouped, or held): parkwatch "
			      "alerts --all\n",
			      shown ? "\n" : "", held, held == 1 ? "s" : "");
}

void pw_report_alert(struct pw_buf *out, const struct pw_alert *alert)
{
	uint64_t when = alert->resolved_wall_ns ? alert->resolved_wall_ns : alert->fired_wall_ns;
	char text[PW_RFC3339_SIZE];

	pw_buf_printf(out, "%s ", pw_time_rfc3339(when, text));
	alert_head(out, alert);
	pw_buf_putc(out, '\n');
	alert_body(out, alert);
}
