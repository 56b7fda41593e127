/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/severity.h"

#include <string.h>

#include "analysis/analysis.h"
#include "base/macros.h"
#include "model/alert.h"

static bool is_any_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(text, words[i]))
			return true;
	return false;
}

void pw_severity_note(const struct pw_rules_config *rules, struct pw_alert *alert)
{
	static const char *const sure[] = {"leak", "proven"}, *const growth[] = {"PW-G01", "PW-G03", "PW-G05", "PW-G06",
										 "PW-G07", "PW-G10", "PW-G11"};
	bool goroutines = is_any_of(alert->rule, growth, ARRAY_SIZE(growth)),
	     leak = is_any_of(alert->confidence, sure, ARRAY_SIZE(sure)),
	     near = alert->eta_ns && alert->eta_ns < rules->alerts_critical_eta_ns;

	if (!strcmp(alert->rule, "PW-H01") && leak && near)
		alert->level = PW_LEVEL_CRITICAL;
	if (!goroutines)
		return;
	if (leak && (near || alert->parked > rules->alerts_critical_count))
		alert->level = PW_LEVEL_CRITICAL;
	else if (!leak ||
		 (alert->growth_per_hour < rules->alerts_minor_per_hour && alert->parked < rules->alerts_minor_count))
		alert->level = PW_LEVEL_INFO;
	else
		alert->level = PW_LEVEL_WARNING;
}
