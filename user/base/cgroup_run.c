/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/cgroup_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"

#define FILE_MAX       4096 /* cpu.stat has some twenty lines */
#define NAME_MAX_BYTES (2 * PW_PROC_PATH_MAX)

/* The beginning of a file, as text. */
static bool read_text(const char *path, char text[FILE_MAX])
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, FILE_MAX - 1);

	text[size < 0 ? 0 : size] = '\0';
	return size > 0;
}

/* The number behind a key in lines of "key value"; UINT64_MAX: there is none. */
static uint64_t number_of(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		uint64_t value;
		char digits[24];

		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ' ')
			continue;
		snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
		return pw_parse_u64(digits, &value) < 0 ? UINT64_MAX : value;
	}
	return UINT64_MAX;
}

static bool is_inside(const char *path)
{
	return path[0] == '/' && !(strncmp(path, "/..", 3) == 0 && (path[3] == '/' || !path[3]));
}

/* The largest value of a key in a file of all levels from the path up, the root too. */
static uint64_t most_of(const char *mount, const char *path, const char *file, const char *key)
{
	char level[PW_PROC_PATH_MAX], name[NAME_MAX_BYTES], text[FILE_MAX];
	uint64_t most = UINT64_MAX;

	snprintf(level, sizeof(level), "%s", path);
	for (;;) {
		char *slash = strrchr(level, '/');
		uint64_t value = UINT64_MAX;

		snprintf(name, sizeof(name), "%s%s/%s", mount, level, file);
		if (read_text(name, text))
			value = number_of(text, key);
		if (value != UINT64_MAX && (most == UINT64_MAX || value > most))
			most = value;
		if (!slash)
			return most;
		*slash = '\0';
	}
}

static void read_v2(const char *root, const char *path, struct pw_cgroup_run *run)
{
	char name[NAME_MAX_BYTES], text[FILE_MAX];
	uint64_t usec;

	if (!is_inside(path))
		return;
	snprintf(name, sizeof(name), "%s%s/cgroup.events", root, path);
	if (read_text(name, text))
		run->frozen |= number_of(text, "frozen") == 1; /* it, or one above it */
	usec = most_of(root, path, "cpu.stat", "throttled_usec");
	if (usec != UINT64_MAX && usec < UINT64_MAX / 1000)
		run->throttled_ns = usec * 1000;
}

int pw_cgroup_run_read(const char *root, const struct pw_procfs *procfs, pid_t pid, struct pw_cgroup_run *ret_run)
{
	_cleanup_free_ struct pw_proc_cgroup *cgroup = malloc(sizeof(*cgroup));
	int r = cgroup ? pw_procfs_cgroup(procfs, pid, cgroup) : -ENOMEM;
	struct pw_cgroup_run run = {.throttled_ns = UINT64_MAX};
	char mount[NAME_MAX_BYTES], text[FILE_MAX];

	if (r < 0)
		return r;
	read_v2(root, cgroup->v2, &run);
	if (is_inside(cgroup->v1_cpu)) {
		snprintf(mount, sizeof(mount), "%s/cpu", root);
		run.throttled_ns = most_of(mount, cgroup->v1_cpu, "cpu.stat", "throttled_time");
	}
	if (is_inside(cgroup->v1_freezer)) {
		snprintf(mount, sizeof(mount), "%s/freezer%s/freezer.state", root, cgroup->v1_freezer);
		run.frozen |= read_text(mount, text) && strncmp(text, "FROZEN", 6) == 0;
	}
	*ret_run = run;
	return 0;
}
