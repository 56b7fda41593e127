/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/gc.h"
#include "model/record.h"

#define US 1000ULL
#define MS 1000000ULL

/* A line of a program of Go 1.27, by the numbers it was printed from. */
static struct pw_record_gc_cycle printed(void)
{
	return (struct pw_record_gc_cycle){
		.number = 100,
		.start_ns = 9000000000ULL,
		.mark_ns = 9000000000ULL + 161 * US,
		.mark_termination_ns = 9000000000ULL + 161 * US + 324 * US,
		.end_ns = 9000000000ULL + 161 * US + 324 * US + 4 * US,
		.since_init_ns = 8330900000ULL,
		.heap_start_bytes = 39ULL << 20 | 0xfffff,
		.heap_mark_end_bytes = 39ULL << 20,
		.heap_live_bytes = 20ULL << 20,
		.goal_bytes = 41ULL << 20,
		.stack_bytes = 300 << 10,
		.globals_bytes = 1 << 20,
		.assist_ns = 0,
		.dedicated_ns = 200 * US,
		.fractional_ns = 40 * US,
		.idle_ns = 130 * US,
		.cpu_fraction = 0.0199,
		.stw_procs = 2,
		.max_procs = 2,
	};
}

static void assert_line(const struct pw_record_gc_cycle *cycle, int go_minor, const char *line)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1024);

	pw_gctrace_format(&out, cycle, go_minor);
	assert_string_equal(pw_buf_text(&out), line);
}

static void the_line_is_the_one_that_the_program_prints(void **state)
{
	struct pw_record_gc_cycle cycle = printed();

	(void)state;
	assert_line(&cycle, 27,
		    "gc 100 @8.330s 1%: 0.16+0.32+0.004 ms clock, 0.32+0/0.24/0.13+0.008 ms cpu, 39->39->20 MB, 41 MB "
		    "goal, 0 MB stacks, 1 MB globals, 2 P");
}

static void times_have_two_digits_below_ten_milliseconds_and_none_behind_the_point_above(void **state)
{
	struct pw_record_gc_cycle cycle = printed();

	(void)state;
	cycle.mark_ns = cycle.start_ns + 999;		       /* below a microsecond: 0 */
	cycle.mark_termination_ns = cycle.mark_ns + 9999 * US; /* 9.9, cut and not rounded */
	cycle.end_ns = cycle.mark_termination_ns + 10 * MS;
	cycle.dedicated_ns = 99 * US;
	cycle.fractional_ns = 0;
	cycle.assist_ns = 1234567 * US;
	cycle.idle_ns = 1 * US;
	assert_line(
		&cycle, 19,
		"gc 100 @8.330s 1%: 0+9.9+10 ms clock, 0.001+1234/0.099/0.001+20 ms cpu, 39->39->20 MB, 41 MB goal, 0 "
		"MB stacks, 1 MB globals, 2 P");
}

static void forced_cycles_and_leak_checks_are_marked_as_the_version_does(void **state)
{
	struct pw_record_gc_cycle cycle = printed();
	const char *with = "gc 100 @8.330s 1% (checking for goroutine leaks): 0.16+0.32+0.004 ms clock, "
			   "0.32+0/0.24/0.13+0.008 ms cpu, 39->39->20 MB, 41 MB goal, 0 MB stacks, 1 MB globals, 2 P "
			   "(forced)";
	const char *without =
		"gc 100 @8.330s 1%: 0.16+0.32+0.004 ms clock, "
		"0.32+0/0.24/0.13+0.008 ms cpu, 39->39->20 MB, 41 MB goal, 0 MB stacks, 1 MB globals, 2 P "
		"(forced)";

	(void)state;
	cycle.forced = cycle.leak_check = true;
	assert_line(&cycle, 26, with);
	assert_line(&cycle, 25, without);
}

/* Cycle number n, a second behind the one before, of 3 ms. */
static struct pw_record_gc_cycle numbered(uint64_t number)
{
	uint64_t start_ns = number * 1000 * MS;

	return (struct pw_record_gc_cycle){.number = number,
					   .since_init_ns = start_ns,
					   .start_ns = start_ns,
					   .mark_ns = start_ns + 20 * US,
					   .mark_termination_ns = start_ns + 3 * MS,
					   .end_ns = start_ns + 3 * MS + 30 * US,
					   .pause_ns = 50 * US,
					   .assist_ns = 1 * MS,
					   .dedicated_ns = 3 * MS,
					   .stw_procs = 2,
					   .max_procs = 4};
}

static void add(struct pw_gc_history *history, uint64_t number, int expected)
{
	struct pw_record_gc_cycle cycle = numbered(number);

	assert_int_equal(pw_gc_history_add(history, &cycle), expected);
}

static void what_lies_between_two_cycles_seen_is_missed(void **state)
{
	struct pw_gc_history history = {0};

	(void)state;
	add(&history, 50, 0); /* nothing is known of the first 49 */
	add(&history, 51, 0);
	add(&history, 55, 0);
	assert_int_equal(history.sums.seen, 3);
	assert_int_equal(history.sums.missed, 3);
	pw_gc_history_done(&history);
}

static void cycles_that_come_twice_or_too_late_are_taken_once(void **state)
{
	struct pw_gc_history history = {0};

	(void)state;
	add(&history, 7, 0);
	add(&history, 7, -EALREADY);
	add(&history, 6, -EALREADY);
	assert_int_equal(history.count, 1);
	assert_int_equal(history.sums.seen, 1);
	pw_gc_history_done(&history);
}

static void a_number_that_jumps_further_than_time_allows_is_not_believed(void **state)
{
	struct pw_gc_history history = {0};
	struct pw_record_gc_cycle liar = numbered(9);

	(void)state;
	add(&history, 7, 0);
	liar.number = 4000000000ULL;
	assert_int_equal(pw_gc_history_add(&history, &liar), -EBADMSG);
	liar = numbered(8);
	liar.since_init_ns = numbered(7).end_ns - 1; /* begins before the one before it has ended */
	assert_int_equal(pw_gc_history_add(&history, &liar), -EBADMSG);
	assert_int_equal(history.sums.refused, 2);
	assert_int_equal(history.sums.missed, 0);
	add(&history, 8, 0);
	pw_gc_history_done(&history);
}

static void the_ring_keeps_the_last_512_and_the_sums_all(void **state)
{
	struct pw_gc_history history = {0};

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		add(&history, i, 0);
	assert_int_equal(history.count, PW_GC_RING_MAX);
	assert_int_equal(history.cycles[0].number, 1000 - PW_GC_RING_MAX + 1);
	assert_int_equal(history.cycles[PW_GC_RING_MAX - 1].number, 1000);
	assert_int_equal(history.sums.seen, 1000);
	assert_int_equal(history.sums.pause_ns, 1000 * 50 * US);
	assert_int_equal(history.sums.stopped_cpu_ns, 1000 * 2 * 50 * US);
	assert_int_equal(history.sums.pause_counts[2], 1000); /* 30 us < 50 us <= 100 us */
	assert_int_equal(history.sums.mark_counts[5], 1000);  /* 1 ms < 2.98 ms <= 3 ms */
	assert_int_equal(history.sums.share_counts[4], 1000); /* a quarter, not more */
	assert_true(history.sums.assist_share > 249.999 && history.sums.assist_share < 250.001);
	pw_gc_history_done(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_is_the_one_that_the_program_prints),
		cmocka_unit_test(times_have_two_digits_below_ten_milliseconds_and_none_behind_the_point_above),
		cmocka_unit_test(forced_cycles_and_leak_checks_are_marked_as_the_version_does),
		cmocka_unit_test(what_lies_between_two_cycles_seen_is_missed),
		cmocka_unit_test(cycles_that_come_twice_or_too_late_are_taken_once),
		cmocka_unit_test(a_number_that_jumps_further_than_time_allows_is_not_believed),
		cmocka_unit_test(the_ring_keeps_the_last_512_and_the_sums_all),
	};

	return cmocka_run_group_tests_name("model/gc", tests, NULL, NULL);
}
