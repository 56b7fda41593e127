/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/memory_growth.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/evidence.h"
#include "analysis/explain.h"
#include "analysis/phrase.h"
#include "analysis/process.h"
#include "analysis/trend.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"

#define JUDGED_SCALES	  2 /* 60 and 360 buckets: 1 and 6 hours */
#define BASELINE_SAMPLES  60
#define BASELINE_QUANTILE 0.999
#define MB		  1048576.0
#define GAP_NS		  (600 * PW_NS_PER_SEC)

/* --- PW-H01 --------------------------------------------------------------------------------------------------------
 */

static double baseline_of(const struct pw_heap_climb *climb, size_t scale)
{
	const struct pw_baseline *baseline = &climb->baseline[scale];

	return baseline->samples < BASELINE_SAMPLES ? -1 : pw_baseline_quantile(baseline, BASELINE_QUANTILE);
}

/* Bytes that a unit of load takes. */
static double per_load(const struct pw_judge *judge, const struct pw_heap_climb *climb)
{
	return judge->rules->h01_load ? climb->load.per_unit : 0;
}

/* The floor that leaves a window, without what the load of then explains; < 0: none does. */
static double leaving_floor(const struct pw_judge *judge, const struct pw_heap_climb *climb, size_t scale)
{
	double floor = pw_floors_oldest(&climb->live, scale), load = pw_floors_oldest(&climb->load.floors, scale);

	return floor < 0 || load < 0 ? floor : PW_MAX(floor - per_load(judge, climb) * load, 0.0);
}

/* A window that is full is judged; what has left it without an alert is normal. */
static void judge_scale(const struct pw_judge *judge, struct pw_heap_climb *climb, size_t scale, double leaving)
{
	struct pw_heap_limits limits = {.min_growth_bytes = judge->rules->h01_min_growth_mb * MB,
					.novel_bytes = judge->rules->h01_novel_mb * MB,
					.baseline = baseline_of(climb, scale),
					.load = &climb->load.floors,
					.per_load = per_load(judge, climb),
					.relative = {.25, .15, .10, .10}};
	struct pw_heap_verdict verdict;

	if (leaving >= 0 && !climb->condition.incident)
		pw_baseline_absorb(&climb->baseline[scale], (uint64_t)leaving, 1);
	if (!pw_heap_judge(&climb->live, scale, &limits, &verdict))
		return;
	judge->stats->evaluated++;
	climb->held[scale] = verdict.grows ? (uint8_t)PW_MIN(climb->held[scale] + 1, UINT8_MAX) : 0;
	if (climb->held[scale] >= judge->rules->h01_confirm && (!climb->grows || scale >= climb->scale)) {
		climb->grows = true;
		climb->scale = scale;
		climb->verdict = verdict;
	} else if (scale == climb->scale && (climb->grows || climb->condition.incident)) {
		climb->grows = false;
		climb->verdict = verdict;
	}
}

static void take_cycle(const struct pw_judge *judge, struct pw_heap_climb *climb,
		       const struct pw_record_gc_cycle *cycle)
{
	double leaving[JUDGED_SCALES];
	unsigned int closed;

	for (size_t scale = 0; scale < JUDGED_SCALES; scale++)
		leaving[scale] = leaving_floor(judge, climb, scale);
	pw_load_take_cycle(&climb->load, judge->rules->h01_bucket_ns, cycle->end_ns, (double)cycle->heap_live_bytes,
			   judge->rules->h01_load_spread);
	closed =
		pw_floors_add(&climb->live, judge->rules->h01_bucket_ns, cycle->end_ns, (double)cycle->heap_live_bytes);
	climb->bytes = cycle->heap_live_bytes;
	for (size_t scale = 0; scale < JUDGED_SCALES; scale++)
		if (closed >> scale & 1)
			judge_scale(judge, climb, scale, leaving[scale]);
}

static void climb_thresholds(struct pw_alert *alert, const struct pw_heap_verdict *verdict)
{
	pw_alert_threshold(alert, "trend_z", verdict->z, pw_trend_z_needed(1), false);
	pw_alert_threshold(alert, "growth_bytes", verdict->growth_bytes, verdict->growth_needed, false);
	if (verdict->last_needed >= 0)
		pw_alert_threshold(alert, "live_bytes", verdict->last, verdict->last_needed, false);
}

/* What of the heap its load explains, and is left out. */
static void say_load(struct pw_alert *alert, const struct pw_load *load)
{
	size_t used = strlen(alert->hint);
	double now = pw_load_now(load);
	char bytes[PW_PHRASE_BYTES_SIZE];

	if (now < 0)
		snprintf(alert->hint + used, sizeof(alert->hint) - used,
			 " Its load is not known: what grows with load looks the same.");
	else if (load->per_unit > 0)
		snprintf(alert->hint + used, sizeof(alert->hint) - used,
			 " What its load explains, %s now, is left out.", pw_phrase_bytes(now * load->per_unit, bytes));
	else
		snprintf(alert->hint + used, sizeof(alert->hint) - used, " Its load does not explain it.");
}

static void climb_update(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct pw_heap_climb *climb = context;

	alert->value = (double)climb->bytes;
	alert->growth_per_hour = climb->verdict.slope_per_hour;
	alert->growth_low_per_hour = climb->verdict.slope_low_per_hour;
	alert->growth_high_per_hour = climb->verdict.slope_high_per_hour;
	alert->window_ns = climb->verdict.window_ns;
	pw_evidence_floors(alert, &climb->live, climb->scale, PW_FLOORS_BUCKETS);
	if (climb->grows)
		climb_thresholds(alert, &climb->verdict);
	pw_heap_lines_tell(climb->lines, record, alert->window_ns, alert);
	pw_explain_memory(alert, peak);
	say_load(alert, &climb->load);
}

static void climb_begin(struct pw_alert *alert, const struct pw_record *record pw_unused, const void *context)
{
	const struct pw_heap_climb *climb = context;

	snprintf(alert->unit, sizeof(alert->unit), "bytes");
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "leak");
	alert->onset_wall_ns = climb->onset_wall_ns;
	alert->value_onset = climb->onset_bytes;
}

static const struct pw_words climb_words = {.begin = climb_begin, .update = climb_update, .end = pw_explain_memory};

static void judge_climb(const struct pw_judge *judge, struct pw_memory_growth *memory, const struct pw_record *record)
{
	struct pw_heap_climb *climb = &memory->climb;
	uint64_t before = climb->cycle;
	struct pw_claim claim = {.rule = "PW-H01", .words = &climb_words, .context = climb, .lines = &memory->lines};

	pw_load_see(&climb->load, record, judge->rules->h01_bucket_ns);
	for (size_t i = 0; i < record->gc.cycle_count; i++) {
		const struct pw_record_gc_cycle *cycle = &record->gc.cycles[i];

		if (cycle->number <= climb->cycle || cycle->heap_live_bytes == PW_UNKNOWN || !cycle->end_ns)
			continue;
		climb->cycle = cycle->number;
		take_cycle(judge, climb, cycle);
	}
	if (climb->cycle == before)
		return;
	climb->lines = &memory->lines;
	claim.heap_cycle = climb->cycle;
	claim.lines_window_ns = climb->verdict.window_ns;
	claim.value = climb->bytes;
	claim.baseline = baseline_of(climb, climb->scale);
	claim.holds = climb->grows && judge->rules->h01_enabled;
	claim.low = climb->verdict.slope_low_per_hour <= 0;
	claim.clear_ns = PW_MAX(judge->rules->h01_clear_ns, climb->verdict.window_ns / 4);
	if (claim.holds && !climb->condition.incident) {
		climb->onset_wall_ns = record->wall_ns - PW_MIN(climb->verdict.window_ns, record->wall_ns);
		climb->onset_bytes = climb->verdict.first;
	}
	(void)pw_condition_judge(judge->conditions, &climb->condition, record, &memory->tick, &claim);
}

/* --- PW-H03 --------------------------------------------------------------------------------------------------------
 */

struct fill_evidence {
	const struct pw_rules_config *rules;
	const struct pw_memory_fill *fill;
	const struct pw_heap_lines *lines;
};

static void fill_thresholds(struct pw_alert *alert, const struct fill_evidence *evidence)
{
	const struct pw_exhaustion *state = &evidence->fill->state;
	double second = (double)PW_NS_PER_SEC;

	pw_alert_threshold(alert, "used_share", state->used / state->limit, evidence->rules->h03_share, false);
	pw_alert_threshold(alert, "trend_z", state->z, pw_trend_z_needed(1), false);
	pw_alert_threshold(alert, "eta_hi_s", state->eta_high_ns / second, (double)evidence->rules->h03_eta_ns / second,
			   true);
}

static void fill_update(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct fill_evidence *evidence = context;
	const struct pw_memory_fill *fill = evidence->fill;

	alert->value = fill->state.used;
	alert->limit = fill->state.limit;
	snprintf(alert->limit_name, sizeof(alert->limit_name), "memory.max");
	pw_evidence_floors(alert, &fill->used, 0, PW_FLOORS_BUCKETS);
	if (fill->state.near)
		fill_thresholds(alert, evidence);
	alert->growth_per_hour = fill->state.slope_per_hour;
	alert->eta_ns = isfinite(fill->state.eta_ns) ? (uint64_t)fill->state.eta_ns : UINT64_MAX;
	alert->eta_low_ns = isfinite(fill->state.eta_low_ns) ? (uint64_t)fill->state.eta_low_ns : UINT64_MAX;
	pw_heap_lines_tell(evidence->lines, record, PW_EXHAUSTION_BUCKETS * evidence->rules->h03_bucket_ns, alert);
	alert->eta_high_ns = isfinite(fill->state.eta_high_ns) ? (uint64_t)fill->state.eta_high_ns : UINT64_MAX;
	pw_explain_memory(alert, peak);
}

static void fill_begin(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct fill_evidence *evidence = context;

	snprintf(alert->unit, sizeof(alert->unit), "bytes");
	alert->level = PW_LEVEL_CRITICAL; /* needs no baseline: a limit is a limit */
	snprintf(alert->confidence, sizeof(alert->confidence), "suspected");
	alert->onset_wall_ns = record->wall_ns;
	alert->value_onset = evidence->fill->state.used;
}

static const struct pw_words fill_words = {.begin = fill_begin, .update = fill_update, .end = pw_explain_memory};

static void judge_fill(const struct pw_judge *judge, struct pw_memory_growth *memory, const struct pw_record *record)
{
	const struct pw_memory_limits *limits = &record->memory.table.limits;
	const struct pw_rules_config *rules = judge->rules;
	struct pw_memory_fill *fill = &memory->fill;
	const struct fill_evidence evidence = {.rules = rules, .fill = fill, .lines = &memory->lines};
	struct pw_claim claim = {.rule = "PW-H03",
				 .baseline = -1,
				 .confirm = rules->h03_confirm,
				 .clear_ns = rules->h03_bucket_ns,
				 .lines = &memory->lines,
				 .lines_window_ns = PW_EXHAUSTION_BUCKETS * rules->h03_bucket_ns,
				 .heap_cycle = memory->climb.cycle,
				 .words = &fill_words,
				 .context = &evidence};
	uint64_t used = limits->max_used_bytes;

	if (!record->memory.section.present || record->memory.section.taken_ns <= fill->taken_ns ||
	    limits->max_bytes == PW_UNKNOWN || used == PW_UNKNOWN)
		return;
	fill->taken_ns = record->memory.section.taken_ns;
	if (limits->max_reclaimable_bytes != PW_UNKNOWN)
		used -= PW_MIN(used, limits->max_reclaimable_bytes); /* the page cache gives way by itself */
	(void)pw_floors_add(&fill->used, rules->h03_bucket_ns, fill->taken_ns, (double)used);
	if (!pw_exhaustion_judge(&fill->used, (double)limits->max_bytes, rules->h03_share, (double)rules->h03_eta_ns,
				 (double)rules->h03_clear_ns, &fill->state))
		return;
	judge->stats->evaluated++;
	claim.value = (uint64_t)fill->state.used;
	claim.holds = fill->state.near && rules->h03_enabled;
	claim.low = fill->state.far;
	(void)pw_condition_judge(judge->conditions, &fill->condition, record, &memory->tick, &claim);
}

void pw_memory_growth_see(const struct pw_judge *judge, struct pw_memory_growth *memory, const struct pw_record *record)
{
	pw_heap_lines_see(&memory->lines, record, judge->rules->h01_bucket_ns);
}

void pw_memory_growth_done(struct pw_memory_growth *memory)
{
	pw_heap_lines_done(&memory->lines);
}

void pw_memory_growth_judge(const struct pw_judge *judge, struct pw_memory_growth *memory,
			    const struct pw_record *record)
{
	bool gap = !memory->tick.taken_ns || record->boot_ns <= memory->tick.taken_ns ||
		   record->boot_ns - memory->tick.taken_ns > GAP_NS;

	memory->tick = (struct pw_tick){.number = memory->tick.number + 1,
					.taken_ns = record->boot_ns,
					.wall_ns = record->wall_ns,
					.before_ns = gap ? 0 : memory->tick.taken_ns,
					.before_wall_ns = gap ? 0 : memory->tick.wall_ns};
	if (record->gc.section.present)
		judge_climb(judge, memory, record);
	judge_fill(judge, memory, record);
}
