/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "analysis/benign.h"
#include "analysis/policy.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "cmd/config_read.h"
#include "cmd/yaml_tree.h"

/*
 * The benign list of the configuration file: what is there by design, why, how many of it, and until when.
 *
 *	benign:
 *	- created: 'github\.com/acme/bus\..*Subscribe'
 *	  blocked: '\.loop$'                 # may be left out
 *	  reason: one per tenant by design
 *	  max: 5000
 *	  expires: 2027-03-01
 */
#define MAX_LIMIT 1000000000U

enum field { CREATED, BLOCKED, REASON, MAX, EXPIRES, SHIPPED, _FIELD_MAX };
static const char *const fields[_FIELD_MAX] = {
	[CREATED] = "created", [BLOCKED] = "blocked", [REASON] = "reason",
	[MAX] = "max",	       [EXPIRES] = "expires", [SHIPPED] = "shipped", /* that: in recordings */
};

static int read_field(struct pw_config_reading *reading, struct pw_benign *entry, enum field field,
		      const struct pw_yaml_node *node)
{
	const struct {
		char *text;
		size_t size;
	} texts[_FIELD_MAX] = {
		[CREATED] = {entry->created, sizeof(entry->created)},
		[BLOCKED] = {entry->blocked, sizeof(entry->blocked)},
		[REASON] = {entry->reason, sizeof(entry->reason)},
		[EXPIRES] = {entry->expires, sizeof(entry->expires)},
		[SHIPPED] = {entry->shipped, sizeof(entry->shipped)},
	};
	const char *text;

	if (field != MAX)
		return pw_yaml_copy(reading->yaml, node, fields[field], texts[field].text, texts[field].size);
	text = pw_yaml_text(reading->yaml, node, fields[field]);
	if (!text)
		return -EINVAL;
	if (pw_parse_u64(text, &entry->max) < 0 || !entry->max || entry->max > MAX_LIMIT)
		return pw_yaml_refuse(reading->yaml, node, "max: '%s' is not a whole number from 1 to %u", text,
				      MAX_LIMIT);
	return 0;
}

static int check(struct pw_config_reading *reading, const struct pw_benign *entry, const struct pw_yaml_node *node)
{
	if (!*entry->created)
		return pw_yaml_refuse(reading->yaml, node, "a benign entry needs created: an expression");
	if (!*entry->reason)
		return pw_yaml_refuse(reading->yaml, node, "a benign entry needs a reason");
	if (!entry->max)
		return pw_yaml_refuse(reading->yaml, node, "a benign entry needs max: how many there may be");
	if (!*entry->expires)
		return pw_yaml_refuse(reading->yaml, node,
				      "a benign entry needs expires: the day on which it is looked at again");
	return 0;
}

static int read_entry(struct pw_config_reading *reading, const struct pw_yaml_node *node)
{
	const struct pw_yaml_node *key, *value, *at[_FIELD_MAX] = {0};
	struct pw_benign entry = {.line = pw_yaml_line(node)};
	struct pw_why why = {0};
	int r;

	if (pw_yaml_kind(node) != PW_YAML_MAPPING)
		return pw_yaml_refuse(reading->yaml, node,
				      "a benign entry must be a mapping with created, reason, max and expires");
	for (size_t i = 0; pw_yaml_pair(reading->yaml, node, i, &key, &value); i++) {
		const char *word = pw_yaml_text(reading->yaml, key, "a key");
		size_t field = 0;

		if (!word)
			return -EINVAL;
		while (field < _FIELD_MAX && strcmp(fields[field], word) != 0)
			field++;
		if (field == _FIELD_MAX)
			return pw_yaml_refuse_key(reading->yaml, key, word, fields, _FIELD_MAX);
		if (read_field(reading, &entry, (enum field)field, value) < 0)
			return -EINVAL;
		at[field] = value;
	}
	r = check(reading, &entry, node);
	if (!r)
		r = pw_policy_add_benign(reading->policy, &entry, &why);
	if (r == -E2BIG)
		return pw_yaml_refuse(reading->yaml, node, "more than %d benign entries", PW_BENIGN_MAX);
	for (size_t field = 0; r == -EINVAL && *why.text && field < _FIELD_MAX; field++)
		if (at[field] && !strncmp(why.text, fields[field], strlen(fields[field])))
			return pw_yaml_refuse(reading->yaml, at[field], "%s", why.text);
	return r;
}

int pw_config_read_benign(struct pw_config_reading *reading, const struct pw_yaml_node *node)
{
	const struct pw_yaml_node *entry;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_LIST)
		return pw_yaml_refuse(reading->yaml, node, "benign must be a list of entries");
	for (size_t i = 0; !r && (entry = pw_yaml_item(reading->yaml, node, i)); i++)
		r = read_entry(reading, entry);
	return r;
}
