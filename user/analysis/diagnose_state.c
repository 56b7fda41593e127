/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Rules about what a goroutine is and does, rather than what it waits on. */
#include "analysis/diagnose_ask.h"
#include "model/record.h"

bool pw_judge_leaked(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE];

	if (group->status != PW_GOROUTINE_LEAKED || group->mixed_status)
		return false;
	return pw_tell(group, PW_VERDICT_CERTAIN,
		       "The runtime's own leak detector has proved that nothing can wake them. They wait at %s.",
		       pw_tell_place(profile, pw_ask_own_frame(profile, group), where));
}

bool pw_judge_finalizer(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	if (!pw_ask_calls(profile, group, "runtime.runfinq") &&
	    !pw_ask_calls(profile, group, "runtime.runFinalizers") &&
	    !pw_ask_calls(profile, group, "runtime.runCleanups") &&
	    !pw_ask_calls(profile, group, "runtime.(*cleanupQueue)"))
		return false;
	if (pw_ask_own_frame(profile, group) == &group->created_by || !pw_status_parked(group->status) ||
	    !pw_ask_stands(group))
		return false; /* idle, or a finalizer that runs */
	return pw_tell(group, pw_ask_mostly_for(group, PW_DIAGNOSE_MINUTES) ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		       "The goroutine that runs finalizers has been blocked%s at %s: no other finalizer runs, and what "
		       "they would free stays. A finalizer must not wait.",
		       pw_tell_lasting(group->age_max_ns, age),
		       pw_tell_place(profile, pw_ask_own_frame(profile, group), where));
}

bool pw_judge_runtime(const struct pw_profile *profile, struct pw_profile_group *group)
{
	(void)profile;
	return group->system && pw_tell(group, PW_VERDICT_CERTAIN, "The runtime's own goroutine: harmless.");
}

/* Known not to have run between the looks, all of them. */
static bool never_ran(const struct pw_profile_group *group)
{
	return group->runs_per_second >= 0 && group->never_ran == group->count;
}

/* A loop of the program's own around epoll and its like. */
static bool waits_for_events(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return pw_ask_calls(profile, group, "golang.org/x/sys/unix.Epoll") ||
	       pw_ask_calls(profile, group, "golang.org/x/sys/unix.Poll") ||
	       pw_ask_calls(profile, group, "golang.org/x/sys/unix.Ppoll") ||
	       pw_ask_calls(profile, group, "golang.org/x/sys/unix.Select") ||
	       pw_ask_calls(profile, group, "syscall.Epoll") || pw_ask_calls(profile, group, "syscall.Select");
}

bool pw_judge_syscall(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool cgo = pw_ask_calls(profile, group, "runtime.cgocall");
	char where[PW_DIAGNOSE_PLACE];

	if (group->status != PW_GOROUTINE_SYSCALL || group->mixed_status || !never_ran(group))
		return false;
	if (pw_ask_is_main(profile, group) || pw_ask_calls(profile, group, "os/signal.signal_recv") ||
	    pw_ask_calls(profile, group, "runtime.notetsleepg") || waits_for_events(profile, group))
		return false; /* by design: standard input, a signal, events */
	return pw_tell(group, PW_VERDICT_POSSIBLE,
		       "The %s at %s has not returned between the looks; each holds an OS thread. A blocking device, a "
		       "pipe, a lock in C?",
		       cgo ? "C function called" : "system call",
		       pw_tell_place(profile, pw_ask_own_frame(profile, group), where));
}

bool pw_judge_runnable(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE];

	if (group->status != PW_GOROUTINE_RUNNABLE || group->mixed_status || !never_ran(group))
		return false;
	return pw_tell(
		group, PW_VERDICT_POSSIBLE,
		"Ready to run at %s, but not once between the looks: too few CPUs (a quota?), or a loop that does not "
		"yield holds the Ps.",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where));
}
