/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"

#define V1_NO_LIMIT (1ULL << 62) /* PAGE_COUNTER_MAX in pages is shown as a little less than 2^63 */

struct names {
	const char *max, *high, *swap_max, *used, *reclaimable;
};
static const struct names names_v2 = {"memory.max", "memory.high", "memory.swap.max", "memory.current",
				      "inactive_file"};
static const struct names names_v1 = {"memory.limit_in_bytes", NULL, NULL, "memory.usage_in_bytes",
				      "total_inactive_file"};

static int read_text(int directory, const char *name, struct pw_buf *text)
{
	_cleanup_fd_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t count;

	if (fd < 0)
		return -errno;
	while ((count = read(fd, chunk, sizeof(chunk))) > 0)
		if (pw_buf_append(text, chunk, (size_t)count) < 0)
			return pw_buf_error(text);
	return count < 0 ? -errno : 0;
}

/* UINT64_MAX: "max", absent, unreadable. */
static uint64_t read_number(int directory, const char *name)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(64);
	uint64_t value;

	if (!name || read_text(directory, name, &text) < 0 || !text.size)
		return UINT64_MAX;
	text.data[strcspn(text.data, "\n")] = '\0';
	return pw_parse_u64(text.data, &value) < 0 ? UINT64_MAX : value;
}

static uint64_t read_stat(int directory, const char *key)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	char *saved = NULL, *line;
	size_t length = strlen(key);

	if (read_text(directory, "memory.stat", &text) < 0 || !text.size)
		return 0;
	for (line = strtok_r(text.data, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved))
		if (!strncmp(line, key, length) && line[length] == ' ')
			return strtoull(line + length, NULL, 10);
	return 0;
}

/* One level: what it limits more than the levels below it. */
static void take_level(int directory, const char *path, const struct names *names, struct pw_cgroup_memory *memory)
{
	uint64_t max = read_number(directory, names->max), high = read_number(directory, names->high),
		 swap_max = read_number(directory, names->swap_max);

	if (memory->version == 1 && max >= V1_NO_LIMIT)
		max = UINT64_MAX;
	if (max < memory->max_bytes) {
		memory->max_bytes = max;
		snprintf(memory->max_path, sizeof(memory->max_path), "%s", path);
		memory->max_used_bytes = read_number(directory, names->used);
		memory->max_reclaimable_bytes = read_stat(directory, names->reclaimable);
	}
	if (high < memory->high_bytes) {
		memory->high_bytes = high;
		snprintf(memory->high_path, sizeof(memory->high_path), "%s", path);
	}
	memory->swap_max_bytes = PW_MIN(memory->swap_max_bytes, swap_max);
}

static bool is_outside(const char *path)
{
	return !strncmp(path, "/..", 3) && (path[3] == '/' || !path[3]);
}

/* From path up to the root; path is cut on the way. The kernel's own paths have no "." or ".." inside. */
static int walk_up(int mount, char *path, const struct names *names, struct pw_cgroup_memory *memory)
{
	_cleanup_fd_ int leaf = openat(mount, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (leaf < 0)
		path[1] = '\0';
	for (;;) {
		_cleanup_fd_ int level = openat(mount, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		char *slash = strrchr(path, '/');

		if (level >= 0)
			take_level(level, path, names, memory);
		if (!path[1])
			return 0;
		slash[slash == path] = '\0';
	}
}

/* -ENODATA: no memory controller is mounted here. */
static int read_hierarchy(const char *directory, const char *path, int version, struct pw_cgroup_memory *ret_memory)
{
	_cleanup_fd_ int mount = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct names *names = version == 2 ? &names_v2 : &names_v1;
	struct pw_cgroup_memory memory = {.version = version,
					  .max_bytes = UINT64_MAX,
					  .high_bytes = UINT64_MAX,
					  .max_used_bytes = UINT64_MAX,
					  .max_reclaimable_bytes = UINT64_MAX,
					  .swap_max_bytes = UINT64_MAX};
	char copy[PW_PROC_PATH_MAX];

	if (mount < 0 || path[0] != '/' || strlen(path) >= sizeof(copy))
		return -ENODATA;
	if (is_outside(path))
		return -EINVAL;
	if (version == 1 && faccessat(mount, names->max, R_OK, 0) < 0)
		return -ENODATA;
	if (version == 2) { /* memory is missing from the list where v1 has it (hybrid) */
		_cleanup_buf_ struct pw_buf controllers = PW_BUF_INIT(1024);

		if (read_text(mount, "cgroup.controllers", &controllers) < 0 ||
		    !strstr(pw_buf_text(&controllers), "memory"))
			return -ENODATA;
	}
	memcpy(copy, path, strlen(path) + 1);
	(void)walk_up(mount, copy, names, &memory);
	*ret_memory = memory;
	return 0;
}

int pw_cgroup_memory_read(const char *root, const struct pw_procfs *procfs, pid_t pid,
			  struct pw_cgroup_memory *ret_memory)
{
	_cleanup_free_ struct pw_proc_cgroup *cgroup = malloc(sizeof(*cgroup));
	char v1_mount[PW_PROC_PATH_MAX];
	int r = cgroup ? pw_procfs_cgroup(procfs, pid, cgroup) : -ENOMEM;

	if (r < 0)
		return r;
	snprintf(v1_mount, sizeof(v1_mount), "%s/memory", root);
	r = cgroup->v1_memory[0] ? read_hierarchy(v1_mount, cgroup->v1_memory, 1, ret_memory) : -ENODATA;
	if (r == -ENODATA && cgroup->v2[0])
		r = read_hierarchy(root, cgroup->v2, 2, ret_memory);
	return r;
}
