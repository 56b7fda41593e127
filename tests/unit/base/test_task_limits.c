/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/cgroup_pids.h"
#include "base/macros.h"
#include "base/rlimits.h"

/* A /proc and a /sys/fs/cgroup made of files. */
static char root[64];
static struct pw_procfs procfs = PW_PROCFS_INIT;

static void put(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	char path[96];

	(void)state;
	snprintf(root, sizeof(root), "/tmp/parkwatch-limits-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/proc", root);
	put("proc/7/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"
			     "Max processes             4000                 unlimited            processes \n"
			     "Max open files            1024                 524288               files     \n");
	return pw_procfs_open(&procfs, path);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	pw_procfs_done(&procfs);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void soft_limits_are_read(void **state)
{
	struct pw_rlimits limits;

	(void)state;
	assert_int_equal(pw_rlimits_read(&procfs, 7, &limits), 0);
	assert_int_equal(limits.open_files, 1024);
	assert_int_equal(limits.processes, 4000);
	put("proc/8/limits", "Max processes             unlimited            unlimited            processes \n"
			     "Max open files            unlimited            unlimited            files     \n");
	assert_int_equal(pw_rlimits_read(&procfs, 8, &limits), 0);
	assert_true(limits.open_files == UINT64_MAX && limits.processes == UINT64_MAX);
	put("proc/9/limits", "Max processes             many                 many                 processes \n");
	assert_int_equal(pw_rlimits_read(&procfs, 9, &limits), -EBADMSG);
	assert_int_equal(pw_rlimits_read(&procfs, 10, &limits), -ESRCH);
}

/* What the level above has left is less, though its limit is larger. */
static void the_level_with_the_least_room_holds(void **state)
{
	static struct pw_cgroup_pids pids;
	char cgroup[96];

	(void)state;
	snprintf(cgroup, sizeof(cgroup), "%s/cgroup", root);
	put("proc/7/cgroup", "0::/system.slice/a.service\n");
	put("cgroup/pids.max", "max\n");
	put("cgroup/system.slice/pids.max", "1000\n");
	put("cgroup/system.slice/pids.current", "950\n");
	put("cgroup/system.slice/a.service/pids.max", "500\n");
	put("cgroup/system.slice/a.service/pids.current", "120\n");
	assert_int_equal(pw_cgroup_pids_read(cgroup, &procfs, 7, &pids), 0);
	assert_int_equal(pids.max, 1000);
	assert_int_equal(pids.used, 950);
	assert_string_equal(pids.path, "/system.slice");
	put("cgroup/system.slice/pids.max", "max\n");
	assert_int_equal(pw_cgroup_pids_read(cgroup, &procfs, 7, &pids), 0);
	assert_string_equal(pids.path, "/system.slice/a.service");
	put("proc/8/cgroup", "0::/../elsewhere\n");
	assert_int_equal(pw_cgroup_pids_read(cgroup, &procfs, 8, &pids), -EINVAL);
	put("proc/9/cgroup", "0::/gone\n");
	assert_int_equal(pw_cgroup_pids_read(cgroup, &procfs, 9, &pids), 0);
	assert_true(pids.max == UINT64_MAX);
}

static void so_it_is_with_the_pids_controller_of_v1(void **state)
{
	static struct pw_cgroup_pids pids;
	char cgroup[96];

	(void)state;
	snprintf(cgroup, sizeof(cgroup), "%s/v1", root);
	put("proc/7/cgroup", "9:pids:/docker/1\n4:cpu,cpuacct:/x\n0::/\n");
	put("v1/pids/docker/pids.max", "max\n");
	put("v1/pids/docker/1/pids.max", "64\n");
	put("v1/pids/docker/1/pids.current", "60\n");
	assert_int_equal(pw_cgroup_pids_read(cgroup, &procfs, 7, &pids), 0);
	assert_int_equal(pids.max, 64);
	assert_int_equal(pids.used, 60);
	assert_string_equal(pids.path, "/docker/1");
	put("proc/8/cgroup", "4:cpu,cpuacct:/x\n");
	assert_int_equal(pw_cgroup_pids_read(cgroup, &procfs, 8, &pids), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(soft_limits_are_read),
		cmocka_unit_test(the_level_with_the_least_room_holds),
		cmocka_unit_test(so_it_is_with_the_pids_controller_of_v1),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
