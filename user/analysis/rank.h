/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_RANK_H
#define PW_ANALYSIS_RANK_H

struct pw_alert;
struct pw_incident;

/*
 * How much an incident matters, 0 to 100 (DETECTORS 9): how sure, how urgent, how much. members: its open ones, one per
 * process; alert: what it says. Goroutines count as they are, what is in bytes by what was added since the onset, as
 * pinned bytes do.
 */
double pw_rank(const struct pw_incident *members, const struct pw_alert *alert);

#endif
