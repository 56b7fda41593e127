/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cmd/config.h"
#include "cmd/config_settings.h"
#include "output/webhook.h"

/* Configuration as text: what check-config shows. */

static void source_text(const struct pw_config *config, size_t index, char *text, size_t size)
{
	if (config->source[index] == PW_SOURCE_FILE)
		snprintf(text, size, "file %s:%u", config->path, config->line[index]);
	else
		snprintf(text, size, "%s", pw_config_source_name(config->source[index]));
}

static void print_list(const struct pw_config *config, const char *key, const struct pw_config_list *list,
		       struct pw_buf *out)
{
	if (!list->count)
		pw_buf_printf(out, "%-32s %-24s default\n", key, "(none)");
	for (size_t i = 0; i < list->count; i++) {
		struct pw_buf value = PW_BUF_INIT(8192);

		pw_buf_escaped(&value, list->items[i].pattern, strlen(list->items[i].pattern));
		if (list->items[i].value[0]) {
			pw_buf_puts(&value, " = ");
			pw_buf_escaped(&value, list->items[i].value, strlen(list->items[i].value));
		}
		pw_buf_printf(out, "%-32s %-24s file %s:%u\n", key, pw_buf_text(&value), config->path,
			      list->items[i].line);
		pw_buf_done(&value);
	}
}

/* Receivers by their names, which leave out what in a URL may be secret; the command with its arguments. */
static void sink_text(const struct pw_config *config, size_t index, struct pw_buf *out)
{
	char name[96];

	if (index < config->sinks.webhook_count) {
		pw_webhook_name(&config->sinks.webhooks[index], name, sizeof(name));
		pw_buf_escaped(out, name, strlen(name));
		return;
	}
	for (size_t i = 0; i < config->sinks.exec_count; i++) {
		pw_buf_puts(out, i ? " " : "");
		pw_buf_escaped(out, config->sinks.exec[i], strlen(config->sinks.exec[i]));
	}
}

static void print_sinks(const struct pw_config *config, struct pw_buf *out)
{
	for (size_t i = 0; i <= config->sinks.webhook_count; i++) {
		_cleanup_buf_ struct pw_buf value = PW_BUF_INIT(8192);
		bool webhook = i < config->sinks.webhook_count;

		sink_text(config, i, &value);
		if (webhook || config->sinks.exec_count)
			pw_buf_printf(out, "%-32s %-24s file %s\n", webhook ? "alerts.webhooks" : "alerts.exec",
				      pw_buf_text(&value), config->path);
		else
			pw_buf_printf(out, "%-32s %-24s default\n", "alerts.exec", "(none)");
	}
	if (!config->sinks.webhook_count)
		pw_buf_printf(out, "%-32s %-24s default\n", "alerts.webhooks", "(none)");
}

void pw_config_print(const struct pw_config *config, struct pw_buf *out)
{
	struct pw_setting setting;
	char value[PW_CONFIG_TEXT_MAX], source[PW_CONFIG_TEXT_MAX + 32];

	for (size_t i = 0; pw_setting_at(i, &setting); i++) {
		pw_setting_text(config, &setting, value, sizeof(value));
		source_text(config, i, source, sizeof(source));
		pw_buf_printf(out, "%-32s %-24s %s\n", setting.key, value, source);
	}
	print_list(config, "include", &config->include, out);
	print_list(config, "exclude", &config->exclude, out);
	print_list(config, "services", &config->services, out);
	print_sinks(config, out);
}

static void json_list(const char *key, const struct pw_config_list *list, bool names, struct pw_json *json)
{
	pw_json_object(json);
	pw_json_key_str(json, "key", key);
	pw_json_key_array(json, "value");
	for (size_t i = 0; i < list->count; i++) {
		if (!names) {
			pw_json_str(json, list->items[i].pattern);
			continue;
		}
		pw_json_object(json);
		pw_json_key_str(json, "pattern", list->items[i].pattern);
		pw_json_key_str(json, "name", list->items[i].value);
		pw_json_end(json);
	}
	pw_json_end(json);
	pw_json_key_str(json, "source", pw_config_source_name(list->source));
	pw_json_end(json);
}

static void json_sinks(const struct pw_config *config, struct pw_json *json)
{
	const struct pw_sinks_config *sinks = &config->sinks;

	pw_json_object(json);
	pw_json_key_str(json, "key", "alerts.webhooks");
	pw_json_key_array(json, "value");
	for (size_t i = 0; i < sinks->webhook_count; i++) {
		_cleanup_buf_ struct pw_buf value = PW_BUF_INIT(8192);

		sink_text(config, i, &value);
		pw_json_str(json, pw_buf_text(&value));
	}
	pw_json_end(json);
	pw_json_key_str(json, "source",
			pw_config_source_name(sinks->webhook_count ? PW_SOURCE_FILE : PW_SOURCE_DEFAULT));
	pw_json_end(json);
	pw_json_object(json);
	pw_json_key_str(json, "key", "alerts.exec");
	pw_json_key_array(json, "value");
	for (size_t i = 0; i < sinks->exec_count; i++)
		pw_json_str(json, sinks->exec[i]);
	pw_json_end(json);
	pw_json_key_str(json, "source", pw_config_source_name(sinks->exec_count ? PW_SOURCE_FILE : PW_SOURCE_DEFAULT));
	pw_json_end(json);
}

void pw_config_print_json(const struct pw_config *config, struct pw_buf *out)
{
	struct pw_json json = pw_json_init(out, true);
	int r;
	struct pw_setting setting;
	char value[PW_CONFIG_TEXT_MAX];

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", 1);
	pw_json_key_str(&json, "file", config->path);
	pw_json_key_array(&json, "settings");
	for (size_t i = 0; pw_setting_at(i, &setting); i++) {
		pw_setting_text(config, &setting, value, sizeof(value));
		pw_json_object(&json);
		pw_json_key_str(&json, "key", setting.key);
		pw_json_key_str(&json, "value", value);
		pw_json_key_str(&json, "source", pw_config_source_name(config->source[i]));
		if (config->source[i] == PW_SOURCE_FILE)
			pw_json_key_u64(&json, "line", config->line[i]);
		pw_json_end(&json);
	}
	json_list("include", &config->include, false, &json);
	json_list("exclude", &config->exclude, false, &json);
	json_list("services", &config->services, true, &json);
	json_sinks(config, &json);
	pw_json_end(&json);
	pw_json_end(&json);
	r = pw_json_finish(&json);
	if (r < 0 && !out->error)
		out->error = r;
}
