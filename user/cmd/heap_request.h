/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_HEAP_REQUEST_H
#define PW_CMD_HEAP_REQUEST_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

struct pw_heap_profile;

/* What was given on the command line of `parkwatch heap`, as it stands there. */
struct pw_heap_request_values {
	const char *pid, *focus, *diff, *style, *output;
	uint64_t top, interval_ns, sample_ns;
	bool inuse, alloc, classes, json, schema;
};

enum pw_heap_style {
	PW_HEAP_TEXT,
	PW_HEAP_JSON,
	PW_HEAP_PPROF,
	PW_HEAP_FOLDED,
	PW_HEAP_SVG,
	_PW_HEAP_STYLE_MAX,
};

/* What it means. */
struct pw_heap_request {
	const struct pw_heap_request_values *values; /* borrowed */
	enum pw_heap_style style;
	regex_t focus;
	bool has_focus;
	struct pw_heap_profile *old; /* --diff, owned */
};

/* Checks each option and whether they go together; reads the older profile. One line said and -errno otherwise. The
 * request must be done either way. */
int pw_heap_request_parse(struct pw_heap_request *ret_request, const struct pw_heap_request_values *values)
	__attribute__((warn_unused_result));
void pw_heap_request_done(struct pw_heap_request *request);

#endif
