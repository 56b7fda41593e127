/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_CONFIG_READ_H
#define PW_CMD_CONFIG_READ_H

#include <stdbool.h>

#include "cmd/config.h"

struct pw_rule;
struct pw_rule_notes;
struct pw_yaml;
struct pw_yaml_node;

/*
 * Reads the keys that are named (none: all) of the root of a YAML tree, whose mistakes go to reterr_why; config is
 * changed only if all of it is right. How many of those keys there were, or -EINVAL, -ENOMEM.
 */
int pw_config_read_tree(struct pw_config *config, struct pw_yaml *yaml, const char *name, const char *const *keys,
			size_t key_count, struct pw_why *reterr_why) __attribute__((warn_unused_result));

/* A configuration file being read, as config_file.c and config_policy.c see it. */
struct pw_config_reading {
	struct pw_yaml *yaml;
	struct pw_config *config; /* a copy, which is in force only if all of the file is right */
	struct pw_policy *policy; /* being built */
	bool without_shipped;	  /* benign_shipped: no */
	bool seen[PW_SETTINGS_MAX];
};

/* config_policy.c; each 0, -EINVAL (refused with its place) or -ENOMEM. */
int pw_config_read_services(struct pw_config_reading *reading, const struct pw_yaml_node *node);
int pw_config_read_benign(struct pw_config_reading *reading, const struct pw_yaml_node *node); /* config_benign.c */
/* level, owner or runbook of a rule: 1 if key is one of them. */
int pw_config_read_note(struct pw_config_reading *reading, struct pw_rule_notes *notes, const struct pw_rule *rule,
			const char *key, const struct pw_yaml_node *value);

/* config_file.c */
int pw_config_list_add(struct pw_config_reading *reading, struct pw_config_list *list, const struct pw_yaml_node *at,
		       const char *pattern, const char *value);
/* A key that does not exist; full is its path in the file. */
int pw_config_refuse_unknown(struct pw_config_reading *reading, const struct pw_yaml_node *key, const char *full,
			     const char *shown);

#endif
