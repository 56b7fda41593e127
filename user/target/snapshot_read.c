/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Reading stacks. What makes it cheap: stacks lie in spans next to each other, so those wanted, sorted by address, fall
 * into ranges that are read whole; each is unwound where it was copied to. What makes it right: when all are read, each
 * g is looked at again, and one that is not where it was (status, place, trackingSeq) is read again by itself or left
 * out.
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
#define VERIFY_GAP  512u  /* between two g: see goroutines.c */
#define BATCH_FIRST 128u  /* while frame sizes are not known, few stacks tell most of the pcs */
#define BATCH_MAX   8192u
#define MISSED_MAX  256u /* then their frame sizes are asked for before more is read */
#define RETRIES	    3
#define RETRY_BATCH 64u
#define AHEAD	    8u

static size_t index_of(uint64_t key)
{
	return (size_t)(key & ((1u << PW_SNAPSHOT_INDEX) - 1));
}

static uint64_t size_of(const struct pw_goroutine *g)
{
	return PW_MIN(g->stack_hi - g->sched_sp, (uint64_t)PW_STACK_READ_MAX);
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

/* Unwinds one stack into snapshot->unwound. 0, -EAGAIN: a frame size had to be asked for. */
static int unwind(struct pw_snapshot *snapshot, const struct pw_goroutine *g, const uint8_t *bytes, size_t size)
{
	struct pw_symbolizer *symbolizer = snapshot->target->symbolizer;
	struct pw_unwind_start start = {
		.arch = snapshot->plan.facts->arch,
		.pc = g->sched_pc,
		.sp = g->sched_sp,
		.lr = g->sched_lr,
		.hi = g->stack_hi,
		.bytes = bytes,
		.size = size,
		.text = snapshot->plan.text,
		.etext = snapshot->plan.etext,
		.bias = snapshot->plan.bias,
	};

	pw_unwind(&start, pw_symbolizer_frame_info(symbolizer), &snapshot->unwound);
	if (!snapshot->unwound.missing)
		return 0;
	if (pw_symbolizer_ask_frame(symbolizer, snapshot->unwound.missing)) {
		snapshot->unwound.truncated = true; /* no room for its frame size: what is known of it */
		return 0;
	}
	ask_rest(snapshot, &start, snapshot->unwound.missing_at);
	return -EAGAIN;
}

static int keep_stack(struct pw_snapshot *snapshot, size_t index)
{
	struct pw_look *look = &snapshot->look.items[index];
	const struct pw_unwind_stack *stack = &snapshot->unwound;
	int r = pw_stack_set_add(&snapshot->stacks, stack->packed, stack->count, stack->truncated, &look->stack);

	if (r == -E2BIG) {
		snapshot->result.skipped++;
		return 0;
	}
	snapshot->result.stacks_read++;
	return r;
}

/* One stack that was read into bytes. */
static int take_stack(struct pw_snapshot *snapshot, uint64_t key, const uint8_t *bytes)
{
	struct pw_look *look = &snapshot->look.items[index_of(key)];
	size_t size = (size_t)size_of(look->g);

	look->read = true;
	if (unwind(snapshot, look->g, bytes, size) == -EAGAIN)
		return pw_vec_push(&snapshot->missed, key);
	if (snapshot->options.waits)
		pw_waits_stack(snapshot->waits, look->g, bytes, size);
	return keep_stack(snapshot, index_of(key));
}

/* By address of stack the goroutines come in no order: without this each of them is two cache misses. */
static void fetch_ahead(const struct pw_snapshot *snapshot, size_t i)
{
	const uint64_t *keys = snapshot->todo.items;

	if (i + 2 * AHEAD >= snapshot->todo.count)
		return;
	__builtin_prefetch(&snapshot->look.items[index_of(keys[i + 2 * AHEAD])]);
	__builtin_prefetch(snapshot->look.items[index_of(keys[i + AHEAD])].g);
}

/* Packs stacks from the list into ranges. Returns the number of ranges; first[k] is the place in the list of the first
 * stack of range k; *ret_next the first one left out. */
static size_t plan_ranges(struct pw_snapshot *snapshot, size_t *first, size_t *ret_next)
{
	size_t i = snapshot->position, end = PW_MIN(snapshot->todo.count, i + snapshot->batch), ranges = 0, used = 0;

	while (i < end && ranges < PW_SNAPSHOT_RANGES) {
		const struct pw_goroutine *g = snapshot->look.items[index_of(snapshot->todo.items[i])].g;
		uint64_t start = g->sched_sp, stop = start + size_of(g);

		if (used + size_of(g) > PW_SNAPSHOT_BUFFER)
			break;
		fetch_ahead(snapshot, i);
		first[ranges] = i++;
		while (i < end) {
			fetch_ahead(snapshot, i);
			g = snapshot->look.items[index_of(snapshot->todo.items[i])].g;
			if (g->sched_sp < start || g->sched_sp > stop + GAP_MAX ||
			    g->sched_sp + size_of(g) - start > PW_SNAPSHOT_BUFFER - used)
				break;
			stop = PW_MAX(stop, g->sched_sp + size_of(g));
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
		const struct pw_goroutine *g = snapshot->look.items[index_of(snapshot->todo.items[i])].g;
		int r = pw_mem_read(&snapshot->target->mem, g->sched_sp, buffer, (size_t)size_of(g));

		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r) {
			snapshot->result.skipped++;
			continue;
		}
		r = take_stack(snapshot, snapshot->todo.items[i], buffer);
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
		uint64_t key = snapshot->todo.items[i], sp = snapshot->look.items[index_of(key)].g->sched_sp;
		int r = take_stack(snapshot, key, (const uint8_t *)range->buffer + (sp - range->addr));

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

/* ---- did it stand still? ---- */

static bool stood_still(const struct pw_goroutine *before, const struct pw_goroutine *now)
{
	return before->goid == now->goid && before->status == now->status && before->sched_sp == now->sched_sp &&
	       before->sched_pc == now->sched_pc && before->stack_hi == now->stack_hi &&
	       before->tracking_seq == now->tracking_seq;
}

/* The next g that were read, as ranges; position counts in the census, which is in the order of addresses. */
static size_t plan_verify(struct pw_snapshot *snapshot, size_t *first, size_t *ret_next)
{
	const struct pw_census_result *census = pw_census_result(snapshot->census);
	size_t i = snapshot->position, ranges = 0, used = 0;
	uint64_t need = snapshot->plan.need, end = 0;

	for (; i < census->count; i++) {
		uint32_t index = snapshot->by_census[i];
		uint64_t addr = census->goroutines[i].addr;
		struct pw_mem_range *range = ranges ? &snapshot->ranges[ranges - 1] : NULL;

		if (index == UINT32_MAX || !snapshot->look.items[index].read)
			continue;
		if (range && addr >= range->addr && addr <= end + VERIFY_GAP &&
		    addr + need - range->addr <= PW_SNAPSHOT_BUFFER - (used - range->size)) {
			uint64_t stop = PW_MAX(end, addr + need);

			used += (size_t)(stop - end);
			range->size = (size_t)(stop - range->addr);
			end = stop;
			continue;
		}
		if (ranges == PW_SNAPSHOT_RANGES || used + need > PW_SNAPSHOT_BUFFER)
			break;
		first[ranges] = i;
		snapshot->ranges[ranges++] =
			(struct pw_mem_range){.addr = addr, .buffer = snapshot->buffer + used, .size = (size_t)need};
		used += (size_t)need;
		end = addr + need;
	}
	*ret_next = i;
	return ranges;
}

int pw_snapshot_step_verify(struct pw_snapshot *snapshot)
{
	const struct pw_census_result *census = pw_census_result(snapshot->census);
	size_t first[PW_SNAPSHOT_RANGES], next, ranges = plan_verify(snapshot, first, &next);
	int r = pw_mem_read_many(&snapshot->target->mem, snapshot->ranges, ranges);

	if (r < 0)
		return r;
	for (size_t k = 0; k < ranges; k++) {
		const struct pw_mem_range *range = &snapshot->ranges[k];
		size_t stop = k + 1 < ranges ? first[k + 1] : next;

		for (size_t i = first[k]; i < stop; i++) {
			uint32_t index = snapshot->by_census[i];
			const uint8_t *bytes;

			if (index == UINT32_MAX || !snapshot->look.items[index].read)
				continue;
			bytes = (const uint8_t *)range->buffer + (census->goroutines[i].addr - range->addr);
			snapshot->look.items[index].torn =
				!range->ok || !pw_gread_stood_still(&snapshot->plan, bytes, &census->goroutines[i]);
		}
	}
	snapshot->position = next;
	return next < census->count ? -EAGAIN : 0;
}

/* ---- those that did not ---- */

static int read_g(struct pw_snapshot *snapshot, uint64_t addr, struct pw_goroutine *ret_g)
{
	uint8_t bytes[PW_G_SIZE_MAX + 8];
	const char *what;
	int r = pw_mem_read(&snapshot->target->mem, addr, bytes, snapshot->plan.need);

	if (r)
		return r;
	switch (pw_gread_parse(&snapshot->plan, addr, bytes, ret_g, &what)) {
	case PW_GREAD_LIVE:
		return 0;
	case PW_GREAD_DEAD:
		return -ENODATA;
	default:
		return -EAGAIN;
	}
}

/* One goroutine by itself: its g, its stack, its g. 0, -EAGAIN it moved, -ENODATA it ended. What has to be asked for is
 * there in the next look: until then it is shown without a stack. */
static int read_again(struct pw_snapshot *snapshot, size_t index, struct pw_goroutine *g)
{
	struct pw_snapshot_goroutine *shown = &snapshot->shown.items[index];
	uint8_t *buffer = snapshot->buffer;
	struct pw_goroutine after;
	int r = read_g(snapshot, snapshot->look.items[index].g->addr, g);

	if (r)
		return r;
	if (g->goid != shown->goid)
		return -ENODATA;
	if (g->status == PW_GOROUTINE_RUNNING)
		return 0;
	if (g->sched_sp < g->stack_lo || g->sched_sp > g->stack_hi)
		return -EAGAIN;
	r = pw_mem_read(&snapshot->target->mem, g->sched_sp, buffer, (size_t)size_of(g));
	if (!r && unwind(snapshot, g, buffer, (size_t)size_of(g)) == -EAGAIN)
		snapshot->unwound.count = 0;
	if (!r)
		r = read_g(snapshot, g->addr, &after);
	if (!r && !stood_still(g, &after))
		r = -EAGAIN;
	if (!r && snapshot->options.waits)
		pw_waits_stack(snapshot->waits, g, buffer, (size_t)size_of(g));
	return r;
}

static int retry_one(struct pw_snapshot *snapshot, size_t index)
{
	struct pw_look *look = &snapshot->look.items[index];
	struct pw_snapshot_goroutine *shown = &snapshot->shown.items[index];
	struct pw_goroutine g = {};
	int r = -EAGAIN;

	look->torn = false;
	look->stack = PW_STACK_NONE;
	look->object = 0;
	for (int i = 0; i < RETRIES && r == -EAGAIN; i++)
		r = read_again(snapshot, index, &g);
	if (r == -ESRCH || r == -EPERM || r == -ENOMEM)
		return r;
	if (r) {
		look->left_out = true;
		snapshot->result.torn += r != -ENODATA;
		return 0;
	}
	*look->g = g;
	shown->status = g.status;
	shown->running = g.status == PW_GOROUTINE_RUNNING;
	shown->wait_reason = g.wait_reason;
	if (!shown->running && !snapshot->unwound.count)
		snapshot->result.skipped++;
	return shown->running || !snapshot->unwound.count ? 0 : keep_stack(snapshot, index);
}

int pw_snapshot_step_retry(struct pw_snapshot *snapshot)
{
	size_t done = 0;

	for (; snapshot->position < snapshot->look.count && done < RETRY_BATCH; snapshot->position++) {
		int r;

		if (!snapshot->look.items[snapshot->position].torn)
			continue;
		done++;
		r = retry_one(snapshot, snapshot->position);
		if (r)
			return r;
	}
	return snapshot->position < snapshot->look.count ? -EAGAIN : 0;
}
