/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_EVIDENCE_H
#define PW_ANALYSIS_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

struct pw_alert;
struct pw_floors;

/* What a record has to show for an alert about one of its go statements, copied into the alert. */

void pw_evidence_text(char *to, size_t size, const struct pw_record *record, pw_string string);
/* The go statement: function, file, line. */
void pw_evidence_statement(struct pw_alert *alert, const struct pw_record *record, uint32_t statement);
/* The stack on which goroutines of the statement are mostly started. */
void pw_evidence_creation(struct pw_alert *alert, const struct pw_record *record, uint32_t statement);
/* The stack on which they are mostly parked, what they wait on there, and since when the oldest is. */
void pw_evidence_parked(struct pw_alert *alert, const struct pw_record *record, uint32_t statement);

/* The innermost frame of a stack that is neither the runtime's nor of package sync; empty: there is none. */
struct pw_alert_frame;
void pw_evidence_own_frame(struct pw_alert_frame *to, const struct pw_record *record,
			   const struct pw_record_park *park);

/* The function that stands on a stack most often, if at least three times. */
void pw_evidence_recursion(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park);
/* A lock that goroutines of the record wait for, and who seems to hold it. */
void pw_evidence_lock(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_lock *lock);

/* The same of one group of them. */
void pw_evidence_park(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park);

/* The newest count floors of a scale. */
void pw_evidence_floors(struct pw_alert *alert, const struct pw_floors *floors, size_t scale, size_t count);

#endif
