/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_REPLAYING_H
#define PW_CMD_REPLAYING_H

#include <stdint.h>

#include "analysis/analysis.h"
#include "cmd/options.h"

struct pw_config;

/*
 * A recording judged again: by the rules that it holds, with each reload where it happened, or by others. The same
 * records and rules give the same transitions as in the daemon. The file may be gzipped.
 */
struct pw_replaying {
	const struct pw_config *rules; /* judge by these; NULL: by those recorded */
	pw_alert_fn on_transition;
	void *context;
	/* What there was. */
	uint64_t records, first_wall_ns, last_wall_ns;
};

/* PW_EXIT_OK also when the file is cut off (and said); PW_EXIT_UNKNOWN if it cannot be replayed, PW_EXIT_USAGE if it
 * cannot be read: said in one line. */
enum pw_exit pw_replaying_run(struct pw_replaying *replaying, const char *path);

#endif
