/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_TIMERS_H
#define PW_TARGET_TIMERS_H

#include <stdint.h>

struct pw_holdings;
struct pw_target;

/*
 * How many timers the scheduler of a target keeps: the sum of the heaps of its Ps (p.timers: a slice up to Go 1.22,
 * from 1.23 on a struct with one, src/runtime/time.go). Those that were stopped are in it until the scheduler gets to
 * them; from 1.23 on a channel's timer is in it only while somebody waits. Sets numbers->timers and ->gomaxprocs. 0
 * (unknown if it cannot be told), -ESRCH, -ENOMEM.
 */
int pw_timers_count(struct pw_target *target, struct pw_holdings *numbers) __attribute__((warn_unused_result));

#endif
