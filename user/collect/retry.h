/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_RETRY_H
#define PW_COLLECT_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When an attach that failed is tried again: after 2 s, and each time after twice as long, at most every 5 minutes. A
 * lack of slots, files or memory passes, so does a debugger's breakpoint; what will never pass costs next to nothing.
 * Clock: CLOCK_BOOTTIME.
 */
#define PW_RETRY_FIRST_NS 2000000000ULL
#define PW_RETRY_MAX_NS	  300000000000ULL

struct pw_retry {
	uint64_t wait_ns, at_ns; /* 0: has not failed yet */
};

/* Failed at now_ns; returns the seconds until the next try, for people. */
unsigned int pw_retry_failed(struct pw_retry *retry, uint64_t now_ns);
bool pw_retry_due(const struct pw_retry *retry, uint64_t now_ns);
/* Whether an error may pass. -errno */
bool pw_retry_worth(int r);

#endif
