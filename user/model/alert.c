/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/alert.h"

#include "base/macros.h"

static const char *const state_names[] = {"pending", "firing", "clearing", "resolved", "gone"};
static const char *const level_names[] = {"info", "warning", "critical"};

_Static_assert(ARRAY_SIZE(state_names) == PW_ALERT_GONE + 1, "a word for each state");
_Static_assert(ARRAY_SIZE(level_names) == PW_LEVEL_CRITICAL + 1, "a word for each level");

const char *pw_alert_state_name(enum pw_alert_state state)
{
	return (unsigned int)state < ARRAY_SIZE(state_names) ? state_names[state] : "unknown";
}

const char *pw_alert_level_name(enum pw_alert_level level)
{
	return (unsigned int)level < ARRAY_SIZE(level_names) ? level_names[level] : "unknown";
}
