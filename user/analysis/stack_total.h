/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_STACK_TOTAL_H
#define PW_ANALYSIS_STACK_TOTAL_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/baseline.h"
#include "analysis/condition.h"
#include "analysis/detect_heap.h"
#include "analysis/floors.h"

struct pw_judge;
struct pw_record;

/*
 * All stacks of a process together, PW-C02 too: they climb as DETECTORS 7.3 says of the heap, and the size that hardly
 * any goroutine exceeds has risen over the window. If only their number has, others speak. Judged at each record.
 */
struct pw_stack_total {
	struct pw_floors bytes, deepest; /* stacks in use; of the 99th percentile of goroutines */
	struct pw_baseline baseline[PW_FLOORS_SCALES];
	uint8_t held[PW_FLOORS_SCALES];
	struct pw_heap_verdict verdict; /* of the longest window that grows */
	double deepest_first, deepest_last;
	size_t scale;
	bool grows;
	uint64_t now_bytes, taken_ns;
	uint64_t goroutines;
	struct pw_tick tick;
	struct pw_condition condition;
};

void pw_stack_total_judge(const struct pw_judge *judge, struct pw_stack_total *stacks, const struct pw_record *record);

#endif
