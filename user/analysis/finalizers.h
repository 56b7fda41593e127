/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_FINALIZERS_H
#define PW_ANALYSIS_FINALIZERS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/condition.h"
#include "analysis/halt.h"
#include "analysis/tick.h"

struct pw_judge;
struct pw_record;

/*
 * Finalizers and cleanups that do not run, PW-F01 (DETECTORS 8): the one goroutine that runs all finalizers stands
 * still in one of them, or they are queued faster than they run. Cleanups (runtime.AddCleanup) share that goroutine in
 * Go 1.24 and have a queue and goroutines of their own from 1.25 on. Judged at each snapshot; the queues at each
 * record.
 */
struct pw_queue {			 /* what waits, as the runtime counts it */
	uint64_t waiting;		 /* at the last record; PW_UNKNOWN */
	uint64_t cycle;			 /* GC cycles at it */
	uint64_t least, least_before;	 /* that waited at any record since the last cycle; and in the one before it */
	uint32_t rising;		 /* cycles in a row in which the least has risen */
	uint64_t rising_ns, rising_from; /* since when (CLOCK_BOOTTIME), and from how many */
	bool any;
	struct pw_condition condition;
};

enum { PW_QUEUE_FINALIZERS, PW_QUEUE_CLEANUPS, _PW_QUEUES };

struct pw_finalizers {
	struct pw_queue queues[_PW_QUEUES];
	struct pw_tick last; /* at the last snapshot */
	struct pw_halt halt;
};

void pw_finalizers_judge(const struct pw_judge *judge, struct pw_finalizers *finalizers,
			 const struct pw_record *record);

#endif
