/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_RUNTIME_METRICS_H
#define PW_TARGET_RUNTIME_METRICS_H

#include <stdint.h>

#include "model/runtime_numbers.h"

struct pw_why;
struct pw_target;

/*
 * The runtime's own numbers of one live process, read from where its own MemStats and runtime/metrics read them
 * (src/runtime/mstats.go, metrics.go, go1.17 to 1.27): three system calls, no stop, no garbage collection. What changed
 * while it was read is read again; what does not fit together is refused.
 */
struct pw_runtime_metrics;

/* target is borrowed: its memory must have been validated. -ENOTSUP: this build does not tell where the numbers are. */
int pw_runtime_metrics_new(struct pw_runtime_metrics **ret_metrics, struct pw_target *target, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_runtime_metrics_free(struct pw_runtime_metrics *metrics);

/* Lists that cost a read per element: */
#define PW_READ_THREADS 1U /* cgo_calls and the runtime's locks in mutex_wait_ns: one more call, one per new thread */
#define PW_READ_QUEUES	2U /* finalizers_waiting: one call per block of 100 finalizers */
#define PW_READ_ALL	(PW_READ_THREADS | PW_READ_QUEUES)
/* Waits up to 0.1 s for a stopped world to go on; without it a read that is torn 16 times in a row is given up. */
#define PW_READ_PATIENT 4U

/*
 * Reads all numbers now; ret_histograms may be NULL. spawn_total is left unknown (target/births.h). -ESRCH gone, -EPERM
 * closed, -EFAULT unreadable, -EAGAIN changing faster than it can be read, -EBADMSG not what this version's runtime can
 * hold: then nothing of it is to be believed.
 */
int pw_runtime_metrics_read(struct pw_runtime_metrics *metrics, unsigned int what,
			    struct pw_runtime_numbers *ret_numbers, struct pw_histograms *ret_histograms,
			    struct pw_why *reterr_why) __attribute__((warn_unused_result));

/* How often a read had to be repeated since new. */
uint64_t pw_runtime_metrics_repeats(const struct pw_runtime_metrics *metrics);

#endif
