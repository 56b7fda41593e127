/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_WAITCLASS_H
#define PW_MODEL_WAITCLASS_H

/*
 * What a parked goroutine waits for, in one word for all who judge or show. The wait reason alone does not always say:
 * before Go 1.20 (Mutex) and 1.24 (WaitGroup) all of sync parks as "semacquire", and the first frame outside of the
 * runtime tells which.
 */
enum pw_wait_class {
	PW_WAIT_UNKNOWN,
	PW_WAIT_CHANNEL, /* send, receive, select */
	PW_WAIT_LOCK,	 /* Mutex, RWMutex, Cond, WaitGroup, semaphores */
	PW_WAIT_TIMER,	 /* sleep */
	PW_WAIT_NETWORK, /* the netpoller: sockets, pipes, files that can be polled */
	PW_WAIT_GC,
	PW_WAIT_SYSTEM_CALL,
	PW_WAIT_RUNTIME, /* the runtime's own housekeeping */
	PW_WAIT_OTHER,	 /* a reason we know, of no class: coroutine, debug call, ... */
	_PW_WAIT_CLASS_MAX,
};

/* "channel", "lock", ... */
const char *pw_wait_class_name(enum pw_wait_class wait_class);

/* reason: as the target's runtime names it; frame: the first function outside of package runtime, NULL if not known. */
enum pw_wait_class pw_wait_class(const char *reason, const char *frame);

#endif
