/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_LOAD_H
#define PW_ANALYSIS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/floors.h"

struct pw_record;

/*
 * The load of a server, and what of its heap that explains (DETECTORS 7.3): starts at the go statements that serve
 * (net/http, HTTP/2, gRPC, ...) and parks in IO wait, over 15 base widths. Not all wakes: a ticker that leaks raises
 * those. How many bytes a unit of it takes is the Theil-Sen slope over a sample of up to 256 pairs of (load, floor of
 * the live heap) of all history. Nothing is said by a load that hardly changes. Pure; zeroed is empty; 4 kB.
 */
#define PW_LOAD_WIDTH 15  /* base widths that load is summed over */
#define PW_LOAD_PAIRS 256 /* kept, each of all seen with the same chance */

struct pw_load {
	bool known;			       /* the record tells it */
	uint64_t total, bucket, since;	       /* count so far; base bucket under way; the first one */
	double ring[PW_LOAD_WIDTH], under_way; /* per base bucket */
	struct pw_floors floors;	       /* of the load over the last 15, beside those of the heap */
	uint64_t span;			       /* the 15 under way */
	double lowest;			       /* live heap in them; < 0: none seen */
	float pair_load[PW_LOAD_PAIRS], pair_floor[PW_LOAD_PAIRS];
	uint64_t pairs_seen, random;
	double per_unit; /* bytes; 0: it explains nothing, or too little is known */
};

/* Takes in the counts of a record. */
void pw_load_see(struct pw_load *load, const struct pw_record *record, uint64_t base_ns);
/* A GC cycle has ended then with so much live. spread: P95 - P5 of the load must be above this share of its median. */
void pw_load_take_cycle(struct pw_load *load, uint64_t base_ns, uint64_t end_ns, double live_bytes, double spread);
/* Of the last 15 base widths; < 0: not known. */
double pw_load_now(const struct pw_load *load);

#endif
