/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/blocked.h"
#include "analysis/detector.h"

#include <stdio.h>
#include <string.h>

#include "analysis/evidence.h"
#include "analysis/explain.h"
#include "analysis/park.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter g02_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(g02_enabled), 1, 0, 1, "judge by this rule"},
	{"age", PW_PARAMETER_DURATION, PW_RULE_FIELD(g02_age_ns), 30 * PW_RULE_SEC, 0, 24 * PW_RULE_HOUR,
	 "parked for so long"},
};

const struct pw_rule pw_rule_g02 = {
	.id = "PW-G02",
	.name = "nil channel, select without cases",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines wait on a nil channel or in a select without cases, which nothing can ever end. "
		"One of "
		"them may be meant to keep something alive (info); main's own does not count.",
	.hint = "Look where the channel should have been made; a goroutine that has nothing to do should "
		"return.",
	.parameters = g02_parameters,
	.parameter_count = ARRAY_SIZE(g02_parameters),
	.off = pw_off_snapshot,
};

#define SITES_MAX 256U /* per process: each is a mistake in the program */
#define CONFIRM	  2    /* snapshots, DETECTORS 8: one census pair */

struct site {
	uint64_t key, gopc, seen, count;
	struct pw_condition condition;
};

static void site_free(void *value)
{
	free(value);
}

void pw_blocked_init(struct pw_blocked *blocked)
{
	*blocked = (struct pw_blocked){.sites = PW_TABLE_INIT(SITES_MAX, site_free)};
}

void pw_blocked_done(struct pw_blocked *blocked)
{
	pw_table_done(&blocked->sites);
}

/* How many have been parked so for at least that long; those that were so before we looked have been. */
static uint64_t parked_for(const struct pw_record *record, const struct pw_record_park *park, uint64_t age_ns)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns, count = 0;

	for (uint32_t i = 0; i < park->age_count; i++) {
		const struct pw_record_age *age = &record->snapshot.ages[park->first_age + i];

		if (age->born_before_ns <= taken_ns && taken_ns - age->born_before_ns >= age_ns)
			count += age->count;
	}
	return count;
}

struct evidence {
	const struct pw_rules_config *rules;
	const struct pw_record_park *park; /* NULL: none of them is there any more */
	uint64_t count;
};

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct evidence *evidence = context;
	uint64_t taken_ns = record->snapshot.section.taken_ns;

	pw_evidence_statement(alert, record, evidence->park->statement);
	/* One that waits for ever since the start may be meant to; a second one never is. */
	alert->level = evidence->count > 1 ? PW_LEVEL_WARNING : PW_LEVEL_INFO;
	snprintf(alert->confidence, sizeof(alert->confidence), "certain");
	alert->onset_wall_ns =
		record->wall_ns - PW_MIN(taken_ns - PW_MIN(evidence->park->oldest_since_ns, taken_ns), record->wall_ns);
	alert->parked_onset = evidence->count;
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct evidence *evidence = context;

	alert->parked = evidence->count;
	if (evidence->park) {
		pw_evidence_statement(alert, record, evidence->park->statement);
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, evidence->park->reason);
		pw_evidence_creation(alert, record, evidence->park->statement);
		pw_evidence_park(alert, record, evidence->park);
	}
	if (evidence->count > 1)
		alert->level = PW_LEVEL_WARNING;
	if (evidence->park)
		pw_alert_threshold(alert, "oldest_park_s", (double)alert->oldest_park_ns / (double)PW_NS_PER_SEC,
				   (double)evidence->rules->g02_age_ns / (double)PW_NS_PER_SEC, false);
	pw_explain_blocked(alert, peak);
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = pw_explain_blocked};

static void judge_site(const struct pw_judge *judge, struct site *site, const struct pw_record *record,
		       const struct pw_record_park *park, const struct pw_tick *tick)
{
	const struct evidence evidence = {.rules = judge->rules, .park = park, .count = site->count};
	struct pw_claim claim = {.rule = "PW-G02",
				 .subject = site->key,
				 .gopc = site->gopc,
				 .holds = site->count && judge->rules->g02_enabled,
				 .low = !site->count,
				 .confirm = CONFIRM,
				 .value = site->count,
				 .baseline = -1,
				 .words = &words,
				 .context = &evidence};

	judge->stats->evaluated++;
	(void)pw_condition_judge(judge->conditions, &site->condition, record, tick, &claim);
}

static struct site *site_of(struct pw_blocked *blocked, const struct pw_judge *judge, const struct pw_record *record,
			    const struct pw_record_park *park)
{
	uint64_t key = pw_park_key(record, park);
	struct site *site = pw_table_peek(&blocked->sites, &key, sizeof(key));

	if (site)
		return site;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->key = key;
	site->gopc = record->statements[park->statement].gopc;
	if (pw_table_put_u64(&blocked->sites, key, site) < 0) {
		judge->stats->sites_dropped++;
		free(site);
		return NULL;
	}
	return site;
}

int pw_blocked_judge(const struct pw_judge *judge, struct pw_blocked *blocked, const struct pw_record *record)
{
	struct pw_tick tick;

	if (!pw_park_tick(&blocked->last, record, &tick))
		return 0;
	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];
		uint64_t count = pw_park_is_judged(record, park) && pw_park_is_for_ever(record, park)
					 ? parked_for(record, park, judge->rules->g02_age_ns)
					 : 0;
		struct site *site = count ? site_of(blocked, judge, record, park) : NULL;

		if (!site || site->seen == tick.number)
			continue;
		site->seen = tick.number;
		site->count = count;
		judge_site(judge, site, record, park, &tick);
	}
	pw_table_foreach(&blocked->sites, entry)
	{
		struct site *site = entry->value;

		if (site->seen == tick.number)
			continue;
		site->count = 0;
		judge_site(judge, site, record, NULL, &tick);
		if (!site->condition.incident)
			pw_table_remove_u64(&blocked->sites, site->key);
	}
	return 0;
}
