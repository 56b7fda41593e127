/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_STORM_H
#define PW_ANALYSIS_STORM_H

#include <stdint.h>

#include "analysis/baseline.h"
#include "analysis/condition.h"

struct pw_judge;
struct pw_record;

/*
 * PW-G09, spawn storm: many goroutines are started, and at least half of them stay. Starts are told by the goid history
 * (exact, without a probe), else by the probes; how many live by the runtime's own count, else by the census. Judged
 * over windows of g09_window_ns.
 */
struct pw_storm {
	uint64_t taken_ns, wall_ns, started, live; /* at the end of the last window; taken_ns 0: none yet */
	bool by_probes;				   /* which of the two counts `started` is */
	double per_second, kept;		   /* of the last window: starts, and by how much live grew */
	double limit_per_second;		   /* that it was held against */
	uint64_t gopc;			    /* the statement that started most of those that stay; 0: not known */
	uint64_t first_wall_ns, first_live; /* before the first window in a row that is stormy */
	struct pw_baseline rates;	    /* of starts a second, in healthy windows */
	uint64_t rates_ns;
	struct pw_tick tick;
	struct pw_condition condition;
};

void pw_storm_judge(const struct pw_judge *judge, struct pw_storm *storm, const struct pw_record *record);
/* Why the rule cannot judge this target; NULL: it can. */
const char *pw_storm_off(const struct pw_record *record, char *text, size_t size);

#endif
