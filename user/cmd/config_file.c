/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/benign.h"
#include "analysis/detector.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "cmd/config.h"
#include "cmd/config_read.h"
#include "cmd/config_settings.h"
#include "cmd/yaml_tree.h"

/*
 * The YAML file, walked by our schema only, three levels deep. Nothing of the file is in force before all of it was
 * right: it is read into a copy.
 */
#define KEY_MAX	       128
#define CANDIDATES_MAX (PW_SETTINGS_MAX + 10)

/* What may stand behind prefix ("", "rules.", "rules.PW-G08.") as candidates for a suggestion. */
static size_t candidates(const char *prefix, char (*words)[KEY_MAX], size_t max)
{
	static const char *const lists[] = {"include",	      "exclude",     "services",       "benign",
					    "benign_shipped", "alerts.exec", "alerts.webhooks"};
	static const char *const notes[] = {"level", "owner", "runbook"};
	size_t found = 0, skip = strlen(prefix);
	struct pw_setting setting;

	for (size_t i = 0; pw_setting_at(i, &setting) && found < max; i++) {
		if (strncmp(setting.key, prefix, skip))
			continue;
		snprintf(words[found], KEY_MAX, "%.*s", (int)strcspn(setting.key + skip, "."), setting.key + skip);
		if (!found || strcmp(words[found], words[found - 1]))
			found++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists) && found < max; i++)
		if (!strncmp(lists[i], prefix, skip) && !strchr(lists[i] + skip, '.'))
			snprintf(words[found++], KEY_MAX, "%s", lists[i] + skip);
	for (size_t i = 0; i < ARRAY_SIZE(notes) && found < max; i++)
		if (!strncmp(prefix, "rules.", 6) && prefix[6])
			snprintf(words[found++], KEY_MAX, "%s", notes[i]);
	return found;
}

int pw_config_unknown_key(const char *key, const char *shown, struct pw_why *reterr_why)
{
	char words[CANDIDATES_MAX][KEY_MAX], prefix[KEY_MAX];
	const char *list[CANDIDATES_MAX], *dot = strrchr(key, '.'), *near;
	size_t count;

	snprintf(prefix, sizeof(prefix), "%.*s", dot ? (int)(dot - key + 1) : 0, key);
	count = candidates(prefix, words, ARRAY_SIZE(words));
	for (size_t i = 0; i < count; i++)
		list[i] = words[i];
	near = pw_suggest(dot ? dot + 1 : key, list, count);
	if (near)
		return pw_why_set(reterr_why, -EINVAL, "unknown key '%s': did you mean '%s'?", shown, near);
	return pw_why_set(reterr_why, -EINVAL, "unknown key '%s'", shown);
}

int pw_config_refuse_unknown(struct pw_config_reading *reading, const struct pw_yaml_node *key, const char *full,
			     const char *shown)
{
	struct pw_why why = {0};

	pw_config_unknown_key(full, shown, &why);
	return pw_yaml_refuse(reading->yaml, key, "%s", why.text);
}

static int read_setting(struct pw_config_reading *reading, const char *key, size_t index,
			const struct pw_yaml_node *key_node, const struct pw_yaml_node *node)
{
	struct pw_why why = {0};
	const char *value;

	if (reading->seen[index])
		return pw_yaml_refuse(reading->yaml, key_node, "%s is given twice", key);
	reading->seen[index] = true;
	value = pw_yaml_text(reading->yaml, node, key);
	if (!value)
		return -EINVAL;
	/* An empty value ("record:") means the default, as in the commented sample. */
	if (!*value && pw_yaml_is_plain(node))
		return 0;
	if (pw_config_set(reading->config, key, value, PW_SOURCE_FILE, &why) < 0)
		return pw_yaml_refuse(reading->yaml, node, "%s", why.text);
	reading->config->line[index] = pw_yaml_line(key_node);
	return 0;
}

int pw_config_list_add(struct pw_config_reading *reading, struct pw_config_list *list, const struct pw_yaml_node *at,
		       const char *pattern, const char *value)
{
	struct pw_config_pattern *grown;

	if (list->count == PW_CONFIG_LIST_MAX)
		return pw_yaml_refuse(reading->yaml, at, "more than %d entries", PW_CONFIG_LIST_MAX);
	if (!*pattern || strlen(pattern) >= PW_CONFIG_TEXT_MAX || strlen(value) >= PW_CONFIG_TEXT_MAX)
		return pw_yaml_refuse(reading->yaml, at, "a pattern must have 1 to %d bytes", PW_CONFIG_TEXT_MAX - 1);
	grown = reallocarray(list->items, list->count + 1, sizeof(*list->items));
	if (!grown)
		return -ENOMEM;
	list->items = grown;
	grown[list->count] = (struct pw_config_pattern){.line = pw_yaml_line(at)};
	memcpy(grown[list->count].pattern, pattern, strlen(pattern) + 1);
	memcpy(grown[list->count].value, value, strlen(value) + 1);
	list->count++;
	list->source = PW_SOURCE_FILE;
	return 0;
}

/* include, exclude: one glob or a list of them. */
static int read_globs(struct pw_config_reading *reading, const char *key, const struct pw_yaml_node *node,
		      struct pw_config_list *list)
{
	const struct pw_yaml_node *entry;
	const char *text;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) == PW_YAML_SCALAR) {
		text = pw_yaml_text(reading->yaml, node, key);
		return text ? pw_config_list_add(reading, list, node, text, "") : -EINVAL;
	}
	if (pw_yaml_kind(node) != PW_YAML_LIST)
		return pw_yaml_refuse(reading->yaml, node, "%s must be a list of patterns", key);
	for (size_t i = 0; !r && (entry = pw_yaml_item(reading->yaml, node, i)); i++) {
		text = pw_yaml_text(reading->yaml, entry, "a pattern");
		r = text ? pw_config_list_add(reading, list, entry, text, "") : -EINVAL;
	}
	return r;
}

/* alerts.exec: a path and its arguments. */
static int read_exec(struct pw_config_reading *reading, const struct pw_yaml_node *node)
{
	struct pw_sinks_config *sinks = &reading->config->sinks;
	const struct pw_yaml_node *entry;
	size_t count = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_LIST)
		return pw_yaml_refuse(reading->yaml, node, "alerts.exec must be a list: a path and its arguments");
	for (; (entry = pw_yaml_item(reading->yaml, node, count)); count++) {
		const char *text = pw_yaml_text(reading->yaml, entry, "an argument");

		if (!text)
			return -EINVAL;
		if (count == PW_SINK_ARGUMENTS_MAX || strlen(text) >= PW_SINK_TEXT_MAX)
			return pw_yaml_refuse(reading->yaml, entry, "at most %d arguments of %d bytes",
					      PW_SINK_ARGUMENTS_MAX - 1, PW_SINK_TEXT_MAX - 1);
		if (!count && *text != '/')
			return pw_yaml_refuse(reading->yaml, entry, "alerts.exec must begin with an absolute path");
		memcpy(sinks->exec[count], text, strlen(text) + 1);
	}
	sinks->exec_count = count;
	return 0;
}

/* One key of a webhook: 0, or refused. */
static int read_webhook_key(struct pw_config_reading *reading, struct pw_webhook_config *webhook,
			    const struct pw_yaml_node *key_node, const char *key, const struct pw_yaml_node *node)
{
	static const char *const keys[] = {"url", "format", "timeout", "ca", "certificate", "key", "token_file"};
	char *const paths[] = {NULL, NULL, NULL, webhook->ca, webhook->certificate, webhook->key, webhook->token_file};
	const char *text = pw_yaml_text(reading->yaml, node, key);
	size_t index = 0;

	if (!text)
		return -EINVAL;
	while (index < ARRAY_SIZE(keys) && strcmp(keys[index], key) != 0)
		index++;
	if (index == ARRAY_SIZE(keys))
		return pw_yaml_refuse_key(reading->yaml, key_node, key, keys, ARRAY_SIZE(keys));
	if (index >= 3) {
		if (strlen(text) >= PW_SINK_TEXT_MAX || *text != '/')
			return pw_yaml_refuse(reading->yaml, node, "%s must be an absolute path of at most %d bytes",
					      key, PW_SINK_TEXT_MAX - 1);
		memcpy(paths[index], text, strlen(text) + 1);
	} else if (index == 0) {
		if ((strncmp(text, "http://", 7) && strncmp(text, "https://", 8)) ||
		    strlen(text) >= sizeof(webhook->url))
			return pw_yaml_refuse(reading->yaml, node, "url must begin with http:// or https://");
		memcpy(webhook->url, text, strlen(text) + 1);
	} else if (index == 1) {
		if (strcmp(text, "alertmanager") != 0 && strcmp(text, "json") != 0)
			return pw_yaml_refuse(reading->yaml, node, "format must be alertmanager or json");
		webhook->format = strcmp(text, "json") ? PW_WEBHOOK_ALERTMANAGER : PW_WEBHOOK_JSON;
	} else if (pw_parse_duration(text, &webhook->timeout_ns) < 0 || webhook->timeout_ns < 100 * PW_NS_PER_MS ||
		   webhook->timeout_ns > 30 * PW_NS_PER_SEC) {
		return pw_yaml_refuse(reading->yaml, node, "timeout must be a duration from 100ms to 30s");
	}
	return 0;
}

static int read_webhook(struct pw_config_reading *reading, const struct pw_yaml_node *node,
			struct pw_webhook_config *webhook)
{
	const struct pw_yaml_node *key_node, *value;

	*webhook = (struct pw_webhook_config){.timeout_ns = 5 * PW_NS_PER_SEC};
	if (pw_yaml_kind(node) != PW_YAML_MAPPING)
		return pw_yaml_refuse(reading->yaml, node, "a webhook must be a mapping with url and format");
	for (size_t i = 0; pw_yaml_pair(reading->yaml, node, i, &key_node, &value); i++) {
		const char *key = pw_yaml_text(reading->yaml, key_node, "a key");

		if (!key || read_webhook_key(reading, webhook, key_node, key, value) < 0)
			return -EINVAL;
	}
	return *webhook->url ? 0 : pw_yaml_refuse(reading->yaml, node, "a webhook needs a url");
}

/* alerts.webhooks: a list of receivers. */
static int read_webhooks(struct pw_config_reading *reading, const struct pw_yaml_node *node)
{
	struct pw_sinks_config *sinks = &reading->config->sinks;
	const struct pw_yaml_node *entry;
	size_t count = 0;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_LIST)
		return pw_yaml_refuse(reading->yaml, node, "alerts.webhooks must be a list");
	while (!r && (entry = pw_yaml_item(reading->yaml, node, count))) {
		if (count == PW_WEBHOOKS_MAX)
			return pw_yaml_refuse(reading->yaml, entry, "more than %d webhooks", PW_WEBHOOKS_MAX);
		r = read_webhook(reading, entry, &sinks->webhooks[count++]);
		for (size_t i = 0; !r && i + 1 < count; i++)
			if (!strcmp(sinks->webhooks[i].url, sinks->webhooks[count - 1].url))
				r = pw_yaml_refuse(reading->yaml, entry, "the same url twice");
	}
	sinks->webhook_count = count;
	return r;
}

/* benign_shipped: whether the list that comes with the program holds. */
static int read_shipped(struct pw_config_reading *reading, const struct pw_yaml_node *node)
{
	const char *text = pw_yaml_text(reading->yaml, node, "benign_shipped");
	bool yes = true;

	if (!text)
		return -EINVAL;
	if (*text && pw_parse_bool(text, &yes) < 0)
		return pw_yaml_refuse(reading->yaml, node, "benign_shipped: '%s' is not yes or no", text);
	reading->without_shipped = !yes;
	return 0;
}

/* What is neither a setting nor a mapping of settings: 0 or an error; 1: key is none of these. */
static int read_special(struct pw_config_reading *reading, const char *key, const struct pw_yaml_node *value)
{
	struct pw_config *config = reading->config;

	if (!strcmp(key, "include"))
		return read_globs(reading, key, value, &config->include);
	if (!strcmp(key, "exclude"))
		return read_globs(reading, key, value, &config->exclude);
	if (!strcmp(key, "services"))
		return pw_config_read_services(reading, value);
	if (!strcmp(key, "benign"))
		return pw_config_read_benign(reading, value);
	if (!strcmp(key, "benign_shipped"))
		return read_shipped(reading, value);
	if (!strcmp(key, "alerts.exec"))
		return read_exec(reading, value);
	if (!strcmp(key, "alerts.webhooks"))
		return read_webhooks(reading, value);
	return 1;
}

/* level, owner, runbook of "rules.PW-G08.": 0 or an error; 1: it is none of these. */
static int read_rule_note(struct pw_config_reading *reading, const char *prefix, const char *word,
			  const struct pw_yaml_node *value)
{
	char id[KEY_MAX];
	const struct pw_rule *rule;
	int r;

	if (strncmp(prefix, "rules.", 6) || !prefix[6])
		return 1;
	snprintf(id, sizeof(id), "%.*s", (int)strlen(prefix + 6) - 1, prefix + 6);
	rule = pw_rule_find(id);
	r = rule ? pw_config_read_note(reading, &reading->policy->notes, rule, word, value) : 0;
	return r < 0 ? r : !r;
}

static int read_mapping(struct pw_config_reading *reading, const char *prefix, const struct pw_yaml_node *node,
			int depth);

/* One pair of a mapping whose keys lie behind prefix. */
static int read_pair(struct pw_config_reading *reading, const char *prefix, const struct pw_yaml_node *key_node,
		     const struct pw_yaml_node *value, int depth)
{
	char words[CANDIDATES_MAX][KEY_MAX], key[KEY_MAX];
	const char *word = pw_yaml_text(reading->yaml, key_node, "a key");
	struct pw_setting setting;
	size_t count, found = 0;
	int r;

	if (!word)
		return -EINVAL;
	if (snprintf(key, sizeof(key), "%s%s", prefix, word) >= (int)sizeof(key) || strchr(word, '.'))
		return pw_config_refuse_unknown(reading, key_node, word, word);
	if (pw_setting_find(key, &setting))
		return read_setting(reading, key, setting.index, key_node, value);
	r = read_special(reading, key, value);
	if (r == 1)
		r = read_rule_note(reading, prefix, word, value);
	if (r != 1)
		return r;
	count = candidates(prefix, words, ARRAY_SIZE(words));
	while (found < count && strcmp(words[found], word) != 0)
		found++;
	if (found == count || depth == 2)
		return pw_config_refuse_unknown(reading, key_node, key, word);
	snprintf(key, sizeof(key), "%s%s.", prefix, word); /* fits: a key of the table is longer */
	return read_mapping(reading, key, value, depth + 1);
}

/* A mapping whose keys lie behind prefix: settings, or one more level of mapping ("rules", "rules.PW-G08"). */
static int read_mapping(struct pw_config_reading *reading, const char *prefix, const struct pw_yaml_node *node,
			int depth)
{
	const struct pw_yaml_node *key, *value;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_MAPPING)
		return pw_yaml_refuse(reading->yaml, node, "%.*s must be a mapping of keys to values",
				      *prefix ? (int)strlen(prefix) - 1 : 8, *prefix ? prefix : "the file");
	for (size_t i = 0; !r && pw_yaml_pair(reading->yaml, node, i, &key, &value); i++)
		r = read_pair(reading, prefix, key, value, depth);
	return r;
}

PW_DEFINE_CLEANUP(struct pw_yaml *, pw_yaml_free);
PW_DEFINE_CLEANUP(struct pw_policy *, pw_policy_unref);

/* Only of the keys that are named, unless there are none; *ret_read: how many there were. */
static int read_root(struct pw_config_reading *reading, const struct pw_yaml_node *root, const char *const *keys,
		     size_t key_count, size_t *ret_read)
{
	const struct pw_yaml_node *key, *value;
	int r = 0;

	*ret_read = 0;
	if (!root)
		return 0;
	if (!key_count || pw_yaml_kind(root) != PW_YAML_MAPPING)
		return read_mapping(reading, "", root, 0);
	for (size_t i = 0; !r && pw_yaml_pair(reading->yaml, root, i, &key, &value); i++) {
		const char *word = pw_yaml_text(reading->yaml, key, "a key");

		if (!word)
			return -EINVAL;
		for (size_t j = 0; j < key_count && !r; j++) {
			if (strcmp(keys[j], word) != 0)
				continue;
			r = read_pair(reading, "", key, value, 0);
			++*ret_read;
		}
	}
	return r;
}

int pw_config_read_tree(struct pw_config *config, struct pw_yaml *yaml, const char *name, const char *const *keys,
			size_t key_count, struct pw_why *reterr_why)
{
	_cleanup_(pw_policy_unrefp) struct pw_policy *policy = NULL;
	struct pw_config copy;
	struct pw_config_reading reading = {.config = &copy, .yaml = yaml};
	size_t read = 0;
	int r = pw_policy_new(&policy);

	if (r < 0)
		return r;
	r = pw_config_copy(&copy, config);
	if (r < 0)
		return r;
	reading.policy = policy;
	r = read_root(&reading, pw_yaml_root(yaml), keys, key_count, &read);
	if (r >= 0 && !reading.without_shipped)
		r = pw_policy_add_shipped(policy);
	if (r == -E2BIG)
		r = pw_why_set(reterr_why, -EINVAL, "%s: no room for the shipped benign list: at most %d entries", name,
			       PW_BENIGN_MAX);
	if (r < 0) {
		pw_config_done(&copy);
		return r;
	}
	pw_policy_unref(copy.policy);
	copy.policy = TAKE_PTR(policy);
	pw_config_done(config);
	*config = copy;
	return (int)PW_MIN(read, (size_t)INT32_MAX);
}

int pw_config_read_text(struct pw_config *config, const char *name, const char *text, size_t size,
			struct pw_why *reterr_why)
{
	_cleanup_(pw_yaml_freep) struct pw_yaml *yaml = NULL;
	int r = pw_yaml_new(&yaml, name, text, size, reterr_why);

	return r < 0 ? r : pw_config_read_tree(config, yaml, name, NULL, 0, reterr_why);
}

int pw_config_read_file(struct pw_config *config, const char *path, struct pw_why *reterr_why)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_CONFIG_BYTES_MAX);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	char chunk[4096];
	ssize_t n;
	int r;

	if (fd < 0)
		return pw_why_set(reterr_why, -errno, "cannot read configuration '%s': %s", path, strerror(errno));
	if (fstat(fd, &status) < 0 || S_ISDIR(status.st_mode))
		return pw_why_set(reterr_why, -EINVAL, "cannot read configuration '%s': it is a directory", path);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		if (pw_buf_append(&text, chunk, (size_t)n) < 0)
			return pw_why_set(reterr_why, -EINVAL, "configuration '%s' is larger than %u bytes", path,
					  PW_CONFIG_BYTES_MAX);
	if (n < 0)
		return pw_why_set(reterr_why, -errno, "cannot read configuration '%s': %s", path, strerror(errno));
	r = pw_config_read_text(config, path, pw_buf_text(&text), text.size, reterr_why);
	if (r >= 0)
		snprintf(config->path, sizeof(config->path), "%s", path);
	return r;
}
