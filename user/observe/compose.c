/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "observe/state.h"

/* From the state of an observation to a record: the one place where events, census and kernel figures meet. */
#define REASON_MAX 640

const struct pw_target_counts *pw_observation_counts(const struct pw_observation *observation)
{
	return observation->collect ? pw_collect_counts(observation->collect, observation->target->id) : NULL;
}

static struct pw_section section(enum pw_quality quality, uint64_t taken_ns)
{
	return (struct pw_section){.present = true, .version = 1, .quality = (uint8_t)quality, .taken_ns = taken_ns};
}

static const char *state_name(enum pw_target_state state)
{
	static const char *const names[] = {"found", "readable", "attached", "degraded", "gone"};

	_Static_assert(ARRAY_SIZE(names) == PW_TARGET_GONE + 1, "a word for each state");
	return (unsigned int)state < ARRAY_SIZE(names) ? names[state] : "";
}

static void write_identity(struct pw_record *draft, struct pw_record_builder *builder, const struct pw_target *target)
{
	struct pw_record_identity *id = &draft->identity;
	const struct pw_build_facts *facts = target->build ? &target->build->facts : NULL;

	id->target_id = target->id;
	id->pid = target->pid;
	id->start_time_ns = target->start_time_ns;
	id->service = pw_record_builder_string(builder, target->service);
	id->process = pw_record_builder_string(builder, target->process);
	id->exe = pw_record_builder_string(builder, target->exe);
	id->unit = pw_record_builder_string(builder, target->unit);
	id->container = pw_record_builder_string(builder, target->container);
	id->pod = pw_record_builder_string(builder, target->pod);
	id->state = pw_record_builder_string(builder, state_name(target->state));
	if (!facts)
		return;
	id->build_id = pw_record_builder_string(builder, facts->build_id);
	id->go_version = pw_record_builder_string(builder, facts->info.go_version);
	id->main_path = pw_record_builder_string(builder, facts->info.main_path);
	id->module = pw_record_builder_string(builder, facts->info.module);
	id->module_version = pw_record_builder_string(builder, facts->info.module_version);
	id->revision = pw_record_builder_string(builder, facts->info.revision);
	id->stripped = facts->stripped;
	id->pie = facts->pie;
}

/* What the governor samples or leaves out, in a sentence, and whatever else is said of events. */
static void events_remark(const struct pw_observation *observation, const struct pw_target_counts *counts,
			  uint64_t boot_ns, char reason[static REASON_MAX])
{
	const struct pw_target *target = observation->target;
	const char *state = counts && counts->governor_state ? counts->governor_state : "continuous";
	char since[PW_DURATION_SIZE];
	uint64_t ago_ns;

	snprintf(reason, REASON_MAX, "%s", target->events_reason);
	if (!target->events_ok || !counts || !strcmp(state, "continuous"))
		return;
	ago_ns = boot_ns > counts->governor_since_ns ? boot_ns - counts->governor_since_ns : 0;
	ago_ns = PW_MAX(ago_ns - ago_ns % PW_NS_PER_SEC, PW_NS_PER_SEC); /* whole seconds are what it is worth */
	snprintf(reason, REASON_MAX,
		 "%s for %s: counting each one would cost %.1f%% of a CPU, the budget is %.3g%%; --budget none lifts "
		 "it%s%s",
		 state, pw_time_duration(ago_ns, since), counts->governor_percent, counts->budget_percent,
		 *target->events_reason ? "; " : "", target->events_reason);
}

/* Why memory is closed, or what of it cannot be used. */
static void memory_remark(const struct pw_observation *observation, char reason[static REASON_MAX])
{
	const struct pw_target *target = observation->target;
	const char *memory = target->memory_reason, *numbers = observation->numbers.reason;
	const char *heap = target->heap_remark ? target->heap_remark : "";
	int used;

	if (!target->memory_ok) {
		snprintf(reason, REASON_MAX, "%s", memory);
		return;
	}
	used = snprintf(reason, REASON_MAX, "%s%s%s", memory, *memory && *heap ? "; " : "", heap);
	if (*numbers && used >= 0 && used < REASON_MAX)
		snprintf(reason + used, (size_t)(REASON_MAX - used), "%sthe runtime's own numbers are not read: %s",
			 used ? "; " : "", numbers);
}

static void write_abilities(struct pw_record *draft, const struct pw_observation *observation,
			    const struct pw_target_counts *counts, uint64_t boot_ns)
{
	const struct pw_target *target = observation->target;
	struct pw_record_builder *builder = observation->builder;
	char events_reason[REASON_MAX], memory_reason[REASON_MAX];
	const struct {
		bool ok;
		const char *reason;
	} abilities[_PW_ABILITY_MAX] = {
		[PW_ABILITY_EVENTS] = {target->events_ok, events_reason},
		[PW_ABILITY_MEMORY] = {target->memory_ok, memory_reason},
		[PW_ABILITY_SYMBOLS] = {target->symbols_ok, target->symbols_reason},
	};

	memory_remark(observation, memory_reason);
	events_remark(observation, counts, boot_ns, events_reason);
	for (size_t i = 0; i < _PW_ABILITY_MAX; i++) {
		draft->abilities[i].ok = abilities[i].ok;
		draft->abilities[i].reason = pw_record_builder_string(builder, abilities[i].reason);
	}
}

static void write_sites(struct pw_record *draft, struct pw_record_builder *builder, const struct pw_target *target,
			const struct pw_target_counts *counts, uint64_t boot_ns)
{
	if (!target->build)
		return;
	draft->sites_section = section(PW_EXACT, counts ? counts->polled_ns : boot_ns);
	for (size_t i = 0; i < PW_EVENT_ALLOC_SPAN; i++) { /* that and what follows is for heap --sample only */
		const struct pw_site *from = &target->build->facts.sites[i];
		struct pw_record_site *site = pw_record_builder_site(builder, NULL);

		if (!site)
			return;
		site->event = pw_record_builder_string(builder, pw_event_name((enum pw_event)i));
		site->function = pw_record_builder_string(builder, from->function);
		site->instruction = pw_record_builder_string(builder, from->instruction);
		site->note = pw_record_builder_string(builder, from->note);
		site->offset = from->file_offset;
		site->found = from->found;
		site->emulated = from->emulated;
		if (!counts)
			continue;
		site->attached = counts->site_attached[i];
		site->counting = (uint8_t)counts->mode[i];
		site->hits = counts->site_hits[i];
		site->cost_ns = counts->cost_per_hit_ns[i];
	}
}

static void write_drop(struct pw_record_builder *builder, const char *name, uint64_t count)
{
	struct pw_record_drop *drop = pw_record_builder_drop(builder, NULL);

	if (!drop)
		return;
	drop->name = pw_record_builder_string(builder, name);
	drop->count = count;
}

static void write_drops(struct pw_record *draft, const struct pw_observation *observation,
			const struct pw_target_counts *counts, uint64_t boot_ns)
{
	draft->drops_section = section(PW_EXACT, counts ? counts->polled_ns : boot_ns);
	for (size_t i = 0; counts && i < counts->drop_count; i++)
		write_drop(observation->builder, pw_drop_name(i), counts->drops[i]);
	write_drop(observation->builder, "census_failed", observation->census_failures);
	write_drop(observation->builder, "runtime_numbers_failed", observation->numbers.failures);
	write_drop(observation->builder, "snapshot_failed", observation->snapshot_failures);
	write_drop(observation->builder, "statements_full", observation->statements.refused);
	write_drop(observation->builder, "gc_cycles_missed", observation->cycles.history.sums.missed);
	write_drop(observation->builder, "gc_cycles_refused", observation->cycles.history.sums.refused);
	write_drop(observation->builder, "memory_failed", observation->residency.failures);
	write_drop(observation->builder, "heap_profile_failed", observation->heap_sites.failures);
	write_drop(observation->builder, "holdings_failed", observation->holdings.failures);
}

static void write_cost(struct pw_record *draft, const struct pw_observation *observation,
		       const struct pw_target_counts *counts, uint64_t boot_ns)
{
	draft->cost.section = section(PW_ESTIMATED, counts ? counts->polled_ns : boot_ns);
	draft->cost.budget_percent = observation->options.budget_percent;
	if (observation->has_digest) {
		draft->cost.census_ns = observation->digest->cost_ns;
		draft->cost.bytes_read = observation->digest->bytes_read;
	}
	draft->cost.snapshot_ns = observation->census_total_ns;
	draft->cost.snapshot_bytes = observation->census_total_bytes;
	if (observation->next_census_ns > observation->census_started_ns && observation->has_digest)
		draft->cost.snapshot_percent = 100.0 * (double)observation->digest_cost_ns /
					       (double)(observation->next_census_ns - observation->census_started_ns);
	if (!counts)
		return;
	draft->cost.hits = counts->hits;
	draft->cost.cpu_percent = counts->cpu_percent;
	draft->cost.probe_ns = counts->cost_ns;
	draft->cost.budget_percent = counts->budget_percent; /* what is left of it with so many targets */
	draft->cost.governor_state = pw_record_builder_string(observation->builder, counts->governor_state);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static void take_gc_event(struct pw_observation *observation, const struct pw_gc_event *event)
{
	switch (event->event) {
	case PW_EVENT_GC_START:
		observation->cycle = (struct pw_record_gc_times){.start_ns = event->boot_ns};
		break;
	case PW_EVENT_GC_MARK_TERMINATION:
		observation->cycle.mark_termination_ns = event->boot_ns;
		break;
	case PW_EVENT_GC_SWEEP:
		observation->cycle.sweep_ns = event->boot_ns;
		observation->last_cycle = observation->cycle;
		break;
	case PW_EVENT_STW_START:
		observation->stw_start_ns = event->boot_ns;
		break;
	case PW_EVENT_STW_END:
		if (observation->stw_start_ns && event->boot_ns > observation->stw_start_ns)
			observation->stw_total_ns += event->boot_ns - observation->stw_start_ns;
		observation->stw_start_ns = 0;
		break;
	case PW_EVENT_SPAWN:
	case PW_EVENT_EXIT:
	case PW_EVENT_PARK:
	case PW_EVENT_RUN:
	case PW_EVENT_ALLOC_SPAN:
	case PW_EVENT_ALLOC_LARGE:
	case _PW_EVENT_MAX:
		break;
	}
}

static void take_gc_events(struct pw_observation *observation, const struct pw_target_counts *counts)
{
	if (counts->polled_ns == observation->events_polled_ns)
		return;
	observation->events_polled_ns = counts->polled_ns;
	for (size_t i = 0; i < counts->gc_event_count; i++)
		take_gc_event(observation, &counts->gc_events[i]);
	pw_cycles_take(&observation->cycles, observation->target, counts);
	if (observation->cycles.by_probes && observation->cycles.history.count) {
		const struct pw_gc_history *history = &observation->cycles.history;
		const struct pw_record_gc_cycle *last = &history->cycles[history->count - 1];

		observation->last_cycle = (struct pw_record_gc_times){.start_ns = last->start_ns,
								      .mark_termination_ns = last->mark_termination_ns,
								      .sweep_ns = last->end_ns};
	}
}

/* Statements of events that have no place in the census yet get one here: names are asked before the record is made. */
static void find_statements(struct pw_observation *observation, const struct pw_target_counts *counts, uint64_t boot_ns)
{
	uint64_t bias = observation->target->bias;

	for (size_t i = 0; i < counts->statement_count; i++) {
		const struct pw_statement_counts *from = &counts->statements[i];
		uint32_t index =
			pw_statements_find(&observation->statements, from->gopc ? from->gopc - bias : 0, boot_ns);
		uint64_t stack[PW_STATEMENT_FRAMES_MAX];
		size_t depth = PW_MIN(from->creation_depth, (size_t)PW_STATEMENT_FRAMES_MAX);

		for (size_t j = 0; j < depth; j++)
			stack[j] = from->creation_stack[j] - bias;
		pw_statements_set_stack(&observation->statements, index, stack, depth);
	}
}

static void write_reasons(struct pw_record_event_count *to, const struct pw_statement_counts *from,
			  const struct pw_wait_reasons *names, struct pw_record_builder *builder)
{
	uint32_t last = 0, count = 0;

	for (size_t i = 0; i < from->reason_count; i++) {
		struct pw_record_reason_count *reason = pw_record_builder_reason(builder, &last);
		uint8_t code = from->reasons[i].reason;

		if (!reason)
			break;
		reason->reason = pw_reason_string(builder, names->name, names->count, code);
		reason->count = from->reasons[i].count;
		count++;
	}
	to->first_reason = count ? last + 1 - count : 0;
	to->reason_count = count;
}

static void write_statement_counts(struct pw_observation *observation, const struct pw_target_counts *counts,
				   uint64_t boot_ns)
{
	const struct pw_target *target = observation->target;
	/* In windows they would be estimates that nothing gives a bound. */
	bool whole_runs = counts->mode[PW_EVENT_RUN] == PW_PROBES_CONTINUOUS && counts->error_square[PW_EVENT_RUN] <= 0;

	for (size_t i = 0; i < counts->statement_count; i++) {
		const struct pw_statement_counts *from = &counts->statements[i];
		struct pw_record_event_count *to = pw_record_builder_event_count(observation->builder, NULL);

		const struct pw_statement_drift *drift;

		if (!to)
			return;
		to->statement = pw_statements_find(&observation->statements, from->gopc ? from->gopc - target->bias : 0,
						   boot_ns);
		drift = &observation->statements.items[to->statement].drift;
		to->spawned = from->spawned;
		to->exited = from->exited;
		to->parked = from->parked;
		to->ran = observation->options.runs && whole_runs ? from->ran : PW_UNKNOWN;
		to->drift_known = drift->known;
		to->drift_exact = drift->exact;
		to->drift = drift->difference;
		to->creation_stack =
			pw_statements_write_stack(&observation->statements, to->statement, observation->builder);
		write_reasons(to, from, &target->build->facts.wait_reasons, observation->builder);
	}
}

static struct pw_record_sampled sampled(const struct pw_target_counts *counts, enum pw_event event)
{
	_Static_assert((int)PW_COUNTING_OFF == (int)PW_PROBES_OFF &&
			       (int)PW_COUNTING_CONTINUOUS == (int)PW_PROBES_CONTINUOUS &&
			       (int)PW_COUNTING_WINDOWS == (int)PW_PROBES_WINDOWS,
		       "the same modes");
	return (struct pw_record_sampled){.counting = (uint8_t)counts->mode[event],
					  .square = counts->error_square[event],
					  .linear = counts->error_linear[event]};
}

/*
 * While starts and ends are counted in windows, their totals come from memory: goids are handed out one by one, and
 * what started and is not in the census has ended. What the estimates had instead is made good for ever.
 */
static void write_lifecycle(struct pw_record *draft, struct pw_observation *observation,
			    const struct pw_target_counts *counts)
{
	struct pw_exact_totals *exact = &observation->exact;
	bool windows = counts->mode[PW_EVENT_SPAWN] == PW_PROBES_WINDOWS;
	bool numbered = observation->births_ns && !observation->births_stale;
	uint64_t births = numbered ? pw_births_total(observation->target->births) : PW_UNKNOWN;

	draft->events.spawn = sampled(counts, PW_EVENT_SPAWN);
	draft->events.exit = sampled(counts, PW_EVENT_EXIT);
	if (windows && births != PW_UNKNOWN && exact->births != PW_UNKNOWN && births >= exact->births) {
		uint64_t spawned = exact->spawned + (births - exact->births);

		exact->spawn_fix = spawned - counts->spawned;
		draft->events.spawn.exact = true;
		if (observation->has_digest && exact->live != PW_UNKNOWN) {
			uint64_t ended = spawned + exact->live - observation->digest->total - exact->spawned;

			exact->exit_fix = exact->exited + ((int64_t)ended > 0 ? ended : 0) - counts->exited;
			draft->events.exit.exact = true;
		}
	}
	draft->events.spawned = counts->spawned + exact->spawn_fix; /* modulo 2^64 */
	draft->events.exited = counts->exited + exact->exit_fix;
	if (windows)
		return;
	exact->spawned = draft->events.spawned;
	exact->exited = draft->events.exited;
	exact->births = births;
	exact->live = observation->has_digest ? observation->digest->total : PW_UNKNOWN;
}

/* A total since attach, of an event that is never counted in windows: unknown once some of it was not counted. */
static uint64_t whole(struct pw_observation *observation, const struct pw_target_counts *counts, enum pw_event event,
		      uint64_t total)
{
	unsigned int bit = 1U << event;

	if (counts->mode[event] != PW_PROBES_CONTINUOUS)
		observation->holes |= observation->counted_once & bit;
	else
		observation->counted_once |= bit;
	return counts->mode[event] == PW_PROBES_CONTINUOUS && !(observation->holes & bit) ? total : PW_UNKNOWN;
}

static void write_gc_totals(struct pw_record *draft, struct pw_observation *observation,
			    const struct pw_target_counts *counts)
{
	const struct {
		enum pw_event event;
		uint64_t *to;
	} totals[] = {
		{PW_EVENT_GC_START, &draft->events.gc_cycles},
		{PW_EVENT_GC_MARK_TERMINATION, &draft->events.gc_mark_terminations},
		{PW_EVENT_GC_SWEEP, &draft->events.gc_sweeps},
		{PW_EVENT_STW_START, &draft->events.stw_starts},
		{PW_EVENT_STW_END, &draft->events.stw_ends},
	};

	for (size_t i = 0; i < ARRAY_SIZE(totals); i++)
		*totals[i].to = whole(observation, counts, totals[i].event, counts->gc_counts[totals[i].event]);
	draft->events.stw_total_ns = draft->events.stw_starts == PW_UNKNOWN || draft->events.stw_ends == PW_UNKNOWN
					     ? PW_UNKNOWN
					     : observation->stw_total_ns;
}

static void write_events(struct pw_record *draft, struct pw_observation *observation,
			 const struct pw_target_counts *counts, uint64_t boot_ns)
{
	const struct pw_target *target = observation->target;

	draft->events.section = section(counts->sampled_ns ? PW_SAMPLED : PW_EXACT, counts->polled_ns);
	write_lifecycle(draft, observation, counts);
	draft->events.parked = counts->parked;
	draft->events.park = sampled(counts, PW_EVENT_PARK);
	draft->events.sampled_ns = counts->sampled_ns;
	draft->events.windows = counts->windows;
	write_gc_totals(draft, observation, counts);
	draft->events.last_cycle = observation->last_cycle;
	if (target->bias_known && target->build)
		write_statement_counts(observation, counts, boot_ns);
}

/* --- the record -------------------------------------------------------------------------------------------------- */

static void write_census(struct pw_record *draft, const struct pw_observation *observation)
{
	const struct pw_digest *digest = observation->digest;
	struct pw_digest_source source = pw_observation_source(observation);

	draft->census.section = section(observation->digest_stale ? PW_STALE : PW_EXACT, digest->taken_ns);
	draft->census.total = digest->total;
	draft->census.system = digest->system;
	draft->census.skipped = digest->skipped;
	draft->census.torn = digest->torn;
	pw_digest_write(digest, &source, observation->builder);
}

static void write_snapshot(struct pw_record *draft, const struct pw_observation *observation)
{
	const struct pw_look_figures *look = &observation->look;
	const struct pw_wait_reasons *names = &observation->target->build->facts.wait_reasons;

	draft->snapshot.section = section(observation->snapshot_stale ? PW_STALE : PW_EXACT, look->taken_ns);
	draft->snapshot.elapsed_ns = look->elapsed_ns;
	draft->snapshot.total = look->total;
	draft->snapshot.skipped = look->skipped;
	draft->snapshot.torn = look->torn;
	draft->snapshot.stacks_read = look->stacks_read;
	draft->snapshot.stacks_kept = look->stacks_kept;
	draft->snapshot.duration_ns = look->duration_ns;
	draft->snapshot.cpu_ns = look->cpu_ns;
	draft->snapshot.bytes_read = look->bytes_read;
	draft->snapshot.locks_seen = look->locks_seen;
	draft->snapshot.interval_ns = PW_MAX(observation->options.snapshot_interval_ns, observation->snapshot_rest_ns);
	pw_parks_write(observation->parks, names->name, names->count, observation->builder);
	pw_parks_write_sizes(observation->parks, draft);
	draft->snapshot.locks_left_out = pw_parks_locks_left_out(observation->parks);
}

/* What was read of the runtime itself; where that is not possible, what the census and the goid history say. */
static void write_runtime(struct pw_record *draft, const struct pw_observation *observation)
{
	const struct pw_observed_numbers *observed = &observation->numbers;
	struct pw_runtime_numbers *numbers = &draft->runtime.numbers;
	uint64_t taken_ns = observation->has_digest ? observation->digest->taken_ns : observation->births_ns;
	bool stale = observation->births_stale || observation->digest_stale;

	if (!observed->taken_ns && !observation->births_ns && !observation->has_digest)
		return;
	if (observed->taken_ns) {
		taken_ns = observed->taken_ns;
		stale = observed->stale || observation->births_stale;
	}
	draft->runtime.section = section(stale ? PW_STALE : PW_EXACT,
					 observed->taken_ns ? taken_ns : PW_MAX(taken_ns, observation->births_ns));
	pw_observed_numbers_write(observed, draft, observation->builder);
	if (numbers->goroutines == PW_UNKNOWN && observation->has_digest)
		numbers->goroutines = observation->digest->num_goroutine;
	if (observation->target->births && observation->births_ns)
		numbers->spawn_total = pw_births_total(observation->target->births);
}

static void write_numbers(struct pw_record *draft, const struct pw_observation *observation)
{
	write_runtime(draft, observation);
	if (observation->figures_ns) {
		draft->kernel.section = section(PW_EXACT, observation->figures_ns);
		draft->kernel.rss_bytes = observation->figures.rss_bytes;
		draft->kernel.threads = observation->figures.threads;
		draft->kernel.open_files = observation->figures.open_files;
		draft->kernel.cpu_ns = observation->figures.cpu_ns;
		draft->kernel.stopped = observation->figures.stopped;
		draft->kernel.frozen = observation->may_run.frozen;
		draft->kernel.throttled_ns = observation->may_run.throttled_ns;
	}
	if (observation->drift_section.present) {
		draft->drift.section = observation->drift_section;
		draft->drift.live_by_events = observation->drift_by_events;
		draft->drift.live_by_census = observation->drift_by_census;
		draft->drift.difference = (int64_t)(observation->drift_by_census - observation->drift_by_events);
	}
}

int pw_observation_record(struct pw_observation *observation, uint64_t boot_ns, uint64_t wall_ns,
			  struct pw_record **ret_record)
{
	struct pw_record_builder *builder = observation->builder;
	struct pw_record *draft = pw_record_builder_begin(builder);
	const struct pw_target_counts *counts = pw_observation_counts(observation);
	struct pw_target *target = observation->target;
	int r;

	draft->sequence = ++observation->sequence;
	draft->boot_ns = boot_ns;
	draft->wall_ns = wall_ns;
	draft->interval_ns = observation->last_record_ns && boot_ns > observation->last_record_ns
				     ? boot_ns - observation->last_record_ns
				     : 0;
	write_identity(draft, builder, target);
	write_abilities(draft, observation, counts, boot_ns);
	write_sites(draft, builder, target, counts, boot_ns);
	write_drops(draft, observation, counts, boot_ns);
	write_cost(draft, observation, counts, boot_ns);
	pw_observation_work_out_drift(observation);
	if (counts)
		take_gc_events(observation, counts);
	if (counts && counts->armed && target->bias_known && target->build)
		find_statements(observation, counts, boot_ns);
	pw_statements_write(&observation->statements, builder);
	if (counts && counts->armed)
		write_events(draft, observation, counts, boot_ns);
	if (observation->has_digest)
		write_census(draft, observation);
	if (observation->has_parks)
		write_snapshot(draft, observation);
	write_numbers(draft, observation);
	pw_cycles_write(&observation->cycles, draft, builder);
	pw_residency_write(&observation->residency, draft, builder);
	pw_heap_sites_write(&observation->heap_sites, draft, builder);
	pw_observed_holdings_write(&observation->holdings, draft, builder);
	r = pw_record_builder_finish(builder, ret_record);
	if (r < 0)
		return r;
	observation->last_record_ns = boot_ns;
	observation->interval_due = true;
	return 0;
}
