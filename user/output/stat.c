/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/stat.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/time.h"
#include "output/table.h"

/*
 * The table: one row per number that a person asks for, with its change and rate since the look before, and beside it
 * what belongs to it.
 */
#define NOTE_MAX 140
#define CELL_MAX 40

struct sheet {
	struct pw_text_table table;
	const struct pw_stat_view *view;
	const struct pw_runtime_numbers *now, *before; /* before: NULL in the first look */
	double seconds;				       /* between them */
};

/* 1234567 -> "1,234,567" */
static const char *grouped(uint64_t value, char text[static CELL_MAX])
{
	char plain[24];
	int size = snprintf(plain, sizeof(plain), "%" PRIu64, value), at = 0;

	for (int i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = plain[i];
	}
	text[at] = '\0';
	return text;
}

static const char *value_text(uint64_t value, enum pw_number_unit unit, char text[static CELL_MAX])
{
	if (value == PW_UNKNOWN)
		return "-";
	if (unit == PW_NUMBER_BYTES)
		return pw_size_text(value, text);
	if (unit == PW_NUMBER_NS)
		return pw_time_duration(value, text);
	return grouped(value, text);
}

static const char *change_text(uint64_t now, uint64_t before, enum pw_number_unit unit, char text[static CELL_MAX])
{
	bool down = now < before;
	char amount[CELL_MAX];

	if (now == before)
		return "0";
	if (unit == PW_NUMBER_BYTES)
		return pw_size_change_text((int64_t)(now - before), text);
	snprintf(text, CELL_MAX, "%c%.*s", down ? '-' : '+', CELL_MAX - 2,
		 value_text(down ? before - now : now - before, unit, amount));
	return text;
}

static const char *rate_text(const struct sheet *sheet, uint64_t now, uint64_t before, enum pw_number_unit unit,
			     char text[static CELL_MAX])
{
	double rate = ((double)now - (double)before) / sheet->seconds;

	if (now == before)
		return "0";
	if (unit == PW_NUMBER_BYTES)
		return pw_size_change_text((int64_t)rate, text);
	if (unit == PW_NUMBER_NS) { /* of time per time: a share */
		snprintf(text, CELL_MAX, "%.2f%%", rate / 1e7);
		return text;
	}
	if (fabs(rate) >= 1000)
		snprintf(text, CELL_MAX, "%+.0f", rate);
	else
		snprintf(text, CELL_MAX, "%+.3g", rate);
	return text;
}

static void cells(struct sheet *sheet, const char *name, const char *now, const char *change, const char *rate,
		  const char *note)
{
	pw_text_table_cell(&sheet->table, name, CELL_MAX);
	pw_text_table_cell(&sheet->table, now, CELL_MAX);
	if (sheet->before) {
		pw_text_table_cell(&sheet->table, change, CELL_MAX);
		pw_text_table_cell(&sheet->table, rate, CELL_MAX);
	}
	pw_text_table_cell(&sheet->table, note, NOTE_MAX);
}

/* A number that this version does not have gets no row. */
static void number_row(struct sheet *sheet, const char *name, size_t offset, enum pw_number_unit unit, const char *note)
{
	char now_cell[CELL_MAX], change[CELL_MAX], rate[CELL_MAX];
	const struct pw_number_field field = {.offset = offset};
	uint64_t now = pw_number_get(sheet->now, &field), before = PW_UNKNOWN;

	if (now == PW_UNKNOWN)
		return;
	if (sheet->before)
		before = pw_number_get(sheet->before, &field);
	if (before == PW_UNKNOWN)
		cells(sheet, name, value_text(now, unit, now_cell), "", "", note);
	else
		cells(sheet, name, value_text(now, unit, now_cell), change_text(now, before, unit, change),
		      rate_text(sheet, now, before, unit, rate), note);
}

#define ROW(sheet, name, member, unit, note) \
	number_row(sheet, name, offsetof(struct pw_runtime_numbers, member), PW_NUMBER_##unit, note)

/* Appends ", TEXT VALUE" to a note. */
static void note_add(char note[static NOTE_MAX], const char *fmt, const char *value)
{
	size_t used = strlen(note);

	if (used + strlen(value) + strlen(fmt) + 3 < NOTE_MAX) {
		used += (size_t)snprintf(note + used, NOTE_MAX - used, "%s", used ? ", " : "");
		snprintf(note + used, NOTE_MAX - used, "%s %s", fmt, value);
	}
}

static void note_number(char note[static NOTE_MAX], const char *name, uint64_t value, enum pw_number_unit unit)
{
	char text[CELL_MAX];

	if (value != PW_UNKNOWN)
		note_add(note, name, value_text(value, unit, text));
}

static void goroutine_rows(struct sheet *sheet)
{
	const struct pw_runtime_numbers *n = sheet->now;
	const struct pw_stat_look *look = sheet->view->now;
	char states[NOTE_MAX] = "", queue[NOTE_MAX] = "", threads[NOTE_MAX] = "";

	for (size_t i = 0; look->states_known && i < _PW_GOROUTINE_STATUS_MAX; i++)
		if (look->states[i])
			note_number(states, pw_status_name((enum pw_status_class)i), look->states[i], PW_NUMBER_COUNT);
	note_number(states, "of the runtime itself", n->goroutines_system, PW_NUMBER_COUNT);
	note_number(queue, "processors", n->gomaxprocs, PW_NUMBER_COUNT);
	note_number(queue, "idle", n->procs_idle, PW_NUMBER_COUNT);
	note_number(threads, "idle", n->threads_idle, PW_NUMBER_COUNT);
	note_number(threads, "ended", n->threads_exited, PW_NUMBER_COUNT);
	ROW(sheet, "goroutines", goroutines, COUNT, states);
	ROW(sheet, "  started", spawn_total, COUNT, "since the program began");
	ROW(sheet, "  in run queues", runnable, COUNT, queue);
	ROW(sheet, "threads", threads, COUNT, threads);
}

/* The median, 99th percentile and maximum of what came in between the two looks, or of all. */
static void histogram_row(struct sheet *sheet, const char *name, enum pw_histogram which)
{
	const struct pw_histograms *now = &sheet->view->now->histograms;
	const uint64_t *counts = now->count[which], *before = NULL;
	char total[CELL_MAX], change[CELL_MAX], rate[CELL_MAX], text[3][PW_DURATION_SIZE], note[NOTE_MAX] = "";
	static const double quantiles[] = {0.5, 0.99, 1};
	uint64_t count = pw_histogram_total(counts, now->scale[which]), count_before = 0;

	if (now->scale[which] == PW_SCALE_NONE)
		return;
	if (sheet->before && sheet->view->before->histograms.scale[which] == now->scale[which]) {
		before = sheet->view->before->histograms.count[which];
		count_before = pw_histogram_total(before, now->scale[which]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		double value = pw_histogram_quantile(counts, before, now->scale[which], quantiles[i]);

		if (!isfinite(value))
			break;
		pw_time_duration((uint64_t)PW_MAX(value, 0.0), text[i]);
		if (i + 1 == ARRAY_SIZE(quantiles))
			snprintf(note, sizeof(note), "half below %s, 99%% below %s, all below %s", text[0], text[1],
				 text[2]);
	}
	cells(sheet, name, grouped(count, total), change_text(count, count_before, PW_NUMBER_COUNT, change),
	      sheet->before ? rate_text(sheet, count, count_before, PW_NUMBER_COUNT, rate) : "", note);
}

/* "18% of CPU time: assists 3, dedicated 12, idle 2, pauses 1"; empty: no collection ended in between. */
static void cpu_note(const struct sheet *sheet, char note[static NOTE_MAX])
{
	static const struct pw_runtime_numbers zero;
	const struct pw_runtime_numbers *n = sheet->now, *b = sheet->before ? sheet->before : &zero;
	double total = (double)(n->cpu_total_ns - b->cpu_total_ns) / 100;

	note[0] = '\0';
	if (n->cpu_total_ns == PW_UNKNOWN || b->cpu_total_ns == PW_UNKNOWN || !(total > 0))
		return;
	snprintf(note, NOTE_MAX, "%.1f%% of the CPUs: assists %.1f, dedicated %.1f, idle %.1f, pauses %.1f",
		 (double)(n->cpu_gc_total_ns - b->cpu_gc_total_ns) / total,
		 (double)(n->cpu_gc_assist_ns - b->cpu_gc_assist_ns) / total,
		 (double)(n->cpu_gc_dedicated_ns - b->cpu_gc_dedicated_ns) / total,
		 (double)(n->cpu_gc_idle_ns - b->cpu_gc_idle_ns) / total,
		 (double)(n->cpu_gc_pause_ns - b->cpu_gc_pause_ns) / total);
}

static void gc_rows(struct sheet *sheet)
{
	static const char *const phases[] = {"", "marking", "ending a mark"};
	const struct pw_runtime_numbers *n = sheet->now;
	uint64_t wall_ns = sheet->view->now->wall_ns;
	char note[NOTE_MAX] = "", cpu[NOTE_MAX], ago[PW_DURATION_SIZE], last[CELL_MAX];

	if (n->gc_forced)
		note_number(note, "forced", n->gc_forced, PW_NUMBER_COUNT);
	if (n->gc_last_unix_ns && n->gc_last_unix_ns != PW_UNKNOWN && n->gc_last_unix_ns <= wall_ns) {
		snprintf(last, sizeof(last), "%s ago", pw_time_duration(wall_ns - n->gc_last_unix_ns, ago));
		note_add(note, "the last ended", last);
		note_number(note, "paused for", n->gc_last_pause_ns, PW_NUMBER_NS);
	}
	if (n->gc_phase && n->gc_phase < ARRAY_SIZE(phases))
		note_add(note, "now", phases[n->gc_phase]);
	ROW(sheet, "GC cycles", gc_cycles, COUNT, note);
	cpu_note(sheet, cpu);
	ROW(sheet, "  CPU time", cpu_gc_total_ns, NS, cpu);
	ROW(sheet, "  pauses", gc_pause_total_ns, NS, "");
	histogram_row(sheet, "  stops for GC", PW_HISTOGRAM_GC_PAUSES);
	histogram_row(sheet, "  stops for other", PW_HISTOGRAM_STW_TOTAL_OTHER);
}

static void heap_rows(struct sheet *sheet)
{
	const struct pw_runtime_numbers *n = sheet->now;
	char live[NOTE_MAX] = "", spans[NOTE_MAX] = "", freed[NOTE_MAX] = "", runtime[NOTE_MAX] = "", text[CELL_MAX];

	note_number(live, "live after the last GC", n->heap_marked_bytes, PW_NUMBER_BYTES);
	if (n->heap_goal_bytes != PW_UNKNOWN)
		note_add(live, "next at",
			 n->heap_goal_bytes >> 56 ? "no size" : pw_size_text(n->heap_goal_bytes, text));
	note_number(spans, "in use", n->heap_inuse_bytes, PW_NUMBER_BYTES);
	note_number(spans, "idle", n->heap_free_bytes, PW_NUMBER_BYTES);
	note_number(spans, "returned", n->heap_released_bytes, PW_NUMBER_BYTES);
	note_number(freed, "freed", n->freed_bytes, PW_NUMBER_BYTES);
	note_number(runtime, "mspan", n->mspan_sys_bytes, PW_NUMBER_BYTES);
	note_number(runtime, "mcache", n->mcache_sys_bytes, PW_NUMBER_BYTES);
	note_number(runtime, "GC", n->gc_sys_bytes, PW_NUMBER_BYTES);
	note_number(runtime, "profiles", n->profile_buckets_bytes, PW_NUMBER_BYTES);
	note_number(runtime, "other", n->other_sys_bytes, PW_NUMBER_BYTES);
	ROW(sheet, "heap", heap_objects_bytes, BYTES, live);
	ROW(sheet, "  objects", heap_objects, COUNT, spans);
	ROW(sheet, "  allocated", alloc_bytes, BYTES, freed);
	ROW(sheet, "  allocations", allocs, COUNT, "without tiny ones");
	ROW(sheet, "stacks", stack_inuse_bytes, BYTES, "");
	ROW(sheet, "all of Go's memory", sys_bytes, BYTES, runtime);
}

static void other_rows(struct sheet *sheet)
{
	const struct pw_runtime_numbers *n = sheet->now;
	char finalizers[NOTE_MAX] = "";

	ROW(sheet, "waiting for mutexes", mutex_wait_ns, NS, "of all goroutines, sampled by the runtime");
	if (n->cgo_calls)
		ROW(sheet, "calls of C", cgo_calls, COUNT, "");
	note_number(finalizers, "queued", n->finalizers_queued, PW_NUMBER_COUNT);
	note_number(finalizers, "run", n->finalizers_executed, PW_NUMBER_COUNT);
	if (n->finalizers_waiting || (n->finalizers_queued && n->finalizers_queued != PW_UNKNOWN))
		ROW(sheet, "finalizers waiting", finalizers_waiting, COUNT, finalizers);
	if (n->cleanups_queued)
		ROW(sheet, "cleanups queued", cleanups_queued, COUNT, "");
	if (n->limiter_last_cycle && n->limiter_last_cycle != PW_UNKNOWN)
		ROW(sheet, "GC limited", limiter_last_cycle, COUNT, "the last cycle that was cut to half of the CPUs");
}

static void identity_line(struct pw_buf *out, const struct pw_stat_view *view)
{
	const struct pw_runtime_numbers *n = &view->now->numbers;
	char up[PW_DURATION_SIZE], clock[PW_RFC3339_SIZE], limit[CELL_MAX];

	pw_buf_escaped(out, view->process, strlen(view->process));
	pw_buf_printf(out, " (pid %d, ", view->pid);
	pw_buf_escaped(out, view->go_version, strlen(view->go_version));
	pw_buf_printf(out, ")  up %s",
		      pw_time_duration(view->now->boot_ns - PW_MIN(view->start_time_ns, view->now->boot_ns), up));
	if (n->gomaxprocs != PW_UNKNOWN)
		pw_buf_printf(out, "  GOMAXPROCS %" PRIu64, n->gomaxprocs);
	if (n->gc_percent == PW_GC_PERCENT_OFF)
		pw_buf_puts(out, "  GOGC off");
	else if (n->gc_percent != PW_UNKNOWN)
		pw_buf_printf(out, "  GOGC %" PRIu64, n->gc_percent);
	if (n->memory_limit_bytes < PW_MEMORY_LIMIT_NONE)
		pw_buf_printf(out, "  GOMEMLIMIT %s", pw_size_text(n->memory_limit_bytes, limit));
	pw_buf_printf(out, "  %s\n", pw_time_clock(view->now->wall_ns, clock));
}

void pw_report_stat(struct pw_buf *out, const struct pw_stat_view *view)
{
	struct sheet sheet = {.view = view, .now = &view->now->numbers};

	if (view->before && view->now->boot_ns > view->before->boot_ns) {
		sheet.before = &view->before->numbers;
		sheet.seconds = (double)(view->now->boot_ns - view->before->boot_ns) / 1e9;
	}
	identity_line(out, view);
	pw_text_table_column(&sheet.table, "", false);
	pw_text_table_column(&sheet.table, "NOW", true);
	if (sheet.before) {
		pw_text_table_column(&sheet.table, "CHANGE", true);
		pw_text_table_column(&sheet.table, "PER SECOND", true);
	}
	pw_text_table_column(&sheet.table, "", false);
	goroutine_rows(&sheet);
	histogram_row(&sheet, "  ready to running", PW_HISTOGRAM_SCHED_LATENCIES);
	gc_rows(&sheet);
	heap_rows(&sheet);
	other_rows(&sheet);
	pw_text_table_print(&sheet.table, out);
	pw_text_table_done(&sheet.table);
}
