/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DEATH_REPORT_H
#define PW_ANALYSIS_DEATH_REPORT_H

struct pw_conditions;
struct pw_death;
struct pw_death_report;
struct pw_record;
struct pw_record_park;

/* What the last record and the open alerts of a target have to say at its end: a new report, but for its text and the
 * id of its alert. 0 or -ENOMEM. Internal to analysis. */
int pw_death_report_build(struct pw_death_report **ret_report, const struct pw_record *record,
			  const struct pw_death *death, const struct pw_conditions *conditions)
	__attribute__((warn_unused_result));

/* The group of most goroutines that are not the runtime's own; NULL: the record has none. */
const struct pw_record_park *pw_death_largest(const struct pw_record *record);

#endif
