/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/builder.h"
#include "observe/parks_state.h"
#include "observe/profile_wait.h"
#include "observe/statements.h"

/*
 * Whoever unlocks a sync.Mutex or RWMutex that others wait for wakes one of them (src/sync/mutex.go:unlockSlow,
 * rwmutex.go, go1.17 to 1.27), and who is woken runs, even if it has to wait again. So a lock whose waiters are all
 * still in the same park has not been unlocked.
 */
#define STEPS_MAX 32 /* along "waits for a lock held by" */

void pw_locks_begin(struct pw_locks *locks, const struct pw_locks *previous)
{
	pw_vec_reset(&locks->seen);
	pw_vec_reset(&locks->shown);
	pw_addr_map_reset(&locks->at);
	locks->seen.max = PW_OWNED_LOCKS_MAX;
	locks->last_number = previous ? previous->last_number : 0;
	locks->left_out = 0;
}

void pw_locks_done(struct pw_locks *locks)
{
	pw_vec_done(&locks->seen);
	pw_vec_done(&locks->shown);
	pw_addr_map_done(&locks->at);
}

int pw_locks_add(struct pw_locks *locks, const struct pw_snapshot_goroutine *g, uint32_t index, uint64_t before_ns)
{
	uint32_t next = (uint32_t)locks->seen.count, at;
	struct pw_lock_seen *lock;

	if (!g->wait.lock || !g->wait.known || !g->wait.object || !pw_status_parked(g->status) || !g->parked_since_ns)
		return 0;
	at = pw_addr_map_find(&locks->at, g->wait.object);
	if (at == UINT32_MAX) {
		int r = pw_vec_push(&locks->seen,
				    ((struct pw_lock_seen){.object = g->wait.object, .oldest_since_ns = UINT64_MAX}));

		if (r == -E2BIG)
			return 0;
		at = r ? UINT32_MAX : pw_addr_map_add(&locks->at, g->wait.object, next);
		if (at == UINT32_MAX)
			return -ENOMEM;
	}
	lock = &locks->seen.items[at];
	lock->waiters++;
	if (g->parked_since_ns < lock->oldest_since_ns) {
		lock->oldest_since_ns = g->parked_since_ns;
		lock->oldest = index;
	}
	lock->stayed += before_ns && g->parked_since_ns <= before_ns;
	return 0;
}

/* --- which are still ---------------------------------------------------------------------------------------------- */

static const struct pw_lock_seen *find(const struct pw_locks *locks, uint64_t object)
{
	uint32_t at = locks ? pw_addr_map_find(&locks->at, object) : UINT32_MAX;

	return at == UINT32_MAX ? NULL : &locks->seen.items[at];
}

static int by_goid(const void *goid, const void *g)
{
	uint64_t left = *(const uint64_t *)goid, right = ((const struct pw_snapshot_goroutine *)g)->goid;

	return (left > right) - (left < right);
}

static const struct pw_snapshot_goroutine *with_goid(const struct pw_snapshot_result *look, uint64_t goid)
{
	return goid && look->count ? bsearch(&goid, look->goroutines, look->count, sizeof(*look->goroutines), by_goid)
				   : NULL;
}

static struct pw_lock_party party(struct pw_parks *parks, struct pw_statements *statements,
				  const struct pw_snapshot_goroutine *g)
{
	return (struct pw_lock_party){.group = pw_parks_group_of(parks, statements, g),
				      .goid = g->goid,
				      .since_ns = g->parked_since_ns,
				      .wait = g->wait};
}

/* The lock itself is added to the entry of the group that its longest waiter is in, a new one if need be. */
static int add_still(struct pw_parks *parks, const struct pw_snapshot_goroutine *oldest,
		     struct pw_statements *statements, const struct pw_lock_seen *lock)
{
	struct pw_park_group *group = pw_parks_group_of(parks, statements, oldest);
	struct pw_locks *locks = &parks->locks;
	struct pw_lock_shown *shown;

	if (!group || !group->key.pc_count)
		return 0; /* one of very many stacks, beyond those that are told apart */
	if (group->lock == UINT32_MAX) {
		int r = pw_vec_push(&locks->shown, (struct pw_lock_shown){});

		if (r)
			return r == -E2BIG ? 0 : r;
		group->lock = (uint32_t)locks->shown.count - 1;
	}
	shown = &locks->shown.items[group->lock];
	shown->locks++;
	shown->all_waiters += lock->waiters;
	if (shown->locks > 1 && lock->still_since_ns >= shown->lock.still_since_ns)
		return 0;
	shown->lock = *lock;
	shown->waiter = party(parks, statements, oldest);
	shown->at_least = oldest->parked_at_least;
	return 0;
}

static int find_still(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements)
{
	const struct pw_locks *previous = parks->previous ? &parks->previous->locks : NULL;
	struct pw_locks *locks = &parks->locks;

	pw_vec_foreach (&locks->seen, lock) {
		const struct pw_lock_seen *before = find(previous, lock->object);
		int r;

		lock->number = before ? before->number : ++locks->last_number;
		lock->still_since_ns =
			before && lock->stayed >= before->waiters ? before->still_since_ns : parks->taken_ns;
		if (lock->still_since_ns == parks->taken_ns)
			continue;
		r = add_still(parks, &look->goroutines[lock->oldest], statements, lock);
		if (r)
			return r;
	}
	return 0;
}

/* Those whose wait reason names a lock first: "semacquire" may be something else; then the longest. */
static int by_length(const void *a, const void *b)
{
	const struct pw_lock_shown *left = a, *right = b;

	if (left->waiter.wait.lock_sure != right->waiter.wait.lock_sure)
		return left->waiter.wait.lock_sure ? -1 : 1;
	if (left->lock.still_since_ns != right->lock.still_since_ns)
		return left->lock.still_since_ns < right->lock.still_since_ns ? -1 : 1;
	if (left->all_waiters != right->all_waiters)
		return left->all_waiters > right->all_waiters ? -1 : 1;
	return (left->lock.number > right->lock.number) - (left->lock.number < right->lock.number);
}

/* --- who holds them ------------------------------------------------------------------------------------------------
 */

static void copy_circle(struct pw_lock_shown *shown, const struct pw_lock_party *chain, size_t count)
{
	shown->circle_count = (uint32_t)count;
	for (size_t i = 0; i < PW_MIN(count, (size_t)PW_LOCK_CIRCLE_MAX); i++)
		shown->circle[i] = chain[i];
}

/* Along the owners: does one of them wait for a lock that an earlier one holds? */
static void find_owner(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements,
		       struct pw_lock_shown *shown)
{
	struct pw_lock_party chain[STEPS_MAX];
	uint64_t goid = shown->waiter.wait.owner_goid;

	for (size_t n = 0; goid && n < STEPS_MAX; n++) {
		const struct pw_snapshot_goroutine *g = with_goid(look, goid);

		for (size_t i = 0; i < n; i++)
			if (chain[i].goid == goid) {
				copy_circle(shown, chain + i, n - i);
				return;
			}
		if (!g)
			return;
		chain[n] = party(parks, statements, g);
		if (!n)
			shown->owner = chain[0];
		goid = g->wait.lock && g->wait.known ? g->wait.owner_goid : 0;
	}
}

/* At most PW_LOCKS_STACKS groups. */
static void want_stack(struct pw_park_group *group, size_t *left)
{
	if (!group || group->shown || !group->key.pc_count || !*left)
		return;
	group->shown = true;
	(*left)--;
}

int pw_locks_choose(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements)
{
	struct pw_locks *locks = &parks->locks;
	size_t left = PW_LOCKS_STACKS;
	int r = find_still(parks, look, statements);

	if (r || !locks->shown.count)
		return r;
	qsort(locks->shown.items, locks->shown.count, sizeof(*locks->shown.items), by_length);
	if (locks->shown.count > PW_LOCKS_SHOWN_MAX) {
		locks->left_out = locks->shown.count - PW_LOCKS_SHOWN_MAX;
		locks->shown.count = PW_LOCKS_SHOWN_MAX;
	}
	pw_vec_foreach (&locks->shown, shown)
		want_stack(shown->waiter.group, &left);
	pw_vec_foreach (&locks->shown, shown) {
		find_owner(parks, look, statements, shown);
		want_stack(shown->owner.group, &left);
		for (size_t i = 0; i < PW_MIN(shown->circle_count, (uint32_t)PW_LOCK_CIRCLE_MAX); i++)
			want_stack(shown->circle[i].group, &left);
	}
	return 0;
}

/* --- the record ----------------------------------------------------------------------------------------------------
 */

/* What a goroutine waits for, by the names on its stack: they have to be there. */
static enum pw_sync_class class_of(const struct pw_park_group *group, const char (*names)[40], size_t name_count)
{
	if (!group || !group->shown || !group->frames)
		return PW_SYNC_NONE;
	return pw_park_sync_class(group, names, name_count);
}

static bool is_lock(enum pw_sync_class class)
{
	return class == PW_SYNC_MUTEX || class == PW_SYNC_RWMUTEX_READ || class == PW_SYNC_RWMUTEX_WRITE;
}

/* Each member waits for a lock that the next one seems to hold, also by what that lock turned out to be. */
static void write_circle(const struct pw_lock_shown *shown, const char (*names)[40], size_t name_count,
			 struct pw_record_lock *lock)
{
	size_t count = PW_MIN(shown->circle_count, (uint32_t)PW_LOCK_CIRCLE_MAX);

	for (size_t i = 0; i < count; i++) {
		const struct pw_lock_party *member = &shown->circle[i];

		if (!pw_sync_owner(&member->wait, class_of(member->group, names, name_count)))
			return;
	}
	lock->circle_count = shown->circle_count;
	for (size_t i = 0; i < count; i++)
		lock->circle[i] = shown->circle[i].goid;
}

static void write_owner(const struct pw_lock_shown *shown, enum pw_sync_class class, const char (*names)[40],
			size_t name_count, struct pw_record_lock *lock)
{
	lock->owner_goid = shown->owner.group ? pw_sync_owner(&shown->waiter.wait, class) : 0;
	lock->owner_park = UINT32_MAX;
	if (!lock->owner_goid)
		return;
	lock->owner_park = shown->owner.group->into->position;
	lock->owner_since_ns = shown->owner.since_ns;
	write_circle(shown, names, name_count, lock);
}

void pw_locks_write(struct pw_parks *parks, const char (*names)[40], size_t name_count,
		    struct pw_record_builder *builder)
{
	pw_vec_foreach (&parks->locks.shown, shown) {
		enum pw_sync_class class = class_of(shown->waiter.group, names, name_count);
		struct pw_record_lock *lock = is_lock(class) ? pw_record_builder_lock(builder, NULL) : NULL;

		if (!lock)
			continue;
		lock->park = shown->waiter.group->into->position;
		lock->type = pw_record_builder_string(builder, pw_sync_name(class));
		lock->object = shown->lock.number;
		lock->waiters = shown->lock.waiters;
		lock->locks = shown->locks;
		lock->all_waiters = shown->all_waiters;
		lock->still_since_ns = shown->lock.still_since_ns;
		lock->waiting_since_ns = shown->waiter.since_ns;
		lock->at_least = shown->at_least;
		write_owner(shown, class, names, name_count, lock);
	}
}
