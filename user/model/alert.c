/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/alert.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

static const char *const state_names[] = {"pending", "firing", "clearing", "resolved", "gone"};
static const char *const level_names[] = {"info", "warning", "critical"};

static const char *const hold_names[] = {NULL, "inhibited", "grouped", "deploy", "fleet"};

_Static_assert(ARRAY_SIZE(hold_names) == PW_HOLD_FLEET + 1, "a word for each hold");
_Static_assert(ARRAY_SIZE(state_names) == PW_ALERT_GONE + 1, "a word for each state");
_Static_assert(ARRAY_SIZE(level_names) == PW_LEVEL_CRITICAL + 1, "a word for each level");

const char *pw_alert_state_name(enum pw_alert_state state)
{
	return (unsigned int)state < ARRAY_SIZE(state_names) ? state_names[state] : "unknown";
}

const char *pw_alert_hold_name(enum pw_alert_hold hold)
{
	return (unsigned int)hold < ARRAY_SIZE(hold_names) ? hold_names[hold] : NULL;
}

const char *pw_alert_level_name(enum pw_alert_level level)
{
	return (unsigned int)level < ARRAY_SIZE(level_names) ? level_names[level] : "unknown";
}

void pw_alert_threshold(struct pw_alert *alert, const char *name, double value, double limit, bool below)
{
	struct pw_alert_threshold *threshold = alert->thresholds;
	size_t i = 0;

	while (i < alert->threshold_count && strcmp(threshold[i].name, name) != 0)
		i++;
	if (i == PW_ALERT_THRESHOLDS_MAX)
		return;
	threshold[i] = (struct pw_alert_threshold){.value = value, .limit = limit, .below = below};
	snprintf(threshold[i].name, sizeof(threshold[i].name), "%s", name);
	alert->threshold_count = PW_MAX(alert->threshold_count, i + 1);
}
