/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/stack_total.h"

#include <stdio.h>

#include "analysis/evidence.h"
#include "analysis/explain_stacks.h"
#include "analysis/process.h"
#include "analysis/trend.h"
#include "base/macros.h"
#include "base/robust.h"
#include "model/alert.h"
#include "model/record.h"

#define JUDGED_SCALES	  2 /* 60 and 360 buckets: 1 and 6 hours */
#define BASELINE_SAMPLES  60
#define BASELINE_QUANTILE 0.999
#define EDGE		  6 /* buckets at each end of a window */
#define MB		  1048576.0
#define GAP_NS		  (600 * PW_NS_PER_SEC)

static double baseline_of(const struct pw_stack_total *stacks, size_t scale)
{
	const struct pw_baseline *baseline = &stacks->baseline[scale];

	return baseline->samples < BASELINE_SAMPLES ? -1 : pw_baseline_quantile(baseline, BASELINE_QUANTILE);
}

/* Sizes are powers of two: that of the end of the window has to be another one than that of its beginning. */
static bool gets_deeper(struct pw_stack_total *stacks, size_t scale)
{
	double values[PW_FLOORS_BUCKETS], scratch[EDGE], filled;
	size_t count = pw_floors_copy(&stacks->deepest, scale, values, PW_FLOORS_BUCKETS, &filled);

	if (count < PW_FLOORS_BUCKETS)
		return false;
	stacks->deepest_first = pw_robust_median(values, EDGE, scratch);
	stacks->deepest_last = pw_robust_median(values + count - EDGE, EDGE, scratch);
	return stacks->deepest_last > stacks->deepest_first;
}

static void judge_scale(const struct pw_judge *judge, struct pw_stack_total *stacks, size_t scale, double leaving)
{
	struct pw_heap_limits limits = {.min_growth_bytes = judge->rules->c02_min_growth_mb * MB,
					.novel_bytes = judge->rules->c02_novel_mb * MB,
					.baseline = baseline_of(stacks, scale),
					.relative = {.25, .15, .10, .10}};
	struct pw_heap_verdict verdict;

	if (leaving >= 0 && !stacks->condition.incident)
		pw_baseline_absorb(&stacks->baseline[scale], (uint64_t)leaving, 1);
	if (!pw_heap_judge(&stacks->bytes, scale, &limits, &verdict))
		return;
	judge->stats->evaluated++;
	verdict.grows = verdict.grows && gets_deeper(stacks, scale);
	stacks->held[scale] = verdict.grows ? (uint8_t)PW_MIN(stacks->held[scale] + 1, UINT8_MAX) : 0;
	if (stacks->held[scale] >= judge->rules->c02_confirm && (!stacks->grows || scale >= stacks->scale)) {
		stacks->grows = true;
		stacks->scale = scale;
		stacks->verdict = verdict;
	} else if (scale == stacks->scale && (stacks->grows || stacks->condition.incident)) {
		stacks->grows = false;
		stacks->verdict = verdict;
	}
}

static void take(const struct pw_judge *judge, struct pw_stack_total *stacks, const struct pw_record *record)
{
	uint64_t now_ns = record->runtime.section.taken_ns, base_ns = judge->rules->c02_bucket_ns;
	double leaving[JUDGED_SCALES];
	unsigned int closed;

	for (size_t scale = 0; scale < JUDGED_SCALES; scale++)
		leaving[scale] = pw_floors_oldest(&stacks->bytes, scale);
	(void)pw_floors_add(&stacks->deepest, base_ns, now_ns, (double)record->snapshot.stack_p99_bytes);
	closed = pw_floors_add(&stacks->bytes, base_ns, now_ns, (double)record->runtime.numbers.stack_inuse_bytes);
	for (size_t scale = 0; scale < JUDGED_SCALES; scale++)
		if (closed >> scale & 1)
			judge_scale(judge, stacks, scale, leaving[scale]);
}

/* --- words ----------------------------------------------------------------------------------------------------------
 */

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct pw_stack_total *stacks = context;

	snprintf(alert->unit, sizeof(alert->unit), "bytes");
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "leak");
	alert->onset_wall_ns = record->wall_ns - PW_MIN(stacks->verdict.window_ns, record->wall_ns);
	alert->value_onset = stacks->verdict.first;
}

static void update_words(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context,
			 uint64_t peak)
{
	const struct pw_stack_total *stacks = context;
	const struct pw_heap_verdict *verdict = &stacks->verdict;

	alert->value = (double)stacks->now_bytes;
	alert->parked = stacks->goroutines;
	alert->growth_per_hour = verdict->slope_per_hour;
	alert->growth_low_per_hour = verdict->slope_low_per_hour;
	alert->growth_high_per_hour = verdict->slope_high_per_hour;
	alert->window_ns = verdict->window_ns;
	alert->deepest_from = stacks->deepest_first;
	alert->deepest_to = stacks->deepest_last;
	pw_evidence_floors(alert, &stacks->bytes, stacks->scale, PW_FLOORS_BUCKETS);
	if (stacks->grows) {
		pw_alert_threshold(alert, "trend_z", verdict->z, pw_trend_z_needed(1), false);
		pw_alert_threshold(alert, "growth_bytes", verdict->growth_bytes, verdict->growth_needed, false);
		pw_alert_threshold(alert, "p99_bytes", stacks->deepest_last, stacks->deepest_first * 2, false);
		if (verdict->last_needed >= 0)
			pw_alert_threshold(alert, "stack_bytes", verdict->last, verdict->last_needed, false);
	}
	pw_explain_stacks(alert, peak);
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = pw_explain_stacks};

/* --- judgement ------------------------------------------------------------------------------------------------------
 */

void pw_stack_total_judge(const struct pw_judge *judge, struct pw_stack_total *stacks, const struct pw_record *record)
{
	const struct pw_runtime_numbers *numbers = &record->runtime.numbers;
	struct pw_tick *tick = &stacks->tick;
	struct pw_claim claim = {.rule = "PW-C02", .words = &words, .context = stacks};
	bool gap = !tick->taken_ns || record->boot_ns <= tick->taken_ns || record->boot_ns - tick->taken_ns > GAP_NS;

	if (!record->runtime.section.present || record->runtime.section.quality == PW_STALE ||
	    record->runtime.section.taken_ns <= stacks->taken_ns || numbers->stack_inuse_bytes == PW_UNKNOWN ||
	    !record->snapshot.section.present || record->snapshot.stack_p99_bytes == PW_UNKNOWN)
		return;
	*tick = (struct pw_tick){.number = tick->number + 1,
				 .taken_ns = record->boot_ns,
				 .wall_ns = record->wall_ns,
				 .before_ns = gap ? 0 : tick->taken_ns,
				 .before_wall_ns = gap ? 0 : tick->wall_ns};
	stacks->taken_ns = record->runtime.section.taken_ns;
	stacks->now_bytes = numbers->stack_inuse_bytes;
	stacks->goroutines = record->snapshot.total;
	take(judge, stacks, record);
	claim.value = stacks->now_bytes;
	claim.baseline = baseline_of(stacks, stacks->scale);
	claim.holds = stacks->grows && judge->rules->c02_enabled;
	claim.low = stacks->verdict.slope_low_per_hour <= 0;
	claim.clear_ns = PW_MAX(judge->rules->c02_total_clear_ns, stacks->verdict.window_ns / 4);
	(void)pw_condition_judge(judge->conditions, &stacks->condition, record, tick, &claim);
}
