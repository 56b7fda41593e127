/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_METRICS_H
#define PW_OUTPUT_METRICS_H

#include <stdbool.h>

struct pw_buf;
struct pw_published;

/* All metrics as text format 0.0.4, or OpenMetrics 1.0.0. What is unknown is absent. Errors stick in out. */
void pw_metrics_render(struct pw_buf *out, const struct pw_published *published, bool openmetrics);

#endif
