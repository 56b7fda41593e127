/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"

/* Later minus earlier; a counter that fell was begun anew, so all of it is new. */
static uint64_t since(uint64_t earlier, uint64_t later)
{
	return later >= earlier ? later - earlier : later;
}

static const struct pw_record_event_count *counts_of(const struct pw_record *record, uint64_t gopc)
{
	for (size_t i = 0; record->events.section.present && i < record->events.count; i++) {
		const struct pw_record_event_count *count = &record->events.counts[i];

		if (count->statement < record->statement_count && record->statements[count->statement].gopc == gopc)
			return count;
	}
	return NULL;
}

static uint64_t reason_before(const struct pw_record *first, const struct pw_record_event_count *before,
			      const char *name)
{
	for (uint32_t i = 0; before && i < before->reason_count && before->first_reason + i < first->reason_count;
	     i++) {
		const struct pw_record_reason_count *reason = &first->reasons[before->first_reason + i];

		if (!strcmp(pw_record_string(first, reason->reason), name))
			return reason->count;
	}
	return 0;
}

static int by_count(const void *a, const void *b)
{
	const struct pw_trace_reason *left = a, *right = b;

	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return strcmp(left->reason, right->reason);
}

static int site_reasons(struct pw_trace_site *site, const struct pw_record *first,
			const struct pw_record_event_count *before, const struct pw_record *last,
			const struct pw_record_event_count *count)
{
	if (!count->reason_count)
		return 0;
	site->reasons = calloc(count->reason_count, sizeof(*site->reasons));
	if (!site->reasons)
		return -ENOMEM;
	for (uint32_t i = 0; i < count->reason_count && count->first_reason + i < last->reason_count; i++) {
		const struct pw_record_reason_count *reason = &last->reasons[count->first_reason + i];
		const char *name = pw_record_string(last, reason->reason);
		uint64_t parks = since(reason_before(first, before, name), reason->count);

		if (parks)
			site->reasons[site->reason_count++] = (struct pw_trace_reason){name, parks};
	}
	qsort(site->reasons, site->reason_count, sizeof(*site->reasons), by_count);
	return 0;
}

static int fill_counts(struct pw_trace *trace, struct pw_trace_site *sites, const struct pw_record *first)
{
	const struct pw_record *last = trace->last;
	int r = 0;

	for (size_t i = 0; last->events.section.present && i < last->events.count && !r; i++) {
		const struct pw_record_event_count *count = &last->events.counts[i], *before;
		struct pw_trace_site *site;

		if (count->statement >= last->statement_count)
			continue;
		site = &sites[count->statement];
		before = counts_of(first, last->statements[count->statement].gopc);
		site->spawned = since(before ? before->spawned : 0, count->spawned);
		site->exited = since(before ? before->exited : 0, count->exited);
		site->parked = since(before ? before->parked : 0, count->parked);
		site->ran = PW_UNKNOWN;
		if (trace->runs && count->ran != PW_UNKNOWN)
			site->ran = since(before && before->ran != PW_UNKNOWN ? before->ran : 0, count->ran);
		site->creation_stack = count->creation_stack;
		r = site_reasons(site, first, before, last, count);
	}
	return r;
}

static void fill_live(const struct pw_record *last, struct pw_trace_site *sites)
{
	if (!last->census.section.present)
		return;
	for (size_t i = 0; i < last->statement_count; i++)
		sites[i].live = 0;
	for (size_t i = 0; i < last->census.group_count; i++) {
		const struct pw_record_group *group = &last->census.groups[i];

		if (group->statement < last->statement_count)
			sites[group->statement].live += group->count;
	}
}

static int by_growth(const void *a, const void *b)
{
	const struct pw_trace_site *left = a, *right = b;
	int64_t left_growth = (int64_t)(left->spawned - left->exited);
	int64_t right_growth = (int64_t)(right->spawned - right->exited);

	if (left_growth != right_growth)
		return left_growth < right_growth ? 1 : -1;
	if (left->spawned != right->spawned)
		return left->spawned < right->spawned ? 1 : -1;
	if (left->parked != right->parked)
		return left->parked < right->parked ? 1 : -1;
	if (left->live != right->live)
		return left->live < right->live ? 1 : -1;
	return left->statement < right->statement ? -1 : left->statement > right->statement;
}

static bool has_something(const struct pw_trace_site *site)
{
	return site->spawned || site->exited || site->parked || (site->ran && site->ran != PW_UNKNOWN) ||
	       (site->live != PW_UNKNOWN && site->live > 0);
}

uint64_t pw_trace_lost(const struct pw_trace *trace, size_t drop)
{
	const struct pw_record_drop *last = &trace->last->drops[drop];
	const char *reason = pw_record_string(trace->last, last->name);

	for (size_t i = 0; i < trace->first->drop_count; i++)
		if (!strcmp(pw_record_string(trace->first, trace->first->drops[i].name), reason))
			return since(trace->first->drops[i].count, last->count);
	return last->count;
}

static struct pw_trace_event how_counted(const struct pw_record_sampled *first, const struct pw_record_sampled *last,
					 uint64_t windows)
{
	double bound = pw_sampled_bound(last, first);
	bool sampled = last->counting == PW_COUNTING_WINDOWS || bound > 0;

	return (struct pw_trace_event){.sampled = sampled,
				       .exact = last->exact,
				       .error = sampled && !windows ? PW_UNKNOWN : (uint64_t)(bound + 0.5)};
}

int pw_trace_between(struct pw_trace *ret_trace, const struct pw_record *first, const struct pw_record *last, bool runs)
{
	struct pw_trace trace = {.first = first, .last = last, .runs = runs};
	struct pw_trace_site *sites = calloc(last->statement_count + 1, sizeof(*sites));
	size_t kept = 0;
	int r;

	if (!sites)
		return -ENOMEM;
	for (size_t i = 0; i < last->statement_count; i++) {
		sites[i].statement = (uint32_t)i;
		sites[i].live = PW_UNKNOWN;
		sites[i].creation_stack = UINT32_MAX;
	}
	trace.sites = sites;
	trace.site_count = last->statement_count;
	r = fill_counts(&trace, sites, first);
	if (r < 0) {
		pw_trace_done(&trace);
		return r;
	}
	fill_live(last, sites);
	for (size_t i = 0; i < last->statement_count; i++) {
		if (has_something(&sites[i]))
			sites[kept++] = sites[i];
		else
			free(sites[i].reasons);
	}
	trace.site_count = kept;
	qsort(sites, kept, sizeof(*sites), by_growth);
	trace.duration_ns = since(first->events.section.taken_ns, last->events.section.taken_ns);
	trace.spawned = since(first->events.spawned, last->events.spawned);
	trace.exited = since(first->events.exited, last->events.exited);
	trace.parked = since(first->events.parked, last->events.parked);
	trace.windows = since(first->events.windows, last->events.windows);
	trace.spawn = how_counted(&first->events.spawn, &last->events.spawn, trace.windows);
	trace.exit = how_counted(&first->events.exit, &last->events.exit, trace.windows);
	trace.park = how_counted(&first->events.park, &last->events.park, trace.windows);
	if (last->events.sampled_ns)
		trace.sampled_ns = since(PW_MAX(first->events.sampled_ns, first->events.section.taken_ns),
					 last->events.sampled_ns);
	for (size_t i = 0; i < last->drop_count; i++)
		trace.lost += pw_trace_lost(&trace, i);
	trace.spawned_by_goid = PW_UNKNOWN;
	if (first->runtime.section.present && last->runtime.section.present &&
	    first->runtime.numbers.spawn_total != PW_UNKNOWN && last->runtime.numbers.spawn_total != PW_UNKNOWN)
		trace.spawned_by_goid = since(first->runtime.numbers.spawn_total, last->runtime.numbers.spawn_total);
	*ret_trace = trace;
	return 0;
}

void pw_trace_done(struct pw_trace *trace)
{
	for (size_t i = 0; i < trace->site_count; i++)
		free(trace->sites[i].reasons);
	free(trace->sites);
	*trace = (struct pw_trace){0};
}

bool pw_trace_is_sampled(const struct pw_trace *trace)
{
	return trace->spawn.sampled || trace->exit.sampled || trace->park.sampled;
}

const char *pw_trace_sampled_text(const struct pw_trace *trace)
{
	if (!pw_trace_is_sampled(trace))
		return "";
	return pw_record_string(trace->last, trace->last->abilities[PW_ABILITY_EVENTS].reason);
}
