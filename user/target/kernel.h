/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_KERNEL_H
#define PW_TARGET_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

struct pw_procfs;

/* Figures of one process from /proc; UINT64_MAX: unknown. */
struct pw_kernel_figures {
	uint64_t rss_bytes, threads, open_files, cpu_ns;
	bool stopped; /* by a signal, or a debugger */
};
int pw_kernel_read(struct pw_kernel_figures *ret_figures, const struct pw_procfs *procfs, int pid)
	__attribute__((warn_unused_result));

#endif
