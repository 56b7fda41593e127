/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_BIRTHS_H
#define PW_TARGET_BIRTHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_target;

/*
 * When a goroutine was born, and how many were: the goid history (DESIGN 2). goids are handed out in order, 16 at a
 * time per P; a goid had been issued by time t exactly if it is at most goidgen(t) and in no P's unissued interval. Two
 * polls thus bound each birth on both sides. The history is thinned with age: bounded memory, wider bounds for the old.
 */
struct pw_births;

int pw_births_new(struct pw_births **ret_births) __attribute__((warn_unused_result));
void pw_births_free(struct pw_births *births);

/* Reads sched.goidgen and every P's interval at this moment. -EAGAIN torn (try at the next poll), -ESRCH, -EFAULT. */
int pw_births_poll(struct pw_births *births, struct pw_target *target, uint64_t boot_ns)
	__attribute__((warn_unused_result));

/* Bounds of the birth of goid, CLOCK_BOOTTIME: *ret_after 0 if born before the first poll. */
void pw_births_bounds(const struct pw_births *births, uint64_t goid, uint64_t *ret_after_ns, uint64_t *ret_before_ns);

/* goids issued since process start, as of the last poll; exact at rest. PW_UNKNOWN (UINT64_MAX) before the first. */
uint64_t pw_births_total(const struct pw_births *births);

#endif
