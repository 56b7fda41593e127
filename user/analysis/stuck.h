/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_STUCK_H
#define PW_ANALYSIS_STUCK_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/halt.h"
#include "analysis/tick.h"
#include "base/table.h"

struct pw_judge;
struct pw_record;

/*
 * Locks that nobody unlocks, PW-G04 (DETECTORS 8): for a while none of those who wait for one has left it or run,
 * though the process could run. One site is a go statement and the stack on which the longest waiter is parked. Judged
 * at each snapshot; needs no growth.
 */
struct pw_stuck {
	struct pw_table sites; /* go statement and stack -> what is remembered of it */
	struct pw_tick last;   /* at the last snapshot */
	struct pw_halt halt;
};

void pw_stuck_init(struct pw_stuck *stuck);
void pw_stuck_done(struct pw_stuck *stuck);
/* 0 or -ENOMEM (then what has no room is not judged). */
int pw_stuck_judge(const struct pw_judge *judge, struct pw_stuck *stuck, const struct pw_record *record);

#endif
