/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* From what was read of each goroutine to what is shown of it, and what is kept of it for the next look. */
#include <errno.h>

#include "model/record.h"
#include "target/births.h"
#include "target/snapshot_state.h"
#include "target/target.h"

#define SHOW_BATCH 65536u

static void show_stack(struct pw_snapshot *snapshot, const struct pw_look *look, struct pw_snapshot_goroutine *shown)
{
	const struct pw_stack_entry *entry;

	if (look->stack == PW_STACK_NONE)
		return;
	entry = &snapshot->stacks.entries[look->stack];
	shown->first_pc = entry->first;
	shown->pc_count = entry->count;
	shown->stack_truncated = entry->truncated;
}

/* A switch between the two sides of iter.Pull changes the status without casgstatus, and so without counting it in
 * trackingSeq (src/runtime/coro.go:coroswitch_m, go1.23 to 1.27): that it ran cannot be seen. */
static bool runs_unseen(const struct pw_snapshot *snapshot, const struct pw_goroutine *g)
{
	return g->status == PW_GOROUTINE_WAITING && g->wait_reason == snapshot->plan.coroutine;
}

static void date(struct pw_snapshot *snapshot, const struct pw_look *look, const struct pw_goroutine *g,
		 struct pw_snapshot_goroutine *shown)
{
	const struct pw_seen *before = look->before == UINT32_MAX ? NULL : &snapshot->seen.items[look->before];
	struct pw_seen *seen = &snapshot->seen_next.items[snapshot->seen_next.count++];

	if (snapshot->target->births)
		pw_births_bounds(snapshot->target->births, g->goid, &shown->born_after_ns, &shown->born_before_ns);
	if (before && !runs_unseen(snapshot, g))
		shown->runs = (uint8_t)(g->tracking_seq - before->tracking_seq);
	*seen = (struct pw_seen){
		.addr = g->addr,
		.goid = g->goid,
		.sp = g->sched_sp,
		.hi = g->stack_hi,
		.parked_since_ns = snapshot->result.taken_ns,
		.object = look->object,
		.stack = look->stack,
		.tracking_seq = g->tracking_seq,
		.parked = !shown->running && !runs_unseen(snapshot, g),
		.at_least = !snapshot->looks,
	};
	if (before && before->parked && seen->parked && pw_snapshot_same_park(before, g)) {
		seen->parked_since_ns = before->parked_since_ns;
		seen->at_least = before->at_least;
	}
	if (snapshot->known)
		pw_snapshot_recall(snapshot, shown, seen);
	if (seen->parked) {
		shown->parked_since_ns = seen->parked_since_ns;
		shown->parked_at_least = seen->at_least;
	}
}

/* Each field by itself, but for wait: the compiler clears so large a structure with an instruction that takes longer.
 */
static void begin_shown(const struct pw_snapshot *snapshot, const struct pw_goroutine *g,
			struct pw_snapshot_goroutine *shown)
{
	uint64_t bias = snapshot->plan.bias;

	shown->goid = g->goid;
	shown->parent_goid = g->parent_goid;
	shown->gopc = g->gopc ? g->gopc - bias : 0;
	shown->startpc = g->startpc ? g->startpc - bias : 0;
	shown->first_pc = shown->pc_count = 0;
	shown->status = g->status;
	shown->wait_reason = g->wait_reason;
	shown->tracking_seq = g->tracking_seq;
	shown->system = g->system;
	shown->running = g->status == PW_GOROUTINE_RUNNING;
	shown->locked_to_thread = g->locked_to_thread;
	shown->stack_truncated = shown->parked_at_least = false;
	shown->depth = (uint32_t)(g->stack_hi - g->sched_sp);
	shown->stack_bytes = g->stack_hi - g->stack_lo;
	shown->runs = UINT32_MAX;
	shown->born_after_ns = shown->born_before_ns = shown->parked_since_ns = 0;
	shown->first_label = shown->label_count = 0;
}

static bool finalizes(const struct pw_snapshot *snapshot, uint64_t startpc)
{
	const struct pw_build_facts *facts = snapshot->plan.facts;

	return startpc && (startpc == facts->runtime_runfinq || startpc == facts->runtime_run_cleanups);
}

static int show(struct pw_snapshot *snapshot, size_t i)
{
	const struct pw_look *look = &snapshot->look.items[i];
	const struct pw_goroutine *g = &snapshot->goroutines[i];
	struct pw_snapshot_goroutine *shown = &snapshot->shown.items[look->shown];
	int r;

	begin_shown(snapshot, g, shown);
	shown->finalizes = finalizes(snapshot, shown->startpc);
	show_stack(snapshot, look, shown);
	date(snapshot, look, g, shown);
	if (!snapshot->options.waits) {
		shown->wait = (struct pw_wait){};
		return 0;
	}
	r = pw_waits_add(snapshot->waits, look->shown, g, look->object, &shown->wait);
	return r == -E2BIG ? 0 : r;
}

static int begin(struct pw_snapshot *snapshot)
{
	int r = snapshot->options.waits ? pw_waits_reserve(snapshot->waits, snapshot->shown.count) : 0;

	snapshot->seen_next.count = 0;
	return r ? r : pw_vec_reserve(&snapshot->seen_next, snapshot->shown.count);
}

int pw_snapshot_step_show(struct pw_snapshot *snapshot)
{
	size_t end = PW_MIN(snapshot->position + SHOW_BATCH, snapshot->look.count);
	int r = snapshot->position ? 0 : begin(snapshot);

	for (; !r && snapshot->position < end; snapshot->position++) {
		struct pw_look *look = &snapshot->look.items[snapshot->position];

		if (!look->left_out)
			r = show(snapshot, snapshot->position);
		else if (look->shown != UINT32_MAX)
			snapshot->shown.items[look->shown].goid = 0;
	}
	return r ? r : end < snapshot->look.count ? -EAGAIN : 0;
}

/* What was found to be waited on is known in the next look. */
static void keep_objects(struct pw_snapshot *snapshot)
{
	struct pw_seen *seen = snapshot->seen_next.items;

	pw_vec_foreach (&snapshot->look, look) {
		if (look->left_out)
			continue;
		if (!look->object)
			seen->object = snapshot->shown.items[look->shown].wait.object;
		seen++;
	}
}

static void close_gaps(struct pw_snapshot *snapshot)
{
	size_t kept = 0;

	for (size_t i = 0; i < snapshot->shown.count; i++) {
		if (!snapshot->shown.items[i].goid)
			continue;
		if (kept != i)
			snapshot->shown.items[kept] = snapshot->shown.items[i];
		kept++;
	}
	snapshot->shown.count = kept;
}

static void tell_cases(struct pw_snapshot *snapshot)
{
	snapshot->result.cases = snapshot->cases;
	snapshot->result.case_count = 0;
	for (size_t i = 0; i < snapshot->shown.count && snapshot->options.cases_of; i++)
		if (snapshot->shown.items[i].goid == snapshot->options.cases_of)
			snapshot->result.case_count =
				pw_waits_cases(snapshot->waits, i, snapshot->cases, ARRAY_SIZE(snapshot->cases));
}

void pw_snapshot_publish(struct pw_snapshot *snapshot)
{
	__typeof__(snapshot->seen) before = snapshot->seen;

	if (snapshot->options.waits) {
		keep_objects(snapshot);
		tell_cases(snapshot);
	}
	if (snapshot->gaps)
		close_gaps(snapshot);
	snapshot->seen = snapshot->seen_next;
	snapshot->seen_next = before;
	snapshot->looks++;
	snapshot->last_ns = snapshot->result.taken_ns;
	snapshot->result.goroutines = snapshot->shown.items;
	snapshot->result.count = snapshot->shown.count;
	snapshot->result.pcs = snapshot->stacks.pcs;
	snapshot->result.pc_count = snapshot->stacks.pc_count;
	snapshot->result.labels = pw_label_set_all(snapshot->labels, &snapshot->result.label_count);
}
