/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup_run.h"
#include "base/macros.h"

/* A directory with /proc and /sys/fs/cgroup of ours. */
static char host[64];
static struct pw_procfs procfs;

static void put(const char *name, const char *text)
{
	char path[512], *slash;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", host, name);
	for (slash = strchr(path + strlen(host) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int set_up(void **state)
{
	char proc[80];

	(void)state;
	snprintf(host, sizeof(host), "/tmp/pw-test-cgroup-run.XXXXXX");
	assert_non_null(mkdtemp(host));
	put("proc/7/stat", "");
	snprintf(proc, sizeof(proc), "%s/proc", host);
	return pw_procfs_open(&procfs, proc);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
	(void)status;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	pw_procfs_done(&procfs);
	return nftw(host, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct pw_cgroup_run get(void)
{
	struct pw_cgroup_run run;
	char root[80];

	snprintf(root, sizeof(root), "%s/cgroup", host);
	assert_int_equal(pw_cgroup_run_read(root, &procfs, 7, &run), 0);
	return run;
}

static void v2_says_who_is_frozen_and_the_tightest_quota_counts(void **state)
{
	struct pw_cgroup_run run;

	(void)state;
	put("proc/7/cgroup", "0::/pods/orders\n");
	put("cgroup/pods/orders/cgroup.events", "populated 1\nfrozen 0\n");
	put("cgroup/pods/orders/cpu.stat", "usage_usec 9\nnr_throttled 3\nthrottled_usec 1500\n");
	put("cgroup/pods/cpu.stat", "usage_usec 9\nthrottled_usec 2500\n");
	put("cgroup/cpu.stat", "usage_usec 9\n");
	run = get();
	assert_false(run.frozen);
	assert_int_equal(run.throttled_ns, 2500000);
	put("cgroup/pods/orders/cgroup.events", "populated 1\nfrozen 1\n");
	assert_true(get().frozen);
}

static void v1_has_a_freezer_and_quotas_of_its_own(void **state)
{
	struct pw_cgroup_run run;

	(void)state;
	put("proc/7/cgroup", "6:freezer:/f\n2:cpu,cpuacct:/c\n0::/\n");
	put("cgroup/freezer/f/freezer.state", "FREEZING\n");
	put("cgroup/cpu/c/cpu.stat", "nr_throttled 3\nthrottled_time 77\n");
	run = get();
	assert_false(run.frozen);
	assert_int_equal(run.throttled_ns, 77);
	put("cgroup/freezer/f/freezer.state", "FROZEN\n");
	assert_true(get().frozen);
}

static void what_is_not_there_or_makes_no_sense_is_unknown(void **state)
{
	static const char *const texts[] = {"", "throttled_usec", "throttled_usec x\n",
					    "throttled_usec 18446744073709551615\n", "throttled_usecs 5\n"};

	(void)state;
	put("proc/7/cgroup", "0::/../elsewhere\n6:freezer:/none\n");
	assert_true(get().throttled_ns == UINT64_MAX);
	assert_false(get().frozen);
	put("proc/7/cgroup", "0::/\n");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put("cgroup/cpu.stat", texts[i]);
		assert_true(get().throttled_ns == UINT64_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(v2_says_who_is_frozen_and_the_tightest_quota_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(v1_has_a_freezer_and_quotas_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_there_or_makes_no_sense_is_unknown, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
