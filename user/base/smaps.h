/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/procfs.h"

/*
 * /proc/PID/smaps_rollup and /proc/PID/smaps: what of a process's address space is in memory. The kernel walks the page
 * tables of the process for it (fs/proc/task_mmu.c:show_smap) and holds its mmap lock for reading meanwhile: measured
 * 12 ms per GB in 4 kB pages, 0.3 ms in huge ones. The rollup takes it in one go; smaps is read in slices, one mapping
 * at a time.
 */
struct pw_smaps_sizes { /* bytes; 0 where the kernel does not tell */
	uint64_t size, rss, pss, anonymous, lazy_free, anon_huge, swap, locked;
};

/* 0, -ESRCH, -EACCES without ptrace access, -EBADMSG. */
int pw_must_check pw_procfs_smaps_rollup(const struct pw_procfs *procfs, pid_t pid, struct pw_smaps_sizes *ret_sizes);

/* One mapping; map and its path are valid during the call. */
typedef void (*pw_smaps_fn)(void *context, const struct pw_proc_map *map, const struct pw_smaps_sizes *sizes);

struct pw_smaps {
	int fd;
	pw_smaps_fn callback;
	void *context;
	char *text; /* what was read, from `begin` to `end` not looked at yet; owned */
	size_t begin, end;
	bool has_map;
	struct pw_proc_map map;
	char path[PW_PROC_PATH_MAX];
	struct pw_smaps_sizes sizes;
	size_t count; /* of mappings so far */
};
#define PW_SMAPS_INIT    \
	{                \
		.fd = -1 \
	}

int pw_must_check pw_smaps_open(struct pw_smaps *smaps, const struct pw_procfs *procfs, pid_t pid, pw_smaps_fn callback,
				void *context);
/* Reads on for about budget_ns: 0 all read, -EAGAIN call again, -ESRCH gone, -E2BIG too many mappings, -EBADMSG. */
int pw_must_check pw_smaps_step(struct pw_smaps *smaps, uint64_t budget_ns);
void pw_smaps_close(struct pw_smaps *smaps);

/* For tests and fuzzers: one line of the file, without its newline, which is changed. 0 or -EBADMSG, -E2BIG. */
int pw_must_check pw_smaps_line(struct pw_smaps *smaps, char *line);
