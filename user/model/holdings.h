/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_HOLDINGS_H
#define PW_MODEL_HOLDINGS_H

#include <stdint.h>

/*
 * What a process has only so many of, looked at about once a minute: threads and what they are at, timers, descriptors
 * and what is behind them. Each number is PW_UNKNOWN where it cannot be told. New ones go to the end: a recording says
 * how many it has.
 */
#define PW_HOLDINGS(X)                                                                                               \
	X(threads)	    /* of the process, by the kernel */                                                      \
	X(threads_go)	    /* that the runtime has in its list */                                                   \
	X(threads_cgo)	    /* of them in a call into C */                                                           \
	X(threads_cgo_long) /* of these in the same call for a minute at least, as far as the looks tell */          \
	X(threads_syscall)  /* of them in a system call, not by C */                                                 \
	X(threads_idle)	    /* of them kept for later: Go never ends one */                                          \
	X(threads_locked)   /* of them tied to a goroutine by LockOSThread; may be in C or in a system call, too */  \
	X(threads_max)	    /* debug.SetMaxThreads: one more of threads_go, and the program dies */                  \
	X(pids_max)	    /* the cgroup that has least room for more tasks: its limit ... */                       \
	X(pids_used)	    /* ... and its tasks */                                                                  \
	X(processes_max)    /* RLIMIT_NPROC: tasks of its user; holds for others than root */                        \
	X(timers)	    /* in the heaps of the scheduler */                                                      \
	X(gomaxprocs)                                                                                                \
	X(gc_cycles)	    /* completed at that time */                                                             \
	X(files)	    /* open descriptors */                                                                   \
	X(files_max)	    /* RLIMIT_NOFILE, the soft one */                                                        \
	X(cost_ns)	    /* of the look, CPU time */                                                              \
	X(sockets)	    /* descriptors that are one */                                                           \
	X(sockets_left_out) /* descriptors, or parts of the kernel's list, that were too many to look at */          \
	X(tcp_established)                                                                                           \
	X(tcp_close_wait)      /* the other side has closed, this one has not */                                     \
	X(tcp_close_wait_long) /* that, or dead, for a minute at least, as far as the looks tell */                  \
	X(tcp_listen)                                                                                                \
	X(tcp_other)                                                                                                 \
	X(tcp_quiet)	  /* established, and nothing received for 15 minutes; only in our own network namespace */  \
	X(unix_connected) /* streams; these three only in our own network namespace */                               \
	X(unix_closed)	  /* closed by the other side */                                                             \
	X(unix_closed_long)                                                                                          \
	X(tcp_dead) /* reset after that, or never connected: in no list of the kernel, and its descriptor still open \
		     */

struct pw_holdings {
#define X(name) uint64_t name;
	PW_HOLDINGS(X)
#undef X
};
#define PW_HOLDING_COUNT (sizeof(struct pw_holdings) / sizeof(uint64_t))

/* All unknown. */
void pw_holdings_init(struct pw_holdings *ret_holdings);

#endif
