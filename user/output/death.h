/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_DEATH_H
#define PW_OUTPUT_DEATH_H

#include <stddef.h>

struct pw_buf;
struct pw_death_report;
struct pw_json;

/* What is kept of a process that has ended, as one page for a person: how, when, what its goroutines were doing, its
 * memory, the alerts that were open. */
void pw_death_page(struct pw_buf *out, const struct pw_death_report *report);

/* The same as a JSON object, on one line. Field names are an interface, as those of views.h. */
void pw_death_json(struct pw_buf *out, const struct pw_death_report *report);
/* Of /api/v1/deaths: {schema_version, deaths: [...]}, the newest first. */
void pw_view_deaths(struct pw_buf *out, struct pw_death_report *const *reports, size_t count);

#endif
