/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DETECTOR_H
#define PW_ANALYSIS_DETECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "model/alert.h"

/*
 * The table of all rules: what each is called, what it says, and its parameters with type and bounds. cmd/config checks
 * a configuration file against it and writes values into struct pw_rules_config by offset; `rules list` prints it.
 */
enum pw_parameter_type {
	PW_PARAMETER_BOOL,     /* bool */
	PW_PARAMETER_DURATION, /* uint64_t, ns */
	PW_PARAMETER_COUNT,    /* uint32_t */
	PW_PARAMETER_NUMBER,   /* double */
};

struct pw_rule_parameter {
	const char *name; /* key in the file, under rules: <id>: */
	enum pw_parameter_type type;
	size_t offset;	  /* into struct pw_rules_config */
	double min, max;  /* inclusive; durations in ns */
	const char *text; /* one line for people */
};

struct pw_rule {
	const char *id; /* "PW-G08" */
	const char *name;
	enum pw_alert_level level; /* the highest it raises */
	const char *text, *hint;
	const struct pw_rule_parameter *parameters;
	size_t parameter_count;
};

const struct pw_rule *pw_rules(size_t *ret_count);
const struct pw_rule *pw_rule_find(const char *id); /* NULL: no such rule */

#endif
