/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/evidence.h"
#include "analysis/explain.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

/*
 * Pile-ups of one process, PW-G08. It has ticks: the first census in each interval of g08_tick_ns of CLOCK_BOOTTIME. A
 * tick sums the census up by go statement (samples), hands each site its sample, and judges it. Whatever keeps ticks
 * from being what they claim, a suspended host, a census that was skipped, a clock that went back, is a gap: then
 * nothing is compared with what was before it.
 */
#define REPLACEMENTS_MAX  64U /* of small sites by larger ones in one tick: bounds the work */
#define GAP_TICKS	  3
#define GAP_CENSUS_MAX_NS (120 * PW_NS_PER_SEC) /* a census slower than this is always a gap */

static void site_free(void *value)
{
	free(value);
}

void pw_pileups_init(struct pw_pileups *pileups)
{
	*pileups = (struct pw_pileups){.sites = PW_TABLE_INIT(PW_PROCESS_SITES_MAX, site_free)};
}

void pw_pileups_done(struct pw_pileups *pileups)
{
	pw_table_done(&pileups->sites);
}

/* --- samples ----------------------------------------------------------------------------------------------------- */

/* Adds one group of the census to the sample of its statement. */
static void add_group(struct pw_site_sample *sample, const struct pw_record *record,
		      const struct pw_record_group *group, uint64_t age_ns, uint64_t since_ns)
{
	uint64_t old = pw_group_older_than(record, group, age_ns, false);

	sample->live += group->count;
	sample->all_old += old + group->count_initial;
	if (since_ns)
		sample->arrivals += old - pw_group_older_than(record, group, age_ns + since_ns, false);
	if (!pw_status_parked(group->status))
		return;
	sample->parked += group->count;
	sample->parked_old += old;
	if (group->count > sample->reason_count) {
		sample->reason = group->reason;
		sample->reason_count = group->count;
	}
}

/* Sums the record up by statement. since_ns: time since the tick before, 0 for none. */
static int take_samples(const struct pw_judge *judge, const struct pw_record *record, uint64_t since_ns)
{
	/* Estimates by go statement are no evidence of what still grows: then the census has to do. */
	bool counted = record->events.section.present && record->events.section.quality != PW_STALE &&
		       record->events.spawn.counting == PW_COUNTING_CONTINUOUS &&
		       record->events.exit.counting == PW_COUNTING_CONTINUOUS;
	struct pw_site_sample *samples;

	if (record->statement_count > judge->samples->capacity) {
		struct pw_site_sample *items = realloc(judge->samples->items, record->statement_count * sizeof(*items));

		if (!items)
			return -ENOMEM;
		judge->samples->items = items;
		judge->samples->capacity = record->statement_count;
	}
	samples = judge->samples->items;
	for (size_t i = 0; i < record->statement_count; i++)
		samples[i] = (struct pw_site_sample){.statement = (uint32_t)i, .started_minus_ended = PW_UNKNOWN};
	for (size_t i = 0; i < record->census.group_count; i++)
		add_group(&samples[record->census.groups[i].statement], record, &record->census.groups[i],
			  judge->rules->g08_age_ns, since_ns);
	for (size_t i = 0; counted && i < record->events.count; i++) {
		const struct pw_record_event_count *count = &record->events.counts[i];

		/* Modulo 2^64: only differences are looked at, and those born before attach may make it negative. */
		samples[count->statement].started_minus_ended = (count->spawned - count->exited) + (UINT64_MAX >> 1);
	}
	return 0;
}

/* --- sites ------------------------------------------------------------------------------------------------------- */

static struct pw_site *site_new(const struct pw_pileups *pileups, uint64_t gopc)
{
	struct pw_site *site = calloc(1, sizeof(*site));

	if (!site)
		return NULL;
	site->gopc = gopc;
	/* Not seen before means that nothing of it was parked before, if no site was ever lost. */
	if (!pileups->sites_lost) {
		pw_baseline_absorb(&site->baseline, 0, pileups->healthy_ticks);
		site->baseline_ns = pileups->healthy_ns;
	}
	return site;
}

static struct pw_site *smallest_site(const struct pw_pileups *pileups)
{
	struct pw_site *smallest = NULL;

	pw_table_foreach(&pileups->sites, entry)
	{
		struct pw_site *site = entry->value;

		if (!site->condition.incident && (!smallest || site->last.parked_old < smallest->last.parked_old))
			smallest = site;
	}
	return smallest;
}

/* Makes room by dropping a site at most half as large. False if there is none: floor is then what would be large
 * enough. */
static bool make_room(const struct pw_judge *judge, struct pw_pileups *pileups, uint64_t size, uint64_t *floor)
{
	struct pw_site *smallest;

	if (pw_table_count(&pileups->sites) < PW_PROCESS_SITES_MAX)
		return true;
	pileups->sites_lost = true;
	judge->stats->sites_dropped++;
	if (size <= *floor)
		return false;
	smallest = smallest_site(pileups);
	if (!smallest || size <= 2 * smallest->last.parked_old) {
		*floor = smallest ? 2 * smallest->last.parked_old : UINT64_MAX;
		return false;
	}
	pw_table_remove_u64(&pileups->sites, smallest->gopc);
	return true;
}

/* Sites of statements that have something old and parked for the first time. */
static int add_sites(const struct pw_judge *judge, struct pw_pileups *pileups, const struct pw_record *record)
{
	uint64_t floor = 0;
	unsigned int replaced = 0;

	for (size_t i = 0; i < record->statement_count; i++) {
		const struct pw_record_statement *statement = &record->statements[i];
		const struct pw_site_sample *sample = &judge->samples->items[i];
		struct pw_site *site;

		if (statement->system || !statement->gopc || statement->gopc == PW_STATEMENT_OTHER ||
		    !sample->parked_old || pw_table_peek(&pileups->sites, &statement->gopc, sizeof(statement->gopc)))
			continue;
		if (replaced >= REPLACEMENTS_MAX)
			floor = UINT64_MAX;
		if (!make_room(judge, pileups, sample->parked_old, &floor))
			continue;
		replaced += pileups->sites_lost;
		site = site_new(pileups, statement->gopc);
		if (!site)
			return -ENOMEM;
		if (pw_table_put_u64(&pileups->sites, statement->gopc, site) < 0) {
			free(site);
			return -ENOMEM;
		}
	}
	return 0;
}

/* --- words ------------------------------------------------------------------------------------------------------- */

struct evidence {
	const struct pw_rules_config *rules;
	const struct pw_site *site;
	const struct pw_tick *tick;
};

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct evidence *evidence = context;
	const struct pw_site *site = evidence->site;

	pw_evidence_statement(alert, record, site->last.statement);
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "suspected");
	alert->onset_wall_ns = site->onset_wall_ns;
	alert->parked_onset = site->onset_parked;
	pw_alert_threshold(alert, "old_parked", (double)site->last.parked_old,
			   pw_pileup_threshold(site, evidence->rules), false);
	pw_alert_threshold(alert, "rising_ticks", site->rising, evidence->rules->g08_rising_ticks, false);
	pw_alert_threshold(alert, "exit_share", pw_pileup_exit_share(site, evidence->rules),
			   evidence->rules->g08_exit_ratio, true);
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct evidence *evidence = context;
	const struct pw_site *site = evidence->site;
	struct pw_pileup_evidence shown = {
		.age_ns = evidence->rules->g08_age_ns, .peak = peak, .parked_old = site->last.parked_old};
	double hours = (double)(evidence->tick->taken_ns - site->onset_ns) / (3600.0 * (double)PW_NS_PER_SEC);

	alert->parked = site->last.parked;
	if (site->last.parked) {
		pw_evidence_statement(alert, record, site->last.statement); /* the name may be known since */
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, site->last.reason);
		pw_evidence_creation(alert, record, site->last.statement);
		pw_evidence_parked(alert, record, site->last.statement);
	}
	/* By the old ones: how many young ones were there at the onset nobody may have looked at. */
	alert->growth_per_hour = hours > 0 ? ((double)site->last.parked_old - (double)site->onset_old) / hours : 0;
	alert->floor_bucket_ns = evidence->rules->g08_tick_ns;
	alert->floor_count = pw_pileup_series(site, alert->floors, PW_ALERT_FLOORS_MAX);
	pw_explain_pileup(alert, &shown);
}

static void end_words(struct pw_alert *alert, uint64_t peak)
{
	pw_explain_pileup(alert, &(struct pw_pileup_evidence){.peak = peak});
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = end_words};

/* --- ticks ------------------------------------------------------------------------------------------------------- */

/* Is the time since the last tick too long, or negative, for the two to be compared? */
static bool is_gap(const struct pw_pileups *pileups, const struct pw_rules_config *config, uint64_t taken_ns)
{
	uint64_t usual = PW_MAX(config->g08_tick_ns, PW_MIN(pileups->usual_ns, GAP_CENSUS_MAX_NS));

	return !pileups->tick || taken_ns <= pileups->taken_ns || taken_ns - pileups->taken_ns > GAP_TICKS * usual;
}

/* Is this record the first of a new tick? Then *ret_tick describes it. */
static bool next_tick(const struct pw_judge *judge, struct pw_pileups *pileups, const struct pw_record *record,
		      struct pw_tick *ret_tick)
{
	uint64_t taken_ns = record->census.section.taken_ns;
	uint64_t index = taken_ns / PW_MAX(judge->rules->g08_tick_ns, 1ULL);
	bool gap;

	if (!record->census.section.present || !taken_ns ||
	    (pileups->tick && (taken_ns == pileups->taken_ns || index == pileups->tick_index)))
		return false;
	gap = is_gap(pileups, judge->rules, taken_ns);
	*ret_tick = (struct pw_tick){.number = pileups->tick + 1,
				     .taken_ns = taken_ns,
				     .wall_ns = record->wall_ns,
				     .before_ns = gap ? 0 : pileups->taken_ns,
				     .before_wall_ns = gap ? 0 : pileups->wall_ns};
	if (taken_ns > record->identity.start_time_ns)
		ret_tick->uptime_ns = taken_ns - record->identity.start_time_ns;
	if (pileups->tick && taken_ns > pileups->taken_ns)
		pileups->usual_ns = taken_ns - pileups->taken_ns;
	pileups->tick_index = index;
	pileups->taken_ns = taken_ns;
	pileups->wall_ns = record->wall_ns;
	pileups->tick++;
	if (!gap && ret_tick->uptime_ns >= judge->rules->g08_warmup_ns) {
		pileups->healthy_ns += taken_ns - ret_tick->before_ns;
		pileups->healthy_ticks++;
	}
	return true;
}

/* Hands each site its sample; those whose statement has none any more get an empty one. */
static void observe_sites(const struct pw_judge *judge, struct pw_pileups *pileups, const struct pw_record *record,
			  const struct pw_tick *tick)
{
	static const struct pw_site_sample nothing = {.started_minus_ended = PW_UNKNOWN};

	for (size_t i = 0; i < record->statement_count; i++) {
		uint64_t gopc = record->statements[i].gopc;
		struct pw_site *site = pw_table_peek(&pileups->sites, &gopc, sizeof(gopc));

		if (!site || site->seen_tick == tick->number)
			continue;
		site->seen_tick = tick->number;
		pw_pileup_observe(site, &judge->samples->items[i], tick);
	}
	pw_table_foreach(&pileups->sites, entry)
	{
		struct pw_site *site = entry->value;

		if (site->seen_tick != tick->number)
			pw_pileup_observe(site, &nothing, tick);
	}
}

static void judge_site(const struct pw_judge *judge, struct pw_site *site, const struct pw_record *record,
		       const struct pw_tick *tick)
{
	const struct pw_incident *incident = site->condition.incident;
	const struct evidence evidence = {.rules = judge->rules, .site = site, .tick = tick};
	struct pw_claim claim = {.rule = "PW-G08",
				 .subject = site->gopc,
				 .gopc = site->gopc,
				 .stacks = true,
				 .value = site->last.parked_old,
				 .words = &words,
				 .context = &evidence};
	uint64_t peak;
	bool cold;

	if (incident) {
		claim.baseline = incident->baseline;
		claim.low = pw_pileup_is_low(site, judge->rules, incident->baseline, incident->peak);
	} else {
		claim.holds = pw_pileup_fires(site, judge->rules);
		claim.baseline = pw_pileup_baseline(site, judge->rules);
	}
	cold = claim.baseline < 0;
	claim.clear_ns = pw_pileup_clear_ns(judge->rules, cold);
	peak = incident ? PW_MAX(incident->peak, site->last.parked_old) : 0;
	if (pw_condition_judge(judge->conditions, &site->condition, record, tick, &claim) == PW_CONDITION_OVER)
		pw_pileup_drained(site, peak, cold);
}

int pw_pileups_judge(const struct pw_judge *judge, struct pw_pileups *pileups, const struct pw_record *record)
{
	struct pw_tick tick;
	int r;

	if (!next_tick(judge, pileups, record, &tick))
		return 0;
	r = take_samples(judge, record, tick.before_ns ? tick.taken_ns - tick.before_ns : 0);
	if (r == 0)
		r = add_sites(judge, pileups, record);
	if (r < 0)
		return r;
	observe_sites(judge, pileups, record, &tick);
	pw_table_foreach(&pileups->sites, entry)
	{
		struct pw_site *site = entry->value;

		judge->stats->evaluated++;
		judge_site(judge, site, record, &tick);
		pw_pileup_learn(site, judge->rules, &tick);
	}
	return 0;
}
