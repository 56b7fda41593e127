/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/descriptors.h"

#include <inttypes.h>
#include <stdio.h>

#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/phrase.h"
#include "analysis/process.h"
#include "analysis/trend.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter g07_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(g07_enabled), 1, 0, 1,
	 "judge by this rule; goroutines in IO wait as PW-G10 says"},
	{"quiet", PW_PARAMETER_DURATION, PW_RULE_FIELD(g07_quiet_ns), 15 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "goroutines: half of their connections have received nothing for so long, else they are alive"},
	{"min_closed", PW_PARAMETER_COUNT, PW_RULE_FIELD(g07_min_closed), 20, 1, 1e6,
	 "connections that the other side has closed a minute ago or more, and this one has not"},
	{"rising", PW_PARAMETER_COUNT, PW_RULE_FIELD(g07_rising), 3, 1, 1000, "they became more in so many looks"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(g07_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "descriptors rise over 60 of these, and over the last 15"},
	{"eta", PW_PARAMETER_DURATION, PW_RULE_FIELD(g07_eta_ns), 24 * PW_RULE_HOUR, PW_RULE_SEC,
	 30 * 24 * PW_RULE_HOUR, "and at that pace reach RLIMIT_NOFILE within this time"},
	{"min_added", PW_PARAMETER_COUNT, PW_RULE_FIELD(g07_min_added), 50, 0, 1e6, "so many more over the hour"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g07_baseline_factor), 1.25, 1, 1000,
	 "descriptors: at least so many times the baseline"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(g07_confirm), 3, 1, 60,
	 "descriptors: at so many buckets in a row"},
	{"baseline_min", PW_PARAMETER_DURATION, PW_RULE_FIELD(g07_baseline_ns), 2 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR, "descriptors: before, alerts are cold, level info"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(g07_clear_ns), 15 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long without"},
};

static const char *off(const struct pw_record *record, char *text, size_t size)
{
	if (record->holdings.section.present && record->holdings.numbers.tcp_close_wait != PW_UNKNOWN)
		return NULL;
	return pw_off_snapshot(record, text, size);
}

const struct pw_rule pw_rule_g07 = {
	.id = "PW-G07",
	.name = "IO wait without a deadline",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines wait for the network without a deadline and only get more; or connections that the other "
		"side "
		"has closed are kept; or descriptors will soon be at their limit. Connections that still receive, or "
		"that "
		"are normal for the service, are silent.",
	.hint = "Set read deadlines; close connections and response bodies; read to the end, so that it is noticed.",
	.parameters = g07_parameters,
	.parameter_count = ARRAY_SIZE(g07_parameters),
	.off = off,
};

enum { SUBJECT_CLOSED = 1, SUBJECT_FILES = 2 };
#define GAP_NS	   (600 * PW_NS_PER_SEC)
#define HOUR_NS	   (3600.0 * (double)PW_NS_PER_SEC)
#define NOT_LOW(n) ((n) / 2)

static uint64_t known(uint64_t value)
{
	return value == PW_UNKNOWN ? 0 : value;
}

static void end_words(struct pw_alert *alert, uint64_t peak)
{
	char now[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE];

	snprintf(alert->text, sizeof(alert->text), "%s: %s %s (peak %s)",
		 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended",
		 pw_phrase_number((uint64_t)alert->value, now), alert->unit, pw_phrase_number(peak, top));
}

static void put_limit(struct pw_alert *alert, const struct pw_holdings *numbers)
{
	alert->limit = numbers->files_max == PW_UNKNOWN ? 0 : (double)numbers->files_max;
	snprintf(alert->limit_name, sizeof(alert->limit_name), "%s", alert->limit > 0 ? "RLIMIT_NOFILE" : "");
}

static uint64_t eta_of(const struct pw_alert *alert, double open, double per_hour)
{
	double eta_ns = pw_climb_eta_ns(alert->limit - open, per_hour);

	return alert->limit > 0 && eta_ns < 1e18 ? (uint64_t)eta_ns : UINT64_MAX;
}

/* --- closed by the other side --------------------------------------------------------------------------------------
 */

static void closed_update(struct pw_alert *alert, const struct pw_record *record, const void *context,
			  uint64_t peak pw_unused)
{
	const struct pw_descriptors *descriptors = context;
	const struct pw_holdings *numbers = &record->holdings.numbers;
	char now[PW_PHRASE_NUMBER_SIZE], first[PW_PHRASE_NUMBER_SIZE], since[PW_PHRASE_NUMBER_SIZE],
		open[PW_PHRASE_NUMBER_SIZE], max[PW_PHRASE_NUMBER_SIZE];
	double hours = (double)(descriptors->closed.tick.wall_ns - alert->onset_wall_ns) / HOUR_NS;

	alert->value = (double)descriptors->closed.count;
	alert->growth_per_hour = hours > 0 ? (alert->value - alert->value_onset) / hours : 0;
	put_limit(alert, numbers);
	alert->eta_ns = eta_of(alert, (double)known(numbers->files), alert->growth_per_hour);
	snprintf(
		alert->text, sizeof(alert->text),
		"%s connections were closed by the other side a minute ago or more and are still open here (%s at %s): "
		"each keeps a descriptor; %s of %s are open",
		pw_phrase_number(descriptors->closed.count, now), pw_phrase_number((uint64_t)alert->value_onset, first),
		pw_phrase_clock(alert->onset_wall_ns, since), pw_phrase_number(known(numbers->files), open),
		alert->limit > 0 ? pw_phrase_number(numbers->files_max, max) : "an unknown number");
	snprintf(alert->hint, sizeof(alert->hint),
		 "Nobody reads or closes them: close each connection and response body when done with it, also on the "
		 "paths of errors.");
	snprintf(alert->reproduce, sizeof(alert->reproduce),
		 "lsof -nP -p %" PRId32 " | grep -e CLOSE_WAIT -e 'protocol: TCP'", alert->pid);
}

static void closed_begin(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context)
{
	const struct pw_descriptors *descriptors = context;

	snprintf(alert->unit, sizeof(alert->unit), "connections");
	alert->level = PW_LEVEL_WARNING; /* needs no baseline: there is nobody at the other end */
	snprintf(alert->confidence, sizeof(alert->confidence), "leak");
	alert->onset_wall_ns = descriptors->closed.first_wall_ns;
	alert->value_onset = (double)descriptors->closed.first;
}

static const struct pw_words closed_words = {.begin = closed_begin, .update = closed_update, .end = end_words};

static void note_closed(struct pw_descriptors *descriptors, const struct pw_record *record, uint64_t count)
{
	struct pw_tick *tick = &descriptors->closed.tick;
	uint64_t taken_ns = record->holdings.section.taken_ns;
	bool gap = !tick->taken_ns || taken_ns - tick->taken_ns > GAP_NS;

	if (count < descriptors->closed.count || !descriptors->closed.rises) {
		descriptors->closed.rises = 0;
		descriptors->closed.first = PW_MIN(count, descriptors->closed.count);
		descriptors->closed.first_wall_ns = gap ? record->wall_ns : tick->wall_ns;
	}
	descriptors->closed.rises += count > descriptors->closed.count;
	descriptors->closed.count = count;
	*tick = (struct pw_tick){.number = tick->number + 1,
				 .taken_ns = taken_ns,
				 .wall_ns = record->wall_ns,
				 .before_ns = gap ? 0 : tick->taken_ns,
				 .before_wall_ns = gap ? 0 : tick->wall_ns};
}

static void judge_closed(const struct pw_judge *judge, struct pw_descriptors *descriptors,
			 const struct pw_record *record)
{
	const struct pw_holdings *numbers = &record->holdings.numbers;
	const struct pw_rules_config *rules = judge->rules;
	const struct pw_incident *incident = descriptors->closed.condition.incident;
	struct pw_claim claim = {.rule = "PW-G07",
				 .subject = SUBJECT_CLOSED,
				 .baseline = -1,
				 .clear_ns = rules->g07_clear_ns,
				 .words = &closed_words,
				 .context = descriptors};

	if (numbers->tcp_close_wait_long == PW_UNKNOWN ||
	    record->holdings.section.taken_ns <= descriptors->closed.tick.taken_ns)
		return;
	note_closed(descriptors, record, numbers->tcp_close_wait_long + known(numbers->unix_closed_long));
	judge->stats->evaluated++;
	claim.value = descriptors->closed.count;
	claim.holds = rules->g07_enabled && descriptors->closed.count >= rules->g07_min_closed &&
		      descriptors->closed.rises >= rules->g07_rising;
	claim.low = descriptors->closed.count < rules->g07_min_closed ||
		    (incident && descriptors->closed.count <= NOT_LOW(incident->peak));
	(void)pw_condition_judge(judge->conditions, &descriptors->closed.condition, record, &descriptors->closed.tick,
				 &claim);
}

/* --- descriptors against their limit -------------------------------------------------------------------------------
 */

static void files_update(struct pw_alert *alert, const struct pw_record *record, const void *context,
			 uint64_t peak pw_unused)
{
	const struct pw_descriptors *descriptors = context;
	const struct pw_holdings *numbers = &record->holdings.numbers;
	const struct pw_climb_verdict *verdict = &descriptors->files.verdict;
	double open = descriptors->files.climb.value;
	char now[PW_PHRASE_NUMBER_SIZE], max[PW_PHRASE_NUMBER_SIZE], pace[PW_PHRASE_NUMBER_SIZE],
		sockets[PW_PHRASE_NUMBER_SIZE], eta[PW_DURATION_SIZE];

	alert->value = open;
	put_limit(alert, numbers);
	alert->growth_per_hour = verdict->slope_per_hour;
	alert->growth_low_per_hour = verdict->slope_low_per_hour;
	alert->growth_high_per_hour = verdict->slope_high_per_hour;
	alert->window_ns = verdict->window_ns;
	alert->eta_ns = eta_of(alert, open, verdict->slope_per_hour);
	alert->eta_low_ns = eta_of(alert, open, verdict->slope_high_per_hour);
	alert->eta_high_ns = eta_of(alert, open, verdict->slope_low_per_hour);
	pw_evidence_floors(alert, &descriptors->files.climb.floors, 0, PW_CLIMB_BUCKETS);
	if (descriptors->files.grows) {
		pw_alert_threshold(alert, "trend_z", verdict->z, pw_trend_z_needed(1), false);
		pw_alert_threshold(alert, "last_quarter_z", verdict->short_z, pw_trend_z_needed(1), false);
	}
	snprintf(alert->text, sizeof(alert->text),
		 "descriptors run out in %s: %s of %s are open, +%s/h; %s are sockets (%" PRIu64
		 " established, %" PRIu64 " closed by the other side)",
		 alert->eta_ns == UINT64_MAX ? "a time not known" : pw_time_duration(alert->eta_ns, eta),
		 pw_phrase_number((uint64_t)open, now), pw_phrase_number((uint64_t)alert->limit, max),
		 pw_phrase_number((uint64_t)PW_MAX(verdict->slope_per_hour, 0.0), pace),
		 pw_phrase_number(known(numbers->sockets), sockets), known(numbers->tcp_established),
		 known(numbers->tcp_close_wait) + known(numbers->tcp_dead) + known(numbers->unix_closed));
	snprintf(alert->hint, sizeof(alert->hint),
		 "At the limit each open, accept and connect fails: close what is no longer used; until then raise "
		 "LimitNOFILE.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "ls -l /proc/%" PRId32 "/fd", alert->pid);
}

static void files_begin(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context)
{
	const struct pw_descriptors *descriptors = context;

	snprintf(alert->unit, sizeof(alert->unit), "descriptors");
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "leak");
	alert->onset_wall_ns = descriptors->files.onset_wall_ns;
	alert->value_onset = descriptors->files.verdict.first;
}

static const struct pw_words files_words = {.begin = files_begin, .update = files_update, .end = end_words};

static void judge_files(const struct pw_judge *judge, struct pw_descriptors *descriptors,
			const struct pw_record *record)
{
	const struct pw_holdings *numbers = &record->holdings.numbers;
	const struct pw_rules_config *rules = judge->rules;
	struct pw_climb *climb = &descriptors->files.climb;
	const struct pw_climb_verdict *verdict = &descriptors->files.verdict;
	double baseline = pw_climb_baseline(climb, rules->g07_baseline_ns);
	struct pw_claim claim = {.rule = "PW-G07",
				 .subject = SUBJECT_FILES,
				 .baseline = baseline,
				 .confirm = rules->g07_confirm,
				 .clear_ns = rules->g07_clear_ns,
				 .words = &files_words,
				 .context = descriptors};

	if (numbers->files == PW_UNKNOWN || numbers->files_max == PW_UNKNOWN ||
	    !pw_climb_add(climb, record, rules->g07_bucket_ns, record->holdings.section.taken_ns,
			  (double)numbers->files, !descriptors->files.condition.incident) ||
	    !pw_climb_judge(climb, &descriptors->files.verdict))
		return;
	judge->stats->evaluated++;
	descriptors->files.grows = verdict->rises && verdict->new_maximum &&
				   verdict->last - verdict->first >= rules->g07_min_added &&
				   climb->value >= rules->g07_baseline_factor * baseline &&
				   pw_climb_eta_ns((double)numbers->files_max - climb->value, verdict->slope_per_hour) <
					   (double)rules->g07_eta_ns;
	claim.value = (uint64_t)climb->value;
	claim.holds = descriptors->files.grows && rules->g07_enabled;
	claim.low = !verdict->rises;
	if (claim.holds && !descriptors->files.condition.incident)
		descriptors->files.onset_wall_ns = record->wall_ns - PW_MIN(verdict->window_ns, record->wall_ns);
	(void)pw_condition_judge(judge->conditions, &descriptors->files.condition, record, &climb->tick, &claim);
}

void pw_descriptors_judge(const struct pw_judge *judge, struct pw_descriptors *descriptors,
			  const struct pw_record *record)
{
	if (!record->holdings.section.present)
		return;
	judge_closed(judge, descriptors, record);
	judge_files(judge, descriptors, record);
}
