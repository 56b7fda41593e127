/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/gc.h"

#include <string.h>

#include "base/macros.h"

#define CYCLE_NS_MIN 10000 /* 10 us: 2,800 cycles a second is the most that was seen */

const double pw_gc_bucket_seconds[PW_GC_BUCKETS - 1] = {1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2,
							3e-2, 1e-1, 3e-1, 1e0,	3e0,  1e1};
const double pw_gc_share_bounds[PW_GC_SHARES] = {0, 0.01, 0.05, 0.1, 0.25, 0.5, 1};

uint64_t pw_gc_mark_ns(const struct pw_record_gc_cycle *cycle)
{
	return cycle->mark_termination_ns - cycle->mark_ns;
}

uint64_t pw_gc_stopped_cpu_ns(const struct pw_record_gc_cycle *cycle)
{
	return cycle->stw_procs * (cycle->mark_ns - cycle->start_ns + cycle->end_ns - cycle->mark_termination_ns);
}

double pw_gc_assist_share(const struct pw_record_gc_cycle *cycle)
{
	double all = (double)cycle->assist_ns + (double)cycle->dedicated_ns + (double)cycle->fractional_ns +
		     (double)cycle->idle_ns;

	return all > 0 ? (double)cycle->assist_ns / all : 0;
}

static void count_time(uint64_t counts[PW_GC_BUCKETS], uint64_t ns)
{
	size_t bucket = 0;

	while (bucket < PW_GC_BUCKETS - 1 && (double)ns > pw_gc_bucket_seconds[bucket] * (double)PW_NS_PER_SEC)
		bucket++;
	counts[bucket]++;
}

static void sum_up(struct pw_gc_sums *sums, const struct pw_record_gc_cycle *cycle)
{
	double share = pw_gc_assist_share(cycle);
	size_t bucket = 0;

	sums->seen++;
	sums->pause_ns += cycle->pause_ns;
	sums->mark_ns += pw_gc_mark_ns(cycle);
	sums->stopped_cpu_ns += pw_gc_stopped_cpu_ns(cycle);
	sums->assist_ns += cycle->assist_ns;
	sums->dedicated_ns += cycle->dedicated_ns;
	sums->fractional_ns += cycle->fractional_ns;
	sums->idle_ns += cycle->idle_ns;
	sums->assist_share += share;
	count_time(sums->pause_counts, cycle->pause_ns);
	count_time(sums->mark_counts, pw_gc_mark_ns(cycle));
	while (bucket < PW_GC_SHARES - 1 && share > pw_gc_share_bounds[bucket])
		bucket++;
	sums->share_counts[bucket]++;
}

static int make_room(struct pw_gc_history *history)
{
	size_t capacity = history->capacity ? PW_MIN(history->capacity * 2, (size_t)PW_GC_RING_MAX) : 8;
	struct pw_record_gc_cycle *cycles;

	if (history->cycles && history->count < history->capacity)
		return 0;
	if (history->cycles && history->count >= PW_GC_RING_MAX) {
		memmove(history->cycles, history->cycles + 1, (--history->count) * sizeof(*cycles));
		return 0;
	}
	cycles = realloc(history->cycles, capacity * sizeof(*cycles));
	if (!cycles)
		return -ENOMEM;
	history->cycles = cycles;
	history->capacity = capacity;
	return 0;
}

int pw_gc_history_add(struct pw_gc_history *history, const struct pw_record_gc_cycle *cycle)
{
	const struct pw_record_gc_cycle *last = history->count ? &history->cycles[history->count - 1] : NULL;
	uint64_t between, last_end_ns;
	int r;

	if (last && cycle->number <= last->number)
		return -EALREADY;
	between = last ? cycle->number - last->number - 1 : 0;
	/* Cycles follow each other, and what lies between two of them takes its time: by the target's own clock. */
	last_end_ns = last ? last->since_init_ns + (last->end_ns - last->start_ns) : 0;
	if (last &&
	    (cycle->since_init_ns < last_end_ns || between > (cycle->since_init_ns - last_end_ns) / CYCLE_NS_MIN)) {
		history->sums.refused++;
		return -EBADMSG;
	}
	r = make_room(history);
	if (r < 0)
		return r;
	history->cycles[history->count++] = *cycle;
	history->last_number = cycle->number;
	history->sums.missed += between;
	sum_up(&history->sums, cycle);
	return 0;
}

void pw_gc_history_done(struct pw_gc_history *history)
{
	free(history->cycles);
	*history = (struct pw_gc_history){0};
}
