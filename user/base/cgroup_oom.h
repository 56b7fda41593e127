/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/procfs.h"

/*
 * How many processes of one cgroup the OOM killer has killed, its own cgroup's and the host's alike
 * (mm/oom_kill.c:__oom_kill_process counts it to the victim's cgroup): oom_kill of memory.events.local (5.2; before,
 * memory.events with the cgroups below), v1: of memory.oom_control (4.13). An open fd stays readable until the cgroup
 * is removed, which often follows a process's end within moments.
 */

/* The file of the process's cgroup below root (/sys/fs/cgroup): an fd. -ENODATA: no memory controller, or the root
 * cgroup, which has no such file; -ESRCH gone; -EINVAL outside of what we see. */
int pw_must_check pw_cgroup_oom_open(const char *root, const struct pw_procfs *procfs, pid_t pid);

/* 0 and the count; -ENODATA this kernel does not count, -ENODEV the cgroup is gone. */
int pw_must_check pw_cgroup_oom_kills(int fd, uint64_t *ret_kills);
