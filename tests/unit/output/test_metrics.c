/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "output/metrics.h"
#include "output/metrics_writer.h"
#include "output/publish.h"
#include "unit/output/sample.h"

#define TARGET "service=\"shop\",process=\"shop\",pid=\"42\""

static const char *render(struct pw_record *record, const struct pw_alert *alerts, size_t alert_count, size_t series,
			  enum pw_page page, struct pw_published **ret_published)
{
	struct pw_health health = {.attach_method = "uprobe_multi", .budget_percent = -1};
	const char *text;
	size_t size;

	assert_int_equal(pw_published_new(ret_published, &record, record != NULL, alerts, alert_count, &health, series,
					  5 * PW_NS_PER_SEC, 0),
			 0);
	assert_int_equal(pw_published_page(*ret_published, page, &text, &size), 0);
	assert_int_equal(strlen(text), size);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (!found || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n')
		fail_msg("no line '%s' in:\n%s", line, text);
}

/* Every family in one block, HELP and TYPE once before it, no sample twice. */
static void assert_well_formed(const char *text)
{
	char *copy = strdup(text), *save = NULL, seen[200][80] = {0}, current[80] = "";
	size_t families = 0;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "# HELP ", 7)) {
			snprintf(current, sizeof(current), "%.*s", (int)strcspn(line + 7, " "), line + 7);
			for (size_t i = 0; i < families; i++)
				assert_string_not_equal(seen[i], current);
			snprintf(seen[families++], sizeof(seen[0]), "%s", current);
		} else if (line[0] != '#') {
			assert_memory_equal(line, current, strlen(current));
		}
	}
	free(copy);
	assert_true(families > 10);
}

static void unknown_numbers_are_absent(void **state)
{
	const struct sample_site site = {0x10, "main.a", "/src/a.go", 1, 2, 1, 3, 1, "sleep"};
	struct pw_record *record = sample_record("shop", &site, 1, 4 * PW_NS_PER_SEC);
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 100, PW_PAGE_METRICS, &published);

	(void)state;
	assert_well_formed(text);
	assert_line(text, "go_goroutines{" TARGET "} 1");
	assert_line(text, "go_info{" TARGET ",version=\"go1.24.4\"} 1");
	assert_line(text,
		    "parkwatch_goroutines{" TARGET ",function=\"main.a\",site=\"main.a a.go:1\",status=\"waiting\","
		    "wait_reason=\"sleep\"} 1");
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"main.a\",site=\"main.a a.go:1\"} 2");
	assert_line(text, "parkwatch_data_age_seconds{" TARGET ",section=\"census\"} 1");
	assert_null(strstr(text, "go_gc_duration_seconds"));
	assert_null(strstr(text, "parkwatch_goroutines_spawned_by_goid_total"));
	assert_null(strstr(text, "18446744073709551615"));
	pw_published_unref(published);
	pw_record_unref(record);
}

static void a_go_statement_without_a_file_is_its_function(void **state)
{
	const struct sample_site site = {0x10, "runtime.main", "", 0, 1, 0, 0, 1, "sleep"};
	struct pw_record *record = sample_record("shop", &site, 1, 0);
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);
	struct pw_published *published;
	const char *text;

	(void)state;
	alert.statement = (struct pw_alert_frame){.function = "runtime.main"};
	text = render(record, &alert, 1, 100, PW_PAGE_METRICS, &published);
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"runtime.main\",site=\"runtime.main\"} 1");
	assert_null(strstr(text, ":0\""));
	pw_published_unref(published);
	pw_record_unref(record);
}

/* What may fall is a gauge, and is not named as a counter. */
static void numbers_of_processes_that_are_so_now_are_gauges(void **state)
{
	struct pw_record *record = sample_record("shop", NULL, 0, 0);
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 100, PW_PAGE_METRICS, &published);

	(void)state;
	assert_line(text, "# TYPE parkwatch_processes_seen gauge");
	assert_line(text, "# TYPE parkwatch_processes_left_alone gauge");
	assert_line(text, "parkwatch_processes_left_alone{reason=\"not_go\"} 0");
	assert_line(text, "# TYPE parkwatch_processes_vanished_total counter");
	assert_null(strstr(text, "parkwatch_processes_seen_total"));
	assert_null(strstr(text, "parkwatch_processes_left_alone_total"));
	pw_published_unref(published);
	pw_record_unref(record);
}

static void small_sites_are_summed_as_other(void **state)
{
	const struct sample_site sites[] = {
		{0x10, "main.a", "/a.go", 1, 1, 0, 0, 1, "sleep"},
		{0x20, "main.b", "/b.go", 2, 100, 0, 0, 100, "sleep"},
		{0x30, "main.c", "/c.go", 3, 2, 0, 0, 2, "sleep"},
		{0x40, "main.d", "/d.go", 4, 50, 0, 9, 3, "select"},
	};
	struct pw_record *record = sample_record("shop", sites, 4, 0);
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 2, PW_PAGE_METRICS, &published);

	(void)state;
	assert_well_formed(text);
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"main.b\",site=\"main.b b.go:2\"} 100");
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"main.d\",site=\"main.d d.go:4\"} 50");
	/* Who is in "other" changes, and its sum with it: a counter must not fall, so there is none, but for all. */
	assert_null(strstr(text, "parkwatch_spawned_total{" TARGET ",function=\"other\""));
	assert_null(strstr(text, "parkwatch_parked_by_reason_total{" TARGET ",function=\"other\""));
	assert_line(text, "parkwatch_goroutines_spawned_total{" TARGET "} 153");
	assert_line(text, "parkwatch_goroutines{" TARGET ",function=\"other\",site=\"other\",status=\"waiting\","
			  "wait_reason=\"sleep\"} 3");
	assert_line(text, "parkwatch_sites_folded{" TARGET "} 2");
	assert_null(strstr(text, "main.a"));
	pw_published_unref(published);
	pw_record_unref(record);
}

/* One go statement inlined twice, a generic function's instances: the same labels may appear only once. */
static void sites_with_the_same_labels_are_one(void **state)
{
	const struct sample_site sites[] = {
		{0x10, "main.a", "/x/a.go", 1, 1, 0, 4, 1, "sleep"},
		{0x20, "main.a", "/y/a.go", 1, 2, 1, 5, 2, "sleep"},
		{PW_STATEMENT_OTHER, "", "", 0, 7, 0, 0, 0, ""},
		{0x30, "", "", 0, 9, 0, 0, 0, ""},
	};
	struct pw_record *record = sample_record("shop", sites, 4, 0);
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 100, PW_PAGE_METRICS, &published);

	(void)state;
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"main.a\",site=\"main.a a.go:1\"} 3");
	assert_line(text, "parkwatch_parked_by_reason_total{" TARGET
			  ",function=\"main.a\",site=\"main.a a.go:1\",wait_reason=\"sleep\"} 9");
	assert_null(strstr(text, "parkwatch_spawned_total{" TARGET ",function=\"other\""));
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"unknown\",site=\"0x30\"} 9");
	pw_published_unref(published);
	pw_record_unref(record);
}

static void what_overflows_joins_the_records_own_other(void **state)
{
	const struct sample_site sites[] = {
		{PW_STATEMENT_OTHER, "", "", 0, 700, 0, 0, 50, "sleep"},
		{0x20, "main.b", "/b.go", 2, 100, 0, 0, 100, "sleep"},
		{0x30, "main.c", "/c.go", 3, 5, 0, 0, 5, "sleep"},
	};
	struct pw_record *record = sample_record("shop", sites, 3, 0);
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 2, PW_PAGE_METRICS, &published);

	(void)state;
	assert_well_formed(text);
	assert_line(text, "parkwatch_goroutines{" TARGET ",function=\"other\",site=\"other\",status=\"waiting\","
			  "wait_reason=\"sleep\"} 55");
	pw_published_unref(published);
	pw_record_unref(record);
}

static void snapshots_say_where_and_since_when(void **state)
{
	const struct sample_site sites[] = {
		{0x10, "main.a", "/a.go", 1, 100, 0, 0, 100, "chan send"},
		{0x20, "main.b", "/b.go", 2, 1, 0, 0, 1, "select"},
	};
	const struct sample_park parks[] = {
		{0, "main.publish", "chan send", "channel", 90, 10},
		{0, "main.publish", "chan send", "channel", 8, 300}, /* another way there */
		{0, NULL, "chan send", "channel", 2, 4000},
		{1, "net/http.(*conn).serve", "select", "select", 1, 5},
	};
	struct pw_record *record =
		sample_record_parks("shop", sites, 2, 5000 * PW_NS_PER_SEC, parks, ARRAY_SIZE(parks));
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 100, PW_PAGE_METRICS, &published);
	static const char a[] = "parkwatch_parked_age_seconds{" TARGET ",function=\"main.a\",site=\"main.a a.go:1\",";
	char line[256];

	(void)state;
	assert_well_formed(text);
	snprintf(line, sizeof(line), "%squantile=\"0.5\"} 10", a);
	assert_line(text, line);
	snprintf(line, sizeof(line), "%squantile=\"0.9\"} 10", a);
	assert_line(text, line);
	snprintf(line, sizeof(line), "%squantile=\"0.99\"} 4000", a);
	assert_line(text, line);
	snprintf(line, sizeof(line), "%squantile=\"1\"} 4000", a);
	assert_line(text, line);
	assert_line(text, "parkwatch_goroutines_parked_in{" TARGET
			  ",function=\"main.publish\",wait_reason=\"chan send\"} 98");
	assert_line(text, "parkwatch_goroutines_parked_in{" TARGET ",function=\"other\",wait_reason=\"chan send\"} 2");
	assert_line(text, "parkwatch_goroutines_by_status{" TARGET ",status=\"waiting\"} 101");
	assert_line(text, "parkwatch_goroutines_by_status{" TARGET ",status=\"running\"} 0");
	pw_published_unref(published);
	pw_record_unref(record);
	/* Folded sites have their quantiles together. */
	record = sample_record_parks("shop", sites, 2, 5000 * PW_NS_PER_SEC, parks, ARRAY_SIZE(parks));
	text = render(record, NULL, 0, 1, PW_PAGE_METRICS, &published);
	assert_line(text,
		    "parkwatch_parked_age_seconds{" TARGET ",function=\"other\",site=\"other\",quantile=\"1\"} 5");
	pw_published_unref(published);
	pw_record_unref(record);
}

/* Four series for each of thousands of go statements would be half of a page. */
static void parked_ages_of_the_largest_sites_have_a_name(void **state)
{
	struct sample_site sites[25];
	struct sample_park parks[25];
	char functions[25][16], line[256];
	struct pw_published *published;
	struct pw_record *record;
	const char *text;

	(void)state;
	for (uint32_t i = 0; i < 25; i++) {
		snprintf(functions[i], sizeof(functions[i]), "main.f%02u", i);
		sites[i] = (struct sample_site){i + 1, functions[i], "/a.go", 1, 0, 0, 0, 25 - i, "sleep"};
		parks[i] = (struct sample_park){i, NULL, "sleep", "timer", 25 - i, i};
	}
	record = sample_record_parks("shop", sites, 25, 5000 * PW_NS_PER_SEC, parks, 25);
	text = render(record, NULL, 0, 100, PW_PAGE_METRICS, &published);
	for (uint32_t i = 0; i < 20; i++) {
		snprintf(line, sizeof(line),
			 "parkwatch_parked_age_seconds{" TARGET ",function=\"main.f%02u\",site=\"main.f%02u a.go:1\","
			 "quantile=\"1\"} %u",
			 i, i, i);
		assert_line(text, line);
	}
	assert_null(strstr(text, "parkwatch_parked_age_seconds{" TARGET ",function=\"main.f20\""));
	/* 5, 4, 3, 2 and 1 goroutines parked for 20 to 24 seconds */
	assert_line(text,
		    "parkwatch_parked_age_seconds{" TARGET ",function=\"other\",site=\"other\",quantile=\"0.5\"} 21");
	assert_line(text,
		    "parkwatch_parked_age_seconds{" TARGET ",function=\"other\",site=\"other\",quantile=\"1\"} 24");
	assert_line(text, "parkwatch_parked_age_folded{" TARGET "} 5");
	assert_line(text, "parkwatch_goroutines_aged_30s{" TARGET ",function=\"main.f24\",site=\"main.f24 a.go:1\"} 0");
	assert_well_formed(text);
	pw_published_unref(published);
	pw_record_unref(record);
}

/* The fast way through a label and the slow one give the same bytes, wherever in it the special one is. */
static void every_byte_of_a_label_is_looked_at(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"\"", "\\\""},
		     {"\\", "\\\\"},
		     {"\x7f", "\xef\xbf\xbd"},
		     {"\x1f", "\xef\xbf\xbd"},
		     {"\xc3\xa9", "\xc3\xa9"},
		     {"\xff", "\xef\xbf\xbd"},
		     {"~", "~"},
		     {" ", " "}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int before = 0; before < 20; before++) {
			struct pw_buf label = PW_BUF_INIT(1000);
			char in[64], out[64];

			snprintf(in, sizeof(in), "%.*s%sabcdefghi", before, "01234567890123456789", cases[i].in);
			snprintf(out, sizeof(out), "a=\"%.*s%sabcdefghi\"", before, "01234567890123456789",
				 cases[i].out);
			pw_write_label(&label, "a", in);
			assert_string_equal(pw_buf_text(&label), out);
			pw_buf_done(&label);
		}
	}
}

static void hostile_names_cannot_break_the_format(void **state)
{
	char name[1000];
	const struct sample_site site = {0x10, "a\"b\\c\nd\xff\x1b", name, 1, 2, 1, 3, 1, "}\n# EOF\n"};
	struct pw_record *record;
	struct pw_published *published;
	const char *text;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	record = sample_record("\"} 1\nevil 2\n#", &site, 1, 0);
	text = render(record, NULL, 0, 100, PW_PAGE_METRICS, &published);
	assert_well_formed(text);
	assert_non_null(strstr(text, "function=\"a\\\"b\\\\c\xef\xbf\xbd"
				     "d\xef\xbf\xbd\xef\xbf\xbd\""));
	assert_null(strstr(text, "\nevil"));
	assert_null(strstr(text, "\n# EOF"));
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		assert_true(strcspn(line, "\n") < 1500); /* labels are cut */
	pw_published_unref(published);
	pw_record_unref(record);
}

static void openmetrics_differs_where_it_must(void **state)
{
	const struct sample_site site = {0x10, "main.a", "/src/a.go", 1, 2, 1, 3, 1, "sleep"};
	struct pw_record *record = sample_record("shop", &site, 1, 0);
	struct pw_published *published;
	const char *text = render(record, NULL, 0, 100, PW_PAGE_OPENMETRICS, &published);

	(void)state;
	assert_line(text, "# TYPE parkwatch_spawned counter");
	assert_line(text, "# UNIT parkwatch_tick_late_seconds seconds");
	assert_line(text, "parkwatch_spawned_total{" TARGET ",function=\"main.a\",site=\"main.a a.go:1\"} 2");
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	pw_published_unref(published);
	pw_record_unref(record);
}

static void only_open_alerts_are_metrics_and_each_once(void **state)
{
	const struct pw_alert alerts[] = {sample_alert(PW_ALERT_FIRING), sample_alert(PW_ALERT_FIRING),
					  sample_alert(PW_ALERT_RESOLVED)};
	struct pw_published *published;
	const char *text = render(NULL, alerts, 3, 100, PW_PAGE_METRICS, &published), *found;

	(void)state;
	assert_line(text,
		    "parkwatch_alert{rule=\"PW-G08\",service=\"shop\",process=\"shop\",pid=\"42\",level=\"warning\","
		    "confidence=\"suspected\",function=\"main.leak\",site=\"main.leak main.go:42\","
		    "wait_reason=\"chan send\"} 1");
	found = strstr(text, "\nparkwatch_alert{");
	assert_null(strstr(found + 1, "\nparkwatch_alert{"));
	pw_published_unref(published);
	text = render(NULL, alerts + 2, 1, 100, PW_PAGE_METRICS, &published);
	assert_null(strstr(text, "\nparkwatch_alert{"));
	assert_line(text, "parkwatch_targets 0");
	pw_published_unref(published);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_numbers_are_absent),
		cmocka_unit_test(a_go_statement_without_a_file_is_its_function),
		cmocka_unit_test(numbers_of_processes_that_are_so_now_are_gauges),
		cmocka_unit_test(small_sites_are_summed_as_other),
		cmocka_unit_test(sites_with_the_same_labels_are_one),
		cmocka_unit_test(what_overflows_joins_the_records_own_other),
		cmocka_unit_test(snapshots_say_where_and_since_when),
		cmocka_unit_test(parked_ages_of_the_largest_sites_have_a_name),
		cmocka_unit_test(every_byte_of_a_label_is_looked_at),
		cmocka_unit_test(hostile_names_cannot_break_the_format),
		cmocka_unit_test(openmetrics_differs_where_it_must),
		cmocka_unit_test(only_open_alerts_are_metrics_and_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
