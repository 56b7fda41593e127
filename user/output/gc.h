/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_GC_H
#define PW_OUTPUT_GC_H

#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_gc_sums;
struct pw_record;
struct pw_record_gc_cycle;

/* GC cycles for people: a header line, and one line per cycle, columns under it. */
void pw_report_gc_header(struct pw_buf *out);
void pw_report_gc_cycle(struct pw_buf *out, const struct pw_record_gc_cycle *cycle);

struct pw_gc_view {
	int pid;
	const char *process, *go_version;
	int go_minor;
	const char *source;			 /* "probes" or "polls" */
	uint64_t boot_ns, wall_ns;		 /* now */
	const struct pw_record_gc_cycle *cycles; /* oldest first */
	size_t cycle_count;
	const struct pw_gc_sums *sums;
};
/* The JSON of `parkwatch gc`. */
void pw_view_gc(struct pw_buf *out, const struct pw_gc_view *view);
/* The same of all processes, from the daemon's records: {schema_version, processes: [...]}. */
void pw_view_gc_all(struct pw_buf *out, const struct pw_record *const *records, size_t count);

#endif
