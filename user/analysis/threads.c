/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/threads.h"

#include <inttypes.h>
#include <math.h>
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

static const struct pw_rule_parameter c01_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(c01_enabled), 1, 0, 1, "judge by this rule"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(c01_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "rises over 60 of these, and over the last 15"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(c01_baseline_factor), 2, 1, 1000,
	 "at least so many times the baseline"},
	{"above_procs", PW_PARAMETER_COUNT, PW_RULE_FIELD(c01_above_procs), 50, 0, 1e6,
	 "and so many more than GOMAXPROCS"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(c01_confirm), 3, 1, 60, "at so many buckets in a row"},
	{"critical_eta", PW_PARAMETER_DURATION, PW_RULE_FIELD(c01_eta_ns), 6 * PW_RULE_HOUR, 0, 30 * 24 * PW_RULE_HOUR,
	 "critical if the nearest limit is so near"},
	{"baseline_min", PW_PARAMETER_DURATION, PW_RULE_FIELD(c01_baseline_ns), 2 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR, "healthy time that makes a baseline; before, alerts are cold, level info"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(c01_clear_ns), 30 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long with no more than a tenth on top"},
};

static const char *off(const struct pw_record *record, char *text, size_t size)
{
	(void)text;
	(void)size;
	if (!record->holdings.section.present)
		return "its threads have not been looked at yet";
	return record->holdings.numbers.threads == PW_UNKNOWN ? "its threads cannot be counted" : NULL;
}

const struct pw_rule pw_rule_c01 = {
	.id = "PW-C01",
	.name = "thread or cgo leak",
	.level = PW_LEVEL_CRITICAL,
	.text = "The process has more OS threads than ever and their number rises, over an hour and over its last "
		"quarter. Go keeps threads that it has no work for: a plateau is silent.",
	.hint = "See what they are at: calls into C that do not return, system calls, LockOSThread.",
	.parameters = c01_parameters,
	.parameter_count = ARRAY_SIZE(c01_parameters),
	.off = off,
};

#define MARK_FACTOR 1.1

/* --- limits --------------------------------------------------------------------------------------------------------
 */

struct limit {
	const char *name; /* NULL: none */
	double max, left;
};

static void take_limit(struct limit *nearest, const char *name, uint64_t max, uint64_t used)
{
	double left;

	if (max == PW_UNKNOWN || used == PW_UNKNOWN)
		return;
	left = (double)max - (double)PW_MIN(used, max);
	if (!nearest->name || left < nearest->left)
		*nearest = (struct limit){name, (double)max, left};
}

static struct limit nearest_limit(const struct pw_holdings *numbers)
{
	struct limit limit = {0};

	take_limit(&limit, "debug.SetMaxThreads", numbers->threads_max,
		   numbers->threads_go == PW_UNKNOWN ? numbers->threads : numbers->threads_go);
	take_limit(&limit, "pids.max of its cgroup", numbers->pids_max, numbers->pids_used);
	take_limit(&limit, "RLIMIT_NPROC", numbers->processes_max, numbers->threads);
	return limit;
}

/* --- words ---------------------------------------------------------------------------------------------------------
 */

enum blame { BLAME_CGO, BLAME_SYSCALL, BLAME_LOCKED, BLAME_OTHER };

static uint64_t known(uint64_t value)
{
	return value == PW_UNKNOWN ? 0 : value;
}

static enum blame blame_of(const struct pw_holdings *numbers)
{
	uint64_t cgo = known(numbers->threads_cgo), locked = known(numbers->threads_locked),
		 syscalls = known(numbers->threads_syscall), half = known(numbers->threads) / 3;

	if (cgo >= PW_MAX(syscalls, locked) && cgo > half)
		return BLAME_CGO;
	if (locked >= syscalls && locked > half)
		return BLAME_LOCKED;
	return syscalls > half ? BLAME_SYSCALL : BLAME_OTHER;
}

static const char *const hints[] = {
	[BLAME_CGO] = "Most are in calls into C: see which, and give that call a timeout, or let fewer be under way at "
		      "once.",
	[BLAME_SYSCALL] = "Most are in system calls that block: files, pipes or DNS lookups by C; let fewer be under "
			  "way at once.",
	[BLAME_LOCKED] = "Most are locked to a goroutine: after runtime.LockOSThread let it end, or call "
			 "UnlockOSThread.",
	[BLAME_OTHER] =
		"Look what starts them: calls into C or system calls in bursts, or threads that C starts itself.",
};

/* "640 in C (612 for a minute), 20 in system calls, 8 locked, 12 idle" */
static void put_states(const struct pw_holdings *numbers, char *text, size_t size)
{
	if (numbers->threads_go == PW_UNKNOWN || numbers->threads_cgo == PW_UNKNOWN) {
		snprintf(text, size, "what they are at is not known");
		return;
	}
	snprintf(text, size,
		 "%" PRIu64 " in C (%" PRIu64 " for a minute or more), %" PRIu64 " in system calls, %" PRIu64
		 " locked to a goroutine, %" PRIu64 " idle",
		 numbers->threads_cgo, known(numbers->threads_cgo_long), known(numbers->threads_syscall),
		 known(numbers->threads_locked), known(numbers->threads_idle));
}

static void end_words(struct pw_alert *alert, uint64_t peak)
{
	char now[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE];

	snprintf(alert->text, sizeof(alert->text), "%s: %s threads (peak %s)",
		 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended",
		 pw_phrase_number((uint64_t)alert->value, now), pw_phrase_number(peak, top));
}

static void put_limit(const struct pw_alert *alert, const struct limit *limit, char *text, size_t size)
{
	char max[PW_PHRASE_NUMBER_SIZE], eta[PW_DURATION_SIZE];

	if (!limit->name)
		snprintf(text, size, "no limit is known");
	else if (alert->eta_ns == UINT64_MAX)
		snprintf(text, size, "limit %s (%s)", pw_phrase_number((uint64_t)limit->max, max), limit->name);
	else
		snprintf(text, size, "%s (%s) in %s", pw_phrase_number((uint64_t)limit->max, max), limit->name,
			 pw_time_duration(alert->eta_ns, eta));
}

static uint64_t eta_of(double left, double per_hour)
{
	double eta_ns = pw_climb_eta_ns(left, per_hour);

	return eta_ns < 1e18 ? (uint64_t)eta_ns : UINT64_MAX;
}

static void put_thresholds(struct pw_alert *alert, const struct pw_thread_growth *growth)
{
	pw_alert_threshold(alert, "threads", growth->climb.value, growth->least, false);
	pw_alert_threshold(alert, "trend_z", growth->verdict.z, pw_trend_z_needed(1), false);
	pw_alert_threshold(alert, "last_quarter_z", growth->verdict.short_z, pw_trend_z_needed(1), false);
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context,
			 uint64_t peak pw_unused)
{
	const struct pw_thread_growth *growth = context;
	const struct pw_climb_verdict *verdict = &growth->verdict;
	const struct pw_holdings *numbers = &record->holdings.numbers;
	struct limit limit = nearest_limit(numbers);
	char now[PW_PHRASE_NUMBER_SIZE], first[PW_PHRASE_NUMBER_SIZE], pace[PW_PHRASE_NUMBER_SIZE],
		since[PW_PHRASE_NUMBER_SIZE], states[192], room[128];

	alert->value = growth->climb.value;
	alert->limit = limit.name ? limit.max : 0;
	alert->growth_per_hour = verdict->slope_per_hour;
	alert->growth_low_per_hour = verdict->slope_low_per_hour;
	alert->growth_high_per_hour = verdict->slope_high_per_hour;
	alert->window_ns = verdict->window_ns;
	snprintf(alert->limit_name, sizeof(alert->limit_name), "%s", limit.name ? limit.name : "");
	pw_evidence_floors(alert, &growth->climb.floors, 0, PW_CLIMB_BUCKETS);
	if (growth->grows)
		put_thresholds(alert, growth);
	alert->eta_ns = limit.name ? eta_of(limit.left, verdict->slope_per_hour) : UINT64_MAX;
	alert->eta_low_ns = limit.name ? eta_of(limit.left, verdict->slope_high_per_hour) : UINT64_MAX;
	alert->eta_high_ns = limit.name ? eta_of(limit.left, verdict->slope_low_per_hour) : UINT64_MAX;
	put_states(numbers, states, sizeof(states));
	put_limit(alert, &limit, room, sizeof(room));
	snprintf(alert->text, sizeof(alert->text), "%s OS threads, %s at %s, +%s/h: %s; %s",
		 pw_phrase_number((uint64_t)alert->value, now), pw_phrase_number((uint64_t)alert->value_onset, first),
		 pw_phrase_clock(alert->onset_wall_ns, since),
		 pw_phrase_number((uint64_t)PW_MAX(alert->growth_per_hour, 0.0), pace), states, room);
	snprintf(alert->hint, sizeof(alert->hint), "%s", hints[blame_of(numbers)]);
	snprintf(alert->reproduce, sizeof(alert->reproduce),
		 "parkwatch goroutines -p %" PRId32 " --with reason=syscall", alert->pid);
}

static void begin_words(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context)
{
	const struct pw_thread_growth *growth = context;

	snprintf(alert->unit, sizeof(alert->unit), "threads");
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "leak");
	alert->onset_wall_ns = growth->onset_wall_ns;
	alert->value_onset = growth->verdict.first;
}

/* A limit is a limit, with a baseline or without. */
static void update_level(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct pw_thread_growth *growth = context;

	update_words(alert, record, context, peak);
	if (growth->grows && alert->eta_ns < growth->critical_ns)
		alert->level = PW_LEVEL_CRITICAL;
}

static const struct pw_words words = {.begin = begin_words, .update = update_level, .end = end_words};

/* --- looks ---------------------------------------------------------------------------------------------------------
 */

static bool holds(const struct pw_judge *judge, struct pw_thread_growth *growth, const struct pw_holdings *numbers,
		  double baseline)
{
	const struct pw_rules_config *rules = judge->rules;
	double above_procs = (double)known(numbers->gomaxprocs) + (double)rules->c01_above_procs;

	growth->least = PW_MAX(above_procs, rules->c01_baseline_factor * baseline);
	return growth->verdict.rises && growth->verdict.new_maximum && growth->climb.value >= growth->least &&
	       growth->climb.value >= growth->climb.highest;
}

void pw_thread_growth_judge(const struct pw_judge *judge, struct pw_thread_growth *growth,
			    const struct pw_record *record)
{
	const struct pw_holdings *numbers = &record->holdings.numbers;
	const struct pw_rules_config *rules = judge->rules;
	double baseline = pw_climb_baseline(&growth->climb, rules->c01_baseline_ns);
	struct pw_claim claim = {.rule = "PW-C01", .baseline = baseline, .words = &words, .context = growth};

	if (!record->holdings.section.present || numbers->threads == PW_UNKNOWN ||
	    !pw_climb_add(&growth->climb, record, rules->c01_bucket_ns, record->holdings.section.taken_ns,
			  (double)numbers->threads, !growth->condition.incident) ||
	    !pw_climb_judge(&growth->climb, &growth->verdict))
		return;
	judge->stats->evaluated++;
	growth->critical_ns = rules->c01_eta_ns;
	growth->grows = holds(judge, growth, numbers, baseline);
	claim.holds = growth->grows && rules->c01_enabled;
	claim.confirm = rules->c01_confirm;
	claim.clear_ns = rules->c01_clear_ns;
	claim.value = (uint64_t)growth->climb.value;
	if (!growth->condition.incident || growth->climb.value > MARK_FACTOR * growth->mark)
		growth->mark = growth->climb.value;
	claim.low = !growth->verdict.rises && growth->climb.value <= MARK_FACTOR * growth->mark;
	if (claim.holds && !growth->condition.incident)
		growth->onset_wall_ns = record->wall_ns - PW_MIN(growth->verdict.window_ns, record->wall_ns);
	(void)pw_condition_judge(judge->conditions, &growth->condition, record, &growth->climb.tick, &claim);
}
