/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/detector.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"
#include "base/buf.h"
#include "base/macros.h"

#define SEC	    1000000000.0
#define MIN	    (60 * SEC)
#define HOUR	    (60 * MIN)
#define FIELD(name) offsetof(struct pw_rules_config, name)

static const struct pw_rule_parameter g08_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, FIELD(g08_enabled), 0, 1, "judge by this rule"},
	{"tick", PW_PARAMETER_DURATION, FIELD(g08_tick_ns), 0.5 * SEC, 10 * MIN, "time between two judgements"},
	{"age", PW_PARAMETER_DURATION, FIELD(g08_age_ns), SEC, HOUR, "only goroutines at least this old count"},
	{"min_count", PW_PARAMETER_COUNT, FIELD(g08_min_count), 1, 1e9,
	 "fewer parked goroutines than this are no pile-up"},
	{"baseline_factor", PW_PARAMETER_NUMBER, FIELD(g08_baseline_factor), 1, 1000,
	 "fires above baseline_factor x baseline + baseline_margin"},
	{"baseline_margin", PW_PARAMETER_COUNT, FIELD(g08_baseline_margin), 0, 1e9,
	 "see baseline_factor; doubled while the baseline is less than a day old"},
	{"rising_ticks", PW_PARAMETER_COUNT, FIELD(g08_rising_ticks), 1, 60,
	 "must have risen in so many ticks in a row"},
	{"exit_ratio", PW_PARAMETER_NUMBER, FIELD(g08_exit_ratio), 0, 1,
	 "of those that reached the age meanwhile, at most this share may have ended"},
	{"warmup", PW_PARAMETER_DURATION, FIELD(g08_warmup_ns), 0, 24 * HOUR,
	 "what a process younger than this does is not normal: it teaches the baseline nothing"},
	{"baseline_min", PW_PARAMETER_DURATION, FIELD(g08_baseline_ns), 0, 30 * 24 * HOUR,
	 "so much healthy time makes a baseline; before that alerts are level info, confidence cold"},
	{"clear", PW_PARAMETER_DURATION, FIELD(g08_clear_ns), 0, 24 * HOUR,
	 "resolved after so much time below 1.5 x baseline (cold: below half of the peak)"},
};

static const struct pw_rule_parameter g10_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, FIELD(g10_enabled), 0, 1, "judge by this rule"},
	{"age", PW_PARAMETER_DURATION, FIELD(g10_age_ns), SEC, 24 * HOUR,
	 "goroutines are old from this age on (also for G01, G03, G05, G06, G11)"},
	{"bucket", PW_PARAMETER_DURATION, FIELD(g10_bucket_ns), 0.5 * SEC, 10 * MIN,
	 "windows are 15, 60, 360 and 1,440 of these (also for the others)"},
	{"life", PW_PARAMETER_DURATION, FIELD(g10_life_ns), SEC, 30 * 24 * HOUR,
	 "old ones surely live for so long, and for four windows (also for the others)"},
	{"min_added", PW_PARAMETER_COUNT, FIELD(g10_min_added), 1, 1e9,
	 "so many more are old at the end of the window (also for the others)"},
	{"min_slope", PW_PARAMETER_COUNT, FIELD(g10_min_slope), 0, 1e9,
	 "so many more by the slope alone (also for the others)"},
	{"baseline_factor", PW_PARAMETER_NUMBER, FIELD(g10_baseline_factor), 1, 1000,
	 "above baseline_factor x baseline + baseline_margin (also for the others)"},
	{"baseline_margin", PW_PARAMETER_COUNT, FIELD(g10_baseline_margin), 0, 1e9,
	 "see baseline_factor; doubled while the baseline is less than a day old"},
	{"pool_margin", PW_PARAMETER_COUNT, FIELD(g10_pool_margin), 0, 1e9,
	 "workers that wait on few objects count from four times baseline + this on"},
	{"confirm", PW_PARAMETER_COUNT, FIELD(g10_confirm), 1, 60, "at so many buckets in a row"},
	{"warmup", PW_PARAMETER_DURATION, FIELD(g10_warmup_ns), 0, 24 * HOUR,
	 "a process younger than this still fills up: it is not judged (also for the others)"},
	{"clear", PW_PARAMETER_DURATION, FIELD(g10_clear_ns), 0, 24 * HOUR,
	 "resolved after so long without new old ones, or below half of the peak"},
};

static const struct pw_rule_parameter h01_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, FIELD(h01_enabled), 0, 1, "judge by this rule"},
	{"bucket", PW_PARAMETER_DURATION, FIELD(h01_bucket_ns), 0.5 * SEC, 10 * MIN, "windows are 60 and 360 of these"},
	{"min_growth_mb", PW_PARAMETER_COUNT, FIELD(h01_min_growth_mb), 0, 1e6,
	 "so much over the window (and 25% or 15% of what there is)"},
	{"novel_mb", PW_PARAMETER_COUNT, FIELD(h01_novel_mb), 0, 1e6, "so much above the baseline (and 10%)"},
	{"confirm", PW_PARAMETER_COUNT, FIELD(h01_confirm), 1, 60, "at so many buckets in a row"},
	{"clear", PW_PARAMETER_DURATION, FIELD(h01_clear_ns), 0, 24 * HOUR,
	 "resolved after so long, and a quarter of the window, without a sure slope"},
};

static const struct pw_rule_parameter h03_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, FIELD(h03_enabled), 0, 1, "judge by this rule"},
	{"bucket", PW_PARAMETER_DURATION, FIELD(h03_bucket_ns), 0.5 * SEC, 10 * MIN, "judged over 15 of these"},
	{"share", PW_PARAMETER_NUMBER, FIELD(h03_share), 0, 1, "at least this share of the limit is used"},
	{"eta", PW_PARAMETER_DURATION, FIELD(h03_eta_ns), SEC, 24 * HOUR,
	 "the limit is so near, even by the lower bound of the pace"},
	{"confirm", PW_PARAMETER_COUNT, FIELD(h03_confirm), 1, 60, "at so many looks in a row"},
	{"clear", PW_PARAMETER_DURATION, FIELD(h03_clear_ns), SEC, 7 * 24 * HOUR, "resolved when it is so far away"},
};

static const struct pw_rule_parameter g02_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, FIELD(g02_enabled), 0, 1, "judge by this rule"},
	{"age", PW_PARAMETER_DURATION, FIELD(g02_age_ns), 0, 24 * HOUR, "parked for so long"},
};

#define ONLY_ENABLED(name, field)                                                                         \
	static const struct pw_rule_parameter name[] = {                                                  \
		{"enabled", PW_PARAMETER_BOOL, FIELD(field), 0, 1, "judge by this rule, as PW-G10 says"}, \
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

static const struct pw_rule rules[] = {
	{
		.id = "PW-G01",
		.name = "channel wait without partner",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines of one go statement that wait for one channel in one place" GROWTH_TEXT,
		.hint = "Look for the other side of that channel: who should receive, send or close?",
		.parameters = g01_parameters,
		.parameter_count = ARRAY_SIZE(g01_parameters),
	},
	{
		.id = "PW-G02",
		.name = "nil channel, select without cases",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines wait on a nil channel or in a select without cases, which nothing can ever end. "
			"One of "
			"them may be meant to keep something alive (info); main's own does not count.",
		.hint = "Look where the channel should have been made; a goroutine that has nothing to do should "
			"return.",
		.parameters = g02_parameters,
		.parameter_count = ARRAY_SIZE(g02_parameters),
	},
	{
		.id = "PW-G03",
		.name = "select without a way out",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines of one go statement that wait in one select" GROWTH_TEXT,
		.hint = "Give the select a case that ends it: ctx.Done(), a timer, a channel that is closed.",
		.parameters = g03_parameters,
		.parameter_count = ARRAY_SIZE(g03_parameters),
	},
	{
		.id = "PW-G05",
		.name = "WaitGroup or Cond without end",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines of one go statement that wait for a WaitGroup or Cond in one place" GROWTH_TEXT,
		.hint = "Look for an early return or a panic between Add and Done, Wait and Signal.",
		.parameters = g05_parameters,
		.parameter_count = ARRAY_SIZE(g05_parameters),
	},
	{
		.id = "PW-G06",
		.name = "loops started again and again",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines of one go statement that sleep, or wake at a steady rate," GROWTH_TEXT,
		.hint = "Start the loop once, or tie it to a context; stop its ticker.",
		.parameters = g06_parameters,
		.parameter_count = ARRAY_SIZE(g06_parameters),
	},
	{
		.id = "PW-G08",
		.name = "parked pile-up",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines of one go statement pile up: those parked for longer than the age leave their "
			"baseline, rise "
			"tick by tick, and hardly any of them ends.",
		.hint = "Look at what they wait for and who should end that wait.",
		.parameters = g08_parameters,
		.parameter_count = ARRAY_SIZE(g08_parameters),
	},
	{
		.id = "PW-G10",
		.name = "growth of one go statement",
		.level = PW_LEVEL_WARNING,
		.text = "Goroutines of one go statement, parked in one place for a reason that no other rule is "
			"for," GROWTH_TEXT,
		.hint = "Look at what they wait for and who should end that wait.",
		.parameters = g10_parameters,
		.parameter_count = ARRAY_SIZE(g10_parameters),
	},
	{
		.id = "PW-G11",
		.name = "abandoned iterators",
		.level = PW_LEVEL_WARNING,
		.text = "Coroutines of iter.Pull, made in one place," GROWTH_TEXT,
		.hint = "Call stop of each iterator made by iter.Pull: defer it where it is made.",
		.parameters = g11_parameters,
		.parameter_count = ARRAY_SIZE(g11_parameters),
	},
	{
		.id = "PW-H01",
		.name = "live heap grows",
		.level = PW_LEVEL_WARNING,
		.text = "What is left of the heap after each GC climbs beyond chance, over an hour or six, and does "
			"not slow "
			"down as a cache that fills up does.",
		.hint = "See which lines grow: parkwatch heap -p PID --interval 60s",
		.parameters = h01_parameters,
		.parameter_count = ARRAY_SIZE(h01_parameters),
	},
	{
		.id = "PW-H03",
		.name = "memory limit is near",
		.level = PW_LEVEL_CRITICAL,
		.text = "What the process's cgroup uses, without the page cache, climbs beyond chance and will soon "
			"reach its "
			"limit: the kernel then kills.",
		.hint = "See where it goes: parkwatch memory -p PID",
		.parameters = h03_parameters,
		.parameter_count = ARRAY_SIZE(h03_parameters),
	},
};

void pw_rules_config_default(struct pw_rules_config *ret_config)
{
	static const struct pw_rules_config defaults = {
		.g08_enabled = true,
		.g08_tick_ns = 10 * PW_NS_PER_SEC,
		.g08_age_ns = 30 * PW_NS_PER_SEC,
		.g08_min_count = 200,
		.g08_baseline_factor = 3,
		.g08_baseline_margin = 100,
		.g08_rising_ticks = 6,
		.g08_exit_ratio = 0.10,
		.g08_warmup_ns = 600 * PW_NS_PER_SEC,
		.g08_baseline_ns = 7200 * PW_NS_PER_SEC,
		.g08_clear_ns = 300 * PW_NS_PER_SEC,
		.g01_enabled = true,
		.g03_enabled = true,
		.g05_enabled = true,
		.g06_enabled = true,
		.g10_enabled = true,
		.g11_enabled = true,
		.g10_age_ns = 600 * PW_NS_PER_SEC,
		.g10_bucket_ns = 60 * PW_NS_PER_SEC,
		.g10_life_ns = 6 * 3600 * PW_NS_PER_SEC,
		.g10_min_added = 50,
		.g10_min_slope = 25,
		.g10_baseline_factor = 1.25,
		.g10_baseline_margin = 50,
		.g10_pool_margin = 1000,
		.g10_confirm = 3,
		.g10_clear_ns = 900 * PW_NS_PER_SEC,
		.g10_warmup_ns = 600 * PW_NS_PER_SEC,
		.g02_enabled = true,
		.g02_age_ns = 30 * PW_NS_PER_SEC,
		.h01_enabled = true,
		.h01_bucket_ns = 60 * PW_NS_PER_SEC,
		.h01_min_growth_mb = 32,
		.h01_novel_mb = 16,
		.h01_confirm = 6,
		.h01_clear_ns = 900 * PW_NS_PER_SEC,
		.h03_enabled = true,
		.h03_bucket_ns = 60 * PW_NS_PER_SEC,
		.h03_share = 0.7,
		.h03_eta_ns = 1800 * PW_NS_PER_SEC,
		.h03_confirm = 3,
		.h03_clear_ns = 7200 * PW_NS_PER_SEC,
	};

	memcpy(ret_config, &defaults, sizeof(defaults)); /* padding too: configurations are compared by bytes */
}

const struct pw_rule *pw_rules(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rules);
	return rules;
}

const struct pw_rule *pw_rule_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (strcmp(rules[i].id, id) == 0)
			return &rules[i];
	return NULL;
}

/* In the largest unit that loses nothing. */
static void put_duration(struct pw_buf *buf, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {{3600 * PW_NS_PER_SEC, "h"}, {60 * PW_NS_PER_SEC, "m"}, {PW_NS_PER_SEC, "s"},
		     {PW_NS_PER_MS, "ms"},	  {PW_NS_PER_US, "us"},	     {1, "ns"}};
	size_t i = 0;

	if (!ns) {
		pw_buf_puts(buf, "0s");
		return;
	}
	while (ns % units[i].ns != 0)
		i++;
	pw_buf_printf(buf, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
}

/* With as few digits as bring it back exactly. */
static void put_number(struct pw_buf *buf, double value)
{
	char text[40];

	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	pw_buf_puts(buf, text);
}

static void put_parameter(struct pw_buf *buf, const struct pw_rules_config *config,
			  const struct pw_rule_parameter *parameter)
{
	const char *at = (const char *)config + parameter->offset;

	pw_buf_printf(buf, "    %s: ", parameter->name);
	switch (parameter->type) {
	case PW_PARAMETER_BOOL:
		pw_buf_puts(buf, *(const bool *)(const void *)at ? "true" : "false");
		break;
	case PW_PARAMETER_DURATION:
		put_duration(buf, *(const uint64_t *)(const void *)at);
		break;
	case PW_PARAMETER_COUNT:
		pw_buf_printf(buf, "%" PRIu32, *(const uint32_t *)(const void *)at);
		break;
	case PW_PARAMETER_NUMBER:
		put_number(buf, *(const double *)(const void *)at);
		break;
	}
	pw_buf_putc(buf, '\n');
}

int pw_rules_to_yaml(const struct pw_rules_config *config, struct pw_buf *buf)
{
	pw_buf_puts(buf, "rules:\n");
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		pw_buf_printf(buf, "  %s:\n", rules[i].id);
		for (size_t j = 0; j < rules[i].parameter_count; j++)
			put_parameter(buf, config, &rules[i].parameters[j]);
	}
	return pw_buf_error(buf);
}
