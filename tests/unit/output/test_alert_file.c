/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/alert_file.h"

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-alerts-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/alerts.jsonl", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct pw_alert_file *opened(void)
{
	struct pw_alert_file *file = NULL;
	struct pw_why why = {0};

	assert_int_equal(pw_alert_file_new(&file, path, &why), 0);
	return file;
}

static int write_one(struct pw_alert_file *file, const char *id)
{
	struct pw_alert alert = {.rule = "PW-G08", .baseline = -1};

	snprintf(alert.id, sizeof(alert.id), "%s", id);
	return pw_alert_file_write(file, &alert);
}

static size_t lines_of(const char *name, const char *wanted)
{
	FILE *file = fopen(name, "r");
	char *line = NULL;
	size_t size = 0, count = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		count += strstr(line, wanted) != NULL;
		if (strstr(line, wanted))
			assert_string_equal(line + strlen(line) - 2, "}\n");
	}
	free(line);
	fclose(file);
	return count;
}

static void each_transition_is_a_line_that_only_its_owner_reads(void **state)
{
	struct pw_alert_file *file = opened();
	struct stat status;

	(void)state;
	assert_int_equal(write_one(file, "one"), 0);
	assert_int_equal(write_one(file, "two"), 0);
	pw_alert_file_free(file);
	file = opened(); /* appended to */
	assert_int_equal(write_one(file, "three"), 0);
	assert_int_equal(lines_of(path, "\"rule\":\"PW-G08\""), 3);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	pw_alert_file_free(file);
}

static void a_file_that_was_moved_away_is_made_anew(void **state)
{
	struct pw_alert_file *file = opened();
	char moved[128];

	(void)state;
	snprintf(moved, sizeof(moved), "%s.1", path);
	assert_int_equal(write_one(file, "one"), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(write_one(file, "two"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write_one(file, "three"), 0);
	assert_int_equal(lines_of(moved, "\"one\""), 1);
	assert_int_equal(lines_of(path, "\"three\""), 1);
	assert_int_equal(lines_of(path, "\"two\""), 0);
	pw_alert_file_free(file);
}

/* A limit on the size of files stands for a full disk. */
static void a_full_disk_is_said_and_the_next_line_stands_alone(void **state)
{
	struct pw_alert_file *file = opened();
	struct rlimit before, limit;
	struct stat status;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(write_one(file, "one"), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)status.st_size + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(write_one(file, "two"), -ENOSPC);
	assert_int_equal(write_one(file, "three"), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(write_one(file, "four"), 0);
	assert_int_equal(lines_of(path, "{\"id\":\"one\""), 1);
	assert_int_equal(lines_of(path, "{\"id\":\"four\""), 1);
	assert_int_equal(lines_of(path, "three"), 0);
	pw_alert_file_free(file);
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
	struct pw_alert_file *file = NULL;
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(pw_alert_file_new(&file, "/no/such/place", &why), -ENOENT);
	assert_string_equal(why.text, "cannot write alerts to '/no/such/place': No such file or directory");
	assert_null(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_transition_is_a_line_that_only_its_owner_reads, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_file_that_was_moved_away_is_made_anew, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_full_disk_is_said_and_the_next_line_stands_alone, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_place_that_cannot_be_written_is_named, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
