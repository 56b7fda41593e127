/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/procfs.h"

/*
 * How many tasks a cgroup may have: pids.max of every level above a process holds, and the one with the least room is
 * what the next thread fails at. v2, or v1's pids controller at ROOT/pids; ROOT is /sys/fs/cgroup.
 */
struct pw_cgroup_pids {
	uint64_t max, used; /* of the level with the least room; UINT64_MAX: no limit anywhere */
	char path[PW_PROC_PATH_MAX];
};

/* 0, -ENODATA: no pids controller here; -ESRCH, -ENOMEM, -EINVAL: it is outside of what we see. */
int pw_must_check pw_cgroup_pids_read(const char *root, const struct pw_procfs *procfs, pid_t pid,
				      struct pw_cgroup_pids *ret_pids);
