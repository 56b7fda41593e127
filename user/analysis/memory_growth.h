/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_MEMORY_GROWTH_H
#define PW_ANALYSIS_MEMORY_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/baseline.h"
#include "analysis/condition.h"
#include "analysis/detect_heap.h"
#include "analysis/floors.h"
#include "analysis/load.h"
#include "analysis/heap_lines.h"

struct pw_judge;
struct pw_record;

/*
 * Memory of one process: PW-H01, its live heap climbs GC by GC; PW-H03, what its cgroup uses will soon be its limit.
 * The first is judged at each GC cycle of a record, the other at each look at where the memory goes.
 */
struct pw_heap_climb {
	struct pw_floors live;
	struct pw_load load;
	struct pw_baseline baseline[PW_FLOORS_SCALES];
	uint8_t held[PW_FLOORS_SCALES];
	uint64_t cycle; /* number of the last one taken in */
	uint64_t bytes, onset_wall_ns;
	double onset_bytes;
	struct pw_heap_verdict verdict;
	size_t scale;
	bool grows;
	const struct pw_heap_lines *lines; /* of the same process */
	struct pw_condition condition;
};

struct pw_memory_fill {
	struct pw_floors used;
	uint64_t taken_ns;
	struct pw_exhaustion state;
	struct pw_condition condition;
};

struct pw_memory_growth {
	struct pw_heap_climb climb;
	struct pw_memory_fill fill;
	struct pw_heap_lines lines;
	struct pw_tick tick;
};
void pw_memory_growth_done(struct pw_memory_growth *memory);

/* Takes in what the record says of the heap by line; before anything of the record is judged. */
void pw_memory_growth_see(const struct pw_judge *judge, struct pw_memory_growth *memory,
			  const struct pw_record *record);

void pw_memory_growth_judge(const struct pw_judge *judge, struct pw_memory_growth *memory,
			    const struct pw_record *record);

#endif
