/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_OBSERVE_H
#define PW_OBSERVE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_ages_image;
struct pw_record;
struct pw_target;
struct pw_collect;
struct pw_procfs;

/*
 * One observed target over time: what has to be kept between records (births, census buffers, names), and the one place
 * that merges events, census and kernel figures into a record. The daemon and one-shot commands call the same.
 */
struct pw_observation;

struct pw_observe_options {
	uint64_t census_interval_ns; /* at least so long between censuses: 1 s; longer when one costs more than 0.2% of
					a CPU */
	uint64_t snapshot_interval_ns; /* the same for snapshots, with stacks: 10 s; 0: none */
	uint64_t slice_ns;	       /* work per call: 5 ms */
	uint64_t memory_interval_ns;   /* between two looks at where its RSS goes, at least: 60 s; 0: none */
	bool kernel_figures;
	double budget_percent; /* as given to collect, to be shown; < 0: none */
	bool runs;	       /* collect counts runs (trace --runs) */
	uint32_t rows_max;     /* one row per goroutine of the snapshot if there are at most so many; 0: never */
};

int pw_observation_new(struct pw_observation **ret_observation, struct pw_target *target, struct pw_collect *collect,
		       const struct pw_procfs *procfs, const struct pw_observe_options *options)
	__attribute__((warn_unused_result));
void pw_observation_free(struct pw_observation *observation);

/* From now on: intervals count from the last census and the last snapshot (that of memory holds from its next look on),
 * the budget is shown in the next record. */
void pw_observation_set_options(struct pw_observation *observation, uint64_t census_interval_ns,
				uint64_t snapshot_interval_ns, uint64_t memory_interval_ns, double budget_percent);

/* The next slices of work take a snapshot, whenever the next would be due: somebody is about to show its stacks. False
 * if there can be none, or the last was so dear that this one has to wait. */
bool pw_observation_want_snapshot(struct pw_observation *observation, uint64_t boot_ns);

/* The same of its heap profile: somebody is about to show what grows. */
bool pw_observation_want_heap(struct pw_observation *observation, uint64_t boot_ns);

/* Does a slice of the work due at now (births, census, snapshot, symbol requests). 0 nothing left to do in this
 * interval, -EAGAIN call again soon, -ESRCH the target is gone. Works with collect == NULL (no events). */
int pw_observation_work(struct pw_observation *observation, uint64_t boot_ns) __attribute__((warn_unused_result));

/* Closes the interval: a new immutable record of all that is known now. Cheap, reads nothing of the target. */
int pw_observation_record(struct pw_observation *observation, uint64_t boot_ns, uint64_t wall_ns,
			  struct pw_record **ret_record) __attribute__((warn_unused_result));

/* What the last snapshot knows of ages, for those who look themselves; borrowed, NULL before the first. */
struct pw_ages_image *pw_observation_ages(const struct pw_observation *observation);

#endif
