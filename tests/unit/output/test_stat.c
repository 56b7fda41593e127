/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/stat.h"

static struct pw_stat_look first, second;

static void fill(struct pw_stat_look *look)
{
	memset(look, 0, sizeof(*look));
	pw_runtime_numbers_init(&look->numbers);
	look->boot_ns = 100 * PW_NS_PER_SEC;
	look->wall_ns = 1795692326000000000;
	look->numbers.goroutines = 1234567;
	look->numbers.goroutines_system = 5;
	look->numbers.gomaxprocs = 8;
	look->numbers.gc_percent = PW_GC_PERCENT_OFF;
	look->numbers.memory_limit_bytes = PW_MEMORY_LIMIT_NONE;
	look->numbers.gc_cycles = 10;
	look->numbers.gc_forced = 2;
	look->numbers.gc_last_unix_ns = look->wall_ns - 3 * PW_NS_PER_SEC;
	look->numbers.gc_last_pause_ns = 120000;
	look->numbers.gc_pause_total_ns = 5 * PW_NS_PER_MS;
	look->numbers.heap_objects_bytes = 50 << 20;
	look->numbers.alloc_bytes = 900 << 20;
	look->states_known = true;
	look->states[PW_GOROUTINE_RUNNING] = 2;
	look->states[PW_GOROUTINE_WAITING] = 1234570;
	look->histograms.scale[PW_HISTOGRAM_SCHED_LATENCIES] = PW_SCALE_TIME;
	look->histograms.count[PW_HISTOGRAM_SCHED_LATENCIES][1] = 90; /* below 64 ns */
}

static struct pw_stat_view view(bool rates)
{
	fill(&first);
	second = first;
	second.boot_ns += 2 * PW_NS_PER_SEC;
	second.numbers.goroutines -= 20;
	second.numbers.gc_cycles += 3;
	second.numbers.gc_pause_total_ns += 10 * PW_NS_PER_MS;
	second.numbers.alloc_bytes += 6 << 20;
	second.histograms.count[PW_HISTOGRAM_SCHED_LATENCIES][5] = 10; /* 256 to 320 ns */
	return (struct pw_stat_view){.pid = 42,
				     .process = "shop\033[31m",
				     .go_version = "go1.24.4",
				     .start_time_ns = 40 * PW_NS_PER_SEC,
				     .now = rates ? &second : &first,
				     .before = rates ? &first : NULL};
}

static void assert_row(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("'%s' is not in\n%s", words, text);
}

static void one_look_has_values_and_no_rates(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_stat_view now = view(false);

	(void)state;
	pw_report_stat(&out, &now);
	assert_ptr_equal(
		strstr(pw_buf_text(&out), "shop\\x1b[31m (pid 42, go1.24.4)  up 1m00s  GOMAXPROCS 8  GOGC off  "),
		pw_buf_text(&out)); /* the first line */
	assert_row(pw_buf_text(&out), "1,234,567  running 2, waiting 1,234,570, of the runtime itself 5\n");
	assert_row(pw_buf_text(&out), "90  half below 64ns, 99% below 64ns, all below 64ns\n");
	assert_row(pw_buf_text(&out), "10  forced 2, the last ended 3.0s ago, paused for 120us\n");
	assert_null(strstr(pw_buf_text(&out), "PER SECOND"));
	assert_null(strstr(pw_buf_text(&out), "calls of C"));	       /* unknown */
	assert_null(strstr(pw_buf_text(&out), "waiting for mutexes")); /* not in this version */
	assert_null(strstr(pw_buf_text(&out), "GOMEMLIMIT"));
}

static void two_looks_have_changes_and_rates(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_stat_view now = view(true);

	(void)state;
	pw_report_stat(&out, &now);
	assert_row(pw_buf_text(&out), "1,234,547       -20         -10  running 2");
	assert_row(pw_buf_text(&out), "13        +3        +1.5  forced 2");
	assert_row(pw_buf_text(&out), "15ms     +10ms       0.50%  \n"); /* of the time between */
	assert_row(pw_buf_text(&out), "906 MiB  +6.0 MiB    +3.0 MiB");
	assert_row(pw_buf_text(&out),
		   "100       +10          +5  half below 320ns, 99% below 320ns"); /* the new ones only */
}

static void json_says_null_for_what_is_not_known(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_stat_view now = view(false);

	(void)state;
	pw_view_stat(&out, &now, true);
	assert_ptr_equal(strchr(pw_buf_text(&out), '\n'), pw_buf_text(&out) + out.size - 1); /* one line */
	assert_row(pw_buf_text(&out), "{\"schema_version\":1,\"pid\":42,\"process\":\"shop\\u001b[31m\"");
	assert_row(pw_buf_text(&out), "\"interval_ns\":null");
	assert_row(pw_buf_text(&out), "\"changes\":null");
	assert_row(pw_buf_text(&out), "\"gc_percent\":-1,\"memory_limit_bytes\":null");
	assert_row(pw_buf_text(&out), "\"cgo_calls\":null");
	assert_row(pw_buf_text(&out), "\"gc_cpu_fraction\":null");
	assert_row(pw_buf_text(&out),
		   "\"histograms\":{\"sched_latencies\":{\"unit\":\"ns\",\"count\":90,\"buckets\":[[0,64,90]]}}");
	assert_null(strstr(pw_buf_text(&out), "18446744073709551615"));
	pw_buf_reset(&out);
	now = view(true);
	pw_view_stat(&out, &now, true);
	assert_row(pw_buf_text(&out), "\"interval_ns\":2000000000");
	assert_row(pw_buf_text(&out), "\"changes\":{\"spawn_total\":null,");
	assert_row(pw_buf_text(&out), "\"gc_cycles\":3,\"gc_forced\":0,");
	assert_row(pw_buf_text(&out), "\"alloc_bytes\":6291456");
	assert_row(pw_buf_text(&out), "[[0,64,90],[256,320,10]]");
}

static void quantiles_are_upper_bounds_of_their_buckets(void **state)
{
	static uint64_t counts[PW_HISTOGRAM_BUCKETS_MAX];

	(void)state;
	assert_true(isnan(pw_histogram_quantile(counts, NULL, PW_SCALE_TIME, 0.5)));
	counts[1] = 50;
	counts[9] = 50; /* 512 to 640 ns */
	assert_true(pw_histogram_quantile(counts, NULL, PW_SCALE_TIME, 0.5) == 64);
	assert_true(pw_histogram_quantile(counts, NULL, PW_SCALE_TIME, 0.51) == 640);
	counts[161] = 1; /* above the scale: at least its end */
	assert_true(pw_histogram_quantile(counts, NULL, PW_SCALE_TIME, 1) == ldexp(1, 47));
	assert_true(pw_scale_bound(PW_SCALE_FINE, 17) == 16 && pw_scale_bound(PW_SCALE_FINE, 33) == 32);
	assert_true(pw_scale_bound(PW_SCALE_SIZE, 2) == 9 && isinf(pw_scale_bound(PW_SCALE_SIZE, 69)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_look_has_values_and_no_rates),
		cmocka_unit_test(two_looks_have_changes_and_rates),
		cmocka_unit_test(json_says_null_for_what_is_not_known),
		cmocka_unit_test(quantiles_are_upper_bounds_of_their_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
