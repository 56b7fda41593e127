/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/stuck.h"

#include <stdio.h>
#include <string.h>

#include "analysis/baseline.h"
#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/explain_stuck.h"
#include "analysis/park.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter g04_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(g04_enabled), 1, 0, 1, "judge by this rule"},
	{"age", PW_PARAMETER_DURATION, PW_RULE_FIELD(g04_age_ns), 60 * PW_RULE_SEC, PW_RULE_SEC, 24 * PW_RULE_HOUR,
	 "for so long nobody has unlocked it, and somebody waits"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g04_baseline_factor), 1.5, 1, 1000,
	 "and for so many times as long as it has ever been held there before it was unlocked"},
	{"warn_age", PW_PARAMETER_DURATION, PW_RULE_FIELD(g04_warn_age_ns), 5 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "a warning from so long on, info before"},
	{"warn_waiters", PW_PARAMETER_COUNT, PW_RULE_FIELD(g04_warn_waiters), 10, 1, 1e9,
	 "or from so many waiters on, if they have become more"},
	{"critical_share", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g04_critical_share), 0.5, 0, 1,
	 "critical from this share of the program's goroutines on"},
	{"critical_waiters", PW_PARAMETER_COUNT, PW_RULE_FIELD(g04_critical_waiters), 10, 1, 1e9,
	 "and from so many waiters on"},
	{"throttled", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g04_throttled), 0.5, 0, 100,
	 "not judged while its CPU quota was used up for this share of the time"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(g04_clear_ns), 0, 0, 24 * PW_RULE_HOUR,
	 "resolved so long after somebody got the lock"},
};

static const char *off_g04(const struct pw_record *record, char *text, size_t size)
{
	const char *off = pw_off_snapshot(record, text, size);

	if (off)
		return off;
	switch ((enum pw_locks_seen)record->snapshot.locks_seen) {
	case PW_LOCKS_CUT:
		return "what its goroutines wait on took too long to read";
	case PW_LOCKS_UNSEEN:
		return "where its runtime keeps who waits for a lock is not known";
	case PW_LOCKS_UNKNOWN:
		return "this recording does not tell its locks apart";
	case PW_LOCKS_SEEN:
	case _PW_LOCKS_MAX:
		break;
	}
	return NULL;
}

const struct pw_rule pw_rule_g04 = {
	.id = "PW-G04",
	.name = "lock that nobody unlocks",
	.level = PW_LEVEL_CRITICAL,
	.text = "Goroutines wait for a sync.Mutex or RWMutex, and since at least a minute none of those who wait for "
		"it has "
		"got it or has been woken: nobody has unlocked it. A process that is stopped, frozen or throttled is "
		"not "
		"judged; who has held it for long before and unlocked it has to hold it for longer.",
	.hint = "Look for the holder: a return or a panic without Unlock, or a wait while it holds the lock.",
	.parameters = g04_parameters,
	.parameter_count = ARRAY_SIZE(g04_parameters),
	.off = off_g04,
};

#define SITES_MAX	  256U /* per process: as many as there are places that wait for locks, and more */
#define BASELINE_QUANTILE 0.999

struct site {
	uint64_t key, gopc, seen;
	/* The lock that has been still for longest, at the last snapshot. */
	uint64_t object, still_since_ns, lasted_ns;
	uint64_t waiters_first;	 /* when it was first seen still */
	uint64_t fired_since_ns; /* of the lock that an alert is about */
	struct pw_baseline held; /* for how long such locks were held until somebody unlocked them, ns */
	bool warned;		 /* the open alert has been more than information */
	struct pw_condition condition;
};

static void site_free(void *value)
{
	free(value);
}

void pw_stuck_init(struct pw_stuck *stuck)
{
	*stuck = (struct pw_stuck){.sites = PW_TABLE_INIT(SITES_MAX, site_free)};
}

void pw_stuck_done(struct pw_stuck *stuck)
{
	pw_table_done(&stuck->sites);
}

struct evidence {
	struct site *site;
	const struct pw_record_lock *lock; /* NULL: none is still there any more */
	const struct pw_rules_config *rules;
	uint64_t lasting_ns, needed_ns;
};

/* --- words ---------------------------------------------------------------------------------------------------------
 */

static enum pw_alert_level level_of(const struct pw_record *record, const struct evidence *evidence)
{
	const struct pw_rules_config *rules = evidence->rules;
	uint64_t waiters = evidence->lock->waiters, system = 0, total;

	if (record->census.section.present)
		system = record->census.system;
	total = record->snapshot.total - PW_MIN(system, record->snapshot.total);
	if (waiters >= rules->g04_critical_waiters && (double)waiters >= rules->g04_critical_share * (double)total)
		return PW_LEVEL_CRITICAL;
	if (evidence->lasting_ns >= rules->g04_warn_age_ns)
		return PW_LEVEL_WARNING;
	return waiters >= rules->g04_warn_waiters && waiters > evidence->site->waiters_first ? PW_LEVEL_WARNING
											     : PW_LEVEL_INFO;
}

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct evidence *evidence = context;
	const struct pw_record_lock *lock = evidence->lock;
	uint64_t taken_ns = record->snapshot.section.taken_ns;

	pw_evidence_statement(alert, record, record->snapshot.parks[lock->park].statement);
	snprintf(alert->confidence, sizeof(alert->confidence), "suspected");
	alert->onset_wall_ns =
		record->wall_ns - PW_MIN(taken_ns - PW_MIN(lock->waiting_since_ns, taken_ns), record->wall_ns);
	alert->parked_onset = evidence->site->waiters_first;
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct evidence *evidence = context;
	const struct pw_record_lock *lock = evidence->lock;
	enum pw_alert_level level;

	if (lock) {
		const struct pw_record_park *park = &record->snapshot.parks[lock->park];
		uint64_t taken_ns = record->snapshot.section.taken_ns;

		level = level_of(record, evidence);
		alert->level = PW_MAX(alert->level, level);
		evidence->site->warned |= alert->level > PW_LEVEL_INFO;
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, park->reason);
		pw_evidence_creation(alert, record, park->statement);
		pw_evidence_park(alert, record, park);
		pw_evidence_lock(alert, record, lock);
		alert->oldest_park_ns = taken_ns - PW_MIN(lock->waiting_since_ns, taken_ns);
		alert->oldest_at_least = lock->at_least;
		alert->parked = lock->waiters;
		alert->still_ns = evidence->lasting_ns;
		pw_alert_threshold(alert, "still_s", (double)evidence->lasting_ns / (double)PW_NS_PER_SEC,
				   (double)evidence->needed_ns / (double)PW_NS_PER_SEC, false);
	} else {
		alert->parked = 0;
	}
	pw_explain_stuck(alert, peak);
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = pw_explain_stuck};

/* --- judgement ------------------------------------------------------------------------------------------------------
 */

/* Another lock is the longest one now, or this one was had by somebody: for how long it was held is normal there,
 * unless that was reason for more than information. */
static void learn(struct site *site, const struct pw_record_lock *lock)
{
	if (site->object && (!lock || lock->object != site->object || lock->still_since_ns != site->still_since_ns) &&
	    !site->warned)
		pw_baseline_absorb(&site->held, site->lasted_ns, 1);
	if (lock && (lock->object != site->object || lock->still_since_ns != site->still_since_ns))
		site->waiters_first = lock->waiters;
	site->object = lock ? lock->object : 0;
	site->still_since_ns = lock ? lock->still_since_ns : 0;
}

static void judge_site(const struct pw_judge *judge, const struct pw_stuck *stuck, struct site *site,
		       const struct pw_record *record, const struct pw_record_lock *lock, const struct pw_tick *tick)
{
	const struct pw_rules_config *rules = judge->rules;
	struct evidence evidence = {.site = site, .lock = lock, .rules = rules};
	struct pw_claim claim = {.rule = "PW-G04",
				 .subject = site->key,
				 .gopc = site->gopc,
				 .clear_ns = rules->g04_clear_ns,
				 .value = lock ? lock->waiters : 0,
				 .baseline = -1,
				 .words = &words,
				 .context = &evidence};
	double normal_ns;

	learn(site, lock);
	normal_ns = rules->g04_baseline_factor * pw_baseline_quantile(&site->held, BASELINE_QUANTILE);
	evidence.needed_ns = PW_MAX(rules->g04_age_ns, normal_ns < 1e19 ? (uint64_t)normal_ns : UINT64_MAX);
	if (lock) {
		uint64_t since_ns = PW_MAX(lock->still_since_ns, lock->waiting_since_ns);

		evidence.lasting_ns = pw_halt_lasting_ns(&stuck->halt, since_ns, tick->taken_ns);
		claim.holds = rules->g04_enabled && evidence.lasting_ns >= evidence.needed_ns;
	}
	site->lasted_ns = evidence.lasting_ns;
	if (site->condition.incident)
		claim.low = !lock || lock->still_since_ns > site->fired_since_ns;
	else if (claim.holds)
		site->fired_since_ns = lock->still_since_ns;
	judge->stats->evaluated++;
	if (pw_condition_judge(judge->conditions, &site->condition, record, tick, &claim) == PW_CONDITION_OVER)
		site->warned = false;
}

static struct site *site_of(struct pw_stuck *stuck, const struct pw_judge *judge, const struct pw_record *record,
			    const struct pw_record_park *park)
{
	uint64_t key = pw_park_key(record, park);
	struct site *site = pw_table_peek(&stuck->sites, &key, sizeof(key));

	if (site)
		return site;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->key = key;
	site->gopc = record->statements[park->statement].gopc;
	if (pw_table_put_u64(&stuck->sites, key, site) < 0) {
		judge->stats->sites_dropped++;
		free(site);
		return NULL;
	}
	return site;
}

/* The same goroutines in a circle are told once: by the lock that was met first. */
static bool is_told_by_another(const struct pw_record *record, const struct pw_record_lock *lock)
{
	for (size_t i = 0; lock->circle_count && i < record->snapshot.lock_count; i++) {
		const struct pw_record_lock *other = &record->snapshot.locks[i];

		if (other->circle_count != lock->circle_count || other->object >= lock->object)
			continue;
		for (size_t k = 0; k < PW_MIN(lock->circle_count, (uint32_t)PW_LOCK_CIRCLE_MAX); k++)
			if (other->circle[0] == lock->circle[k])
				return true;
	}
	return false;
}

static bool is_judged(const struct pw_record *record, const struct pw_record_lock *lock)
{
	const struct pw_record_park *park = &record->snapshot.parks[lock->park];
	const struct pw_record_statement *statement = &record->statements[park->statement];

	if (!pw_status_parked(park->status) || park->stack == UINT32_MAX || !statement->gopc ||
	    statement->gopc == PW_STATEMENT_OTHER || is_told_by_another(record, lock))
		return false;
	/* A finalizer that waits alone: PW-F01 speaks of it. */
	return lock->waiters > 1 || !pw_park_runs_finalizer(record, park);
}

/* A site that has none of these locks now keeps what it has learnt, unless there are too many: the table is small. */
static void judge_others(const struct pw_judge *judge, struct pw_stuck *stuck, const struct pw_record *record,
			 const struct pw_tick *tick)
{
	bool crowded = pw_table_count(&stuck->sites) >= SITES_MAX;

	pw_table_foreach(&stuck->sites, entry)
	{
		struct site *site = entry->value;

		if (site->seen == tick->number)
			continue;
		if (site->object || site->condition.incident)
			judge_site(judge, stuck, site, record, NULL, tick);
		else if (crowded)
			pw_table_remove_u64(&stuck->sites, site->key);
	}
}

int pw_stuck_judge(const struct pw_judge *judge, struct pw_stuck *stuck, const struct pw_record *record)
{
	struct pw_tick tick;

	pw_halt_note(&stuck->halt, record);
	if (!pw_park_tick(&stuck->last, record, &tick) ||
	    pw_halt_holds(&stuck->halt, record, &tick, judge->rules->g04_throttled) ||
	    record->snapshot.locks_seen != PW_LOCKS_SEEN)
		return 0;
	for (size_t i = 0; i < record->snapshot.lock_count; i++) {
		const struct pw_record_lock *lock = &record->snapshot.locks[i];
		struct site *site = is_judged(record, lock)
					    ? site_of(stuck, judge, record, &record->snapshot.parks[lock->park])
					    : NULL;

		if (!site || site->seen == tick.number)
			continue;
		site->seen = tick.number;
		judge_site(judge, stuck, site, record, lock, &tick);
	}
	judge_others(judge, stuck, record, &tick);
	return 0;
}
