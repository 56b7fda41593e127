/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/policy.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "cmd/config_read.h"
#include "cmd/config_settings.h"
#include "cmd/yaml_tree.h"

/*
 * What the configuration file says of services and of rules beside their thresholds:
 *
 *	services:
 *	  "/opt/shop/server": shop             # only a name
 *	  "orders*":
 *	    name: orders                     # may be left out
 *	    owner: team-orders
 *	    runbook: https://wiki.example.org/orders
 *	    rules:
 *	      PW-G08: {min_count: 500, level: info, owner: ..., runbook: ...}
 */
#define KEY_MAX 128

int pw_config_read_note(struct pw_config_reading *reading, struct pw_rule_notes *notes, const struct pw_rule *rule,
			const char *key, const struct pw_yaml_node *value)
{
	static const char *const levels[] = {
		[PW_LEVEL_INFO] = "info", [PW_LEVEL_WARNING] = "warning", [PW_LEVEL_CRITICAL] = "critical"};
	struct pw_rule_note *note;
	const char *text;
	int r;

	if (strcmp(key, "level") != 0 && strcmp(key, "owner") != 0 && strcmp(key, "runbook") != 0)
		return 0;
	r = pw_rule_notes_at(notes, rule, &note);
	if (r < 0)
		return r;
	if (strcmp(key, "level") != 0) {
		r = !strcmp(key, "owner")
			    ? pw_yaml_copy(reading->yaml, value, key, note->owner, sizeof(note->owner))
			    : pw_yaml_copy(reading->yaml, value, key, note->runbook, sizeof(note->runbook));
		return r < 0 ? r : 1;
	}
	text = pw_yaml_text(reading->yaml, value, key);
	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(text, levels[i]))
			note->level = (int)i;
	if (note->level != PW_LEVEL_AS_FOUND && !strcmp(text, levels[note->level]))
		return 1;
	return pw_yaml_refuse(reading->yaml, value, "level: '%s' is not info, warning or critical", text);
}

/* One key of rules.PW-...: of a service. */
static int read_override(struct pw_config_reading *reading, struct pw_policy_service *service,
			 const struct pw_rule *rule, const struct pw_yaml_node *key_node,
			 const struct pw_yaml_node *value)
{
	const char *word = pw_yaml_text(reading->yaml, key_node, "a key"), *text;
	struct pw_rule_override override = {.rule = rule, .line = pw_yaml_line(key_node)};
	struct pw_setting setting;
	struct pw_why why = {0};
	char key[KEY_MAX];
	int r;

	if (!word)
		return -EINVAL;
	r = pw_config_read_note(reading, &service->notes, rule, word, value);
	if (r)
		return r < 0 ? r : 0;
	if (snprintf(key, sizeof(key), "rules.%s.%s", rule->id, word) >= (int)sizeof(key) || strchr(word, '.'))
		return pw_config_refuse_unknown(reading, key_node, word, word);
	if (!pw_setting_find(key, &setting) || !setting.parameter)
		return pw_config_refuse_unknown(reading, key_node, key, word);
	for (size_t i = 0; i < service->override_count; i++)
		if (service->overrides[i].parameter == setting.parameter)
			return pw_yaml_refuse(reading->yaml, key_node, "%s is given twice", key);
	text = pw_yaml_text(reading->yaml, value, word);
	if (!text)
		return -EINVAL;
	if (!*text && pw_yaml_is_plain(value)) /* as for all */
		return 0;
	override.parameter = setting.parameter;
	if (pw_setting_parse(&setting, key, text, override.value, &why) < 0)
		return pw_yaml_refuse(reading->yaml, value, "%s", why.text);
	r = pw_policy_override(service, &override);
	return r == -E2BIG ? pw_yaml_refuse(reading->yaml, key_node, "more than %d values of one service",
					    PW_POLICY_OVERRIDES_MAX)
			   : r;
}

static int read_service_rules(struct pw_config_reading *reading, struct pw_policy_service *service,
			      const struct pw_yaml_node *node)
{
	const struct pw_yaml_node *key, *values, *inner_key, *value;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_MAPPING)
		return pw_yaml_refuse(reading->yaml, node, "rules must be a mapping of keys to values");
	for (size_t i = 0; !r && pw_yaml_pair(reading->yaml, node, i, &key, &values); i++) {
		const char *id = pw_yaml_text(reading->yaml, key, "a key");
		const struct pw_rule *rule = id ? pw_rule_find(id) : NULL;
		char full[KEY_MAX];

		if (!id)
			return -EINVAL;
		snprintf(full, sizeof(full), "rules.%s", id);
		if (!rule)
			return pw_config_refuse_unknown(reading, key, strchr(id, '.') ? id : full, id);
		if (pw_yaml_is_empty(values))
			continue;
		if (pw_yaml_kind(values) != PW_YAML_MAPPING)
			return pw_yaml_refuse(reading->yaml, values, "%s must be a mapping of keys to values", full);
		for (size_t j = 0; !r && pw_yaml_pair(reading->yaml, values, j, &inner_key, &value); j++)
			r = read_override(reading, service, rule, inner_key, value);
	}
	return r;
}

/* A glob that matches this text alone. */
static void exact_glob(const char *text, char *glob, size_t size)
{
	size_t at = 0;

	for (; *text && at + 4 < size; text++)
		at += (size_t)snprintf(glob + at, size - at, strchr("*?[\\", *text) ? "[%c]" : "%c", *text);
	glob[at] = '\0';
}

/* name, owner, runbook, rules. What the name is has to be known first: the rules are for it. */
static int read_service_name(struct pw_config_reading *reading, const struct pw_yaml_node *node, char *name,
			     size_t size)
{
	const struct pw_yaml_node *key, *value;

	for (size_t i = 0; pw_yaml_pair(reading->yaml, node, i, &key, &value); i++) {
		const char *word = pw_yaml_text(reading->yaml, key, "a key");

		if (!word)
			return -EINVAL;
		if (!strcmp(word, "name") && pw_yaml_copy(reading->yaml, value, word, name, size) < 0)
			return -EINVAL;
	}
	return 0;
}

static int read_service(struct pw_config_reading *reading, const struct pw_yaml_node *pattern_node, const char *pattern,
			const struct pw_yaml_node *node)
{
	static const char *const keys[] = {"name", "owner", "runbook", "rules"};
	char name[PW_CONFIG_TEXT_MAX / 2] = "", glob[PW_POLICY_PATTERN_SIZE * 2];
	const struct pw_yaml_node *key, *value;
	struct pw_policy_service *service = NULL;
	int r = read_service_name(reading, node, name, sizeof(name));

	if (r < 0)
		return r;
	if (!*pattern)
		return pw_yaml_refuse(reading->yaml, pattern_node, "a pattern must have 1 to %d bytes",
				      PW_POLICY_PATTERN_SIZE - 1);
	snprintf(glob, sizeof(glob), "%s", pattern);
	if (*name) {
		r = pw_config_list_add(reading, &reading->config->services, pattern_node, pattern, name);
		exact_glob(name, glob, sizeof(glob));
	}
	for (size_t i = 0; !r && i < reading->policy->service_count; i++)
		if (!strcmp(reading->policy->services[i].pattern, glob))
			return pw_yaml_refuse(reading->yaml, pattern_node, "'%s' is given twice", glob);
	if (!r)
		r = pw_policy_add_service(reading->policy, glob, &service);
	if (r == -E2BIG)
		return pw_yaml_refuse(reading->yaml, pattern_node,
				      "more than %d services, or a pattern of more than %d bytes",
				      PW_POLICY_SERVICES_MAX, PW_POLICY_PATTERN_SIZE - 1);
	if (r < 0 || !service)
		return r;
	service->line = pw_yaml_line(pattern_node);
	for (size_t i = 0; !r && pw_yaml_pair(reading->yaml, node, i, &key, &value); i++) {
		const char *word = pw_yaml_text(reading->yaml, key, "a key"); /* it is one: read_service_name */

		if (!strcmp(word, "owner"))
			r = pw_yaml_copy(reading->yaml, value, word, service->owner, sizeof(service->owner));
		else if (!strcmp(word, "runbook"))
			r = pw_yaml_copy(reading->yaml, value, word, service->runbook, sizeof(service->runbook));
		else if (!strcmp(word, "rules"))
			r = read_service_rules(reading, service, value);
		else if (strcmp(word, "name") != 0)
			r = pw_yaml_refuse_key(reading->yaml, key, word, keys, ARRAY_SIZE(keys));
	}
	return r;
}

int pw_config_read_services(struct pw_config_reading *reading, const struct pw_yaml_node *node)
{
	const struct pw_yaml_node *key, *value;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_MAPPING)
		return pw_yaml_refuse(reading->yaml, node, "services must be a mapping of patterns to names");
	for (size_t i = 0; !r && pw_yaml_pair(reading->yaml, node, i, &key, &value); i++) {
		const char *pattern = pw_yaml_text(reading->yaml, key, "a pattern"), *name;

		if (!pattern)
			return -EINVAL;
		if (pw_yaml_kind(value) == PW_YAML_MAPPING) {
			r = read_service(reading, key, pattern, value);
			continue;
		}
		name = pw_yaml_text(reading->yaml, value, "a service name");
		r = name ? pw_config_list_add(reading, &reading->config->services, key, pattern, name) : -EINVAL;
	}
	return r;
}
