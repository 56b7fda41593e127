/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/gc.h"
#include "model/memory.h"
#include "model/record.h"
#include "model/runtime_numbers.h"
#include "output/gc.h"
#include "output/memory.h"

#define MB  (1ULL << 20)
#define NOW 1800000000000000000ULL

/* 100 MB of live heap, 300 of garbage, GOGC 400. */
static struct pw_memory_table garbage(void)
{
	struct pw_memory_table table = {
		.detailed = true,
		.rss_bytes = 420 * MB,
		.unexplained_bytes = -10 * (int64_t)MB,
		.heap_resident_bytes = 400 * MB,
		.heap_committed_bytes = 410 * MB,
		.heap_untouched_bytes = 10 * MB,
		.released_bytes = 5 * MB,
		.gc_cycles = 17,
		.gc_last_unix_ns = NOW - 12300000000ULL,
		.gc_percent = 400,
		.memory_limit_bytes = PW_MEMORY_LIMIT_NONE,
		.heap_goal_bytes = 500 * MB,
		.goroutines = 7,
		.limits = {.cgroup_version = 2,
			   .max_bytes = 1024 * MB,
			   .max_used_bytes = 512 * MB,
			   .max_reclaimable_bytes = 3 * MB,
			   .high_bytes = PW_UNKNOWN,
			   .swap_max_bytes = PW_UNKNOWN},
		.mappings = 40,
		.cost_ns = 3000000,
	};

	table.kind[PW_MEMORY_LIVE] = 100 * MB;
	table.kind[PW_MEMORY_UNCOLLECTED] = 300 * MB;
	table.kind[PW_MEMORY_FILE] = 20 * MB;
	table.kind[PW_MEMORY_STACKS] = 10 * MB;
	return table;
}

static struct pw_memory_view view_of(const struct pw_memory_table *table)
{
	return (struct pw_memory_view){.table = table,
				       .pid = 4711,
				       .process = "orders",
				       .go_version = "go1.24.4",
				       .max_path = "/a.slice",
				       .high_path = "",
				       .wall_ns = NOW};
}

static void assert_says(const struct pw_memory_table *table, const char *text)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1 << 20);
	struct pw_memory_view view = view_of(table);

	pw_report_memory(&out, &view);
	if (!strstr(pw_buf_text(&out), text))
		print_message("expected: %s\nin: %s\n", text, pw_buf_text(&out));
	assert_non_null(strstr(pw_buf_text(&out), text));
}

static void the_conclusion_answers_why_the_rss_is_so_much_larger_than_the_heap(void **state)
{
	struct pw_memory_table table = garbage();

	(void)state;
	assert_says(&table,
		    "orders (pid 4711, go1.24.4): RSS 420 MiB = 300 MiB new objects and garbage + 100 MiB live heap + "
		    "20.0 MiB pages of files.\n");
}

static void what_takes_most_is_explained(void **state)
{
	struct pw_memory_table table = garbage();

	(void)state;
	table.unexplained_bytes = 0;
	table.rss_bytes = 430 * MB;
	assert_says(&table,
		    "+ 20.0 MiB pages of files + 10.0 MiB others.\nThe largest part is new objects and garbage waiting "
		    "for the next GC at 500 MiB of heap (GOGC=400).\n");
	assert_says(&table, "marked by GC 17, 12s ago");
	assert_says(&table,
		    "limits: memory.max 1.0 GiB of cgroup /a.slice, 50% used (3.0 MiB of it pages of files that can be "
		    "given up); GOGC=400, GOMEMLIMIT none\n");
	table.kind[PW_MEMORY_LIVE] = 400 * MB;
	assert_says(&table, "The largest part is what the program holds: `parkwatch heap -p 4711` says");
	table.kind[PW_MEMORY_NON_GO] = 500 * MB;
	assert_says(&table, "memory that Go's runtime does not know of");
	table.kind[PW_MEMORY_STACKS] = 600 * MB;
	assert_says(&table, "stacks of 7 goroutines");
}

static void without_a_goal_only_the_program_itself_can_collect(void **state)
{
	struct pw_memory_table table = garbage();

	(void)state;
	table.gc_percent = PW_GC_PERCENT_OFF;
	table.heap_goal_bytes = UINT64_MAX - 1;
	assert_says(&table, "new objects and garbage that nothing but runtime.GC() collects (GOGC=off)");
	table.memory_limit_bytes = 700 * MB;
	table.heap_goal_bytes = 650 * MB;
	assert_says(&table, "waiting for the next GC at 650 MiB of heap (GOGC=off, GOMEMLIMIT=700 MiB)");
}

static void a_rest_has_its_reason(void **state)
{
	struct pw_memory_table table = garbage();

	(void)state;
	assert_says(&table, "-10.0 MiB   -2.4%  10.0 MiB of the heap never written");
	table.heap_swapped_bytes = 2 * MB;
	assert_says(&table, "; 2.0 MiB of the heap swapped out");
}

static void foreign_text_cannot_leave_its_place(void **state)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1 << 20), json = PW_BUF_INIT(1 << 20);
	struct pw_memory_table table = garbage();
	struct pw_memory_view view = view_of(&table);

	(void)state;
	view.process = "a\033[2J\nb\"";
	view.max_path = "/x\033]0;y\"";
	pw_report_memory(&text, &view);
	assert_null(strchr(pw_buf_text(&text), '\033'));
	pw_view_memory(&json, &view);
	assert_null(strchr(pw_buf_text(&json), '\033'));
	assert_non_null(strstr(pw_buf_text(&json), "\"process\": \"a\\u001b[2J\\nb\\\"\""));
}

static void without_the_runtime_its_rows_are_absent_and_not_0(void **state)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1 << 20), json = PW_BUF_INIT(1 << 20);
	struct pw_memory_table table = garbage();
	struct pw_memory_view view = view_of(&table);

	(void)state;
	view.no_heap = "its memory is closed to us";
	pw_report_memory(&text, &view);
	assert_null(strstr(pw_buf_text(&text), "\nlive heap"));
	assert_non_null(strstr(pw_buf_text(&text), "What the runtime says is missing: its memory is closed to us"));
	pw_view_memory(&json, &view);
	assert_non_null(strstr(pw_buf_text(&json), "\"live_heap\": null"));
	assert_non_null(strstr(pw_buf_text(&json), "\"heap\": null"));
}

static void a_cycle_is_told_in_words_in_json_and_as_its_line(void **state)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1 << 16), json = PW_BUF_INIT(1 << 16);
	const struct pw_record_gc_cycle cycle = {.number = 3,
						 .start_ns = 5000000000,
						 .mark_ns = 5000100000,
						 .mark_termination_ns = 5003000000,
						 .end_ns = 5003050000,
						 .since_init_ns = 2000000000,
						 .pause_ns = 150000,
						 .heap_start_bytes = 10 * MB,
						 .heap_live_bytes = 4 * MB,
						 .goal_bytes = UINT64_MAX - 5, /* GOGC=off */
						 .trigger_bytes = PW_UNKNOWN,
						 .assist_ns = 1,
						 .dedicated_ns = 3,
						 .stw_procs = 2,
						 .max_procs = 2,
						 .forced = true,
						 .polled = true};
	const struct pw_gc_sums sums = {.missed = 9};
	const struct pw_gc_view view = {.pid = 4711,
					.process = "orders",
					.go_version = "go1.24.4",
					.go_minor = 24,
					.source = "polls",
					.boot_ns = 6000000000,
					.wall_ns = NOW,
					.cycles = &cycle,
					.cycle_count = 1,
					.sums = &sums};

	(void)state;
	pw_report_gc_cycle(&text, &cycle);
	assert_non_null(strstr(pw_buf_text(&text), "25.0%"));
	assert_non_null(strstr(pw_buf_text(&text), "10.0 MiB, 4.0 MiB, none (forced)"));
	pw_view_gc(&json, &view);
	assert_non_null(strstr(pw_buf_text(&json), "\"trigger_bytes\": null"));
	assert_non_null(strstr(pw_buf_text(&json), "\"leak_check\": null"));
	assert_non_null(strstr(pw_buf_text(&json), "\"missed\": 9"));
	assert_non_null(strstr(pw_buf_text(&json), "\"gctrace\": \"gc 3 @2.000s 0%: 0.10+2.9+0.050 ms clock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_conclusion_answers_why_the_rss_is_so_much_larger_than_the_heap),
		cmocka_unit_test(what_takes_most_is_explained),
		cmocka_unit_test(without_a_goal_only_the_program_itself_can_collect),
		cmocka_unit_test(a_rest_has_its_reason),
		cmocka_unit_test(foreign_text_cannot_leave_its_place),
		cmocka_unit_test(without_the_runtime_its_rows_are_absent_and_not_0),
		cmocka_unit_test(a_cycle_is_told_in_words_in_json_and_as_its_line),
	};

	return cmocka_run_group_tests_name("output/memory", tests, NULL, NULL);
}
