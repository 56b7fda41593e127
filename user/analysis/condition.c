/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/condition.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/evidence.h"
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
}

/* FNV-1a, 64 bits, of a string and its end. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	} while (*text++);
	return hash;
}

/*
 * The same statement of the same service, parked in the same place, has the same hash after a restart and after a
 * deployment that did not move it; the pid tells two processes of one service apart.
 */
static void set_id(struct pw_alert *alert, const struct pw_claim *claim)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	char number[32], rule[sizeof(alert->rule)];
	size_t length = 0;

	hash = hash_text(hash, alert->rule);
	hash = hash_text(hash, alert->service[0] ? alert->service : alert->process);
	if (alert->statement.function[0])
		snprintf(number, sizeof(number), "%" PRIu32, alert->statement.line);
	else
		snprintf(number, sizeof(number), "%" PRIx64, claim->gopc);
	hash = hash_text(hash, alert->statement.function);
	hash = hash_text(hash, number);
	if (claim->subject != claim->gopc) {
		snprintf(number, sizeof(number), "%" PRIx64, claim->subject);
		hash = hash_text(hash, number);
	}
	for (const char *c = strncmp(alert->rule, "PW-", 3) ? alert->rule : alert->rule + 3; *c; c++)
		rule[length++] = (char)tolower((unsigned char)*c);
	rule[length] = '\0';
	snprintf(alert->id, sizeof(alert->id), "%s-%012" PRIx64 "-%" PRId32, rule, hash >> 16, alert->pid);
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

static void tell(struct pw_conditions *conditions, const struct pw_incident *incident)
{
	if (conditions->on_transition)
		conditions->on_transition(conditions->context, &incident->alert);
}

static void say(struct pw_conditions *conditions, struct pw_incident *incident)
{
	incident->alert.state = PW_ALERT_FIRING;
	tell(conditions, incident);
}

/* Puts what the configuration says of it over what its rule found. */
static void note(const struct pw_conditions *conditions, struct pw_incident *incident, uint64_t wall_ns)
{
	const struct pw_standing *standing = conditions->standing;
	static const struct pw_standing nothing;

	if (!standing)
		standing = &nothing;
	incident->alert.level = incident->found;
	pw_policy_note(standing->policy, standing->of_service, &incident->alert);
	pw_benign_judge(standing->policy, standing->generation, &incident->benign, wall_ns, &incident->alert);
	incident->dismissed |= incident->alert.lowered;
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

static enum pw_condition_change fire(struct pw_conditions *conditions, struct pw_condition *condition,
				     const struct pw_record *record, const struct pw_tick *tick,
				     const struct pw_claim *claim)
{
	struct pw_incident *incident;
	struct pw_alert alert;

	identify(&alert, record, claim->rule);
	alert.fired_wall_ns = tick->wall_ns;
	alert.baseline = claim->baseline;
	claim->words->begin(&alert, record, claim->context);
	set_id(&alert, claim);
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
	incident->baseline = claim->baseline;
	incident->peak = claim->value;
	claim->words->update(&incident->alert, record, claim->context, incident->peak);
	incident->found = incident->alert.level;
	note(conditions, incident, tick->wall_ns);
	incident->alert.state = PW_ALERT_PENDING;
	if (has_evidence(incident, record))
		say(conditions, incident);
	return PW_CONDITION_FIRED;
}

static void end(struct pw_conditions *conditions, struct pw_incident *incident, enum pw_alert_state state,
		uint64_t wall_ns)
{
	if (incident->alert.state == PW_ALERT_PENDING)
		say(conditions, incident); /* nobody has heard of it yet */
	incident->alert.state = state;
	incident->words->end(&incident->alert, incident->peak);
	incident->alert.resolved_wall_ns = wall_ns;
	tell(conditions, incident);
	incident->condition->incident = NULL;
	incident->condition->held = 0;
	pw_incident_end(&conditions->incidents, incident, state, wall_ns);
}

static enum pw_condition_change follow(struct pw_conditions *conditions, struct pw_condition *condition,
				       const struct pw_record *record, const struct pw_tick *tick,
				       const struct pw_claim *claim)
{
	struct pw_incident *incident = condition->incident;
	enum pw_alert_level told = incident->alert.level;
	bool over = pw_incident_step(incident, claim->low, tick->taken_ns, claim->clear_ns, !tick->before_ns);

	incident->peak = PW_MAX(incident->peak, claim->value);
	incident->alert.level = incident->found;
	claim->words->update(&incident->alert, record, claim->context, incident->peak);
	incident->found = PW_MAX(incident->found, incident->alert.level);
	note(conditions, incident, tick->wall_ns);
	if (over) {
		end(conditions, incident, PW_ALERT_RESOLVED, tick->wall_ns);
		return PW_CONDITION_OVER;
	}
	if (incident->alert.level > told)
		tell(conditions, incident);
	return PW_CONDITION_SAME;
}

enum pw_condition_change pw_condition_judge(struct pw_conditions *conditions, struct pw_condition *condition,
					    const struct pw_record *record, const struct pw_tick *tick,
					    const struct pw_claim *claim)
{
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
		if (!incident->open || incident->alert.state != PW_ALERT_PENDING ||
		    incident->alert.target_id != record->identity.target_id)
			continue;
		if (!has_evidence(incident, record) &&
		    record->boot_ns < incident->condition->fired.taken_ns + STACKS_WAIT_NS)
			continue;
		complete(incident, record);
		note(conditions, incident, record->wall_ns);
		say(conditions, incident);
	}
}

bool pw_conditions_pending(const struct pw_conditions *conditions, uint64_t target_id, bool heap)
{
	for (const struct pw_incident *incident = conditions->incidents.first; incident; incident = incident->next)
		if (incident->open && incident->alert.state == PW_ALERT_PENDING &&
		    incident->alert.target_id == target_id && (incident->lines != NULL) == heap)
			return true;
	return false;
}

void pw_condition_identify(struct pw_alert *ret_alert, const struct pw_record *record, const char *rule)
{
	identify(ret_alert, record, rule);
	set_id(ret_alert, &(struct pw_claim){.rule = rule});
}

void pw_conditions_event(struct pw_conditions *conditions, const struct pw_alert *alert, uint64_t wall_ns)
{
	struct pw_incident *incident = pw_incident_open(&conditions->incidents, alert);

	if (!incident)
		return;
	pw_incident_end(&conditions->incidents, incident, PW_ALERT_GONE, wall_ns);
	tell(conditions, incident);
}

void pw_conditions_gone(struct pw_conditions *conditions, uint64_t target_id, uint64_t wall_ns)
{
	struct pw_incident *incident = conditions->incidents.first, *next;

	/* Ending one may forget others that have ended, never one that is open: look again from the start. */
	for (; incident; incident = next) {
		next = incident->next;
		if (!incident->open || incident->alert.target_id != target_id)
			continue;
		end(conditions, incident, PW_ALERT_GONE, wall_ns);
		next = conditions->incidents.first;
	}
}
