/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_THREADS_H
#define PW_ANALYSIS_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/climb.h"
#include "analysis/condition.h"

struct pw_judge;
struct pw_record;

/*
 * PW-C01, threads that only get more: in calls into C that do not return, in system calls, locked to goroutines. Go
 * never ends a thread that it has no more work for, so what counts is a new maximum that keeps rising. Judged at each
 * look at what the process holds.
 */
struct pw_thread_growth {
	struct pw_climb climb;
	struct pw_climb_verdict verdict;
	bool grows;
	double least; /* so many it takes */
	uint64_t onset_wall_ns;
	uint64_t critical_ns; /* so near is critical */
	double mark;	      /* the alert is over when there is not a tenth more than this for long */
	struct pw_condition condition;
};

void pw_thread_growth_judge(const struct pw_judge *judge, struct pw_thread_growth *growth,
			    const struct pw_record *record);

#endif
