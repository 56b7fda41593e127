/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/cgroup_oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define EVENTS_SIZE 1024 /* eight lines of a word and a number */

/* A path that is not there below the mount is a container's seen from inside: the mount itself is its cgroup. */
static int open_first(const char *mount, const char *path, const char *const *names, size_t count)
{
	_cleanup_fd_ int directory = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC), leaf = -1;
	int fd;

	if (directory < 0)
		return -ENODATA;
	if (!strncmp(path, "/..", 3) && (path[3] == '/' || !path[3]))
		return -EINVAL;
	leaf = openat(directory, path[0] == '/' && path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < count; i++) {
		fd = openat(leaf < 0 ? directory : leaf, names[i], O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -ENODATA;
}

int pw_cgroup_oom_open(const char *root, const struct pw_procfs *procfs, pid_t pid)
{
	static const char *const names_v1[] = {"memory.oom_control"};
	static const char *const names_v2[] = {"memory.events.local", "memory.events"};
	_cleanup_free_ struct pw_proc_cgroup *cgroup = malloc(sizeof(*cgroup));
	char v1_mount[PW_PROC_PATH_MAX];
	int r = cgroup ? pw_procfs_cgroup(procfs, pid, cgroup) : -ENOMEM;

	if (r < 0)
		return r;
	snprintf(v1_mount, sizeof(v1_mount), "%s/memory", root);
	r = cgroup->v1_memory[0] ? open_first(v1_mount, cgroup->v1_memory, names_v1, ARRAY_SIZE(names_v1)) : -ENODATA;
	if (r == -ENODATA && cgroup->v2[0])
		r = open_first(root, cgroup->v2, names_v2, ARRAY_SIZE(names_v2));
	return r;
}

int pw_cgroup_oom_kills(int fd, uint64_t *ret_kills)
{
	char text[EVENTS_SIZE], *line, *saved = NULL;
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	if (size < 0)
		return -errno;
	text[size] = '\0';
	for (line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		if (strncmp(line, "oom_kill ", 9) != 0)
			continue;
		*ret_kills = strtoull(line + 9, NULL, 10);
		return 0;
	}
	return -ENODATA;
}
