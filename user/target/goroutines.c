/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The walk of all goroutines. What makes it cheap: g structures lie close together in spans of their own, so the sorted
 * list of their addresses falls into long ranges that are read whole, gaps and all, at memory bandwidth; reading each
 * by itself takes three times as long. The list only ever grows at its end, so the order is kept between censuses and
 * only what is new is sorted.
 *
 * What makes it right: a goroutine that is parked does not change, so one look is enough. All others (runnable,
 * running, in a system call), and what makes no sense, are looked at again: twice in one call, which is some hundred
 * nanoseconds apart, and that is it if both are of one goroutine. One that never holds still is left out and counted as
 * torn; a busy program has some of those and the rest of it is whole. Only where much makes no sense at any look is
 * nothing believed. Of a program that has used no CPU time since the last census nothing is read.
 */
#include "target/goroutines.h"

#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/runtime.h"
#include "target/sort.h"
#include "target/swapped.h"
#include "target/target.h"

#define LIST_CHUNK  32768u /* entries of runtime.allgs per read: 256 kB */
#define BUFFER_SIZE (512u << 10)
#define RANGES_MAX  512u
#define LOOKS_MAX   4		     /* after the first one */
#define PAIRS_MAX   (RANGES_MAX / 4) /* of looks at one g in one call: 2 * PW_G_SIZE_MAX each fit into the buffer */
#define GAP_MAX	    512u /* bytes between two g that are rather read than skipped; measured best of 64 to 4096 */

enum phase { PHASE_LIST, PHASE_READ, PHASE_DONE };

struct again { /* to be looked at a second time */
	uint64_t addr;
	uint32_t slot; /* in goroutines: its place by address */
	bool nonsense; /* no look at it made sense yet */
};

struct pw_census {
	struct pw_target *target; /* borrowed, from begin to the last step */
	struct pw_gread plan;
	struct pw_swapped swapped;
	size_t max;
	enum phase phase;
	struct pw_census_result result;
	struct pw_runtime_list allgs;
	size_t wanted;		 /* entries of allgs to read */
	size_t list_done;	 /* read so far */
	size_t sorted_of;	 /* entries of list that sorted holds: those of the last census */
	PW_VEC(uint64_t) list;	 /* as in runtime.allgs */
	PW_VEC(uint64_t) sorted; /* the same by address */
	size_t position;	 /* in sorted */
	PW_VEC(struct pw_goroutine) goroutines;
	const struct pw_build_facts *facts; /* of the last census, to compare */
	size_t slots_used;		    /* of goroutines, by the last census of the same process */
	uint64_t ran_ns, whole_ran_ns; /* the target's CPU time at the begin of this census, of the last whole one; 0 */
	struct again *again;
	size_t again_count;
	size_t removed;	   /* slots of goroutines since the last close_gaps that are empty (addr 0) */
	uint64_t nonsense; /* of the torn ones: no look made sense */
	uint8_t *buffer;
	struct pw_mem_range *ranges;
	uint32_t *range_first; /* of the g in sorted that begins a range */
};

int pw_census_new(struct pw_census **ret_census)
{
	struct pw_census *census = calloc(1, sizeof(*census));

	if (!census)
		return -ENOMEM;
	census->phase = PHASE_DONE;
	census->max = PW_GOROUTINES_MAX;
	census->swapped.fd = -1;
	census->list.max = census->sorted.max = census->goroutines.max = PW_GOROUTINES_MAX;
	*ret_census = census;
	return 0;
}

void pw_census_free(struct pw_census *census)
{
	if (!census)
		return;
	pw_swapped_close(&census->swapped);
	pw_vec_done(&census->list);
	pw_vec_done(&census->sorted);
	pw_vec_done(&census->goroutines);
	free(census->again);
	free(census->buffer);
	free(census->ranges);
	free(census->range_first);
	free(census);
}

/* The working memory of a walk: 1.5 MB, given back when it is over. */
static int get_buffers(struct pw_census *census)
{
	if (!census->buffer)
		census->buffer = malloc(BUFFER_SIZE);
	if (!census->again)
		census->again = malloc(BUFFER_SIZE / census->plan.need * sizeof(*census->again));
	if (!census->ranges)
		census->ranges = malloc(RANGES_MAX * sizeof(*census->ranges));
	if (!census->range_first)
		census->range_first = malloc(RANGES_MAX * sizeof(*census->range_first));
	return census->buffer && census->again && census->ranges && census->range_first ? 0 : -ENOMEM;
}

static void put_buffers(struct pw_census *census)
{
	free(TAKE_PTR(census->buffer));
	free(TAKE_PTR(census->again));
	free(TAKE_PTR(census->ranges));
	free(TAKE_PTR(census->range_first));
}

void pw_census_set_max(struct pw_census *census, size_t max)
{
	census->max = PW_MIN(max, (size_t)PW_GOROUTINES_MAX);
}

/* A program that has not run since the begin of the last census has the goroutines that it had. */
static bool nothing_ran(const struct pw_census *census, const struct pw_census_result *now)
{
	return census->ran_ns && census->ran_ns == census->whole_ran_ns && census->plan.facts == census->facts &&
	       now->allglen == census->result.allglen && now->capped == census->result.capped;
}

static int begin(struct pw_census *census, struct pw_target *target)
{
	_cleanup_free_ struct pw_runtime_ps *ps = NULL;
	struct pw_census_result result = {.num_goroutine = PW_UNKNOWN};
	uint64_t bytes = target->mem.bytes, start = pw_now_ns();
	int r;

	census->phase = PHASE_DONE;
	if (!target->build || !target->bias_known)
		return -ENOTSUP;
	census->ran_ns = pw_mem_ran_ns(&target->mem);
	r = pw_gread_init(&census->plan, &target->build->facts, target->bias);
	if (!r)
		r = pw_runtime_goroutine_list(target, &census->allgs);
	if (r)
		return r;
	result.started_ns = pw_boot_ns();
	result.allglen = census->allgs.length;
	ps = malloc(sizeof(*ps));
	if (!ps)
		return -ENOMEM;
	r = pw_runtime_read_ps(target, ps);
	if (!r)
		r = pw_runtime_num_goroutine(target, ps, result.allglen, &result.num_goroutine);
	if (r == -ESRCH || r == -EPERM)
		return r; /* else: that number stays unknown */

	census->wanted = (size_t)PW_MIN(result.allglen, (uint64_t)census->max);
	result.skipped = result.capped = result.allglen - census->wanted;
	if (nothing_ran(census, &result)) {
		census->result.num_goroutine = result.num_goroutine;
		census->result.started_ns = result.started_ns;
		census->result.bytes_read = target->mem.bytes - bytes;
		census->result.duration_ns = pw_now_ns() - start;
		return 0;
	}
	census->whole_ran_ns = 0;
	census->list_done = census->position = census->again_count = census->removed = 0;
	census->nonsense = 0;
	if (census->wanted < census->sorted_of)
		census->sorted_of = 0; /* it never shrinks: not the process that it was */
	census->slots_used = census->sorted_of && census->plan.facts == census->facts ? census->goroutines.count : 0;
	census->facts = census->plan.facts;
	pw_vec_reset(&census->goroutines);
	r = get_buffers(census);
	if (r)
		return r;
	census->target = target;
	result.bytes_read = target->mem.bytes - bytes;
	result.duration_ns = pw_now_ns() - start;
	census->result = result;
	census->phase = PHASE_LIST;
	return 0;
}

/* Pages that are swapped out are left there, unless who has asked for this walk sees to that already. */
static bool guard(struct pw_census *census, struct pw_target *target)
{
	if (target->mem.swapped)
		return false;
	target->mem.swapped = &census->swapped;
	return true;
}

int pw_census_begin(struct pw_census *census, struct pw_target *target)
{
	bool guarded;
	int r;

	pw_swapped_close(&census->swapped);
	if (!target->mem.swapped && !target->frozen)
		pw_swapped_open(&census->swapped, target->pid);
	guarded = guard(census, target);
	r = begin(census, target);
	if (guarded)
		target->mem.swapped = NULL;
	return r;
}

/* ---- the list ---- */

static bool plausible_address(uint64_t addr)
{
	return addr >= 4096 && addr % 8 == 0 && addr < PW_USER_ADDRESS_MAX;
}

/* Brings `sorted` up to date with `list`, of which the first sorted_of entries were in it already. */
static int sort_list(struct pw_census *census)
{
	size_t known = census->sorted_of, fresh = census->list.count - known, kept = 0;
	_cleanup_free_ uint64_t *tail = NULL;
	int r;

	if (!known)
		pw_vec_reset(&census->sorted);
	if (!fresh)
		return 0;
	tail = malloc(2 * fresh * sizeof(*tail));
	if (!tail)
		return -ENOMEM;
	for (size_t i = 0; i < fresh; i++) {
		if (plausible_address(census->list.items[known + i]))
			tail[kept++] = census->list.items[known + i];
		else
			census->result.skipped++;
	}
	pw_sort_u64(tail, kept, 0, tail + fresh);
	r = pw_vec_reserve(&census->sorted, kept);
	if (r)
		return r;
	census->sorted.count = pw_merge_u64(census->sorted.items, census->sorted.count, tail, kept);
	census->sorted_of = census->list.count;
	return 0;
}

/* One chunk of runtime.allgs. 0 the list is complete and sorted, -EAGAIN more to do. */
static int step_list(struct pw_census *census)
{
	size_t n = PW_MIN(census->wanted - census->list_done, (size_t)LIST_CHUNK), at = census->list_done, known;
	uint64_t *chunk = (uint64_t *)(void *)census->buffer;
	int r;

	if (n) {
		r = pw_mem_read(&census->target->mem, census->allgs.addr + at * sizeof(*chunk), chunk,
				n * sizeof(*chunk));
		if (r)
			return r;
		known = at < census->sorted_of ? PW_MIN(census->sorted_of - at, n) : 0;
		if (known && memcmp(census->list.items + at, chunk, known * sizeof(*chunk)) != 0)
			census->sorted_of = 0; /* another process, or garbage: begin anew */
		census->list.count = at;
		r = pw_vec_reserve(&census->list, n);
		if (r)
			return r;
		memcpy(census->list.items + at, chunk, n * sizeof(*chunk));
		census->list.count = census->list_done = at + n;
	}
	if (census->list_done < census->wanted)
		return -EAGAIN;
	r = sort_list(census);
	if (!r)
		r = pw_vec_reserve(&census->goroutines, census->sorted.count);
	return r;
}

/* ---- the goroutines ---- */

/* Packs the next g into ranges over neighbours. Returns the number of ranges; *ret_next is the first g left out. */
static size_t plan_ranges(struct pw_census *census, size_t *ret_next)
{
	const uint64_t *sorted = census->sorted.items;
	size_t count = census->sorted.count, i = census->position, ranges = 0, used = 0;
	uint32_t need = census->plan.need;

	count = PW_MIN(count, i + BUFFER_SIZE / need); /* g that overlap are garbage, but `again` has to hold them */
	while (i < count && ranges < RANGES_MAX && used + need <= BUFFER_SIZE) {
		uint64_t start = sorted[i], end = start + need;

		census->range_first[ranges] = (uint32_t)i++;
		while (i < count && sorted[i] <= end + GAP_MAX && sorted[i] + need - start <= BUFFER_SIZE - used) {
			end = PW_MAX(end, sorted[i] + need);
			i++;
		}
		census->ranges[ranges++] =
			(struct pw_mem_range){.addr = start, .buffer = census->buffer + used, .size = end - start};
		used += end - start;
	}
	*ret_next = i;
	return ranges;
}

static void look_again(struct pw_census *census, uint64_t addr, bool nonsense)
{
	uint32_t slot = (uint32_t)census->goroutines.count++;

	census->goroutines.items[slot].addr = 0;
	census->again[census->again_count++] = (struct again){addr, slot, nonsense};
	census->removed++;
}

/* In most censuses most goroutines are those of the last one, parked where they were: their slots hold all of it. */
static bool is_as_before(const struct pw_census *census, const struct pw_goroutine *slot, uint64_t addr,
			 const uint8_t *bytes)
{
	return census->goroutines.count < census->slots_used && slot->addr == addr && census->plan.tracking_seq >= 0 &&
	       slot->status == PW_GOROUTINE_WAITING && pw_gread_same_park(&census->plan, bytes, slot);
}

static void take_first_look(struct pw_census *census, uint64_t addr, const uint8_t *bytes)
{
	struct pw_goroutine *slot = &census->goroutines.items[census->goroutines.count];
	const char *what;

	if (is_as_before(census, slot, addr, bytes)) {
		census->goroutines.count++;
		return;
	}
	switch (pw_gread_parse(&census->plan, addr, bytes, slot, &what)) {
	case PW_GREAD_DEAD:
		census->result.dead++;
		break;
	case PW_GREAD_BAD:
		look_again(census, addr, true);
		break;
	case PW_GREAD_LIVE:
		if (slot->status == PW_GOROUTINE_WAITING || slot->status == PW_GOROUTINE_LEAKED)
			census->goroutines.count++;
		else
			look_again(census, addr, false);
		break;
	}
}

/* The range as a whole could not be read: something was unmapped within. Each g by itself, then. */
static int read_one_by_one(struct pw_census *census, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		uint64_t addr = census->sorted.items[i];
		uint8_t bytes[PW_G_SIZE_MAX + 8];
		uint64_t swapped = census->target->mem.swapped_out;
		int r = pw_mem_read(&census->target->mem, addr, bytes, census->plan.need);

		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r)
			census->result.skipped++;
		else
			take_first_look(census, addr, bytes);
		census->result.swapped += census->target->mem.swapped_out - swapped;
	}
	return 0;
}

/* Two looks in a row, `need` bytes each. True: it has to be looked at once more, since they are not of one goroutine.
 */
static bool take_next_look(struct pw_census *census, struct again *again, const uint8_t *bytes)
{
	struct pw_goroutine *slot = &census->goroutines.items[again->slot], first = {};
	enum pw_gread_verdict verdict;
	const char *what;

	verdict = pw_gread_parse(&census->plan, again->addr, bytes, &first, &what);
	if (verdict != PW_GREAD_DEAD)
		verdict = pw_gread_parse(&census->plan, again->addr, bytes + census->plan.need, slot, &what);
	if (verdict == PW_GREAD_DEAD) {
		census->result.dead++;
		slot->addr = 0;
		return false;
	}
	if (verdict == PW_GREAD_BAD)
		return true;
	again->nonsense = false;
	if (slot->status == PW_GOROUTINE_WAITING ||
	    (first.goid == slot->goid && first.gopc == slot->gopc && first.startpc == slot->startpc)) {
		census->removed--;
		return false;
	}
	slot->addr = 0;
	return true;
}

/* Looks at [done, done + n) of census->again; those that need one more look are kept at [*kept, ...). */
static int look_once_more(struct pw_census *census, size_t done, size_t n, size_t *kept)
{
	uint32_t need = census->plan.need;
	int r;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 2; k++)
			census->ranges[2 * i + k] = (struct pw_mem_range){.addr = census->again[done + i].addr,
									  .buffer = census->buffer + (2 * i + k) * need,
									  .size = need};
	r = pw_mem_read_many(&census->target->mem, census->ranges, 2 * n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct again again = census->again[done + i];

		if (!census->ranges[2 * i].ok || !census->ranges[2 * i + 1].ok) {
			census->result.skipped++;
			census->result.swapped += census->ranges[2 * i].swapped || census->ranges[2 * i + 1].swapped;
		} else if (take_next_look(census, &again, census->ranges[2 * i].buffer))
			census->again[(*kept)++] = again;
	}
	return 0;
}

static int next_looks(struct pw_census *census)
{
	for (int look = 0; look < LOOKS_MAX && census->again_count; look++) {
		size_t kept = 0;

		for (size_t done = 0; done < census->again_count;) {
			size_t n = PW_MIN(census->again_count - done, (size_t)PAIRS_MAX);
			int r = look_once_more(census, done, n, &kept);

			if (r)
				return r;
			done += n;
		}
		census->again_count = kept;
	}
	census->result.torn += census->again_count;
	for (size_t i = 0; i < census->again_count; i++)
		census->nonsense += census->again[i].nonsense;
	census->again_count = 0;
	return 0;
}

/* Goroutines from first on whose slots stayed empty leave no gap. */
static void close_gaps(struct pw_census *census, size_t first)
{
	size_t kept = first;

	if (!census->removed)
		return;
	for (size_t i = first; i < census->goroutines.count; i++) {
		if (!census->goroutines.items[i].addr)
			continue;
		if (kept != i)
			census->goroutines.items[kept] = census->goroutines.items[i];
		kept++;
	}
	census->goroutines.count = kept;
	census->removed = 0;
}

/* A buffer full of goroutines. 0 all are read, -EAGAIN more to do. */
static int step_read(struct pw_census *census)
{
	size_t next, ranges = plan_ranges(census, &next), before = census->goroutines.count;
	int r;

	if (!ranges)
		return 0;
	r = pw_mem_read_many(&census->target->mem, census->ranges, ranges);
	if (r < 0)
		return r;
	for (size_t k = 0; k < ranges; k++) {
		struct pw_mem_range range = census->ranges[k];
		size_t end = k + 1 < ranges ? census->range_first[k + 1] : next, i = census->range_first[k];

		if (!range.ok) {
			r = read_one_by_one(census, i, end);
			if (r)
				return r;
			continue;
		}
		for (; i < end; i++) {
			uint64_t addr = census->sorted.items[i];

			take_first_look(census, addr, (uint8_t *)range.buffer + (addr - range.addr));
		}
	}
	census->position = next;
	r = next_looks(census);
	if (r)
		return r;
	close_gaps(census, before);
	return census->position < census->sorted.count ? -EAGAIN : 0;
}

/* Something that is no Go process any more would show itself here: its g are no g, or not there. That many moved while
 * they were read only says that it is busy. */
static int believe(const struct pw_census *census)
{
	const struct pw_census_result *result = &census->result;

	if (!census->goroutines.count)
		return result->swapped ? -EFAULT : -EBADMSG;
	if (census->nonsense + result->skipped - result->swapped - result->capped > 16 + result->allglen / 20)
		return -EBADMSG;
	return 0;
}

static int step(struct pw_census *census)
{
	int r;

	if (census->phase == PHASE_LIST) {
		r = step_list(census);
		if (r)
			return r;
		census->phase = PHASE_READ;
	}
	r = step_read(census);
	return r ? r : believe(census);
}

static void finish(struct pw_census *census, int r)
{
	census->phase = PHASE_DONE;
	census->target = NULL;
	put_buffers(census);
	pw_swapped_close(&census->swapped);
	census->result.goroutines = census->goroutines.items;
	census->result.count = r ? 0 : census->goroutines.count;
	if (!r && !census->result.torn && census->result.skipped == census->result.capped)
		census->whole_ran_ns = census->ran_ns;
}

int pw_census_step(struct pw_census *census, uint64_t budget_ns)
{
	uint64_t start = pw_now_ns(), bytes, now;
	bool guarded;
	int r;

	if (census->phase == PHASE_DONE)
		return 0;
	guarded = guard(census, census->target);
	bytes = census->target->mem.bytes;
	do {
		r = step(census);
		now = pw_now_ns();
	} while (r == -EAGAIN && now - start < budget_ns);
	census->result.duration_ns += now - start;
	census->result.bytes_read += census->target->mem.bytes - bytes;
	if (guarded)
		census->target->mem.swapped = NULL;
	if (r == -EAGAIN)
		return r;
	finish(census, r);
	return r;
}

uint64_t pw_census_cut(struct pw_census *census)
{
	uint64_t left;

	if (census->phase == PHASE_DONE)
		return 0;
	left = census->phase == PHASE_LIST ? census->wanted : census->sorted.count - census->position;
	if (census->phase == PHASE_LIST)
		census->sorted_of = 0; /* half a list: the next walk begins anew */
	census->result.skipped += left;
	finish(census, 0);
	return left;
}

const struct pw_census_result *pw_census_result(const struct pw_census *census)
{
	return &census->result;
}
