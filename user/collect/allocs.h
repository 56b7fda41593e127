/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_ALLOCS_H
#define PW_COLLECT_ALLOCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_collect;
struct pw_target;
struct pw_why;

/*
 * Allocation stacks of one target for a time, by probes at the refill of a span and at large objects: one hit for about
 * 8 KB. For one-shot commands: blocks, and uses a slot of the collect's own maps, which must be made with
 * options.allocs and have no targets. Above the budget the probes are attached for a part of the time only.
 */
#define PW_ALLOC_LARGE UINT32_MAX

struct pw_alloc_row {
	uint32_t class; /* of the span: its size class * 2, + 1 without pointers; PW_ALLOC_LARGE */
	uint64_t hits;
	uint64_t bytes; /* of large objects; 0 for spans */
	uint32_t first_frame, depth;
};

struct pw_allocs {
	const struct pw_alloc_row *rows;
	size_t count;
	const uint64_t *frames; /* live addresses, innermost first; the first of a stack is where the probe is */
	size_t frame_count;
	uint64_t elapsed_ns, attached_ns;
	uint64_t hits, lost;	     /* lost: stack could not be walked, or the map was full */
	uint64_t cost_ns;	     /* what all hits have cost the target, estimated by */
	uint64_t hit_ns;	     /* the price of one, measured on this host with a stack of 32 frames */
	bool small_seen, large_seen; /* there was a place for that probe */
};

struct pw_alloc_options {
	uint64_t duration_ns;
	double budget_percent;		/* of one CPU; < 0: none */
	void (*started)(void *context); /* called once, when the probes are attached; may be NULL */
	/* Called every 50 ms, or more often: true ends it early. */
	bool (*stop)(void *context);
	void *context;
};

/* -EOPNOTSUPP no place for such a probe, or the target may not be probed; -ESRCH, -EPERM ...: with the reason. The
 * result is the caller's: pw_allocs_free. */
int pw_allocs_take(struct pw_allocs **ret_allocs, struct pw_collect *collect, struct pw_target *target,
		   const struct pw_alloc_options *options, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_allocs_free(struct pw_allocs *allocs);

/* Whether the probes should be attached now: what they have cost stays within the budget of the time so far, and they
 * come back once there is room for a window: of a quarter to three quarters of a second's budget, by spared (0 to 1).
 * Pure. */
bool pw_allocs_within_budget(bool attached, uint64_t cost_ns, uint64_t elapsed_ns, double budget_percent,
			     double spared);

#endif
