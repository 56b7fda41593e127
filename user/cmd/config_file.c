/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "cmd/config.h"
#include "cmd/config_settings.h"

/*
 * The YAML file; the only file that knows libyaml. The document is loaded as a tree and walked by our schema only,
 * three levels deep, so that anchors and aliases cost nothing and cannot loop. Every error says file:line:column.
 * Nothing of the file is in force before all of it was right: it is read into a copy.
 */
#define KEY_MAX 128

struct reading {
	const char *name; /* of the file, for messages */
	yaml_document_t *document;
	struct pw_config *config;
	bool seen[PW_SETTINGS_MAX];
	struct pw_why *why;
};

static int refuse(struct reading *reading, const yaml_mark_t *mark, const char *fmt, ...) pw_printf_like(3, 4);
static int refuse(struct reading *reading, const yaml_mark_t *mark, const char *fmt, ...)
{
	char text[PW_WHY_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return pw_why_set(reading->why, -EINVAL, "%s:%zu:%zu: %s", reading->name, mark->line + 1, mark->column + 1,
			  text);
}

/* What may stand behind prefix ("", "rules.", "rules.PW-G08.") as candidates for a suggestion. */
static size_t candidates(const char *prefix, char (*words)[KEY_MAX], size_t max)
{
	static const char *const lists[] = {"include", "exclude", "services", "alerts.exec", "alerts.webhooks"};
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
	return found;
}

int pw_config_unknown_key(const char *key, const char *shown, struct pw_why *reterr_why)
{
	char words[PW_SETTINGS_MAX + 5][KEY_MAX], prefix[KEY_MAX];
	const char *list[PW_SETTINGS_MAX + 5], *dot = strrchr(key, '.'), *near;
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

/* The text of a scalar; NULL (and the error said) if the node is something else or holds a NUL. */
static const char *scalar(struct reading *reading, const yaml_node_t *node, const char *what)
{
	const char *text;

	if (!node || node->type != YAML_SCALAR_NODE) {
		refuse(reading, node ? &node->start_mark : &(yaml_mark_t){0}, "%s must be a single value", what);
		return NULL;
	}
	text = (const char *)node->data.scalar.value;
	if (strlen(text) != node->data.scalar.length) {
		refuse(reading, &node->start_mark, "%s holds a NUL byte", what);
		return NULL;
	}
	return text;
}

static int unknown(struct reading *reading, const yaml_node_t *key_node, const char *full, const char *shown)
{
	struct pw_why why = {0};

	pw_config_unknown_key(full, shown, &why);
	return refuse(reading, &key_node->start_mark, "%s", why.text);
}

static int read_setting(struct reading *reading, const char *key, size_t index, const yaml_node_t *key_node,
			const yaml_node_t *node)
{
	struct pw_why why = {0};
	const char *value;

	if (reading->seen[index])
		return refuse(reading, &key_node->start_mark, "%s is given twice", key);
	reading->seen[index] = true;
	value = scalar(reading, node, key);
	if (!value)
		return -EINVAL;
	/* An empty value ("record:") means the default, as in the commented sample. */
	if (!*value && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return 0;
	if (pw_config_set(reading->config, key, value, PW_SOURCE_FILE, &why) < 0)
		return refuse(reading, &node->start_mark, "%s", why.text);
	reading->config->line[index] = (uint32_t)(key_node->start_mark.line + 1);
	return 0;
}

static int list_add(struct reading *reading, struct pw_config_list *list, const yaml_node_t *at, const char *pattern,
		    const char *value)
{
	struct pw_config_pattern *grown;

	if (list->count == PW_CONFIG_LIST_MAX)
		return refuse(reading, &at->start_mark, "more than %d entries", PW_CONFIG_LIST_MAX);
	if (!*pattern || strlen(pattern) >= PW_CONFIG_TEXT_MAX || strlen(value) >= PW_CONFIG_TEXT_MAX)
		return refuse(reading, &at->start_mark, "a pattern must have 1 to %d bytes", PW_CONFIG_TEXT_MAX - 1);
	grown = reallocarray(list->items, list->count + 1, sizeof(*list->items));
	if (!grown)
		return -ENOMEM;
	list->items = grown;
	grown[list->count] = (struct pw_config_pattern){.line = (uint32_t)(at->start_mark.line + 1)};
	memcpy(grown[list->count].pattern, pattern, strlen(pattern) + 1);
	memcpy(grown[list->count].value, value, strlen(value) + 1);
	list->count++;
	list->source = PW_SOURCE_FILE;
	return 0;
}

static bool is_empty(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE && !node->data.scalar.length;
}

/* include, exclude: one glob or a list of them. */
static int read_globs(struct reading *reading, const char *key, const yaml_node_t *node, struct pw_config_list *list)
{
	const char *text;
	int r = 0;

	if (is_empty(node))
		return 0;
	if (node->type == YAML_SCALAR_NODE) {
		text = scalar(reading, node, key);
		return text ? list_add(reading, list, node, text, "") : -EINVAL;
	}
	if (node->type != YAML_SEQUENCE_NODE)
		return refuse(reading, &node->start_mark, "%s must be a list of patterns", key);
	for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top && !r;
	     item++) {
		const yaml_node_t *entry = yaml_document_get_node(reading->document, *item);

		text = scalar(reading, entry, "a pattern");
		r = text ? list_add(reading, list, entry, text, "") : -EINVAL;
	}
	return r;
}

/* services: pattern: name. */
static int read_services(struct reading *reading, const yaml_node_t *node)
{
	int r = 0;

	if (is_empty(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return refuse(reading, &node->start_mark, "services must be a mapping of patterns to names");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top && !r;
	     pair++) {
		const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
		const char *pattern = scalar(reading, key, "a pattern");
		const char *name = pattern ? scalar(reading, yaml_document_get_node(reading->document, pair->value),
						    "a service name")
					   : NULL;

		r = name ? list_add(reading, &reading->config->services, key, pattern, name) : -EINVAL;
	}
	return r;
}

/* alerts.exec: a path and its arguments. */
static int read_exec(struct reading *reading, const yaml_node_t *node)
{
	struct pw_sinks_config *sinks = &reading->config->sinks;
	size_t count = 0;

	if (is_empty(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return refuse(reading, &node->start_mark, "alerts.exec must be a list: a path and its arguments");
	for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		const yaml_node_t *entry = yaml_document_get_node(reading->document, *item);
		const char *text = scalar(reading, entry, "an argument");

		if (!text)
			return -EINVAL;
		if (count == PW_SINK_ARGUMENTS_MAX || strlen(text) >= PW_SINK_TEXT_MAX)
			return refuse(reading, &entry->start_mark, "at most %d arguments of %d bytes",
				      PW_SINK_ARGUMENTS_MAX - 1, PW_SINK_TEXT_MAX - 1);
		if (!count && *text != '/')
			return refuse(reading, &entry->start_mark, "alerts.exec must begin with an absolute path");
		memcpy(sinks->exec[count++], text, strlen(text) + 1);
	}
	sinks->exec_count = count;
	return 0;
}

/* One key of a webhook: 0, or refused. */
static int read_webhook_key(struct reading *reading, struct pw_webhook_config *webhook, const yaml_node_t *key_node,
			    const char *key, const yaml_node_t *node)
{
	static const char *const keys[] = {"url", "format", "timeout", "ca", "certificate", "key", "token_file"};
	char *const paths[] = {NULL, NULL, NULL, webhook->ca, webhook->certificate, webhook->key, webhook->token_file};
	const char *text = scalar(reading, node, key), *near;
	size_t index = 0;

	if (!text)
		return -EINVAL;
	while (index < ARRAY_SIZE(keys) && strcmp(keys[index], key) != 0)
		index++;
	if (index == ARRAY_SIZE(keys)) {
		near = pw_suggest(key, keys, ARRAY_SIZE(keys));
		return refuse(reading, &key_node->start_mark,
			      near ? "unknown key '%s': did you mean '%s'?" : "unknown key '%s'", key, near);
	}
	if (index >= 3) {
		if (strlen(text) >= PW_SINK_TEXT_MAX || *text != '/')
			return refuse(reading, &node->start_mark, "%s must be an absolute path of at most %d bytes",
				      key, PW_SINK_TEXT_MAX - 1);
		memcpy(paths[index], text, strlen(text) + 1);
	} else if (index == 0) {
		if ((strncmp(text, "http://", 7) && strncmp(text, "https://", 8)) ||
		    strlen(text) >= sizeof(webhook->url))
			return refuse(reading, &node->start_mark, "url must begin with http:// or https://");
		memcpy(webhook->url, text, strlen(text) + 1);
	} else if (index == 1) {
		if (strcmp(text, "alertmanager") != 0 && strcmp(text, "json") != 0)
			return refuse(reading, &node->start_mark, "format must be alertmanager or json");
		webhook->format = strcmp(text, "json") ? PW_WEBHOOK_ALERTMANAGER : PW_WEBHOOK_JSON;
	} else if (pw_parse_duration(text, &webhook->timeout_ns) < 0 || webhook->timeout_ns < 100 * PW_NS_PER_MS ||
		   webhook->timeout_ns > 30 * PW_NS_PER_SEC) {
		return refuse(reading, &node->start_mark, "timeout must be a duration from 100ms to 30s");
	}
	return 0;
}

static int read_webhook(struct reading *reading, const yaml_node_t *node, struct pw_webhook_config *webhook)
{
	*webhook = (struct pw_webhook_config){.timeout_ns = 5 * PW_NS_PER_SEC};
	if (node->type != YAML_MAPPING_NODE)
		return refuse(reading, &node->start_mark, "a webhook must be a mapping with url and format");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key_node = yaml_document_get_node(reading->document, pair->key);
		const char *key = scalar(reading, key_node, "a key");

		if (!key || read_webhook_key(reading, webhook, key_node, key,
					     yaml_document_get_node(reading->document, pair->value)) < 0)
			return -EINVAL;
	}
	return *webhook->url ? 0 : refuse(reading, &node->start_mark, "a webhook needs a url");
}

/* alerts.webhooks: a list of receivers. */
static int read_webhooks(struct reading *reading, const yaml_node_t *node)
{
	struct pw_sinks_config *sinks = &reading->config->sinks;
	size_t count = 0;
	int r = 0;

	if (is_empty(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return refuse(reading, &node->start_mark, "alerts.webhooks must be a list");
	for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top && !r;
	     item++) {
		const yaml_node_t *entry = yaml_document_get_node(reading->document, *item);

		if (count == PW_WEBHOOKS_MAX)
			return refuse(reading, &entry->start_mark, "more than %d webhooks", PW_WEBHOOKS_MAX);
		r = read_webhook(reading, entry, &sinks->webhooks[count++]);
		for (size_t i = 0; !r && i + 1 < count; i++)
			if (!strcmp(sinks->webhooks[i].url, sinks->webhooks[count - 1].url))
				r = refuse(reading, &entry->start_mark, "the same url twice");
	}
	sinks->webhook_count = count;
	return r;
}

/* A mapping whose keys lie behind prefix: settings, or one more level of mapping ("rules", "rules.PW-G08"). */
static int read_mapping(struct reading *reading, const char *prefix, const yaml_node_t *node, int depth)
{
	char words[PW_SETTINGS_MAX + 5][KEY_MAX], key[KEY_MAX];
	struct pw_setting setting;
	int r = 0;

	if (is_empty(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return refuse(reading, &node->start_mark, "%.*s must be a mapping of keys to values",
			      *prefix ? (int)strlen(prefix) - 1 : 8, *prefix ? prefix : "the file");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top && !r;
	     pair++) {
		const yaml_node_t *key_node = yaml_document_get_node(reading->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(reading->document, pair->value);
		const char *word = scalar(reading, key_node, "a key");
		size_t count, found;

		if (!word || !value)
			return -EINVAL;
		if (snprintf(key, sizeof(key), "%s%s", prefix, word) >= (int)sizeof(key) || strchr(word, '.'))
			return unknown(reading, key_node, word, word);
		if (pw_setting_find(key, &setting)) {
			r = read_setting(reading, key, setting.index, key_node, value);
			continue;
		}
		if (!*prefix && !strcmp(word, "include"))
			r = read_globs(reading, word, value, &reading->config->include);
		else if (!*prefix && !strcmp(word, "exclude"))
			r = read_globs(reading, word, value, &reading->config->exclude);
		else if (!*prefix && !strcmp(word, "services"))
			r = read_services(reading, value);
		else if (!strcmp(key, "alerts.exec"))
			r = read_exec(reading, value);
		else if (!strcmp(key, "alerts.webhooks"))
			r = read_webhooks(reading, value);
		else {
			count = candidates(prefix, words, ARRAY_SIZE(words));
			for (found = 0; found < count && strcmp(words[found], word); found++)
				;
			if (found == count || depth == 2)
				return unknown(reading, key_node, key, word);
			snprintf(key, sizeof(key), "%s%s.", prefix, word); /* fits: a key of the table is longer */
			r = read_mapping(reading, key, value, depth + 1);
		}
	}
	return r;
}

static int read_document(struct reading *reading, yaml_parser_t *parser)
{
	yaml_document_t document, second;
	const yaml_node_t *root;
	int r = 0;

	if (!yaml_parser_load(parser, &document))
		return pw_why_set(reading->why, -EINVAL, "%s:%zu:%zu: %s", reading->name, parser->problem_mark.line + 1,
				  parser->problem_mark.column + 1,
				  parser->problem ? parser->problem : "not valid YAML");
	reading->document = &document;
	root = yaml_document_get_root_node(&document);
	if (root)
		r = read_mapping(reading, "", root, 0);
	if (root && r >= 0) {
		if (!yaml_parser_load(parser, &second)) {
			r = pw_why_set(reading->why, -EINVAL, "%s:%zu:%zu: %s", reading->name,
				       parser->problem_mark.line + 1, parser->problem_mark.column + 1,
				       parser->problem ? parser->problem : "not valid YAML");
		} else {
			root = yaml_document_get_root_node(&second);
			if (root)
				r = refuse(reading, &root->start_mark, "a second document: only one is read");
			yaml_document_delete(&second);
		}
	}
	yaml_document_delete(&document);
	reading->document = NULL;
	return r;
}

int pw_config_read_text(struct pw_config *config, const char *name, const char *text, size_t size,
			struct pw_why *reterr_why)
{
	struct pw_config copy;
	struct reading reading = {.name = name, .config = &copy, .why = reterr_why};
	yaml_parser_t parser;
	int r;

	r = pw_config_copy(&copy, config);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&parser)) {
		pw_config_done(&copy);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	r = read_document(&reading, &parser);
	yaml_parser_delete(&parser);
	if (r < 0) {
		pw_config_done(&copy);
		return r;
	}
	pw_config_done(config);
	*config = copy;
	return 0;
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
