/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "model/profile.h"
#include "observe/profile_wait.h"
#include "target/snapshot.h"

#define NOW (1000ULL * 1000 * 1000 * 1000)

/* The class of a wait with that reason and these innermost functions. */
static enum pw_sync_class class_of(const char *reason, const char *const *functions)
{
	struct pw_profile *profile = pw_profile_new();
	struct pw_profile_group *group = pw_profile_add_group(profile);
	enum pw_sync_class class;

	group->wait_reason = pw_profile_intern(profile, reason);
	for (; *functions; functions++, group->frame_count++)
		pw_profile_add_frame(profile)->function = pw_profile_intern(profile, *functions);
	class = pw_profile_sync_class(profile, group);
	pw_profile_free(profile);
	return class;
}

#define CLASS(reason, ...) class_of(reason, (const char *const[]){__VA_ARGS__, NULL})

static void the_reason_tells_what_it_is_and_else_the_functions(void **state)
{
	(void)state;
	assert_int_equal(CLASS("sync.Mutex.Lock", "runtime.gopark"), PW_SYNC_MUTEX);
	assert_int_equal(CLASS("sync.RWMutex.RLock", "runtime.gopark"), PW_SYNC_RWMUTEX_READ);
	assert_int_equal(CLASS("sync.RWMutex.Lock", "runtime.gopark"), PW_SYNC_RWMUTEX_WRITE);
	assert_int_equal(CLASS("sync.WaitGroup.Wait (durable)", "runtime.gopark"), PW_SYNC_WAITGROUP);
	assert_int_equal(CLASS("sync.Cond.Wait", "runtime.gopark"), PW_SYNC_COND);
	assert_int_equal(CLASS("semacquire", "runtime.gopark", "sync.(*Mutex).lockSlow"), PW_SYNC_MUTEX);
	assert_int_equal(CLASS("semacquire", "runtime.gopark", "sync.(*WaitGroup).Wait"), PW_SYNC_WAITGROUP);
	assert_int_equal(CLASS("semacquire", "sync.runtime_SemacquireMutex", "sync.(*RWMutex).RLock"),
			 PW_SYNC_RWMUTEX_READ);
	assert_int_equal(CLASS("semacquire", "sync.runtime_SemacquireMutex", "sync.(*RWMutex).Lock"),
			 PW_SYNC_RWMUTEX_WRITE);
	/* A second writer waits for the Mutex in the RWMutex. */
	assert_int_equal(CLASS("semacquire", "sync.(*Mutex).lockSlow", "sync.(*RWMutex).Lock"), PW_SYNC_MUTEX);
	assert_int_equal(CLASS("semacquire", "internal/poll.(*fdMutex).rwlock"), PW_SYNC_NONE);
	assert_int_equal(CLASS("chan receive", "sync.(*Mutex).lockSlow"), PW_SYNC_NONE);
}

/* A semaphore with these 32-bit words from 16 bytes before it on. */
static struct pw_profile_wait wait_of(enum pw_sync_class class, const uint32_t words[8])
{
	struct pw_profile *profile = pw_profile_new();
	struct pw_wait from = {.kind = PW_WAIT_SEMAPHORE, .known = true, .around_known = true, .receivers = 3};
	struct pw_profile_wait to;

	memcpy(from.around, words, sizeof(from.around));
	to = pw_profile_wait_of(profile, &from, class, NOW);
	assert_string_equal(pw_profile_string(profile, to.kind), "semaphore");
	assert_true(to.length == UINT64_MAX && to.capacity == UINT64_MAX && to.senders == UINT64_MAX);
	assert_true(to.deadline_ns == INT64_MIN && !to.period_ns);
	pw_profile_free(profile);
	return to;
}

#define WAIT(class, ...) wait_of(class, (const uint32_t[8]){__VA_ARGS__})
#define PENDING		 ((uint32_t) - (1 << 30)) /* what a writer adds to readerCount */

static void the_words_around_are_its_state(void **state)
{
	struct pw_profile_wait wait = WAIT(PW_SYNC_MUTEX, 9, 9, 9, 5 | 3 << 3);

	(void)state;
	assert_true(wait.state_known && wait.locked && wait.starving && !wait.woken);
	wait = WAIT(PW_SYNC_MUTEX, 9, 9, 9, 3 | 1 << 3);
	assert_true(wait.state_known && wait.locked && wait.woken && !wait.starving);
	wait = WAIT(PW_SYNC_MUTEX, 9, 9, 9, 1 << 3);
	assert_true(wait.state_known && !wait.locked && !wait.starving);
	wait = WAIT(PW_SYNC_WAITGROUP, 9, 9, 2, 17); /* little endian: waiters, counter */
	assert_true(wait.state_known);
	assert_int_equal(wait.counter, 17);
	wait = WAIT(PW_SYNC_RWMUTEX_WRITE, 9, 9, 9, 9, 0, 0, PENDING + 4, 2);
	assert_true(wait.state_known && wait.writer && !wait.locked);
	assert_int_equal(wait.counter, 2); /* those that still read */
	wait = WAIT(PW_SYNC_RWMUTEX_READ, 9, 9, 9, 9, 0, PENDING + 4, 0, 9);
	assert_true(wait.state_known && wait.writer && wait.locked);
	wait = WAIT(PW_SYNC_COND, 9, 9, 9, 9, 12, 7);
	assert_int_equal(wait.receivers, 5);
}

static void garbage_is_no_state(void **state)
{
	(void)state;
	assert_false(WAIT(PW_SYNC_WAITGROUP, 9, 9, 2, 0x80000000).state_known); /* below zero */
	assert_false(WAIT(PW_SYNC_RWMUTEX_WRITE, 9, 9, 9, 9, 0, 0, 0x80000000, 2).state_known);
	assert_false(WAIT(PW_SYNC_RWMUTEX_WRITE, 9, 9, 9, 9, 0, 0, 5, 0xffffffff).state_known);
	assert_false(WAIT(PW_SYNC_NONE, 1, 1, 1, 1, 1, 1, 1, 1).state_known);
}

static void an_owner_must_fit_what_it_owns(void **state)
{
	struct pw_profile *profile = pw_profile_new();
	struct pw_wait from = {.kind = PW_WAIT_SEMAPHORE, .known = true, .owner_goid = 7, .owner_at = 4};

	(void)state;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_MUTEX, NOW).owner_goid, 7);
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_RWMUTEX_READ, NOW).owner_goid, 0);
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_WAITGROUP, NOW).owner_goid, 0);
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).owner_goid, 0);
	from.owner_at = 12;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_RWMUTEX_READ, NOW).owner_goid, 7);
	from.around_known = true; /* and the lock must be locked */
	from.owner_at = 4;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_MUTEX, NOW).owner_goid, 0);
	pw_profile_free(profile);
}

static void no_deadline_an_unknown_and_a_passed_one_are_told_apart(void **state)
{
	struct pw_profile *profile = pw_profile_new();
	struct pw_wait from = {.kind = PW_WAIT_NETWORK, .known = true, .fd = 5};

	(void)state;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).deadline_ns, 0);
	from.deadline_ns = NOW + 3;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).deadline_ns, 3);
	from.deadline_ns = NOW - 3;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).deadline_ns, -1);
	from.deadline_ns = -1;
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).deadline_ns, -1);
	from.known = false;
	assert_true(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).deadline_ns == INT64_MIN);
	from = (struct pw_wait){.kind = PW_WAIT_CHANNEL, .known = true, .deadline_ns = -1, .fd = 5};
	assert_true(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).deadline_ns == INT64_MIN);
	assert_int_equal(pw_profile_wait_of(profile, &from, PW_SYNC_NONE, NOW).fd, -1);
	pw_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reason_tells_what_it_is_and_else_the_functions),
		cmocka_unit_test(the_words_around_are_its_state),
		cmocka_unit_test(garbage_is_no_state),
		cmocka_unit_test(an_owner_must_fit_what_it_owns),
		cmocka_unit_test(no_deadline_an_unknown_and_a_passed_one_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
