/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "analysis/analysis.h"
#include "analysis/detector.h"
#include "base/macros.h"
#include "model/record.h"

/* What the rules of growth by survivors (growth.c) are called, say and ask: one rule by what the goroutines wait for.
 */
static const struct pw_rule_parameter g10_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(g10_enabled), 1, 0, 1, "judge by this rule"},
	{"age", PW_PARAMETER_DURATION, PW_RULE_FIELD(g10_age_ns), 10 * PW_RULE_MIN, PW_RULE_SEC, 24 * PW_RULE_HOUR,
	 "goroutines are old from this age on (also for G01, G03, G05, G06, G11)"},
	{"bucket", PW_PARAMETER_DURATION, PW_RULE_FIELD(g10_bucket_ns), PW_RULE_MIN, 0.5 * PW_RULE_SEC,
	 10 * PW_RULE_MIN, "windows are 15, 60, 360 and 1,440 of these (also for the others)"},
	{"life", PW_PARAMETER_DURATION, PW_RULE_FIELD(g10_life_ns), 6 * PW_RULE_HOUR, PW_RULE_SEC,
	 30 * 24 * PW_RULE_HOUR, "old ones surely live for so long, and for four windows (also for the others)"},
	{"min_added", PW_PARAMETER_COUNT, PW_RULE_FIELD(g10_min_added), 50, 1, 1e9,
	 "so many more are old at the end of the window (also for the others)"},
	{"min_slope", PW_PARAMETER_COUNT, PW_RULE_FIELD(g10_min_slope), 25, 0, 1e9,
	 "so many more by the slope alone (also for the others)"},
	{"baseline_factor", PW_PARAMETER_NUMBER, PW_RULE_FIELD(g10_baseline_factor), 1.25, 1, 1000,
	 "above baseline_factor x baseline + baseline_margin (also for the others)"},
	{"baseline_margin", PW_PARAMETER_COUNT, PW_RULE_FIELD(g10_baseline_margin), 50, 0, 1e9,
	 "see baseline_factor; doubled while the baseline is less than a day old"},
	{"pool_margin", PW_PARAMETER_COUNT, PW_RULE_FIELD(g10_pool_margin), 1000, 0, 1e9,
	 "workers that wait on few objects count from four times baseline + this on"},
	{"confirm", PW_PARAMETER_COUNT, PW_RULE_FIELD(g10_confirm), 3, 1, 60, "at so many buckets in a row"},
	{"warmup", PW_PARAMETER_DURATION, PW_RULE_FIELD(g10_warmup_ns), 10 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "a process younger than this still fills up: it is not judged (also for the others)"},
	{"clear", PW_PARAMETER_DURATION, PW_RULE_FIELD(g10_clear_ns), 15 * PW_RULE_MIN, 0, 24 * PW_RULE_HOUR,
	 "resolved after so long without new old ones, or below half of the peak"},
};

#define ONLY_ENABLED(name, field)                                                                                    \
	static const struct pw_rule_parameter name[] = {                                                             \
		{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(field), 1, 0, 1, "judge by this rule, as PW-G10 says"}, \
	}
ONLY_ENABLED(g01_parameters, g01_enabled);
ONLY_ENABLED(g03_parameters, g03_enabled);
ONLY_ENABLED(g05_parameters, g05_enabled);
ONLY_ENABLED(g06_parameters, g06_enabled);
ONLY_ENABLED(g11_parameters, g11_enabled);

#define GROWTH_TEXT                                                                                                 \
	" become old and do not end: their number grows beyond chance, those that are old surely live on, and new " \
	"ones "                                                                                                     \
	"keep coming."

const struct pw_rule pw_rule_g01 = {
	.id = "PW-G01",
	.name = "channel wait without partner",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines of one go statement that wait for one channel in one place" GROWTH_TEXT,
	.hint = "Look for the other side of that channel: who should receive, send or close?",
	.parameters = g01_parameters,
	.parameter_count = ARRAY_SIZE(g01_parameters),
	.off = pw_off_snapshot,
};

const struct pw_rule pw_rule_g03 = {
	.id = "PW-G03",
	.name = "select without a way out",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines of one go statement that wait in one select" GROWTH_TEXT,
	.hint = "Give the select a case that ends it: ctx.Done(), a timer, a channel that is closed.",
	.parameters = g03_parameters,
	.parameter_count = ARRAY_SIZE(g03_parameters),
	.off = pw_off_snapshot,
};

const struct pw_rule pw_rule_g05 = {
	.id = "PW-G05",
	.name = "WaitGroup or Cond without end",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines of one go statement that wait for a WaitGroup or Cond in one place" GROWTH_TEXT,
	.hint = "Look for an early return or a panic between Add and Done, Wait and Signal.",
	.parameters = g05_parameters,
	.parameter_count = ARRAY_SIZE(g05_parameters),
	.off = pw_off_snapshot,
};

const struct pw_rule pw_rule_g06 = {
	.id = "PW-G06",
	.name = "loops started again and again",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines of one go statement that sleep, or wake at a steady rate," GROWTH_TEXT,
	.hint = "Start the loop once, or tie it to a context; stop its ticker.",
	.parameters = g06_parameters,
	.parameter_count = ARRAY_SIZE(g06_parameters),
	.off = pw_off_snapshot,
};

const struct pw_rule pw_rule_g10 = {
	.id = "PW-G10",
	.name = "growth of one go statement",
	.level = PW_LEVEL_WARNING,
	.text = "Goroutines of one go statement, parked in one place for a reason that no other rule is "
		"for," GROWTH_TEXT,
	.hint = "Look at what they wait for and who should end that wait.",
	.parameters = g10_parameters,
	.parameter_count = ARRAY_SIZE(g10_parameters),
	.off = pw_off_snapshot,
};

/* iter.Pull and runtime.corostart came with Go 1.23. */
static const char *off_without_coroutines(const struct pw_record *record, char *text, size_t size)
{
	const char *version = pw_record_string(record, record->identity.go_version);
	int minor;

	if (sscanf(version, "go1.%d", &minor) == 1 && minor < 23)
		return "iter.Pull came with Go 1.23";
	return pw_off_snapshot(record, text, size);
}

const struct pw_rule pw_rule_g11 = {
	.id = "PW-G11",
	.name = "abandoned iterators",
	.level = PW_LEVEL_WARNING,
	.text = "Coroutines of iter.Pull, made in one place," GROWTH_TEXT,
	.hint = "Call stop of each iterator made by iter.Pull: defer it where it is made.",
	.parameters = g11_parameters,
	.parameter_count = ARRAY_SIZE(g11_parameters),
	.off = off_without_coroutines,
};
