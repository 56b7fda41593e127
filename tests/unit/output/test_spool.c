/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
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

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "output/spool.h"

static char dir[64], queue[96];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-spool-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(queue, sizeof(queue), "%s/queue", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct pw_spool *opened(size_t max)
{
	struct pw_spool *spool = NULL;
	struct pw_why why = {0};

	assert_int_equal(pw_spool_new(&spool, queue, max, &why), 0);
	return spool;
}

static void put(struct pw_spool *spool, const char *text)
{
	assert_int_equal(pw_spool_put(spool, text, strlen(text)), 0);
}

static void assert_first(struct pw_spool *spool, const char *text)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(PW_SPOOL_ITEM_MAX);

	assert_int_equal(pw_spool_first(spool, &out), 0);
	assert_string_equal(pw_buf_text(&out), text);
}

static struct pw_spool_stats stats_of(const struct pw_spool *spool)
{
	struct pw_spool_stats stats;

	pw_spool_stats(spool, &stats);
	return stats;
}

static void first_in_is_first_out_and_outlives_us(void **state)
{
	struct pw_spool *spool = opened(10);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(100);
	struct stat status;

	(void)state;
	put(spool, "one");
	put(spool, "two");
	pw_spool_free(spool);
	assert_int_equal(stat(queue, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	spool = opened(10);
	put(spool, "three");
	assert_int_equal(stats_of(spool).items, 3);
	assert_int_equal(stats_of(spool).in_memory, 0);
	assert_first(spool, "one");
	pw_spool_remove_first(spool);
	assert_first(spool, "two");
	pw_spool_remove_first(spool);
	assert_first(spool, "three");
	pw_spool_remove_first(spool);
	assert_int_equal(pw_spool_first(spool, &out), -ENODATA);
	pw_spool_free(spool);
	spool = opened(10);
	assert_int_equal(stats_of(spool).items, 0);
	pw_spool_free(spool);
}

static void the_oldest_gives_way_and_is_counted(void **state)
{
	struct pw_spool *spool = opened(2);

	(void)state;
	put(spool, "one");
	put(spool, "two");
	put(spool, "three");
	assert_int_equal(stats_of(spool).dropped, 1);
	assert_first(spool, "two");
	pw_spool_free(spool);
	spool = opened(1); /* a smaller queue than before */
	assert_int_equal(stats_of(spool).items, 1);
	assert_first(spool, "three");
	pw_spool_free(spool);
}

static void what_is_no_item_is_left_alone_and_half_ones_are_removed(void **state)
{
	struct pw_spool *spool = opened(10);
	char path[256];
	int fd;

	(void)state;
	put(spool, "one");
	pw_spool_free(spool);
	snprintf(path, sizeof(path), "%s/README", queue);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	snprintf(path, sizeof(path), "%s/0000000000000005.aB3dEf", queue);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	spool = opened(10);
	assert_int_equal(stats_of(spool).items, 1);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/README", queue);
	assert_int_equal(access(path, F_OK), 0);
	pw_spool_free(spool);
}

static void an_item_that_vanished_costs_only_itself(void **state)
{
	struct pw_spool *spool = opened(10);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(100);
	char path[256];

	(void)state;
	put(spool, "one");
	put(spool, "two");
	snprintf(path, sizeof(path), "%s/%016x", queue, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pw_spool_first(spool, &out), -ENOENT);
	assert_first(spool, "two");
	assert_int_equal(stats_of(spool).dropped, 1);
	pw_spool_free(spool);
}

static void without_a_disk_a_few_are_kept_in_memory(void **state)
{
	struct pw_spool *spool = NULL;
	struct pw_why why = {0};
	char text[32];

	(void)state;
	snprintf(queue, sizeof(queue), "/proc/self/no/such");
	assert_int_equal(pw_spool_new(&spool, queue, 1000, &why), -ENOENT);
	assert_non_null(strstr(why.text, "cannot make"));
	for (int i = 0; i < PW_SPOOL_MEMORY_MAX + 3; i++) {
		snprintf(text, sizeof(text), "item %d", i);
		put(spool, text);
	}
	assert_int_equal(stats_of(spool).items, PW_SPOOL_MEMORY_MAX);
	assert_int_equal(stats_of(spool).in_memory, PW_SPOOL_MEMORY_MAX);
	assert_int_equal(stats_of(spool).dropped, 3);
	assert_first(spool, "item 3");
	pw_spool_free(spool);
}

static void a_disk_that_fails_later_is_made_up_for_in_memory(void **state)
{
	struct pw_spool *spool = opened(10);
	char command[256];

	(void)state;
	put(spool, "one");
	snprintf(command, sizeof(command), "mv %s %s.away", queue, queue);
	assert_int_equal(system(command), 0);
	put(spool, "two");
	assert_int_equal(stats_of(spool).in_memory, 1);
	assert_int_equal(stats_of(spool).disk_failures, 1);
	snprintf(command, sizeof(command), "mv %s.away %s", queue, queue);
	assert_int_equal(system(command), 0);
	put(spool, "three");
	assert_first(spool, "one");
	pw_spool_remove_first(spool);
	assert_first(spool, "two");
	pw_spool_remove_first(spool);
	assert_first(spool, "three");
	pw_spool_free(spool);
}

static void an_item_over_the_cap_is_refused(void **state)
{
	struct pw_spool *spool = opened(10);
	char *text = calloc(1, PW_SPOOL_ITEM_MAX + 1);

	(void)state;
	assert_int_equal(pw_spool_put(spool, text, PW_SPOOL_ITEM_MAX + 1), -E2BIG);
	assert_int_equal(stats_of(spool).dropped, 1);
	free(text);
	pw_spool_free(spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_in_is_first_out_and_outlives_us, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_oldest_gives_way_and_is_counted, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_is_no_item_is_left_alone_and_half_ones_are_removed, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(an_item_that_vanished_costs_only_itself, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(without_a_disk_a_few_are_kept_in_memory, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_disk_that_fails_later_is_made_up_for_in_memory, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(an_item_over_the_cap_is_refused, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
