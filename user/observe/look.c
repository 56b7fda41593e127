/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>

#include "base/macros.h"
#include "base/time.h"
#include "observe/state.h"

/*
 * A snapshot as the observation takes it: one walk, which is its census too, then the stacks of those that ran since
 * the last one; summed up, written down as ages, and its memory given back. What it costs decides when the next is due.
 */
#define SNAPSHOT_SHARE	   500		       /* a snapshot may cost one part in so many of a CPU: 0.2% */
#define WANTED_SHARE	   50		       /* one that is wanted for an alert: 2% */
#define SNAPSHOT_TIME_NS   (5 * PW_NS_PER_SEC) /* of reading; what is not read by then is skipped */
#define SNAPSHOT_BYTES_MAX (256ULL << 20)      /* of ours, while one is taken; what does not fit is skipped */
#define AGES_CHUNK	   4096
#define CGROUP_ROOT	   "/sys/fs/cgroup"

bool pw_observation_look_due(const struct pw_observation *observation, uint64_t boot_ns)
{
	return observation->options.snapshot_interval_ns && observation->has_digest &&
	       observation->target->symbolizer &&
	       (observation->snapshot_wanted || boot_ns >= observation->next_snapshot_ns);
}

bool pw_observation_want_snapshot(struct pw_observation *observation, uint64_t boot_ns)
{
	uint64_t rest_ns = observation->snapshot_rest_ns / SNAPSHOT_SHARE * WANTED_SHARE;

	if (!observation->options.snapshot_interval_ns || !observation->target->symbolizer ||
	    !observation->target->memory_ok || boot_ns < observation->snapshot_started_ns + rest_ns)
		return false;
	observation->snapshot_wanted = true;
	return true;
}

static int prepare(struct pw_observation *observation)
{
	const struct pw_snapshot_options options = {.time_budget_ns = SNAPSHOT_TIME_NS,
						    .memory_budget_bytes = SNAPSHOT_BYTES_MAX,
						    .waits = true,
						    .census = observation->census};
	int r = 0;

	if (!observation->snapshot)
		r = pw_snapshot_new(&observation->snapshot, observation->target, &options);
	if (!r && !observation->parks)
		r = pw_parks_new(&observation->parks);
	if (!r && !observation->parks_making)
		r = pw_parks_new(&observation->parks_making);
	return r;
}

int pw_observation_look_begin(struct pw_observation *observation, uint64_t boot_ns)
{
	int r = prepare(observation);

	if (!r)
		r = pw_snapshot_begin(observation->snapshot);
	observation->snapshot_started_ns = boot_ns;
	observation->snapshot_wanted = false;
	if (r < 0) {
		pw_observation_look_end(observation, r, 0);
		return r;
	}
	observation->with_stacks = true;
	observation->phase = PW_OBSERVE_SNAPSHOT;
	return 0;
}

/* --- ages -------------------------------------------------------------------------------------------------------- */

static int begin_ages(struct pw_observation *observation)
{
	const struct pw_snapshot_result *result = pw_snapshot_result(observation->snapshot);
	struct pw_ages_head head = {.pid = observation->target->pid,
				    .start_ns = observation->target->start_time_ns,
				    .taken_ns = result->taken_ns};

	if (!observation->first_look_ns) {
		observation->first_look_ns = result->taken_ns;
		observation->first_look_wall_ns = pw_wall_ns() - (pw_boot_ns() - result->taken_ns);
	}
	head.first_ns = observation->first_look_ns;
	head.first_wall_ns = observation->first_look_wall_ns;
	pw_buf_init(&observation->ages_made, PW_AGES_BYTES_MAX);
	observation->ages_before = (struct pw_age){};
	observation->ages_next = 0;
	return pw_ages_write_head(&observation->ages_made, &head);
}

static struct pw_age age_of(const struct pw_snapshot_goroutine *g, uint64_t taken_ns)
{
	/* A park that one look alone has seen may be another one that looks the same: trackingSeq comes round. */
	bool sure = g->parked_since_ns && g->parked_since_ns < taken_ns;

	return (struct pw_age){.goid = g->goid,
			       .parked_since_ns = sure ? g->parked_since_ns : 0,
			       .born_after_ns = g->born_after_ns,
			       .born_before_ns = g->born_before_ns,
			       .depth = g->depth,
			       .tracking_seq = g->tracking_seq,
			       .at_least = sure && g->parked_at_least};
}

static int step_ages(struct pw_observation *observation, uint64_t budget_ns)
{
	const struct pw_snapshot_result *result = pw_snapshot_result(observation->snapshot);
	uint64_t start_ns = pw_now_ns();

	do {
		size_t end = PW_MIN(observation->ages_next + AGES_CHUNK, result->count);

		for (; observation->ages_next < end; observation->ages_next++) {
			struct pw_age age = age_of(&result->goroutines[observation->ages_next], result->taken_ns);
			int r = pw_ages_write(&observation->ages_made, &observation->ages_before, &age);

			if (r == -E2BIG)
				return 0; /* as many as there is room for, the oldest goroutines first */
			if (r < 0)
				return r;
			observation->ages_before = age;
		}
	} while (observation->ages_next < result->count && pw_now_ns() - start_ns < budget_ns);
	return observation->ages_next < result->count ? -EAGAIN : 0;
}

static int finish_ages(struct pw_observation *observation)
{
	struct pw_ages_image *image =
		pw_ages_image_new(observation->target->pid, observation->ages_made.data, observation->ages_made.size);

	pw_buf_done(&observation->ages_made);
	if (!image)
		return -ENOMEM;
	pw_ages_image_unref(observation->ages);
	observation->ages = image;
	return 0;
}

struct pw_ages_image *pw_observation_ages(const struct pw_observation *observation)
{
	return observation->ages;
}

/* --- phases ------------------------------------------------------------------------------------------------------ */

static int step_parks(struct pw_observation *observation, uint64_t budget_ns)
{
	const struct pw_snapshot_result *result = pw_snapshot_result(observation->snapshot);
	int r = pw_parks_step(observation->parks_making, result, &observation->statements, budget_ns);

	return r ? r : begin_ages(observation);
}

int pw_observation_look_step(struct pw_observation *observation, uint64_t budget_ns)
{
	int r;

	switch (observation->phase) {
	case PW_OBSERVE_SNAPSHOT:
		r = pw_snapshot_step(observation->snapshot, budget_ns);
		if (r)
			return r;
		pw_parks_begin(observation->parks_making, pw_snapshot_result(observation->snapshot),
			       observation->has_parks ? observation->parks : NULL, observation->options.rows_max);
		pw_parks_know_sockets(observation->parks_making, &observation->holdings.sockets);
		return 0;
	case PW_OBSERVE_PARKS:
		return step_parks(observation, budget_ns);
	case PW_OBSERVE_AGES:
		r = step_ages(observation, budget_ns);
		return r ? r : finish_ages(observation);
	case PW_OBSERVE_IDLE:
	case PW_OBSERVE_CENSUS:
	case PW_OBSERVE_DIGEST:
		break;
	}
	return 0;
}

/* What is shown from now on. */
static void show(struct pw_observation *observation, uint64_t cpu_ns)
{
	const struct pw_snapshot_result *result = pw_snapshot_result(observation->snapshot);
	struct pw_parks *made = observation->parks_making;
	uint64_t elapsed_ns = result->previous_ns ? result->taken_ns - result->previous_ns : 0;

	observation->parks_making = observation->parks;
	observation->parks = made;
	observation->has_parks = true;
	observation->look = (struct pw_look_figures){.taken_ns = result->taken_ns,
						     .elapsed_ns = elapsed_ns,
						     .ended_ns = pw_boot_ns(),
						     .total = result->count,
						     .skipped = result->skipped,
						     .torn = result->torn,
						     .locks_seen = result->waits_cut	  ? PW_LOCKS_CUT
								   : result->locks_unseen ? PW_LOCKS_UNSEEN
											  : PW_LOCKS_SEEN,
						     .stacks_read = result->stacks_read,
						     .stacks_kept = result->stacks_kept,
						     .duration_ns = result->duration_ns,
						     .cpu_ns = cpu_ns,
						     .bytes_read = result->bytes_read};
}

/* With each snapshot: who has not run since the last one perhaps could not. */
static void read_may_run(struct pw_observation *observation)
{
	if (pw_cgroup_run_read(CGROUP_ROOT, observation->procfs, observation->target->pid, &observation->may_run) < 0)
		observation->may_run = (struct pw_cgroup_run){.throttled_ns = PW_UNKNOWN};
}

void pw_observation_look_end(struct pw_observation *observation, int error, uint64_t cpu_ns)
{
	observation->with_stacks = false;
	observation->snapshot_stale = error != 0;
	if (error)
		observation->snapshot_failures++;
	else
		show(observation, cpu_ns);
	if (!error && observation->options.kernel_figures && observation->procfs)
		read_may_run(observation);
	pw_buf_done(&observation->ages_made);
	if (observation->snapshot)
		pw_snapshot_release(observation->snapshot);
	observation->snapshot_rest_ns = cpu_ns * SNAPSHOT_SHARE;
	observation->next_snapshot_ns =
		observation->snapshot_started_ns +
		PW_MAX(observation->options.snapshot_interval_ns, observation->snapshot_rest_ns);
}

void pw_observation_look_done(struct pw_observation *observation)
{
	pw_buf_done(&observation->ages_made);
	pw_ages_image_unref(observation->ages);
	pw_parks_free(observation->parks_making);
	pw_parks_free(observation->parks);
	if (observation->snapshot)
		pw_snapshot_free(observation->snapshot);
}
