/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Reading stacks. What makes it cheap: stacks lie in spans next to each other, so those wanted, sorted by address, fall
 * into ranges that are read whole; each is unwound where it was copied to. Whether it stood still meanwhile is seen
 * when all are read: snapshot_verify.c.
 */
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"
#include "target/snapshot_state.h"
#include "target/symbolize.h"
#include "target/target.h"

#define GAP_MAX	    2048u /* bytes between two stacks that are rather read than skipped; measured best */
#define BATCH_FIRST 128u  /* while frame sizes are not known, few stacks tell most of the pcs */
#define BATCH_MAX   8192u
#define MISSED_MAX  256u /* then their frame sizes are asked for before more is read */
#define AHEAD	    8u

static uint64_t sp_of(const struct pw_snapshot *snapshot, uint64_t key)
{
	return snapshot->base + (key >> PW_SNAPSHOT_INDEX) * 8;
}

static const struct pw_goroutine *goroutine_of(const struct pw_snapshot *snapshot, uint64_t key)
{
	return &snapshot->goroutines[pw_snapshot_index(key)];
}

/* Return addresses behind the first unknown pc: asked for in the same batch, or a stack of depth n took n questions. */
static void ask_rest(struct pw_snapshot *snapshot, const struct pw_unwind_start *start, size_t at)
{
	const struct pw_frame_table *known = pw_symbolizer_frame_info(snapshot->target->symbolizer);

	for (at -= at % 8; at + 8 <= start->size; at += 8) {
		uint64_t word;

		memcpy(&word, start->bytes + at, sizeof(word));
		if (word < start->text || word > start->etext || pw_frame_table_find(known, word - start->bias))
			continue;
		if (pw_symbolizer_ask_frame(snapshot->target->symbolizer, word - start->bias))
			return;
	}
}

static struct pw_unwind_start start_of(const struct pw_snapshot *snapshot, const struct pw_goroutine *g,
				       const uint8_t *bytes, size_t size)
{
	return (struct pw_unwind_start){
		.arch = snapshot->plan.facts->arch,
		.pc = g->sched_pc,
		.sp = g->sched_sp,
		.lr = g->sched_lr,
		.exact = g->exact,
		.hi = g->stack_hi,
		.bytes = bytes,
		.size = size,
		.text = snapshot->plan.text,
		.etext = snapshot->plan.etext,
		.bias = snapshot->plan.bias,
	};
}

static int unwind(struct pw_snapshot *snapshot, const struct pw_unwind_start *start)
{
	struct pw_symbolizer *symbolizer = snapshot->target->symbolizer;

	pw_unwind(start, pw_symbolizer_frame_info(symbolizer), &snapshot->unwound);
	if (!snapshot->unwound.missing)
		return 0;
	if (pw_symbolizer_ask_frame(symbolizer, snapshot->unwound.missing)) {
		snapshot->unwound.truncated = true; /* no room for its frame size: what is known of it */
		return 0;
	}
	ask_rest(snapshot, start, snapshot->unwound.missing_at);
	return -EAGAIN;
}

int pw_snapshot_unwind(struct pw_snapshot *snapshot, const struct pw_goroutine *g, const uint8_t *bytes, size_t size)
{
	struct pw_unwind_start start = start_of(snapshot, g, bytes, size);

	return unwind(snapshot, &start);
}

int pw_snapshot_keep_stack(struct pw_snapshot *snapshot, size_t index)
{
	struct pw_look *look = &snapshot->look.items[index];
	const struct pw_unwind_stack *stack = &snapshot->unwound;
	int r = pw_stack_set_add(&snapshot->stacks, stack->packed, stack->count, stack->truncated, &look->stack);

	if (r == -E2BIG) {
		pw_snapshot_skip(snapshot, PW_SKIP_MEMORY, 1);
		return 0;
	}
	snapshot->result.stacks_read++;
	return r;
}

/* One stack that was read into bytes. */
static int take_stack(struct pw_snapshot *snapshot, uint64_t key, const uint8_t *bytes)
{
	size_t index = pw_snapshot_index(key);
	const struct pw_goroutine *g = &snapshot->goroutines[index];
	struct pw_look *look = &snapshot->look.items[index];
	struct pw_unwind_start start = start_of(snapshot, g, bytes, (size_t)pw_snapshot_stack_size(g));
	int r;

	look->read = !snapshot->target->frozen; /* which need not be looked at again */
	snapshot->any_read |= look->read;
	look->stack = g->placed ? PW_STACK_NONE : pw_stack_memo_find(&snapshot->memo, &start);
	if (look->stack != PW_STACK_NONE) {
		snapshot->result.stacks_read++;
	} else {
		if (unwind(snapshot, &start) == -EAGAIN)
			return pw_vec_push(&snapshot->missed, key);
		if (g->placed && snapshot->unwound.lost)
			return 0; /* not where we thought it was: "running" is all that is sure */
		r = pw_snapshot_keep_stack(snapshot, index);
		if (r)
			return r;
		if (look->stack != PW_STACK_NONE && !g->placed)
			pw_stack_memo_keep(&snapshot->memo, &start, &snapshot->unwound, look->stack);
	}
	if (snapshot->options.waits)
		pw_waits_stack(snapshot->waits, g, bytes, start.size);
	return 0;
}

/* By address of stack the goroutines come in no order: without this each of them is some cache misses. */
static void fetch_ahead(const struct pw_snapshot *snapshot, size_t i)
{
	const uint8_t *g;

	if (i + AHEAD >= snapshot->todo.count)
		return;
	g = (const uint8_t *)goroutine_of(snapshot, snapshot->todo.items[i + AHEAD]);
	__builtin_prefetch(g);
	__builtin_prefetch(g + offsetof(struct pw_goroutine, sched_lr));
	__builtin_prefetch(&snapshot->look.items[pw_snapshot_index(snapshot->todo.items[i + AHEAD])], 1);
}

/* Packs stacks from the list into ranges. Returns the number of ranges; first[k] is the place in the list of the first
 * stack of range k; *ret_next the first one left out. */
static size_t plan_ranges(struct pw_snapshot *snapshot, size_t *first, size_t *ret_next)
{
	size_t i = snapshot->position, end = PW_MIN(snapshot->todo.count, i + snapshot->batch), ranges = 0, used = 0;

	while (i < end && ranges < PW_SNAPSHOT_RANGES) {
		uint64_t start = sp_of(snapshot, snapshot->todo.items[i]);
		uint64_t stop = start + pw_snapshot_stack_size(goroutine_of(snapshot, snapshot->todo.items[i]));

		if (used + (stop - start) > PW_SNAPSHOT_BUFFER)
			break;
		fetch_ahead(snapshot, i);
		first[ranges] = i++;
		while (i < end) {
			uint64_t sp = sp_of(snapshot, snapshot->todo.items[i]), hi;

			fetch_ahead(snapshot, i);
			if (sp > stop + GAP_MAX)
				break;
			hi = sp + pw_snapshot_stack_size(goroutine_of(snapshot, snapshot->todo.items[i]));
			if (hi - start > PW_SNAPSHOT_BUFFER - used)
				break;
			stop = PW_MAX(stop, hi);
			i++;
		}
		snapshot->ranges[ranges++] = (struct pw_mem_range){
			.addr = start, .buffer = snapshot->buffer + used, .size = (size_t)(stop - start)};
		used += (size_t)(stop - start);
	}
	*ret_next = i;
	return ranges;
}

/* The range could not be read as a whole: each stack by itself. */
static int read_one_by_one(struct pw_snapshot *snapshot, size_t first, size_t end)
{
	uint8_t *buffer = snapshot->buffer + PW_SNAPSHOT_BUFFER; /* room for one stack behind the batch */

	for (size_t i = first; i < end; i++) {
		uint64_t key = snapshot->todo.items[i];
		size_t size = (size_t)pw_snapshot_stack_size(goroutine_of(snapshot, key));
		uint64_t swapped = snapshot->target->mem.swapped_out;
		int r = pw_mem_read(&snapshot->target->mem, sp_of(snapshot, key), buffer, size);

		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r) {
			pw_snapshot_skip_unread(snapshot, snapshot->target->mem.swapped_out, swapped);
			continue;
		}
		r = take_stack(snapshot, key, buffer);
		if (r)
			return r;
	}
	return 0;
}

static int take_range(struct pw_snapshot *snapshot, const struct pw_mem_range *range, size_t first, size_t end)
{
	if (!range->ok)
		return read_one_by_one(snapshot, first, end);
	for (size_t i = first; i < end; i++) {
		uint64_t key = snapshot->todo.items[i];
		int r = take_stack(snapshot, key,
				   (const uint8_t *)range->buffer + (sp_of(snapshot, key) - range->addr));

		if (r)
			return r;
	}
	return 0;
}

int pw_snapshot_step_stacks(struct pw_snapshot *snapshot)
{
	size_t first[PW_SNAPSHOT_RANGES], next, ranges, missed = snapshot->missed.count;
	int r;

	if (snapshot->position >= snapshot->todo.count)
		return 0;
	if (!snapshot->batch)
		snapshot->batch = BATCH_FIRST;
	ranges = plan_ranges(snapshot, first, &next);
	r = pw_mem_read_many(&snapshot->target->mem, snapshot->ranges, ranges);
	if (r < 0)
		return r;
	for (size_t k = 0; k < ranges; k++) {
		r = take_range(snapshot, &snapshot->ranges[k], first[k], k + 1 < ranges ? first[k + 1] : next);
		if (r)
			return r;
	}
	snapshot->position = next;
	if (snapshot->missed.count == missed)
		snapshot->batch = PW_MIN(snapshot->batch * 4, (size_t)BATCH_MAX);
	if (snapshot->position >= snapshot->todo.count || snapshot->missed.count >= MISSED_MAX)
		return 0;
	return -EAGAIN;
}
