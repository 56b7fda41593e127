/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_RULES_H
#define PW_OUTPUT_RULES_H

struct pw_buf;
struct pw_published;

/* The rules of the daemon: how often each judged and spoke, and for which process it is off, because the configuration
 * says so or because a signal it needs is absent. */
void pw_view_rules(struct pw_buf *out, const struct pw_published *published); /* JSON, schema_version 1 */
void pw_report_rules(struct pw_buf *out, const struct pw_published *published);
/* Beneath ps: a line for each process that a rule cannot judge for want of a signal. What has only not been looked at
 * yet is left out. */
void pw_report_rules_off(struct pw_buf *out, const struct pw_published *published);

#endif
