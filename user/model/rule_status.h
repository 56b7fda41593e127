/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_RULE_STATUS_H
#define PW_MODEL_RULE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_record;

/* Why a rule cannot judge the process of a record, as a clause, constant or in text; NULL: it can. Pure. */
typedef const char *(*pw_rule_off_fn)(const struct pw_record *record, char *text, size_t size);

#define PW_OFF_TEXT_SIZE  256
#define PW_RULES_MAX	  64 /* a bit for each */
#define PW_RULES_ROWS_MAX 4096

struct pw_rule_counters {	     /* since the start */
	uint64_t evaluated;	     /* claims that were judged */
	uint64_t fired, cleared;     /* conditions: resolved, or gone with their process */
	uint64_t dismissed;	     /* of those that fired: lowered by the benign list */
	uint64_t last_fired_wall_ns; /* 0: never */
};

/* One rule as the daemon has it. Texts are static. */
struct pw_rule_status {
	const char *id, *name;
	pw_rule_off_fn off; /* NULL: it needs no signal */
	bool enabled;	    /* for processes that no service says otherwise of */
	struct pw_rule_counters counters;
};

#endif
