/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_ALERT_JSON_H
#define PW_OUTPUT_ALERT_JSON_H

#include <stddef.h>
#include <stdint.h>

struct pw_alert;
struct pw_buf;

/*
 * The JSON of an alert, the same for `parkwatch alerts --json`, /api/v1/alerts, replay, the file, the command and the
 * JSON webhook. Its first fields, up to "reproduce", are an interface (DETECTORS 12): each is always there, null where
 * it is not known. Version 1 had other names for most of them.
 */
#define PW_ALERTS_SCHEMA_VERSION 2

/* {schema_version, time, alerts: [...]} */
void pw_view_alerts(struct pw_buf *out, const struct pw_alert *alerts, size_t count, uint64_t wall_ns);
/* One alert on one line. */
void pw_view_alert_line(struct pw_buf *out, const struct pw_alert *alert);
/* What is in the document of pw_view_alerts: JSON Schema, draft 2020-12. 0, or the error of the buffer. */
int pw_view_alerts_schema(struct pw_buf *out) __attribute__((warn_unused_result));

#endif
