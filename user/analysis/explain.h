/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_EXPLAIN_H
#define PW_ANALYSIS_EXPLAIN_H

#include <stdint.h>

struct pw_alert;

/* Evidence that the sentence needs and the alert has no field for. */
struct pw_pileup_evidence {
	uint64_t parked_old; /* of alert->parked */
	uint64_t age_ns;
	uint64_t peak;
};

/* Writes alert->text, ->hint and ->reproduce from what else is in it, for its state. Pure: times are shown in UTC. */
void pw_explain_pileup(struct pw_alert *alert, const struct pw_pileup_evidence *evidence);

/* The same for growth by survivors: from what is in the alert alone. peak: of its goroutines. */
void pw_explain_growth(struct pw_alert *alert, uint64_t peak);

/* The same for memory (PW-H01, PW-H03). */
void pw_explain_memory(struct pw_alert *alert, uint64_t peak);

/* The same for what can never be woken (PW-G02). */
void pw_explain_blocked(struct pw_alert *alert, uint64_t peak);

#endif
