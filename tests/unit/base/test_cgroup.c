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

#include "base/cgroup.h"
#include "base/macros.h"

/* A directory with /proc and /sys/fs/cgroup of ours. */
struct host {
	char path[64], cgroups[128], proc[128];
	struct pw_procfs procfs;
};

static void put(const struct host *host, const char *name, const char *text)
{
	char path[512], *slash;

	snprintf(path, sizeof(path), "%s/%s", host->path, name);
	for (slash = strchr(path + strlen(host->path) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct host *host_new(const char *cgroup)
{
	static struct host host;

	snprintf(host.path, sizeof(host.path), "/tmp/pw-test-cgroup.XXXXXX");
	assert_non_null(mkdtemp(host.path));
	put(&host, "proc/7/cgroup", cgroup);
	put(&host, "cgroup/placeholder", "");
	snprintf(host.cgroups, sizeof(host.cgroups), "%s/cgroup", host.path);
	snprintf(host.proc, sizeof(host.proc), "%s/proc", host.path);
	assert_int_equal(pw_procfs_open(&host.procfs, host.proc), 0);
	return &host;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
	(void)status;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void host_done(struct host *host)
{
	nftw(host->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	pw_procfs_done(&host->procfs);
}

static void the_tightest_limit_up_the_tree_is_the_one_that_holds(void **state)
{
	struct host *host = host_new("0::/a.slice/b.service/c\n");
	struct pw_cgroup_memory memory;

	(void)state;
	put(host, "cgroup/cgroup.controllers", "cpu io memory pids\n");
	put(host, "cgroup/a.slice/memory.max", "1073741824\n");
	put(host, "cgroup/a.slice/memory.high", "max\n");
	put(host, "cgroup/a.slice/memory.current", "900000000\n");
	put(host, "cgroup/a.slice/memory.stat", "anon 5\nfile 200\ninactive_file 123456\nactive_file 9\n");
	put(host, "cgroup/a.slice/b.service/memory.max", "max\n");
	put(host, "cgroup/a.slice/b.service/memory.high", "536870912\n");
	put(host, "cgroup/a.slice/b.service/memory.swap.max", "0\n");
	put(host, "cgroup/a.slice/b.service/c/memory.max", "2147483648\n");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), 0);
	assert_int_equal(memory.version, 2);
	assert_int_equal(memory.max_bytes, 1073741824);
	assert_string_equal(memory.max_path, "/a.slice");
	assert_int_equal(memory.max_used_bytes, 900000000);
	assert_int_equal(memory.max_reclaimable_bytes, 123456);
	assert_int_equal(memory.high_bytes, 536870912);
	assert_string_equal(memory.high_path, "/a.slice/b.service");
	assert_int_equal(memory.swap_max_bytes, 0);
	host_done(host);
}

static void version_1_says_no_limit_by_a_number_near_2_to_the_63(void **state)
{
	struct host *host = host_new("4:memory:/docker/x\n3:cpu:/\n0::/\n");
	struct pw_cgroup_memory memory;

	(void)state;
	put(host, "cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put(host, "cgroup/memory/docker/memory.limit_in_bytes", "9223372036854771712\n");
	put(host, "cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), 0);
	assert_int_equal(memory.version, 1);
	assert_true(memory.max_bytes == UINT64_MAX);
	put(host, "cgroup/memory/docker/x/memory.limit_in_bytes", "268435456\n");
	put(host, "cgroup/memory/docker/x/memory.usage_in_bytes", "1000\n");
	put(host, "cgroup/memory/docker/x/memory.stat", "cache 1\ntotal_inactive_file 77\n");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), 0);
	assert_int_equal(memory.max_bytes, 268435456);
	assert_string_equal(memory.max_path, "/docker/x");
	assert_int_equal(memory.max_used_bytes, 1000);
	assert_int_equal(memory.max_reclaimable_bytes, 77);
	host_done(host);
}

static void inside_a_container_the_mount_is_the_containers_own_cgroup(void **state)
{
	struct host *host = host_new("4:memory:/docker/0123abcd\n");
	struct pw_cgroup_memory memory;

	(void)state;
	put(host, "cgroup/memory/memory.limit_in_bytes", "268435456\n");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), 0);
	assert_int_equal(memory.max_bytes, 268435456);
	assert_string_equal(memory.max_path, "/");
	host_done(host);
}

static void a_cgroup_outside_of_what_we_see_is_said_to_be(void **state)
{
	struct host *host = host_new("0::/../../other.slice\n");
	struct pw_cgroup_memory memory;

	(void)state;
	put(host, "cgroup/cgroup.controllers", "memory\n");
	put(host, "cgroup/memory.max", "5\n");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), -EINVAL);
	host_done(host);
}

static void without_a_memory_controller_there_is_nothing_to_say(void **state)
{
	struct host *host = host_new("0::/a\n");
	struct pw_cgroup_memory memory;

	(void)state;
	put(host, "cgroup/a/memory.max", "5\n"); /* no cgroup.controllers: not a cgroup2 mount */
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), -ENODATA);
	put(host, "cgroup/cgroup.controllers", "cpu pids\n");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), -ENODATA);
	put(host, "proc/7/cgroup", "");
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), -ENODATA);
	assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 8, &memory), -ESRCH);
	host_done(host);
}

static void numbers_that_are_none_are_no_limits(void **state)
{
	static const char *const texts[] = {"",	     "\n",   "lots\n", "-1\n", "99999999999999999999999999\n",
					    "max\n", "5 6\n"};
	struct host *host = host_new("0::/a\n");
	struct pw_cgroup_memory memory;

	(void)state;
	put(host, "cgroup/cgroup.controllers", "memory\n");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put(host, "cgroup/a/memory.max", texts[i]);
		assert_int_equal(pw_cgroup_memory_read(host->cgroups, &host->procfs, 7, &memory), 0);
		assert_true(memory.max_bytes == UINT64_MAX);
		assert_true(memory.max_used_bytes == UINT64_MAX);
	}
	host_done(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tightest_limit_up_the_tree_is_the_one_that_holds),
		cmocka_unit_test(version_1_says_no_limit_by_a_number_near_2_to_the_63),
		cmocka_unit_test(inside_a_container_the_mount_is_the_containers_own_cgroup),
		cmocka_unit_test(a_cgroup_outside_of_what_we_see_is_said_to_be),
		cmocka_unit_test(without_a_memory_controller_there_is_nothing_to_say),
		cmocka_unit_test(numbers_that_are_none_are_no_limits),
	};

	return cmocka_run_group_tests_name("base/cgroup", tests, NULL, NULL);
}
