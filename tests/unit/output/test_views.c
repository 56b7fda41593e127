/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "output/report.h"
#include "output/table.h"
#include "output/alert_json.h"
#include "output/views.h"
#include "unit/output/sample.h"

static struct pw_record *with_probe_sites(void)
{
	struct pw_record_builder *builder = NULL;
	struct pw_record *draft, *record = NULL;
	struct pw_record_site *site;

	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->identity.pid = 1;
	draft->sites_section.present = true;
	site = pw_record_builder_site(builder, NULL);
	site->event = pw_record_builder_string(builder, "park");
	site->function = pw_record_builder_string(builder, "runtime.gopark");
	site->instruction = pw_record_builder_string(builder, "push rbp");
	site->offset = 4096;
	site->found = site->emulated = site->attached = true;
	site->counting = PW_COUNTING_CONTINUOUS;
	draft->cost.governor_state = pw_record_builder_string(builder, "continuous");
	site = pw_record_builder_site(builder, NULL);
	site->event = pw_record_builder_string(builder, "exit");
	site->note = pw_record_builder_string(builder, "no such function");
	site = pw_record_builder_site(builder, NULL);
	site->event = pw_record_builder_string(builder, "run");
	site->found = true;
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	pw_record_builder_free(builder);
	return record;
}

static void json_of_ps_is_as_documented(void **state)
{
	struct pw_record *record = sample_record("shop", NULL, 0, 0);
	const struct pw_record *records[] = {record};
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	pw_view_ps(&out, records, 1);
	assert_string_equal(pw_buf_text(&out), "{\n"
					       "  \"schema_version\": 1,\n"
					       "  \"processes\": [\n"
					       "    {\n"
					       "      \"pid\": 42,\n"
					       "      \"service\": \"shop\",\n"
					       "      \"process\": \"shop\",\n"
					       "      \"exe\": \"/bin/shop\",\n"
					       "      \"go_version\": \"go1.24.4\",\n"
					       "      \"module\": \"example.org/shop\",\n"
					       "      \"revision\": \"0123456789abcdef\",\n"
					       "      \"stripped\": true,\n"
					       "      \"goroutines\": 0,\n"
					       "      \"heap_bytes\": null,\n"
					       "      \"abilities\": {\n"
					       "        \"events\": {\n"
					       "          \"ok\": true,\n"
					       "          \"reason\": \"\"\n"
					       "        },\n"
					       "        \"memory\": {\n"
					       "          \"ok\": true,\n"
					       "          \"reason\": \"\"\n"
					       "        },\n"
					       "        \"symbols\": {\n"
					       "          \"ok\": false,\n"
					       "          \"reason\": \"no table: \\u001b[31mred\"\n"
					       "        }\n"
					       "      },\n"
					       "      \"cost\": null,\n"
					       "      \"sites\": {}\n"
					       "    }\n"
					       "  ]\n"
					       "}\n");
	pw_record_unref(record);
}

static void only_found_sites_of_the_documented_events_are_listed(void **state)
{
	struct pw_record *record = with_probe_sites();
	const struct pw_record *records[] = {record};
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	pw_view_ps(&out, records, 1);
	assert_non_null(strstr(pw_buf_text(&out), "\"sites\": {\n"
						  "        \"park\": {\n"
						  "          \"function\": \"runtime.gopark\",\n"
						  "          \"offset\": 4096,\n"
						  "          \"instruction\": \"push rbp\",\n"
						  "          \"emulated\": true,\n"
						  "          \"attached\": true,\n"
						  "          \"counting\": \"continuous\"\n"
						  "        }\n"
						  "      }\n"));
	assert_non_null(strstr(pw_buf_text(&out), "\"goroutines\": null")); /* no runtime section: unknown, not 0 */
	pw_buf_reset(&out);
	pw_report_ps(&out, records, 1, true);
	assert_non_null(strstr(pw_buf_text(&out), "runtime.gopark"));
	assert_non_null(strstr(pw_buf_text(&out), "no such function"));
	assert_non_null(strstr(pw_buf_text(&out), "emulated        yes"));
	pw_record_unref(record);
}

static void a_table_says_why_not_in_a_sentence(void **state)
{
	struct pw_record *record = sample_record("shop", NULL, 0, 0);
	const struct pw_record *records[] = {record};
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	record->runtime.numbers.heap_objects_bytes = 12900000;
	pw_report_ps(&out, records, 1, false);
	assert_string_equal(
		pw_buf_text(&out),
		"PID  SERVICE  PROCESS  GO      MODULE            REVISION      GOROUTINES      HEAP  EVENTS  MEMORY  "
		"SYMBOLS  COST\n"
		" 42  shop     shop     1.24.4  example.org/shop  0123456789ab           0  12.3 MiB  yes     yes     "
		"no          -\n"
		"\n"
		"42 shop, no symbols: no table: \\x1b[31mred\n");
	pw_buf_reset(&out);
	pw_report_ps(&out, NULL, 0, false);
	assert_string_equal(pw_buf_text(&out), "no Go processes found\n");
	pw_record_unref(record);
}

static void long_cells_keep_their_end(void **state)
{
	struct pw_text_table table = {0};
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	pw_text_table_column(&table, "A", false);
	pw_text_table_column(&table, "B", true);
	pw_text_table_cell(&table, "0123456789", 5);
	pw_text_table_number(&table, 7, true);
	pw_text_table_cell(&table, "\xc3\xa9\xc3\xa9", 5); /* two characters, four bytes */
	pw_text_table_number(&table, 0, false);
	pw_text_table_print(&table, &out);
	pw_text_table_done(&table);
	assert_string_equal(pw_buf_text(&out), "A      B\n~6789  7\n\xc3\xa9\xc3\xa9     -\n");
}

static void an_unknown_baseline_is_null_and_not_a_number(void **state)
{
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	pw_view_alerts(&out, &alert, 1, 2000 * PW_NS_PER_SEC);
	assert_non_null(strstr(pw_buf_text(&out), "\"baseline\": null"));
	assert_non_null(strstr(pw_buf_text(&out), "\"fired\": \"1970-01-01T00:16:40.000Z\""));
	assert_non_null(strstr(pw_buf_text(&out), "\"resolved\": null"));
	alert.baseline = 12;
	pw_buf_reset(&out);
	pw_view_alert_line(&out, &alert);
	assert_non_null(strstr(pw_buf_text(&out), "\"baseline\":12"));
	assert_ptr_equal(strchr(pw_buf_text(&out), '\n'), pw_buf_text(&out) + out.size - 1);
	pw_buf_reset(&out);
	pw_report_alerts(&out, NULL, 0, false, 0);
	assert_string_equal(pw_buf_text(&out), "no alerts\n");
}

static void an_alert_shows_where_they_are_parked_and_on_what(void **state)
{
	struct pw_buf out = PW_BUF_INIT(65536);
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);

	(void)state;
	pw_view_alert_line(&out, &alert);
	assert_non_null(strstr(pw_buf_text(&out), "\"blocked\":[],\"n\":300,"));
	assert_non_null(strstr(pw_buf_text(&out), "\"wait_object\":null"));
	assert_non_null(strstr(pw_buf_text(&out), "\"blocked_count\":null,\"blocked_cut\":false,\"never_ran\":null,"
						  "\"oldest_park_ns\":null"));
	alert.stacks_wall_ns = 999 * PW_NS_PER_SEC;
	alert.parked_stack[0] = (struct pw_alert_frame){"main.publish\x1b[31m", "/src/bus.go", 41};
	alert.parked_stack[1] = (struct pw_alert_frame){"main.handle", "/src/server.go", 12};
	alert.parked_stack_depth = 2;
	alert.parked_stack_cut = true;
	alert.parked_there = 280;
	alert.never_ran = 270;
	alert.oldest_park_ns = 840 * PW_NS_PER_SEC;
	alert.waiting_on = (struct pw_alert_wait){.kind = "channel",
						  .known = true,
						  .objects = 1,
						  .length = 0,
						  .capacity = 0,
						  .receivers = 0,
						  .senders = 280};
	pw_buf_reset(&out);
	pw_view_alert_line(&out, &alert);
	assert_non_null(strstr(pw_buf_text(&out), "\"wait_object\":{\"kind\":\"channel\",\"type\":null,"
						  "\"nil\":false,\"closed\":false,\"len\":0,\"cap\":0,"
						  "\"receivers\":0,\"senders\":280,\"objects\":1}"));
	assert_non_null(strstr(pw_buf_text(&out), "\"blocked_count\":280,\"blocked_cut\":true,\"never_ran\":270,"
						  "\"oldest_park_ns\":840000000000"));
	pw_buf_reset(&out);
	pw_report_alert(&out, &alert);
	assert_non_null(strstr(pw_buf_text(&out), "  waiting on: one channel, unbuffered, 0 receivers, 280 senders; "
						  "the oldest parked for at least 14m"));
	assert_non_null(strstr(pw_buf_text(&out), "  280 parked at: main.publish"));
	assert_non_null(
		strstr(pw_buf_text(&out), "\n                 main.handle server.go:12\n                 ...\n"));
	assert_null(strchr(pw_buf_text(&out), '\x1b'));
	pw_buf_reset(&out);
	alert.waiting_on = (struct pw_alert_wait){.kind = "channel", .nil = true};
	pw_report_alert(&out, &alert);
	assert_non_null(strstr(pw_buf_text(&out), "waiting on: a nil channel; the oldest"));
	pw_buf_reset(&out);
	alert.waiting_on = (struct pw_alert_wait){
		.kind = "semaphore", .known = true, .objects = 3, .capacity = UINT64_MAX, .receivers = 1};
	pw_report_alert(&out, &alert);
	assert_non_null(strstr(pw_buf_text(&out),
			       "waiting on: 3 different semaphores, the oldest on one, 1 waiter; the oldest"));
	pw_buf_done(&out);
}

static void how_long_an_alert_lasts_counts_from_its_onset(void **state)
{
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	alert.fired_wall_ns = 1000 * PW_NS_PER_SEC;
	pw_report_alerts(&out, &alert, 1, false, alert.fired_wall_ns + 215000);
	assert_null(strstr(pw_buf_text(&out), " for ")); /* looked at as it fired: no "for 215us" */
	pw_buf_reset(&out);
	alert.onset_wall_ns = 940 * PW_NS_PER_SEC;
	pw_report_alerts(&out, &alert, 1, false, alert.fired_wall_ns + 215000);
	assert_non_null(strstr(pw_buf_text(&out), " for 1m00s\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_of_ps_is_as_documented),
		cmocka_unit_test(only_found_sites_of_the_documented_events_are_listed),
		cmocka_unit_test(a_table_says_why_not_in_a_sentence),
		cmocka_unit_test(long_cells_keep_their_end),
		cmocka_unit_test(an_alert_shows_where_they_are_parked_and_on_what),
		cmocka_unit_test(how_long_an_alert_lasts_counts_from_its_onset),
		cmocka_unit_test(an_unknown_baseline_is_null_and_not_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
