/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/diagnose.h"

#include <stdio.h>
#include <string.h>

#include "analysis/diagnose_ask.h"

/* The first that fits speaks: from what is proved to what is general. */
static const struct pw_diagnosis_rule rules[] = {
	{"PW-D05", "leaked, says the runtime",
	 "Go 1.26 and later mark goroutines that nothing can reach (status leaked). certain.",
	 "What the stack waits for: everybody who could wake it is gone.", pw_judge_leaked},
	{"PW-F01", "finalizer goroutine blocked",
	 "The one goroutine that runs finalizers or cleanups waits in code of the program. likely after a minute, "
	 "before "
	 "possible.",
	 "A finalizer that locks, sends or does I/O: let it start a goroutine instead.", pw_judge_finalizer},
	{"PW-D01", "the runtime's own", "runtime.isSystemGoroutine says so. certain, and harmless.", "Nothing.",
	 pw_judge_runtime},
	{"PW-G02", "nil channel, empty select",
	 "The wait reason says that the channel is nil or the select has no cases: nothing can ever wake it. certain; "
	 "in "
	 "main a select without cases is a way to wait for ever on purpose: possible.",
	 "Where the channel should have been made, or was set to nil; a select {} that should be a wait for a context.",
	 pw_judge_nil},
	{"PW-G04", "mutex stuck",
	 "They wait for a sync.Mutex or RWMutex, and did not run between the looks. likely if those that seem to hold "
	 "what "
	 "they wait for wait in a circle; if the one that seems to hold it is itself blocked, after a minute; else "
	 "after "
	 "five. Else possible. Who holds it is inferred: the only parked goroutine with the lock's address on its "
	 "stack.",
	 "The holder: a return or panic without Unlock, a wait or a call of foreign code under the lock.",
	 pw_judge_mutex},
	{"PW-G05", "WaitGroup or Cond stuck",
	 "A WaitGroup that does not reach zero, or a Cond that nobody signals; not main alone, and not if they ran "
	 "between "
	 "the looks. likely if they grow (--diff) and most have waited for ten minutes (Cond: at least ten "
	 "goroutines), "
	 "else possible: a goroutine that closes a channel when all workers are done waits so, too.",
	 "Done on every path, Add before the go statement; Signal or Broadcast after every change.",
	 pw_judge_waitgroup},
	{"PW-G06", "sleep or ticker loop spawned again and again",
	 "Ten or more of one go statement sleep or wait for tickers, and more joined between the looks or since the "
	 "older "
	 "profile (--diff). likely if both, and half of them are new since then; else possible.",
	 "Who starts them, how often, and what ends them: tie the loop to a context.", pw_judge_sleep},
	{"PW-G01", "channel without partner",
	 "A send that nobody receives: likely for ten or more of which most have waited for a minute, each on its own "
	 "channel, or growing (--diff); else possible. A receive that nobody serves: possible for ten or more, each on "
	 "its "
	 "own channel or growing, and no timer that will fire. Not if they ran between the looks.",
	 "The other side: who should receive, send or close on every path, and did it return early?", pw_judge_channel},
	{"PW-G03", "select without exit",
	 "Ten or more in one select of which no case became ready for ten minutes, and none is a timer. possible.",
	 "A case that ends it: ctx.Done() of a context that is cancelled, a timer.", pw_judge_select},
	{"PW-G11", "abandoned iterator",
	 "Ten or more goroutines of one iter.Pull, or fewer that grow (--diff). possible: whether they are still asked "
	 "cannot be seen from outside.",
	 "stop() on every path: next, stop := iter.Pull(seq); defer stop().", pw_judge_iterator},
	{"PW-G07", "network wait without deadline",
	 "A read or write of a connection that has no deadline, and did not run between the looks. possible: "
	 "keep-alive "
	 "connections wait so for their next request.",
	 "SetDeadline, http.Server.ReadTimeout and IdleTimeout, a timeout of the client; keep-alives.",
	 pw_judge_network},
	{"PW-D03", "semaphore not released",
	 "semacquire outside of sync.Mutex, RWMutex, WaitGroup and Cond, during both looks. possible.",
	 "Who holds what they wait for: the function above semacquire tells.", pw_judge_semaphore},
	{"PW-D02", "system call or cgo call stuck", "In a system call or a C function during both looks. possible.",
	 "What it waits for outside of Go; each such goroutine holds an OS thread.", pw_judge_syscall},
	{"PW-D04", "runnable but not run", "Ready to run during both looks and never run in between. possible.",
	 "CPU quota (throttling), GOMAXPROCS, a loop that does not yield.", pw_judge_runnable},
};

const struct pw_diagnosis_rule *pw_diagnosis_rules(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rules);
	return rules;
}

void pw_diagnose(struct pw_profile *profile)
{
	for (size_t g = 0; g < profile->group_count; g++) {
		struct pw_profile_group *group = &profile->groups[g];

		memset(&group->diagnosis, 0, sizeof(group->diagnosis));
		for (size_t i = 0; i < ARRAY_SIZE(rules) && !group->diagnosis.rule[0]; i++)
			if (rules[i].judge(profile, group))
				snprintf(group->diagnosis.rule, sizeof(group->diagnosis.rule), "%s", rules[i].id);
	}
}
