/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DEATH_H
#define PW_ANALYSIS_DEATH_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/analysis.h"
#include "base/table.h"

struct pw_conditions;

/*
 * PW-X01: the end of a process, with what its last record says. Told once, as an alert that is over: of what lived for
 * min_age at least, what was OOM-killed or crashed by a signal, what ended with open alerts, and of a service whose
 * faulty ends repeat; of one service once in `quiet`, with how many others there were. Internal to analysis.
 */
struct pw_deaths {
	struct pw_table services; /* name -> how its processes ended lately */
};
void pw_deaths_init(struct pw_deaths *deaths);
void pw_deaths_done(struct pw_deaths *deaths);

struct pw_deaths_judge { /* who judges */
	const struct pw_rules_config *rules;
	struct pw_conditions *conditions;
	struct pw_analysis_stats *stats;
};

/* The target of record (its last one) has ended: what is to be said of it, while its alerts are still open. NULL: no
 * memory, and nothing is. */
struct pw_death_report *pw_deaths_begin(const struct pw_deaths_judge *judge, const struct pw_record *record,
					const struct pw_death *death);
/* Tells it, if it is worth it and not too soon, and completes the report. False: not worth keeping either. */
bool pw_deaths_tell(struct pw_deaths *deaths, const struct pw_deaths_judge *judge, const struct pw_record *record,
		    struct pw_death_report *report);

#endif
