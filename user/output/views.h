/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_VIEWS_H
#define PW_OUTPUT_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_record;
struct pw_trace;

/*
 * The JSON of each subcommand, the same for it and for /api/v1. Field names are an interface: they are only ever added
 * to, under the same schema_version. A number that is not known is null.
 */
#define PW_SCHEMA_VERSION 1

void pw_view_ps(struct pw_buf *out, const struct pw_record *const *records, size_t count);
void pw_view_trace(struct pw_buf *out, const struct pw_trace *trace);

#endif
