/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/phrase.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter g09_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(g09_enabled), 1, 0, 1, "judge by this rule"},
	{"window", PW_PARAMETER_DURATION, PW_RULE_FIELD(g09_window_ns), 10 * PW_RULE_SEC, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "starts are counted over this"},
	{"min_rate", PW_PARAMETER_COUNT, PW_RULE_FIELD(g09_min_rate), 1000, 1, 1e9, "starts a second, at least"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g09_baseline_factor), 8, 1, 1000,
	 "and this times the baseline"},
	{"kept", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g09_kept), 0.5, 0, 1,
	 "the living grow by this share of the starts"},
	{"hold", PW_PARAMETER_DURATION, PW_RULE_FIELD(g09_hold_ns), 30 * PW_RULE_SEC, 0, PW_RULE_HOUR,
	 "for so long, in windows in a row"},
	{"warmup", PW_PARAMETER_DURATION, PW_RULE_FIELD(g09_warmup_ns), 10 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "younger processes teach the baseline nothing"},
	{"baseline_min", PW_PARAMETER_DURATION, PW_RULE_FIELD(g09_baseline_ns), 2 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR, "healthy time that makes a baseline; before, alerts are cold, level info"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(g09_clear_ns), PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long without"},
};

const struct pw_rule pw_rule_g09 = {
	.id = "PW-G09",
	.name = "spawn storm",
	.level = PW_LEVEL_WARNING,
	.text = "Far more goroutines are started than is normal, and at least half of them stay. A busy server whose "
		"goroutines end as fast as they start is silent.",
	.hint = "Bound what that go statement starts: a pool of workers, or a semaphore.",
	.parameters = g09_parameters,
	.parameter_count = ARRAY_SIZE(g09_parameters),
	.off = pw_storm_off,
};

#define BASELINE_SAMPLES  60
#define BASELINE_QUANTILE 0.999
#define GAP_WINDOWS	  3

/* --- counts --------------------------------------------------------------------------------------------------------
 */

struct counts {
	uint64_t taken_ns, started, live;
	bool by_probes;
};

static uint64_t live_of(const struct pw_record *record)
{
	if (record->runtime.section.present && record->runtime.numbers.goroutines != PW_UNKNOWN)
		return record->runtime.numbers.goroutines;
	return record->census.section.present ? record->census.total : PW_UNKNOWN;
}

/* False: not known, or not news. */
static bool counts_of(const struct pw_record *record, struct counts *ret_counts)
{
	const struct pw_section *runtime = &record->runtime.section, *events = &record->events.section;
	struct counts counts = {.live = live_of(record)};

	if (runtime->present && record->runtime.numbers.spawn_total != PW_UNKNOWN) {
		if (runtime->quality == PW_STALE)
			return false;
		counts.taken_ns = runtime->taken_ns;
		counts.started = record->runtime.numbers.spawn_total;
	} else if (events->present && events->quality != PW_STALE) {
		counts.taken_ns = events->taken_ns;
		counts.started = record->events.spawned;
		counts.by_probes = true;
	}
	*ret_counts = counts;
	return counts.taken_ns && counts.live != PW_UNKNOWN;
}

const char *pw_storm_off(const struct pw_record *record, char *text, size_t size)
{
	(void)text;
	(void)size;
	if (!record->events.section.present &&
	    (!record->runtime.section.present || record->runtime.numbers.spawn_total == PW_UNKNOWN))
		return "neither memory nor probes tell how many goroutines are started";
	return live_of(record) == PW_UNKNOWN ? "nothing tells how many goroutines live" : NULL;
}

/* --- words ---------------------------------------------------------------------------------------------------------
 */

/* Of the statement of each group: those that were not yet there a window ago. Initial ones are older than any window.
 */
static uint64_t young_of(const struct pw_record *record, const struct pw_record_group *group, uint64_t window_ns)
{
	const struct pw_record_statement *statement = &record->statements[group->statement];
	uint64_t old = pw_group_older_than(record, group, window_ns, false) + group->count_initial;

	if (statement->system || !statement->gopc || statement->gopc == PW_STATEMENT_OTHER)
		return 0;
	return group->count - PW_MIN(group->count, old);
}

/* The go statement that has most of the goroutines born in the last window; 0: none, or no census that tells. */
static uint64_t culprit(const struct pw_record *record, uint64_t window_ns)
{
	_cleanup_free_ uint64_t *young = calloc(record->statement_count + 1, sizeof(*young));
	size_t most = record->statement_count;

	if (!young || !record->census.section.present)
		return 0;
	for (size_t i = 0; i < record->census.group_count; i++) {
		uint32_t statement = record->census.groups[i].statement;

		young[statement] += young_of(record, &record->census.groups[i], window_ns);
		if (young[statement] > young[most])
			most = statement;
	}
	return young[most] ? record->statements[most].gopc : 0;
}

static void explain(struct pw_alert *alert, uint64_t peak)
{
	char rate[PW_PHRASE_NUMBER_SIZE], now[PW_PHRASE_NUMBER_SIZE], first[PW_PHRASE_NUMBER_SIZE],
		since[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE], usual[PW_PHRASE_NUMBER_SIZE],
		where[PW_PHRASE_PLACE_SIZE];
	bool ended = alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;
	double kept = alert->arrivals_per_hour > 0 ? alert->growth_per_hour / alert->arrivals_per_hour : 0;

	pw_phrase_place(&alert->statement, where);
	pw_phrase_number((uint64_t)alert->value, rate);
	pw_phrase_number(alert->parked, now);
	if (ended)
		snprintf(alert->text, sizeof(alert->text), "%s: %s goroutines started a second (peak %s), mostly at %s",
			 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended", rate,
			 pw_phrase_number(peak, top), where);
	else
		snprintf(
			alert->text, sizeof(alert->text),
			"%s goroutines are started a second and %.0f%% of them stay: %s now, %s at %s; most of the new "
			"ones started at %s (%s%s)",
			rate, 100 * PW_MIN(PW_MAX(kept, 0.0), 1.0), now, pw_phrase_number(alert->parked_onset, first),
			pw_phrase_clock(alert->onset_wall_ns, since), where,
			alert->baseline < 0 ? "no baseline yet" : "normal: up to ",
			alert->baseline < 0 ? "" : pw_phrase_number((uint64_t)alert->baseline, usual));
	snprintf(alert->hint, sizeof(alert->hint),
		 "Something starts goroutines without a bound: see who calls that go statement, and let it wait for "
		 "a free worker or a semaphore.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch trace -p %" PRId32 " -d 10s", alert->pid);
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct pw_storm *storm = context;
	double per_hour = 3600 * storm->per_second;

	alert->parked = storm->live;
	alert->value = storm->per_second;
	if (storm->per_second >= storm->limit_per_second)
		pw_alert_threshold(alert, "starts_per_s", storm->per_second, storm->limit_per_second, false);
	alert->arrivals_per_hour = per_hour;
	alert->growth_per_hour = per_hour * storm->kept;
	alert->exits_per_hour = per_hour * PW_MAX(0.0, 1 - storm->kept);
	for (uint32_t i = 0; i < record->statement_count; i++)
		if (storm->gopc && record->statements[i].gopc == storm->gopc) {
			pw_evidence_statement(alert, record, i); /* the name may be known since */
			pw_evidence_creation(alert, record, i);
			pw_evidence_parked(alert, record, i);
		}
	explain(alert, peak);
}

static void begin_words(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context)
{
	const struct pw_storm *storm = context;

	snprintf(alert->unit, sizeof(alert->unit), "starts/s");
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "suspected");
	alert->onset_wall_ns = storm->first_wall_ns;
	alert->parked_onset = storm->first_live;
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = explain};

/* --- windows -------------------------------------------------------------------------------------------------------
 */

static double baseline_of(const struct pw_storm *storm, const struct pw_rules_config *rules)
{
	if (storm->rates.samples < BASELINE_SAMPLES || storm->rates_ns < rules->g09_baseline_ns)
		return -1;
	return pw_baseline_quantile(&storm->rates, BASELINE_QUANTILE);
}

static void begin_window(struct pw_storm *storm, const struct pw_record *record, const struct counts *counts)
{
	storm->taken_ns = counts->taken_ns;
	storm->wall_ns = record->wall_ns;
	storm->started = counts->started;
	storm->live = counts->live;
	storm->by_probes = counts->by_probes;
}

/* Is this record the end of a window? Whatever cannot be compared with its beginning begins a new one. */
static bool ends_window(struct pw_storm *storm, const struct pw_rules_config *rules, const struct pw_record *record,
			const struct counts *counts)
{
	bool before = storm->taken_ns && counts->taken_ns >= storm->taken_ns && counts->started >= storm->started &&
		      counts->by_probes == storm->by_probes;
	uint64_t elapsed_ns = before ? counts->taken_ns - storm->taken_ns : 0;

	if (before && elapsed_ns < rules->g09_window_ns)
		return false;
	if (before && elapsed_ns <= GAP_WINDOWS * rules->g09_window_ns)
		return true;
	begin_window(storm, record, counts);
	if (!storm->condition.incident)
		storm->condition.held = 0;
	return false;
}

static void measure(struct pw_storm *storm, const struct pw_record *record, const struct counts *counts)
{
	double seconds = (double)(counts->taken_ns - storm->taken_ns) / (double)PW_NS_PER_SEC;
	double started = (double)(counts->started - storm->started), grown = (double)counts->live - (double)storm->live;

	if (!storm->condition.held && !storm->condition.incident) {
		storm->first_wall_ns = storm->wall_ns;
		storm->first_live = storm->live;
	}
	storm->per_second = started / seconds;
	storm->kept = started > 0 ? grown / started : 0;
	storm->tick = (struct pw_tick){.number = storm->tick.number + 1,
				       .taken_ns = counts->taken_ns,
				       .wall_ns = record->wall_ns,
				       .before_ns = storm->taken_ns,
				       .before_wall_ns = storm->wall_ns};
	if (counts->taken_ns > record->identity.start_time_ns)
		storm->tick.uptime_ns = counts->taken_ns - record->identity.start_time_ns;
	begin_window(storm, record, counts);
}

void pw_storm_judge(const struct pw_judge *judge, struct pw_storm *storm, const struct pw_record *record)
{
	const struct pw_rules_config *rules = judge->rules;
	double baseline = baseline_of(storm, rules);
	struct pw_claim claim = {
		.rule = "PW-G09", .stacks = true, .baseline = baseline, .words = &words, .context = storm};
	struct counts counts;
	bool grows, stormy;

	if (!counts_of(record, &counts) || !ends_window(storm, rules, record, &counts))
		return;
	measure(storm, record, &counts);
	judge->stats->evaluated++;
	storm->limit_per_second = PW_MAX((double)rules->g09_min_rate, rules->g09_baseline_factor * baseline);
	grows = storm->per_second >= rules->g09_min_rate && storm->kept >= rules->g09_kept;
	stormy = grows && storm->per_second >= storm->limit_per_second;
	if (storm->condition.incident)
		claim.baseline = storm->condition.incident->baseline;
	claim.holds = stormy && rules->g09_enabled;
	if (claim.holds && !storm->condition.incident)
		storm->gopc = culprit(record, storm->tick.taken_ns - storm->tick.before_ns);
	claim.subject = claim.gopc = storm->gopc;
	claim.low = !stormy;
	claim.confirm = (uint32_t)((rules->g09_hold_ns + rules->g09_window_ns - 1) / rules->g09_window_ns);
	claim.clear_ns = rules->g09_clear_ns;
	claim.value = (uint64_t)storm->per_second;
	(void)pw_condition_judge(judge->conditions, &storm->condition, record, &storm->tick, &claim);
	if (!grows && !storm->condition.incident && storm->tick.uptime_ns >= rules->g09_warmup_ns) {
		pw_baseline_absorb(&storm->rates, (uint64_t)storm->per_second, 1);
		storm->rates_ns += storm->tick.taken_ns - storm->tick.before_ns;
	}
}
