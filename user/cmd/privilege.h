/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_PRIVILEGE_H
#define PW_CMD_PRIVILEGE_H

#include <stdbool.h>

struct pw_why;

/*
 * Capabilities (KERNELS 5): BPF and PERFMON load and attach by uprobe_multi, SYS_PTRACE and DAC_READ_SEARCH read memory
 * and files of other users' processes; perf-event uprobes also want SYS_ADMIN, kernels before 5.11 SYS_RESOURCE.
 * Capabilities belong to threads: drop before the first thread is made.
 */

/* Gives up all but these six, for good (no new privileges by exec either). 0 or -errno with a sentence. */
int pw_privilege_drop(struct pw_why *reterr_why) __attribute__((warn_unused_result));
/* Gives up SYS_ADMIN and SYS_RESOURCE too in this thread and those it makes: uprobe_multi does not need them. */
int pw_privilege_drop_admin(struct pw_why *reterr_why) __attribute__((warn_unused_result));
/* Could this process observe others at all? Without: a sentence with the remedy. */
bool pw_privilege_sufficient(struct pw_why *reterr_why);

#endif
