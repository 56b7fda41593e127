/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/policy.h"

#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/benign.h"
#include "base/macros.h"
#include "base/parse.h"

int pw_policy_new(struct pw_policy **ret_policy)
{
	struct pw_policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	policy->references = 1;
	*ret_policy = policy;
	return 0;
}

struct pw_policy *pw_policy_ref(struct pw_policy *policy)
{
	if (policy)
		policy->references++;
	return policy;
}

void pw_policy_unref(struct pw_policy *policy)
{
	if (!policy || --policy->references)
		return;
	for (size_t i = 0; i < policy->service_count; i++) {
		free(policy->services[i].notes.items);
		free(policy->services[i].overrides);
	}
	for (size_t i = 0; i < policy->benign_count; i++)
		pw_benign_done(&policy->benign[i]);
	free(policy->benign);
	free(policy->services);
	free(policy->notes.items);
	free(policy);
}

int pw_policy_add_service(struct pw_policy *policy, const char *pattern, struct pw_policy_service **ret_service)
{
	struct pw_policy_service *grown, *service;

	if (policy->service_count == PW_POLICY_SERVICES_MAX || strlen(pattern) >= PW_POLICY_PATTERN_SIZE)
		return -E2BIG;
	grown = reallocarray(policy->services, policy->service_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	policy->services = grown;
	service = &grown[policy->service_count++];
	*service = (struct pw_policy_service){0};
	memcpy(service->pattern, pattern, strlen(pattern) + 1);
	*ret_service = service;
	return 0;
}

int pw_policy_override(struct pw_policy_service *service, const struct pw_rule_override *override)
{
	struct pw_rule_override *grown;

	if (service->override_count == PW_POLICY_OVERRIDES_MAX)
		return -E2BIG;
	grown = reallocarray(service->overrides, service->override_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	service->overrides = grown;
	grown[service->override_count++] = *override;
	return 0;
}

static const struct pw_rule_note *note_on(const struct pw_rule_notes *notes, const char *rule)
{
	for (size_t i = 0; i < notes->count; i++)
		if (!strcmp(notes->items[i].rule->id, rule))
			return &notes->items[i];
	return NULL;
}

int pw_rule_notes_at(struct pw_rule_notes *notes, const struct pw_rule *rule, struct pw_rule_note **ret_note)
{
	struct pw_rule_note *grown;

	for (size_t i = 0; i < notes->count; i++) {
		if (notes->items[i].rule != rule)
			continue;
		*ret_note = &notes->items[i];
		return 0;
	}
	grown = reallocarray(notes->items, notes->count + 1, sizeof(*grown)); /* one for each rule at most */
	if (!grown)
		return -ENOMEM;
	notes->items = grown;
	grown[notes->count] = (struct pw_rule_note){.rule = rule, .level = PW_LEVEL_AS_FOUND};
	*ret_note = &grown[notes->count++];
	return 0;
}

const struct pw_policy_service *pw_policy_find(const struct pw_policy *policy, const char *service)
{
	for (size_t i = 0; policy && i < policy->service_count; i++)
		if (pw_glob_match(policy->services[i].pattern, service))
			return &policy->services[i];
	return NULL;
}

void pw_policy_rules(const struct pw_policy_service *service, const struct pw_rules_config *rules,
		     struct pw_rules_config *ret_rules)
{
	memcpy(ret_rules, rules, sizeof(*rules)); /* padding too, as it is compared */
	for (size_t i = 0; service && i < service->override_count; i++) {
		const struct pw_rule_override *override = &service->overrides[i];

		memcpy((char *)ret_rules + override->parameter->offset, override->value,
		       pw_rule_parameter_size(override->parameter->type));
	}
}

static void take_note(const struct pw_rule_note *note, struct pw_alert *alert, bool *has_level)
{
	if (!note)
		return;
	if (note->level != PW_LEVEL_AS_FOUND && !*has_level) {
		alert->level = (enum pw_alert_level)note->level;
		*has_level = true;
	}
	if (!*alert->owner)
		memcpy(alert->owner, note->owner, sizeof(alert->owner));
	if (!*alert->runbook)
		memcpy(alert->runbook, note->runbook, sizeof(alert->runbook));
}

void pw_policy_note(const struct pw_policy *policy, const struct pw_policy_service *service, struct pw_alert *alert)
{
	bool has_level = false;

	alert->owner[0] = alert->runbook[0] = '\0';
	if (service) {
		struct pw_rule_note note = {.level = PW_LEVEL_AS_FOUND}; /* what it says of all rules */

		take_note(note_on(&service->notes, alert->rule), alert, &has_level);
		memcpy(note.owner, service->owner, sizeof(note.owner));
		memcpy(note.runbook, service->runbook, sizeof(note.runbook));
		take_note(&note, alert, &has_level);
	}
	if (policy)
		take_note(note_on(&policy->notes, alert->rule), alert, &has_level);
}
