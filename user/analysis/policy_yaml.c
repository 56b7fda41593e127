/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/benign.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/utf8.h"

/* Rules and policy as a recording holds them. Texts came from YAML, so they are UTF-8. */

/* In double quotes, in which all that is not plain ASCII is escaped: line separators would be folded. */
static void put_text(struct pw_buf *buf, const char *text)
{
	size_t left = strlen(text), length;
	uint32_t code;

	pw_buf_putc(buf, '"');
	for (; left && (length = pw_utf8_next(text, left, &code)); text += length, left -= length) {
		if (code == '"' || code == '\\')
			pw_buf_printf(buf, "\\%c", (char)code);
		else if (code >= 0x20 && code < 0x7f)
			pw_buf_putc(buf, (char)code);
		else
			pw_buf_printf(buf, "\\U%08" PRIX32, code);
	}
	pw_buf_putc(buf, '"');
}

static void put_key(struct pw_buf *buf, int indent, const char *key, const char *text)
{
	if (!*text)
		return;
	pw_buf_printf(buf, "%*s%s: ", indent, "", key);
	put_text(buf, text);
	pw_buf_putc(buf, '\n');
}

static void put_parameter(struct pw_buf *buf, int indent, const struct pw_rule_parameter *parameter, const void *at)
{
	pw_buf_printf(buf, "%*s%s: ", indent, "", parameter->name);
	pw_rule_parameter_text(parameter->type, at, buf);
	pw_buf_putc(buf, '\n');
}

static void put_note(struct pw_buf *buf, int indent, const struct pw_rule_notes *notes, const struct pw_rule *rule)
{
	for (size_t i = 0; notes && i < notes->count; i++) {
		const struct pw_rule_note *note = &notes->items[i];

		if (note->rule != rule)
			continue;
		if (note->level != PW_LEVEL_AS_FOUND)
			put_key(buf, indent, "level", pw_alert_level_name((enum pw_alert_level)note->level));
		put_key(buf, indent, "owner", note->owner);
		put_key(buf, indent, "runbook", note->runbook);
	}
}

static bool says_of(const struct pw_policy_service *service, const struct pw_rule *rule)
{
	for (size_t i = 0; i < service->override_count; i++)
		if (service->overrides[i].rule == rule)
			return true;
	for (size_t i = 0; i < service->notes.count; i++)
		if (service->notes.items[i].rule == rule)
			return true;
	return false;
}

static void put_service(struct pw_buf *buf, const struct pw_policy_service *service)
{
	size_t rule_count;
	const struct pw_rule *const *rules = pw_rules(&rule_count);

	pw_buf_puts(buf, "  ");
	put_text(buf, service->pattern);
	pw_buf_puts(buf, ":\n");
	put_key(buf, 4, "owner", service->owner);
	put_key(buf, 4, "runbook", service->runbook);
	pw_buf_puts(buf, "    rules:\n");
	for (size_t i = 0; i < rule_count; i++) {
		if (!says_of(service, rules[i]))
			continue;
		pw_buf_printf(buf, "      %s:\n", rules[i]->id);
		for (size_t j = 0; j < service->override_count; j++)
			if (service->overrides[j].rule == rules[i])
				put_parameter(buf, 8, service->overrides[j].parameter, service->overrides[j].value);
		put_note(buf, 8, &service->notes, rules[i]);
	}
}

static void put_benign(struct pw_buf *buf, const struct pw_benign *entry)
{
	pw_buf_printf(buf, "- max: %" PRIu64 "\n", entry->max);
	put_key(buf, 2, "created", entry->created);
	put_key(buf, 2, "blocked", entry->blocked);
	put_key(buf, 2, "reason", entry->reason);
	put_key(buf, 2, "expires", entry->expires);
	put_key(buf, 2, "shipped", entry->shipped);
}

int pw_policy_to_yaml(const struct pw_rules_config *config, const struct pw_policy *policy, struct pw_buf *buf)
{
	size_t rule_count, alert_count;
	const struct pw_rule *const *rules = pw_rules(&rule_count);
	const struct pw_rule_parameter *alerts = pw_alert_parameters(&alert_count);

	pw_buf_puts(buf, "alerts:\n");
	for (size_t i = 0; i < alert_count; i++)
		put_parameter(buf, 2, &alerts[i], (const char *)config + alerts[i].offset);
	pw_buf_puts(buf, "rules:\n");
	for (size_t i = 0; i < rule_count; i++) {
		pw_buf_printf(buf, "  %s:\n", rules[i]->id);
		for (size_t j = 0; j < rules[i]->parameter_count; j++)
			put_parameter(buf, 4, &rules[i]->parameters[j],
				      (const char *)config + rules[i]->parameters[j].offset);
		put_note(buf, 4, policy ? &policy->notes : NULL, rules[i]);
	}
	if (policy && policy->service_count)
		pw_buf_puts(buf, "services:\n");
	for (size_t i = 0; policy && i < policy->service_count; i++)
		put_service(buf, &policy->services[i]);
	pw_buf_puts(buf, "benign_shipped: no\n"); /* they are listed */
	if (policy && policy->benign_count)
		pw_buf_puts(buf, "benign:\n");
	for (size_t i = 0; policy && i < policy->benign_count; i++)
		put_benign(buf, &policy->benign[i]);
	return pw_buf_error(buf);
}
