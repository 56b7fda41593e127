/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "output/report.h"
#include "output/trace.h"
#include "output/views.h"
#include "unit/output/sample.h"

static void a_window_is_the_difference_of_two_records(void **state)
{
	const struct sample_site before[] = {
		{0x10, "main.a", "/src/a.go", 1, 100, 90, 50, 10, "sleep"},
		{0x20, "main.b", "/src/b.go", 2, 5, 5, 0, 0, "select"},
	};
	/* Another order, and a go statement that was not there before. */
	const struct sample_site after[] = {
		{0x30, "main.c", "/src/c.go", 3, 7, 0, 7, 7, "chan receive"},
		{0x20, "main.b", "/src/b.go", 2, 5, 5, 0, 0, "select"},
		{0x10, "main.a", "/src/a.go", 1, 110, 101, 53, 9, "sleep"},
	};
	struct pw_record *first = sample_record("shop", before, 2, 1000), *last = sample_record("shop", after, 3, 5000);
	struct pw_trace trace;

	(void)state;
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	assert_int_equal(trace.duration_ns, 4000);
	assert_int_equal(trace.spawned, 17);
	assert_int_equal(trace.exited, 11);
	assert_int_equal(trace.parked, 10);
	assert_true(trace.spawned_by_goid == PW_UNKNOWN);
	assert_int_equal(trace.site_count, 2); /* main.b did nothing and has nobody alive */
	assert_int_equal(trace.sites[0].spawned, 7);
	assert_int_equal(trace.sites[0].live, 7);
	assert_string_equal(trace.sites[0].reasons[0].reason, "chan receive");
	assert_int_equal(trace.sites[1].spawned, 10);
	assert_int_equal(trace.sites[1].exited, 11); /* shrinks: comes last */
	assert_int_equal(trace.sites[1].reasons[0].count, 3);
	pw_trace_done(&trace);
	pw_record_unref(first);
	pw_record_unref(last);
}

static void what_was_lost_is_told_by_reason(void **state)
{
	struct pw_record *first = sample_record("shop", NULL, 0, 1000), *last = sample_record("shop", NULL, 0, 2000);
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1U << 16), json = PW_BUF_INIT(1U << 16);
	struct pw_record_drop earlier = {.name = first->identity.process, .count = 2};
	struct pw_record_drop later[] = {{.name = last->identity.go_version, .count = 0},
					 {.name = last->identity.process, .count = 5}};
	struct pw_trace trace;

	(void)state;
	first->drops = &earlier;
	first->drop_count = 1;
	last->drops = later;
	last->drop_count = ARRAY_SIZE(later);
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	assert_int_equal(trace.lost, 3);
	pw_report_trace(&text, &trace, 10);
	assert_non_null(strstr(pw_buf_text(&text), "lost: 3 (shop 3)\n"));
	pw_view_trace(&json, &trace);
	assert_non_null(strstr(pw_buf_text(&json), "\"lost_by\": {\n    \"shop\": 3\n  }"));
	pw_trace_done(&trace);
	first->drops = last->drops = NULL;
	first->drop_count = last->drop_count = 0;
	pw_record_unref(first);
	pw_record_unref(last);
}

static void json_of_trace_is_as_documented(void **state)
{
	const struct sample_site site = {0x10, "main.a", "/src/a.go", 1, 2, 1, 3, 1, "sleep"};
	struct pw_record *first = sample_record("shop", NULL, 0, 1000), *last = sample_record("shop", &site, 1, 2000);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_trace trace;

	(void)state;
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	pw_view_trace(&out, &trace);
	assert_string_equal(pw_buf_text(&out), "{\n"
					       "  \"schema_version\": 1,\n"
					       "  \"pid\": 42,\n"
					       "  \"process\": \"shop\",\n"
					       "  \"go_version\": \"go1.24.4\",\n"
					       "  \"duration_ns\": 1000,\n"
					       "  \"totals\": {\n"
					       "    \"spawned\": 2,\n"
					       "    \"exited\": 1,\n"
					       "    \"parked\": 3\n"
					       "  },\n"
					       "  \"spawned_by_goid\": null,\n"
					       "  \"lost\": 0,\n"
					       "  \"lost_by\": {},\n"
					       "  \"governor\": {\n"
					       "    \"state\": \"continuous\",\n"
					       "    \"reason\": \"\",\n"
					       "    \"windows\": 0,\n"
					       "    \"sampled_duration_ns\": 0,\n"
					       "    \"spawned\": {\n"
					       "      \"sampled\": false,\n"
					       "      \"total_exact\": true,\n"
					       "      \"error\": 0\n"
					       "    },\n"
					       "    \"exited\": {\n"
					       "      \"sampled\": false,\n"
					       "      \"total_exact\": true,\n"
					       "      \"error\": 0\n"
					       "    },\n"
					       "    \"parked\": {\n"
					       "      \"sampled\": false,\n"
					       "      \"total_exact\": true,\n"
					       "      \"error\": 0\n"
					       "    }\n"
					       "  },\n"
					       "  \"sites\": [\n"
					       "    {\n"
					       "      \"function\": \"main.a\",\n"
					       "      \"file\": \"/src/a.go\",\n"
					       "      \"line\": 1,\n"
					       "      \"spawned\": 2,\n"
					       "      \"exited\": 1,\n"
					       "      \"parked\": 3,\n"
					       "      \"live\": 1,\n"
					       "      \"wait_reasons\": {\n"
					       "        \"sleep\": 3\n"
					       "      },\n"
					       "      \"creation_stack\": []\n"
					       "    }\n"
					       "  ]\n"
					       "}\n");
	pw_trace_done(&trace);
	pw_record_unref(first);
	pw_record_unref(last);
}

static void what_was_sampled_is_marked_with_its_error(void **state)
{
	const struct sample_site site = {0x10, "main.a", "/src/a.go", 1, 2, 1, 3, 1, "sleep"};
	struct pw_record *first = sample_record("shop", NULL, 0, 1000), *last = sample_record("shop", &site, 1, 2000);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_trace trace;

	(void)state;
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	pw_report_trace(&out, &trace, 20);
	assert_null(strcasestr(pw_buf_text(&out), "sampled"));
	pw_trace_done(&trace);
	first->events.park = (struct pw_record_sampled){.counting = PW_COUNTING_CONTINUOUS, .square = 9, .linear = 1};
	last->events.park = (struct pw_record_sampled){.counting = PW_COUNTING_WINDOWS, .square = 25, .linear = 2};
	last->events.windows = 7;
	last->events.sampled_ns = 1900;
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	assert_true(trace.park.sampled && !trace.spawn.sampled);
	assert_int_equal(trace.park.error, 5); /* sqrt(25 - 9) + 2 - 1 */
	assert_int_equal(trace.sampled_ns, 900);
	pw_buf_reset(&out);
	pw_report_trace(&out, &trace, 20);
	assert_non_null(strstr(pw_buf_text(&out), " 2 started, 1 ended, 3 (+- 5) parks"));
	assert_non_null(strstr(pw_buf_text(&out), "in 7 windows"));
	assert_non_null(strstr(pw_buf_text(&out), "STARTED  ENDED  PARKS (SAMPLED)"));
	pw_buf_reset(&out);
	pw_view_trace(&out, &trace);
	assert_non_null(strstr(pw_buf_text(&out), "\"parked\": {\n      \"sampled\": true,\n"
						  "      \"total_exact\": false,\n      \"error\": 5\n"));
	pw_trace_done(&trace);
	first->events.windows = 7; /* none of them in this time: nothing can be said of the error */
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	assert_true(trace.park.error == PW_UNKNOWN);
	pw_trace_done(&trace);
	pw_record_unref(first);
	pw_record_unref(last);
}

static void runs_that_nobody_counted_are_not_zero(void **state)
{
	const struct sample_site site = {0x10, "main.a", "/src/a.go", 1, 2, 1, 3, 1, "sleep"}; /* ran: unknown */
	struct pw_record *first = sample_record("shop", NULL, 0, 1000), *last = sample_record("shop", &site, 1, 2000);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_trace trace;

	(void)state;
	assert_int_equal(pw_trace_between(&trace, first, last, true), 0);
	pw_view_trace(&out, &trace);
	assert_non_null(strstr(pw_buf_text(&out), "\"ran\": null"));
	pw_trace_done(&trace);
	pw_record_unref(first);
	pw_record_unref(last);
}

static void a_terminal_never_gets_what_a_target_wrote(void **state)
{
	const struct sample_site site = {0x10, "main.\x1b[2J", "/src/\n.go", 1, 2, 1, 3, 1, "sle\x07p"};
	struct pw_record *first = sample_record("a", NULL, 0, 1000);
	struct pw_record *last = sample_record("\x1b]0;title\x07", &site, 1, 2000);
	const struct pw_record *records[] = {last};
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);
	struct pw_trace trace;

	(void)state;
	snprintf(alert.service, sizeof(alert.service), "\x1b[31m");
	snprintf(alert.statement.function, sizeof(alert.statement.function), "\x1b[31m");
	assert_int_equal(pw_trace_between(&trace, first, last, false), 0);
	pw_report_trace(&out, &trace, 20);
	pw_report_ps(&out, records, 1, true);
	pw_report_alerts(&out, &alert, 1, false, 0);
	pw_report_alert(&out, &alert);
	for (size_t i = 0; i < out.size; i++)
		assert_true(out.data[i] == '\n' || (unsigned char)out.data[i] >= 0x20);
	pw_trace_done(&trace);
	pw_record_unref(first);
	pw_record_unref(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_is_the_difference_of_two_records),
		cmocka_unit_test(what_was_lost_is_told_by_reason),
		cmocka_unit_test(json_of_trace_is_as_documented),
		cmocka_unit_test(what_was_sampled_is_marked_with_its_error),
		cmocka_unit_test(runs_that_nobody_counted_are_not_zero),
		cmocka_unit_test(a_terminal_never_gets_what_a_target_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
