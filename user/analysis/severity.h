/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_SEVERITY_H
#define PW_ANALYSIS_SEVERITY_H

struct pw_alert;
struct pw_rules_config;

/*
 * The level of growth (DETECTORS 9): critical if it is a leak, or proven, and its limit is near or it is large already;
 * warning if it is a leak; info if it is suspected only, or slow and small. Other rules say theirs themselves. Pure.
 */
void pw_severity_note(const struct pw_rules_config *rules, struct pw_alert *alert);

#endif
