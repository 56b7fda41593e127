/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/finalizers.h"

#include <stdio.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/explain_stuck.h"
#include "analysis/park.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter f01_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(f01_enabled), 1, 0, 1, "judge by this rule"},
	{"age", PW_PARAMETER_DURATION, PW_RULE_FIELD(f01_age_ns), 10 * PW_RULE_SEC, PW_RULE_SEC, 24 * PW_RULE_HOUR,
	 "for so long in one wait of one finalizer"},
	{"warn_age", PW_PARAMETER_DURATION, PW_RULE_FIELD(f01_warn_age_ns), 60 * PW_RULE_SEC, 0, 24 * PW_RULE_HOUR,
	 "a warning from so long on, info before"},
	{"critical_age", PW_PARAMETER_DURATION, PW_RULE_FIELD(f01_critical_age_ns), 10 * PW_RULE_MIN, 0,
	 24 * PW_RULE_HOUR, "critical from so long on"},
	{"backlog", PW_PARAMETER_COUNT, PW_RULE_FIELD(f01_backlog), 1000, 1, 1e9, "also a warning when so many wait"},
	{"cycles", PW_PARAMETER_COUNT, PW_RULE_FIELD(f01_cycles), 3, 2, 1000,
	 "and more do with each of so many GC cycles, over age"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(f01_clear_ns), 0, 0, 24 * PW_RULE_HOUR,
	 "resolved so long after they run again"},
};

const struct pw_rule pw_rule_f01 = {
	.id = "PW-F01",
	.name = "finalizers do not run",
	.level = PW_LEVEL_CRITICAL,
	.text = "One goroutine runs all finalizers, one after the other, and it stands still in one of them; or they "
		"are "
		"queued faster than they run. What they would free stays. The same of cleanups (runtime.AddCleanup). A "
		"process that is stopped, frozen or throttled (see PW-G04) is not judged.",
	.hint = "A finalizer must not wait for a lock, a channel or a peer: let it start a goroutine.",
	.parameters = f01_parameters,
	.parameter_count = ARRAY_SIZE(f01_parameters),
	.off = pw_off_snapshot,
};

/* --- the queues -----------------------------------------------------------------------------------------------------
 */

/* The runtime takes the whole queue before it runs the first one (src/runtime/mfinal.go:runfinq), so that what is
 * queued does not have all that wait; from Go 1.25 on it counts them. -1: there is no such queue. */
static uint64_t waiting_in(const struct pw_record *record, int queue)
{
	const struct pw_runtime_numbers *n = &record->runtime.numbers;
	uint64_t queued = queue == PW_QUEUE_FINALIZERS ? n->finalizers_queued : n->cleanups_queued;
	uint64_t executed = queue == PW_QUEUE_FINALIZERS ? n->finalizers_executed : n->cleanups_executed;

	if (queued != PW_UNKNOWN && executed != PW_UNKNOWN)
		return queued - PW_MIN(executed, queued);
	return queue == PW_QUEUE_FINALIZERS ? n->finalizers_waiting : PW_UNKNOWN;
}

/* A new cycle: was the least that waited since the one before it more than in that one? */
static void close_cycle(const struct pw_rules_config *rules, struct pw_queue *queue, uint64_t now_ns)
{
	if (queue->any && queue->least > queue->least_before && queue->least >= rules->f01_backlog) {
		if (!queue->rising++) {
			queue->rising_ns = now_ns;
			queue->rising_from = queue->least_before;
		}
	} else {
		queue->rising = 0;
	}
	queue->least_before = queue->least;
	queue->any = true;
}

static void follow(const struct pw_rules_config *rules, struct pw_queue *queue, const struct pw_record *record,
		   int which)
{
	uint64_t waiting = record->runtime.section.present ? waiting_in(record, which) : PW_UNKNOWN;
	uint64_t cycle = record->runtime.numbers.gc_cycles;

	queue->waiting = waiting;
	if (waiting == PW_UNKNOWN || cycle == PW_UNKNOWN) {
		queue->any = false;
		queue->rising = 0;
		return;
	}
	if (cycle != queue->cycle) {
		if (queue->cycle)
			close_cycle(rules, queue, record->boot_ns);
		queue->cycle = cycle;
		queue->least = waiting;
	}
	queue->least = PW_MIN(queue->least, waiting);
}

static bool grows(const struct pw_rules_config *rules, const struct pw_queue *queue, uint64_t now_ns)
{
	return queue->rising >= rules->f01_cycles && now_ns >= queue->rising_ns + rules->f01_age_ns;
}

/* --- words ----------------------------------------------------------------------------------------------------------
 */

struct evidence {
	const struct pw_rules_config *rules;
	const struct pw_queue *queue;
	const struct pw_record_park *park; /* who stands still; NULL: nobody does */
	uint64_t lasting_ns;
	bool grows;
	int which;
};

static enum pw_alert_level level_of(const struct evidence *evidence)
{
	if (evidence->lasting_ns >= evidence->rules->f01_critical_age_ns)
		return PW_LEVEL_CRITICAL;
	return evidence->lasting_ns >= evidence->rules->f01_warn_age_ns || evidence->grows ? PW_LEVEL_WARNING
											   : PW_LEVEL_INFO;
}

static void put_finalizer(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_frame *frame = pw_park_finalizer(record, park);

	alert->finalizer = (struct pw_alert_frame){};
	if (!frame)
		return;
	alert->finalizer.line = frame->line;
	pw_evidence_text(alert->finalizer.function, sizeof(alert->finalizer.function), record, frame->function);
	pw_evidence_text(alert->finalizer.file, sizeof(alert->finalizer.file), record, frame->file);
}

/* It may wait for a lock: then somebody seems to hold it. */
static void put_lock(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park)
{
	alert->locks = 0;
	alert->holder = (struct pw_alert_holder){};
	for (size_t i = 0; i < record->snapshot.lock_count; i++)
		if (&record->snapshot.parks[record->snapshot.locks[i].park] == park) {
			pw_evidence_lock(alert, record, &record->snapshot.locks[i]);
			return;
		}
}

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct evidence *evidence = context;
	uint64_t taken_ns = record->snapshot.section.taken_ns, since_ns = evidence->queue->rising_ns;

	snprintf(alert->unit, sizeof(alert->unit), "%s",
		 evidence->which == PW_QUEUE_FINALIZERS ? "finalizers" : "cleanups");
	snprintf(alert->confidence, sizeof(alert->confidence), "suspected");
	if (evidence->park) {
		pw_evidence_statement(alert, record, evidence->park->statement);
		since_ns = evidence->park->oldest_since_ns;
	}
	alert->onset_wall_ns = record->wall_ns - PW_MIN(taken_ns - PW_MIN(since_ns, taken_ns), record->wall_ns);
	alert->value_onset = evidence->grows			      ? (double)evidence->queue->rising_from
			     : evidence->queue->waiting == PW_UNKNOWN ? 0
								      : (double)evidence->queue->waiting;
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct evidence *evidence = context;
	const struct pw_record_park *park = evidence->park;
	const struct pw_rules_config *rules = evidence->rules;
	enum pw_alert_level level = level_of(evidence);

	alert->level = PW_MAX(alert->level, level);
	alert->value = evidence->queue->waiting == PW_UNKNOWN ? 0 : (double)evidence->queue->waiting;
	if (park) {
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, park->reason);
		pw_evidence_park(alert, record, park);
		put_finalizer(alert, record, park);
		put_lock(alert, record, park);
		pw_alert_threshold(alert, "stands_still_s", (double)evidence->lasting_ns / (double)PW_NS_PER_SEC,
				   (double)rules->f01_age_ns / (double)PW_NS_PER_SEC, false);
	} else {
		alert->finalizer = (struct pw_alert_frame){};
	}
	if (evidence->grows) {
		pw_alert_threshold(alert, "waiting", alert->value, rules->f01_backlog, false);
		pw_alert_threshold(alert, "rising_cycles", evidence->queue->rising, rules->f01_cycles, false);
	}
	pw_explain_finalizer(alert, peak);
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = pw_explain_finalizer};

/* --- judgement ------------------------------------------------------------------------------------------------------
 */

static bool is_cleanup(const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = &record->stacks[park->stack];

	for (uint32_t i = 0; i < stack->count; i++)
		if (!strcmp(pw_record_string(record, record->frames[stack->first + i].function), "runtime.runCleanups"))
			return true;
	return false;
}

/* Waiting, or in a system call, in a finalizer: the one that has been so for longest. */
static const struct pw_record_park *longest(const struct pw_record *record, int which)
{
	const struct pw_record_park *best = NULL;

	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		if ((!pw_status_parked(park->status) && park->status != PW_GOROUTINE_SYSCALL) ||
		    !park->oldest_since_ns || !pw_park_runs_finalizer(record, park) ||
		    is_cleanup(record, park) != (which == PW_QUEUE_CLEANUPS))
			continue;
		if (!best || park->oldest_since_ns < best->oldest_since_ns)
			best = park;
	}
	return best;
}

static void judge_queue(const struct pw_judge *judge, struct pw_finalizers *finalizers, const struct pw_record *record,
			const struct pw_tick *tick, int which)
{
	const struct pw_rules_config *rules = judge->rules;
	struct pw_queue *queue = &finalizers->queues[which];
	struct evidence evidence = {.rules = rules, .queue = queue, .park = longest(record, which), .which = which};
	struct pw_claim claim = {.rule = "PW-F01",
				 .subject = (uint64_t)which + 1,
				 .clear_ns = rules->f01_clear_ns,
				 .value = queue->waiting == PW_UNKNOWN ? 0 : queue->waiting,
				 .baseline = -1,
				 .words = &words,
				 .context = &evidence};

	if (evidence.park)
		evidence.lasting_ns =
			pw_halt_lasting_ns(&finalizers->halt, evidence.park->oldest_since_ns, tick->taken_ns);
	evidence.grows = grows(rules, queue, record->boot_ns);
	if (evidence.lasting_ns < rules->f01_age_ns)
		evidence.park = NULL;
	claim.holds = rules->f01_enabled && (evidence.park || evidence.grows);
	claim.low = !evidence.park && !queue->rising;
	judge->stats->evaluated++;
	(void)pw_condition_judge(judge->conditions, &queue->condition, record, tick, &claim);
}

void pw_finalizers_judge(const struct pw_judge *judge, struct pw_finalizers *finalizers, const struct pw_record *record)
{
	struct pw_tick tick;

	pw_halt_note(&finalizers->halt, record);
	for (int which = 0; which < _PW_QUEUES; which++)
		follow(judge->rules, &finalizers->queues[which], record, which);
	if (!pw_park_tick(&finalizers->last, record, &tick) ||
	    pw_halt_holds(&finalizers->halt, record, &tick, judge->rules->g04_throttled))
		return;
	for (int which = 0; which < _PW_QUEUES; which++)
		judge_queue(judge, finalizers, record, &tick, which);
}
