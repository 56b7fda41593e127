/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_PROCESS_H
#define PW_ANALYSIS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/analysis.h"
#include "analysis/blocked.h"
#include "analysis/condition.h"
#include "analysis/deep.h"
#include "analysis/descriptors.h"
#include "analysis/finalizers.h"
#include "analysis/facts.h"
#include "analysis/growth.h"
#include "analysis/memory_growth.h"
#include "analysis/policy.h"
#include "analysis/site.h"
#include "analysis/stack_total.h"
#include "analysis/storm.h"
#include "analysis/stuck.h"
#include "analysis/threads.h"
#include "analysis/timers.h"
#include "base/table.h"

struct pw_record;

/*
 * What is remembered of one process between its records, and the detectors that judge it. Each detector has its own
 * part, and its own time: the ones by go statement judge at each tick of PW-G08, those by stack at each snapshot, those
 * of memory at each record. Internal to analysis.
 */
struct pw_samples { /* of all go statements of one record; reused */
	struct pw_site_sample *items;
	size_t capacity;
};

struct pw_pileups {	       /* pileups.c */
	struct pw_table sites; /* gopc -> struct pw_site */
	uint64_t tick, tick_index;
	uint64_t taken_ns, wall_ns;	    /* last tick */
	uint64_t usual_ns;		    /* last accepted time between ticks */
	uint64_t healthy_ns, healthy_ticks; /* behind which a new statement is known to have had nothing parked */
	bool sites_lost;
};

struct pw_process {
	uint64_t id;
	struct pw_standing standing;
	const struct pw_rules_config *rules; /* in force for it */
	struct pw_facts facts;
	bool build_noted;	/* in deploys.h */
	struct pw_record *last; /* a reference: what is known when it ends */
	struct pw_pileups pileups;
	struct pw_growth growth;
	struct pw_blocked blocked;
	struct pw_stuck stuck;
	struct pw_deep deep;
	struct pw_stack_total stacks;
	struct pw_finalizers finalizers;
	struct pw_memory_growth memory;
	struct pw_storm storm;
	struct pw_thread_growth threads;
	struct pw_timer_growth timers;
	struct pw_descriptors descriptors;
};

struct pw_judge { /* who judges: what is the same for all processes */
	struct pw_conditions *conditions;
	const struct pw_rules_config *rules; /* in force for this process */
	struct pw_samples *samples;
	struct pw_analysis_stats *stats;
};

#define PW_PROCESS_SITES_MAX 1000U /* go statements, DETECTORS 12; about 3 kB each */

void pw_pileups_init(struct pw_pileups *pileups);
void pw_pileups_done(struct pw_pileups *pileups);
/* PW-G08. 0 or -ENOMEM. */
int pw_pileups_judge(const struct pw_judge *judge, struct pw_pileups *pileups, const struct pw_record *record);

#endif
