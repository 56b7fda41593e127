/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/site.h"

#include <string.h>

#include "analysis/analysis.h"
#include "analysis/detector.h"
#include "base/macros.h"
#include "model/record.h"

static const struct pw_rule_parameter g08_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(g08_enabled), 1, 0, 1, "judge by this rule"},
	{"tick", PW_PARAMETER_DURATION, PW_RULE_FIELD(g08_tick_ns), 10 * PW_RULE_SEC, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "time between two judgements"},
	{"age", PW_PARAMETER_DURATION, PW_RULE_FIELD(g08_age_ns), 30 * PW_RULE_SEC, PW_RULE_SEC, PW_RULE_HOUR,
	 "only goroutines at least this old count"},
	{"min_count", PW_PARAMETER_COUNT, PW_RULE_FIELD(g08_min_count), 200, 1, 1e9,
	 "fewer parked goroutines than this are no pile-up"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g08_baseline_factor), 3, 1, 1000,
	 "fires above baseline_factor x baseline + baseline_margin"},
	{"baseline_margin", PW_PARAMETER_COUNT, PW_RULE_FIELD(g08_baseline_margin), 100, 0, 1e9,
	 "see baseline_factor; doubled while the baseline is less than a day old"},
	{"rising_ticks", PW_PARAMETER_COUNT, PW_RULE_FIELD(g08_rising_ticks), 6, 1, 60,
	 "must have risen in so many ticks in a row"},
	{"exit_ratio", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g08_exit_ratio), 0.10, 0, 1,
	 "of those that reached the age meanwhile, at most this share may have ended"},
	{"warmup", PW_PARAMETER_DURATION, PW_RULE_FIELD(g08_warmup_ns), 10 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "what a process younger than this does is not normal: it teaches the baseline nothing"},
	{"baseline_min", PW_PARAMETER_DURATION, PW_RULE_FIELD(g08_baseline_ns), 2 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR,
	 "so much healthy time makes a baseline; before that alerts are level info, confidence cold"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(g08_clear_ns), 5 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so much time below 1.5 x baseline (cold: below half of the peak)"},
};

const struct pw_rule pw_rule_g08 = {
	.id = "PW-G08",
	.name = "parked pile-up",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines of one go statement pile up: those parked for longer than the age leave their "
		"baseline, rise "
		"tick by tick, and hardly any of them ends.",
	.hint = "Look at what they wait for and who should end that wait.",
	.parameters = g08_parameters,
	.parameter_count = ARRAY_SIZE(g08_parameters),
	.off = pw_off_census,
};

/*
 * PW-G08, parked pile-up, the fast path of DETECTORS 7.4. With A the age and W the window of `rising_ticks` ticks:
 *
 *	N(t)  goroutines of one go statement, born since we look, parked, and at least A old at the census of tick t
 *	F(t)  those that became A old between the ticks t-1 and t, and still live
 *	X(t)  those that were A old at t-1 and have ended since:  X(t) = O(t-1) + F(t) - O(t),  O being all old ones
 *
 * fires when N >= max(min_count, factor * B + margin), N rose in every tick of W, X over W is less than exit_ratio of F
 * over W, and the statement still starts more than ends: a burst that has stopped also grows old for a while, but
 * no longer grows. B is the 99.9% quantile of N over healthy time; without one the alert is "cold", which costs it its
 * level, not its life.
 *
 * F and X come from the birth steps of the census and not from counters of starts and ends: on a busy statement nearly
 * all goroutines start and end within milliseconds, and their exits say nothing of the few that stay. So the rule
 * needs no probe. Counters, where they are, decide "still grows".
 */
#define BASELINE_QUANTILE 0.999
#define BASELINE_TICKS	  60			      /* at least, whatever the time: DETECTORS 7.1 */
#define DRAINED_FACTOR	  1.5			      /* cold: so much more than what has drained before */
#define BASELINE_YOUNG_NS (24 * 3600 * PW_NS_PER_SEC) /* until then the margin is doubled */

static const struct pw_site_tick *tick_back(const struct pw_site *site, uint32_t back)
{
	return &site->ticks[(site->newest + PW_SITE_TICKS - back) % PW_SITE_TICKS];
}

static void push_tick(struct pw_site *site, const struct pw_site_tick *tick)
{
	site->newest = (site->newest + 1) % PW_SITE_TICKS;
	site->ticks[site->newest] = *tick;
	if (site->tick_count < PW_SITE_TICKS)
		site->tick_count++;
}

void pw_pileup_observe(struct pw_site *site, const struct pw_site_sample *sample, const struct pw_tick *tick)
{
	struct pw_site_tick now = {.live = sample->live,
				   .parked_old = sample->parked_old,
				   .arrivals = sample->arrivals,
				   .started_minus_ended = sample->started_minus_ended};
	uint64_t before = site->has_last ? site->last.parked_old : 0;

	now.elapsed_ns = tick->before_ns ? tick->taken_ns - tick->before_ns : 0;
	if (!tick->before_ns) { /* first tick, or after a gap: nothing to compare with */
		site->rising = 0;
		site->tick_count = 0;
		now.arrivals = 0;
	} else if (sample->parked_old > before) {
		if (!site->rising++ && !site->condition.incident) {
			site->onset_ns = tick->before_ns;
			site->onset_wall_ns = tick->before_wall_ns;
			site->onset_parked = site->has_last ? site->last.parked : sample->parked;
			site->onset_old = before;
		}
	} else {
		site->rising = 0;
	}
	if (site->has_last && tick->before_ns) {
		uint64_t expected = site->last.all_old + now.arrivals;

		now.exits = expected > sample->all_old ? expected - sample->all_old : 0;
	}
	push_tick(site, &now);
	site->last = *sample;
	site->has_last = true;
}

double pw_pileup_baseline(const struct pw_site *site, const struct pw_rules_config *config)
{
	if (site->baseline_ns < config->g08_baseline_ns || site->baseline.samples < BASELINE_TICKS)
		return -1;
	return pw_baseline_quantile(&site->baseline, BASELINE_QUANTILE);
}

double pw_pileup_threshold(const struct pw_site *site, const struct pw_rules_config *config)
{
	double baseline = pw_pileup_baseline(site, config);
	double margin = config->g08_baseline_margin, least = config->g08_min_count;

	if (baseline < 0)
		return PW_MAX(least, DRAINED_FACTOR * (double)site->drained);
	if (site->baseline_ns < BASELINE_YOUNG_NS)
		margin *= 2;
	return PW_MAX(least, config->g08_baseline_factor * baseline + margin);
}

/* Do more start than end, of late? Half the window: what has stopped within it does not count. */
static bool still_grows(const struct pw_site *site, uint32_t ticks)
{
	const struct pw_site_tick *newest = tick_back(site, 0), *oldest;
	bool counted = true;

	ticks = PW_MIN(ticks, site->tick_count - 1);
	oldest = tick_back(site, ticks);
	for (uint32_t i = 0; i <= ticks; i++)
		counted = counted && tick_back(site, i)->started_minus_ended != PW_UNKNOWN;
	if (counted)
		return newest->started_minus_ended > oldest->started_minus_ended;
	return newest->live > oldest->live;
}

double pw_pileup_exit_share(const struct pw_site *site, const struct pw_rules_config *config)
{
	uint64_t arrivals = 0, exits = 0;

	for (uint32_t i = 0; i < PW_MIN(config->g08_rising_ticks, site->tick_count); i++) {
		arrivals += tick_back(site, i)->arrivals;
		exits += tick_back(site, i)->exits;
	}
	return arrivals ? (double)exits / (double)arrivals : -1;
}

bool pw_pileup_fires(const struct pw_site *site, const struct pw_rules_config *config)
{
	double share;

	if (!config->g08_enabled || site->rising < config->g08_rising_ticks || site->tick_count < 2 ||
	    (double)site->last.parked_old < pw_pileup_threshold(site, config))
		return false;
	share = pw_pileup_exit_share(site, config);
	return share >= 0 && share < config->g08_exit_ratio &&
	       still_grows(site, PW_MAX(config->g08_rising_ticks / 2, 1U));
}

size_t pw_pileup_series(const struct pw_site *site, float *ret_values, size_t max)
{
	size_t count = PW_MIN((size_t)site->tick_count, max);

	for (size_t i = 0; i < count; i++)
		ret_values[i] = (float)tick_back(site, (uint32_t)(count - 1 - i))->parked_old;
	return count;
}

bool pw_pileup_is_low(const struct pw_site *site, const struct pw_rules_config *config, double baseline, uint64_t peak)
{
	double line = baseline < 0 ? 0.5 * (double)peak : 1.5 * baseline;

	/* A baseline of zero or a low peak must not make an alert that can never end. */
	return (double)site->last.parked_old < PW_MAX(line, 0.5 * config->g08_min_count);
}

/*
 * A tick is healthy when the process is past its warm-up, the data before it has no gap, and it is no part of an alert.
 * The latter is known only once the window has passed, so it is the tick before the window that is learned.
 */
void pw_pileup_learn(struct pw_site *site, const struct pw_rules_config *config, const struct pw_tick *tick)
{
	uint32_t lag = PW_MIN(config->g08_rising_ticks + 1, PW_SITE_TICKS - 1U);
	const struct pw_site_tick *learned;

	if (site->condition.incident) {
		site->learn_after = lag;
		pw_baseline_absorb(&site->held, site->last.parked_old, 1);
		site->held_ns += tick_back(site, 0)->elapsed_ns;
		return;
	}
	if (site->learn_after) {
		site->learn_after--;
		return;
	}
	if (site->tick_count <= lag || tick->uptime_ns < config->g08_warmup_ns)
		return;
	learned = tick_back(site, lag);
	pw_baseline_absorb(&site->baseline, learned->parked_old, 1);
	site->baseline_ns += learned->elapsed_ns;
}

/*
 * A pile-up that nobody had a baseline for and that went down by itself was normal: a burst, a batch, a stalled peer
 * that came back. It is learned with all it saw, and until there is a baseline the next one must be larger. One that
 * rose above a baseline is not learned, whatever it did then.
 */
void pw_pileup_drained(struct pw_site *site, uint64_t peak, bool cold)
{
	if (cold) {
		pw_baseline_merge(&site->baseline, &site->held);
		site->baseline_ns += site->held_ns;
		site->drained = PW_MAX(site->drained, peak);
	}
	site->held = (struct pw_baseline){};
	site->held_ns = 0;
}

/* Going down by half and staying there for a window is all that a cold alert can be asked for. */
uint64_t pw_pileup_clear_ns(const struct pw_rules_config *config, bool cold)
{
	uint64_t window_ns = config->g08_rising_ticks * config->g08_tick_ns;

	return cold ? PW_MIN(window_ns, config->g08_clear_ns) : config->g08_clear_ns;
}
