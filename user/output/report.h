/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_REPORT_H
#define PW_OUTPUT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_record;
struct pw_alert;
struct pw_health;
struct pw_trace;

/* What a person sees at a terminal. Everything that a target chose is escaped; unknown is "-", never 0. */

/* Table of processes; beneath it, in sentences, what cannot be observed and why, and with sites the probe sites. */
void pw_report_ps(struct pw_buf *out, const struct pw_record *const *records, size_t count, bool sites);
/* That the last configuration read was wrong, and why; nothing if it was right. */
void pw_report_configuration(struct pw_buf *out, const struct pw_health *health);
/* sites_max: go statements shown; the rest is counted. */
void pw_report_trace(struct pw_buf *out, const struct pw_trace *trace, size_t sites_max);
/* all: those that wake nobody too. */
void pw_report_alerts(struct pw_buf *out, const struct pw_alert *alerts, size_t count, bool all, uint64_t wall_ns);
/* One transition: time, state, sentence, evidence (replay). */
void pw_report_alert(struct pw_buf *out, const struct pw_alert *alert);

#endif
