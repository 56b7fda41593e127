/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Did it stand still while its stack was read? If the process has used no CPU time since the look began, all did. Else
 * each g is looked at again, and one that is not where it was (status, place, trackingSeq) is read again by itself: g,
 * stack, g. If that does not help either, it is left out and counted.
 */
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/record.h"
#include "target/snapshot_state.h"
#include "target/target.h"

#define GAP_MAX	    512u /* between two g: see goroutines.c */
#define RETRIES	    3
#define RETRY_BATCH 64u

/* The next g whose stacks were read, as ranges. */
static size_t plan_verify(struct pw_snapshot *snapshot, size_t *first, size_t *ret_next)
{
	size_t i = snapshot->position, count = snapshot->look.count, ranges = 0, used = 0;
	uint64_t need = snapshot->plan.need, end = 0;

	for (; i < count; i++) {
		uint64_t addr = snapshot->goroutines[i].addr;
		struct pw_mem_range *range = ranges ? &snapshot->ranges[ranges - 1] : NULL;

		if (!snapshot->look.items[i].read)
			continue;
		if (range && addr <= end + GAP_MAX && used + (addr + need - end) <= PW_SNAPSHOT_BUFFER) {
			used += (size_t)(addr + need - end);
			end = addr + need;
			range->size = (size_t)(end - range->addr);
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

/* Most programs that have 100,000 goroutines parked have little else to do. */
static bool nothing_ran(const struct pw_snapshot *snapshot)
{
	return snapshot->ran_ns && pw_mem_ran_ns(&snapshot->target->mem) == snapshot->ran_ns;
}

int pw_snapshot_step_verify(struct pw_snapshot *snapshot)
{
	size_t first[PW_SNAPSHOT_RANGES], next, ranges;
	int r;

	if (!snapshot->any_read || (!snapshot->position && nothing_ran(snapshot)))
		return 0;
	ranges = plan_verify(snapshot, first, &next);
	r = pw_mem_read_many(&snapshot->target->mem, snapshot->ranges, ranges);
	if (r < 0)
		return r;
	for (size_t k = 0; k < ranges; k++) {
		const struct pw_mem_range *range = &snapshot->ranges[k];
		size_t stop = k + 1 < ranges ? first[k + 1] : next;

		for (size_t i = first[k]; i < stop; i++) {
			const struct pw_goroutine *g = &snapshot->goroutines[i];
			struct pw_look *look = &snapshot->look.items[i];

			if (!look->read)
				continue;
			look->torn = !range->ok ||
				     !pw_gread_stood_still(&snapshot->plan,
							   (const uint8_t *)range->buffer + (g->addr - range->addr), g);
			snapshot->any_torn |= look->torn;
		}
	}
	snapshot->position = next;
	return next < snapshot->look.count ? -EAGAIN : 0;
}

static bool stood_still(const struct pw_goroutine *before, const struct pw_goroutine *now)
{
	return before->goid == now->goid && before->status == now->status && before->sched_sp == now->sched_sp &&
	       before->sched_pc == now->sched_pc && before->stack_hi == now->stack_hi &&
	       before->tracking_seq == now->tracking_seq;
}

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

/* One goroutine by itself: its g, its stack, its g. 0, -EAGAIN it moved, -ENODATA it ended. Where the reader has to be
 * asked first, unwound.missing is set. */
static int read_again(struct pw_snapshot *snapshot, size_t i, struct pw_goroutine *g)
{
	uint8_t *buffer = snapshot->buffer;
	struct pw_goroutine after;
	int r = read_g(snapshot, snapshot->goroutines[i].addr, g);

	snapshot->unwound.missing = snapshot->unwound.count = 0;
	if (r)
		return r;
	if (g->goid != snapshot->goroutines[i].goid)
		return -ENODATA;
	if (g->status == PW_GOROUTINE_RUNNING)
		return 0;
	if (g->sched_sp < g->stack_lo || g->sched_sp > g->stack_hi)
		return -EAGAIN;
	r = pw_mem_read(&snapshot->target->mem, g->sched_sp, buffer, (size_t)pw_snapshot_stack_size(g));
	if (!r && pw_snapshot_unwind(snapshot, g, buffer, (size_t)pw_snapshot_stack_size(g)) == -EAGAIN)
		snapshot->unwound.count = 0;
	if (!r)
		r = read_g(snapshot, g->addr, &after);
	if (!r && !stood_still(g, &after))
		r = -EAGAIN;
	if (!r && snapshot->options.waits && !snapshot->unwound.missing)
		pw_waits_stack(snapshot->waits, g, buffer, (size_t)pw_snapshot_stack_size(g));
	return r;
}

static void leave_out(struct pw_snapshot *snapshot, struct pw_look *look)
{
	look->left_out = true;
	look->torn = false;
	snapshot->gaps++;
}

static int retry_one(struct pw_snapshot *snapshot, size_t i)
{
	struct pw_look *look = &snapshot->look.items[i];
	uint64_t swapped = snapshot->target->mem.swapped_out;
	struct pw_goroutine g = {};
	int r = -EAGAIN;

	look->torn = false;
	look->stack = PW_STACK_NONE;
	look->object = 0;
	for (int n = 0; n < RETRIES && r == -EAGAIN; n++)
		r = read_again(snapshot, i, &g);
	if (r == -ESRCH || r == -EPERM || r == -ENOMEM)
		return r;
	if (r) {
		leave_out(snapshot, look);
		if (r == -EFAULT)
			pw_snapshot_skip_unread(snapshot, snapshot->target->mem.swapped_out, swapped);
		else
			snapshot->result.torn += r != -ENODATA;
		return 0;
	}
	snapshot->goroutines[i] = g;
	if (g.status == PW_GOROUTINE_RUNNING)
		return 0;
	if (snapshot->unwound.missing && !snapshot->last_retry) {
		look->torn = snapshot->any_asked = true;
		return 0;
	}
	if (snapshot->unwound.count && !snapshot->unwound.missing)
		return pw_snapshot_keep_stack(snapshot, i);
	pw_snapshot_skip(snapshot, PW_SKIP_UNREADABLE, 1);
	return 0;
}

void pw_snapshot_cut_verify(struct pw_snapshot *snapshot)
{
	for (size_t i = snapshot->position; i < snapshot->look.count; i++) {
		struct pw_look *look = &snapshot->look.items[i];

		if (!look->read || look->left_out)
			continue;
		look->read = false;
		look->stack = PW_STACK_NONE;
		pw_snapshot_skip(snapshot, PW_SKIP_TIME, 1);
	}
}

void pw_snapshot_cut_retry(struct pw_snapshot *snapshot)
{
	pw_vec_foreach (&snapshot->look, look) {
		if (!look->torn)
			continue;
		leave_out(snapshot, look);
		pw_snapshot_skip(snapshot, PW_SKIP_TIME, 1);
	}
}

int pw_snapshot_step_retry(struct pw_snapshot *snapshot)
{
	size_t done = 0;

	if (!snapshot->any_torn)
		return 0;
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
