/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_DEATH_WATCH_H
#define PW_TARGET_DEATH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "model/death.h"

struct pw_procfs;
struct pw_target;

/*
 * What must be known before a target ends to say how it ended: the OOM kills of its cgroup until then. Looked at each
 * tick (one pread); the cgroup is looked up again once a minute, as processes are moved.
 */
struct pw_death_watch {
	int fd; /* of the counter; -1 none */
	bool known;
	uint64_t opened_ns;
	uint64_t older, newer;	     /* kills, at least PW_DEATH_WATCH_NS apart */
	uint64_t older_ns, newer_ns; /* CLOCK_BOOTTIME */
};
#define PW_DEATH_WATCH_NS 10000000000ULL

void pw_death_watch_init(struct pw_death_watch *watch);
void pw_death_watch_done(struct pw_death_watch *watch);
/* cgroups: /sys/fs/cgroup. */
void pw_death_watch_look(struct pw_death_watch *watch, const struct pw_target *target, const struct pw_procfs *procfs,
			 const char *cgroups, uint64_t boot_ns);

/*
 * How the target has ended, told right after it: its status by PIDFD_GET_INFO (6.15, once it is reaped; any parent) or
 * from /proc while it is a zombie (field exit_code of proc_pid_stat(5), 3.5). Where its parent was faster than we are
 * and the kernel is older, the status is not known.
 */
void pw_death_watch_end(struct pw_death_watch *watch, const struct pw_target *target, const struct pw_procfs *procfs,
			uint64_t boot_ns, uint64_t wall_ns, struct pw_death *ret_death);

#endif
