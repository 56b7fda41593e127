/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_SITE_H
#define PW_ANALYSIS_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/baseline.h"
#include "analysis/condition.h"

struct pw_rules_config;

/*
 * What is remembered of one go statement of one target, and what one census says of it. Internal to analysis.
 *
 * "Old" is at least as old as the rule's age. Goroutines born before we first looked are the cohort 0: they
 * are never growth, but their ends count as exits, so that a pool whose members are replaced one by one does not look
 * like a leak.
 */
struct pw_site_sample {
	uint64_t live;		      /* of all ages and states */
	uint64_t parked;	      /* of all ages */
	uint64_t parked_old;	      /* born since we look, parked, old: the N of the rule */
	uint64_t all_old;	      /* old in any state, and cohort 0 */
	uint64_t arrivals;	      /* became old since the last tick, and live */
	uint64_t started_minus_ended; /* by events since attach; PW_UNKNOWN without them */
	uint32_t statement;	      /* index in the record */
	uint32_t reason;	      /* the most common one among the parked, a pw_string */
	uint64_t reason_count;
};

#define PW_SITE_TICKS 61 /* the rule's window is at most 60 ticks */

struct pw_site_tick {
	uint64_t live, parked_old, arrivals, exits, started_minus_ended;
	uint64_t elapsed_ns; /* since the tick before; 0 after a gap */
};

struct pw_site {
	uint64_t gopc;
	struct pw_site_sample last; /* the newest tick */
	bool has_last;
	struct pw_site_tick ticks[PW_SITE_TICKS]; /* ring */
	uint32_t tick_count, newest;
	uint32_t rising;					   /* ticks in a row in which parked_old rose */
	uint64_t onset_ns, onset_wall_ns, onset_parked, onset_old; /* the tick before the first of them */
	struct pw_baseline baseline;
	uint64_t baseline_ns; /* healthy time behind the baseline */
	uint64_t drained;     /* highest peak that has gone down by itself */
	uint32_t learn_after; /* ticks until one is reached that was not part of an alert */
	struct pw_condition condition;
	struct pw_baseline held; /* what a cold alert has seen so far: normal after all, if it drains */
	uint64_t held_ns;
	uint64_t seen_tick;
};

/* detect_pileup.c: rule PW-G08, DETECTORS 7.4 (fast path). */

/* Takes in what a tick says of site. */
void pw_pileup_observe(struct pw_site *site, const struct pw_site_sample *sample, const struct pw_tick *tick);
/* Baseline of parked_old, or < 0 while there is none. */
double pw_pileup_baseline(const struct pw_site *site, const struct pw_rules_config *config);
/* Is this a pile-up now? */
bool pw_pileup_fires(const struct pw_site *site, const struct pw_rules_config *config);
/* What it takes to fire, now: parked_old, and the share of exits among the arrivals (< 0: none arrived). */
double pw_pileup_threshold(const struct pw_site *site, const struct pw_rules_config *config);
double pw_pileup_exit_share(const struct pw_site *site, const struct pw_rules_config *config);
/* parked_old at the last ticks, oldest first, at most max: how many. */
size_t pw_pileup_series(const struct pw_site *site, float *ret_values, size_t max);
/* Has an open one of that peak gone down? */
bool pw_pileup_is_low(const struct pw_site *site, const struct pw_rules_config *config, double baseline, uint64_t peak);
/* Lets a healthy tick teach the baseline. */
void pw_pileup_learn(struct pw_site *site, const struct pw_rules_config *config, const struct pw_tick *tick);
/* An alert of that peak is over because it went down; cold: it had no baseline. */
void pw_pileup_drained(struct pw_site *site, uint64_t peak, bool cold);
/* How long it must be low to be over. */
uint64_t pw_pileup_clear_ns(const struct pw_rules_config *config, bool cold);

#endif
