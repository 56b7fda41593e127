/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_PAGES_H
#define PW_ANALYSIS_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/deploys.h"
#include "base/table.h"

struct pw_condition;

/*
 * Who is woken by what (DETECTORS 9). Of one service and level there is one page in a while: what fires meanwhile is
 * grouped into the next one. What another alert explains, what a deployment may have caused, and what is part of an
 * incident of the whole fleet wakes nobody. All of it is listed. Internal to analysis.
 */
struct pw_pages {
	struct pw_table services; /* name -> when it last had a page, by level */
	struct pw_deploys deploys;
	struct pw_condition *fleet; /* of the incident that stands for all; owned */
	uint64_t settled_ns;	    /* CLOCK_BOOTTIME */
	uint64_t held;		    /* that were held when they fired, in all */
};

void pw_pages_init(struct pw_pages *pages);
void pw_pages_done(struct pw_pages *pages);

#endif
