/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/intern.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/death_report.h"
#include "output/death.h"
#include "output/death_store.h"

static uint32_t name(struct pw_death_report *report, const char *text)
{
	uint32_t id;

	assert_int_equal(pw_intern_adds(report->names, text, &id), 0);
	return id;
}

static struct pw_death_report *report_new(const char *service, int pid)
{
	struct pw_death_report *report = NULL;

	assert_int_equal(pw_death_report_new(&report), 0);
	snprintf(report->service, sizeof(report->service), "%s", service);
	snprintf(report->process, sizeof(report->process), "orders");
	snprintf(report->alert_id, sizeof(report->alert_id), "x01-abc-%d", pid);
	report->pid = pid;
	report->told = true;
	report->death = (struct pw_death){.how = PW_DEATH_EXIT,
					  .status_known = true,
					  .status = 9,
					  .oom_kills = 1,
					  .wall_ns = 1700000100 * PW_NS_PER_SEC};
	report->age_ns = 3700 * PW_NS_PER_SEC;
	report->record_wall_ns = 1700000099 * PW_NS_PER_SEC;
	report->stacks_wall_ns = 1700000092 * PW_NS_PER_SEC;
	report->goroutines = 46012;
	report->system_goroutines = 12;
	report->rss_bytes = 3ULL << 30;
	report->heap_live_bytes = report->heap_goal_bytes = report->heap_inuse_bytes = UINT64_MAX;
	report->gc_cycles = report->gomemlimit_bytes = report->limit_used_bytes = UINT64_MAX;
	report->limit_bytes = 4ULL << 30;
	report->threads = 9;
	report->open_files = report->cpu_ns = UINT64_MAX;
	report->groups[0] = (struct pw_death_group){
		.count = 46000,
		.status = name(report, "waiting"),
		.reason = name(report, "chan send"),
		.statement = {name(report, "main.serve"), name(report, "/src/server.go"), 40},
		.frames = {{name(report, "main.handle\x1b[2J"), name(report, "/src/server.go"), 42}},
		.depth = 1,
		.oldest_park_ns = 60 * PW_NS_PER_SEC};
	report->group_count = 1;
	report->groups_left = 3;
	report->goroutines_left = 12;
	report->alerts[0] = (struct pw_death_alert){.id = "g08-123-7",
						    .rule = "PW-G08",
						    .level = PW_LEVEL_WARNING,
						    .fired_wall_ns = 1700000000 * PW_NS_PER_SEC,
						    .text = name(report, "46,000 goroutines started at ...")};
	report->alert_count = 1;
	return report;
}

static void the_page_says_how_and_what_was_going_on(void **state)
{
	static const char *const parts[] = {
		"orders.service (orders, pid 7) ended: exit 137 (killed by SIGKILL), OOM kill in its cgroup\n",
		"at 2023-11-14T22:15:00.000Z, having lived for 1h01m\n",
		"memory: RSS 3.0 GiB\n",
		"limit of its cgroup: 4.0 GiB\n",
		"goroutines: 46012, of them the runtime's own: 12; 1.0s before the end, their stacks 8.0s before\n",
		"  46000 chan send, the oldest for 1m00s, started at main.serve server.go:40\n",
		"      main.handle\\x1b[2J server.go:42\n",
		"  12 more in 3 smaller groups\n",
		"open alerts, unresolved at exit:\n  PW-G08 warning g08-123-7: 46,000 goroutines",
	};
	struct pw_death_report *report = report_new("orders.service", 7);
	struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	pw_death_page(&out, report);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strstr(pw_buf_text(&out), parts[i]))
			fail_msg("no '%s' in\n%s", parts[i], pw_buf_text(&out));
	pw_buf_done(&out);
	pw_death_report_unref(report);
}

static void json_has_null_for_what_is_not_known(void **state)
{
	struct pw_death_report *report = report_new("orders.service", 7);
	struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	pw_death_json(&out, report);
	assert_non_null(strstr(pw_buf_text(&out), "\"exit_status\":null,\"signal\":9,\"cgroup_oom_kills\":1,"
						  "\"oom_killed\":true"));
	assert_non_null(strstr(pw_buf_text(&out), "\"heap_live_bytes\":null"));
	assert_non_null(strstr(pw_buf_text(&out), "\"goroutines\":46012"));
	assert_int_equal(pw_buf_text(&out)[out.size - 1], '\n');
	assert_ptr_equal(strchr(pw_buf_text(&out), '\n'), pw_buf_text(&out) + out.size - 1);
	pw_buf_done(&out);
	pw_death_report_unref(report);
}

/* --- store ------------------------------------------------------------------------------------------------------- */

static char directory[64], deaths[96];

static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/pw-test-deaths.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(deaths, sizeof(deaths), "%s/state/deaths", directory);
	return 0;
}

static int teardown(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", directory, directory);
	return system(command);
}

static size_t files(void)
{
	DIR *dir = opendir(deaths);
	size_t count = 0;

	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void add(struct pw_death_store *store, const char *service, int pid)
{
	struct pw_death_report *report = report_new(service, pid);

	pw_death_store_add(store, report);
	pw_death_report_unref(report);
}

static void files_are_written_a_few_at_a_time_and_the_rest_at_the_end(void **state)
{
	struct pw_death_store_stats stats;
	struct pw_death_store *store;
	struct pw_why why;
	char service[32];

	(void)state;
	assert_int_equal(pw_death_store_new(&store, deaths, &why), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		add(store, service, i);
	}
	assert_int_equal(files(), 0);
	pw_death_store_write(store, 4);
	assert_int_equal(files(), 4);
	pw_death_store_stats(store, &stats);
	assert_int_equal(stats.written, 4);
	pw_death_store_free(store);
	assert_int_equal(files(), 10);
}

static void the_oldest_file_gives_way_and_is_counted(void **state)
{
	struct pw_death_store_stats stats;
	struct pw_death_store *store;
	struct pw_why why;
	char service[32];

	(void)state;
	assert_int_equal(pw_death_store_new(&store, deaths, &why), 0);
	for (int i = 0; i < PW_DEATHS_FILES_MAX + 5; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		add(store, service, i);
		pw_death_store_write(store, 1);
	}
	pw_death_store_stats(store, &stats);
	assert_int_equal(stats.written, PW_DEATHS_FILES_MAX + 5);
	assert_int_equal(stats.dropped, 5);
	assert_int_equal(files(), PW_DEATHS_FILES_MAX);
	pw_death_store_free(store);
}

static void a_crash_loop_does_not_push_out_the_others(void **state)
{
	struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX];
	struct pw_death_store *store;
	struct pw_why why;
	size_t count;

	(void)state;
	assert_int_equal(pw_death_store_new(&store, "", &why), 0);
	add(store, "database", 1);
	for (int i = 0; i < 1000; i++)
		add(store, "looping", 100 + i);
	count = pw_death_store_list(store, reports);
	assert_int_equal(count, 1 + PW_DEATHS_SERVICE_MAX);
	assert_int_equal(reports[0]->pid, 1099);
	assert_string_equal(reports[count - 1]->service, "database");
	pw_death_store_free(store);
}

static void a_host_that_loses_all_at_once_keeps_the_last_and_counts_the_rest(void **state)
{
	struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX];
	struct pw_death_store_stats stats;
	struct pw_death_store *store;
	struct pw_why why;
	char service[32];

	(void)state;
	assert_int_equal(pw_death_store_new(&store, deaths, &why), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		add(store, service, i);
	}
	assert_int_equal(pw_death_store_list(store, reports), PW_DEATHS_SHOWN_MAX);
	assert_int_equal(reports[0]->pid, 999);
	pw_death_store_stats(store, &stats);
	assert_int_equal(stats.dropped, 1000 - PW_DEATHS_SHOWN_MAX);
	pw_death_store_free(store);
	assert_int_equal(files(), PW_DEATHS_SHOWN_MAX);
}

static void one_that_was_not_told_is_shown_and_not_written(void **state)
{
	struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX], *report = report_new("quiet", 5);
	struct pw_death_store *store;
	struct pw_why why;

	(void)state;
	report->told = false;
	assert_int_equal(pw_death_store_new(&store, deaths, &why), 0);
	pw_death_store_add(store, report);
	assert_int_equal(pw_death_store_list(store, reports), 1);
	pw_death_store_free(store);
	pw_death_report_unref(report);
	assert_int_equal(files(), 0);
}

/* The directory is taken away under our feet: as full or read-only as it gets, also for root. */
static void a_disk_that_takes_nothing_is_counted_and_they_are_still_shown(void **state)
{
	struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX];
	struct pw_death_store_stats stats;
	struct pw_death_store *store;
	struct pw_why why;

	(void)state;
	assert_int_equal(pw_death_store_new(&store, deaths, &why), 0);
	assert_int_equal(rmdir(deaths), 0);
	add(store, "orders", 1);
	add(store, "users", 2);
	pw_death_store_write(store, 10);
	pw_death_store_stats(store, &stats);
	assert_int_equal(stats.written, 0);
	assert_int_equal(stats.failed, 2);
	assert_int_equal(pw_death_store_list(store, reports), 2);
	assert_int_equal(mkdir(deaths, 0700), 0);
	add(store, "again", 3);
	pw_death_store_write(store, 10);
	pw_death_store_stats(store, &stats);
	assert_int_equal(stats.written, 1);
	pw_death_store_free(store);
	assert_int_equal(files(), 1);
}

static void a_directory_that_cannot_be_made_leaves_memory(void **state)
{
	struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX];
	struct pw_death_store *store = NULL;
	struct pw_why why;

	(void)state;
	assert_true(pw_death_store_new(&store, "/proc/no/such/place", &why) < 0);
	assert_non_null(store);
	add(store, "orders", 1);
	pw_death_store_write(store, 10);
	assert_int_equal(pw_death_store_list(store, reports), 1);
	pw_death_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_says_how_and_what_was_going_on),
		cmocka_unit_test(json_has_null_for_what_is_not_known),
		cmocka_unit_test_setup_teardown(files_are_written_a_few_at_a_time_and_the_rest_at_the_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_oldest_file_gives_way_and_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crash_loop_does_not_push_out_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_that_loses_all_at_once_keeps_the_last_and_counts_the_rest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_was_not_told_is_shown_and_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disk_that_takes_nothing_is_counted_and_they_are_still_shown, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_leaves_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
