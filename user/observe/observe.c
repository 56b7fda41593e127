/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/observe.h"

#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "observe/state.h"
#include "target/symbolize.h"

/*
 * Work on one target goes round once per interval: poll the goid history and the kernel's figures, walk the goroutines
 * when a census is due (with their stacks when a snapshot is: look.c), sum them up, ask for names. Each call does a
 * slice of it. Two digests take turns: one is what records say now, the other is being made.
 */
#define CENSUS_SHARE  500		   /* a census may cost one part in so many of a CPU: 0.2% */
#define NAMES_WAIT_NS (250 * PW_NS_PER_MS) /* for names of a snapshot's stacks, so that records show it whole */
#define FAILURES_MAX  3			   /* of censuses in a row before the target is validated anew */

int pw_observation_new(struct pw_observation **ret_observation, struct pw_target *target, struct pw_collect *collect,
		       const struct pw_procfs *procfs, const struct pw_observe_options *options)
{
	_cleanup_(pw_observation_freep) struct pw_observation *observation = calloc(1, sizeof(*observation));
	int r;

	if (!observation)
		return -ENOMEM;
	observation->target = target;
	observation->collect = collect;
	observation->procfs = procfs;
	observation->options = *options;
	observation->interval_due = true;
	observation->exact.births = observation->exact.live = PW_UNKNOWN;
	observation->figures = (struct pw_kernel_figures){
		.rss_bytes = PW_UNKNOWN, .threads = PW_UNKNOWN, .open_files = PW_UNKNOWN, .cpu_ns = PW_UNKNOWN};
	observation->may_run.throttled_ns = PW_UNKNOWN;
	r = pw_record_builder_new(&observation->builder);
	if (r == 0)
		r = pw_statements_init(&observation->statements, target->symbolizer);
	if (r == 0)
		r = pw_census_new(&observation->census);
	if (r == 0)
		r = pw_digest_new(&observation->digest);
	if (r == 0)
		r = pw_digest_new(&observation->making);
	if (r < 0)
		return r;
	*ret_observation = TAKE_PTR(observation);
	return 0;
}

void pw_observation_free(struct pw_observation *observation)
{
	if (!observation)
		return;
	pw_observation_look_done(observation);
	pw_digest_free(observation->making);
	pw_digest_free(observation->digest);
	pw_census_free(observation->census);
	pw_statements_done(&observation->statements);
	pw_record_builder_free(observation->builder);
	pw_cycles_done(&observation->cycles);
	pw_residency_done(&observation->residency);
	pw_heap_sites_done(&observation->heap_sites);
	pw_observed_holdings_done(&observation->holdings);
	pw_observed_numbers_done(&observation->numbers);
	free(observation);
}

void pw_observation_set_options(struct pw_observation *observation, uint64_t census_interval_ns,
				uint64_t snapshot_interval_ns, uint64_t memory_interval_ns, double budget_percent)
{
	observation->options.census_interval_ns = census_interval_ns;
	observation->options.snapshot_interval_ns = snapshot_interval_ns;
	observation->options.memory_interval_ns = memory_interval_ns;
	observation->options.budget_percent = budget_percent;
	if (observation->census_started_ns)
		observation->next_census_ns =
			observation->census_started_ns + PW_MAX(census_interval_ns, observation->census_rest_ns);
	if (observation->snapshot_started_ns)
		observation->next_snapshot_ns =
			observation->snapshot_started_ns + PW_MAX(snapshot_interval_ns, observation->snapshot_rest_ns);
}

static void bounds(const void *context, uint64_t goid, uint64_t *ret_after_ns, uint64_t *ret_before_ns)
{
	pw_births_bounds(context, goid, ret_after_ns, ret_before_ns);
}

struct pw_digest_source pw_observation_source(const struct pw_observation *observation)
{
	const struct pw_target *target = observation->target;
	uint64_t main_pc = target->build->facts.runtime_main;

	return (struct pw_digest_source){.census = pw_census_result(observation->census),
					 .bias = target->bias,
					 .main_pc = main_pc ? main_pc + target->bias : 0,
					 .reason_names = target->build->facts.wait_reasons.name,
					 .reason_count = target->build->facts.wait_reasons.count,
					 .bounds = bounds,
					 .bounds_context = target->births};
}

static bool can_read(const struct pw_observation *observation)
{
	const struct pw_target *target = observation->target;

	return target->memory_ok && target->bias_known && target->build && target->births;
}

/* Once per interval: what is cheap to read. */
static int begin_interval(struct pw_observation *observation, uint64_t boot_ns)
{
	int r;

	observation->interval_due = false;
	observation->births_stale = true;
	if (can_read(observation)) {
		r = pw_births_poll(observation->target->births, observation->target, boot_ns);
		if (r == -ESRCH)
			return r;
		if (r == 0) {
			observation->births_ns = boot_ns;
			observation->births_stale = false;
		}
		r = pw_cycles_poll(&observation->cycles, observation->target, pw_observation_counts(observation),
				   boot_ns);
		if (r == -ESRCH)
			return r;
		r = pw_observed_numbers_poll(&observation->numbers, observation->target, boot_ns);
		if (r == -ESRCH)
			return r;
	}
	if (observation->options.kernel_figures && observation->procfs) {
		r = pw_kernel_read(&observation->figures, observation->procfs, observation->target->pid);
		if (r == -ESRCH)
			return r;
		if (r == 0)
			observation->figures_ns = boot_ns;
	}
	return 0;
}

/*
 * A census that fails may be a moment of bad luck; when it keeps failing, the target is not what we took it for, and
 * validation finds out and says why.
 */
static int census_failed(struct pw_observation *observation, int error)
{
	if (observation->with_stacks)
		pw_observation_look_end(observation, error, observation->census_cpu_ns);
	observation->phase = PW_OBSERVE_IDLE;
	observation->census_failures++;
	observation->digest_stale = true;
	if (error == -ESRCH)
		return error;
	if (++observation->failures_in_row < FAILURES_MAX)
		return 0;
	observation->failures_in_row = 0;
	pw_observed_numbers_reset(&observation->numbers);
	error = pw_target_validate(observation->target, observation->procfs);
	if (!observation->target->memory_ok)
		observation->has_digest = observation->has_parks = false;
	return error == -ESRCH || error == -ESTALE ? -ESRCH : 0;
}

static int begin_census(struct pw_observation *observation, uint64_t boot_ns)
{
	int r;

	pw_observation_work_out_drift(observation);
	observation->next_census_ns = boot_ns + observation->options.census_interval_ns;
	pw_observation_before_census(observation, boot_ns);
	observation->census_started_ns = boot_ns;
	observation->census_cpu_ns = 0;
	if (pw_observation_look_due(observation, boot_ns) && pw_observation_look_begin(observation, boot_ns) == 0)
		return 0;
	r = pw_census_begin(observation->census, observation->target);
	if (r < 0)
		return census_failed(observation, r);
	observation->phase = PW_OBSERVE_CENSUS;
	return 0;
}

static uint64_t cost_so_far(const struct pw_observation *observation)
{
	return observation->census_cpu_ns + pw_cpu_thread_ns() - observation->slice_cpu_ns;
}

static void finish_census(struct pw_observation *observation)
{
	struct pw_digest *made = observation->making;

	observation->making = observation->digest;
	observation->digest = made;
	observation->phase = observation->with_stacks ? PW_OBSERVE_PARKS : PW_OBSERVE_IDLE;
	observation->failures_in_row = 0;
	observation->digest_stale = false;
	observation->census_ended_ns = pw_boot_ns();
	observation->has_digest = true;
	observation->drift_due = true;
	if (!observation->with_stacks) /* what a snapshot costs holds up the next snapshot */
		observation->census_rest_ns = cost_so_far(observation) * CENSUS_SHARE;
	observation->digest_cost_ns = cost_so_far(observation);
	observation->census_total_ns += observation->digest_cost_ns;
	observation->census_total_bytes += made->bytes_read;
	observation->next_census_ns = observation->census_started_ns +
				      PW_MAX(observation->options.census_interval_ns, observation->census_rest_ns);
}

static int digest_slice(struct pw_observation *observation, uint64_t budget_ns)
{
	struct pw_digest_source source = pw_observation_source(observation);
	int r = pw_digest_step(observation->making, &source, &observation->statements, budget_ns);

	if (!r)
		finish_census(observation);
	return r;
}

static void begin_digest(struct pw_observation *observation)
{
	struct pw_digest_source source = pw_observation_source(observation);

	pw_digest_begin(observation->making, &source);
	observation->phase = PW_OBSERVE_DIGEST;
}

/* A slice of the phase that it is in, and on to the next: 0, -EAGAIN more of this one to do. */
static int phase_slice(struct pw_observation *observation, uint64_t budget_ns)
{
	int r;

	switch (observation->phase) {
	case PW_OBSERVE_CENSUS:
		r = pw_census_step(observation->census, budget_ns);
		if (!r)
			begin_digest(observation);
		return r;
	case PW_OBSERVE_DIGEST:
		return digest_slice(observation, budget_ns);
	case PW_OBSERVE_SNAPSHOT:
		r = pw_observation_look_step(observation, budget_ns);
		if (!r)
			begin_digest(observation);
		return r;
	case PW_OBSERVE_PARKS:
		r = pw_observation_look_step(observation, budget_ns);
		if (!r)
			observation->phase = PW_OBSERVE_AGES;
		return r;
	case PW_OBSERVE_AGES:
		r = pw_observation_look_step(observation, budget_ns);
		if (!r) {
			pw_observation_look_end(observation, 0, cost_so_far(observation));
			observation->phase = PW_OBSERVE_IDLE;
		}
		return r;
	case PW_OBSERVE_IDLE:
		break;
	}
	return 0;
}

/* The same, with its price: CPU time and not elapsed time, so that a busy host does not make us blind as well. */
static int continue_census(struct pw_observation *observation, uint64_t budget_ns)
{
	uint64_t start_ns = pw_cpu_thread_ns();
	int r;

	observation->slice_cpu_ns = start_ns;
	r = phase_slice(observation, budget_ns);
	observation->census_cpu_ns += pw_cpu_thread_ns() - start_ns;
	return r < 0 && r != -EAGAIN ? census_failed(observation, r) : r;
}

/* False: stacks that were just read have no names yet, and it is worth waiting for them. */
static bool ask_names(struct pw_observation *observation)
{
	bool all = true;

	pw_statements_name(&observation->statements);
	if (observation->has_parks)
		all = pw_parks_name(observation->parks, observation->target->symbolizer);
	if (observation->target->symbolizer)
		(void)pw_symbolizer_flush(observation->target->symbolizer); /* what fails is asked again */
	return all || pw_boot_ns() - observation->look.ended_ns >= NAMES_WAIT_NS;
}

static uint64_t known_cycles(const struct pw_observation *observation)
{
	const struct pw_observed_numbers *numbers = &observation->numbers;

	return numbers->taken_ns && !numbers->stale ? numbers->numbers.gc_cycles : PW_UNKNOWN;
}

bool pw_observation_want_heap(struct pw_observation *observation, uint64_t boot_ns)
{
	return observation->options.memory_interval_ns && observation->procfs &&
	       pw_heap_sites_want(&observation->heap_sites, observation->target, known_cycles(observation), boot_ns);
}

/* With what is left of the slice, when nothing else is under way. */
static int look_at_memory(struct pw_observation *observation, uint64_t boot_ns, uint64_t end_ns)
{
	uint64_t now_ns = pw_boot_ns(), interval_ns = observation->options.memory_interval_ns;
	int r;

	if (!interval_ns || !observation->procfs)
		return 0;
	r = pw_heap_sites_work(&observation->heap_sites, observation->target, known_cycles(observation), interval_ns,
			       boot_ns);
	if (!r)
		r = pw_observed_holdings_work(&observation->holdings, observation->target, observation->procfs,
					      known_cycles(observation), interval_ns, boot_ns);
	return r < 0 ? r
		     : pw_residency_work(&observation->residency, observation->target, observation->procfs,
					 &observation->numbers, interval_ns, boot_ns,
					 now_ns < end_ns ? end_ns - now_ns : 0);
}

int pw_observation_work(struct pw_observation *observation, uint64_t boot_ns)
{
	uint64_t end_ns = pw_boot_ns() + observation->options.slice_ns, now_ns;
	int r = 0;

	if (observation->interval_due) {
		r = begin_interval(observation, boot_ns);
		if (r < 0)
			return r;
	}
	if (observation->phase == PW_OBSERVE_IDLE && can_read(observation) &&
	    (boot_ns >= observation->next_census_ns || pw_observation_look_due(observation, boot_ns))) {
		r = begin_census(observation, boot_ns);
		if (r < 0)
			return r;
	}
	while (observation->phase != PW_OBSERVE_IDLE) {
		now_ns = pw_boot_ns();
		if (now_ns >= end_ns)
			return -EAGAIN;
		r = continue_census(observation, end_ns - now_ns);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (observation->phase == PW_OBSERVE_SNAPSHOT && pw_snapshot_asking(observation->snapshot))
			return -EAGAIN;
	}
	r = look_at_memory(observation, boot_ns, end_ns);
	if (r < 0)
		return r;
	return ask_names(observation) ? 0 : -EAGAIN;
}
