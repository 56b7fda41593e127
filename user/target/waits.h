/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_WAITS_H
#define PW_TARGET_WAITS_H

#include <stddef.h>
#include <stdint.h>

#include "target/goroutines.h"
#include "target/snapshot.h"

/*
 * What parked goroutines wait on: channels by g.waiting (a sudog) and its hchan; semaphores by the sudog too from Go
 * 1.26 on, before through runtime.semtable; a Cond before 1.26, and the network, by the notifyList or pollDesc that
 * stands on the stack; timers through the heaps of the Ps. Each object is believed only if it points back to the
 * goroutine.
 */
struct pw_waits;
#define PW_WAITS_BYTES_PER_ONE 96u /* of ours for one goroutine that waits, about; a select has more */

int pw_waits_new(struct pw_waits **ret_waits, struct pw_target *target) __attribute__((warn_unused_result));
void pw_waits_free(struct pw_waits *waits);
/* Gives back the memory of a look. */
void pw_waits_release(struct pw_waits *waits);

/* A new look. */
void pw_waits_begin(struct pw_waits *waits);
/* Makes room for so many goroutines. 0, -ENOMEM. */
int pw_waits_reserve(struct pw_waits *waits, size_t count) __attribute__((warn_unused_result));
/* The innermost part of a stack, from sched.sp on: looked through for a pollDesc or a Cond if that is what it waits
 * for. */
void pw_waits_stack(struct pw_waits *waits, const struct pw_goroutine *g, const uint8_t *bytes, size_t size);
/* Goroutine g, shown as `index`; object is what it waited on at the last look if it has not moved since, or 0. Sets
 * what is known without reading. 0, -E2BIG, -ENOMEM. */
int pw_waits_add(struct pw_waits *waits, size_t index, const struct pw_goroutine *g, uint64_t object,
		 struct pw_wait *ret_wait) __attribute__((warn_unused_result));
/* Reads all objects, and fills in shown[index].wait. Step until it is no longer -EAGAIN. */
int pw_waits_step(struct pw_waits *waits, struct pw_snapshot_goroutine *shown) __attribute__((warn_unused_result));

/* Does anybody in this look? */
bool pw_waits_for_any_lock(const struct pw_waits *waits);
/* Over the time budget: nothing more is read; one more step fills in what is known. */
void pw_waits_cut(struct pw_waits *waits);

/* After the last step: what each case of the select of shown[index] waits on, without the nil ones. Returns how many,
 * at most max. */
size_t pw_waits_cases(const struct pw_waits *waits, size_t index, struct pw_wait *ret_cases, size_t max);
/* Does it know where this build keeps who waits for a semaphore? */
bool pw_waits_sees_locks(const struct pw_waits *waits);
/* Of what is waited for with this reason: a lock that has an owner (or a semaphore of which that is not known)? */
bool pw_waits_for_lock(const struct pw_waits *waits, uint8_t reason);
/* Could that lock begin so many bytes before its semaphore? */
bool pw_waits_lock_begins(const struct pw_waits *waits, uint8_t reason, uint8_t before);
bool pw_waits_in_cond(const struct pw_waits *waits, const struct pw_goroutine *g);

#endif
