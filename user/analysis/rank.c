/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/rank.h"

#include <math.h>
#include <string.h>

#include "analysis/alert_state.h"
#include "base/macros.h"

#define HOUR_NS (3600 * PW_NS_PER_SEC)
#define CHUNK	16777216.0 /* bytes that weigh as much as 50 goroutines */
#define CROWD	50.0
#define PACE	100.0 /* an hour */
#define GC_STEP 5.0   /* percent */

static double certainty(const struct pw_alert *alert)
{
	static const struct {
		const char *word;
		double weight;
	} words[] = {{"proven", 1.0}, {"certain", 1.0}, {"leak", 0.8}, {"suspected", 0.5}, {"cold", 0.3}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(alert->confidence, words[i].word))
			return words[i].weight;
	return 0.5;
}

static double urgency(const struct pw_alert *alert)
{
	if (!alert->eta_ns || alert->eta_ns >= 24 * HOUR_NS)
		return 1;
	if (alert->eta_ns < HOUR_NS)
		return 2;
	return alert->eta_ns < 6 * HOUR_NS ? 1.5 : 1.2;
}

static double root_mean_square(double sum, size_t count)
{
	return count ? sqrt(sum / (double)count) : 0;
}

double pw_rank(const struct pw_incident *members, const struct pw_alert *alert)
{
	double goroutines = 0, bytes = 0, gc_percent = 0, extent, score;
	bool is_bytes = !strcmp(alert->unit, "bytes");
	size_t count = 0;

	for (const struct pw_incident *member = members; member; member = member->next_member, count++) {
		const struct pw_alert *one = &member->alert;
		double added = PW_MAX(0.0, one->value - one->value_onset);
		double held = (is_bytes ? added : 0) + (one->pinned_known ? (double)one->pinned_bytes : 0);

		goroutines += (double)one->parked * (double)one->parked;
		bytes += held * held;
		gc_percent = PW_MAX(gc_percent, one->gc_cpu_percent);
	}
	extent = root_mean_square(goroutines, count) / CROWD + root_mean_square(bytes, count) / CHUNK +
		 PW_MAX(0.0, alert->growth_per_hour) / (is_bytes ? CHUNK : PACE) + gc_percent / GC_STEP;
	score = 100 * certainty(alert) * urgency(alert) * log2(1 + extent) / 20;
	return isfinite(score) ? PW_MIN(PW_MAX(score, 0.0), 100.0) : 0;
}
