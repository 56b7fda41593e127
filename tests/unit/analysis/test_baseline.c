/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/baseline.h"
#include "analysis/detector.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/parse.h"
#include "support/records.h"

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void quantiles_are_right_within_two_percent(void **state)
{
	enum { COUNT = 5000 };
	static uint64_t values[COUNT];
	const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};
	struct pw_baseline baseline = {};
	uint64_t seed = 9;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		values[i] = 1000 + rnd_below(&seed, 3000);
		pw_baseline_absorb(&baseline, values[i], 1);
	}
	qsort(values, COUNT, sizeof(values[0]), by_value);
	assert_int_equal(baseline.samples, COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		double truth = (double)values[(size_t)(quantiles[i] * (COUNT - 1))];
		double found = pw_baseline_quantile(&baseline, quantiles[i]);

		assert_true(found > truth * 0.978 && found < truth * 1.022);
	}
}

static void zero_and_one_are_exact_and_nothing_is_zero(void **state)
{
	struct pw_baseline baseline = {};

	(void)state;
	assert_true(pw_baseline_quantile(&baseline, 0.999) == 0);
	pw_baseline_absorb(&baseline, 0, 1000);
	assert_true(pw_baseline_quantile(&baseline, 0.999) == 0);
	pw_baseline_absorb(&baseline, 1, 1000);
	assert_true(pw_baseline_quantile(&baseline, 0.4) == 0);
	assert_true(pw_baseline_quantile(&baseline, 0.999) == 1);
	pw_baseline_absorb(&baseline, 7, 0);
	assert_int_equal(baseline.samples, 2000);
}

/* A signal that visits far more bins than there are: the high quantiles stay right, and nothing is lost. */
static void too_many_bins_blur_only_the_low_quantiles(void **state)
{
	struct pw_baseline baseline = {};
	double high;

	(void)state;
	for (uint64_t value = 1; value < 1ULL << 40; value += value / 20 + 1)
		pw_baseline_absorb(&baseline, value, 1);
	high = pw_baseline_quantile(&baseline, 1);
	assert_true(high > 0.9 * (double)(1ULL << 40));
	assert_true(baseline.bin_count <= PW_BASELINE_BINS);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < baseline.bin_count; i++) {
		sum += baseline.bins[i].count;
		assert_true(!i || baseline.bins[i].index > baseline.bins[i - 1].index);
	}
	assert_int_equal(sum, baseline.samples);
	pw_baseline_absorb(&baseline, UINT64_MAX, 1);
	pw_baseline_absorb(&baseline, 1, 1);
	assert_true(baseline.bin_count <= PW_BASELINE_BINS);
}

static void counts_never_overflow(void **state)
{
	struct pw_baseline baseline = {};

	(void)state;
	for (int i = 0; i < 100; i++)
		pw_baseline_absorb(&baseline, 5, 1ULL << 40);
	pw_baseline_absorb(&baseline, 500, 10);
	assert_true(pw_baseline_quantile(&baseline, 0.5) > 4.8 && pw_baseline_quantile(&baseline, 0.5) < 5.2);
	assert_true(baseline.bins[0].count > 1U << 28); /* still weighs what it weighed, against what is new */
}

static void merged_baselines_are_that_of_all_samples(void **state)
{
	struct pw_baseline all = {}, half[2] = {};
	uint64_t seed = 4;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t value = 100 + rnd_below(&seed, 300);

		pw_baseline_absorb(&all, value, 1);
		pw_baseline_absorb(&half[i % 2], value, 1);
	}
	pw_baseline_merge(&half[0], &half[1]);
	assert_int_equal(half[0].samples, 1000);
	assert_true(pw_baseline_quantile(&all, 0.99) == pw_baseline_quantile(&half[0], 0.99));
}

/* --- the table of rules ------------------------------------------------------------------------------------------ */

static double value_of(const struct pw_rules_config *config, const struct pw_rule_parameter *parameter)
{
	const void *at = (const char *)config + parameter->offset;

	switch (parameter->type) {
	case PW_PARAMETER_BOOL:
		return *(const bool *)at;
	case PW_PARAMETER_DURATION:
		return (double)*(const uint64_t *)at;
	case PW_PARAMETER_COUNT:
		return *(const uint32_t *)at;
	case PW_PARAMETER_NUMBER:
		return *(const double *)at;
	}
	return -1;
}

static void defaults_are_within_the_bounds_of_the_table(void **state)
{
	struct pw_rules_config config;
	const struct pw_rule *const *rules;
	size_t count;

	(void)state;
	pw_rules_config_default(&config);
	rules = pw_rules(&count);
	assert_true(count >= 10);
	assert_null(pw_rule_find("PW-G99"));
	for (size_t rule = 0; rule < count; rule++) {
		assert_ptr_equal(pw_rule_find(rules[rule]->id), rules[rule]);
		for (size_t i = 0; i < rules[rule]->parameter_count; i++) {
			double value = value_of(&config, &rules[rule]->parameters[i]);

			assert_true(value >= rules[rule]->parameters[i].min && value <= rules[rule]->parameters[i].max);
		}
	}
}

/* Each line of the YAML is read back by the parsers that cmd/config uses. */
static void yaml_loses_nothing(void **state)
{
	struct pw_buf buf = PW_BUF_INIT(65536);
	struct pw_rules_config config;
	const struct pw_rule *rule = pw_rule_find("PW-G08");
	const char *section;

	(void)state;
	pw_rules_config_default(&config);
	config.g08_tick_ns = 1234567891;
	config.g08_age_ns = 90 * PW_NS_PER_SEC;
	config.g08_exit_ratio = 0.1 + 0.2;
	config.g08_enabled = false;
	assert_int_equal(pw_rules_to_yaml(&config, &buf), 0);
	section = strstr(pw_buf_text(&buf), "\n  PW-G08:\n");
	assert_non_null(section);
	for (size_t i = 0; i < rule->parameter_count; i++) {
		const struct pw_rule_parameter *parameter = &rule->parameters[i];
		char key[64], *line, *end;
		double number;
		uint64_t integer;
		bool flag;

		snprintf(key, sizeof(key), "\n    %s: ", parameter->name);
		line = strstr(section, key);
		assert_non_null(line);
		line = strdup(line + strlen(key));
		end = strchr(line, '\n');
		*end = 0;
		switch (parameter->type) {
		case PW_PARAMETER_BOOL:
			assert_int_equal(pw_parse_bool(line, &flag), 0);
			number = flag;
			break;
		case PW_PARAMETER_DURATION:
			assert_int_equal(pw_parse_duration(line, &integer), 0);
			number = (double)integer;
			break;
		case PW_PARAMETER_COUNT:
			assert_int_equal(pw_parse_u64(line, &integer), 0);
			number = (double)integer;
			break;
		default:
			assert_int_equal(pw_parse_double(line, &number), 0);
		}
		assert_true(number == value_of(&config, parameter));
		free(line);
	}
	pw_buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_right_within_two_percent),
		cmocka_unit_test(zero_and_one_are_exact_and_nothing_is_zero),
		cmocka_unit_test(too_many_bins_blur_only_the_low_quantiles),
		cmocka_unit_test(counts_never_overflow),
		cmocka_unit_test(merged_baselines_are_that_of_all_samples),
		cmocka_unit_test(defaults_are_within_the_bounds_of_the_table),
		cmocka_unit_test(yaml_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
