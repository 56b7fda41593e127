/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/diagnose.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"
#include "model/record.h"

/*
 * Thresholds: a minute is longer than ordinary hand-offs take, ten are longer than ordinary requests; ten goroutines of
 * one stack that each wait on an object of their own are no worker pool. A rule that needs to know whether somebody ran
 * says less when there was only one look.
 */
#define SECONDS	     PW_NS_PER_SEC
#define MINUTES	     (60 * SECONDS)
#define MANY	     10
#define PLACE_SIZE   160
#define LASTING_SIZE (PW_DURATION_SIZE + 8)
#define OWNERS_MAX   32 /* steps along "waits for a lock held by" */

/* --- what the rules ask ------------------------------------------------------------------------------------------ */

static const char *reason_of(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return pw_profile_string(profile, group->wait_reason);
}

static bool reason_begins(const struct pw_profile *profile, const struct pw_profile_group *group, const char *prefix)
{
	return !strncmp(reason_of(profile, group), prefix, strlen(prefix));
}

static const char *function_at(const struct pw_profile *profile, const struct pw_profile_group *group, uint32_t i)
{
	return pw_profile_string(profile, profile->frames[group->first_frame + i].function);
}

static bool calls(const struct pw_profile *profile, const struct pw_profile_group *group, const char *function)
{
	for (uint32_t i = 0; i < group->frame_count; i++)
		if (!strncmp(function_at(profile, group, i), function, strlen(function)))
			return true;
	return false;
}

static bool is_library(const char *function)
{
	static const char *const packages[] = {"runtime.", "internal/", "sync.",  "time.", "syscall.",	 "iter.",
					       "os.",	   "net.",	"bufio.", "io.",   "crypto/tls."};

	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		if (!strncmp(function, packages[i], strlen(packages[i])))
			return true;
	return false;
}

/* Where the wait stands in the program's own code: the innermost frame that is no plumbing; else the go statement. */
static const struct pw_profile_frame *own_frame(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	for (uint32_t i = 0; i < group->frame_count; i++)
		if (!is_library(function_at(profile, group, i)))
			return &profile->frames[group->first_frame + i];
	return &group->created_by;
}

static const char *place(const struct pw_profile *profile, const struct pw_profile_frame *frame, char text[PLACE_SIZE])
{
	const char *function = pw_profile_string(profile, frame->function);
	const char *file = pw_profile_string(profile, frame->file), *slash = strrchr(file, '/');

	if (!*function)
		snprintf(text, PLACE_SIZE, "an unknown place");
	else if (!*file)
		snprintf(text, PLACE_SIZE, "%.140s", function);
	else
		snprintf(text, PLACE_SIZE, "%.80s (%.50s:%" PRIu32 ")", function, slash ? slash + 1 : file,
			 frame->line);
	return text;
}

/* " for 3m10s", or nothing after a single look. */
static const char *lasting(uint64_t ns, char text[LASTING_SIZE])
{
	char duration[PW_DURATION_SIZE];

	text[0] = '\0';
	if (ns)
		snprintf(text, LASTING_SIZE, " for %s", pw_time_duration(ns, duration));
	return text;
}

static bool is_main(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return calls(profile, group, "runtime.main") ||
	       (!group->created_by.function && calls(profile, group, "main.main"));
}

/* Known not to have run between the looks, all of them. */
static bool stood_still(const struct pw_profile_group *group)
{
	return group->runs_per_second >= 0 && group->never_ran == group->count;
}

/* All of them for at least so long. */
static bool stuck_for(const struct pw_profile_group *group, uint64_t ns)
{
	return stood_still(group) && group->age_min_ns >= ns;
}

/* Most of them for at least so long: newer ones join. */
static bool mostly_for(const struct pw_profile_group *group, uint64_t ns)
{
	return group->runs_per_second >= 0 && group->never_ran * 10 >= (uint64_t)group->count * 9 &&
	       group->age_median_ns >= ns;
}

static bool say(struct pw_profile_group *group, enum pw_verdict verdict, const char *fmt, ...) pw_printf_like(3, 4);
static bool say(struct pw_profile_group *group, enum pw_verdict verdict, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(group->diagnosis.text, sizeof(group->diagnosis.text), fmt, args);
	va_end(args);
	group->diagnosis.verdict = (uint8_t)verdict;
	return true;
}

/* --- rules ------------------------------------------------------------------------------------------------------- */

static bool judge_leaked(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE];

	if (group->status != PW_GOROUTINE_LEAKED || group->mixed_status)
		return false;
	return say(group, PW_VERDICT_CERTAIN,
		   "The runtime's own leak detector has proved that nothing can wake them. They wait at %s.",
		   place(profile, own_frame(profile, group), where));
}

static bool judge_finalizer(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE], age[LASTING_SIZE];

	if (!calls(profile, group, "runtime.runfinq") && !calls(profile, group, "runtime.runFinalizers") &&
	    !calls(profile, group, "runtime.runCleanups") && !calls(profile, group, "runtime.(*cleanupQueue)"))
		return false;
	if (own_frame(profile, group) == &group->created_by || !pw_status_parked(group->status))
		return false; /* idle, or a finalizer that runs */
	return say(group, group->age_max_ns >= MINUTES ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		   "The goroutine that runs finalizers has been blocked%s at %s: no other finalizer runs, and what "
		   "they would free stays. A finalizer must not wait.",
		   lasting(group->age_max_ns, age), place(profile, own_frame(profile, group), where));
}

static bool judge_runtime(const struct pw_profile *profile, struct pw_profile_group *group)
{
	(void)profile;
	return group->system && say(group, PW_VERDICT_CERTAIN, "The runtime's own goroutine: harmless.");
}

static bool judge_nil(const struct pw_profile *profile, struct pw_profile_group *group)
{
	const char *reason = reason_of(profile, group);
	bool empty = !strcmp(reason, "select (no cases)"), nil = strstr(reason, "(nil chan)") != NULL;
	char where[PLACE_SIZE];

	if (!empty && !nil)
		return false;
	place(profile, own_frame(profile, group), where);
	if (empty && is_main(profile, group))
		return say(group, PW_VERDICT_POSSIBLE,
			   "main waits for ever in a select without cases at %s: on purpose, if the work is done by "
			   "others.",
			   where);
	if (empty)
		return say(
			group, PW_VERDICT_CERTAIN,
			"Blocked for ever: the select at %s has no cases, nothing can wake it. Return instead, or wait "
			"for a context.",
			where);
	return say(group, PW_VERDICT_CERTAIN,
		   "Blocked for ever: the channel at %s is nil, nothing can wake it. Look where it should have been "
		   "made, or was set to nil.",
		   where);
}

static bool is_lock(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return reason_begins(profile, group, "sync.Mutex") || reason_begins(profile, group, "sync.RWMutex") ||
	       (reason_begins(profile, group, "semacquire") &&
		(calls(profile, group, "sync.(*Mutex)") || calls(profile, group, "sync.(*RWMutex)") ||
		 calls(profile, group, "internal/sync.(*Mutex)")));
}

static const struct pw_profile_goroutine *row_of(const struct pw_profile *profile, uint64_t goid)
{
	size_t low = 0, high = profile->goroutine_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (profile->goroutines[middle].goid < goid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < profile->goroutine_count && profile->goroutines[low].goid == goid ? &profile->goroutines[low]
										       : NULL;
}

/* Along the owners: does one of them wait for a lock that an earlier one holds? */
static bool goes_round(const struct pw_profile *profile, uint64_t owner, char *chain, size_t size)
{
	uint64_t seen[OWNERS_MAX];
	size_t used = 0;

	chain[0] = '\0';
	for (size_t n = 0; owner && n < OWNERS_MAX; n++) {
		const struct pw_profile_goroutine *row = row_of(profile, owner);
		int length;

		if (!row)
			return false;
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

static bool judge_mutex(const struct pw_profile *profile, struct pw_profile_group *group)
{
	const struct pw_profile_goroutine *owner;
	char where[PLACE_SIZE], chain[96], age[LASTING_SIZE];

	if (!is_lock(profile, group))
		return false;
	place(profile, own_frame(profile, group), where);
	owner = group->waiting_on.owner_goid ? row_of(profile, group->waiting_on.owner_goid) : NULL;
	if (owner && goes_round(profile, owner->goid, chain, sizeof(chain)))
		return say(group, PW_VERDICT_LIKELY,
			   "Deadlock: they wait for a lock at %s whose holder waits in a circle: goroutines %s. Take "
			   "locks "
			   "in one order.",
			   where, chain);
	if (owner && owner->group < profile->group_count && pw_status_parked(profile->groups[owner->group].status))
		return say(group, PW_VERDICT_LIKELY,
			   "They wait at %s for a lock that goroutine %" PRIu64
			   " seems to hold, which is itself blocked in "
			   "\"%.60s\"%s. Unlock before you wait.",
			   where, owner->goid, reason_of(profile, &profile->groups[owner->group]),
			   lasting(owner->parked_ns, age));
	if (mostly_for(group, MINUTES))
		return say(group, PW_VERDICT_LIKELY,
			   "Nobody got the lock at %s%s: who has locked it and not unlocked (a return without "
			   "defer, a "
			   "panic), or waits while holding it?",
			   where, lasting(group->age_median_ns, age));
	return say(group, PW_VERDICT_POSSIBLE, "They wait for a lock at %s. If it lasts, look for its holder.", where);
}

static bool judge_waitgroup(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool cond = reason_begins(profile, group, "sync.Cond");
	bool group_wait = reason_begins(profile, group, "sync.WaitGroup") ||
			  (reason_begins(profile, group, "semacquire") && calls(profile, group, "sync.(*WaitGroup)"));
	char where[PLACE_SIZE], age[LASTING_SIZE];

	if (!cond && !group_wait)
		return false;
	if (group_wait && is_main(profile, group) && group->count == 1)
		return false; /* a server's main that waits for its parts */
	place(profile, own_frame(profile, group), where);
	lasting(group->age_median_ns, age);
	if (group_wait)
		return say(group, stuck_for(group, 10 * MINUTES) ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
			   "The WaitGroup at %s has not reached zero%s: is Done called on every path, and Add before "
			   "the go statement?",
			   where, age);
	return say(group,
		   stuck_for(group, 10 * MINUTES) && group->count >= MANY ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		   "Nobody signals the Cond at %s%s: is Signal or Broadcast called after every change of its "
		   "condition?",
		   where, age);
}

static bool judge_channel(const struct pw_profile *profile, struct pw_profile_group *group)
{
	const struct pw_profile_wait *wait = &group->waiting_on;
	bool send = reason_begins(profile, group, "chan send"), own_objects;
	enum pw_verdict verdict = PW_VERDICT_POSSIBLE;
	char where[PLACE_SIZE], age[LASTING_SIZE];

	if (!send && !reason_begins(profile, group, "chan receive"))
		return false;
	/* Each on a channel of its own: nobody shares a queue, as workers would. */
	own_objects = group->distinct_objects > 1 && group->distinct_objects * 10ULL >= group->count * 9ULL;
	place(profile, own_frame(profile, group), where);
	lasting(group->age_median_ns, age);
	if (send) {
		bool alone = !wait->present || wait->receivers == 0 || wait->receivers == UINT64_MAX;

		if (alone && (mostly_for(group, MINUTES) || (group->growth > 0 && group->count >= MANY)))
			verdict = PW_VERDICT_LIKELY;
		return say(group, verdict,
			   "Nobody has received from the channel that they send to at %s%s%s. Did the receiver "
			   "return "
			   "early? A buffer of one, or a select on ctx.Done(), lets them end.",
			   where, age, own_objects ? ", each on its own channel" : "");
	}
	/* Workers that wait for work share a channel and are few; one that waits is a loop. */
	if (group->count < MANY || !mostly_for(group, SECONDS / 2))
		return false;
	if ((own_objects && mostly_for(group, MINUTES)) || group->growth > 0)
		verdict = PW_VERDICT_LIKELY;
	return say(group, verdict,
		   "Nobody has sent to, or closed, the channel that they receive from at %s%s%s. Look for the "
		   "sender: who should send or close on every path?",
		   where, age, own_objects ? ", each on its own channel" : "");
}

static bool judge_select(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE], age[LASTING_SIZE];

	if (strcmp(reason_of(profile, group), "select") != 0 || group->count < MANY || !mostly_for(group, 10 * MINUTES))
		return false;
	return say(group, group->growth > 0 ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		   "No case of the select at %s has become ready%s: is there one that ends it (ctx.Done(), a timer), "
		   "and is that context ever cancelled?",
		   place(profile, own_frame(profile, group), where), lasting(group->age_median_ns, age));
}

static bool judge_iterator(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE], age[LASTING_SIZE];

	if (strcmp(reason_of(profile, group), "coroutine") != 0)
		return false;
	return say(group, group->count > 1 && mostly_for(group, MINUTES) ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		   "An iterator made by iter.Pull, at %s, has not been asked%s: is stop called on every path (defer "
		   "stop())?",
		   place(profile, own_frame(profile, group), where), lasting(group->age_median_ns, age));
}

static bool judge_sleep(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE], from[PLACE_SIZE];

	if (strcmp(reason_of(profile, group), "sleep") != 0 || group->count < MANY)
		return false;
	return say(group, group->growth > 0 ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		   "%" PRIu32
		   " goroutines of one go statement, at %.110s, sleep at %.110s: a loop that is started again and "
		   "again and never ends? Tie it to a context.",
		   group->count, place(profile, &group->created_by, from),
		   place(profile, own_frame(profile, group), where));
}

static bool judge_network(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE], age[LASTING_SIZE];
	bool many = group->count >= 2 * MANY && mostly_for(group, 15 * MINUTES);

	if (!reason_begins(profile, group, "IO wait") || !group->waiting_on.present ||
	    group->waiting_on.deadline_ns != 0)
		return false;
	if (calls(profile, group, "internal/poll.(*FD).Accept") ||
	    (!many && group->growth <= 0 && !stuck_for(group, MINUTES)))
		return false; /* a listener waits for ever by design; a connection may be idle for a while */
	return say(group, many ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		   "They wait for a peer at %s%s, without a deadline: a peer that has gone silent holds them for "
		   "ever. "
		   "Set a deadline or a timeout.",
		   place(profile, own_frame(profile, group), where), lasting(group->age_median_ns, age));
}

static bool judge_semaphore(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE], age[LASTING_SIZE];

	if (!reason_begins(profile, group, "semacquire") || !mostly_for(group, MINUTES))
		return false;
	return say(group, PW_VERDICT_POSSIBLE, "A semaphore of the runtime has not been released%s; they came from %s.",
		   lasting(group->age_median_ns, age), place(profile, own_frame(profile, group), where));
}

static bool judge_syscall(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool cgo = calls(profile, group, "runtime.cgocall");
	char where[PLACE_SIZE];

	if (group->status != PW_GOROUTINE_SYSCALL || group->mixed_status || !stood_still(group))
		return false;
	if (is_main(profile, group) || calls(profile, group, "os/signal.signal_recv") ||
	    calls(profile, group, "runtime.notetsleepg"))
		return false; /* by design: standard input, a signal */
	return say(group, PW_VERDICT_POSSIBLE,
		   "The %s at %s has not returned between the looks; each holds an OS thread. A blocking device, a "
		   "pipe, a "
		   "lock in C?",
		   cgo ? "C function called" : "system call", place(profile, own_frame(profile, group), where));
}

static bool judge_runnable(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PLACE_SIZE];

	if (group->status != PW_GOROUTINE_RUNNABLE || group->mixed_status || !stood_still(group))
		return false;
	return say(
		group, PW_VERDICT_POSSIBLE,
		"Ready to run at %s, but not once between the looks: too few CPUs (a quota?), or a loop that does not "
		"yield holds the Ps.",
		place(profile, own_frame(profile, group), where));
}

/* The first that fits speaks: from what is proved to what is general. */
static const struct pw_diagnosis_rule rules[] = {
	{"PW-D05", "leaked, says the runtime",
	 "Go 1.26 and later mark goroutines that nothing can reach (status leaked). certain.",
	 "What the stack waits for: everybody who could wake it is gone.", judge_leaked},
	{"PW-F01", "finalizer goroutine blocked",
	 "The one goroutine that runs finalizers or cleanups waits in code of the program. likely after a minute, "
	 "before "
	 "possible.",
	 "A finalizer that locks, sends or does I/O: let it start a goroutine instead.", judge_finalizer},
	{"PW-D01", "the runtime's own", "runtime.isSystemGoroutine says so. certain, and harmless.", "Nothing.",
	 judge_runtime},
	{"PW-G02", "nil channel, empty select",
	 "The wait reason says that the channel is nil or the select has no cases: nothing can ever wake it. certain; "
	 "in "
	 "main a select without cases is a way to wait for ever on purpose: possible.",
	 "Where the channel should have been made, or was set to nil; a select {} that should be a wait for a context.",
	 judge_nil},
	{"PW-G04", "mutex stuck",
	 "They wait for a sync.Mutex or RWMutex. likely if its holder can be inferred and is itself blocked (or waits "
	 "in a "
	 "circle), or if nine of ten did not run and half of them wait for a minute; else possible.",
	 "The holder: a return or panic without Unlock, a wait or a call of foreign code under the lock.", judge_mutex},
	{"PW-G05", "WaitGroup or Cond stuck",
	 "A WaitGroup that does not reach zero, or a Cond that nobody signals. likely if none ran for ten minutes "
	 "(Cond: "
	 "at least ten goroutines), else possible; not main alone.",
	 "Done on every path, Add before the go statement; Signal or Broadcast after every change.", judge_waitgroup},
	{"PW-G01", "channel without partner",
	 "A send that nobody receives: likely if nine of ten did not run and half wait for a minute, or if ten or more "
	 "grow (--diff); else possible. A receive that nobody serves: from ten goroutines on, likely if each waits on "
	 "its "
	 "own channel for a minute, or if they grow; else possible.",
	 "The other side: who should receive, send or close on every path, and did it return early?", judge_channel},
	{"PW-G03", "select without exit",
	 "Ten or more in one select of which no case became ready for ten minutes. likely if they grow (--diff), else "
	 "possible.",
	 "A case that ends it: ctx.Done() of a context that is cancelled, a timer.", judge_select},
	{"PW-G11", "abandoned iterator",
	 "Goroutines of iter.Pull that are not asked any more. likely from two on after a minute, else possible.",
	 "stop() on every path: next, stop := iter.Pull(seq); defer stop().", judge_iterator},
	{"PW-G06", "sleep or ticker loop spawned again and again",
	 "Ten or more of one go statement sleep. likely if they grow (--diff), else possible.",
	 "Who starts them, how often, and what ends them: tie the loop to a context.", judge_sleep},
	{"PW-G07", "network wait without deadline",
	 "IO wait on a descriptor that has no deadline, no listener. likely for twenty or more after a quarter of an "
	 "hour, "
	 "possible after a minute or if they grow (--diff).",
	 "SetDeadline, http.Server.ReadTimeout and IdleTimeout, a timeout of the client; keep-alives.", judge_network},
	{"PW-D03", "semaphore not released",
	 "semacquire outside of sync.Mutex, RWMutex, WaitGroup and Cond, for a minute. possible.",
	 "Who holds what they wait for: the function above semacquire tells.", judge_semaphore},
	{"PW-D02", "system call or cgo call stuck", "In a system call or a C function during both looks. possible.",
	 "What it waits for outside of Go; each such goroutine holds an OS thread.", judge_syscall},
	{"PW-D04", "runnable but not run", "Ready to run during both looks and never run in between. possible.",
	 "CPU quota (throttling), GOMAXPROCS, a loop that does not yield.", judge_runnable},
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
