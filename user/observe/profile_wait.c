/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/profile_wait.h"

#include <string.h>

#include "base/macros.h"
#include "target/snapshot.h"

/* --- which object ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *begins;
	enum pw_sync_class class;
} by_reason[] =
	{
		{"sync.Mutex.", PW_SYNC_MUTEX},
		{"sync.RWMutex.R", PW_SYNC_RWMUTEX_READ},
		{"sync.RWMutex.", PW_SYNC_RWMUTEX_WRITE},
		{"sync.WaitGroup.", PW_SYNC_WAITGROUP},
		{"sync.Cond.", PW_SYNC_COND},
},
  by_function[] = {
	  /* the innermost of them: a writer of an RWMutex first locks the Mutex in it */
	  {"sync.(*Mutex).", PW_SYNC_MUTEX},
	  {"internal/sync.(*Mutex).", PW_SYNC_MUTEX},
	  {"sync.(*RWMutex).RLock", PW_SYNC_RWMUTEX_READ},
	  {"sync.(*RWMutex).Lock", PW_SYNC_RWMUTEX_WRITE},
	  {"sync.(*WaitGroup).Wait", PW_SYNC_WAITGROUP},
};

enum pw_sync_class pw_sync_class(const char *reason, const char *const *functions, size_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_reason); i++)
		if (!strncmp(reason, by_reason[i].begins, strlen(by_reason[i].begins)))
			return by_reason[i].class;
	if (strncmp(reason, "semacquire", 10) != 0)
		return PW_SYNC_NONE;
	for (size_t f = 0; f < PW_MIN(count, (size_t)PW_SYNC_FRAMES); f++)
		for (size_t i = 0; i < ARRAY_SIZE(by_function); i++)
			if (functions[f] &&
			    !strncmp(functions[f], by_function[i].begins, strlen(by_function[i].begins)))
				return by_function[i].class;
	return PW_SYNC_NONE;
}

enum pw_sync_class pw_profile_sync_class(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	const char *functions[PW_SYNC_FRAMES];
	size_t count = PW_MIN(group->frame_count, PW_SYNC_FRAMES);

	for (size_t f = 0; f < count; f++)
		functions[f] = pw_profile_string(profile, profile->frames[group->first_frame + f].function);
	return pw_sync_class(pw_profile_string(profile, group->wait_reason), functions, count);
}

/* --- its state --------------------------------------------------------------------------------------------------- */

/* sync.Mutex.state */
#define MUTEX_LOCKED   1u
#define MUTEX_WOKEN    2u
#define MUTEX_STARVING 4u

#define RWMUTEX_READERS_MAX (1 << 30) /* taken off readerCount while a writer waits or writes */

static uint32_t word_at(const struct pw_wait *wait, int at)
{
	uint32_t word;

	memcpy(&word, &wait->around[PW_WAIT_AROUND + at], sizeof(word));
	return word;
}

static void put_mutex(struct pw_profile_wait *to, uint32_t state)
{
	to->locked = state & MUTEX_LOCKED;
	to->woken = state & MUTEX_WOKEN;
	to->starving = state & MUTEX_STARVING;
}

/* {Mutex w; writerSem, readerSem uint32; readerCount, readerWait int32}; at: of readerCount, from the semaphore on. */
static void put_rwmutex(const struct pw_wait *wait, struct pw_profile_wait *to, int at)
{
	int32_t readers = (int32_t)word_at(wait, at), leaving = (int32_t)word_at(wait, at + 4);

	to->writer = readers < 0;
	if (readers < 0)
		readers += RWMUTEX_READERS_MAX;
	if (readers < 0 || leaving < 0) {
		to->state_known = false; /* no RWMutex, or one that is being changed */
		return;
	}
	to->counter = to->writer ? leaving : readers; /* with a writer, those before it, that still read */
	to->locked = to->writer && !leaving;
}

static void put_state(const struct pw_wait *wait, enum pw_sync_class class, struct pw_profile_wait *to)
{
	uint64_t state;

	to->state_known = true;
	switch (class) {
	case PW_SYNC_MUTEX: /* {state int32; sema uint32} */
		put_mutex(to, word_at(wait, -4));
		break;
	case PW_SYNC_RWMUTEX_WRITE: /* on writerSem */
		put_rwmutex(wait, to, 8);
		break;
	case PW_SYNC_RWMUTEX_READ: /* on readerSem */
		put_rwmutex(wait, to, 4);
		break;
	case PW_SYNC_WAITGROUP: /* {state uint64: counter in the high half; sema uint32} */
		memcpy(&state, &wait->around[PW_WAIT_AROUND - 8], sizeof(state));
		to->counter = (int32_t)(state >> 32);
		to->state_known = to->counter >= 0;
		break;
	case PW_SYNC_COND: /* tickets that were drawn and not called */
		to->receivers = word_at(wait, 0) - word_at(wait, 4);
		break;
	case PW_SYNC_NONE:
		to->state_known = false;
		break;
	}
}

const char *pw_sync_name(enum pw_sync_class class)
{
	switch (class) {
	case PW_SYNC_MUTEX:
		return "sync.Mutex";
	case PW_SYNC_RWMUTEX_READ:
	case PW_SYNC_RWMUTEX_WRITE:
		return "sync.RWMutex";
	case PW_SYNC_WAITGROUP:
		return "sync.WaitGroup";
	case PW_SYNC_COND:
		return "sync.Cond";
	case PW_SYNC_NONE:
		break;
	}
	return "";
}

/* Does the place that the owner was found by fit the object? */
static bool place_fits(enum pw_sync_class class, uint8_t at)
{
	return (class == PW_SYNC_MUTEX && at == 4) || (class == PW_SYNC_RWMUTEX_WRITE && at == 8) ||
	       (class == PW_SYNC_RWMUTEX_READ && at == 12);
}

uint64_t pw_sync_owner(const struct pw_wait *from, enum pw_sync_class class)
{
	struct pw_profile_wait to = {};

	if (!place_fits(class, from->owner_at))
		return 0;
	if (from->around_known)
		put_state(from, class, &to);
	return class != PW_SYNC_MUTEX || !to.state_known || to.locked ? from->owner_goid : 0;
}

static int64_t time_left(const struct pw_wait *from, uint64_t monotonic_ns)
{
	if (from->kind == PW_WAIT_NETWORK && from->known && from->deadline_ns == 0)
		return 0;
	if (from->kind == PW_WAIT_NETWORK && from->known && from->deadline_ns < 0)
		return -1; /* src/runtime/netpoll.go:netpolldeadlineimpl */
	if (!from->known || from->deadline_ns <= 0 || !monotonic_ns)
		return INT64_MIN;
	return from->deadline_ns > (int64_t)monotonic_ns ? from->deadline_ns - (int64_t)monotonic_ns : -1;
}

struct pw_profile_wait pw_profile_wait_of(struct pw_profile *profile, const struct pw_wait *from,
					  enum pw_sync_class class, uint64_t monotonic_ns)
{
	bool semaphore = from->kind == PW_WAIT_SEMAPHORE;
	struct pw_profile_wait to = {
		.kind = profile ? pw_profile_intern(profile, pw_wait_kind_name(from->kind)) : 0,
		.present = from->known,
		.nil = from->nil,
		.closed = from->closed,
		.length = semaphore ? UINT64_MAX : from->length,
		.capacity = semaphore ? UINT64_MAX : from->capacity,
		.receivers = from->receivers,
		.senders = semaphore ? UINT64_MAX : from->senders,
		.fd = from->kind == PW_WAIT_NETWORK ? from->fd : -1,
		.deadline_ns = time_left(from, monotonic_ns),
		.period_ns = semaphore ? 0 : from->period_ns,
		.cases = from->cases,
		.counter = -1,
	};

	if (!semaphore)
		return to;
	to.sync = profile ? pw_profile_intern(profile, pw_sync_name(class)) : 0;
	if (from->around_known)
		put_state(from, class, &to);
	to.owner_goid = pw_sync_owner(from, class);
	return to;
}
