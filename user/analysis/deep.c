/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/deep.h"

#include <stdio.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/explain_stacks.h"
#include "analysis/park.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

static const struct pw_rule_parameter c02_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(c02_enabled), 1, 0, 1, "judge by this rule"},
	{"min_mb", PW_PARAMETER_COUNT, PW_RULE_FIELD(c02_min_mb), 64, 1, 1e6, "the stack of one goroutine is so large"},
	{"doublings", PW_PARAMETER_COUNT, PW_RULE_FIELD(c02_doublings), 6, 1, 30, "or has doubled so many times"},
	{"window", PW_PARAMETER_DURATION, PW_RULE_FIELD(c02_window_ns), 60 * PW_RULE_SEC, PW_RULE_SEC, PW_RULE_HOUR,
	 "within so long"},
	{"reads", PW_PARAMETER_COUNT, PW_RULE_FIELD(c02_reads), 3, 1, 8,
	 "and at so many snapshots it was larger than ever before"},
	{"reads_within", PW_PARAMETER_DURATION, PW_RULE_FIELD(c02_reads_within_ns), PW_RULE_HOUR, PW_RULE_SEC,
	 24 * PW_RULE_HOUR, "within so long"},
	{"critical_eta", PW_PARAMETER_DURATION, PW_RULE_FIELD(c02_critical_eta_ns), 24 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR, "critical if it is at the limit in so long, else a warning"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(c02_clear_ns), 5 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long without growth, or at half of the peak"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(c02_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "all stacks together: windows are 60 and 360 of these"},
	{"min_growth_mb", PW_PARAMETER_COUNT, PW_RULE_FIELD(c02_min_growth_mb), 32, 0, 1e6,
	 "all together: so much over the window (and 25% or 15% of what there is)"},
	{"novel_mb", PW_PARAMETER_COUNT, PW_RULE_FIELD(c02_novel_mb), 16, 0, 1e6,
	 "all together: so much above the baseline (and 10%)"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(c02_confirm), 6, 1, 60,
	 "all together: at so many buckets in a row"},
	{"total_clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(c02_total_clear_ns), 15 * PW_RULE_MIN, 0,
	 24 * PW_RULE_HOUR, "all together: resolved after so long without a sure slope"},
};

const struct pw_rule pw_rule_c02 = {
	.id = "PW-C02",
	.name = "stacks that grow",
	.level = PW_LEVEL_CRITICAL,
	.text = "The stack of one goroutine grows from look to look: a recursion that does not end, and at its limit "
		"(1 GB, "
		"unless debug.SetMaxStack says otherwise) the runtime ends the program. Or all stacks together climb "
		"as the "
		"heap does for PW-H01, because they get deeper and not more.",
	.hint = "See where it recurses: parkwatch goroutines -p PID --goroutine ID",
	.parameters = c02_parameters,
	.parameter_count = ARRAY_SIZE(c02_parameters),
	.off = pw_off_snapshot,
};

#define GOROUTINES_MAX 64U /* 8 are told of at a time */
#define READS	       16  /* that its pace is taken from */
#define RISES	       8
#define MB	       1048576.0
#define STEP	       64 /* larger by one part in so many is larger */
#define STEADY_USED    3  /* the least of its rises is not less than one part in so many of the largest ... */
#define STEADY_BYTES   5  /* ... and where only what is reserved is known, which doubles */
#define FALL	       8  /* smaller by one part in so many: it has come back */

struct read {
	uint64_t taken_ns, bytes, used; /* used: PW_UNKNOWN */
};

struct goroutine {
	uint64_t goid, seen;
	struct read reads[READS]; /* the newest first */
	size_t count;
	uint64_t most_bytes, most_used;
	struct {
		uint64_t taken_ns, bytes; /* by how much */
	} rises[RISES];			  /* when it was larger than ever before, the newest first */
	size_t rise_count;
	struct pw_condition condition;
};

static void goroutine_free(void *value)
{
	free(value);
}

void pw_deep_init(struct pw_deep *deep)
{
	*deep = (struct pw_deep){.goroutines = PW_TABLE_INIT(GOROUTINES_MAX, goroutine_free)};
}

void pw_deep_done(struct pw_deep *deep)
{
	pw_table_done(&deep->goroutines);
}

/* --- what its reads say ---------------------------------------------------------------------------------------------
 */

static void note_rise(struct goroutine *goroutine, uint64_t now_ns, uint64_t bytes)
{
	memmove(goroutine->rises + 1, goroutine->rises, (RISES - 1) * sizeof(*goroutine->rises));
	goroutine->rises[0].taken_ns = now_ns;
	goroutine->rises[0].bytes = bytes;
	goroutine->rise_count = PW_MIN(goroutine->rise_count + 1, (size_t)RISES);
}

static void take(struct goroutine *goroutine, const struct pw_record_large_stack *stack, uint64_t now_ns)
{
	bool known = stack->used_bytes != PW_UNKNOWN;
	bool larger = stack->bytes > goroutine->most_bytes ||
		      (known && stack->used_bytes > goroutine->most_used + goroutine->most_used / STEP);

	memmove(goroutine->reads + 1, goroutine->reads, (READS - 1) * sizeof(*goroutine->reads));
	goroutine->reads[0] = (struct read){.taken_ns = now_ns, .bytes = stack->bytes, .used = stack->used_bytes};
	goroutine->count = PW_MIN(goroutine->count + 1, (size_t)READS);
	if (stack->bytes < goroutine->most_bytes ||
	    (known && stack->used_bytes < goroutine->most_used - goroutine->most_used / FALL))
		goroutine->rise_count = 0;
	if (!larger)
		return;
	if (goroutine->most_bytes)
		note_rise(goroutine, now_ns,
			  known && stack->used_bytes > goroutine->most_used ? stack->used_bytes - goroutine->most_used
									    : stack->bytes - goroutine->most_bytes);
	goroutine->most_bytes = PW_MAX(goroutine->most_bytes, stack->bytes);
	if (known)
		goroutine->most_used = PW_MAX(goroutine->most_used, stack->used_bytes);
}

/* What runs away does so steadily: by as much each time, or by twice as much. What comes and goes may exceed itself a
 * few times in a row by chance, but by anything. */
static bool is_steady(const struct goroutine *goroutine, size_t rises)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = 0; i < rises; i++) {
		least = PW_MIN(least, goroutine->rises[i].bytes);
		most = PW_MAX(most, goroutine->rises[i].bytes);
	}
	return least >= most / (goroutine->reads[0].used == PW_UNKNOWN ? STEADY_BYTES : STEADY_USED);
}

static uint32_t doublings(const struct goroutine *goroutine, uint64_t window_ns)
{
	uint64_t least = goroutine->reads[0].bytes;

	for (size_t i = 1; i < goroutine->count; i++)
		if (goroutine->reads[0].taken_ns - goroutine->reads[i].taken_ns <= window_ns)
			least = PW_MIN(least, goroutine->reads[i].bytes);
	return least ? (uint32_t)(__builtin_clzll(least) - __builtin_clzll(goroutine->reads[0].bytes)) : 0;
}

static uint64_t size_of(const struct read *read)
{
	return read->used == PW_UNKNOWN ? read->bytes : read->used;
}

/* Bytes a second over what is remembered; of what is in use if both ends know it. */
static double pace(const struct goroutine *goroutine)
{
	const struct read *now = &goroutine->reads[0], *then = &goroutine->reads[goroutine->count - 1];
	bool used = now->used != PW_UNKNOWN && then->used != PW_UNKNOWN;
	double from = (double)(used ? then->used : then->bytes), to = (double)(used ? now->used : now->bytes);

	return now->taken_ns > then->taken_ns
		       ? (to - from) / ((double)(now->taken_ns - then->taken_ns) / (double)PW_NS_PER_SEC)
		       : 0;
}

/* A stack that is full is copied to one twice as large, which must not exceed the limit
 * (src/runtime/stack.go:newstack): so the largest power of two below it is what there is. */
static uint64_t usable_bytes(void)
{
	return 1ULL << (63 - __builtin_clzll(PW_STACK_LIMIT_BYTES));
}

static uint64_t eta_ns(const struct goroutine *goroutine)
{
	double per_second = pace(goroutine), left = (double)usable_bytes() - (double)size_of(&goroutine->reads[0]);

	if (per_second <= 0)
		return UINT64_MAX;
	return left <= 0 ? 1 : (uint64_t)PW_MIN(left / per_second * (double)PW_NS_PER_SEC, 1e18);
}

/* --- words ----------------------------------------------------------------------------------------------------------
 */

struct evidence {
	const struct goroutine *goroutine;
	const struct pw_record_large_stack *stack; /* NULL: it is no longer among the largest, or has ended */
	const struct pw_rules_config *rules;
};

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct evidence *evidence = context;
	const struct read *first = &evidence->goroutine->reads[evidence->goroutine->count - 1];
	uint64_t taken_ns = record->snapshot.section.taken_ns;

	snprintf(alert->unit, sizeof(alert->unit), "bytes");
	snprintf(alert->confidence, sizeof(alert->confidence), "suspected");
	snprintf(alert->limit_name, sizeof(alert->limit_name), "stack limit, by default");
	pw_evidence_statement(alert, record, record->snapshot.parks[evidence->stack->park].statement);
	alert->goid = evidence->goroutine->goid;
	alert->limit = (double)PW_STACK_LIMIT_BYTES;
	alert->value_onset = (double)size_of(first);
	alert->onset_wall_ns = record->wall_ns - PW_MIN(taken_ns - PW_MIN(first->taken_ns, taken_ns), record->wall_ns);
}

static void put_thresholds(struct pw_alert *alert, const struct evidence *evidence)
{
	const struct goroutine *goroutine = evidence->goroutine;
	uint32_t doubled = doublings(goroutine, evidence->rules->c02_window_ns);

	if (evidence->stack->bytes >= evidence->rules->c02_min_mb * MB)
		pw_alert_threshold(alert, "stack_bytes", (double)evidence->stack->bytes,
				   evidence->rules->c02_min_mb * MB, false);
	if (doubled >= evidence->rules->c02_doublings)
		pw_alert_threshold(alert, "doublings", doubled, evidence->rules->c02_doublings, false);
	pw_alert_threshold(alert, "reads", (double)goroutine->rise_count, evidence->rules->c02_reads, false);
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct evidence *evidence = context;
	const struct goroutine *goroutine = evidence->goroutine;
	enum pw_alert_level level;

	if (evidence->stack) {
		const struct pw_record_park *park = &record->snapshot.parks[evidence->stack->park];

		alert->eta_ns = eta_ns(goroutine);
		level = alert->eta_ns <= evidence->rules->c02_critical_eta_ns ? PW_LEVEL_CRITICAL : PW_LEVEL_WARNING;
		alert->level = PW_MAX(alert->level, level);
		alert->value = (double)size_of(&goroutine->reads[0]);
		alert->reserved_bytes = evidence->stack->bytes;
		alert->growth_per_hour = pace(goroutine) * 3600;
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, park->reason);
		pw_evidence_creation(alert, record, park->statement);
		if (park->stack != UINT32_MAX) { /* it was parked: else the stack from before says more than none */
			pw_evidence_park(alert, record, park);
			pw_evidence_recursion(alert, record, park);
		}
		put_thresholds(alert, evidence);
	}
	pw_explain_deep(alert, peak);
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = pw_explain_deep};

/* --- judgement ------------------------------------------------------------------------------------------------------
 */

static bool runs_away(const struct pw_rules_config *rules, const struct goroutine *goroutine)
{
	const struct read *now = &goroutine->reads[0];
	size_t needed = PW_MIN((size_t)rules->c02_reads, (size_t)RISES);

	if (goroutine->rise_count < needed ||
	    goroutine->rises[needed - 1].taken_ns + rules->c02_reads_within_ns < now->taken_ns ||
	    goroutine->rises[0].taken_ns + rules->c02_clear_ns <= now->taken_ns || !is_steady(goroutine, needed))
		return false;
	return (double)now->bytes >= rules->c02_min_mb * MB ||
	       doublings(goroutine, rules->c02_window_ns) >= rules->c02_doublings;
}

static void judge_one(const struct pw_judge *judge, struct goroutine *goroutine, const struct pw_record *record,
		      const struct pw_record_large_stack *stack, const struct pw_tick *tick)
{
	const struct pw_rules_config *rules = judge->rules;
	const struct pw_incident *incident = goroutine->condition.incident;
	const struct evidence evidence = {.goroutine = goroutine, .stack = stack, .rules = rules};
	uint64_t rise_ns = goroutine->rise_count ? goroutine->rises[0].taken_ns : 0;
	struct pw_claim claim = {.rule = "PW-C02",
				 .subject = goroutine->goid,
				 .value = stack ? stack->bytes : 0,
				 .baseline = -1,
				 .words = &words,
				 .context = &evidence};

	claim.holds = stack && rules->c02_enabled && runs_away(rules, goroutine);
	claim.low = incident &&
		    (!stack || stack->bytes <= incident->peak / 2 || rise_ns + rules->c02_clear_ns <= tick->taken_ns);
	judge->stats->evaluated++;
	(void)pw_condition_judge(judge->conditions, &goroutine->condition, record, tick, &claim);
}

static struct goroutine *goroutine_of(struct pw_deep *deep, const struct pw_judge *judge, uint64_t goid)
{
	struct goroutine *goroutine = pw_table_peek(&deep->goroutines, &goid, sizeof(goid));

	if (goroutine)
		return goroutine;
	goroutine = calloc(1, sizeof(*goroutine));
	if (!goroutine)
		return NULL;
	goroutine->goid = goid;
	if (pw_table_put_u64(&deep->goroutines, goid, goroutine) < 0) {
		judge->stats->sites_dropped++;
		free(goroutine);
		return NULL;
	}
	return goroutine;
}

int pw_deep_judge(const struct pw_judge *judge, struct pw_deep *deep, const struct pw_record *record)
{
	struct pw_tick tick;

	if (!pw_park_tick(&deep->last, record, &tick))
		return 0;
	for (uint32_t i = 0; i < record->snapshot.large_count; i++) {
		const struct pw_record_large_stack *stack = &record->snapshot.large[i];
		struct goroutine *goroutine = goroutine_of(deep, judge, stack->goid);

		if (!goroutine || goroutine->seen == tick.number)
			continue;
		goroutine->seen = tick.number;
		take(goroutine, stack, tick.taken_ns);
		judge_one(judge, goroutine, record, stack, &tick);
	}
	pw_table_foreach(&deep->goroutines, entry)
	{
		struct goroutine *goroutine = entry->value;

		if (goroutine->seen == tick.number)
			continue;
		if (goroutine->condition.incident)
			judge_one(judge, goroutine, record, NULL, &tick);
		if (!goroutine->condition.incident)
			pw_table_remove_u64(&deep->goroutines, goroutine->goid);
	}
	return 0;
}
