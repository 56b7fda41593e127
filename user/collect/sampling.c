/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/sampling.h"

#include <math.h>

#include "base/macros.h"

#define WORK_LEAST 0.05 /* of the CPU time is surely work, whatever the price of a hit says */

/* Two-sided 95% quantiles of Student's t. */
static double student(size_t freedom)
{
	static const double quantile[] = {0,	 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
					  2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131};

	if (freedom < ARRAY_SIZE(quantile))
		return quantile[freedom];
	return freedom < 20 ? 2.131 : freedom < 30 ? 2.086 : 2.042;
}

static double work_of(uint64_t cpu_ns, uint64_t probe_ns)
{
	double work = (double)cpu_ns - (double)probe_ns;

	return PW_MAX(work, WORK_LEAST * (double)cpu_ns);
}

void pw_sampling_add(struct pw_sampling *sampling, const struct pw_window *window)
{
	double work = work_of(window->cpu_ns, window->probe_ns);
	size_t slot = sampling->next;

	sampling->next = (slot + 1) % PW_SAMPLING_WINDOWS;
	sampling->count = PW_MIN(sampling->count + 1, (size_t)PW_SAMPLING_WINDOWS);
	sampling->window[slot].work = work;
	sampling->work += work;
	sampling->probe += (double)window->probe_ns;
	sampling->pause += work_of(window->pause_cpu_ns, window->pause_probe_ns);
	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		sampling->window[slot].counted[event] = (double)window->counted[event];
		sampling->counted[event] += (double)window->counted[event];
	}
	sampling->pending++;
}

/* Variance of what a window counts around what its work lets expect; never less than chance alone makes it. */
static double residual_variance(const struct pw_sampling *sampling, int event, double *ret_mean_work)
{
	double work = 0, counted = 0, square = 0, windows = (double)sampling->count;

	for (size_t i = 0; i < sampling->count; i++) {
		work += sampling->window[i].work;
		counted += sampling->window[i].counted[event];
	}
	*ret_mean_work = work / windows;
	if (work <= 0)
		return 0;
	for (size_t i = 0; i < sampling->count; i++) {
		double residual = sampling->window[i].counted[event] - counted / work * sampling->window[i].work;

		square += residual * residual;
	}
	return PW_MAX(square / PW_MAX(windows - 1, 1.0), (counted + 1) / windows);
}

static void settle_event(struct pw_sampling *sampling, int event, double factor)
{
	struct pw_sampled *total = &sampling->total[event];
	double extra = sampling->counted[event] * factor, mean_work;
	double variance = residual_variance(sampling, event, &mean_work);

	total->extra += extra;
	total->linear += extra * PW_MIN(1.0, PW_SAMPLING_COST_ERROR * sampling->probe / sampling->work);
	/* The windows as a measure of the density, and the pause itself around its density. */
	total->young += sampling->pending * factor * factor + sampling->pause / PW_MAX(mean_work, 1.0);
	if (sampling->count < 2) { /* one window says nothing of the spread: anything up to twice as much */
		total->square = PW_MAX(total->extra * total->extra, 1.0);
		return;
	}
	double t = student(sampling->count - 1);
	total->square = total->old_square + total->young * t * t * variance;
	if (sampling->count >= PW_SAMPLING_YOUNG) {
		total->old_square = total->square;
		total->young = 0;
	}
}

bool pw_sampling_settle(struct pw_sampling *sampling, unsigned int events, double *ret_factor)
{
	if (!sampling->pending || sampling->work < PW_SAMPLING_WORK_MIN_NS)
		return false;
	double factor = sampling->pause / sampling->work;

	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		if (events & 1U << event)
			settle_event(sampling, event, factor);
		sampling->counted[event] = 0;
	}
	sampling->settled += sampling->pending;
	sampling->work = sampling->pause = sampling->probe = 0;
	sampling->pending = 0;
	*ret_factor = factor;
	return true;
}

double pw_sampling_bound(double square, double linear)
{
	return sqrt(PW_MAX(square, 0.0)) + PW_MAX(linear, 0.0);
}
