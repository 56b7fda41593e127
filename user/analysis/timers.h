/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_TIMERS_H
#define PW_ANALYSIS_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/climb.h"
#include "analysis/condition.h"

struct pw_judge;
struct pw_record;

/*
 * PW-T01, timers that only get more: made and never stopped. What grows with the number of open descriptors is the
 * deadlines of connections, and silent. From Go 1.23 on a timer that nobody refers to is collected: only what is left
 * after two collections counts. Judged at each look at what the process holds.
 */
struct pw_timer_growth {
	struct pw_climb timers, files, cycles; /* over the same buckets */
	struct pw_climb_verdict verdict;
	bool grows;
	double least; /* so many it takes */
	uint64_t onset_wall_ns;
	struct pw_condition condition;
};

void pw_timer_growth_judge(const struct pw_judge *judge, struct pw_timer_growth *growth,
			   const struct pw_record *record);

#endif
