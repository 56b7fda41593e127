/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_CONFIG_SETTINGS_H
#define PW_CMD_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/config.h"

struct pw_rule;
struct pw_rule_parameter;

/* The table of settings as config.c, config_file.c and config_print.c see it. */
enum pw_setting_kind {
	PW_SETTING_ADDRESS,
	PW_SETTING_PATH,
	PW_SETTING_DURATION,
	PW_SETTING_BUDGET,
	PW_SETTING_ATTACH,
	PW_SETTING_LEVEL,
	PW_SETTING_BOOL,
	PW_SETTING_U32,
	PW_SETTING_U64,
	PW_SETTING_DOUBLE,
};

struct pw_setting {
	size_t index; /* into pw_config.source and .line */
	char key[96]; /* dotted path in the file */
	enum pw_setting_kind kind;
	size_t offset;	  /* in struct pw_config */
	bool environment; /* PARKWATCH_<KEY> sets it */
	double min, max;  /* of numbers; durations in ns */
	const char *help;
	const struct pw_rule *rule; /* and its parameter; NULL: of no rule */
	const struct pw_rule_parameter *parameter;
};

/* The index-th setting; false behind the last. */
bool pw_setting_at(size_t index, struct pw_setting *ret_setting);
bool pw_setting_find(const char *key, struct pw_setting *ret_setting);
size_t pw_setting_size(enum pw_setting_kind kind);
/* Parses a value into slot, of pw_setting_size; key is how it is called in messages. -EINVAL with a sentence. */
int pw_setting_parse(const struct pw_setting *setting, const char *key, const char *value, void *slot,
		     struct pw_why *reterr_why) __attribute__((warn_unused_result));
/* Text that pw_config_set reads back to the same value. */
void pw_setting_text(const struct pw_config *config, const struct pw_setting *setting, char *text, size_t size);
const char *pw_config_source_name(enum pw_config_source source);

/* -EINVAL with a sentence that names the nearest key that exists at the place of key; shown is what was written. */
int pw_config_unknown_key(const char *key, const char *shown, struct pw_why *reterr_why);

#endif
