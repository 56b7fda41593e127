/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DETECTOR_H
#define PW_ANALYSIS_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/analysis.h"
#include "analysis/signals.h"
#include "model/alert.h"
#include "model/rule_status.h"

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
	double value;	  /* the default; durations in ns */
	double min, max;  /* inclusive */
	const char *text; /* one line for people */
};

struct pw_buf;

struct pw_rule {
	const char *id; /* "PW-G08" */
	const char *name;
	enum pw_alert_level level; /* the highest it raises */
	const char *text, *hint;
	const struct pw_rule_parameter *parameters;
	size_t parameter_count;
	pw_rule_off_fn off; /* NULL: it needs no signal */
};

/* All of them, by id. */
const struct pw_rule *const *pw_rules(size_t *ret_count);
const struct pw_rule *pw_rule_find(const char *id);	    /* NULL: no such rule */
size_t pw_rule_parameter_size(enum pw_parameter_type type); /* in struct pw_rules_config */
/* A value of that type as text that reads back the same; at points to it. */
void pw_rule_parameter_text(enum pw_parameter_type type, const void *at, struct pw_buf *buf);
bool pw_rule_is_enabled(const struct pw_rule *rule, const struct pw_rules_config *config);

/* Those of the life of all alerts, under alerts: (lifecycle.c). */
const struct pw_rule_parameter *pw_alert_parameters(size_t *ret_count);

/* Each stands beside what judges by it. */
extern const struct pw_rule pw_rule_c01;
extern const struct pw_rule pw_rule_c02;
extern const struct pw_rule pw_rule_f01;
extern const struct pw_rule pw_rule_g01;
extern const struct pw_rule pw_rule_g02;
extern const struct pw_rule pw_rule_g03;
extern const struct pw_rule pw_rule_g04;
extern const struct pw_rule pw_rule_g05;
extern const struct pw_rule pw_rule_g06;
extern const struct pw_rule pw_rule_g07;
extern const struct pw_rule pw_rule_g08;
extern const struct pw_rule pw_rule_g09;
extern const struct pw_rule pw_rule_g10;
extern const struct pw_rule pw_rule_g11;
extern const struct pw_rule pw_rule_h01;
extern const struct pw_rule pw_rule_h03;
extern const struct pw_rule pw_rule_t01;
extern const struct pw_rule pw_rule_x01; /* no detector: told of by pw_analysis_forget */

/* For the tables of their parameters. */
#define PW_RULE_SEC	    1000000000.0
#define PW_RULE_MIN	    (60 * PW_RULE_SEC)
#define PW_RULE_HOUR	    (60 * PW_RULE_MIN)
#define PW_RULE_FIELD(name) offsetof(struct pw_rules_config, name)

#endif
