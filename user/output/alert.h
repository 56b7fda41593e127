/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_ALERT_H
#define PW_OUTPUT_ALERT_H

struct pw_alert;

/* Sinks of alert transitions, each told once per transition. */

/* One structured event in the log (journal fields, or one logfmt line): 0 or -errno. alert_log.c */
int pw_alert_log(const struct pw_alert *alert);

#endif
