/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/detector.h"
#include "base/macros.h"

/* What is the same for the alerts of all rules, DETECTORS 9: its constants. */
static const struct pw_rule_parameter parameters[] = {
	{"clear_share", PW_PARAMETER_NUMBER, PW_RULE_FIELD(alerts_clear_share), 0.5, 0, 1,
	 "growth is over when it stays below this share of its peak"},
	{"clear_baseline", PW_PARAMETER_NUMBER, PW_RULE_FIELD(alerts_clear_baseline), 1.1, 0, 1000,
	 "... or below this times its baseline"},
	{"clear_hold", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_clear_hold_ns), 10 * PW_RULE_MIN, 0,
	 24 * PW_RULE_HOUR, "... for so long, or for `clear` of its rule if that is less"},
	{"reopen", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_reopen_ns), 24 * PW_RULE_HOUR, 0, 30 * 24 * PW_RULE_HOUR,
	 "what comes again so soon is the same incident, and counts how often it has"},
	{"critical_eta", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_critical_eta_ns), 6 * PW_RULE_HOUR, 0,
	 30 * 24 * PW_RULE_HOUR, "a leak whose memory limit is nearer than this is critical"},
	{"critical_count", PW_PARAMETER_COUNT, PW_RULE_FIELD(alerts_critical_count), 10000, 1, 1e9,
	 "... or one of more goroutines than these"},
	{"minor_per_hour", PW_PARAMETER_NUMBER, PW_RULE_FIELD(alerts_minor_per_hour), 10, 0, 1e9,
	 "a leak slower than this is only info"},
	{"minor_count", PW_PARAMETER_COUNT, PW_RULE_FIELD(alerts_minor_count), 100, 0, 1e9,
	 "... as long as it is smaller than this"},
	{"budget", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_budget_ns), 15 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "of one service and level one page in so long; the others are grouped into the next one"},
	{"deploy_hold", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_deploy_hold_ns), 10 * PW_RULE_MIN, 0,
	 24 * PW_RULE_HOUR, "for so long after a new build of a service its statistics are not told"},
	{"fleet_services", PW_PARAMETER_COUNT, PW_RULE_FIELD(alerts_fleet_services), 20, 1, 1e6,
	 "when more services than these have alerts at once, one incident stands for all"},
	{"fleet_window", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_fleet_window_ns), 5 * PW_RULE_MIN, PW_RULE_SEC,
	 24 * PW_RULE_HOUR, "at once is within this time"},
};

const struct pw_rule_parameter *pw_alert_parameters(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(parameters);
	return parameters;
}
