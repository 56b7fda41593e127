/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/time.h"
#include "model/memory.h"
#include "model/record.h"
#include "model/runtime_numbers.h"
#include "output/table.h"
#include "output/views.h"

#define NOTE_SIZE   256
#define SHARE_LEAST 3 /* percent of the RSS from which on a part is named in the conclusion */

static const char *const words[_PW_MEMORY_KIND_MAX] = {
	[PW_MEMORY_LIVE] = "live heap",
	[PW_MEMORY_UNCOLLECTED] = "new objects and garbage",
	[PW_MEMORY_SLOTS] = "free places in spans",
	[PW_MEMORY_FREE] = "free spans kept",
	[PW_MEMORY_STACKS] = "goroutine stacks",
	[PW_MEMORY_RUNTIME] = "Go's runtime itself",
	[PW_MEMORY_GLOBALS] = "data and bss",
	[PW_MEMORY_NON_GO] = "not Go's: C, mmap",
	[PW_MEMORY_FILE] = "pages of files",
	[PW_MEMORY_SHMEM] = "shared memory",
};

static double share(const struct pw_memory_table *table, double bytes)
{
	return table->rss_bytes ? 100 * bytes / (double)table->rss_bytes : 0;
}

static bool is_known(uint64_t value)
{
	return value != PW_UNKNOWN;
}

/* ---- the conclusion ---- */

/* "GOGC=100, GOMEMLIMIT=512 MiB": what decides when the next collection begins. */
static void put_pace(struct pw_buf *out, const struct pw_memory_table *table)
{
	char limit[PW_SIZE_TEXT_SIZE];

	if (!is_known(table->gc_percent))
		pw_buf_puts(out, "GOGC unknown");
	else if (table->gc_percent == PW_GC_PERCENT_OFF)
		pw_buf_puts(out, "GOGC=off");
	else
		pw_buf_printf(out, "GOGC=%" PRIu64, table->gc_percent);
	if (is_known(table->memory_limit_bytes) && table->memory_limit_bytes != PW_MEMORY_LIMIT_NONE)
		pw_buf_printf(out, ", GOMEMLIMIT=%s", pw_size_text(table->memory_limit_bytes, limit));
}

static bool has_goal(const struct pw_memory_table *table)
{
	return is_known(table->heap_goal_bytes) && table->heap_goal_bytes <= 1ULL << 56; /* none: 2^64 - 1 */
}

static void put_when_collected(struct pw_buf *out, const struct pw_memory_table *table)
{
	char goal[PW_SIZE_TEXT_SIZE];

	if (has_goal(table))
		pw_buf_printf(out, "waiting for the next GC at %s of heap (",
			      pw_size_text(table->heap_goal_bytes, goal));
	else
		pw_buf_puts(out, "that nothing but runtime.GC() collects (");
	put_pace(out, table);
	pw_buf_puts(out, ")");
}

static void put_largest(struct pw_buf *out, const struct pw_memory_view *view)
{
	const struct pw_memory_table *table = view->table;

	switch (pw_memory_largest(table)) {
	case PW_MEMORY_LIVE:
		pw_buf_printf(out, "what the program holds: `parkwatch heap -p %d` says where it was allocated",
			      view->pid);
		break;
	case PW_MEMORY_UNCOLLECTED:
		pw_buf_puts(out, "new objects and garbage ");
		put_when_collected(out, table);
		break;
	case PW_MEMORY_SLOTS:
		pw_buf_puts(out, "free places between objects: spans stay as long as one object in them lives "
				 "(fragmentation), or are not swept yet");
		break;
	case PW_MEMORY_FREE:
		pw_buf_puts(out, "heap that was freed and is kept for the next allocations: Go gives it back in the "
				 "background over minutes, debug.FreeOSMemory() at once");
		break;
	case PW_MEMORY_STACKS:
		pw_buf_puts(out, "stacks");
		if (is_known(table->goroutines))
			pw_buf_printf(out, " of %" PRIu64 " goroutine%s", table->goroutines,
				      table->goroutines == 1 ? "" : "s");
		pw_buf_printf(out, ": `parkwatch goroutines -p %d` says who they are", view->pid);
		break;
	case PW_MEMORY_RUNTIME:
		pw_buf_puts(out, "Go's runtime itself: metadata of spans and of the collector, profiles");
		break;
	case PW_MEMORY_GLOBALS:
		pw_buf_puts(out, "global variables of the program and its libraries");
		break;
	case PW_MEMORY_NON_GO:
		pw_buf_puts(out, "memory that Go's runtime does not know of: malloc of C code, or mmap; neither the "
				 "GC nor GOMEMLIMIT has a say in it");
		break;
	case PW_MEMORY_FILE:
		pw_buf_puts(out, "pages of files, the program's own code among them: the kernel takes clean ones back "
				 "when memory is short");
		break;
	case PW_MEMORY_SHMEM:
		pw_buf_puts(out, "shared memory, or files on tmpfs");
		break;
	case _PW_MEMORY_KIND_MAX:
		break;
	}
}

/* "RSS 3.1 GiB = 1.7 GiB new objects and garbage + 1.0 GiB live heap + 0.4 GiB others": by size, small ones together.
 */
static void put_sum(struct pw_buf *out, const struct pw_memory_table *table)
{
	bool named[_PW_MEMORY_KIND_MAX] = {false};
	int64_t rest = (int64_t)table->rss_bytes;
	char text[PW_SIZE_TEXT_SIZE];
	const char *before = " = ";

	pw_buf_printf(out, "RSS %s", pw_size_text(table->rss_bytes, text));
	for (;;) {
		int next = -1;

		for (int i = 0; i < _PW_MEMORY_KIND_MAX; i++)
			if (!named[i] && share(table, (double)table->kind[i]) >= SHARE_LEAST &&
			    (next < 0 || table->kind[i] > table->kind[next]))
				next = i;
		if (next < 0)
			break;
		named[next] = true;
		rest -= (int64_t)table->kind[next];
		pw_buf_printf(out, "%s%s %s", before, pw_size_text(table->kind[next], text), words[next]);
		before = " + ";
	}
	if (rest < 0)
		pw_buf_printf(out, " - %s that is not resident", pw_size_text((uint64_t)-rest, text));
	else if (rest > 0)
		pw_buf_printf(out, "%s%s others", before, pw_size_text((uint64_t)rest, text));
}

/* ---- the table ---- */

static void note_kind(const struct pw_memory_view *view, enum pw_memory_kind kind, struct pw_buf *out)
{
	const struct pw_memory_table *table = view->table;
	char age[PW_DURATION_SIZE], size[PW_SIZE_TEXT_SIZE];
	uint64_t garbage = pw_memory_known_garbage(table);
	uint64_t ago = view->wall_ns > table->gc_last_unix_ns ? view->wall_ns - table->gc_last_unix_ns : 0;

	ago -= ago >= 10 * PW_NS_PER_SEC ? ago % PW_NS_PER_SEC : ago % (100 * PW_NS_PER_MS);
	if (kind == PW_MEMORY_LIVE && table->gc_cycles && is_known(table->gc_cycles))
		pw_buf_printf(out, "marked by GC %" PRIu64 ", %s ago", table->gc_cycles, pw_time_duration(ago, age));
	else if (kind == PW_MEMORY_LIVE && !table->gc_cycles)
		pw_buf_puts(out, "no GC yet: nothing is known to be live");
	else if (kind == PW_MEMORY_UNCOLLECTED && is_known(table->gc_cycles)) {
		if (garbage && is_known(garbage))
			pw_buf_printf(out, "%s of it garbage, not swept yet; the rest ", pw_size_text(garbage, size));
		pw_buf_puts(out, table->gc_cycles ? "allocated since, " : "");
		put_when_collected(out, table);
	} else if (kind == PW_MEMORY_FREE && is_known(table->released_bytes))
		pw_buf_printf(out, "besides, %s were returned to the system",
			      pw_size_text(table->released_bytes, size));
	else if (kind == PW_MEMORY_STACKS && is_known(table->goroutines))
		pw_buf_printf(out, "%" PRIu64 " goroutine%s", table->goroutines, table->goroutines == 1 ? "" : "s");
	else if (kind == PW_MEMORY_NON_GO && !table->detailed)
		pw_buf_puts(out, "what nobody else accounts for");
	else if (kind == PW_MEMORY_NON_GO && table->c_heap_bytes && is_known(table->c_heap_bytes))
		pw_buf_printf(out, "%s of it on the C heap (brk)", pw_size_text(table->c_heap_bytes, size));
}

/* Why rows and RSS differ: what the runtime counts is address space, what the kernel counts is pages. */
static void note_unexplained(const struct pw_memory_table *table, struct pw_buf *out)
{
	const struct {
		uint64_t bytes;
		const char *text;
	} reasons[] = {
		{table->heap_untouched_bytes, "of the heap never written (or in huge pages that were split)"},
		{table->heap_swapped_bytes, "of the heap swapped out"},
		{table->heap_lazy_free_bytes, "freed by MADV_FREE and not yet taken by the kernel"},
		{table->unexplained_bytes > 0 ? table->heap_huge_bytes : 0,
		 "of the heap in huge pages, freed parts of them included"},
	};
	char size[PW_SIZE_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].bytes && is_known(reasons[i].bytes))
			pw_buf_printf(out, "%s%s %s", out->size ? "; " : "", pw_size_text(reasons[i].bytes, size),
				      reasons[i].text);
}

static void add_row(struct pw_text_table *rows, const char *what, int64_t bytes, double percent, struct pw_buf *note)
{
	char size[PW_SIZE_TEXT_SIZE], text[16];

	pw_text_table_cell(rows, what, 64);
	if (bytes < 0)
		pw_text_table_cell(rows, pw_size_change_text(bytes, size), 16);
	else
		pw_text_table_cell(rows, pw_size_text((uint64_t)bytes, size), 16);
	snprintf(text, sizeof(text), "%.1f%%", percent);
	pw_text_table_cell(rows, text, 16);
	pw_text_table_cell(rows, pw_buf_text(note), NOTE_SIZE);
	pw_buf_reset(note);
}

static void put_rows(struct pw_buf *out, const struct pw_memory_view *view)
{
	_cleanup_buf_ struct pw_buf note = PW_BUF_INIT(NOTE_SIZE);
	const struct pw_memory_table *table = view->table;
	struct pw_text_table rows = {0};

	pw_text_table_column(&rows, "WHAT", false);
	pw_text_table_column(&rows, "BYTES", true);
	pw_text_table_column(&rows, "OF RSS", true);
	pw_text_table_column(&rows, "", false);
	for (int i = view->no_heap ? PW_MEMORY_NON_GO : 0; i < _PW_MEMORY_KIND_MAX; i++) {
		if (i == PW_MEMORY_GLOBALS && !table->detailed)
			continue;
		note_kind(view, (enum pw_memory_kind)i, &note);
		add_row(&rows, words[i], (int64_t)table->kind[i], share(table, (double)table->kind[i]), &note);
	}
	note_unexplained(table, &note);
	add_row(&rows, "unexplained", table->unexplained_bytes, share(table, (double)table->unexplained_bytes), &note);
	add_row(&rows, "RSS", (int64_t)table->rss_bytes, share(table, (double)table->rss_bytes), &note);
	pw_text_table_print(&rows, out);
	pw_text_table_done(&rows);
}

static void put_limits(struct pw_buf *out, const struct pw_memory_view *view)
{
	const struct pw_memory_limits *limits = &view->table->limits;
	char size[PW_SIZE_TEXT_SIZE], file[PW_SIZE_TEXT_SIZE];

	pw_buf_puts(out, "limits: ");
	if (!limits->cgroup_version) {
		pw_buf_puts(out, "no memory cgroup to be seen");
	} else if (!is_known(limits->max_bytes)) {
		pw_buf_printf(out, "none by cgroup (v%" PRIu64 ")", limits->cgroup_version);
	} else {
		pw_buf_printf(out, "%s %s of cgroup ", limits->cgroup_version == 2 ? "memory.max" : "limit_in_bytes",
			      pw_size_text(limits->max_bytes, size));
		pw_buf_escaped(out, view->max_path, strlen(view->max_path));
		if (is_known(limits->max_used_bytes) && limits->max_bytes)
			pw_buf_printf(out, ", %.0f%% used (%s of it pages of files that can be given up)",
				      100 * (double)limits->max_used_bytes / (double)limits->max_bytes,
				      pw_size_text(limits->max_reclaimable_bytes, file));
	}
	if (is_known(limits->high_bytes)) {
		pw_buf_printf(out, "; memory.high %s of cgroup ", pw_size_text(limits->high_bytes, size));
		pw_buf_escaped(out, view->high_path, strlen(view->high_path));
	}
	if (!view->no_heap) {
		pw_buf_puts(out, "; ");
		put_pace(out, view->table);
		if (view->table->memory_limit_bytes == PW_MEMORY_LIMIT_NONE)
			pw_buf_puts(out, ", GOMEMLIMIT none");
	}
	pw_buf_putc(out, '\n');
}

static void put_rest(struct pw_buf *out, const struct pw_memory_view *view)
{
	const struct pw_memory_table *table = view->table;
	char one[PW_SIZE_TEXT_SIZE], two[PW_SIZE_TEXT_SIZE], cost[PW_DURATION_SIZE];

	if (table->detailed)
		pw_buf_printf(out, "heap: %s of the %s that the runtime counts are resident",
			      pw_size_text(table->heap_resident_bytes, one),
			      pw_size_text(table->heap_committed_bytes, two));
	else
		pw_buf_puts(out, "heap: mappings were not told apart");
	pw_buf_printf(out, "; swapped out: %s; in huge pages: %s\n", pw_size_text(table->swap_bytes, one),
		      pw_size_text(table->huge_bytes, two));
	if (table->detailed)
		pw_buf_printf(out, "cost of this look: %" PRIu64 " mappings, %s of CPU time\n", table->mappings,
			      pw_time_duration(table->cost_ns, cost));
}

void pw_report_memory(struct pw_buf *out, const struct pw_memory_view *view)
{
	pw_buf_escaped(out, view->process, strlen(view->process));
	pw_buf_printf(out, " (pid %d, ", view->pid);
	pw_buf_escaped(out, view->go_version, strlen(view->go_version));
	pw_buf_puts(out, "): ");
	put_sum(out, view->table);
	if (view->no_heap) {
		pw_buf_puts(out, ". What the runtime says is missing: ");
		pw_buf_escaped(out, view->no_heap, strlen(view->no_heap));
		pw_buf_puts(out, "\n\n");
	} else {
		pw_buf_puts(out, ".\nThe largest part is ");
		put_largest(out, view);
		pw_buf_puts(out, ".\n\n");
	}
	put_rows(out, view);
	pw_buf_putc(out, '\n');
	put_limits(out, view);
	put_rest(out, view);
}

/* ---- JSON ---- */

static void key_number(struct pw_json *json, const char *key, uint64_t value)
{
	if (is_known(value))
		pw_json_key_u64(json, key, value);
	else
		pw_json_key_null(json, key);
}

static void write_limits(struct pw_json *json, const struct pw_memory_view *view)
{
	const struct pw_memory_table *table = view->table;

	pw_json_key_object(json, "limits");
	pw_json_key_u64(json, "cgroup_version", table->limits.cgroup_version);
	key_number(json, "memory_max_bytes", table->limits.max_bytes);
	pw_json_key_str(json, "memory_max_cgroup", is_known(table->limits.max_bytes) ? view->max_path : NULL);
	key_number(json, "memory_max_used_bytes", table->limits.max_used_bytes);
	key_number(json, "memory_max_reclaimable_bytes", table->limits.max_reclaimable_bytes);
	key_number(json, "memory_high_bytes", table->limits.high_bytes);
	pw_json_key_str(json, "memory_high_cgroup", is_known(table->limits.high_bytes) ? view->high_path : NULL);
	key_number(json, "swap_max_bytes", table->limits.swap_max_bytes);
	key_number(json, "gomemlimit_bytes",
		   table->memory_limit_bytes == PW_MEMORY_LIMIT_NONE ? PW_UNKNOWN : table->memory_limit_bytes);
	key_number(json, "gogc_percent", table->gc_percent == PW_GC_PERCENT_OFF ? PW_UNKNOWN : table->gc_percent);
	key_number(json, "heap_goal_bytes", has_goal(table) ? table->heap_goal_bytes : PW_UNKNOWN);
	pw_json_end(json);
}

static void write_heap(struct pw_json *json, const struct pw_memory_view *view)
{
	const struct pw_memory_table *table = view->table;
	char time[PW_RFC3339_SIZE];

	pw_json_key_object(json, "heap");
	key_number(json, "resident_bytes", table->heap_resident_bytes);
	pw_json_key_u64(json, "counted_bytes", table->heap_committed_bytes);
	key_number(json, "untouched_bytes", table->heap_untouched_bytes);
	key_number(json, "swapped_bytes", table->heap_swapped_bytes);
	key_number(json, "lazy_free_bytes", table->heap_lazy_free_bytes);
	key_number(json, "huge_pages_bytes", table->heap_huge_bytes);
	key_number(json, "released_bytes", table->released_bytes);
	key_number(json, "garbage_unswept_bytes", pw_memory_known_garbage(table));
	key_number(json, "gc_cycles", table->gc_cycles);
	pw_json_key_str(json, "last_gc_at",
			table->gc_last_unix_ns && is_known(table->gc_last_unix_ns)
				? pw_time_rfc3339(table->gc_last_unix_ns, time)
				: NULL);
	pw_json_end(json);
}

static void write_process(struct pw_json *json, const struct pw_memory_view *view)
{
	_cleanup_buf_ struct pw_buf conclusion = PW_BUF_INIT(2048);
	const struct pw_memory_table *table = view->table;

	put_sum(&conclusion, table);
	pw_json_key_i64(json, "pid", view->pid);
	pw_json_key_str(json, "process", view->process);
	pw_json_key_str(json, "go_version", view->go_version);
	pw_json_key_str(json, "conclusion", pw_buf_text(&conclusion));
	pw_json_key_str(json, "no_heap", view->no_heap);
	pw_json_key_u64(json, "rss_bytes", table->rss_bytes);
	pw_json_key_object(json, "bytes");
	for (int i = 0; i < _PW_MEMORY_KIND_MAX; i++)
		key_number(json, pw_memory_kind_name((enum pw_memory_kind)i),
			   view->no_heap && i < PW_MEMORY_NON_GO ? PW_UNKNOWN : table->kind[i]);
	pw_json_end(json);
	pw_json_key_i64(json, "unexplained_bytes", table->unexplained_bytes);
	pw_json_key_str(json, "largest", pw_memory_kind_name(pw_memory_largest(table)));
	pw_json_key_bool(json, "mappings_told_apart", table->detailed);
	pw_json_key_u64(json, "swap_bytes", table->swap_bytes);
	pw_json_key_u64(json, "huge_pages_bytes", table->huge_bytes);
	key_number(json, "c_heap_bytes", table->c_heap_bytes);
	if (view->no_heap)
		pw_json_key_null(json, "heap");
	else
		write_heap(json, view);
	write_limits(json, view);
	pw_json_key_u64(json, "mappings", table->mappings);
	pw_json_key_u64(json, "cost_cpu_ns", table->cost_ns);
}

void pw_view_memory(struct pw_buf *out, const struct pw_memory_view *view)
{
	struct pw_json json = pw_json_init(out, true);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	write_process(&json, view);
	pw_json_end(&json);
	if (pw_json_finish(&json)) /* the buffer's error, which whoever prints it looks at */
		return;
}

void pw_view_memory_all(struct pw_buf *out, const struct pw_record *const *records, size_t count)
{
	struct pw_json json = pw_json_init(out, false);
	char taken[PW_RFC3339_SIZE];

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_array(&json, "processes");
	for (size_t i = 0; i < count; i++) {
		const struct pw_record *record = records[i];
		const struct pw_memory_view view = {
			.table = &record->memory.table,
			.pid = record->identity.pid,
			.process = pw_record_string(record, record->identity.process),
			.go_version = pw_record_string(record, record->identity.go_version),
			.max_path = pw_record_string(record, record->memory.max_path),
			.high_path = pw_record_string(record, record->memory.high_path),
			.no_heap = record->memory.table.heap_committed_bytes ? NULL : "not to be had at that time",
			.wall_ns = record->wall_ns,
		};

		if (!record->memory.section.present)
			continue;
		pw_json_object(&json);
		pw_json_key_str(
			&json, "taken_at",
			pw_time_rfc3339(record->wall_ns - (record->boot_ns - record->memory.section.taken_ns), taken));
		write_process(&json, &view);
		pw_json_end(&json);
	}
	pw_json_end(&json);
	pw_json_end(&json);
	if (!pw_json_finish(&json))
		pw_buf_putc(out, '\n');
}
