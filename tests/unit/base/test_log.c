/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* What a function writes to stderr, which is a file of ours while it runs. */
static char *captured(void (*say)(void), bool as_journal)
{
	static char text[200000];
	char path[] = "/tmp/test_log.XXXXXX", stream[64];
	int file = mkstemp(path), saved = dup(STDERR_FILENO);
	struct stat status;
	ssize_t size;

	assert_true(file >= 0 && saved >= 0);
	unlink(path);
	assert_int_equal(fstat(file, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	if (as_journal)
		setenv("JOURNAL_STREAM", stream, 1);
	dup2(file, STDERR_FILENO);
	say();
	dup2(saved, STDERR_FILENO);
	close(saved);
	unsetenv("JOURNAL_STREAM");
	size = pread(file, text, sizeof(text) - 1, 0);
	close(file);
	assert_true(size >= 0);
	text[size] = '\0';
	return text;
}

static void say_each_level(void)
{
	assert_int_equal(pw_log_err(-EIO, "cannot read '%s'", "x"), -EIO);
	assert_int_equal(pw_log_warn(0, "odd"), 0);
	assert_int_equal(pw_log_info(3, "said"), 3);
	assert_int_equal(pw_log_debug(-EPERM, "unseen"), -EPERM);
	assert_int_equal(pw_log_usage(-EINVAL, "no such option"), -EINVAL);
}

static void a_message_is_one_line_and_hands_on_its_error(void **state)
{
	(void)state;
	assert_string_equal(captured(say_each_level, false),
			    "parkwatch: error: cannot read 'x'\nparkwatch: warning: odd\nparkwatch: said\n"
			    "parkwatch: no such option\n");
}

static void the_journal_gets_priorities(void **state)
{
	(void)state;
	assert_string_equal(captured(say_each_level, true),
			    "<3>parkwatch: error: cannot read 'x'\n<4>parkwatch: warning: odd\n<6>parkwatch: said\n"
			    "parkwatch: no such option\n");
}

static void say_all(void)
{
	pw_log_set_level(PW_LOG_DEBUG);
	pw_log_debug(0, "now seen");
	pw_log_set_level(PW_LOG_ERR);
	pw_log_warn(0, "not seen");
	pw_log_set_level(PW_LOG_INFO);
}

static void the_level_decides(void **state)
{
	enum pw_log_level level = PW_LOG_ERR;

	(void)state;
	assert_string_equal(captured(say_all, false), "parkwatch: debug: now seen\n");
	assert_int_equal(pw_log_parse_level("debug", &level), 0);
	assert_int_equal(level, PW_LOG_DEBUG);
	assert_int_equal(pw_log_parse_level("loud", &level), -EINVAL);
	assert_string_equal(pw_log_level_name(PW_LOG_WARN), "warning");
	assert_string_equal(pw_log_level_name((enum pw_log_level)99), "unknown");
}

static void say_foreign(void)
{
	pw_log_info(0, "%s", "name\n<0>parkwatch: error: forged \x1b[2J%s");
}

static void a_foreign_name_cannot_forge_a_line(void **state)
{
	(void)state;
	assert_string_equal(captured(say_foreign, false), "parkwatch: name\\n<0>parkwatch: error: forged \\x1b[2J%s\n");
}

static void say_long(void)
{
	static char text[50000];

	memset(text, '\x02', sizeof(text) - 1);
	pw_log_info(0, "%s", text);
}

static void a_message_that_is_too_long_is_cut_and_marked(void **state)
{
	const char *text = captured(say_long, false);

	(void)state;
	assert_int_equal(strlen(text), strlen("parkwatch: ... (cut)\n") + 4 * PW_LOG_LINE_MAX);
	assert_non_null(strstr(text, "\\x02... (cut)\n"));
}

static void say_often(void)
{
	for (int i = 0; i < 500; i++)
		pw_log_info(0, "again %d", i);
	pw_log_info(0, "another place");
}

static void one_call_site_cannot_flood_the_log(void **state)
{
	const char *text = captured(say_often, false);
	int lines = 0;

	(void)state;
	for (const char *line = text; (line = strchr(line, '\n')); line++)
		lines++;
	assert_int_equal(lines, PW_LOG_RATE_BURST + 1);
	assert_non_null(strstr(text, "again 9\n"));
	assert_non_null(strstr(text, "another place\n"));
}

static void say_what_was_left_out(void)
{
	struct pw_log_site site = {.window_start_ns = 1, .count = PW_LOG_RATE_BURST, .suppressed = 12};

	pw_log_write(&site, PW_LOG_INFO, 0, "back");
}

static void what_was_left_out_is_counted_aloud(void **state)
{
	(void)state;
	assert_string_equal(captured(say_what_was_left_out, false),
			    "parkwatch: 12 messages like the next one were left out\nparkwatch: back\n");
}

static void say_event(void)
{
	const struct pw_log_field fields[] = {
		{"PARKWATCH_RULE", "PW-G08"}, {"SERVICE", "a b=\"c\\\"\n"}, {"EMPTY", ""}, {"STACK", "main.f;main.g"}};

	assert_int_equal(pw_log_event(PW_LOG_WARN, fields, ARRAY_SIZE(fields), "leaks"), 0);
}

static void an_event_outside_systemd_is_one_logfmt_line(void **state)
{
	const char *text = captured(say_event, false);

	(void)state;
	assert_int_equal(strncmp(text, "time=20", 7), 0);
	assert_non_null(strstr(text, " level=warning parkwatch_rule=PW-G08 service=\"a b=\\\"c\\\\\\\"\\n\" empty=\"\" "
				     "stack=main.f;main.g msg=leaks\n"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_one_line_and_hands_on_its_error),
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(the_level_decides),
		cmocka_unit_test(a_foreign_name_cannot_forge_a_line),
		cmocka_unit_test(a_message_that_is_too_long_is_cut_and_marked),
		cmocka_unit_test(one_call_site_cannot_flood_the_log),
		cmocka_unit_test(what_was_left_out_is_counted_aloud),
		cmocka_unit_test(an_event_outside_systemd_is_one_logfmt_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
