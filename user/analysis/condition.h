/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_CONDITION_H
#define PW_ANALYSIS_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/alert_state.h"
#include "analysis/analysis.h"
#include "analysis/cases.h"
#include "analysis/pages.h"
#include "analysis/tick.h"
#include "model/rule_status.h"

struct pw_process;
struct pw_record;
struct pw_standing;

/*
 * One rule about one subject (a go statement, a stack of it, or the process), and what becomes of it: a detector claims
 * at each judgement whether it holds, and the rest, from pending to the end, is the same for all rules (DETECTORS 9). A
 * condition lives in what it is about; one that is open must not be freed before it has ended. Internal to analysis.
 */
struct pw_condition {
	struct pw_incident *incident; /* open one, or NULL */
	struct pw_tick fired;
	uint32_t held; /* judgements in a row */
};

/* What an alert says, by rule. Each fills in the alert from the claim's context; none may keep it. */
struct pw_words {
	/* What stays the same over its life: what it is about, level, confidence, onset. */
	void (*begin)(struct pw_alert *alert, const struct pw_record *record, const void *context);
	/* What each judgement says anew; text, hint, reproduce. A higher level is told again. */
	void (*update)(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak);
	/* The sentence of its end: resolved, or gone with its process. There is no context any more. */
	void (*end)(struct pw_alert *alert, uint64_t peak);
};

struct pw_claim {
	const char *rule;
	uint64_t subject; /* tells conditions of one rule and process apart where they have no names */
	uint64_t gopc;	  /* of the go statement it is about; 0: about the process */
	bool stacks;	  /* is told with fresh stacks of that go statement */
	const struct pw_heap_lines
		*lines; /* is told with those that grow, of this GC cycle or later; NULL: it is not */
	uint64_t lines_window_ns, heap_cycle;
	bool holds;
	bool low;	  /* so far below that it is over, if it stays so for clear_ns */
	bool drains;	  /* also when value stays far below its peak, or at the baseline (DETECTORS 9) */
	uint32_t confirm; /* judgements in a row before it fires; 0 is 1 */
	uint64_t clear_ns;
	uint64_t value;	 /* whose peak is kept */
	double baseline; /* < 0: not known */
	const struct pw_words *words;
	const void *context;
};

/* All conditions of all targets, and what they have become. */
struct pw_conditions {
	struct pw_incidents incidents;
	struct pw_cases cases;
	struct pw_pages pages;
	const struct pw_process *process; /* that is being judged */
	const struct pw_rules_config *rules;
	pw_alert_fn on_transition;
	void *context;
	struct pw_rule_counters counters[PW_RULES_MAX]; /* by place in pw_rules() */
	const struct pw_standing *standing; /* of the process that is being judged; NULL: nothing is said of any */
};
void pw_conditions_done(struct pw_conditions *conditions);

enum pw_condition_change { PW_CONDITION_SAME, PW_CONDITION_FIRED, PW_CONDITION_OVER };

/* Takes a claim at a tick of the record's target. */
enum pw_condition_change pw_condition_judge(struct pw_conditions *conditions, struct pw_condition *condition,
					    const struct pw_record *record, const struct pw_tick *tick,
					    const struct pw_claim *claim);
/* Those of the record's target that wait for stacks or for the heap, when it may have them. */
void pw_conditions_say_pending(struct pw_conditions *conditions, const struct pw_record *record);
/* Does a condition of the target wait for stacks; for the heap? */
bool pw_conditions_pending(const struct pw_conditions *conditions, uint64_t target_id, bool heap);
/* What happens at once and does not last: identify fills in what the alert is about (process, rule, id), event tells
 * it, fired and over at the same moment with the state PW_ALERT_GONE. */
void pw_condition_identify(struct pw_alert *ret_alert, const struct pw_record *record, const char *rule);
void pw_conditions_event(struct pw_conditions *conditions, const struct pw_alert *alert, uint64_t now_ns,
			 uint64_t wall_ns);
/* All of a target that wait for stacks, as they are. */
void pw_conditions_say_all(struct pw_conditions *conditions, uint64_t target_id, uint64_t now_ns);
/* The target is gone: so are its alerts, none of which may wait for stacks. */
void pw_conditions_gone(struct pw_conditions *conditions, uint64_t target_id, uint64_t now_ns, uint64_t wall_ns);
/* Tells what is new to who is to be told; CLOCK_BOOTTIME and the time of people. */
void pw_conditions_settle(struct pw_conditions *conditions, uint64_t now_ns, uint64_t wall_ns);

#endif
