/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/alert_exec.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-exec-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return chmod(dir, 0777); /* the command may be nobody */
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct pw_alert_exec *start(const char *script, uint64_t timeout_ns)
{
	struct pw_sinks_config config = {.exec = {"/bin/sh", "-c"}, .exec_count = 4, .exec_timeout_ns = timeout_ns};
	struct pw_alert_exec *exec = NULL;
	struct pw_why why = {0};

	snprintf(config.exec[2], sizeof(config.exec[2]), "%s", script);
	snprintf(config.exec[3], sizeof(config.exec[3]), "%s", dir);
	assert_int_equal(pw_alert_exec_start(&exec, &config, &why), 0);
	return exec;
}

static void tell(struct pw_alert_exec *exec, const char *id)
{
	struct pw_alert alert = {.rule = "PW-G08", .state = PW_ALERT_FIRING, .baseline = -1};

	snprintf(alert.id, sizeof(alert.id), "%s", id);
	pw_alert_exec_tell(exec, &alert);
}

static struct pw_sink_stats wait_ended(struct pw_alert_exec *exec, uint64_t count)
{
	uint64_t end_ns = pw_now_ns() + 20 * PW_NS_PER_SEC;
	struct pw_sink_stats stats;

	do {
		struct pollfd fd = {.fd = pw_alert_exec_fd(exec), .events = POLLIN};

		assert_true(pw_now_ns() < end_ns);
		assert_true(poll(&fd, 1, 20000) > 0);
		assert_true(pw_alert_exec_dispatch(exec));
		pw_alert_exec_stats(exec, &stats);
	} while (stats.delivered + stats.failed_tries < count);
	return stats;
}

static void read_file(const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

static void the_command_gets_the_evidence_on_its_input_in_order(void **state)
{
	struct pw_alert_exec *exec = start("cat >>$0/out", 10 * PW_NS_PER_SEC);
	struct pw_sink_stats stats;
	char text[8192];

	(void)state;
	tell(exec, "one");
	tell(exec, "$(touch evil) \"two\"");
	stats = wait_ended(exec, 2);
	assert_int_equal(stats.delivered, 2);
	assert_int_equal(stats.waiting, 0);
	read_file("out", text, sizeof(text));
	assert_non_null(strstr(text, "\"id\":\"one\""));
	assert_non_null(strstr(strchr(text, '\n'), "\"id\":\"$(touch evil) \\\"two\\\"\""));
	pw_alert_exec_free(exec);
}

static void it_has_no_privileges_and_no_files_of_ours(void **state)
{
	struct pw_alert_exec *exec =
		start("grep -E '^(Uid|Groups|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status >$0/status; "
		      "ls /proc/self/fd >$0/fds; env >$0/env",
		      10 * PW_NS_PER_SEC);
	char text[8192];

	(void)state;
	tell(exec, "one");
	assert_int_equal(wait_ended(exec, 1).delivered, 1);
	read_file("status", text, sizeof(text));
	if (getuid() == 0)
		assert_non_null(strstr(text, "Uid:\t65534\t65534\t65534\t65534"));
	assert_non_null(strstr(text, "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(text, "CapAmb:\t0000000000000000"));
	if (getuid() == 0)
		assert_non_null(strstr(text, "CapBnd:\t0000000000000000"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	read_file("fds", text, sizeof(text));
	assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is the directory that ls reads */
	read_file("env", text, sizeof(text));
	assert_null(strstr(text, "HOME="));
	pw_alert_exec_free(exec);
}

static void what_takes_too_long_is_killed_with_all_that_it_started(void **state)
{
	struct pw_alert_exec *exec = start("sleep 1000 & echo $! >$0/child; sleep 1000", 300 * PW_NS_PER_MS);
	uint64_t end_ns = pw_now_ns() + 10 * PW_NS_PER_SEC;
	struct pw_sink_stats stats;
	char text[64], path[64];

	(void)state;
	tell(exec, "one");
	stats = wait_ended(exec, 1);
	assert_int_equal(stats.failed_tries, 1);
	assert_false(stats.ok);
	read_file("child", text, sizeof(text));
	snprintf(path, sizeof(path), "/proc/%d", (int)strtol(text, NULL, 10));
	while (access(path, F_OK) == 0) /* until init has taken note */
		assert_true(pw_now_ns() < end_ns);
	pw_alert_exec_free(exec);
}

static void a_command_that_is_chatty_or_fails_does_not_hold_up_the_next(void **state)
{
	struct pw_alert_exec *exec =
		start("if grep -q two; then exit 0; fi; yes | head -c 1000000; exit 3", 10 * PW_NS_PER_SEC);
	struct pw_sink_stats stats;

	(void)state;
	tell(exec, "one");
	tell(exec, "two");
	stats = wait_ended(exec, 2);
	assert_int_equal(stats.failed_tries, 1);
	assert_int_equal(stats.delivered, 1);
	pw_alert_exec_free(exec);
}

static void a_command_that_is_not_there_is_said(void **state)
{
	struct pw_sinks_config config = {
		.exec = {"/no/such/command"}, .exec_count = 1, .exec_timeout_ns = PW_NS_PER_SEC};
	struct pw_alert_exec *exec = NULL;
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(pw_alert_exec_start(&exec, &config, &why), 0);
	tell(exec, "one");
	assert_int_equal(wait_ended(exec, 1).failed_tries, 1);
	pw_alert_exec_free(exec);
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
	struct pw_alert_exec *exec = start("sleep 1000", 2 * PW_NS_PER_SEC);
	struct pw_sink_stats stats;

	(void)state;
	for (int i = 0; i < 1000; i++)
		tell(exec, "one");
	pw_alert_exec_stats(exec, &stats);
	assert_true(stats.dropped > 900 && stats.waiting > 0);
	assert_int_equal(stats.dropped + stats.waiting, 1000);
	pw_alert_exec_free(exec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_command_gets_the_evidence_on_its_input_in_order, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(it_has_no_privileges_and_no_files_of_ours, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_takes_too_long_is_killed_with_all_that_it_started, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_command_that_is_chatty_or_fails_does_not_hold_up_the_next, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_command_that_is_not_there_is_said, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_dropped_and_counted, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
