/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/detector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/macros.h"

/* Each rule is described beside what judges by it. */
/* clang-format off */
static const struct pw_rule *const rules[] = { /* one a line: many hands add to it */
	&pw_rule_c01,
	&pw_rule_c02,
	&pw_rule_f01,
	&pw_rule_g01,
	&pw_rule_g02,
	&pw_rule_g03,
	&pw_rule_g04,
	&pw_rule_g05,
	&pw_rule_g06,
	&pw_rule_g07,
	&pw_rule_g08,
	&pw_rule_g09,
	&pw_rule_g10,
	&pw_rule_g11,
	&pw_rule_h01,
	&pw_rule_h03,
	&pw_rule_t01,
	&pw_rule_x01,
};
/* clang-format on */

static void set_default(struct pw_rules_config *config, const struct pw_rule_parameter *parameter)
{
	char *at = (char *)config + parameter->offset;

	switch (parameter->type) {
	case PW_PARAMETER_BOOL:
		*(bool *)(void *)at = parameter->value > 0;
		break;
	case PW_PARAMETER_DURATION:
		*(uint64_t *)(void *)at = (uint64_t)parameter->value;
		break;
	case PW_PARAMETER_COUNT:
		*(uint32_t *)(void *)at = (uint32_t)parameter->value;
		break;
	case PW_PARAMETER_NUMBER:
		*(double *)(void *)at = parameter->value;
		break;
	}
}

void pw_rules_config_default(struct pw_rules_config *ret_config)
{
	const struct pw_rule_parameter *alerts;
	size_t count;

	memset(ret_config, 0, sizeof(*ret_config)); /* padding too: configurations are compared by bytes */
	alerts = pw_alert_parameters(&count);
	for (size_t i = 0; i < count; i++)
		set_default(ret_config, &alerts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		for (size_t j = 0; j < rules[i]->parameter_count; j++)
			set_default(ret_config, &rules[i]->parameters[j]);
}

const struct pw_rule *const *pw_rules(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rules);
	return rules;
}

const struct pw_rule *pw_rule_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (strcmp(rules[i]->id, id) == 0)
			return rules[i];
	return NULL;
}

bool pw_rule_is_enabled(const struct pw_rule *rule, const struct pw_rules_config *config)
{
	for (size_t i = 0; i < rule->parameter_count; i++)
		if (!strcmp(rule->parameters[i].name, "enabled"))
			return *(const bool *)(const void *)((const char *)config + rule->parameters[i].offset);
	return true;
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

size_t pw_rule_parameter_size(enum pw_parameter_type type)
{
	switch (type) {
	case PW_PARAMETER_BOOL:
		return sizeof(bool);
	case PW_PARAMETER_DURATION:
		return sizeof(uint64_t);
	case PW_PARAMETER_COUNT:
		return sizeof(uint32_t);
	case PW_PARAMETER_NUMBER:
		return sizeof(double);
	}
	return 0;
}

void pw_rule_parameter_text(enum pw_parameter_type type, const void *at, struct pw_buf *buf)
{
	union {
		bool flag;
		uint64_t ns;
		uint32_t count;
		double number;
	} value;

	memcpy(&value, at, pw_rule_parameter_size(type));
	switch (type) {
	case PW_PARAMETER_BOOL:
		pw_buf_puts(buf, value.flag ? "true" : "false");
		break;
	case PW_PARAMETER_DURATION:
		put_duration(buf, value.ns);
		break;
	case PW_PARAMETER_COUNT:
		pw_buf_printf(buf, "%" PRIu32, value.count);
		break;
	case PW_PARAMETER_NUMBER:
		put_number(buf, value.number);
		break;
	}
}

int pw_rules_to_yaml(const struct pw_rules_config *config, struct pw_buf *buf)
{
	return pw_policy_to_yaml(config, NULL, buf);
}
