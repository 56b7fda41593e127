/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The files of /proc/PID that are tables of text: maps, status, cgroup. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/procfs.h"

/* "start-end perms offset major:minor inode   path" (proc(5)); line is cut at its newline and the path points into it.
 */
int pw_proc_map_parse(char *line, struct pw_proc_map *ret_map)
{
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perms, &offset, &major, &minor, &inode,
		   &path) < 7 ||
	    path == 0 || strlen(perms) != 4 || end < start)
		return -EBADMSG;
	*ret_map = (struct pw_proc_map){
		.start = start,
		.end = end,
		.offset = offset,
		.inode = inode,
		.dev_major = major,
		.dev_minor = minor,
		.readable = perms[0] == 'r',
		.writable = perms[1] == 'w',
		.executable = perms[2] == 'x',
		.shared = perms[3] == 's',
		.path = line + path,
	};
	return 0;
}

int pw_proc_maps_parse(char *text, struct pw_proc_maps *ret_maps)
{
	struct pw_proc_maps maps = {.max = PW_PROC_MAPS_MAX, .text = text};
	int r = 0;

	for (char *line = text; r == 0 && *line;) {
		char *newline = strchr(line, '\n');
		struct pw_proc_map map = {0};

		if (newline)
			*newline = '\0';
		r = pw_proc_map_parse(line, &map);
		if (r == 0)
			r = pw_vec_push(&maps, map);
		line = newline ? newline + 1 : line + strlen(line);
	}
	if (r < 0) {
		pw_proc_maps_done(&maps);
		return r;
	}
	*ret_maps = maps;
	return 0;
}

int pw_procfs_maps(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_maps *ret_maps)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_MAPS_BYTES_MAX);
	int r = pw_procfs_read(procfs, pid, "maps", &text);
	char *content;

	if (r < 0)
		return r;
	content = text.size > 0 ? pw_buf_take(&text, NULL) : calloc(1, 1);
	return content ? pw_proc_maps_parse(content, ret_maps) : -ENOMEM;
}

void pw_proc_maps_done(struct pw_proc_maps *maps)
{
	pw_vec_done(maps);
	free(maps->text);
	maps->text = NULL;
}

const struct pw_proc_map *pw_proc_maps_find(const struct pw_proc_maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pw_proc_map *map = &maps->items[middle];

		if (address < map->start)
			high = middle;
		else if (address >= map->end)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

/* The value of "Key:\tvalue" if line has that key, else NULL. */
static const char *value_of(const char *line, const char *key)
{
	size_t size = strlen(key);

	if (strncmp(line, key, size) != 0 || line[size] != ':')
		return NULL;
	line += size + 1;
	return line + strspn(line, " \t");
}

struct number_key {
	const char *key;
	uint64_t *value;
	unsigned int base;
	uint64_t unit;
};

static bool take_number(const char *line, const struct number_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = value_of(line, keys[i].key);

		if (!value)
			continue;
		*keys[i].value = strtoull(value, NULL, (int)keys[i].base) * keys[i].unit;
		return true;
	}
	return false;
}

static void take_ns_pids(const char *value, struct pw_proc_status *status)
{
	char *end;

	while (status->ns_pid_count < PW_PROC_NSPIDS_MAX) {
		long pid = strtol(value, &end, 10);

		if (end == value)
			return;
		status->ns_pids[status->ns_pid_count++] = (pid_t)pid;
		value = end;
	}
}

static void take_name(const char *value, struct pw_proc_status *status)
{
	snprintf(status->name, sizeof(status->name), "%.*s", (int)sizeof(status->name) - 1, value);
}

/* Lines that are not one plain number. */
static void take_line(const char *line, struct pw_proc_status *status)
{
	const char *value;
	unsigned int first, second;

	if ((value = value_of(line, "Name")))
		take_name(value, status);
	else if ((value = value_of(line, "State")))
		status->state = *value;
	else if ((value = value_of(line, "NSpid")))
		take_ns_pids(value, status);
	else if ((value = value_of(line, "Uid")) && sscanf(value, "%u %u", &first, &second) == 2) {
		status->uid_real = first;
		status->uid = second;
	} else if ((value = value_of(line, "Gid")) && sscanf(value, "%u %u", &first, &second) == 2)
		status->gid = second;
}

int pw_procfs_status(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_status *ret_status)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	struct pw_proc_status status = {.seccomp = -1};
	uint64_t tgid = 0, tracer = 0, seccomp = UINT64_MAX;
	const struct number_key keys[] = {
		{"Tgid", &tgid, 10, 1},
		{"TracerPid", &tracer, 10, 1},
		{"Seccomp", &seccomp, 10, 1},
		{"Threads", &status.threads, 10, 1},
		{"VmSize", &status.vm_size_bytes, 10, 1024},
		{"VmRSS", &status.vm_rss_bytes, 10, 1024},
		{"VmHWM", &status.vm_hwm_bytes, 10, 1024},
		{"RssAnon", &status.rss_anon_bytes, 10, 1024},
		{"RssFile", &status.rss_file_bytes, 10, 1024},
		{"RssShmem", &status.rss_shmem_bytes, 10, 1024},
		{"VmSwap", &status.vm_swap_bytes, 10, 1024},
		{"VmLck", &status.vm_lck_bytes, 10, 1024},
		{"CapEff", &status.cap_effective, 16, 1},
		{"voluntary_ctxt_switches", &status.voluntary_switches, 10, 1},
		{"nonvoluntary_ctxt_switches", &status.involuntary_switches, 10, 1},
	};
	char *saved = NULL, *line;
	int r = pw_procfs_read(procfs, pid, "status", &text);

	if (r < 0)
		return r;
	for (line = text.data ? strtok_r(text.data, "\n", &saved) : NULL; line; line = strtok_r(NULL, "\n", &saved))
		if (!take_number(line, keys, ARRAY_SIZE(keys)))
			take_line(line, &status);
	if (!status.name[0] && tgid == 0)
		return -EBADMSG;
	status.tgid = (pid_t)tgid;
	status.tracer_pid = (pid_t)tracer;
	status.seccomp = seccomp == UINT64_MAX ? -1 : (int)seccomp;
	*ret_status = status;
	return 0;
}

/* Is name in a comma-separated list? */
static bool listed(const char *list, const char *name)
{
	size_t size = strlen(name);

	while (*list) {
		size_t length = strcspn(list, ",");

		if (length == size && memcmp(list, name, size) == 0)
			return true;
		list += length + (list[length] == ',');
	}
	return false;
}

static void set_path(char *target, const char *path)
{
	snprintf(target, PW_PROC_PATH_MAX, "%s", path);
}

/* "hierarchy:controllers:path" (cgroups(7)); hierarchy 0 without controllers is v2. */
static void take_cgroup(char *line, struct pw_proc_cgroup *cgroup)
{
	char *controllers = strchr(line, ':'), *path;

	if (!controllers)
		return;
	*controllers++ = '\0';
	path = strchr(controllers, ':');
	if (!path)
		return;
	*path++ = '\0';
	if (strcmp(line, "0") == 0 && !*controllers)
		set_path(cgroup->v2, path);
	if (listed(controllers, "memory"))
		set_path(cgroup->v1_memory, path);
	if (listed(controllers, "cpu"))
		set_path(cgroup->v1_cpu, path);
	if (listed(controllers, "freezer"))
		set_path(cgroup->v1_freezer, path);
	if (listed(controllers, "pids"))
		set_path(cgroup->v1_pids, path);
	if (listed(controllers, "name=systemd"))
		set_path(cgroup->v1_systemd, path);
}

int pw_procfs_cgroup(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_cgroup *ret_cgroup)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	int r = pw_procfs_read(procfs, pid, "cgroup", &text);
	char *saved = NULL, *line;
	unsigned int lines = 0;

	if (r < 0)
		return r;
	memset(ret_cgroup, 0, sizeof(*ret_cgroup));
	for (line = text.data ? strtok_r(text.data, "\n", &saved) : NULL; line && lines < PW_PROC_CGROUPS_MAX;
	     line = strtok_r(NULL, "\n", &saved), lines++)
		take_cgroup(line, ret_cgroup);
	return 0;
}
