/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_NURSERY_H
#define PW_READER_NURSERY_H

#include <sys/types.h>

/*
 * Where reader processes come from. A small process is forked at start, before any thread and before parkwatch holds
 * anything; it parses nothing and has no capabilities. It forks the readers, one at a time, and kills them when told.
 * So a restart never forks the daemon: no locks of other threads, none of its memory in a reader's hands.
 */
struct pw_nursery {
	pid_t pid; /* 0: none */
	int control_fd;
};

/* 0 or -errno. */
int pw_nursery_start(struct pw_nursery *ret_nursery) __attribute__((warn_unused_result));
void pw_nursery_done(struct pw_nursery *nursery); /* ends it and the reader, and reaps */

/* Ends the reader there is and starts a new one, which gets socket_fd (borrowed). -EPIPE: the nursery is dead. */
int pw_nursery_spawn(const struct pw_nursery *nursery, int socket_fd) __attribute__((warn_unused_result));
/* SIGKILL for the reader there is. -EPIPE: the nursery is dead. */
int pw_nursery_kill(const struct pw_nursery *nursery) __attribute__((warn_unused_result));

#endif
