/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_TRACE_H
#define PW_OUTPUT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_record;

/*
 * What happened between two records of the same target: the answer of `trace`. Totals of a record count since attach
 * and never fall, so a window is a difference, and both records were made right after the counters were read.
 */
struct pw_trace_reason {
	const char *reason; /* of the last record */
	uint64_t count;
};

struct pw_trace_site {	    /* one go statement with activity in the window, or with goroutines alive at its end */
	uint32_t statement; /* in the last record */
	uint64_t spawned, exited, parked;
	uint64_t ran;			 /* PW_UNKNOWN: not counted */
	uint64_t live;			 /* at the end, by the census; PW_UNKNOWN without one */
	struct pw_trace_reason *reasons; /* by count, falling */
	size_t reason_count;
	uint32_t creation_stack; /* in the last record, UINT32_MAX: none seen */
};

/* How an event was counted in the window. Sampled: the counts by go statement are estimates, error bounds their sum. */
struct pw_trace_event {
	bool sampled;
	bool exact;	/* the total comes from memory all the same */
	uint64_t error; /* the truth is within that of the sum, with 95%; PW_UNKNOWN: too few windows to tell */
};

struct pw_trace {
	const struct pw_record *first, *last; /* borrowed */
	uint64_t duration_ns;
	bool runs;
	uint64_t spawned, exited, parked;
	uint64_t spawned_by_goid; /* PW_UNKNOWN: memory closed */
	uint64_t lost;
	struct pw_trace_event spawn, exit, park;
	uint64_t windows, sampled_ns; /* of sampling; how long the sampled counts stand for */
	struct pw_trace_site *sites;  /* by growth (spawned - exited), then by activity, falling */
	size_t site_count;
};

/* first and last are of one target, last is the later one; both must outlive the result. 0 or -ENOMEM. */
int pw_trace_between(struct pw_trace *ret_trace, const struct pw_record *first, const struct pw_record *last, bool runs)
	__attribute__((warn_unused_result));
void pw_trace_done(struct pw_trace *trace);
/* What was lost for the reason at that place of last->drops. */
uint64_t pw_trace_lost(const struct pw_trace *trace, size_t drop);
bool pw_trace_is_sampled(const struct pw_trace *trace);
/* Why, in a sentence; empty when all was counted. */
const char *pw_trace_sampled_text(const struct pw_trace *trace);

#endif
