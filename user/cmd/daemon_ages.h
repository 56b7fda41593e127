/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_DAEMON_AGES_H
#define PW_CMD_DAEMON_AGES_H

#include <stddef.h>

#include "model/ages.h"

struct pw_target;

/*
 * What the running daemon knows of the ages of a process's goroutines, for a command that looks at it itself: it looks
 * since it found the process, the command for a second. Nothing is said when there is no daemon, or it does not know
 * this process: a command gets on alone.
 */
struct pw_daemon_ages {
	struct pw_ages_head head;
	struct pw_age *items; /* by goid */
	size_t count;	      /* 0: nothing known */
};

/* socket "": nobody is asked. *ret_ages is empty unless the daemon has watched this very process (pid and start). */
void pw_daemon_ages_ask(const char *socket, const struct pw_target *target, struct pw_daemon_ages *ret_ages);
void pw_daemon_ages_done(struct pw_daemon_ages *ages);

#endif
