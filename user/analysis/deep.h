/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DEEP_H
#define PW_ANALYSIS_DEEP_H

#include <stdint.h>

#include "analysis/tick.h"
#include "base/table.h"

struct pw_judge;
struct pw_record;

/*
 * One goroutine's stack that grows without end, PW-C02 (DETECTORS 8): the runtime ends a program whose stack is over
 * its limit. Judged at each snapshot, by goroutine, of those with the largest stacks.
 */
struct pw_deep {
	struct pw_table goroutines; /* goid -> what is remembered of it */
	struct pw_tick last;	    /* at the last snapshot */
};

/* src/runtime/proc.go:main, go1.17 to go1.27, on 64 bits; debug.SetMaxStack may have set another. */
#define PW_STACK_LIMIT_BYTES 1000000000ULL

void pw_deep_init(struct pw_deep *deep);
void pw_deep_done(struct pw_deep *deep);
/* 0 or -ENOMEM (then what has no room is not judged). */
int pw_deep_judge(const struct pw_judge *judge, struct pw_deep *deep, const struct pw_record *record);

#endif
