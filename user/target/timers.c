/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/timers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/holdings.h"
#include "target/gread.h"
#include "target/runtime.h"
#include "target/target.h"

#define TIMERS_SIZE_MAX 512
#define TIMERS_MAX	(1ULL << 32) /* of one P: 32 GB of pointers; more is garbage */

struct heap { /* a slice */
	uint64_t addr, length, capacity;
};

/* Offset of the slice inside p; PW_OFFSET_NONE: not known. */
static int32_t heap_offset(const struct pw_layout *layout)
{
	int32_t timers = pw_field_offset(layout, PW_FIELD_P_TIMERS, PW_P_SIZE_MAX);
	int32_t heap = pw_field_offset(layout, PW_FIELD_TIMERS_HEAP, TIMERS_SIZE_MAX);

	if (timers < 0 || (layout->go_minor >= 23 && heap < 0))
		return PW_OFFSET_NONE;
	return timers + (layout->go_minor >= 23 ? heap : 0);
}

static bool plausible(const struct heap *heap)
{
	return heap->length <= heap->capacity && heap->capacity <= TIMERS_MAX && heap->addr % 8 == 0 &&
	       (heap->addr || !heap->capacity);
}

int pw_timers_count(struct pw_target *target, struct pw_holdings *numbers)
{
	int32_t at = heap_offset(&target->build->facts.layout);
	_cleanup_free_ struct pw_runtime_ps *ps = malloc(sizeof(*ps));
	_cleanup_free_ struct pw_mem_range *ranges = NULL;
	_cleanup_free_ struct heap *heaps = NULL;
	uint64_t total = 0;
	int r = ps ? pw_runtime_read_ps(target, ps) : -ENOMEM;

	if (r)
		return r == -ESRCH || r == -ENOMEM ? r : 0;
	numbers->gomaxprocs = ps->length;
	if (at < 0)
		return 0;
	ranges = calloc(ps->length, sizeof(*ranges));
	heaps = calloc(ps->length, sizeof(*heaps));
	if (!ranges || !heaps)
		return -ENOMEM;
	for (size_t i = 0; i < ps->length; i++)
		ranges[i] = (struct pw_mem_range){
			.addr = ps->addr[i] + (uint64_t)at, .buffer = &heaps[i], .size = sizeof(heaps[i])};
	r = pw_mem_read_many(&target->mem, ranges, ps->length);
	if (r < 0)
		return r == -ESRCH ? r : 0;
	for (size_t i = 0; i < ps->length; i++) {
		if (!ranges[i].ok || !plausible(&heaps[i]))
			return 0;
		total += heaps[i].length;
	}
	numbers->timers = total;
	return 0;
}
