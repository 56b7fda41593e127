/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_STATE_H
#define PW_OBSERVE_STATE_H

#include "base/buf.h"
#include "base/cgroup_run.h"
#include "collect/collect.h"
#include "model/ages.h"
#include "model/builder.h"
#include "observe/cycles.h"
#include "observe/digest.h"
#include "observe/numbers.h"
#include "observe/observe.h"
#include "observe/parks.h"
#include "observe/heap_sites.h"
#include "observe/residency.h"
#include "observe/holdings.h"
#include "observe/statements.h"
#include "target/goroutines.h"
#include "target/kernel.h"
#include "target/snapshot.h"
#include "target/target.h"

/* The inside of an observation, for observe.c (acquiring) and compose.c (making the record). */
enum pw_observe_phase {
	PW_OBSERVE_IDLE,
	PW_OBSERVE_CENSUS,   /* walk the goroutines */
	PW_OBSERVE_SNAPSHOT, /* the same, with their stacks */
	PW_OBSERVE_DIGEST,   /* sum up the walk, whichever it was */
	PW_OBSERVE_PARKS,    /* sum up the stacks */
	PW_OBSERVE_AGES,     /* write down what is known of ages */
};

struct pw_observe_totals {
	bool valid;
	uint64_t spawned, exited;
};

struct pw_look_figures { /* what a snapshot says of itself */
	uint64_t taken_ns, elapsed_ns, ended_ns, total, skipped, torn, stacks_read, stacks_kept, duration_ns, cpu_ns,
		bytes_read;
	uint8_t locks_seen; /* enum pw_locks_seen */
};

struct pw_observation {
	struct pw_target *target; /* borrowed, as the next two */
	struct pw_collect *collect;
	const struct pw_procfs *procfs;
	struct pw_observe_options options;

	bool interval_due;
	uint64_t births_ns; /* last good poll of the target's goids; 0: none yet */
	bool births_stale;  /* there was none in this interval */
	struct pw_observed_numbers numbers;
	struct pw_kernel_figures figures;
	uint64_t figures_ns;
	struct pw_cgroup_run may_run; /* at the last snapshot */

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

	/* Snapshots: observe/look.c. */
	struct pw_snapshot *snapshot; /* NULL before the first; it walks with our census */
	struct pw_parks *parks, *parks_making;
	struct pw_look_figures look; /* of the one shown */
	bool has_parks, with_stacks; /* with_stacks: the walk under way is a snapshot */
	bool snapshot_wanted;
	bool snapshot_stale; /* one after the one shown has failed */
	uint64_t snapshot_started_ns, next_snapshot_ns, snapshot_rest_ns;
	uint64_t first_look_ns, first_look_wall_ns;
	uint64_t snapshot_failures;
	struct pw_buf ages_made;
	struct pw_age ages_before; /* the last one in it */
	size_t ages_next;
	struct pw_ages_image *ages; /* of the one shown */

	/* Drift: events held against the census. */
	struct pw_observe_totals before_census;
	bool drift_due; /* a census came in since drift was last worked out */
	bool base_known, base_exact;
	uint64_t base; /* live when counting began, by the first census after it: census - (spawned - exited) */
	struct pw_section drift_section;
	uint64_t drift_by_events, drift_by_census;

	struct pw_cycles cycles; /* GC cycles with their numbers */
	struct pw_residency residency;
	struct pw_heap_sites heap_sites;
	struct pw_observed_holdings holdings;
	/* Totals of starts and ends while they are sampled: at the last moment that all were counted, and what memory
	 * has to add to the estimates. */
	struct pw_exact_totals {
		uint64_t spawned, exited, births, live; /* the last two: PW_UNKNOWN if not known */
		uint64_t spawn_fix, exit_fix;
	} exact;
	uint64_t digest_cost_ns, census_total_ns, census_total_bytes; /* of the last census; of all */

	/* GC cycles out of events. */
	uint64_t events_polled_ns; /* the poll whose events were taken in */
	struct pw_record_gc_times cycle, last_cycle;
	uint64_t stw_start_ns, stw_total_ns;
	unsigned int counted_once, holes; /* events, as bits: counted at some poll; not counted at a later one */

	struct pw_statements statements;
	struct pw_record_builder *builder;
	uint64_t sequence, last_record_ns;
};

PW_DEFINE_CLEANUP(struct pw_observation *, pw_observation_free);

/* NULL without events. */
const struct pw_target_counts *pw_observation_counts(const struct pw_observation *observation);
struct pw_digest_source pw_observation_source(const struct pw_observation *observation);

/* look.c. Is one due, or wanted? Is there anything to look with? */
bool pw_observation_look_due(const struct pw_observation *observation, uint64_t boot_ns);
/* Begins a snapshot instead of a census. 0 or -errno: then nothing has begun. */
int pw_observation_look_begin(struct pw_observation *observation, uint64_t boot_ns);
/* A slice of the phases SNAPSHOT, PARKS and AGES: 0 that phase is over, -EAGAIN more of it to do, -errno. */
int pw_observation_look_step(struct pw_observation *observation, uint64_t budget_ns);
/* It is over, well (error 0) or not. */
void pw_observation_look_end(struct pw_observation *observation, int error, uint64_t cpu_ns);
void pw_observation_look_done(struct pw_observation *observation);

/* drift.c. Remembers what was counted before a census. */
void pw_observation_before_census(struct pw_observation *observation, uint64_t boot_ns);
/* Holds the last census against the first poll after it. To be called before the next census begins, or there is
 * never one when each interval has a census. */
void pw_observation_work_out_drift(struct pw_observation *observation);

#endif
