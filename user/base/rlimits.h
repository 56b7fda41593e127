/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/procfs.h"

/* Soft limits of a process (/proc/PID/limits, proc(5)); UINT64_MAX: unlimited. */
struct pw_rlimits {
	uint64_t open_files; /* RLIMIT_NOFILE */
	uint64_t processes;  /* RLIMIT_NPROC: tasks of its real user */
};
int pw_must_check pw_rlimits_read(const struct pw_procfs *procfs, pid_t pid, struct pw_rlimits *ret_limits);
