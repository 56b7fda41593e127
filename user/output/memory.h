/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_MEMORY_H
#define PW_OUTPUT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_memory_table;
struct pw_record;

/* `parkwatch memory`: the table, and a conclusion above it. */
struct pw_memory_view {
	const struct pw_memory_table *table;
	int pid;
	const char *process, *go_version; /* foreign */
	const char *max_path, *high_path; /* cgroups whose limits these are; foreign */
	const char *no_heap;		  /* why the runtime's part is missing; NULL: it is not */
	uint64_t wall_ns;
};
void pw_report_memory(struct pw_buf *out, const struct pw_memory_view *view);
void pw_view_memory(struct pw_buf *out, const struct pw_memory_view *view);
/* The same of all processes, from the daemon's records, with the time of each look. */
void pw_view_memory_all(struct pw_buf *out, const struct pw_record *const *records, size_t count);

#endif
