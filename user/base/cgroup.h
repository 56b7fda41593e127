/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/procfs.h"

#define PW_CGROUP_ROOT "/sys/fs/cgroup"

/*
 * Memory limits of a cgroup: those of every level above it hold too, and the tightest one is what a process dies of. v2
 * is the unified hierarchy at ROOT, v1 the memory controller at ROOT/memory (cgroups(7)); ROOT is /sys/fs/cgroup. A
 * path that does not exist below the mount is a container's seen from inside without a cgroup namespace: the mount
 * itself is the container's cgroup then.
 */
struct pw_cgroup_memory {
	int version; /* 1 or 2 */
	/* UINT64_MAX: no limit. The paths are those of the level that sets it, "/" the root of what we see. */
	uint64_t max_bytes, high_bytes; /* memory.max, memory.high (v1: memory.limit_in_bytes, none) */
	char max_path[PW_PROC_PATH_MAX], high_path[PW_PROC_PATH_MAX];
	uint64_t max_used_bytes;	/* used by all of the level that sets max; UINT64_MAX unknown */
	uint64_t max_reclaimable_bytes; /* of it pages of files that were not used lately: given up before anybody dies
					 */
	uint64_t swap_max_bytes;	/* the tightest; UINT64_MAX: none, or unknown */
};

/* 0; -ENODATA: there is no memory controller for it here; -ESRCH gone; -EINVAL: it is outside of what we see. */
int pw_must_check pw_cgroup_memory_read(const char *root, const struct pw_procfs *procfs, pid_t pid,
					struct pw_cgroup_memory *ret_memory);
