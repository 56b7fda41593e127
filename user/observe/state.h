/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_STATE_H
#define PW_OBSERVE_STATE_H

#include "collect/collect.h"
#include "model/builder.h"
#include "observe/digest.h"
#include "observe/observe.h"
#include "observe/statements.h"
#include "target/goroutines.h"
#include "target/kernel.h"
#include "target/target.h"

/* The inside of an observation, for observe.c (acquiring) and compose.c (making the record). */
enum pw_observe_phase { PW_OBSERVE_IDLE, PW_OBSERVE_CENSUS, PW_OBSERVE_DIGEST };

struct pw_observe_totals {
	bool valid;
	uint64_t spawned, exited;
};

struct pw_observation {
	struct pw_target *target; /* borrowed, as the next two */
	struct pw_collect *collect;
	const struct pw_procfs *procfs;
	struct pw_observe_options options;

	bool interval_due;
	uint64_t births_ns; /* last good poll of the target's goids; 0: none yet */
	bool births_stale;  /* there was none in this interval */
	struct pw_kernel_figures figures;
	uint64_t figures_ns;

	enum pw_observe_phase phase;
	struct pw_census *census;
	struct pw_digest *digest, *making;
	bool has_digest;
	uint64_t census_started_ns, next_census_ns;
	uint64_t census_rest_ns; /* what the last one cost makes the next one wait, from its start */
	uint64_t census_cpu_ns,
		slice_cpu_ns; /* CPU time of this census so far; that of the thread when the slice began */
	uint64_t census_failures;
	unsigned int failures_in_row;
	bool digest_stale;	  /* a census after the one shown has failed */
	uint64_t census_ended_ns; /* of the one shown, CLOCK_BOOTTIME */

	/* Drift: events held against the census. */
	struct pw_observe_totals before_census;
	bool drift_due; /* a census came in since drift was last worked out */
	bool base_known, base_exact;
	uint64_t base; /* live when counting began, by the first census after it: census - (spawned - exited) */
	struct pw_section drift_section;
	uint64_t drift_by_events, drift_by_census;

	/* GC cycles out of events. */
	uint64_t events_polled_ns; /* the poll whose events were taken in */
	struct pw_record_gc_cycle cycle, last_cycle;
	uint64_t stw_start_ns, stw_total_ns;

	struct pw_statements statements;
	struct pw_record_builder *builder;
	uint64_t sequence, last_record_ns;
};

PW_DEFINE_CLEANUP(struct pw_observation *, pw_observation_free);

/* NULL without events. */
const struct pw_target_counts *pw_observation_counts(const struct pw_observation *observation);
struct pw_digest_source pw_observation_source(const struct pw_observation *observation);

/* Holds the last census against the first poll after it. To be called before the next census begins, or there is
 * never one when each interval has a census. */
void pw_observation_work_out_drift(struct pw_observation *observation);

#endif
