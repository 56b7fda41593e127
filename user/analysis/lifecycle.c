/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/condition.h"
#include "analysis/detector.h"
#include "base/macros.h"

/* What is the same for the alerts of all rules, DETECTORS 9: its constants, and who is told what. */
static const struct pw_rule_parameter parameters[] = {
	{"clear_share", PW_PARAMETER_NUMBER, PW_RULE_FIELD(alerts_clear_share), 0.5, 0, 1,
	 "growth is over when it stays below this share of its peak"},
	{"clear_baseline", PW_PARAMETER_NUMBER, PW_RULE_FIELD(alerts_clear_baseline), 1.1, 0, 1000,
	 "... or below this times its baseline"},
	{"clear_hold", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_clear_hold_ns), 10 * PW_RULE_MIN, 0,
	 24 * PW_RULE_HOUR, "... for so long, or for `clear` of its rule if that is less"},
	{"reopen", PW_PARAMETER_DURATION, PW_RULE_FIELD(alerts_reopen_ns), 24 * PW_RULE_HOUR, 0, 30 * 24 * PW_RULE_HOUR,
	 "what comes again so soon is the same incident, and counts how often it has"},
};

const struct pw_rule_parameter *pw_alert_parameters(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(parameters);
	return parameters;
}

void pw_conditions_settle(struct pw_conditions *conditions)
{
	struct pw_case *one;

	while ((one = pw_cases_news(&conditions->cases))) {
		struct pw_alert alert;

		one->news = PW_CASE_OLD;
		if (pw_case_alert(one, &alert) && conditions->on_transition)
			conditions->on_transition(conditions->context, &alert);
	}
}
