/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_EXPLAIN_STACKS_H
#define PW_ANALYSIS_EXPLAIN_STACKS_H

#include <stdint.h>

struct pw_alert;

/* Write text, hint and reproduce of PW-C02 from what is in the alert: of one goroutine's stack, and of all together.
 * Pure. */
void pw_explain_deep(struct pw_alert *alert, uint64_t peak);
void pw_explain_stacks(struct pw_alert *alert, uint64_t peak);

#endif
