/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Who holds the locks that are waited for. A sync.Mutex has no word for its owner, but `defer mu.Unlock()` and many
 * other uses keep its address on the stack of who has locked it:
 *
 *	semaphore word - 4: a Mutex, - 8 or - 12: an RWMutex (writers, readers); src/sync, go1.17 to 1.27
 *
 * So the stacks of all parked goroutines are looked through, word by word, for the addresses of locks whose waiters
 *have not moved since the last look. It is a guess, and kept from being a wild one: a lock has an owner only if exactly
 *one goroutine has its address, that does not wait for this very lock, nor in a Cond (whose Wait has unlocked it); and
 * nothing is said if not all stacks could be looked at. Costs a second reading of the stacks, and nothing where no
 * lock is waited for.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/record.h"
#include "target/gather.h"
#include "target/snapshot_state.h"
#include "target/target.h"

static const uint8_t places[] = {4, 8, 12};
#define PLACES ARRAY_SIZE(places)

struct lock {
	uint64_t object; /* the semaphore */
	struct {
		uint32_t owner; /* in shown */
		bool several;
	} at[PLACES];
};

struct pw_owners {
	PW_VEC(struct lock) locks;
	struct pw_addr_map lock_of; /* semaphore -> locks */
	struct pw_addr_map bases;   /* where a lock may begin */
	uint64_t least, most;	    /* of bases */
	uint64_t bytes;		    /* read so far */
};

void pw_snapshot_end_owners(struct pw_snapshot *snapshot)
{
	struct pw_owners *owners = TAKE_PTR(snapshot->owners);

	if (!owners)
		return;
	pw_vec_done(&owners->locks);
	pw_addr_map_done(&owners->lock_of);
	pw_addr_map_done(&owners->bases);
	free(owners);
}

/* Waits for a lock, and has done so since the last look (or there was none). */
static bool asks(const struct pw_snapshot *snapshot, const struct pw_snapshot_goroutine *shown)
{
	return shown->goid && shown->wait.kind == PW_WAIT_SEMAPHORE && shown->wait.known &&
	       pw_waits_for_lock(snapshot->waits, shown->wait_reason) && (!snapshot->looks || !shown->runs);
}

static int add_lock(struct pw_owners *owners, uint64_t object)
{
	uint32_t next = (uint32_t)owners->locks.count, at = pw_addr_map_add(&owners->lock_of, object, next);
	struct lock lock = {.object = object};
	int r;

	if (at != next)
		return at == UINT32_MAX ? -ENOMEM : 0;
	for (size_t k = 0; k < PLACES; k++)
		lock.at[k].owner = UINT32_MAX;
	r = pw_vec_push(&owners->locks, lock);
	for (size_t k = 0; k < PLACES && !r; k++) {
		uint64_t base = object - places[k];

		owners->least = PW_MIN(owners->least, base);
		owners->most = PW_MAX(owners->most, base);
		if (pw_addr_map_add(&owners->bases, base, next) == UINT32_MAX)
			r = -ENOMEM;
	}
	return r;
}

static int begin(struct pw_snapshot *snapshot)
{
	struct pw_owners *owners = NULL;

	if (!pw_waits_for_any_lock(snapshot->waits))
		return 0;
	pw_vec_foreach (&snapshot->shown, shown) {
		int r;

		if (!asks(snapshot, shown))
			continue;
		if (!owners) {
			owners = snapshot->owners = calloc(1, sizeof(*owners));
			if (!owners)
				return -ENOMEM;
			owners->locks.max = PW_OWNED_LOCKS_MAX;
			owners->least = UINT64_MAX;
		}
		r = add_lock(owners, shown->wait.object);
		if (r)
			return r;
	}
	return 0;
}

/* Is what the goroutine waits for the same lock, if that begins at base? An RWMutex has three semaphores. Or is base
 * the semaphore itself, which stands on the stack too? */
static bool waits_for_same(const struct pw_snapshot_goroutine *shown, uint64_t base)
{
	return shown->wait.kind == PW_WAIT_SEMAPHORE && shown->wait.object >= base &&
	       shown->wait.object - base <= places[PLACES - 1];
}

static void take_word(struct pw_snapshot *snapshot, uint32_t index, uint64_t word)
{
	struct pw_owners *owners = snapshot->owners;

	if (pw_addr_map_find(&owners->bases, word) == UINT32_MAX || waits_for_same(&snapshot->shown.items[index], word))
		return;
	for (size_t k = 0; k < PLACES; k++) {
		uint32_t at = pw_addr_map_find(&owners->lock_of, word + places[k]);
		struct lock *lock;

		if (at >= owners->locks.count)
			continue;
		lock = &owners->locks.items[at];
		lock->at[k].several |= lock->at[k].owner != UINT32_MAX && lock->at[k].owner != index;
		lock->at[k].owner = index;
	}
}

static bool is_candidate(struct pw_snapshot *snapshot, size_t i)
{
	const struct pw_look *look = &snapshot->look.items[i];
	const struct pw_goroutine *g = &snapshot->goroutines[i];
	const struct pw_snapshot_goroutine *shown;

	if (look->left_out || look->shown == UINT32_MAX || look->stack == PW_STACK_NONE || g->system)
		return false;
	shown = &snapshot->shown.items[look->shown];
	return !shown->running && g->sched_sp >= g->stack_lo && g->sched_sp < g->stack_hi && g->sched_sp % 8 == 0 &&
	       !pw_waits_in_cond(snapshot->waits, g);
}

/* As many stacks as fit into the buffer. Returns the number of ranges; whose[k] is that of range k. */
static size_t plan(struct pw_snapshot *snapshot, uint32_t *whose)
{
	size_t count = 0, used = 0;

	for (; snapshot->position < snapshot->look.count && count < PW_SNAPSHOT_RANGES; snapshot->position++) {
		const struct pw_goroutine *g = &snapshot->goroutines[snapshot->position];
		size_t size;

		if (!is_candidate(snapshot, snapshot->position))
			continue;
		size = (size_t)PW_MIN(g->stack_hi - g->sched_sp, (uint64_t)PW_STACK_READ_MAX);
		if (used + size > PW_SNAPSHOT_BUFFER)
			break;
		snapshot->ranges[count] =
			(struct pw_mem_range){.addr = g->sched_sp, .buffer = snapshot->buffer + used, .size = size};
		whose[count++] = snapshot->look.items[snapshot->position].shown;
		used += size;
	}
	snapshot->owners->bytes += used;
	return count;
}

static int look_through(struct pw_snapshot *snapshot)
{
	const struct pw_owners *owners = snapshot->owners;
	uint32_t whose[PW_SNAPSHOT_RANGES];
	size_t count = plan(snapshot, whose);
	int r = pw_mem_read_many(&snapshot->target->mem, snapshot->ranges, count);

	if (r < 0)
		return r;
	for (size_t k = 0; k < count; k++) {
		const struct pw_mem_range *range = &snapshot->ranges[k];

		for (size_t at = 0; range->ok && at + 8 <= range->size; at += 8) {
			uint64_t word;

			memcpy(&word, (const uint8_t *)range->buffer + at, sizeof(word));
			if (word >= owners->least && word <= owners->most)
				take_word(snapshot, whose[k], word);
		}
	}
	return 0;
}

/* Where the kind of lock is not known yet ("semacquire"), the place tells what it would have to be. */
static void name_owner(struct pw_snapshot *snapshot, struct pw_snapshot_goroutine *shown)
{
	const struct pw_owners *owners = snapshot->owners;
	uint32_t at = pw_addr_map_find(&owners->lock_of, shown->wait.object);

	if (at >= owners->locks.count || !asks(snapshot, shown))
		return;
	for (size_t k = 0; k < PLACES; k++) {
		const struct lock *lock = &owners->locks.items[at];

		if (lock->at[k].owner == UINT32_MAX || lock->at[k].several ||
		    !pw_waits_lock_begins(snapshot->waits, shown->wait_reason, places[k]))
			continue;
		shown->wait.owner_goid = snapshot->shown.items[lock->at[k].owner].goid;
		shown->wait.owner_at = places[k];
		return;
	}
}

int pw_snapshot_step_owners(struct pw_snapshot *snapshot)
{
	int r = snapshot->position ? 0 : begin(snapshot);

	if (!r && snapshot->owners)
		r = look_through(snapshot);
	if (!r && snapshot->owners && snapshot->position < snapshot->look.count &&
	    snapshot->owners->bytes < PW_OWNER_BYTES_MAX)
		return -EAGAIN;
	if (!r && snapshot->owners && snapshot->position >= snapshot->look.count)
		pw_vec_foreach (&snapshot->shown, shown)
			if (shown->wait.kind == PW_WAIT_SEMAPHORE)
				name_owner(snapshot, shown);
	pw_snapshot_end_owners(snapshot);
	return r == -E2BIG ? 0 : r; /* too many locks to look for: no owners */
}
