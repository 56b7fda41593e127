/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/growth.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/descriptors.h"
#include "analysis/evidence.h"
#include "analysis/explain.h"
#include "analysis/facts.h"
#include "analysis/park.h"
#include "analysis/process.h"
#include "analysis/survivors.h"
#include "base/macros.h"
#include "base/robust.h"
#include "model/alert.h"
#include "model/record.h"

#define SITES_MAX	  1000U /* per process, DETECTORS 12; about 5 kB each */
#define EMPTY_MAX	  120U	/* snapshots without a goroutine before a site is forgotten */
#define BASELINE_SAMPLES  60	/* buckets */
#define BASELINE_QUANTILE 0.999
#define BASELINE_MIN_NS	  (7200 * PW_NS_PER_SEC)
#define BASELINE_YOUNG	  2 /* factor on the margin until a day has been seen */
#define DAY_NS		  (24 * 3600 * PW_NS_PER_SEC)
#define POOL_SHARE	  0.1 /* different objects per goroutine, below which they look like workers of one queue */
#define POOL_FACTOR	  4
#define STEADY_SAMPLES	  5 /* snapshots in which they ran at the same rate */
#define STEADY_VARIATION  0.2
#define LEAK_WINDOW	  1 /* from this window on it is called a leak, if there is a baseline */
#define SCALES		  PW_SURVIVOR_SCALES

enum kind { CHANNEL, SELECT, WAITGROUP, SLEEPER, NETWORK, COROUTINE, OTHER, _KINDS };
static const char *const rule_of[_KINDS] = {
	[CHANNEL] = "PW-G01", [SELECT] = "PW-G03",    [WAITGROUP] = "PW-G05", [SLEEPER] = "PW-G06",
	[NETWORK] = "PW-G07", [COROUTINE] = "PW-G11", [OTHER] = "PW-G10",
};

struct site {
	uint64_t key, gopc;
	struct pw_survivors survivors;
	struct pw_baseline baseline[SCALES];
	uint64_t baseline_ns[SCALES];
	uint64_t all_old, old, count; /* at the last snapshot; all_old: those from before we looked, too */
	uint64_t seen, arrivals_ns;   /* number of the snapshot; time of the last arrival */
	uint32_t empty;
	struct pw_welford rate; /* runs per goroutine and second, over snapshots */
	struct pw_condition condition;
	struct pw_survivor_verdict verdict; /* the newest one of the longest window that grows */
	size_t window;
	bool grows;
	uint64_t onset_wall_ns, onset_count;
	enum kind kind;
};

static void site_free(void *value)
{
	free(value);
}

void pw_growth_init(struct pw_growth *growth)
{
	*growth = (struct pw_growth){.sites = PW_TABLE_INIT(SITES_MAX, site_free)};
}

void pw_growth_done(struct pw_growth *growth)
{
	pw_table_done(&growth->sites);
}

/* --- which site a group belongs to -------------------------------------------------------------------------------- */

static bool is_steady(const struct site *site)
{
	double mean = site->rate.mean;

	return site->rate.count >= STEADY_SAMPLES && mean > 0 &&
	       sqrt(pw_welford_variance(&site->rate)) < STEADY_VARIATION * mean;
}

/* Before Go 1.24 WaitGroups wait as "semacquire": the caller tells. */
static enum kind kind_of(const struct pw_record *record, const struct pw_record_park *park, const struct site *site)
{
	const char *reason = pw_record_string(record, park->reason);

	if (!strcmp(reason, "sleep") || is_steady(site))
		return SLEEPER;
	if (!strncmp(reason, "chan ", 5))
		return CHANNEL;
	if (!strncmp(reason, "select", 6))
		return SELECT;
	if (!strcmp(reason, "IO wait") && pw_network_endless(park))
		return NETWORK;
	if (!strncmp(reason, "coroutine", 9))
		return COROUTINE;
	if (pw_park_waits_in(record, park, "sync.(*WaitGroup).Wait") ||
	    pw_park_waits_in(record, park, "sync.(*Cond).Wait"))
		return WAITGROUP;
	return OTHER;
}

static bool is_enabled(const struct pw_rules_config *rules, enum kind kind)
{
	switch (kind) {
	case CHANNEL:
		return rules->g01_enabled;
	case SELECT:
		return rules->g03_enabled;
	case WAITGROUP:
		return rules->g05_enabled;
	case SLEEPER:
		return rules->g06_enabled;
	case NETWORK:
		return rules->g07_enabled;
	case COROUTINE:
		return rules->g11_enabled;
	case OTHER:
	case _KINDS:
		break;
	}
	return rules->g10_enabled;
}

/* --- one snapshot of one site --------------------------------------------------------------------------------------
 */

static void learn(struct site *site, unsigned int closed, const double leaving[SCALES])
{
	for (size_t scale = 0; scale < SCALES; scale++) {
		if (!(closed >> scale & 1) || leaving[scale] < 0 || site->condition.incident)
			continue;
		pw_baseline_absorb(&site->baseline[scale], (uint64_t)leaving[scale], 1);
		site->baseline_ns[scale] += pw_floors_width_ns(&site->survivors.old, scale);
	}
}

static double baseline_of(const struct site *site, size_t scale)
{
	if (site->baseline[scale].samples < BASELINE_SAMPLES || site->baseline_ns[scale] < BASELINE_MIN_NS)
		return -1;
	return pw_baseline_quantile(&site->baseline[scale], BASELINE_QUANTILE);
}

static struct pw_survivor_limits limits_of(const struct pw_judge *judge, const struct pw_growth *growth)
{
	const struct pw_rules_config *rules = judge->rules;

	return (struct pw_survivor_limits){.base_ns = rules->g10_bucket_ns,
					   .life_ns = rules->g10_life_ns,
					   .min_added = rules->g10_min_added,
					   .min_slope = rules->g10_min_slope,
					   .baseline_factor = rules->g10_baseline_factor,
					   .baseline = -1,
					   .tests = growth->arriving};
}

/* Workers that wait on one queue come and stay by design. */
static double pool_least(const struct pw_record_park *park, const char *reason, const struct pw_rules_config *rules,
			 double baseline)
{
	bool may = !strncmp(reason, "chan receive", 12) || !strncmp(reason, "select", 6) ||
		   !strcmp(reason, "sync.Cond.Wait");

	if (!may || !park->wait.objects || (double)park->wait.objects >= POOL_SHARE * (double)park->count)
		return 0;
	return POOL_FACTOR * (PW_MAX(baseline, 0.0) + rules->g10_pool_margin);
}

/* Judges the windows that have a new bucket; the longest one that grows speaks. */
static void judge_windows(const struct pw_judge *judge, const struct pw_growth *growth, struct site *site,
			  const struct pw_record *record, const struct pw_record_park *park, unsigned int windows)
{
	static const size_t scale_of[PW_SURVIVOR_WINDOWS] = {0, 0, 1, 2};
	struct pw_survivor_limits limits = limits_of(judge, growth);
	struct pw_survivor_verdict verdict;

	for (size_t window = 0; window < PW_SURVIVOR_WINDOWS; window++) {
		bool young = site->baseline_ns[scale_of[window]] < DAY_NS;

		if (!(windows >> window & 1))
			continue;
		limits.baseline = baseline_of(site, scale_of[window]);
		limits.baseline_margin = judge->rules->g10_baseline_margin * (young ? BASELINE_YOUNG : 1);
		limits.pool_least =
			pool_least(park, pw_record_string(record, park->reason), judge->rules, limits.baseline);
		if (!pw_survivors_judge(&site->survivors, window, &limits, &verdict))
			continue;
		judge->stats->evaluated++;
		if (site->survivors.held[window] >= judge->rules->g10_confirm &&
		    (!site->grows || window >= site->window)) {
			site->grows = true;
			site->window = window;
			site->verdict = verdict;
		} else if (site->grows && window == site->window) {
			site->grows = false;
		}
	}
}

static unsigned int observe(const struct pw_judge *judge, struct pw_growth *growth, struct site *site,
			    const struct pw_record *record, const struct pw_record_park *park,
			    const struct pw_tick *tick)
{
	uint64_t age_ns = judge->rules->g10_age_ns, elapsed_ns = tick->before_ns ? tick->taken_ns - tick->before_ns : 0;
	struct pw_survivor_limits limits = limits_of(judge, growth);
	struct pw_survivor_sample sample = {.elapsed_ns = elapsed_ns};
	double leaving[SCALES];
	uint64_t all_old = 0, expected;
	unsigned int closed, windows;

	if (park) {
		sample.old = pw_park_older_than(record, park, age_ns, false);
		all_old = sample.old + park->count_initial;
		if (elapsed_ns)
			sample.arrivals = sample.old - pw_park_older_than(record, park, age_ns + elapsed_ns, false);
		if (park->runs != PW_UNKNOWN && park->count && elapsed_ns)
			pw_welford_add(&site->rate, (double)park->runs / (double)park->count / (double)elapsed_ns *
							    (double)PW_NS_PER_SEC);
	}
	expected = site->all_old + sample.arrivals;
	sample.exits = elapsed_ns && expected > all_old ? expected - all_old : 0;
	for (size_t scale = 0; scale < SCALES; scale++)
		leaving[scale] = pw_floors_oldest(&site->survivors.old, scale);
	windows = pw_survivors_add(&site->survivors, &limits, tick->taken_ns, &sample);
	closed = (windows & 1) | (windows >> 1 & 2) | (windows >> 1 & 4); /* windows 0, 2, 3: scales 0, 1, 2 */
	learn(site, closed, leaving);
	if (sample.arrivals) {
		growth->arriving++;
		site->arrivals_ns = tick->taken_ns;
	}
	site->all_old = all_old;
	site->old = sample.old;
	site->count = park ? park->count : 0;
	site->empty = site->count ? 0 : site->empty + 1;
	return windows;
}

/* --- alerts --------------------------------------------------------------------------------------------------------
 */

struct evidence {
	const struct pw_rules_config *rules;
	const struct site *site;
	const struct pw_record_park *park; /* NULL: none of them is there any more */
	const struct pw_tick *tick;
	bool cold;
};

static void show_series(struct pw_alert *alert, const struct evidence *evidence)
{
	static const struct {
		uint8_t scale, count;
	} floors[PW_SURVIVOR_WINDOWS] = {{0, 15}, {0, 60}, {1, 60}, {2, 60}};
	const struct pw_survivor_verdict *verdict = &evidence->site->verdict;
	size_t window = evidence->site->window;

	pw_evidence_floors(alert, &evidence->site->survivors.old, floors[window].scale, floors[window].count);
	if (!evidence->site->grows)
		return; /* what was crossed before stays to be seen */
	pw_alert_threshold(alert, "trend_z", verdict->z, verdict->z_needed, false);
	pw_alert_threshold(alert, "added", verdict->added, evidence->rules->g10_min_added, false);
	pw_alert_threshold(alert, "added_by_slope", verdict->rise, evidence->rules->g10_min_slope, false);
	pw_alert_threshold(alert, "life_s", verdict->life_ns / (double)PW_NS_PER_SEC,
			   verdict->life_needed_ns / (double)PW_NS_PER_SEC, false);
	if (verdict->old_needed > 0)
		pw_alert_threshold(alert, "old", verdict->old, verdict->old_needed, false);
}

static void update_words(struct pw_alert *alert, const struct pw_record *record, const void *context, uint64_t peak)
{
	const struct evidence *evidence = context;
	const struct pw_survivor_verdict *verdict = &evidence->site->verdict;

	alert->parked = evidence->site->count;
	if (evidence->park) {
		pw_evidence_statement(alert, record, evidence->park->statement);
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, evidence->park->reason);
		pw_evidence_creation(alert, record, evidence->park->statement);
		pw_evidence_park(alert, record, evidence->park);
	}
	alert->growth_per_hour = verdict->slope_per_hour;
	alert->growth_low_per_hour = verdict->slope_low_per_hour;
	alert->growth_high_per_hour = verdict->slope_high_per_hour;
	alert->arrivals_per_hour = verdict->arrivals_per_hour;
	alert->exits_per_hour = verdict->exits_per_hour;
	alert->window_ns = verdict->window_ns;
	alert->life_ns = verdict->life_ns < 1e19 ? (uint64_t)verdict->life_ns : UINT64_MAX;
	if (!evidence->cold && evidence->site->window >= LEAK_WINDOW) {
		alert->level = PW_LEVEL_WARNING;
		snprintf(alert->confidence, sizeof(alert->confidence), "leak");
	}
	show_series(alert, evidence);
	pw_explain_growth(alert, peak);
	if (evidence->site->kind == NETWORK && evidence->park)
		pw_network_explain(alert, evidence->park);
}

static void begin_words(struct pw_alert *alert, const struct pw_record *record, const void *context)
{
	const struct evidence *evidence = context;

	pw_evidence_statement(alert, record, evidence->park->statement);
	alert->level = evidence->cold ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", evidence->cold ? "cold" : "suspected");
	alert->onset_wall_ns = evidence->site->onset_wall_ns;
	alert->parked_onset = evidence->site->onset_count;
}

static const struct pw_words words = {.begin = begin_words, .update = update_words, .end = pw_explain_growth};

/* The growth began a window before it was first seen. */
static void note_onset(struct site *site, const struct pw_tick *tick)
{
	uint64_t window_ns = site->verdict.window_ns;

	site->onset_wall_ns = tick->wall_ns - PW_MIN(window_ns, tick->wall_ns);
	site->onset_count = site->count - PW_MIN(site->count, (uint64_t)PW_MAX(site->verdict.added, 0.0));
}

static void judge_site(const struct pw_judge *judge, struct site *site, const struct pw_record *record,
		       const struct pw_record_park *park, const struct pw_tick *tick)
{
	const struct pw_incident *incident = site->condition.incident;
	uint64_t keep_ns = PW_MAX(judge->rules->g10_clear_ns, site->verdict.window_ns / 4);
	double baseline = baseline_of(site, 0);
	const struct evidence evidence = {
		.rules = judge->rules, .site = site, .park = park, .tick = tick, .cold = baseline < 0};
	struct pw_claim claim = {.subject = site->key,
				 .gopc = site->gopc,
				 .value = site->count,
				 .drains = true,
				 .baseline = baseline,
				 .clear_ns = keep_ns,
				 .words = &words,
				 .context = &evidence};

	if (!incident && park)
		site->kind = kind_of(record, park, site);
	claim.rule = rule_of[site->kind];
	claim.holds = site->grows && park && is_enabled(judge->rules, site->kind) &&
		      !(judge->rules->g02_enabled && pw_park_is_for_ever(record, park)) && /* PW-G02 says it */
		      tick->uptime_ns >= judge->rules->g10_warmup_ns;
	if (site->kind == NETWORK && claim.holds)
		claim.holds = pw_network_suspicious(park, judge->rules, evidence.cold);
	if (incident)
		claim.low = tick->taken_ns - PW_MIN(site->arrivals_ns, tick->taken_ns) >= judge->rules->g10_bucket_ns;
	else if (claim.holds)
		note_onset(site, tick);
	(void)pw_condition_judge(judge->conditions, &site->condition, record, tick, &claim);
}

/* --- all sites -----------------------------------------------------------------------------------------------------
 */

static struct site *site_of(struct pw_growth *growth, const struct pw_judge *judge, const struct pw_record *record,
			    const struct pw_record_park *park)
{
	uint64_t key = pw_park_key(record, park);
	struct site *site = pw_table_peek(&growth->sites, &key, sizeof(key));

	if (site)
		return site;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->key = key;
	site->gopc = record->statements[park->statement].gopc;
	if (pw_table_put_u64(&growth->sites, key, site) < 0) {
		judge->stats->sites_dropped++;
		free(site);
		return NULL;
	}
	return site;
}

int pw_growth_judge(const struct pw_judge *judge, struct pw_growth *growth, const struct pw_record *record)
{
	struct pw_tick tick;

	if (!pw_park_tick(&growth->last, record, &tick))
		return 0;
	growth->arriving = 0;
	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];
		struct site *site = pw_park_is_judged(record, park) ? site_of(growth, judge, record, park) : NULL;
		unsigned int windows;

		if (!site || site->seen == tick.number)
			continue;
		site->seen = tick.number;
		windows = observe(judge, growth, site, record, park, &tick);
		judge_windows(judge, growth, site, record, park, windows);
		judge_site(judge, site, record, park, &tick);
	}
	pw_table_foreach(&growth->sites, entry)
	{
		struct site *site = entry->value;

		if (site->seen == tick.number)
			continue;
		(void)observe(judge, growth, site, record, NULL, &tick);
		site->grows = false;
		judge_site(judge, site, record, NULL, &tick);
		if (site->empty >= EMPTY_MAX && !site->condition.incident)
			pw_table_remove_u64(&growth->sites, site->key);
	}
	return 0;
}

/* "main.handle server.go:42", by the record; a statement without a name there is its address. */
static void name_statement(const struct pw_record *record, uint64_t gopc, char *text, size_t size)
{
	const struct pw_record_statement *statement = NULL;
	const char *file, *slash;

	for (uint32_t i = 0; i < record->statement_count && !statement; i++)
		if (record->statements[i].gopc == gopc)
			statement = &record->statements[i];
	if (!statement || !statement->function) {
		snprintf(text, size, "go statement 0x%" PRIx64, gopc);
		return;
	}
	file = pw_record_string(record, statement->file);
	slash = strrchr(file, '/');
	snprintf(text, size, "%s %s:%" PRIu32, pw_record_string(record, statement->function), slash ? slash + 1 : file,
		 statement->line);
}

void pw_growth_moving(const struct pw_growth *growth, const struct pw_record *record, uint64_t gopc,
		      struct pw_alert *alert)
{
	char text[sizeof(alert->moving[0].what)];

	pw_table_foreach(&growth->sites, entry)
	{
		const struct site *site = entry->value;

		if (!site->grows || site->gopc == gopc || alert->moving_count == PW_ALERT_MOVING_MAX)
			continue;
		name_statement(record, site->gopc, text, sizeof(text));
		pw_alert_add_moving(alert, text, "goroutines", PW_MAX(0.0, site->verdict.old - site->verdict.added),
				    site->verdict.old);
	}
}
