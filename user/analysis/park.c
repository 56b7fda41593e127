/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/park.h"

#include <string.h>

#include "analysis/tick.h"
#include "base/macros.h"
#include "model/record.h"

#define INNERMOST     8U /* frames: below who waits are only the runtime's own, and sync.runtime_* */
#define GAP_SNAPSHOTS 3

bool pw_park_tick(struct pw_tick *last, const struct pw_record *record, struct pw_tick *ret_tick)
{
	const struct pw_section *section = &record->snapshot.section;
	uint64_t usual_ns = PW_MAX(record->snapshot.interval_ns, PW_NS_PER_SEC);
	bool gap = !last->taken_ns || section->taken_ns - last->taken_ns > GAP_SNAPSHOTS * usual_ns;

	if (!section->present || section->quality == PW_STALE || section->taken_ns <= last->taken_ns)
		return false;
	*last = (struct pw_tick){.number = last->number + 1,
				 .taken_ns = section->taken_ns,
				 .wall_ns = record->wall_ns,
				 .before_ns = gap ? 0 : last->taken_ns,
				 .before_wall_ns = gap ? 0 : last->wall_ns};
	if (section->taken_ns > record->identity.start_time_ns)
		last->uptime_ns = section->taken_ns - record->identity.start_time_ns;
	*ret_tick = *last;
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3ULL;
	return hash;
}

uint64_t pw_park_key(const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = &record->stacks[park->stack];
	uint64_t hash = mix(0xcbf29ce484222325ULL, record->statements[park->statement].gopc);

	for (uint32_t i = 0; i < stack->count; i++)
		hash = mix(hash, record->frames[stack->first + i].addr);
	return hash;
}

bool pw_park_is_judged(const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_statement *statement = &record->statements[park->statement];

	return pw_status_parked(park->status) && park->stack != UINT32_MAX && !statement->system && statement->gopc &&
	       statement->gopc != PW_STATEMENT_OTHER;
}

bool pw_park_waits_in(const struct pw_record *record, const struct pw_record_park *park, const char *function)
{
	const struct pw_record_stack *stack = &record->stacks[park->stack];

	for (uint32_t i = 0; i < PW_MIN(stack->count, INNERMOST); i++)
		if (!strcmp(pw_record_string(record, record->frames[stack->first + i].function), function))
			return true;
	return false;
}

/* Who runs them is outermost: src/runtime/mfinal.go:runfinq (runFinalizers from 1.25 on), mcleanup.go:runCleanups. In
 * their own loop the wait reason is the runtime's own. */
bool pw_park_runs_finalizer(const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = park->stack == UINT32_MAX ? NULL : &record->stacks[park->stack];
	const char *reason = pw_record_string(record, park->reason);

	if (!stack || !strcmp(reason, "finalizer wait") || !strcmp(reason, "cleanup wait"))
		return false;
	for (uint32_t i = 0; i < stack->count; i++) {
		const char *function = pw_record_string(record, record->frames[stack->first + i].function);

		if (!strcmp(function, "runtime.runfinq") || !strcmp(function, "runtime.runFinalizers") ||
		    !strcmp(function, "runtime.runCleanups"))
			return true;
	}
	return false;
}

const struct pw_record_frame *pw_park_finalizer(const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = park->stack == UINT32_MAX ? NULL : &record->stacks[park->stack];

	for (uint32_t i = stack ? stack->count : 0; i > 0; i--) {
		const struct pw_record_frame *frame = &record->frames[stack->first + i - 1];

		if (strncmp(pw_record_string(record, frame->function), "runtime.", 8) != 0)
			return frame;
	}
	return NULL;
}

bool pw_park_is_for_ever(const struct pw_record *record, const struct pw_record_park *park)
{
	const char *reason = pw_record_string(record, park->reason);
	const char *statement = pw_record_string(record, record->statements[park->statement].function);

	return (strstr(reason, "(nil chan)") || strstr(reason, "(no cases)")) && strcmp(statement, "runtime.main") != 0;
}
