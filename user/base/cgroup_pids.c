/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/cgroup_pids.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* UINT64_MAX: "max", absent, unreadable. */
static uint64_t read_number(int directory, const char *name)
{
	_cleanup_fd_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	char text[32];
	uint64_t value;
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (size <= 0)
		return UINT64_MAX;
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return pw_parse_u64(text, &value) < 0 ? UINT64_MAX : value;
}

static uint64_t room(uint64_t max, uint64_t used)
{
	return max == UINT64_MAX || used == UINT64_MAX ? UINT64_MAX : max - PW_MIN(max, used);
}

static void take_level(int directory, const char *path, struct pw_cgroup_pids *pids)
{
	uint64_t max = read_number(directory, "pids.max"), used = read_number(directory, "pids.current");

	if (room(max, used) >= room(pids->max, pids->used))
		return;
	pids->max = max;
	pids->used = used;
	snprintf(pids->path, sizeof(pids->path), "%s", path);
}

/* From path up to the root; path is cut on the way. */
static int walk_up(const char *mount_path, const char *where, struct pw_cgroup_pids *ret_pids)
{
	_cleanup_fd_ int mount = open(mount_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct pw_cgroup_pids pids = {.max = UINT64_MAX, .used = UINT64_MAX};
	char path[PW_PROC_PATH_MAX];

	if (mount < 0 || where[0] != '/' || strlen(where) >= sizeof(path))
		return -ENODATA;
	if (!strncmp(where, "/..", 3) && (where[3] == '/' || !where[3]))
		return -EINVAL;
	memcpy(path, where, strlen(where) + 1);
	for (;;) {
		_cleanup_fd_ int level = openat(mount, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		char *slash = strrchr(path, '/');

		if (level >= 0)
			take_level(level, path, &pids);
		if (!path[1])
			break;
		slash[slash == path] = '\0';
	}
	*ret_pids = pids;
	return 0;
}

int pw_cgroup_pids_read(const char *root, const struct pw_procfs *procfs, pid_t pid, struct pw_cgroup_pids *ret_pids)
{
	_cleanup_free_ struct pw_proc_cgroup *cgroup = malloc(sizeof(*cgroup));
	char v1_mount[PW_PROC_PATH_MAX];
	int r = cgroup ? pw_procfs_cgroup(procfs, pid, cgroup) : -ENOMEM;

	if (r < 0)
		return r;
	snprintf(v1_mount, sizeof(v1_mount), "%s/pids", root);
	r = cgroup->v1_pids[0] ? walk_up(v1_mount, cgroup->v1_pids, ret_pids) : -ENODATA;
	if (r == -ENODATA && cgroup->v2[0])
		r = walk_up(root, cgroup->v2, ret_pids);
	return r;
}
