/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_GROWTH_H
#define PW_ANALYSIS_GROWTH_H

#include <stdint.h>

#include "analysis/tick.h"
#include "base/table.h"

struct pw_judge;
struct pw_alert;
struct pw_record;

/*
 * Goroutines that only grow (DETECTORS 7.4): one site is a go statement and the stack its goroutines are parked on, and
 * what grows are the survivors. Which rule says so depends on what they wait for: PW-G01 a channel, G03 a select, G05 a
 * WaitGroup or Cond, G06 sleepers and tickers, G11 coroutines, G10 anything else. Judged at each snapshot.
 */
struct pw_growth {
	struct pw_table sites; /* gopc and stack -> what is remembered of it */
	struct pw_tick last;   /* at the last snapshot */
	size_t arriving;       /* sites with arrivals at the last snapshot: so many tests are made at once */
};

void pw_growth_init(struct pw_growth *growth);
void pw_growth_done(struct pw_growth *growth);
/* 0 or -ENOMEM (then what has no room is not judged). */
int pw_growth_judge(const struct pw_judge *judge, struct pw_growth *growth, const struct pw_record *record);
/* Other go statements than gopc whose goroutines pile up too, added to what rose with the alert. */
void pw_growth_moving(const struct pw_growth *growth, const struct pw_record *record, uint64_t gopc,
		      struct pw_alert *alert);

#endif
