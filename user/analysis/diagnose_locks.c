/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Rules about mutexes, WaitGroups, Conds and other semaphores. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/diagnose_ask.h"
#include "model/record.h"

#define OWNERS_MAX 32 /* steps along "waits for a lock held by" */

/* --- locks ------------------------------------------------------------------------------------------------------- */

static bool is_lock(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return pw_ask_reason_begins(profile, group, "sync.Mutex") ||
	       pw_ask_reason_begins(profile, group, "sync.RWMutex") ||
	       (pw_ask_reason_begins(profile, group, "semacquire") &&
		(pw_ask_calls(profile, group, "sync.(*Mutex)") || pw_ask_calls(profile, group, "sync.(*RWMutex)") ||
		 pw_ask_calls(profile, group, "internal/sync.(*Mutex)")));
}

/* Along the owners: does one of them wait for a lock that an earlier one holds, and has none of them run? */
static bool goes_round(const struct pw_profile *profile, uint64_t owner, char *chain, size_t size, bool *ret_stands)
{
	uint64_t seen[OWNERS_MAX];
	size_t used = 0;

	chain[0] = '\0';
	*ret_stands = true;
	for (size_t n = 0; owner && n < OWNERS_MAX; n++) {
		const struct pw_profile_goroutine *row = pw_ask_row(profile, owner);
		int length;

		if (!row)
			return false;
		*ret_stands = *ret_stands && row->runs == 0;
		for (size_t i = 0; i < n; i++)
			if (seen[i] == owner)
				return true;
		seen[n] = owner;
		length = snprintf(chain + used, size - used, "%s%" PRIu64, n ? " -> " : "", owner);
		used = PW_MIN(used + (size_t)PW_MAX(length, 0), size - 1);
		owner = row->wait.owner_goid;
	}
	return false;
}

/* The holder, if there is one to be named, and it does not run either. */
static const struct pw_profile_goroutine *blocked_owner(const struct pw_profile *profile,
							const struct pw_profile_group *group)
{
	const struct pw_profile_goroutine *owner =
		group->waiting_on.owner_goid ? pw_ask_row(profile, group->waiting_on.owner_goid) : NULL;
	bool parked = owner && pw_status_parked(profile->groups[owner->group].status);

	return parked && (owner->runs == 0 || owner->runs == UINT32_MAX) ? owner : NULL;
}

bool pw_judge_mutex(const struct pw_profile *profile, struct pw_profile_group *group)
{
	const struct pw_profile_goroutine *owner;
	char where[PW_DIAGNOSE_PLACE], holds[PW_DIAGNOSE_PLACE], chain[96], age[PW_DIAGNOSE_LASTING];
	bool stands;

	if (!is_lock(profile, group) || !pw_ask_stands(group))
		return false;
	pw_tell_place(profile, pw_ask_own_frame(profile, group), where);
	pw_tell_lasting(group->age_median_ns, age);
	owner = blocked_owner(profile, group);
	if (owner && goes_round(profile, owner->goid, chain, sizeof(chain), &stands))
		return pw_tell(
			group, stands ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
			"Deadlock: they wait for a lock at %s whose holder waits in a circle: goroutines %s. Take "
			"locks in one order.",
			where, chain);
	if (owner)
		return pw_tell(
			group, pw_ask_mostly_for(group, PW_DIAGNOSE_MINUTES) ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
			"They wait at %.100s%s for a lock that goroutine %" PRIu64
			" seems to hold, itself blocked in \"%.40s\" at %.100s. Unlock before you wait.",
			where, age, owner->goid, pw_ask_reason(profile, &profile->groups[owner->group]),
			pw_tell_place(profile, pw_ask_own_frame(profile, &profile->groups[owner->group]), holds));
	if (pw_ask_mostly_for(group, 5 * PW_DIAGNOSE_MINUTES))
		return pw_tell(
			group, PW_VERDICT_LIKELY,
			"Nobody got the lock at %s%s: who has locked it and not unlocked (a return without defer, a "
			"panic), or waits while holding it?",
			where, age);
	return pw_tell(group, PW_VERDICT_POSSIBLE, "They wait for a lock at %s%s. If it lasts, look for its holder.",
		       where, age);
}

/* --- WaitGroup, Cond --------------------------------------------------------------------------------------------- */

static bool judge_group_wait(const struct pw_profile *profile, struct pw_profile_group *group)
{
	const struct pw_profile_wait *wait = &group->waiting_on;
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING], left[64] = "";
	bool grows = group->growth > 0 && pw_ask_mostly_for(group, 10 * PW_DIAGNOSE_MINUTES);

	if (pw_ask_is_main(profile, group) && group->count == 1)
		return false; /* a server's main that waits for its parts */
	if (wait->state_known && group->distinct_objects <= 1)
		snprintf(left, sizeof(left), ": %" PRId64 " still to be done", wait->counter);
	return pw_tell(group, grows ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		       "The WaitGroup at %s has not reached zero%s%s. Is Done called on every path (defer it), and Add "
		       "before the go statement? If its workers live on, all is well.",
		       pw_tell_place(profile, pw_ask_own_frame(profile, group), where),
		       pw_tell_lasting(group->age_median_ns, age), left);
}

bool pw_judge_waitgroup(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	if (!pw_ask_stands(group))
		return false;
	if (pw_ask_reason_begins(profile, group, "sync.WaitGroup") ||
	    (pw_ask_reason_begins(profile, group, "semacquire") &&
	     pw_ask_calls(profile, group, "sync.(*WaitGroup).Wait")))
		return judge_group_wait(profile, group);
	if (!pw_ask_reason_begins(profile, group, "sync.Cond"))
		return false;
	return pw_tell(
		group,
		group->growth > 0 && group->count >= PW_DIAGNOSE_MANY &&
				pw_ask_mostly_for(group, 10 * PW_DIAGNOSE_MINUTES)
			? PW_VERDICT_LIKELY
			: PW_VERDICT_POSSIBLE,
		"Nobody signals the Cond at %s%s: is Signal or Broadcast called after every change of its condition? "
		"If they are workers without work, all is well.",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where),
		pw_tell_lasting(group->age_median_ns, age));
}

/* --- other semaphores -------------------------------------------------------------------------------------------- */

bool pw_judge_semaphore(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool descriptor = pw_ask_calls(profile, group, "internal/poll.(*fdMutex)");
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	if (!pw_ask_reason_begins(profile, group, "semacquire") || !pw_ask_stands(group))
		return false;
	return pw_tell(
		group, PW_VERDICT_POSSIBLE,
		descriptor ? "A semaphore: another goroutine is in a read or write of the same descriptor as %s, and "
			     "has been%s. What does that one wait for?"
			   : "A semaphore of the runtime that they came to from %s has not been released%s.",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where),
		pw_tell_lasting(group->age_median_ns, age));
}
