/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Who waits for which semaphore. From Go 1.26 on g.waiting tells; before, the sudog is only in runtime.semtable: 251
 * roots, each a treap (children in prev and next) of sudogs by address, each the head of a queue (waitlink) of those
 * that wait for the same one (src/runtime/sema.go:semaRoot).
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "target/target.h"
#include "target/waits_state.h"

#define ROOTS		  251u
#define STRIDE		  64u  /* a cache line */
#define STRIDE_ARM64_1_20 128u /* arm64 since 1.20 */

/* Where the table ends in sight of anything strange. */
#define ROUNDS_MAX 65536u

struct walk {
	struct pw_waits *waits;
	struct pw_addr_map seen;
	PW_VEC(uint64_t) now;
	PW_VEC(uint64_t) then;
	int r;
};

static void follow(struct walk *walk, uint64_t sudog)
{
	uint32_t mark = (uint32_t)walk->seen.count;

	if (!sudog || walk->r)
		return;
	if (walk->seen.count >= PW_GOROUTINES_MAX)
		walk->r = -E2BIG;
	else if (pw_addr_map_find(&walk->seen, sudog) != UINT32_MAX)
		return; /* a cycle, or a table that is being changed */
	else if (pw_addr_map_add(&walk->seen, sudog, mark) == UINT32_MAX)
		walk->r = -ENOMEM;
	else
		walk->r = pw_vec_push(&walk->then, sudog);
}

static void take_root(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	(void)item;
	(void)addr;
	follow(context, pw_waits_word(bytes, 0));
}

static void take_sudog(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct walk *walk = context;
	struct pw_waits *waits = walk->waits;
	uint64_t g = pw_waits_word(bytes, waits->field.sudog_g);
	uint64_t semaphore = pw_waits_word(bytes, waits->field.sudog_elem);

	(void)item;
	(void)addr;
	if (!g || !semaphore)
		return;
	if (pw_addr_map_add(&waits->semaphore_of, g, (uint32_t)waits->semaphores.count) == UINT32_MAX)
		walk->r = -ENOMEM;
	else
		walk->r = pw_vec_push(&waits->semaphores, semaphore);
	follow(walk, pw_waits_word(bytes, waits->field.sudog_prev));
	follow(walk, pw_waits_word(bytes, waits->field.sudog_next));
	follow(walk, pw_waits_word(bytes, waits->field.sudog_waitlink));
}

static int walk_table(struct walk *walk, uint64_t table)
{
	struct pw_waits *waits = walk->waits;
	const struct pw_build_facts *facts = &waits->target->build->facts;
	uint64_t stride = facts->arch == PW_ARCH_ARM64 && facts->layout.go_minor >= 20 ? STRIDE_ARM64_1_20 : STRIDE;
	uint64_t roots[ROOTS];
	int r;

	for (size_t i = 0; i < ROOTS; i++)
		roots[i] = table + i * stride + (uint64_t)waits->field.treap;
	r = pw_gather(&waits->target->mem, roots, ROOTS, 8, take_root, walk);
	for (uint32_t round = 0; !r && !walk->r && walk->then.count && round < ROUNDS_MAX; round++) {
		pw_vec_done(&walk->now);
		pw_vec_move(&walk->now, &walk->then);
		r = pw_gather(&waits->target->mem, walk->now.items, walk->now.count, (uint32_t)waits->field.sudog_size,
			      take_sudog, walk);
	}
	return r ? r : walk->r;
}

/* Any whose semaphore is not known from the last look? */
static bool any_unknown(const struct pw_waits *waits)
{
	for (size_t i = 0; i < waits->waiters.count; i++)
		if (waits->waiters.items[i].kind == PW_WAIT_SEMAPHORE && !waits->waiters.items[i].object)
			return true;
	return false;
}

int pw_waits_read_semtable(struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;
	uint64_t table = waits->target->build->facts.globals.addr[PW_GLOBAL_SEMTABLE];
	struct walk walk = {.waits = waits};
	int r;

	if (!table || !any_unknown(waits) || field->treap < 0 || field->sudog_g < 0 || field->sudog_elem < 0 ||
	    field->sudog_prev < 0 || field->sudog_next < 0 || field->sudog_waitlink < 0 || field->sudog_size <= 0)
		return 0;
	r = walk_table(&walk, table + waits->target->bias);
	pw_addr_map_done(&walk.seen);
	pw_vec_done(&walk.now);
	pw_vec_done(&walk.then);
	pw_vec_foreach (&waits->waiters, waiter) {
		uint32_t i = waiter->kind == PW_WAIT_SEMAPHORE ? pw_addr_map_find(&waits->semaphore_of, waiter->g)
							       : UINT32_MAX;

		if (i != UINT32_MAX && i < waits->semaphores.count)
			waiter->object = waits->semaphores.items[i];
	}
	return r == -E2BIG ? 0 : r;
}

/* ---- what stands around the word: the rest of the Mutex, WaitGroup, ... ---- */

#define AROUND (1 + 2 * PW_WAIT_AROUND)

static void take_around(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_waits *waits = context;
	uint64_t first = waits->semaphore_addrs.items[item] - PW_WAIT_AROUND;

	waits->around.items[(size_t)item * AROUND] = 1;
	memcpy(&waits->around.items[(size_t)item * AROUND + 1], bytes + (first - addr), AROUND - 1);
}

static int read_around(struct pw_waits *waits)
{
	size_t count = waits->semaphore_addrs.count;
	_cleanup_free_ uint64_t *addrs = malloc((count + !count) * sizeof(*addrs));
	int r;

	if (!addrs)
		return -ENOMEM;
	r = pw_vec_reserve(&waits->around, count * AROUND);
	if (r || !count)
		return r;
	memset(waits->around.items, 0, count * AROUND);
	waits->around.count = count * AROUND;
	for (size_t i = 0; i < count; i++) /* words of 4 bytes are not at multiples of 8 */
		addrs[i] = (waits->semaphore_addrs.items[i] - PW_WAIT_AROUND) & ~7ULL;
	return pw_gather(&waits->target->mem, addrs, count, AROUND - 1 + 8, take_around, waits);
}

int pw_waits_count_semaphores(struct pw_waits *waits)
{
	pw_vec_foreach (&waits->waiters, waiter) {
		uint32_t i;
		int r = 0;

		if (waiter->kind != PW_WAIT_SEMAPHORE || waiter->object < 4096)
			continue;
		i = pw_addr_map_add(&waits->semaphore_at, waiter->object, (uint32_t)waits->counts.count);
		if (i == UINT32_MAX)
			return -ENOMEM;
		if (i == waits->counts.count)
			r = pw_vec_push(&waits->counts, 0);
		if (!r && i == waits->semaphore_addrs.count)
			r = pw_vec_push(&waits->semaphore_addrs, waiter->object);
		if (r)
			return r;
		waits->counts.items[i]++;
	}
	return read_around(waits);
}

void pw_waits_fill_semaphore(struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait)
{
	uint32_t i = pw_addr_map_find(&waits->semaphore_at, waiter->object);

	if (i == UINT32_MAX)
		return;
	wait->known = true;
	wait->object = waiter->object;
	wait->receivers = waits->counts.items[i];
	wait->around_known = waits->around.items[(size_t)i * AROUND];
	if (wait->around_known)
		memcpy(wait->around, &waits->around.items[(size_t)i * AROUND + 1], sizeof(wait->around));
}
