/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * One look after the other at all goroutines of a process:
 *
 *	census -> order by goid, what is known from the last look -> stacks -> [frame sizes -> stacks that needed them]
 *	       -> verify -> retry -> what they wait on -> labels
 *
 * A goroutine that has not moved since the last look (goid, sched.sp, trackingSeq) keeps its stack and its age; a busy
 * server with 100,000 parked goroutines has some thousand that did move.
 */
#include "target/snapshot.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"
#include "reader/reader.h"
#include "target/births.h"
#include "target/snapshot_state.h"
#include "target/sort.h"
#include "target/symbolize.h"
#include "target/target.h"

#define SPAN_MAX   (1ULL << (64 - PW_SNAPSHOT_INDEX)) /* of goids, or of addresses / 8, beside an index */
#define INDEX_MASK ((1u << PW_SNAPSHOT_INDEX) - 1)
#define ROUNDS_MAX 16u /* of asking for frame sizes, in one look */
#define BYTES_PER_ONE                                                                                 \
	(sizeof(struct pw_snapshot_goroutine) + sizeof(struct pw_look) + 2 * sizeof(struct pw_seen) + \
	 sizeof(struct pw_goroutine) + 48)

int pw_snapshot_new(struct pw_snapshot **ret_snapshot, struct pw_target *target,
		    const struct pw_snapshot_options *options)
{
	struct pw_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int r;

	if (!snapshot)
		return -ENOMEM;
	snapshot->target = target;
	snapshot->options = *options;
	snapshot->swapped.fd = -1;
	snapshot->shown.max = snapshot->look.max = snapshot->seen.max = snapshot->seen_next.max = PW_GOROUTINES_MAX;
	snapshot->todo.max = snapshot->missed.max = PW_GOROUTINES_MAX;
	snapshot->census = options->census;
	r = snapshot->census ? 0 : pw_census_new(&snapshot->census);
	if (!r)
		r = pw_waits_new(&snapshot->waits, target);
	if (!r)
		r = pw_label_set_new(&snapshot->labels, target);
	if (r) {
		pw_snapshot_free(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

static void put_buffers(struct pw_snapshot *snapshot)
{
	free(TAKE_PTR(snapshot->buffer));
	free(TAKE_PTR(snapshot->ranges));
	free(TAKE_PTR(snapshot->scratch));
	free(TAKE_PTR(snapshot->by_census));
	snapshot->scratch_capacity = 0;
	pw_swapped_close(&snapshot->swapped);
}

void pw_snapshot_free(struct pw_snapshot *snapshot)
{
	if (!snapshot)
		return;
	put_buffers(snapshot);
	if (!snapshot->options.census)
		pw_census_free(snapshot->census);
	pw_waits_free(snapshot->waits);
	pw_label_set_free(snapshot->labels);
	pw_stack_set_done(&snapshot->stacks);
	pw_vec_done(&snapshot->shown);
	pw_vec_done(&snapshot->look);
	pw_vec_done(&snapshot->seen);
	pw_vec_done(&snapshot->seen_next);
	pw_vec_done(&snapshot->todo);
	pw_vec_done(&snapshot->missed);
	free(snapshot);
}

void pw_snapshot_release(struct pw_snapshot *snapshot)
{
	put_buffers(snapshot);
	pw_vec_done(&snapshot->shown);
	pw_vec_done(&snapshot->look);
	pw_vec_done(&snapshot->seen_next);
	pw_vec_done(&snapshot->todo);
	pw_vec_done(&snapshot->missed);
	pw_waits_release(snapshot->waits);
	snapshot->result.goroutines = NULL;
	snapshot->result.count = 0;
}

/* The working memory of a look, given back when it is over. */
static int get_buffers(struct pw_snapshot *snapshot)
{
	put_buffers(snapshot);
	snapshot->buffer = malloc(PW_SNAPSHOT_BUFFER + PW_STACK_READ_MAX);
	snapshot->ranges = malloc(PW_SNAPSHOT_RANGES * sizeof(*snapshot->ranges));
	return snapshot->buffer && snapshot->ranges ? 0 : -ENOMEM;
}

int pw_snapshot_begin(struct pw_snapshot *snapshot)
{
	struct pw_target *target = snapshot->target;
	uint64_t bytes = target->mem.bytes;
	int r;

	snapshot->phase = PW_SNAPSHOT_DONE;
	snapshot->result = (struct pw_snapshot_result){.taken_ns = pw_boot_ns()};
	if (!target->build || !target->bias_known || !target->symbolizer)
		return -ENOTSUP;
	r = pw_gread_init(&snapshot->plan, &target->build->facts, target->bias);
	if (!r)
		r = get_buffers(snapshot);
	if (!r)
		r = pw_census_begin(snapshot->census, target);
	if (r)
		return r;
	pw_swapped_open(&snapshot->swapped, target->pid);
	pw_waits_begin(snapshot->waits);
	pw_label_set_begin(snapshot->labels);
	snapshot->position = snapshot->rounds = 0;
	snapshot->batch = 0;
	snapshot->result.bytes_read = target->mem.bytes - bytes;
	snapshot->phase = PW_SNAPSHOT_CENSUS;
	return 0;
}

int pw_snapshot_sort(struct pw_snapshot *snapshot, uint64_t *keys, size_t count)
{
	if (snapshot->scratch_capacity < count) {
		free(snapshot->scratch);
		snapshot->scratch = malloc(count * sizeof(*snapshot->scratch));
		snapshot->scratch_capacity = snapshot->scratch ? count : 0;
		if (!snapshot->scratch)
			return -ENOMEM;
	}
	pw_sort_u64(keys, count, PW_SNAPSHOT_INDEX, snapshot->scratch);
	return 0;
}

/* ---- what the census says, and the last look ---- */

/* The census by goid, as keys in todo. */
static int order_by_goid(struct pw_snapshot *snapshot)
{
	const struct pw_census_result *census = pw_census_result(snapshot->census);
	uint64_t least = UINT64_MAX, most = census->count;
	int r = pw_vec_reserve(&snapshot->todo, 0);

	pw_vec_reset(&snapshot->todo);
	if (!r)
		r = pw_vec_reserve(&snapshot->todo, census->count);
	if (r)
		return r;
	for (size_t i = 0; i < census->count; i++)
		least = PW_MIN(least, census->goroutines[i].goid);
	for (size_t i = 0; i < census->count; i++) {
		if (census->goroutines[i].goid - least < SPAN_MAX)
			snapshot->todo.items[snapshot->todo.count++] =
				(census->goroutines[i].goid - least) << PW_SNAPSHOT_INDEX | i;
	}
	r = pw_snapshot_sort(snapshot, snapshot->todo.items, snapshot->todo.count);
	if (snapshot->options.memory_budget_bytes)
		most = snapshot->options.memory_budget_bytes / BYTES_PER_ONE;
	snapshot->todo.count = (size_t)PW_MIN(snapshot->todo.count, most);
	snapshot->result.skipped = census->skipped + census->count - snapshot->todo.count;
	snapshot->result.torn = census->torn;
	return r;
}

static bool has_stack(const struct pw_goroutine *g)
{
	return g->status != PW_GOROUTINE_RUNNING && g->sched_sp >= g->stack_lo && g->sched_sp < g->stack_hi &&
	       g->sched_sp % 8 == 0;
}

/* The same park: it has not run. That its stack was moved meanwhile (the GC shrinks stacks) changes the address only.
 */
static bool same_park(const struct pw_seen *seen, const struct pw_goroutine *g)
{
	return seen->tracking_seq == g->tracking_seq &&
	       (seen->sp == g->sched_sp || seen->hi - seen->sp == g->stack_hi - g->sched_sp);
}

static void recall(struct pw_snapshot *snapshot, size_t index, uint32_t before)
{
	struct pw_look *look = &snapshot->look.items[index];
	const struct pw_seen *seen = &snapshot->seen.items[before];

	look->before = before;
	if (!seen->parked || !same_park(seen, look->g) || look->g->status == PW_GOROUTINE_RUNNING)
		return;
	look->object = seen->object;
	if (seen->sp == look->g->sched_sp && seen->hi == look->g->stack_hi)
		look->stack = seen->stack;
}

static void show(struct pw_snapshot *snapshot, uint32_t in_census, uint32_t *before)
{
	const struct pw_census_result *census = pw_census_result(snapshot->census);
	struct pw_goroutine *g = (struct pw_goroutine *)&census->goroutines[in_census];
	size_t index = snapshot->shown.count;
	uint64_t bias = snapshot->plan.bias;

	if (index && snapshot->shown.items[index - 1].goid == g->goid) {
		snapshot->result.torn++; /* two of one goid: one of them ended while we looked */
		return;
	}
	snapshot->shown.items[snapshot->shown.count++] = (struct pw_snapshot_goroutine){
		.goid = g->goid,
		.parent_goid = g->parent_goid,
		.gopc = g->gopc ? g->gopc - bias : 0,
		.startpc = g->startpc ? g->startpc - bias : 0,
		.status = g->status,
		.wait_reason = g->wait_reason,
		.system = g->system,
		.running = g->status == PW_GOROUTINE_RUNNING,
		.locked_to_thread = g->locked_to_thread,
		.runs = UINT32_MAX,
	};
	snapshot->look.items[snapshot->look.count++] =
		(struct pw_look){.g = g, .stack = PW_STACK_NONE, .before = UINT32_MAX};
	snapshot->by_census[in_census] = (uint32_t)index;
	while (*before < snapshot->seen.count && snapshot->seen.items[*before].goid < g->goid)
		(*before)++;
	if (*before < snapshot->seen.count && snapshot->seen.items[*before].goid == g->goid)
		recall(snapshot, index, *before);
}

/* The list of stacks to be read, by address. */
static int list_stacks(struct pw_snapshot *snapshot)
{
	pw_vec_reset(&snapshot->todo);
	snapshot->base = UINT64_MAX;
	for (size_t i = 0; i < snapshot->look.count; i++)
		if (has_stack(snapshot->look.items[i].g))
			snapshot->base = PW_MIN(snapshot->base, snapshot->look.items[i].g->sched_sp);
	for (size_t i = 0; i < snapshot->look.count; i++) {
		struct pw_look *look = &snapshot->look.items[i];
		const struct pw_goroutine *g = look->g;

		if (look->stack != PW_STACK_NONE) {
			snapshot->result.stacks_kept++;
			continue;
		}
		if (g->status == PW_GOROUTINE_RUNNING)
			continue;
		if (!has_stack(g) || (g->sched_sp - snapshot->base) / 8 >= SPAN_MAX ||
		    pw_swapped_out(&snapshot->swapped, g->sched_sp,
				   PW_MIN(g->stack_hi - g->sched_sp, (uint64_t)PW_STACK_READ_MAX))) {
			snapshot->result.skipped++;
			continue;
		}
		snapshot->todo.items[snapshot->todo.count++] =
			(g->sched_sp - snapshot->base) / 8 << PW_SNAPSHOT_INDEX | i;
	}
	return pw_snapshot_sort(snapshot, snapshot->todo.items, snapshot->todo.count);
}

/* Stacks of goroutines that ended stay in the set until it is mostly of those. */
static void forget_stacks(struct pw_snapshot *snapshot)
{
	if (snapshot->stacks.entry_count < PW_STACKS_MAX / 2 && snapshot->stacks.pc_count < PW_STACK_PCS_MAX / 2)
		return;
	pw_stack_set_reset(&snapshot->stacks);
	pw_vec_foreach (&snapshot->seen, seen)
		seen->stack = PW_STACK_NONE;
}

static int after_census(struct pw_snapshot *snapshot)
{
	const struct pw_goroutine *goroutines = pw_census_result(snapshot->census)->goroutines;
	size_t count = pw_census_result(snapshot->census)->count;
	uint32_t before = 0;
	int r = order_by_goid(snapshot);

	if (r)
		return r;
	forget_stacks(snapshot);
	pw_vec_reset(&snapshot->shown);
	pw_vec_reset(&snapshot->look);
	snapshot->by_census = malloc((count + !count) * sizeof(*snapshot->by_census));
	if (!snapshot->by_census)
		return -ENOMEM;
	memset(snapshot->by_census, 0xff, count * sizeof(*snapshot->by_census));
	r = pw_vec_reserve(&snapshot->shown, count);
	if (!r)
		r = pw_vec_reserve(&snapshot->look, count);
	if (r)
		return r;
	for (size_t i = 0; i < snapshot->todo.count; i++) {
		if (i + 8 < snapshot->todo.count)
			__builtin_prefetch(&goroutines[snapshot->todo.items[i + 8] & INDEX_MASK]);
		show(snapshot, (uint32_t)(snapshot->todo.items[i] & INDEX_MASK), &before);
	}
	return list_stacks(snapshot);
}

/* ---- the order of things ---- */

static void go_to(struct pw_snapshot *snapshot, enum pw_snapshot_phase phase)
{
	snapshot->phase = phase;
	snapshot->position = 0;
}

static bool over_time(const struct pw_snapshot *snapshot)
{
	return snapshot->options.time_budget_ns && snapshot->result.duration_ns > snapshot->options.time_budget_ns;
}

/* What is left of the lists is not read in this look. */
static void give_up_stacks(struct pw_snapshot *snapshot)
{
	snapshot->result.skipped += snapshot->todo.count - PW_MIN(snapshot->position, snapshot->todo.count);
	snapshot->result.skipped += snapshot->missed.count;
	pw_vec_reset(&snapshot->missed);
	go_to(snapshot, PW_SNAPSHOT_VERIFY);
}

static int step_stacks(struct pw_snapshot *snapshot)
{
	int r = over_time(snapshot) ? 0 : pw_snapshot_step_stacks(snapshot);

	if (r)
		return r;
	if (over_time(snapshot))
		give_up_stacks(snapshot);
	else if (snapshot->missed.count)
		snapshot->phase = PW_SNAPSHOT_ASK; /* position stays */
	else
		go_to(snapshot, PW_SNAPSHOT_VERIFY);
	return 0;
}

/* Puts those that missed a frame size in front of what is left of the list. */
static int list_missed(struct pw_snapshot *snapshot)
{
	size_t left = snapshot->todo.count - snapshot->position, missed = snapshot->missed.count;

	/* Both are ascending, and the missed ones come from before position: there is room for them. */
	memmove(snapshot->todo.items + missed, snapshot->todo.items + snapshot->position, left * sizeof(uint64_t));
	memcpy(snapshot->todo.items, snapshot->missed.items, missed * sizeof(uint64_t));
	snapshot->todo.count = missed + left;
	pw_vec_reset(&snapshot->missed);
	go_to(snapshot, PW_SNAPSHOT_STACKS);
	return pw_snapshot_sort(snapshot, snapshot->todo.items, missed);
}

/* 0, -EAGAIN: the reader has not answered yet. */
static int step_ask(struct pw_snapshot *snapshot)
{
	int r = pw_symbolizer_flush(snapshot->target->symbolizer);

	if (r && r != -EAGAIN)
		return r;
	if (over_time(snapshot)) {
		give_up_stacks(snapshot);
		return 0;
	}
	if (pw_symbolizer_busy(snapshot->target->symbolizer))
		return -EAGAIN;
	if (++snapshot->rounds > ROUNDS_MAX) {
		give_up_stacks(snapshot);
		return 0;
	}
	return list_missed(snapshot);
}

static int begin_waits(struct pw_snapshot *snapshot)
{
	int error = pw_waits_reserve(snapshot->waits, snapshot->look.count);

	if (error)
		return error;
	for (size_t i = 0; i < snapshot->look.count; i++) {
		const struct pw_look *look = &snapshot->look.items[i];
		int r;

		if (look->left_out)
			continue;
		r = pw_waits_add(snapshot->waits, i, look->g, look->object, &snapshot->shown.items[i].wait);
		if (r && r != -E2BIG)
			return r;
	}
	go_to(snapshot, PW_SNAPSHOT_WAITS);
	return 0;
}

static int step_labels(struct pw_snapshot *snapshot)
{
	size_t end = PW_MIN(snapshot->position + 1024, snapshot->look.count);

	for (; snapshot->position < end; snapshot->position++) {
		struct pw_snapshot_goroutine *shown = &snapshot->shown.items[snapshot->position];
		int r = pw_label_set_read(snapshot->labels, snapshot->look.items[snapshot->position].g->labels,
					  &shown->first_label, &shown->label_count);

		if (r)
			return r;
	}
	return end < snapshot->look.count ? -EAGAIN : 0;
}

/* ---- the end of a look ---- */

static void date(struct pw_snapshot *snapshot, size_t i, struct pw_seen *seen)
{
	struct pw_look *look = &snapshot->look.items[i];
	struct pw_snapshot_goroutine *shown = &snapshot->shown.items[i];
	const struct pw_seen *before = look->before == UINT32_MAX ? NULL : &snapshot->seen.items[look->before];
	uint64_t taken = snapshot->result.taken_ns;

	if (snapshot->target->births)
		pw_births_bounds(snapshot->target->births, shown->goid, &shown->born_after_ns, &shown->born_before_ns);
	shown->tracking_seq = look->g->tracking_seq;
	shown->depth = (uint32_t)(look->g->stack_hi - look->g->sched_sp);
	if (before)
		shown->runs = (uint8_t)(look->g->tracking_seq - before->tracking_seq);
	*seen = (struct pw_seen){
		.goid = shown->goid,
		.sp = look->g->sched_sp,
		.hi = look->g->stack_hi,
		.parked_since_ns = taken,
		.object = shown->wait.kind == PW_WAIT_NETWORK ? shown->wait.object : 0,
		.stack = look->stack,
		.tracking_seq = look->g->tracking_seq,
		.parked = !shown->running,
		.at_least = !snapshot->looks,
	};
	if (before && before->parked && seen->parked && same_park(before, look->g)) {
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

static void swap_seen(struct pw_snapshot *snapshot)
{
	__typeof__(snapshot->seen) before = snapshot->seen;

	snapshot->seen = snapshot->seen_next;
	snapshot->seen_next = before;
}

/* Sets what depends on all the rest, and closes the gaps of those that are left out. */
static int finish(struct pw_snapshot *snapshot)
{
	size_t kept = 0;
	int r;

	pw_vec_reset(&snapshot->seen_next);
	r = pw_vec_reserve(&snapshot->seen_next, snapshot->shown.count);
	if (r)
		return r;
	for (size_t i = 0; i < snapshot->shown.count; i++) {
		struct pw_snapshot_goroutine *shown = &snapshot->shown.items[i];
		uint32_t stack = snapshot->look.items[i].stack;

		if (snapshot->look.items[i].left_out)
			continue;
		if (stack != PW_STACK_NONE) {
			const struct pw_stack_entry *entry = &snapshot->stacks.entries[stack];

			shown->first_pc = entry->first;
			shown->pc_count = entry->count;
			shown->stack_truncated = entry->truncated;
		}
		date(snapshot, i, &snapshot->seen_next.items[kept]);
		if (kept != i)
			snapshot->shown.items[kept] = *shown;
		kept++;
	}
	snapshot->shown.count = snapshot->seen_next.count = kept;
	swap_seen(snapshot);
	snapshot->looks++;
	snapshot->result.goroutines = snapshot->shown.items;
	snapshot->result.count = kept;
	snapshot->result.pcs = snapshot->stacks.pcs;
	snapshot->result.pc_count = snapshot->stacks.pc_count;
	snapshot->result.labels = pw_label_set_all(snapshot->labels, &snapshot->result.label_count);
	go_to(snapshot, PW_SNAPSHOT_DONE);
	return 0;
}

/* 0: on to the next phase, which is set; -EAGAIN more of this one. */
static int step(struct pw_snapshot *snapshot)
{
	int r;

	switch (snapshot->phase) {
	case PW_SNAPSHOT_CENSUS:
		r = pw_census_step(snapshot->census, 0);
		if (!r)
			r = after_census(snapshot);
		if (!r)
			go_to(snapshot, PW_SNAPSHOT_STACKS);
		return r;
	case PW_SNAPSHOT_STACKS:
		return step_stacks(snapshot);
	case PW_SNAPSHOT_ASK:
		return step_ask(snapshot);
	case PW_SNAPSHOT_VERIFY:
		r = pw_snapshot_step_verify(snapshot);
		if (!r)
			go_to(snapshot, PW_SNAPSHOT_RETRY);
		return r;
	case PW_SNAPSHOT_RETRY:
		r = pw_snapshot_step_retry(snapshot);
		if (r)
			return r;
		if (snapshot->options.waits)
			return begin_waits(snapshot);
		go_to(snapshot, PW_SNAPSHOT_LABELS);
		return 0;
	case PW_SNAPSHOT_WAITS:
		r = pw_waits_step(snapshot->waits, snapshot->shown.items);
		if (!r)
			go_to(snapshot, PW_SNAPSHOT_LABELS);
		return r;
	case PW_SNAPSHOT_LABELS:
		r = snapshot->options.labels ? step_labels(snapshot) : 0;
		return r ? r : finish(snapshot);
	case PW_SNAPSHOT_DONE:
		break;
	}
	return 0;
}

int pw_snapshot_step(struct pw_snapshot *snapshot, uint64_t budget_ns)
{
	uint64_t start = pw_now_ns(), last = start, now, bytes = snapshot->target->mem.bytes;
	int r = 0;

	while (snapshot->phase != PW_SNAPSHOT_DONE) {
		r = step(snapshot);
		now = pw_now_ns();
		snapshot->result.duration_ns += now - last;
		last = now;
		if ((r && r != -EAGAIN) || now - start >= budget_ns)
			break;
		if (r == -EAGAIN && snapshot->phase == PW_SNAPSHOT_ASK)
			break; /* it is the reader's turn */
	}
	snapshot->result.bytes_read += snapshot->target->mem.bytes - bytes;
	if ((!r || r == -EAGAIN) && snapshot->phase != PW_SNAPSHOT_DONE)
		return -EAGAIN;
	put_buffers(snapshot);
	if (r)
		snapshot->phase = PW_SNAPSHOT_DONE;
	return r;
}

int pw_snapshot_look(struct pw_snapshot *snapshot)
{
	uint64_t start;
	int r = pw_snapshot_begin(snapshot);

	if (r)
		return r;
	while ((r = pw_snapshot_step(snapshot, UINT64_MAX)) == -EAGAIN) {
		start = pw_now_ns();
		r = pw_symbolizer_settle(snapshot->target->symbolizer);
		if (r)
			return r;
		snapshot->result.duration_ns += pw_now_ns() - start;
	}
	return r;
}

const struct pw_snapshot_result *pw_snapshot_result(const struct pw_snapshot *snapshot)
{
	return &snapshot->result;
}
