/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_STAT_H
#define PW_OUTPUT_STAT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/record.h"

struct pw_buf;

/* One look at the runtime's own numbers of a process. */
struct pw_stat_look {
	uint64_t boot_ns, wall_ns;
	struct pw_runtime_numbers numbers;
	struct pw_histograms histograms;
	bool states_known;			   /* by a census of its own, which a storm of goroutines can refuse */
	uint64_t states[_PW_GOROUTINE_STATUS_MAX]; /* those of the runtime included */
};

struct pw_stat_view {
	int32_t pid;
	const char *process, *go_version;
	uint64_t start_time_ns; /* CLOCK_BOOTTIME */
	const struct pw_stat_look *now;
	const struct pw_stat_look *before; /* NULL: the first look, no rates */
};

/* The table of `parkwatch stat`. */
void pw_report_stat(struct pw_buf *out, const struct pw_stat_view *view);

/*
 * One JSON object and a line end, on one line (one_line) or laid out: {schema_version, pid, process, go_version, time,
 * uptime_ns, interval_ns, goroutine_states {running ..}, numbers {..}, changes {..}, gc_cpu_fraction,
 * gc_pause_quantiles_ns [5 or none], histograms {name: {unit, count, buckets [[from, below, count] ..]}}}. numbers:
 * those of runtime_numbers.h under their names, null where this Go version has none; gc_percent -1: off;
 * memory_limit_bytes null: none. changes: of the counters since the look before; null in the first. Buckets: since the
 * program began, those that are not empty, from (null: -infinity) inclusive, below (null: infinity) exclusive.
 */
void pw_view_stat(struct pw_buf *out, const struct pw_stat_view *view, bool one_line);

#endif
