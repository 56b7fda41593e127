/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup_oom.h"
#include "base/macros.h"

static char root[64];
static struct pw_procfs procfs;

static void put(const char *name, const char *text)
{
	char path[512], *slash;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	char proc[128];

	(void)state;
	snprintf(root, sizeof(root), "/tmp/pw-test-oom.XXXXXX");
	assert_non_null(mkdtemp(root));
	put("proc/placeholder", "");
	put("cgroup/placeholder", "");
	snprintf(proc, sizeof(proc), "%s/proc", root);
	return pw_procfs_open(&procfs, proc);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
	(void)status;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	pw_procfs_done(&procfs);
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* -errno of opening, else the count. */
static int64_t kills(void)
{
	char cgroups[128];
	uint64_t count;
	int fd, r;

	snprintf(cgroups, sizeof(cgroups), "%s/cgroup", root);
	fd = pw_cgroup_oom_open(cgroups, &procfs, 7);
	if (fd < 0)
		return fd;
	r = pw_cgroup_oom_kills(fd, &count);
	close(fd);
	return r < 0 ? r : (int64_t)count;
}

static void v2_counts_those_of_the_cgroup_itself(void **state)
{
	(void)state;
	put("proc/7/cgroup", "0::/a.slice/b.service\n");
	put("cgroup/a.slice/b.service/memory.events", "low 0\nhigh 0\nmax 70\noom 9\noom_kill 9\noom_group_kill 0\n");
	assert_int_equal(kills(), 9); /* before 5.2 */
	put("cgroup/a.slice/b.service/memory.events.local", "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\n");
	assert_int_equal(kills(), 2);
}

static void v1_has_its_own_file(void **state)
{
	(void)state;
	put("proc/7/cgroup", "5:memory:/jobs/x\n0::/jobs/x\n");
	put("cgroup/memory/jobs/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
	assert_int_equal(kills(), 4);
}

static void before_4_13_v1_did_not_count(void **state)
{
	(void)state;
	put("proc/7/cgroup", "5:memory:/jobs/x\n");
	put("cgroup/memory/jobs/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
	assert_int_equal(kills(), -ENODATA);
}

static void a_container_seen_from_inside_is_the_mount_itself(void **state)
{
	(void)state;
	put("proc/7/cgroup", "0::/docker/0123\n");
	put("cgroup/memory.events", "oom_kill 1\n");
	assert_int_equal(kills(), 1);
}

static void the_root_has_none(void **state)
{
	(void)state;
	put("proc/7/cgroup", "0::/\n");
	assert_int_equal(kills(), -ENODATA);
}

static void what_is_outside_is_not_looked_for(void **state)
{
	(void)state;
	put("proc/7/cgroup", "0::/../../x\n");
	put("cgroup/memory.events", "oom_kill 1\n");
	assert_int_equal(kills(), -EINVAL);
}

static void nobody_there(void **state)
{
	(void)state;
	assert_int_equal(kills(), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(v2_counts_those_of_the_cgroup_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(v1_has_its_own_file, setup, teardown),
		cmocka_unit_test_setup_teardown(before_4_13_v1_did_not_count, setup, teardown),
		cmocka_unit_test_setup_teardown(a_container_seen_from_inside_is_the_mount_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_has_none, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_outside_is_not_looked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
