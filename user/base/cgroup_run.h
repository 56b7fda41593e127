/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/procfs.h"

/*
 * May the processes of a cgroup run? v2: cgroup.events and cpu.stat of the unified hierarchy at ROOT; v1: freezer.state
 * below ROOT/freezer, cpu.stat below ROOT/cpu (cgroups(7)). Quotas of all levels above hold too: the one that has held
 * it up for longest counts.
 */
struct pw_cgroup_run {
	bool frozen;
	uint64_t throttled_ns; /* so far, by the quota of one level; UINT64_MAX: no cpu controller is seen */
};

/* 0, -ESRCH gone, -ENOMEM. What cannot be read is not frozen, and not known to be throttled. */
int pw_must_check pw_cgroup_run_read(const char *root, const struct pw_procfs *procfs, pid_t pid,
				     struct pw_cgroup_run *ret_run);
