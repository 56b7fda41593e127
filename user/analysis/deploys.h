/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DEPLOYS_H
#define PW_ANALYSIS_DEPLOYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"

struct pw_record;

/*
 * Which builds of a service have been seen: one that is new, of a process that was started while we looked, is a
 * deployment (DETECTORS 9). The first build of a service, and what ran before we looked, are none. Pure; internal to
 * analysis.
 */
struct pw_deploys {
	struct pw_table services; /* name -> what is known of it */
};

void pw_deploys_init(struct pw_deploys *deploys);
void pw_deploys_done(struct pw_deploys *deploys);

/* Takes in who a process is. False: its build is not known yet. */
bool pw_deploys_note(struct pw_deploys *deploys, const struct pw_record *record);
/* Has a new build of that service come less than window_ns ago? */
bool pw_deploys_within(const struct pw_deploys *deploys, const char *service, uint64_t now_ns, uint64_t window_ns);

#endif
