/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_PROFILE_WAIT_H
#define PW_OBSERVE_PROFILE_WAIT_H

#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"

struct pw_wait;

/*
 * What a goroutine waits on, in the words of a profile. Which of the sync package's objects a semaphore is part of is
 * told by the wait reason, and where that is only "semacquire" (all of them up to Go 1.19, WaitGroup up to 1.23), by
 * the functions on the stack; then the words around the semaphore have a meaning (src/sync, go1.17 to 1.27).
 */
enum pw_sync_class {
	PW_SYNC_NONE,
	PW_SYNC_MUTEX,
	PW_SYNC_RWMUTEX_READ,
	PW_SYNC_RWMUTEX_WRITE,
	PW_SYNC_WAITGROUP,
	PW_SYNC_COND,
};

#define PW_SYNC_FRAMES 8u /* gopark, goparkunlock, semacquire1, runtime_Semacquire..., lockSlow, Lock */
/* By the wait reason, and the innermost functions of the stack (NULL: one without a name). */
enum pw_sync_class pw_sync_class(const char *reason, const char *const *functions, size_t count);
const char *pw_sync_name(enum pw_sync_class class); /* "sync.Mutex", ...; none: "" */
/* The goroutine that seems to hold the lock whose semaphore is waited for; 0 unknown. */
uint64_t pw_sync_owner(const struct pw_wait *from, enum pw_sync_class class);
/* Of all members of a group that has its frames. */
enum pw_sync_class pw_profile_sync_class(const struct pw_profile *profile, const struct pw_profile_group *group);

/* monotonic_ns: CLOCK_MONOTONIC when it was looked at; 0: of a core file, whose clock is not known. profile NULL: its
 * strings (kind, sync) stay 0. */
struct pw_profile_wait pw_profile_wait_of(struct pw_profile *profile, const struct pw_wait *from,
					  enum pw_sync_class class, uint64_t monotonic_ns);

#endif
