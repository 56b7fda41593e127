/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/timers.h"

#include <inttypes.h>
#include <stdio.h>

#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/phrase.h"
#include "analysis/process.h"
#include "analysis/trend.h"
#include "base/macros.h"
#include "base/robust.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter t01_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(t01_enabled), 1, 0, 1, "judge by this rule"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(t01_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "rises over 60 of these, and over the last 15"},
	{"min_timers", PW_PARAMETER_COUNT, PW_RULE_FIELD(t01_min_timers), 10000, 1, 1e9, "from so many on"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(t01_baseline_factor), 2, 1, 1000,
	 "at least so many times the baseline"},
	{"ratio_growth", PW_PARAMETER_NUMBER, PW_RULE_FIELD(t01_ratio_growth), 0.25, 0, 1000,
	 "timers per open descriptor grow by this share, too: else they are the deadlines of more connections"},
	{"collections", PW_PARAMETER_COUNT, PW_RULE_FIELD(t01_collections), 2, 0, 1000,
	 "Go 1.23 and later: so many GC cycles within the window"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(t01_confirm), 3, 1, 60, "at so many buckets in a row"},
	{"baseline_min", PW_PARAMETER_DURATION, PW_RULE_FIELD(t01_baseline_ns), 2 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR, "healthy time that makes a baseline; before, alerts are cold, level info"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(t01_clear_ns), PW_RULE_HOUR, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long without a rise"},
};

static const char *off(const struct pw_record *record, char *text, size_t size)
{
	if (!record->holdings.section.present)
		return "its timers have not been looked at yet";
	return record->holdings.numbers.timers == PW_UNKNOWN
		       ? pw_off_because(record, PW_ABILITY_MEMORY, "its timers cannot be counted", text, size)
		       : NULL;
}

const struct pw_rule pw_rule_t01 = {
	.id = "PW-T01",
	.name = "timers accumulate",
	.level = PW_LEVEL_WARNING,
	.text = "The scheduler keeps ever more timers, over an hour and its last quarter, more than the open "
		"descriptors "
		"explain. From Go 1.23 on those that nobody refers to are collected: what is left is still in use.",
	.hint = "Stop timers and tickers that are no longer needed: AfterFunc, NewTicker, contexts with a deadline.",
	.parameters = t01_parameters,
	.parameter_count = ARRAY_SIZE(t01_parameters),
	.off = off,
};

#define COLLECTED_SINCE 23 /* go1.23: unreferenced timers */

/* --- words ---------------------------------------------------------------------------------------------------------
 */

static void end_words(struct pw_alert *alert, uint64_t peak)
{
	char now[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE];

	snprintf(alert->text, sizeof(alert->text), "%s: %s timers (peak %s)",
		 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended",
		 pw_phrase_number((uint64_t)alert->value, now), pw_phrase_number(peak, top));
}

static void update_words(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context,
			 uint64_t peak pw_unused)
{
	const struct pw_timer_growth *growth = context;
	char now[PW_PHRASE_NUMBER_SIZE], first[PW_PHRASE_NUMBER_SIZE], pace[PW_PHRASE_NUMBER_SIZE],
		since[PW_PHRASE_NUMBER_SIZE], files[PW_PHRASE_NUMBER_SIZE];

	alert->value = growth->timers.value;
	alert->growth_per_hour = growth->verdict.slope_per_hour;
	alert->growth_low_per_hour = growth->verdict.slope_low_per_hour;
	alert->growth_high_per_hour = growth->verdict.slope_high_per_hour;
	alert->window_ns = growth->verdict.window_ns;
	pw_evidence_floors(alert, &growth->timers.floors, 0, PW_CLIMB_BUCKETS);
	if (growth->grows) {
		pw_alert_threshold(alert, "timers", growth->verdict.last, growth->least, false);
		pw_alert_threshold(alert, "trend_z", growth->verdict.z, pw_trend_z_needed(1), false);
		pw_alert_threshold(alert, "last_quarter_z", growth->verdict.short_z, pw_trend_z_needed(1), false);
	}
	snprintf(alert->text, sizeof(alert->text),
		 "%s timers wait in the scheduler, %s at %s, +%s/h; %s descriptors are open, so they are not the "
		 "deadlines "
		 "of connections",
		 pw_phrase_number((uint64_t)alert->value, now), pw_phrase_number((uint64_t)alert->value_onset, first),
		 pw_phrase_clock(alert->onset_wall_ns, since),
		 pw_phrase_number((uint64_t)PW_MAX(alert->growth_per_hour, 0.0), pace),
		 pw_phrase_number((uint64_t)growth->files.value, files));
	snprintf(alert->hint, sizeof(alert->hint),
		 "Something makes timers and does not stop them: time.AfterFunc, NewTicker without Stop, "
		 "context.WithTimeout whose cancel is never called.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch heap -p %" PRId32 " --interval 60s",
		 alert->pid);
}

static void begin_words(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context)
{
	const struct pw_timer_growth *growth = context;

	snprintf(alert->unit, sizeof(alert->unit), "timers");
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "leak");
	alert->onset_wall_ns = growth->onset_wall_ns;
	alert->value_onset = growth->verdict.first;
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = end_words};

/* --- looks ---------------------------------------------------------------------------------------------------------
 */

/* Do timers grow faster than descriptors do? Of no descriptors nothing can be said against it. */
static bool outgrows_files(const struct pw_timer_growth *growth, double least)
{
	double timers[PW_CLIMB_BUCKETS], files[PW_CLIMB_BUCKETS], scratch[PW_CLIMB_BUCKETS], filled, before, now;
	size_t third = PW_CLIMB_BUCKETS / 3;

	if (pw_floors_copy(&growth->timers.floors, 0, timers, PW_CLIMB_BUCKETS, &filled) < PW_CLIMB_BUCKETS ||
	    pw_floors_copy(&growth->files.floors, 0, files, PW_CLIMB_BUCKETS, &filled) < PW_CLIMB_BUCKETS)
		return true;
	for (size_t i = 0; i < PW_CLIMB_BUCKETS; i++)
		timers[i] /= PW_MAX(files[i], 1.0);
	before = pw_robust_median(timers, third, scratch);
	now = pw_robust_median(timers + PW_CLIMB_BUCKETS - third, third, scratch);
	return now > before * (1 + least);
}

static bool survive(const struct pw_timer_growth *growth, const struct pw_record *record, uint32_t collections)
{
	double cycles[PW_CLIMB_BUCKETS], filled;
	int minor = 0;

	if (sscanf(pw_record_string(record, record->identity.go_version), "go1.%d", &minor) != 1 ||
	    minor < COLLECTED_SINCE)
		return true;
	return pw_floors_copy(&growth->cycles.floors, 0, cycles, PW_CLIMB_BUCKETS, &filled) == PW_CLIMB_BUCKETS &&
	       cycles[PW_CLIMB_BUCKETS - 1] - cycles[PW_CLIMB_BUCKETS - PW_CLIMB_SHORT] >= collections;
}

static bool add(const struct pw_judge *judge, struct pw_timer_growth *growth, const struct pw_record *record)
{
	const struct pw_holdings *numbers = &record->holdings.numbers;
	uint64_t bucket_ns = judge->rules->t01_bucket_ns, taken_ns = record->holdings.section.taken_ns;

	if (numbers->files != PW_UNKNOWN)
		(void)pw_climb_add(&growth->files, record, bucket_ns, taken_ns, (double)numbers->files, false);
	if (numbers->gc_cycles != PW_UNKNOWN)
		(void)pw_climb_add(&growth->cycles, record, bucket_ns, taken_ns, (double)numbers->gc_cycles, false);
	return pw_climb_add(&growth->timers, record, bucket_ns, taken_ns, (double)numbers->timers,
			    !growth->condition.incident);
}

void pw_timer_growth_judge(const struct pw_judge *judge, struct pw_timer_growth *growth, const struct pw_record *record)
{
	const struct pw_rules_config *rules = judge->rules;
	double baseline = pw_climb_baseline(&growth->timers, rules->t01_baseline_ns);
	struct pw_claim claim = {.rule = "PW-T01", .baseline = baseline, .words = &words, .context = growth};

	if (!record->holdings.section.present || record->holdings.numbers.timers == PW_UNKNOWN ||
	    !add(judge, growth, record) || !pw_climb_judge(&growth->timers, &growth->verdict))
		return;
	judge->stats->evaluated++;
	claim.value = (uint64_t)growth->timers.value;
	growth->least = PW_MAX((double)rules->t01_min_timers, rules->t01_baseline_factor * baseline);
	growth->grows = growth->verdict.rises && growth->verdict.new_maximum && growth->verdict.last >= growth->least &&
			outgrows_files(growth, rules->t01_ratio_growth) &&
			survive(growth, record, rules->t01_collections);
	claim.holds = growth->grows && rules->t01_enabled;
	claim.low = !growth->verdict.rises;
	claim.confirm = rules->t01_confirm;
	claim.clear_ns = rules->t01_clear_ns;
	if (claim.holds && !growth->condition.incident)
		growth->onset_wall_ns = record->wall_ns - PW_MIN(growth->verdict.window_ns, record->wall_ns);
	(void)pw_condition_judge(judge->conditions, &growth->condition, record, &growth->timers.tick, &claim);
}
