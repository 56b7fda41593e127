/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_WEBHOOK_BODY_H
#define PW_OUTPUT_WEBHOOK_BODY_H

#include <stddef.h>

#include "output/sinks.h"

struct pw_alert;
struct pw_buf;

/*
 * What is posted of alerts. Alertmanager (openapi.yaml of its v2 API, postableAlerts): labels that stay the same over
 * the life of an alert, so that it deduplicates; endsAt only once an alert has ended, since without it Alertmanager
 * takes an alert that nobody repeats for resolved. Errors are those of the buffer.
 */
void pw_webhook_body(struct pw_buf *out, enum pw_webhook_format format, const char *host, const struct pw_alert *alerts,
		     size_t count);

#endif
