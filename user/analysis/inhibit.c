/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/inhibit.h"

#include <string.h>

#include "analysis/alert_state.h"
#include "analysis/cases.h"
#include "base/macros.h"

enum family { OTHER, PROOF, GROWTH, MEMORY, PILEUP, THRASH, STARVED };

static const struct {
	const char *rule;
	enum family family;
	bool statistical;
} rules[] = {
	{"PW-G01", GROWTH, true}, {"PW-G03", GROWTH, true}, {"PW-G05", GROWTH, true}, {"PW-G06", GROWTH, true},
	{"PW-G07", GROWTH, true}, {"PW-G08", PILEUP, true}, {"PW-G09", OTHER, true},  {"PW-G10", GROWTH, true},
	{"PW-G11", GROWTH, true}, {"PW-T01", OTHER, true},  {"PW-C01", MEMORY, true}, {"PW-C02", MEMORY, false},
	{"PW-H01", MEMORY, true}, {"PW-H02", OTHER, true},  {"PW-P01", THRASH, true}, {"PW-S01", STARVED, true},
};

static const struct {
	enum family by, what;
	bool same_site; /* else: of the same process */
} relations[] = {
	{PROOF, GROWTH, true},	{PROOF, PILEUP, true},	 {PROOF, MEMORY, false},
	{GROWTH, PILEUP, true}, {GROWTH, MEMORY, false}, {THRASH, STARVED, false},
};

static enum family family_of(const struct pw_alert *alert)
{
	if (!strcmp(alert->confidence, "proven"))
		return PROOF;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (!strcmp(alert->rule, rules[i].rule))
			return rules[i].family;
	return OTHER;
}

bool pw_alert_is_statistical(const struct pw_alert *alert)
{
	if (family_of(alert) == PROOF)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (!strcmp(alert->rule, rules[i].rule))
			return rules[i].statistical;
	return false;
}

static bool explains(const struct pw_incident *by, const struct pw_incident *what)
{
	enum family by_family, what_family;

	if (!by->owner || by->owner == what->owner || by->alert.target_id != what->alert.target_id ||
	    by->alert.level < what->alert.level)
		return false;
	by_family = family_of(&by->alert);
	what_family = family_of(&what->alert);
	for (size_t i = 0; i < ARRAY_SIZE(relations); i++)
		if (relations[i].by == by_family && relations[i].what == what_family &&
		    (!relations[i].same_site || (by->gopc && by->gopc == what->gopc)))
			return true;
	return false;
}

const struct pw_case *pw_inhibitor_of(const struct pw_incidents *incidents, const struct pw_case *one)
{
	const struct pw_case *inhibitor = NULL;

	for (const struct pw_incident *member = one->members; member; member = member->next_member) {
		const struct pw_incident *by = incidents->first;

		if (family_of(&member->alert) == OTHER)
			return NULL;
		while (by && !explains(by, member))
			by = by->next;
		if (!by)
			return NULL;
		inhibitor = by->owner;
	}
	return inhibitor;
}
