/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_POLICY_H
#define PW_ANALYSIS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/detector.h"

struct pw_benign;
struct pw_buf;
struct pw_rules_config;
struct pw_why;

/*
 * What the configuration says beside the thresholds that hold for all: which service is judged by other ones, who owns
 * what and where its runbook is, and what is there by design (benign.h). Built once, then immutable and shared by
 * reference count; one thread. It is written into recordings whole (pw_policy_to_yaml), so that a replay judges by it.
 */
#define PW_POLICY_SERVICES_MAX	256
#define PW_POLICY_OVERRIDES_MAX 512 /* of one service: all parameters of all rules and more */
#define PW_POLICY_PATTERN_SIZE	256
#define PW_LEVEL_AS_FOUND	(-1)

struct pw_rule_note { /* what is told with the alerts of one rule */
	const struct pw_rule *rule;
	int level; /* enum pw_alert_level that all of them have, or PW_LEVEL_AS_FOUND */
	char owner[PW_ALERT_OWNER_SIZE], runbook[PW_ALERT_RUNBOOK_SIZE]; /* "": not said */
};

struct pw_rule_notes {
	struct pw_rule_note *items; /* owned */
	size_t count;
};

struct pw_rule_override { /* of one parameter */
	const struct pw_rule *rule;
	const struct pw_rule_parameter *parameter;
	uint8_t value[8]; /* as it stands in struct pw_rules_config */
	uint32_t line;
};

struct pw_policy_service {
	char pattern[PW_POLICY_PATTERN_SIZE]; /* glob on the name of the service */
	char owner[PW_ALERT_OWNER_SIZE], runbook[PW_ALERT_RUNBOOK_SIZE];
	struct pw_rule_notes notes;
	struct pw_rule_override *overrides; /* owned */
	size_t override_count;
	uint32_t line;
};

struct pw_policy {
	unsigned int references;
	struct pw_rule_notes notes;	    /* for all services */
	struct pw_policy_service *services; /* owned; the first whose pattern matches holds */
	size_t service_count;
	struct pw_benign *benign; /* owned; benign.h */
	size_t benign_count;
};

/* What of it holds for one process; looked up again when its name or the configuration changes. */
struct pw_standing {
	uint64_t generation; /* of the configuration it was looked up in */
	const struct pw_policy *policy;
	const struct pw_policy_service *of_service; /* NULL: none */
	char service[128];
};

int pw_policy_new(struct pw_policy **ret_policy) __attribute__((warn_unused_result));
struct pw_policy *pw_policy_ref(struct pw_policy *policy); /* NULL gives NULL */
void pw_policy_unref(struct pw_policy *policy);		   /* NULL is fine */

/* Building, before anybody else has a reference. -E2BIG: too many; pointers are good until the next one of its kind. */
int pw_policy_add_service(struct pw_policy *policy, const char *pattern, struct pw_policy_service **ret_service)
	__attribute__((warn_unused_result));
int pw_policy_override(struct pw_policy_service *service, const struct pw_rule_override *override)
	__attribute__((warn_unused_result));
/* The note on a rule: the one that is there, or a new one that says nothing. */
int pw_rule_notes_at(struct pw_rule_notes *notes, const struct pw_rule *rule, struct pw_rule_note **ret_note)
	__attribute__((warn_unused_result));

/* The first service whose pattern matches; NULL: none, or no policy. */
const struct pw_policy_service *pw_policy_find(const struct pw_policy *policy, const char *service);
/* The rules that hold for a service (NULL: any other): those for all, with its own in place. */
void pw_policy_rules(const struct pw_policy_service *service, const struct pw_rules_config *rules,
		     struct pw_rules_config *ret_rules);
/* Sets owner and runbook of an alert, and its level where one is set: by the service's rule, then the service, then the
 * rule. policy and service may be NULL. */
void pw_policy_note(const struct pw_policy *policy, const struct pw_policy_service *service, struct pw_alert *alert);

/*
 * Rules and policy in force as YAML, as cmd/config reads them back: reading it gives the same judgements. policy may be
 * NULL.
 */
int pw_policy_to_yaml(const struct pw_rules_config *rules, const struct pw_policy *policy, struct pw_buf *buf);

#endif
