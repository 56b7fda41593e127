/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>

#include "model/codec_walk.h"
#include "model/record.h"
#include "model/storage.h"

/* A field added here must be added to the walk, and the format's version raised. */
_Static_assert(sizeof(struct pw_record_lock) == 120, "walk_lock");

static void walk_lock(struct pw_walk *walk, struct pw_record_lock *now, const struct pw_record_lock *old)
{
	U32(park);
	U32(owner_park);
	U32(type);
	U32(circle_count);
	U64(object);
	U64(waiters);
	U64(locks);
	U64(all_waiters);
	U64(still_since_ns);
	U64(waiting_since_ns);
	BOOL(at_least);
	U64(owner_goid);
	U64(owner_since_ns);
	for (size_t i = 0; i < PW_LOCK_CIRCLE_MAX; i++)
		U64(circle[i]);
}

_Static_assert(sizeof(struct pw_record_large_stack) == 32, "pw_walk_large_stacks");

/* They come and go by size: each is held against the one in its place. */
void pw_walk_large_stacks(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	U64(snapshot.stack_p99_bytes);
	WALK(snapshot.large_count, uint32_t, PW_RECORD_LARGE_STACKS_MAX);
	for (uint32_t i = 0; i < now->snapshot.large_count && i < PW_RECORD_LARGE_STACKS_MAX && !walk->failed; i++) {
		U64(snapshot.large[i].goid);
		U64(snapshot.large[i].bytes);
		U64(snapshot.large[i].used_bytes);
		U32(snapshot.large[i].park);
	}
}

/* Where the same lock was in the old record; there are few. */
static size_t find_lock(const struct pw_record *old, uint64_t object)
{
	size_t i = 0;

	while (i < old->snapshot.lock_count && old->snapshot.locks[i].object != object)
		i++;
	return i;
}

void pw_walk_locks(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	static const struct pw_record_lock nothing;
	size_t old_count = old->snapshot.lock_count, count;

	U8(snapshot.locks_seen);
	U64(snapshot.locks_left_out);
	count = (size_t)pw_walk_value(walk, now->snapshot.lock_count, old_count, PW_RECORD_LOCKS_MAX);
	if (walk->failed || !count)
		return;
	if (!walk->encoding) {
		now->snapshot.locks = calloc(count, sizeof(*now->snapshot.locks));
		walk->failed = walk->no_memory = !now->snapshot.locks;
		now->snapshot.lock_count = now->snapshot.locks ? count : 0;
	}
	for (size_t i = 0, expected = 0; i < count && !walk->failed; i++) {
		size_t from = walk->encoding ? find_lock(old, now->snapshot.locks[i].object) : 0;

		from = (size_t)pw_walk_value(walk, from, expected, old_count);
		expected = from < old_count ? from + 1 : expected;
		walk_lock(walk, &now->snapshot.locks[i], from < old_count ? &old->snapshot.locks[from] : &nothing);
	}
}
