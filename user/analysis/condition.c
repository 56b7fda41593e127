/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/condition.h"

#include <stdio.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/process.h"
#include "analysis/severity.h"
#include "analysis/policy.h"
#include "analysis/explain.h"
#include "analysis/heap_lines.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

/*
 * An alert shows the stacks that its goroutines are parked on; one about memory, the lines of code whose memory grows.
 * Both are read at an interval, so that what is at hand may be older than the alert: it is then pending until a record
 * has newer, but not for longer than STACKS_WAIT_NS.
 */
#define STACKS_FRESH_NS PW_NS_PER_SEC	    /* stacks read so shortly before are as good as new */
#define STACKS_WAIT_NS	(5 * PW_NS_PER_SEC) /* for newer ones, before an alert is told with what there is */

void pw_conditions_done(struct pw_conditions *conditions)
{
	pw_incidents_done(&conditions->incidents);
	pw_cases_done(&conditions->cases);
	pw_pages_done(&conditions->pages);
}

static void identify(struct pw_alert *alert, const struct pw_record *record, const char *rule)
{
	uint64_t start_ns = record->identity.start_time_ns;

	*alert =
		(struct pw_alert){.pid = record->identity.pid, .target_id = record->identity.target_id, .baseline = -1};
	snprintf(alert->rule, sizeof(alert->rule), "%s", rule);
	pw_evidence_text(alert->service, sizeof(alert->service), record, record->identity.service);
	pw_evidence_text(alert->process, sizeof(alert->process), record, record->identity.process);
	pw_evidence_text(alert->build_id, sizeof(alert->build_id), record, record->identity.build_id);
	pw_evidence_text(alert->go_version, sizeof(alert->go_version), record, record->identity.go_version);
	if (start_ns && start_ns <= record->boot_ns && record->boot_ns - start_ns < record->wall_ns)
		alert->process_started_wall_ns = record->wall_ns - (record->boot_ns - start_ns);
}

/* Those of the rule; NULL: there is no such rule. */
static struct pw_rule_counters *counters_of(struct pw_conditions *conditions, const char *rule)
{
	size_t count;
	const struct pw_rule *const *rules = pw_rules(&count);

	for (size_t i = 0; i < PW_MIN(count, (size_t)PW_RULES_MAX); i++)
		if (!strcmp(rules[i]->id, rule))
			return &conditions->counters[i];
	return NULL;
}

/* From now on it counts, and people are told when the record has been judged. */
static void say(struct pw_conditions *conditions, struct pw_incident *incident, uint64_t now_ns)
{
	incident->alert.state = PW_ALERT_FIRING;
	pw_cases_join(&conditions->cases, incident, now_ns, conditions->rules->alerts_reopen_ns);
}

/* Puts what the configuration says of it over what its rule found. */
static void note(struct pw_conditions *conditions, struct pw_incident *incident, uint64_t wall_ns)
{
	const struct pw_standing *standing = conditions->standing;
	static const struct pw_standing nothing;

	if (!standing)
		standing = &nothing;
	incident->alert.level = incident->found;
	pw_policy_note(standing->policy, standing->of_service, &incident->alert);
	pw_benign_judge(standing->policy, standing->generation, &incident->benign, wall_ns, &incident->alert);
	if (incident->alert.lowered && !incident->dismissed) {
		struct pw_rule_counters *counters = counters_of(conditions, incident->alert.rule);

		incident->dismissed = true;
		if (counters)
			counters->dismissed++;
	}
}

static bool has_stacks_of(const struct pw_record *record, const struct pw_tick *tick)
{
	const struct pw_section *section = &record->snapshot.section;

	return !section->present || section->quality == PW_STALE ||
	       section->taken_ns + STACKS_FRESH_NS >= tick->taken_ns;
}

/* The heap as of the cycle by which it fired; as good as there is, where there is no profile. */
static bool has_heap_of(const struct pw_record *record, uint64_t cycle)
{
	return !record->heap.section.present || record->heap.cycle >= cycle;
}

/* Is all there that the alert is to be told with? */
static bool has_evidence(const struct pw_incident *incident, const struct pw_record *record)
{
	if (incident->lines)
		return has_heap_of(record, incident->heap_cycle);
	return !incident->stacks || has_stacks_of(record, &incident->condition->fired);
}

/* What is told with the alerts of all rules: what else rose, what was not seen, how near the limit is, how bad it is.
 */
static void assess(const struct pw_conditions *conditions, struct pw_incident *incident, const struct pw_record *record)
{
	const struct pw_process *process = conditions->process;

	if (process) {
		pw_facts_note(&process->facts, record->wall_ns, &incident->alert);
		pw_growth_moving(&process->growth, record, incident->gopc, &incident->alert);
		pw_facts_eta(&process->facts, &incident->alert);
	}
	pw_severity_note(conditions->rules, &incident->alert);
}

static enum pw_condition_change fire(struct pw_conditions *conditions, struct pw_condition *condition,
				     const struct pw_record *record, const struct pw_tick *tick,
				     const struct pw_claim *claim)
{
	struct pw_rule_counters *counters;
	struct pw_incident *incident;
	struct pw_alert alert;

	identify(&alert, record, claim->rule);
	alert.fired_wall_ns = tick->wall_ns;
	alert.baseline = claim->baseline;
	claim->words->begin(&alert, record, claim->context);
	incident = pw_incident_open(&conditions->incidents, &alert);
	if (!incident)
		return PW_CONDITION_SAME;
	condition->incident = incident;
	condition->fired = *tick;
	incident->condition = condition;
	incident->words = claim->words;
	incident->gopc = claim->gopc;
	incident->stacks = claim->stacks;
	incident->lines = claim->lines;
	incident->lines_window_ns = claim->lines_window_ns;
	incident->heap_cycle = claim->heap_cycle;
	incident->subject = claim->subject;
	incident->baseline = claim->baseline;
	incident->value = incident->peak = claim->value;
	claim->words->update(&incident->alert, record, claim->context, incident->peak);
	assess(conditions, incident, record);
	incident->found = incident->alert.level;
	note(conditions, incident, tick->wall_ns);
	incident->alert.state = PW_ALERT_PENDING;
	counters = counters_of(conditions, claim->rule);
	if (counters) {
		counters->fired++;
		counters->last_fired_wall_ns = tick->wall_ns;
	}
	if (has_evidence(incident, record))
		say(conditions, incident, record->boot_ns);
	return PW_CONDITION_FIRED;
}

static void end(struct pw_conditions *conditions, struct pw_incident *incident, enum pw_alert_state state,
		uint64_t now_ns, uint64_t wall_ns)
{
	struct pw_rule_counters *counters = counters_of(conditions, incident->alert.rule);

	if (counters)
		counters->cleared++;
	incident->alert.state = state;
	incident->words->end(&incident->alert, incident->peak);
	incident->alert.resolved_wall_ns = wall_ns;
	pw_cases_leave(&conditions->cases, incident, now_ns);
	incident->condition->incident = NULL;
	incident->condition->held = 0;
	pw_incident_close(&conditions->incidents, incident);
}

/* Far below what it was, or at what is normal (DETECTORS 9). */
static bool is_down(const struct pw_conditions *conditions, const struct pw_incident *incident,
		    const struct pw_claim *claim)
{
	const struct pw_rules_config *rules = conditions->rules;
	double value = (double)claim->value;

	return claim->drains &&
	       (value <= rules->alerts_clear_share * (double)incident->peak ||
		(incident->baseline >= 0 && value < rules->alerts_clear_baseline * incident->baseline));
}

/* A process that may not run gets no better by that: what comes down meanwhile does not count. */
static bool is_halted(const struct pw_record *record)
{
	return record->kernel.section.present && (record->kernel.stopped || record->kernel.frozen);
}

static enum pw_condition_change follow(struct pw_conditions *conditions, struct pw_condition *condition,
				       const struct pw_record *record, const struct pw_tick *tick,
				       const struct pw_claim *claim)
{
	struct pw_incident *incident = condition->incident;
	uint64_t hold_ns = PW_MIN(conditions->rules->alerts_clear_hold_ns, claim->clear_ns);
	struct pw_incident_signal signal = {.low = claim->low,
					    .clear_ns = claim->clear_ns,
					    .hold_ns = hold_ns,
					    .now_ns = tick->taken_ns,
					    .gap = !tick->before_ns || is_halted(record)};
	bool over;

	incident->value = claim->value;
	incident->peak = PW_MAX(incident->peak, claim->value);
	signal.down = is_down(conditions, incident, claim);
	over = pw_incident_step(incident, &signal);
	incident->alert.level = incident->found;
	claim->words->update(&incident->alert, record, claim->context, incident->peak);
	assess(conditions, incident, record);
	incident->found = PW_MAX(incident->found, incident->alert.level);
	note(conditions, incident, tick->wall_ns);
	if (over) {
		end(conditions, incident, PW_ALERT_RESOLVED, record->boot_ns, tick->wall_ns);
		return PW_CONDITION_OVER;
	}
	pw_cases_level(&conditions->cases, incident);
	return PW_CONDITION_SAME;
}

enum pw_condition_change pw_condition_judge(struct pw_conditions *conditions, struct pw_condition *condition,
					    const struct pw_record *record, const struct pw_tick *tick,
					    const struct pw_claim *claim)
{
	struct pw_rule_counters *counters = counters_of(conditions, claim->rule);

	if (counters)
		counters->evaluated++;
	if (condition->incident)
		return condition->incident->alert.state == PW_ALERT_PENDING
			       ? PW_CONDITION_SAME
			       : follow(conditions, condition, record, tick, claim);
	condition->held = claim->holds ? condition->held + 1 : 0;
	if (!claim->holds || condition->held < claim->confirm)
		return PW_CONDITION_SAME;
	return fire(conditions, condition, record, tick, claim);
}

/* Puts into an alert what has come since it fired. */
static void complete(struct pw_incident *incident, const struct pw_record *record)
{
	if (incident->lines) {
		pw_heap_lines_tell(incident->lines, record, incident->lines_window_ns, &incident->alert);
		pw_explain_memory(&incident->alert, incident->peak);
	}
	for (uint32_t i = 0; incident->stacks && i < record->statement_count; i++)
		if (record->statements[i].gopc == incident->gopc)
			pw_evidence_parked(&incident->alert, record, i);
}

void pw_conditions_say_pending(struct pw_conditions *conditions, const struct pw_record *record)
{
	for (struct pw_incident *incident = conditions->incidents.first; incident; incident = incident->next) {
		if (incident->alert.state != PW_ALERT_PENDING ||
		    incident->alert.target_id != record->identity.target_id)
			continue;
		if (!has_evidence(incident, record) &&
		    record->boot_ns < incident->condition->fired.taken_ns + STACKS_WAIT_NS)
			continue;
		complete(incident, record);
		note(conditions, incident, record->wall_ns);
		say(conditions, incident, record->boot_ns);
	}
}

bool pw_conditions_pending(const struct pw_conditions *conditions, uint64_t target_id, bool heap)
{
	for (const struct pw_incident *incident = conditions->incidents.first; incident; incident = incident->next)
		if (incident->alert.state == PW_ALERT_PENDING && incident->alert.target_id == target_id &&
		    (incident->lines != NULL) == heap)
			return true;
	return false;
}

void pw_condition_identify(struct pw_alert *ret_alert, const struct pw_record *record, const char *rule)
{
	identify(ret_alert, record, rule);
	pw_case_identify_event(ret_alert);
}

void pw_conditions_event(struct pw_conditions *conditions, const struct pw_alert *alert, uint64_t now_ns,
			 uint64_t wall_ns)
{
	struct pw_rule_counters *counters = counters_of(conditions, alert->rule);
	struct pw_alert event = *alert;

	if (conditions->standing)
		pw_policy_note(conditions->standing->policy, conditions->standing->of_service, &event);
	if (counters) {
		counters->fired++;
		counters->cleared++;
		counters->last_fired_wall_ns = wall_ns;
	}
	event.state = PW_ALERT_GONE;
	event.resolved_wall_ns = wall_ns;
	pw_cases_event(&conditions->cases, &event, now_ns);
}

void pw_conditions_say_all(struct pw_conditions *conditions, uint64_t target_id, uint64_t now_ns)
{
	for (struct pw_incident *incident = conditions->incidents.first; incident; incident = incident->next)
		if (incident->alert.state == PW_ALERT_PENDING && incident->alert.target_id == target_id)
			say(conditions, incident, now_ns);
}

void pw_conditions_gone(struct pw_conditions *conditions, uint64_t target_id, uint64_t now_ns, uint64_t wall_ns)
{
	struct pw_incident *next;

	for (struct pw_incident *incident = conditions->incidents.first; incident; incident = next) {
		next = incident->next;
		if (incident->alert.target_id == target_id)
			end(conditions, incident, PW_ALERT_GONE, now_ns, wall_ns);
	}
}
