/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_EXPLAIN_STUCK_H
#define PW_ANALYSIS_EXPLAIN_STUCK_H

#include <stdint.h>

struct pw_alert;

/* Writes text, hint and reproduce of a lock that nobody unlocks (PW-G04), from what is in the alert. Pure. */
void pw_explain_stuck(struct pw_alert *alert, uint64_t peak);

/* The same of a finalizer or cleanup that does not end (PW-F01). queue: what waits behind it. */
void pw_explain_finalizer(struct pw_alert *alert, uint64_t peak);

#endif
