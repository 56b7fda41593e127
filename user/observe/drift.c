/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

#include "base/macros.h"
#include "observe/state.h"

/*
 * Events held against the census: live = base + spawned - exited, where base is what was alive when counting began. The
 * census says it: exactly, if nothing was spawned or exited between the poll before it and the poll after it; the first
 * one has to do until then. The same for each go statement by itself, whose own events decide whether it was at rest;
 * one that is first seen when counting has long begun had nothing alive before.
 */
/* Estimates would only show their own error: it begins anew when each event is counted again. */
static bool is_counting(const struct pw_target_counts *counts)
{
	return counts && counts->armed && counts->mode[PW_EVENT_SPAWN] == PW_PROBES_CONTINUOUS &&
	       counts->mode[PW_EVENT_EXIT] == PW_PROBES_CONTINUOUS && !counts->sampled_ns;
}

static struct pw_statement *statement_of(struct pw_observation *observation, const struct pw_statement_counts *counts,
					 uint64_t now_ns)
{
	uint64_t gopc = counts->gopc ? counts->gopc - observation->target->bias : 0;
	uint32_t index = pw_statements_find(&observation->statements, gopc, now_ns);
	struct pw_statement *statement = &observation->statements.items[index];

	return statement->gopc == PW_STATEMENT_OTHER ? NULL : statement;
}

void pw_observation_before_census(struct pw_observation *observation, uint64_t boot_ns)
{
	const struct pw_target_counts *counts = pw_observation_counts(observation);

	observation->before_census = (struct pw_observe_totals){};
	if (!counts || !counts->armed)
		return;
	observation->before_census =
		(struct pw_observe_totals){.valid = true, .spawned = counts->spawned, .exited = counts->exited};
	for (size_t i = 0; i < observation->statements.count; i++) {
		struct pw_statement_drift *drift = &observation->statements.items[i].drift;

		drift->before_spawned = drift->before_exited = 0;
	}
	for (size_t i = 0; i < counts->statement_count; i++) {
		struct pw_statement *statement = statement_of(observation, &counts->statements[i], boot_ns);

		if (!statement)
			continue;
		statement->drift.before_spawned = counts->statements[i].spawned;
		statement->drift.before_exited = counts->statements[i].exited;
	}
}

static void forget(struct pw_observation *observation)
{
	observation->base_known = observation->base_exact = false;
	observation->drift_section.present = false;
	for (size_t i = 0; i < observation->statements.count; i++)
		observation->statements.items[i].drift = (struct pw_statement_drift){};
}

/* What the census has counted, by statement. */
static void count_census(struct pw_observation *observation)
{
	const struct pw_digest *digest = observation->digest;

	for (size_t i = 0; i < observation->statements.count; i++)
		observation->statements.items[i].drift.counted = 0;
	for (size_t i = 0; i < digest->groups_used; i++)
		observation->statements.items[digest->groups.items[i]->statement].drift.counted +=
			digest->groups.items[i]->totals.count;
}

/* began: this is the first census since counting began, which sees all that was there before. */
static void hold_against(struct pw_statement *statement, uint64_t spawned, uint64_t exited, bool began, bool complete)
{
	struct pw_statement_drift *drift = &statement->drift;
	bool at_rest = complete && drift->before_spawned == spawned && drift->before_exited == exited;
	uint64_t net = spawned - exited; /* modulo 2^64, as base */

	if (!drift->base_known && !began && !statement->took_over) {
		drift->base = 0;
		drift->base_known = drift->base_exact = true;
	} else if (!drift->base_known || (at_rest && !drift->base_exact)) {
		drift->base = drift->counted - net;
		drift->base_known = true;
		drift->base_exact = at_rest;
	}
	drift->known = true;
	drift->exact = at_rest && drift->base_exact;
	drift->difference = (int64_t)(drift->counted - (drift->base + net));
}

static void hold_statements(struct pw_observation *observation, const struct pw_target_counts *counts, bool began)
{
	bool complete = !observation->digest->skipped && !observation->digest->torn;

	count_census(observation);
	for (size_t i = 0; i < counts->statement_count; i++) {
		struct pw_statement *statement = statement_of(observation, &counts->statements[i], counts->polled_ns);

		if (statement)
			hold_against(statement, counts->statements[i].spawned, counts->statements[i].exited, began,
				     complete);
	}
	/* Those without any event yet have what the first census has seen. */
	for (size_t i = 0; began && i < observation->statements.count; i++)
		if (!observation->statements.items[i].drift.base_known)
			hold_against(&observation->statements.items[i], 0, 0, began, complete);
}

void pw_observation_work_out_drift(struct pw_observation *observation)
{
	const struct pw_target_counts *counts = pw_observation_counts(observation);
	uint64_t census = observation->digest->total, net;
	bool at_rest, began;

	if (!is_counting(counts)) {
		forget(observation);
		return;
	}
	if (!observation->has_digest || !observation->drift_due || !observation->before_census.valid ||
	    counts->polled_ns < observation->census_ended_ns)
		return; /* the poll after the census is still to come */
	observation->drift_due = false;
	at_rest = observation->before_census.spawned == counts->spawned &&
		  observation->before_census.exited == counts->exited && !observation->digest->skipped &&
		  !observation->digest->torn;
	net = counts->spawned - counts->exited; /* modulo 2^64, as base */
	began = !observation->base_known;
	if (!observation->base_known || (at_rest && !observation->base_exact)) {
		observation->base = census - net;
		observation->base_known = true;
		observation->base_exact = at_rest;
	}
	observation->drift_section =
		(struct pw_section){.present = true,
				    .version = 1,
				    .quality = at_rest && observation->base_exact ? PW_EXACT : PW_ESTIMATED,
				    .taken_ns = observation->digest->taken_ns};
	observation->drift_by_events = observation->base + net;
	observation->drift_by_census = census;
	hold_statements(observation, counts, began);
}
