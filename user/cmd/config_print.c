/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/benign.h"
#include "analysis/detector.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
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

/* As the other settings are printed. */
static void override_text(const struct pw_rule_override *override, struct pw_buf *out)
{
	if (override->parameter->type == PW_PARAMETER_BOOL)
		pw_buf_puts(out, override->value[0] ? "yes" : "no");
	else
		pw_rule_parameter_text(override->parameter->type, override->value, out);
}

/* A text of the file; line 0: it is not known where. */
static void print_row(const struct pw_config *config, const char *key, const char *text, uint32_t line,
		      struct pw_buf *out)
{
	_cleanup_buf_ struct pw_buf value = PW_BUF_INIT(8192);

	if (!*text)
		return;
	pw_buf_escaped(&value, text, strlen(text));
	pw_buf_printf(out, "%-32s %-24s file %s", key, pw_buf_text(&value), config->path);
	if (line)
		pw_buf_printf(out, ":%u", line);
	pw_buf_putc(out, '\n');
}

static void print_notes(const struct pw_config *config, const char *prefix, const struct pw_rule_notes *notes,
			struct pw_buf *out)
{
	for (size_t i = 0; i < notes->count; i++) {
		const struct pw_rule_note *note = &notes->items[i];
		const struct {
			const char *name, *text;
		} rows[] = {{"level", note->level == PW_LEVEL_AS_FOUND
					      ? ""
					      : pw_alert_level_name((enum pw_alert_level)note->level)},
			    {"owner", note->owner},
			    {"runbook", note->runbook}};

		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			char key[PW_CONFIG_TEXT_MAX * 2];

			snprintf(key, sizeof(key), "%srules.%s.%s", prefix, note->rule->id, rows[j].name);
			print_row(config, key, rows[j].text, 0, out);
		}
	}
}

static void print_service(const struct pw_config *config, const struct pw_policy_service *service, struct pw_buf *out)
{
	_cleanup_buf_ struct pw_buf prefix = PW_BUF_INIT(4096), key = PW_BUF_INIT(8192), text = PW_BUF_INIT(256);

	pw_buf_puts(&prefix, "services.");
	pw_buf_escaped(&prefix, service->pattern, strlen(service->pattern));
	pw_buf_putc(&prefix, '.');
	pw_buf_printf(&key, "%sowner", pw_buf_text(&prefix));
	print_row(config, pw_buf_text(&key), service->owner, service->line, out);
	pw_buf_reset(&key);
	pw_buf_printf(&key, "%srunbook", pw_buf_text(&prefix));
	print_row(config, pw_buf_text(&key), service->runbook, service->line, out);
	for (size_t i = 0; i < service->override_count; i++) {
		const struct pw_rule_override *override = &service->overrides[i];

		pw_buf_reset(&key);
		pw_buf_reset(&text);
		pw_buf_printf(&key, "%srules.%s.%s", pw_buf_text(&prefix), override->rule->id,
			      override->parameter->name);
		override_text(override, &text);
		print_row(config, pw_buf_text(&key), pw_buf_text(&text), override->line, out);
	}
	print_notes(config, pw_buf_text(&prefix), &service->notes, out);
}

static void print_benign(const struct pw_config *config, const struct pw_benign *entry, struct pw_buf *out)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(2048), value = PW_BUF_INIT(8192);

	pw_buf_printf(&text, "%s%s%s: %s, at most %" PRIu64 " until %s", entry->created, *entry->blocked ? " in " : "",
		      entry->blocked, entry->reason, entry->max, entry->expires);
	pw_buf_escaped(&value, pw_buf_text(&text), text.size);
	if (*entry->shipped)
		pw_buf_printf(out, "%-32s %-24s shipped list %s\n", "benign", pw_buf_text(&value), entry->shipped);
	else
		pw_buf_printf(out, "%-32s %-24s file %s:%u\n", "benign", pw_buf_text(&value), config->path,
			      entry->line);
}

static void print_policy(const struct pw_config *config, struct pw_buf *out)
{
	if (!config->policy)
		return;
	print_notes(config, "", &config->policy->notes, out);
	for (size_t i = 0; i < config->policy->service_count; i++)
		print_service(config, &config->policy->services[i], out);
	for (size_t i = 0; i < config->policy->benign_count; i++)
		print_benign(config, &config->policy->benign[i], out);
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
	print_policy(config, out);
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

static bool says_of(const struct pw_rule_notes *notes, const struct pw_rule_override *overrides, size_t override_count,
		    const struct pw_rule *rule)
{
	for (size_t i = 0; i < notes->count; i++)
		if (notes->items[i].rule == rule)
			return true;
	for (size_t i = 0; i < override_count; i++)
		if (overrides[i].rule == rule)
			return true;
	return false;
}

static void json_text(struct pw_json *json, const char *key, const char *text)
{
	if (*text)
		pw_json_key_str(json, key, text);
}

static void json_note(struct pw_json *json, const struct pw_rule_notes *notes, const struct pw_rule *rule)
{
	for (size_t i = 0; i < notes->count; i++) {
		if (notes->items[i].rule != rule)
			continue;
		if (notes->items[i].level != PW_LEVEL_AS_FOUND)
			pw_json_key_str(json, "level", pw_alert_level_name((enum pw_alert_level)notes->items[i].level));
		json_text(json, "owner", notes->items[i].owner);
		json_text(json, "runbook", notes->items[i].runbook);
	}
}

/* {"PW-G08": {"min_count": "500", ...}, ...}: what is said of each rule. */
static void json_rules(struct pw_json *json, const struct pw_rule_notes *notes,
		       const struct pw_rule_override *overrides, size_t override_count)
{
	size_t count;
	const struct pw_rule *const *rules = pw_rules(&count);

	pw_json_key_object(json, "rules");
	for (size_t i = 0; i < count; i++) {
		if (!says_of(notes, overrides, override_count, rules[i]))
			continue;
		pw_json_key_object(json, rules[i]->id);
		for (size_t j = 0; j < override_count; j++) {
			_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(256);

			if (overrides[j].rule != rules[i])
				continue;
			override_text(&overrides[j], &text);
			pw_json_key_str(json, overrides[j].parameter->name, pw_buf_text(&text));
		}
		json_note(json, notes, rules[i]);
		pw_json_end(json);
	}
	pw_json_end(json);
}

/* What is said of rules beside their thresholds, and by service. */
static void json_policy(const struct pw_config *config, struct pw_json *json)
{
	const struct pw_policy *policy = config->policy;

	if (!policy)
		return;
	pw_json_object(json);
	pw_json_key_str(json, "key", "rules");
	pw_json_key_object(json, "value");
	json_rules(json, &policy->notes, NULL, 0);
	pw_json_end(json);
	pw_json_end(json);
	for (size_t i = 0; i < policy->service_count; i++) {
		const struct pw_policy_service *service = &policy->services[i];

		pw_json_object(json);
		pw_json_key_str(json, "key", "services.rules");
		pw_json_key_object(json, "value");
		pw_json_key_str(json, "pattern", service->pattern);
		json_text(json, "owner", service->owner);
		json_text(json, "runbook", service->runbook);
		json_rules(json, &service->notes, service->overrides, service->override_count);
		pw_json_end(json);
		pw_json_key_str(json, "source", pw_config_source_name(PW_SOURCE_FILE));
		pw_json_key_u64(json, "line", service->line);
		pw_json_end(json);
	}
}

static void json_benign(const struct pw_config *config, struct pw_json *json)
{
	const struct pw_policy *policy = config->policy;

	pw_json_object(json);
	pw_json_key_str(json, "key", "benign");
	pw_json_key_array(json, "value");
	for (size_t i = 0; policy && i < policy->benign_count; i++) {
		const struct pw_benign *entry = &policy->benign[i];

		pw_json_object(json);
		pw_json_key_str(json, "created", entry->created);
		json_text(json, "blocked", entry->blocked);
		pw_json_key_str(json, "reason", entry->reason);
		pw_json_key_u64(json, "max", entry->max);
		pw_json_key_str(json, "expires", entry->expires);
		json_text(json, "shipped", entry->shipped);
		if (entry->line)
			pw_json_key_u64(json, "line", entry->line);
		pw_json_end(json);
	}
	pw_json_end(json);
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
	json_policy(config, &json);
	json_benign(config, &json);
	json_sinks(config, &json);
	pw_json_end(&json);
	pw_json_end(&json);
	r = pw_json_finish(&json);
	if (r < 0 && !out->error)
		out->error = r;
}
