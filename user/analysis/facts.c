/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

#define NS_PER_HOUR (3600.0 * (double)PW_NS_PER_SEC)
#define GAP_FACTOR  3 /* times the usual time between records */
#define GAP_LEAST   (5 * PW_NS_PER_SEC)
#define ROSE	    1.2 /* by so much at least, and by the least of the figure */

static const uint64_t spacing_ns[PW_MOMENT_SCALES] = {10 * PW_NS_PER_SEC, 900 * PW_NS_PER_SEC};

static const struct {
	const char *name, *unit;
	double least;
} figures[_PW_FIGURE_MAX] = {
	[PW_FIGURE_RSS] = {"rss", "bytes", 8e6},
	[PW_FIGURE_HEAP] = {"heap", "bytes", 8e6},
	[PW_FIGURE_STACKS] = {"goroutine stacks", "bytes", 2e6},
	[PW_FIGURE_GOROUTINES] = {"goroutines", "goroutines", 50},
	[PW_FIGURE_THREADS] = {"threads", "threads", 8},
	[PW_FIGURE_FILES] = {"open files", "files", 20},
};

static double known(bool present, uint64_t value)
{
	return present && value != PW_UNKNOWN ? (double)value : -1;
}

static void take_figures(struct pw_facts *facts, const struct pw_record *record)
{
	const struct pw_runtime_numbers *numbers = &record->runtime.numbers;
	bool runtime = record->runtime.section.present, kernel = record->kernel.section.present;
	double *figure = facts->now.figure;

	figure[PW_FIGURE_RSS] = known(kernel, record->kernel.rss_bytes);
	figure[PW_FIGURE_HEAP] = known(runtime, numbers->heap_live_bytes);
	figure[PW_FIGURE_STACKS] = known(runtime, numbers->stack_inuse_bytes);
	figure[PW_FIGURE_GOROUTINES] = known(record->census.section.present, record->census.total);
	figure[PW_FIGURE_THREADS] = known(kernel, record->kernel.threads);
	figure[PW_FIGURE_FILES] = known(kernel, record->kernel.open_files);
	facts->stack_bytes = 0;
	if (figure[PW_FIGURE_STACKS] > 0 && figure[PW_FIGURE_GOROUTINES] > 0)
		facts->stack_bytes = figure[PW_FIGURE_STACKS] / figure[PW_FIGURE_GOROUTINES];
	facts->gc_percent = known(runtime && numbers->gc_percent != PW_GC_PERCENT_OFF, numbers->gc_percent);
	if (record->gc.section.present && record->gc.cycle_count)
		facts->gc_cpu_percent = PW_MAX(0.0, 100 * record->gc.cycles[record->gc.cycle_count - 1].cpu_fraction);
}

/* The nearest limit that is known: of the cgroup, or GOMEMLIMIT, beyond which the GC takes all it can get. */
static void take_limit(struct pw_facts *facts, const struct pw_record *record)
{
	const struct pw_memory_limits *limits = &record->memory.table.limits;
	double rss = facts->now.figure[PW_FIGURE_RSS];
	uint64_t go_limit = record->runtime.section.present ? record->runtime.numbers.memory_limit_bytes : PW_UNKNOWN;

	if (record->memory.section.present) {
		facts->limit_bytes = 0;
		if (limits->max_bytes != PW_UNKNOWN && limits->max_used_bytes != PW_UNKNOWN) {
			uint64_t cache =
				limits->max_reclaimable_bytes == PW_UNKNOWN ? 0 : limits->max_reclaimable_bytes;

			facts->limit_bytes = (double)limits->max_bytes;
			facts->limit_name = "memory.max";
			facts->used_bytes = (double)(limits->max_used_bytes - PW_MIN(cache, limits->max_used_bytes));
		}
	}
	if (go_limit < PW_MEMORY_LIMIT_NONE && rss >= 0 &&
	    (facts->limit_bytes <= 0 || (double)go_limit - rss < facts->limit_bytes - facts->used_bytes)) {
		facts->limit_bytes = (double)go_limit;
		facts->limit_name = "GOMEMLIMIT";
		facts->used_bytes = rss;
	}
}

static void take_loss(struct pw_facts *facts, const struct pw_record *record, uint64_t before_ns)
{
	uint64_t elapsed_ns = before_ns && record->boot_ns > before_ns ? record->boot_ns - before_ns : 0;

	if (elapsed_ns > PW_MAX(GAP_FACTOR * facts->usual_ns, GAP_LEAST) && facts->usual_ns) {
		facts->now.gaps++;
		facts->now.gap_ns += elapsed_ns;
	} else if (elapsed_ns) {
		facts->usual_ns = elapsed_ns;
	}
	facts->now.dropped = 0;
	for (size_t i = 0; record->drops_section.present && i < record->drop_count; i++)
		facts->now.dropped += record->drops[i].count;
	facts->now.events = record->events.spawned + record->events.exited + record->events.parked;
	facts->sampled = record->events.section.present && (record->events.spawn.counting == PW_COUNTING_WINDOWS ||
							    record->events.exit.counting == PW_COUNTING_WINDOWS ||
							    record->events.park.counting == PW_COUNTING_WINDOWS);
	facts->skipped = record->census.skipped + record->census.torn;
	facts->seen = record->census.total;
}

void pw_facts_take(struct pw_facts *facts, const struct pw_record *record)
{
	uint64_t before_ns = facts->now.boot_ns;

	if (before_ns && record->boot_ns <= before_ns)
		return;
	facts->now.boot_ns = record->boot_ns;
	take_figures(facts, record);
	take_limit(facts, record);
	take_loss(facts, record, before_ns);
	for (size_t scale = 0; scale < PW_MOMENT_SCALES; scale++) {
		uint32_t count = facts->count[scale];
		const struct pw_moment *newest = &facts->ring[scale][(count + PW_MOMENTS_MAX - 1) % PW_MOMENTS_MAX];

		if (count && record->boot_ns / spacing_ns[scale] == newest->boot_ns / spacing_ns[scale])
			continue;
		facts->ring[scale][count % PW_MOMENTS_MAX] = facts->now;
		facts->count[scale]++;
	}
}

/* The newest moment that is not after then; the oldest of all if there is none. NULL: none is kept. */
static const struct pw_moment *moment_at(const struct pw_facts *facts, uint64_t then_ns)
{
	const struct pw_moment *best = NULL, *oldest = NULL;

	for (size_t scale = 0; scale < PW_MOMENT_SCALES; scale++)
		for (uint32_t i = 0; i < PW_MIN(facts->count[scale], (uint32_t)PW_MOMENTS_MAX); i++) {
			const struct pw_moment *moment = &facts->ring[scale][i];

			if (!oldest || moment->boot_ns < oldest->boot_ns)
				oldest = moment;
			if (moment->boot_ns <= then_ns && (!best || moment->boot_ns > best->boot_ns))
				best = moment;
		}
	return best ? best : oldest;
}

void pw_alert_add_moving(struct pw_alert *alert, const char *what, const char *unit, double from, double to)
{
	struct pw_alert_moving *moving = &alert->moving[alert->moving_count];

	if (alert->moving_count == PW_ALERT_MOVING_MAX)
		return;
	*moving = (struct pw_alert_moving){.from = from, .to = to};
	snprintf(moving->what, sizeof(moving->what), "%s", what);
	snprintf(moving->unit, sizeof(moving->unit), "%s", unit);
	alert->moving_count++;
}

static double share_of(double part, double whole)
{
	return whole > 0 ? PW_MIN(part / whole, 1.0) : 0;
}

static void note_loss(const struct pw_facts *facts, const struct pw_moment *then, struct pw_alert_loss *loss)
{
	const struct pw_moment *now = &facts->now;
	uint64_t dropped = now->dropped - PW_MIN(then->dropped, now->dropped);

	*loss = (struct pw_alert_loss){.known = true,
				       .sampled = facts->sampled,
				       .dropped_events = dropped,
				       .skipped = facts->skipped,
				       .gaps = now->gaps - then->gaps,
				       .gap_ns = now->gap_ns - then->gap_ns};
	loss->share = share_of((double)loss->gap_ns, (double)(now->boot_ns - then->boot_ns));
	loss->share = PW_MAX(loss->share, share_of((double)loss->dropped_events,
						   (double)loss->dropped_events +
							   (double)(now->events - PW_MIN(then->events, now->events))));
	loss->share = PW_MAX(loss->share, share_of((double)loss->skipped, (double)loss->skipped + (double)facts->seen));
}

void pw_facts_note(const struct pw_facts *facts, uint64_t wall_ns, struct pw_alert *alert)
{
	uint64_t ago_ns = alert->onset_wall_ns && wall_ns > alert->onset_wall_ns ? wall_ns - alert->onset_wall_ns : 0;
	const struct pw_moment *then = moment_at(facts, facts->now.boot_ns - PW_MIN(ago_ns, facts->now.boot_ns));

	alert->gc_cpu_percent = facts->gc_cpu_percent;
	alert->moving_count = 0;
	if (!then)
		return;
	note_loss(facts, then, &alert->loss);
	for (size_t i = 0; i < _PW_FIGURE_MAX; i++) {
		double from = then->figure[i], to = facts->now.figure[i];

		if (from >= 0 && to >= ROSE * from && to - from >= figures[i].least)
			pw_alert_add_moving(alert, figures[i].name, figures[i].unit, from, to);
	}
}

/* ns until left is used up at so many bytes an hour; 0: never, at this pace. */
static uint64_t time_left(double left, double per_hour)
{
	double ns = per_hour > 0 ? left / per_hour * NS_PER_HOUR : INFINITY;

	if (!isfinite(ns) || ns >= 1e19)
		return UINT64_MAX;
	return PW_MAX((uint64_t)ns, (uint64_t)1);
}

void pw_facts_eta(const struct pw_facts *facts, struct pw_alert *alert)
{
	double bytes = 0, left = PW_MAX(0.0, facts->limit_bytes - facts->used_bytes);

	if (facts->limit_bytes <= 0 || alert->growth_per_hour <= 0 || alert->locks ||
	    (alert->limit > 0 && strcmp(alert->limit_name, facts->limit_name) != 0))
		return;
	if (!strcmp(alert->rule, "PW-H01")) /* what is live takes GOGC percent more until the next GC */
		bytes = 1 + PW_MAX(facts->gc_percent, 0.0) / 100;
	else if (!*alert->unit)
		bytes = facts->stack_bytes + (alert->pinned_known && alert->parked
						      ? (double)alert->pinned_bytes / (double)alert->parked
						      : 0);
	if (bytes <= 0)
		return;
	alert->limit = facts->limit_bytes;
	snprintf(alert->limit_name, sizeof(alert->limit_name), "%s", facts->limit_name);
	alert->eta_ns = time_left(left, bytes * alert->growth_per_hour);
	alert->eta_low_ns = alert->eta_high_ns = 0;
	if (!alert->window_ns)
		return;
	alert->eta_low_ns = time_left(left, bytes * alert->growth_high_per_hour);
	alert->eta_high_ns = time_left(left, bytes * alert->growth_low_per_hour);
}
