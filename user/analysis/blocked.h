/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_BLOCKED_H
#define PW_ANALYSIS_BLOCKED_H

#include <stdint.h>

#include "analysis/tick.h"
#include "base/table.h"

struct pw_judge;
struct pw_record;

/*
 * Goroutines that nothing can ever wake, PW-G02: parked on a nil channel, or in a select without cases (DETECTORS 8).
 * Needs no growth and no baseline. Judged at each snapshot, by go statement and stack.
 */
struct pw_blocked {
	struct pw_table sites; /* go statement and stack -> what is remembered of it */
	struct pw_tick last;   /* at the last snapshot */
};

void pw_blocked_init(struct pw_blocked *blocked);
void pw_blocked_done(struct pw_blocked *blocked);
/* 0 or -ENOMEM (then what has no room is not judged). */
int pw_blocked_judge(const struct pw_judge *judge, struct pw_blocked *blocked, const struct pw_record *record);

#endif
