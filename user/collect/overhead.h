/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_OVERHEAD_H
#define PW_COLLECT_OVERHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/collect.h"

/*
 * The guard: what probes cost a target is hits times the price of a hit on this host; above the budget the park probe
 * is detached, and if the rest alone is above twice the budget, the rest too. Tried again later, each time it fails
 * later still. Pure: no clock, no kernel.
 */
enum pw_guard_level { PW_GUARD_CONTINUOUS, PW_GUARD_PARK_DETACHED, PW_GUARD_DETACHED, _PW_GUARD_LEVEL_MAX };

#define PW_GUARD_JUDGE_NS	(1000 * 1000000ULL)   /* judged over at least so long */
#define PW_GUARD_RETRY_FIRST_NS (30 * 1000000000ULL)  /* after the first detach */
#define PW_GUARD_RETRY_MAX_NS	(600 * 1000000000ULL) /* doubled up to this */
#define PW_GUARD_FORGIVE_NS	(600 * 1000000000ULL) /* within budget so long: the next detach is a first one */

struct pw_guard {
	enum pw_guard_level level;
	uint64_t window_start_ns, level_since_ns, retry_at_ns, backoff_ns;
	uint64_t last_hits[_PW_EVENT_MAX];
	bool started;
	double cpu_percent;	 /* over the last window */
	double detached_percent; /* over the window that made it detach last */
	uint64_t detaches;
};

/*
 * hits: totals by event; cost_ns: of one hit. budget_percent of one CPU, negative: none. Returns the level that should
 * be in force; the caller attaches and detaches.
 */
enum pw_guard_level pw_guard_update(struct pw_guard *guard, uint64_t now_ns, const uint64_t hits[_PW_EVENT_MAX],
				    const uint64_t cost_ns[_PW_EVENT_MAX], double budget_percent);
/* "continuous", "park detached", "detached" */
const char *pw_guard_level_name(enum pw_guard_level level);
/* The groups (PW_GROUP_BIT) that a level leaves attached. */
unsigned int pw_guard_groups(enum pw_guard_level level);

#endif
