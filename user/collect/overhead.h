/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_OVERHEAD_H
#define PW_COLLECT_OVERHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/attach.h"

/*
 * The governor: what probes cost a target is hits times the price of a hit on this host, and that is held to a budget,
 * a share of one CPU. Groups of probes stay attached as long as they are affordable; above the budget first the runs
 * and parks, then spawn and exit are attached in short windows only, and GC, which is rare, not at all. What a window
 * has cost decides how long the pause after it is, so the budget holds whatever the rate. Pure: no clock, no kernel.
 */
#define PW_GOVERNOR_JUDGE_NS	  (1000 * 1000000ULL)	/* judged over at least so long */
#define PW_GOVERNOR_HOLD_FIRST_NS (30 * 1000000000ULL)	/* windows at least so long; doubled each time */
#define PW_GOVERNOR_HOLD_MAX_NS	  (600 * 1000000000ULL) /* up to this */
#define PW_GOVERNOR_FORGIVE_NS	  (600 * 1000000000ULL) /* continuous so long: the next time is a first one */
#define PW_GOVERNOR_RETURN_SHARE  0.6			/* back to continuous only within so much of the budget */
#define PW_GOVERNOR_PERIOD_NS	  (1000 * 1000000ULL)	/* a window and the pause after it, if that is long enough */
#define PW_GOVERNOR_PAUSE_MIN_NS  (100 * 1000000ULL)
#define PW_GOVERNOR_PAUSE_MAX_NS  (600 * 1000000000ULL)

struct pw_governor_group {
	bool present; /* has a site and is asked for */
	enum pw_probe_mode mode;
	double demand; /* cost while attached, as a share of one CPU */
	bool demand_known;
};

struct pw_governor {
	struct pw_governor_group group[_PW_GROUP_MAX];
	bool started;
	uint64_t judged_ns;		      /* end of the last interval that was judged */
	uint64_t cost_ns[_PW_GROUP_MAX];      /* since then */
	uint64_t since_ns, hold_ns, until_ns; /* of the last step down: when, for how long */
	uint64_t calm_since_ns;		      /* all continuous since */
	uint64_t stepped_down;		      /* how often */
	double stepped_share;		      /* cost that made it so */
	double share;			      /* smoothed cost of all groups, windows or not */
	uint64_t window_min_ns;
};

/* present: bits of groups that can be attached. window_min_ns: shorter windows are not worth their attaching. */
void pw_governor_init(struct pw_governor *governor, unsigned int present, uint64_t window_min_ns);

/*
 * Takes in what the probes cost since the last call, by group. When enough time has passed, judges: modes change.
 * budget: share of one CPU; negative: none; 0: everything is off. Returns whether a mode has changed.
 */
bool pw_governor_update(struct pw_governor *governor, uint64_t now_ns, const uint64_t cost_ns[_PW_GROUP_MAX],
			double budget);
/* The same at once, when the account of the target is over its capacity: judged over what there is. */
bool pw_governor_burst(struct pw_governor *governor, uint64_t now_ns, const uint64_t cost_ns[_PW_GROUP_MAX],
		       double budget);
/* What a window of these groups cost, and for how long they were open. */
void pw_governor_window(struct pw_governor *governor, const uint64_t cost_ns[_PW_GROUP_MAX], uint64_t open_ns);

/* How long the next window is to be open. */
uint64_t pw_governor_window_ns(const struct pw_governor *governor, double budget);
/*
 * The pause after a window that cost cost_ns and took took_ns, attaching and detaching included: long enough that the
 * budget holds, and at random (random: 0 to 1): 0.5 to 1.5 times that, so that windows keep no step with the target.
 */
uint64_t pw_governor_pause_ns(const struct pw_governor *governor, double budget, uint64_t cost_ns, uint64_t took_ns,
			      double random);

/* Bits of the groups in a mode. */
unsigned int pw_governor_groups(const struct pw_governor *governor, enum pw_probe_mode mode);
/* Cost if all were attached, as far as it is known. */
double pw_governor_demand(const struct pw_governor *governor);
/* "continuous", "park sampled", "spawn, exit and park sampled", "GC off", "off" */
const char *pw_governor_state(const struct pw_governor *governor);
const char *pw_probe_mode_name(enum pw_probe_mode mode); /* "off", "continuous", "windows" */

/*
 * What each target may spend when all together may spend `host`: nobody more than `each`, and if that is too much, the
 * largest share that is the same for all who want more than it. demand: what each wants. Negative: no limit.
 */
double pw_budget_share(double demand[], size_t count, double each, double host);

#endif
