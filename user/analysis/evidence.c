/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/floors.h"
#include "base/macros.h"
#include "model/alert.h"

#define RECURSION_LEAST 3U /* times that a function is on a stack of at most 64 frames */

void pw_evidence_text(char *to, size_t size, const struct pw_record *record, pw_string string)
{
	snprintf(to, size, "%s", pw_record_string(record, string));
}

/* A frame without a name is its address. */
static void copy_frame(struct pw_alert_frame *to, const struct pw_record *record, const struct pw_record_frame *frame)
{
	*to = (struct pw_alert_frame){.line = frame->line};
	if (frame->function)
		pw_evidence_text(to->function, sizeof(to->function), record, frame->function);
	else
		snprintf(to->function, sizeof(to->function), "0x%" PRIx64, frame->addr);
	pw_evidence_text(to->file, sizeof(to->file), record, frame->file);
}

void pw_evidence_statement(struct pw_alert *alert, const struct pw_record *record, uint32_t statement)
{
	const struct pw_record_statement *from = &record->statements[statement];

	pw_evidence_text(alert->statement.function, sizeof(alert->statement.function), record, from->function);
	pw_evidence_text(alert->statement.file, sizeof(alert->statement.file), record, from->file);
	alert->statement.line = from->line;
}

void pw_evidence_creation(struct pw_alert *alert, const struct pw_record *record, uint32_t statement)
{
	const struct pw_record_stack *stack = NULL;

	alert->creation_count = 0;
	for (size_t i = 0; i < record->events.count && !stack; i++) {
		const struct pw_record_event_count *count = &record->events.counts[i];

		if (count->statement == statement && count->creation_stack != UINT32_MAX)
			stack = &record->stacks[count->creation_stack];
	}
	for (uint32_t i = 0; stack && i < stack->count && alert->creation_count < PW_ALERT_FRAMES_MAX; i++)
		copy_frame(&alert->creation[alert->creation_count++], record, &record->frames[stack->first + i]);
}

static bool is_runtime(const struct pw_record *record, const struct pw_record_frame *frame)
{
	return strncmp(pw_record_string(record, frame->function), "runtime.", 8) == 0;
}

static bool is_own(const struct pw_record *record, const struct pw_record_frame *frame)
{
	const char *function = pw_record_string(record, frame->function);

	return frame->function && !is_runtime(record, frame) && strncmp(function, "sync.", 5) != 0 &&
	       strncmp(function, "internal/sync.", 14) != 0;
}

void pw_evidence_own_frame(struct pw_alert_frame *to, const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = park->stack == UINT32_MAX ? NULL : &record->stacks[park->stack];

	*to = (struct pw_alert_frame){};
	for (uint32_t i = 0; stack && i < stack->count; i++)
		if (is_own(record, &record->frames[stack->first + i])) {
			copy_frame(to, record, &record->frames[stack->first + i]);
			return;
		}
}

/* gopark and what called it say no more than the wait reason: the stack begins with who waits. */
static void set_stack(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack;
	uint32_t first = 0;

	alert->parked_stack_depth = 0;
	alert->parked_stack_cut = false;
	if (park->stack == UINT32_MAX)
		return;
	stack = &record->stacks[park->stack];
	while (first < stack->count && is_runtime(record, &record->frames[stack->first + first]))
		first++;
	if (first == stack->count)
		first = 0;
	for (uint32_t i = first; i < stack->count && alert->parked_stack_depth < PW_ALERT_FRAMES_MAX; i++)
		copy_frame(&alert->parked_stack[alert->parked_stack_depth++], record,
			   &record->frames[stack->first + i]);
	alert->parked_stack_cut = park->truncated || stack->count - first > PW_ALERT_FRAMES_MAX;
}

static void set_wait(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_wait *wait)
{
	struct pw_alert_wait *to = &alert->waiting_on;

	*to = (struct pw_alert_wait){.known = wait->known,
				     .nil = wait->nil,
				     .closed = wait->closed,
				     .objects = wait->objects,
				     .length = wait->length,
				     .capacity = wait->capacity,
				     .receivers = wait->receivers,
				     .senders = wait->senders};
	pw_evidence_text(to->kind, sizeof(to->kind), record, wait->kind);
}

static uint64_t snapshot_wall_ns(const struct pw_record *record)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns;

	return record->wall_ns - PW_MIN(record->boot_ns - PW_MIN(taken_ns, record->boot_ns), record->wall_ns);
}

void pw_evidence_park(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns;

	alert->stacks_wall_ns = snapshot_wall_ns(record);
	alert->oldest_park_ns = park->oldest_since_ns ? taken_ns - PW_MIN(park->oldest_since_ns, taken_ns) : 0;
	alert->oldest_at_least = park->oldest_at_least;
	alert->parked_there = park->count;
	alert->never_ran = park->never_ran;
	set_stack(alert, record, park);
	set_wait(alert, record, &park->wait);
}

/* One with a stack rather than one without, then the larger. */
static bool says_more(const struct pw_record_park *park, const struct pw_record_park *best)
{
	if (!best || (park->stack != UINT32_MAX) != (best->stack != UINT32_MAX))
		return !best || park->stack != UINT32_MAX;
	return park->count > best->count;
}

void pw_evidence_parked(struct pw_alert *alert, const struct pw_record *record, uint32_t statement)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns, oldest_ns = UINT64_MAX;
	const struct pw_record_park *best = NULL;
	bool at_least;

	for (size_t i = 0; record->snapshot.section.present && i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		if (park->statement != statement || !pw_status_parked(park->status))
			continue;
		if (park->oldest_since_ns && park->oldest_since_ns < oldest_ns) {
			oldest_ns = park->oldest_since_ns;
			alert->oldest_at_least = park->oldest_at_least;
		}
		if (says_more(park, best))
			best = park;
	}
	if (!best)
		return; /* none of them was there then: what is known from before stays */
	at_least = alert->oldest_at_least;
	pw_evidence_park(alert, record, best);
	alert->oldest_at_least = at_least;
	alert->oldest_park_ns = taken_ns - PW_MIN(oldest_ns, taken_ns);
}

void pw_evidence_floors(struct pw_alert *alert, const struct pw_floors *floors, size_t scale, size_t count)
{
	double values[PW_ALERT_FLOORS_MAX], filled;

	alert->floor_count = pw_floors_copy(floors, scale, values, PW_MIN(count, ARRAY_SIZE(values)), &filled);
	alert->floor_bucket_ns = pw_floors_width_ns(floors, scale);
	for (size_t i = 0; i < alert->floor_count; i++)
		alert->floors[i] = (float)values[i];
}

void pw_evidence_lock(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_lock *lock)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns;
	struct pw_alert_holder *holder = &alert->holder;
	const struct pw_record_park *park;

	pw_evidence_text(alert->waiting_on.type, sizeof(alert->waiting_on.type), record, lock->type);
	alert->waiting_on.receivers = lock->waiters;
	alert->locks = lock->locks;
	alert->still_ns = taken_ns - PW_MIN(lock->still_since_ns, taken_ns);
	*holder = (struct pw_alert_holder){.goid = lock->owner_goid, .circle_count = lock->circle_count};
	memcpy(holder->circle, lock->circle, sizeof(holder->circle));
	if (!lock->owner_goid || lock->owner_park == UINT32_MAX)
		return;
	park = &record->snapshot.parks[lock->owner_park];
	holder->parked_ns = lock->owner_since_ns ? taken_ns - PW_MIN(lock->owner_since_ns, taken_ns) : 0;
	pw_evidence_text(holder->wait_reason, sizeof(holder->wait_reason), record, park->reason);
	pw_evidence_own_frame(&holder->at, record, park);
}

void pw_evidence_recursion(struct pw_alert *alert, const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = park->stack == UINT32_MAX ? NULL : &record->stacks[park->stack];
	uint32_t most = RECURSION_LEAST - 1;

	alert->recursion = (struct pw_alert_frame){};
	for (uint32_t i = 0; stack && i < stack->count; i++) {
		const struct pw_record_frame *frame = &record->frames[stack->first + i];
		uint32_t count = 0;

		for (uint32_t k = 0; k < stack->count; k++)
			count += record->frames[stack->first + k].function == frame->function;
		if (!frame->function || count <= most)
			continue;
		most = count;
		copy_frame(&alert->recursion, record, frame);
	}
}
