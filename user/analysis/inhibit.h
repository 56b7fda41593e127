/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_INHIBIT_H
#define PW_ANALYSIS_INHIBIT_H

#include <stdbool.h>

struct pw_alert;
struct pw_case;
struct pw_incidents;

/*
 * Which alert explains which (DETECTORS 9): a leak of goroutines the growth of memory and threads of the same process,
 * growth a pile-up of the same go statement, GC thrash what starves behind it. Never does an alert hide a more severe
 * one. Pure; internal to analysis.
 */

/* The one that explains an incident in each of the processes it is in; NULL: none does. */
const struct pw_case *pw_inhibitor_of(const struct pw_incidents *incidents, const struct pw_case *one);

/* Does it rest on statistics of what was normal, which a new build may change? Proofs, what can never wake, and limits
 * that are near do not. */
bool pw_alert_is_statistical(const struct pw_alert *alert);

#endif
