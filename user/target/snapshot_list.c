/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * What is known of each goroutine before its stack is read: its place in the result, whether it is still the park of
 * the last look (then its stack, its age and its object are kept), and the list of stacks that have to be read.
 */
#include <errno.h>
#include <string.h>

#include "base/huge.h"
#include "model/record.h"
#include "target/core.h"
#include "target/snapshot_state.h"
#include "target/sort.h"
#include "target/target.h"

#define SPAN_MAX (1ULL << (64 - PW_SNAPSHOT_INDEX)) /* of goids, or of addresses / 8, beside an index */

struct goids {
	uint64_t least, most;
};

int pw_snapshot_sort(struct pw_snapshot *snapshot, uint64_t *keys, size_t count)
{
	if (snapshot->scratch_capacity < count) {
		free(snapshot->scratch);
		snapshot->scratch = pw_huge_alloc(count * sizeof(*snapshot->scratch));
		snapshot->scratch_capacity = snapshot->scratch ? count : 0;
		if (!snapshot->scratch)
			return -ENOMEM;
	}
	pw_sort_u64(keys, count, PW_SNAPSHOT_INDEX, snapshot->scratch);
	return 0;
}

static bool has_stack(const struct pw_goroutine *g)
{
	return (g->status != PW_GOROUTINE_RUNNING || g->placed) && g->sched_sp >= g->stack_lo &&
	       g->sched_sp < g->stack_hi && g->sched_sp % 8 == 0;
}

/* In a core file nothing moves: running goroutines have a place, too. */
static void place_running(struct pw_snapshot *snapshot, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (snapshot->goroutines[i].status == PW_GOROUTINE_RUNNING)
			pw_frozen_place(snapshot->target, &snapshot->goroutines[i]);
}

static void recall(struct pw_snapshot *snapshot, size_t i, uint32_t before)
{
	struct pw_look *look = &snapshot->look.items[i];
	const struct pw_goroutine *g = &snapshot->goroutines[i];
	const struct pw_seen *seen = &snapshot->seen.items[before];

	if (seen->goid != g->goid)
		return;
	look->before = before;
	if (!seen->parked || !pw_snapshot_same_park(seen, g) || g->status == PW_GOROUTINE_RUNNING)
		return;
	look->object = seen->object;
	if (seen->sp == g->sched_sp && seen->hi == g->stack_hi)
		look->stack = seen->stack;
}

/*
 * What is known of each from the last look; their goids, in todo, and the lowest stack: keys count from there. A
 * goroutine stays in its g until it ends, so both looks are merged by the address of it.
 */
static struct goids recall_all(struct pw_snapshot *snapshot, size_t count)
{
	struct goids goids = {.least = UINT64_MAX};
	uint32_t before = 0;

	snapshot->base = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		const struct pw_goroutine *g = &snapshot->goroutines[i];

		snapshot->look.items[i] = (struct pw_look){
			.stack = PW_STACK_NONE, .before = UINT32_MAX, .shown = UINT32_MAX, .left_out = true};
		while (before < snapshot->seen.count && snapshot->seen.items[before].addr < g->addr)
			before++;
		if (before < snapshot->seen.count && snapshot->seen.items[before].addr == g->addr)
			recall(snapshot, i, before);
		snapshot->todo.items[i] = g->goid;
		goids.least = PW_MIN(goids.least, g->goid);
		goids.most = PW_MAX(goids.most, g->goid);
		if (has_stack(g))
			snapshot->base = PW_MIN(snapshot->base, g->sched_sp);
	}
	return goids;
}

/* A goroutine gets its place in the result, unless it is over the memory budget. */
static void give_place(struct pw_snapshot *snapshot, size_t i, uint64_t place)
{
	struct pw_look *look = &snapshot->look.items[i];

	if (place >= snapshot->most)
		return;
	look->shown = (uint32_t)place;
	look->left_out = false;
	snapshot->shown.count++;
}

/* By sorting them: goids far apart, as in a program that has run for long. */
static int place_by_sorting(struct pw_snapshot *snapshot, size_t count, const struct goids *goids)
{
	uint64_t *keys = snapshot->todo.items;
	uint64_t place = 0;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		if (keys[i] - goids->least < SPAN_MAX)
			keys[n++] = (keys[i] - goids->least) << PW_SNAPSHOT_INDEX | i;
	r = pw_snapshot_sort(snapshot, keys, n);
	for (size_t k = 0; !r && k < n; k++) {
		if (k && keys[k] >> PW_SNAPSHOT_INDEX == keys[k - 1] >> PW_SNAPSHOT_INDEX)
			snapshot->result.torn++;
		else
			give_place(snapshot, pw_snapshot_index(keys[k]), place++);
	}
	return r;
}

/* By counting those before: a bit for each goid, and for each word of bits how many come before it. Goids are dense
 * enough in most programs, and nothing is moved. */
static int place_by_counting(struct pw_snapshot *snapshot, size_t count, const struct goids *goids)
{
	size_t words = (size_t)((goids->most - goids->least) / 64) + 1;
	_cleanup_free_ uint64_t *bits = calloc(words, sizeof(*bits));
	_cleanup_free_ uint32_t *before = malloc(words * sizeof(*before));
	uint32_t total = 0;

	if (!bits || !before)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint64_t n = snapshot->todo.items[i] - goids->least, bit = 1ULL << (n % 64);

		snapshot->look.items[i].torn = bits[n / 64] & bit;
		bits[n / 64] |= bit;
	}
	for (size_t w = 0; w < words; w++) {
		before[w] = total;
		total += (uint32_t)__builtin_popcountll(bits[w]);
	}
	for (size_t i = 0; i < count; i++) {
		struct pw_look *look = &snapshot->look.items[i];
		uint64_t n = snapshot->todo.items[i] - goids->least, below = (1ULL << (n % 64)) - 1;

		if (look->torn)
			snapshot->result.torn++;
		else
			give_place(snapshot, i, before[n / 64] + (uint64_t)__builtin_popcountll(bits[n / 64] & below));
		look->torn = false;
	}
	return 0;
}

/* A place in the result, by goid, for each that fits into the memory budget, the oldest first. Of two of one goid one
 * ended while we looked, and was counted as torn. */
static int give_places(struct pw_snapshot *snapshot, size_t count)
{
	struct goids goids = recall_all(snapshot, count);

	if (!count || goids.most - goids.least > 64 * (uint64_t)count)
		return place_by_sorting(snapshot, count, &goids);
	return place_by_counting(snapshot, count, &goids);
}

/* The list of stacks to be read, by address. */
static int list_stacks(struct pw_snapshot *snapshot, size_t count)
{
	snapshot->todo.count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct pw_look *look = &snapshot->look.items[i];
		const struct pw_goroutine *g = &snapshot->goroutines[i];

		if (look->left_out)
			continue;
		if (look->stack != PW_STACK_NONE)
			snapshot->result.stacks_kept++;
		else if (g->status == PW_GOROUTINE_RUNNING && !g->placed)
			continue;
		else if (!has_stack(g) || (g->sched_sp - snapshot->base) / 8 >= SPAN_MAX)
			pw_snapshot_skip(snapshot, PW_SKIP_UNREADABLE, 1);
		else
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
	pw_stack_memo_reset(&snapshot->memo);
	pw_vec_foreach (&snapshot->seen, seen)
		seen->stack = PW_STACK_NONE;
}

int pw_snapshot_list(struct pw_snapshot *snapshot)
{
	const struct pw_census_result *census = pw_census_result(snapshot->census);
	size_t count = census->count;
	int r;

	forget_stacks(snapshot);
	snapshot->goroutines = (struct pw_goroutine *)census->goroutines;
	snapshot->shown.count = snapshot->look.count = snapshot->todo.count = snapshot->gaps = 0;
	snapshot->any_read = snapshot->any_torn = snapshot->any_asked = snapshot->last_retry = false;
	if (snapshot->target->frozen)
		place_running(snapshot, count);
	r = pw_vec_reserve(&snapshot->shown, (size_t)PW_MIN((uint64_t)count, snapshot->most));
	if (!r)
		r = pw_vec_reserve(&snapshot->look, count);
	if (!r)
		r = pw_vec_reserve(&snapshot->todo, count);
	if (r)
		return r;
	snapshot->look.count = count;
	snapshot->result.torn = census->torn;
	r = give_places(snapshot, count);
	if (r)
		return r;
	pw_snapshot_skip(snapshot, PW_SKIP_SWAPPED, census->swapped);
	pw_snapshot_skip(snapshot, PW_SKIP_MEMORY,
			 census->capped + count - snapshot->shown.count - (snapshot->result.torn - census->torn));
	pw_snapshot_skip(snapshot, PW_SKIP_UNREADABLE,
			 census->skipped - census->swapped - census->capped - snapshot->cut);
	return list_stacks(snapshot, count);
}
