/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_SAMPLING_H
#define PW_COLLECT_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/collect.h"

/*
 * From windows to totals. A window counts k events while the process does x of its own work: CPU time, without what our
 * probes cost it. Between windows it does X, which is known exactly, and k/x events for each unit of it: a ratio
 * estimate. Work is the measure, not time, since a probe slows a busy target down while its window is open, and an idle
 * one sleeps through it.
 *
 * The bound holds with 95%: the spread of k around what x lets expect, over the last windows, with Student's t for few
 * of them; and in full the error that the price of a hit brings into x. Pure.
 */
#define PW_SAMPLING_WINDOWS	32
#define PW_SAMPLING_YOUNG	8	      /* windows that together say what the spread is */
#define PW_SAMPLING_COST_ERROR	0.25	      /* how far the price of a hit may be off: 8 to 20% were seen */
#define PW_SAMPLING_WORK_MIN_NS (200 * 1000U) /* windows are pooled until they saw so much work */

struct pw_window {
	uint64_t cpu_ns;       /* of the process while it was open */
	uint64_t probe_ns;     /* of it what hits cost */
	uint64_t pause_cpu_ns; /* of the process since the window before */
	uint64_t pause_probe_ns;
	uint64_t counted[_PW_EVENT_MAX];
};

struct pw_sampled {   /* one event */
	double extra; /* estimated in the pauses, to be added to what was counted */
	/* Bound: sqrt(square) + linear. Both only grow once the first windows are over, so that a difference has a
	 * bound too; until then each new window says more of the spread of those before. */
	double square, linear;
	double old_square, young; /* square: of what is settled for good; young * t^2 * variance */
};

struct pw_sampling {
	struct {
		double work;
		double counted[_PW_EVENT_MAX];
	} window[PW_SAMPLING_WINDOWS];
	size_t count, next;
	/* not settled yet */
	double work, pause, probe, counted[_PW_EVENT_MAX];
	unsigned int pending;
	struct pw_sampled total[_PW_EVENT_MAX];
	uint64_t settled; /* windows */
};

/* A window has ended. */
void pw_sampling_add(struct pw_sampling *sampling, const struct pw_window *window);
/*
 * Lets the windows since the last settling speak for the pauses before them. events: bits 1 << event of those that are
 * sampled. Returns true and the factor by which what was counted in these windows is to be multiplied and added; false:
 * no window, or they saw too little.
 */
bool pw_sampling_settle(struct pw_sampling *sampling, unsigned int events, double *ret_factor);
/* Half of the interval that holds the truth with 95%; of a difference, with the values at its two ends. */
double pw_sampling_bound(double square, double linear);

#endif
