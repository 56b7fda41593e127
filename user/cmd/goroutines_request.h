/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_GOROUTINES_REQUEST_H
#define PW_CMD_GOROUTINES_REQUEST_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/profile_select.h"

struct pw_profile;

/* What was given on the command line of `parkwatch goroutines`, as it stands there. */
struct pw_goroutines_values {
	const char *pid, *core, *exe, *by, *with, *blocked, *created, *diff, *style, *output;
	uint64_t min_age_ns, min_count, goid, top, over_ns, every_ns;
	bool once, json, schema;
};

enum pw_goroutines_style {
	PW_GOROUTINES_TEXT,
	PW_GOROUTINES_JSON,
	PW_GOROUTINES_PPROF,
	PW_GOROUTINES_FOLDED,
	PW_GOROUTINES_SVG,
	PW_GOROUTINES_DEBUG2,
	_PW_GOROUTINES_STYLE_MAX,
};

/* What it means. */
struct pw_goroutines_request {
	const struct pw_goroutines_values *values; /* borrowed */
	enum pw_goroutines_style style;
	enum pw_profile_by by;
	const char *by_label;
	struct pw_profile_filter filter;
	char with[512]; /* "KEY\0VALUE" of --with label: */
	regex_t blocked, created;
	bool has_blocked, has_created;
	struct pw_profile *old; /* --diff, owned */
};

/* Checks each option and whether they go together; reads the older profile. One line said and -errno otherwise. The
 * request must be done either way. */
int pw_goroutines_request_parse(struct pw_goroutines_request *ret_request, const struct pw_goroutines_values *values)
	__attribute__((warn_unused_result));
void pw_goroutines_request_done(struct pw_goroutines_request *request);

#endif
