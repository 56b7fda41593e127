/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Rules about channels, timers, iterators and the network. */
#include <inttypes.h>
#include <string.h>

#include "analysis/diagnose_ask.h"

/* --- channels ---------------------------------------------------------------------------------------------------- */

bool pw_judge_nil(const struct pw_profile *profile, struct pw_profile_group *group)
{
	const char *reason = pw_ask_reason(profile, group);
	bool empty = !strcmp(reason, "select (no cases)"), nil = strstr(reason, "(nil chan)") != NULL;
	char where[PW_DIAGNOSE_PLACE];

	if (!empty && !nil)
		return false;
	pw_tell_place(profile, pw_ask_own_frame(profile, group), where);
	if (empty && pw_ask_is_main(profile, group))
		return pw_tell(
			group, PW_VERDICT_POSSIBLE,
			"main waits for ever in a select without cases at %s: on purpose, if the work is done by "
			"others.",
			where);
	if (empty)
		return pw_tell(
			group, PW_VERDICT_CERTAIN,
			"Blocked for ever: the select at %s has no cases, nothing can wake it. Return instead, or "
			"wait for a context.",
			where);
	return pw_tell(
		group, PW_VERDICT_CERTAIN,
		"Blocked for ever: the channel at %s is nil, nothing can wake it. Look where it should have been "
		"made, or was set to nil.",
		where);
}

static bool judge_send(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool own = pw_ask_own_objects(group), likely;
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	/* Each on a channel that nobody else sends to: no queue in front of a slow receiver, no slots of a semaphore.
	 */
	likely = group->count >= PW_DIAGNOSE_MANY && (own || group->growth > 0) &&
		 pw_ask_mostly_for(group, PW_DIAGNOSE_MINUTES);
	return pw_tell(
		group, likely ? PW_VERDICT_LIKELY : PW_VERDICT_POSSIBLE,
		"Nobody has received from the channel that they send to at %s%s%s. Did the receiver return early? "
		"A buffer of one, or a select on ctx.Done(), lets them end.",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where),
		pw_tell_lasting(group->age_median_ns, age), own ? ", each on its own channel" : "");
}

bool pw_judge_channel(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool own = pw_ask_own_objects(group);
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	if (!pw_ask_stands(group))
		return false;
	if (pw_ask_reason_begins(profile, group, "chan send"))
		return judge_send(profile, group);
	/* Workers that wait for work share a channel and are as many as they were; one that waits is a loop. */
	if (!pw_ask_reason_begins(profile, group, "chan receive") || group->count < PW_DIAGNOSE_MANY ||
	    pw_ask_wakes(group) || (!own && group->growth <= 0))
		return false;
	return pw_tell(
		group, PW_VERDICT_POSSIBLE,
		"Nobody has sent to, or closed, the channel that they receive from at %s%s%s. Look for the sender: "
		"who should send or close on every path? One for each open connection is ordinary.",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where),
		pw_tell_lasting(group->age_median_ns, age), own ? ", each on its own channel" : "");
}

bool pw_judge_select(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	if (strcmp(pw_ask_reason(profile, group), "select") != 0 || group->count < PW_DIAGNOSE_MANY ||
	    pw_ask_wakes(group) || !pw_ask_mostly_for(group, 10 * PW_DIAGNOSE_MINUTES))
		return false;
	return pw_tell(
		group, PW_VERDICT_POSSIBLE,
		"No case of the select at %s has become ready%s: is there one that ends it (ctx.Done(), a timer), "
		"and is that context ever cancelled?",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where),
		pw_tell_lasting(group->age_median_ns, age));
}

/* --- iterators --------------------------------------------------------------------------------------------------- */

/* That an iterator runs cannot be seen (target/snapshot_show.c): only how many there are. */
bool pw_judge_iterator(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE];

	if (strcmp(pw_ask_reason(profile, group), "coroutine") != 0 ||
	    (group->count < PW_DIAGNOSE_MANY && group->growth <= 0))
		return false;
	return pw_tell(group, PW_VERDICT_POSSIBLE,
		       "%" PRIu32
		       " iterators made by iter.Pull, at %s, are not at their end: is stop called on every path "
		       "(defer stop())?",
		       group->count, pw_tell_place(profile, pw_ask_own_frame(profile, group), where));
}

/* --- timers ------------------------------------------------------------------------------------------------------ */

/* Sleeps, or waits for a ticker. */
static bool is_loop(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	if (!strcmp(pw_ask_reason(profile, group), "sleep"))
		return true;
	return group->waiting_on.period_ns > 0 && (pw_ask_reason_begins(profile, group, "chan receive") ||
						   !strcmp(pw_ask_reason(profile, group), "select"));
}

bool pw_judge_sleep(const struct pw_profile *profile, struct pw_profile_group *group)
{
	char where[PW_DIAGNOSE_PLACE], from[PW_DIAGNOSE_PLACE];

	if (!is_loop(profile, group) || group->count < PW_DIAGNOSE_MANY || (!group->arrived && group->growth <= 0))
		return false; /* as many as there were: started once */
	return pw_tell(
		group,
		group->growth > 0 && group->growth * 2 >= (int64_t)group->count && group->arrived ? PW_VERDICT_LIKELY
												  : PW_VERDICT_POSSIBLE,
		"%" PRIu32 " goroutines of one go statement, at %.100s, %s at %.100s, and more join: a loop that is "
		"started again and again and never ends? Tie it to a context.",
		group->count, pw_tell_place(profile, &group->created_by, from),
		group->waiting_on.period_ns > 0 ? "wait for tickers" : "sleep",
		pw_tell_place(profile, pw_ask_own_frame(profile, group), where));
}

/* --- network ----------------------------------------------------------------------------------------------------- */

bool pw_judge_network(const struct pw_profile *profile, struct pw_profile_group *group)
{
	bool writes = pw_ask_calls(profile, group, "net.(*conn).Write");
	bool idle = !writes && pw_ask_calls(profile, group, "net/http.(*conn).serve");
	char where[PW_DIAGNOSE_PLACE], age[PW_DIAGNOSE_LASTING];

	if (!pw_ask_reason_begins(profile, group, "IO wait") || !group->waiting_on.present ||
	    group->waiting_on.deadline_ns != 0 || !pw_ask_stands(group))
		return false;
	if (!writes && !pw_ask_calls(profile, group, "net.(*conn).Read"))
		return false; /* listeners, datagrams, pipes, inotify wait for ever by design */
	pw_tell_place(profile, pw_ask_own_frame(profile, group), where);
	pw_tell_lasting(group->age_median_ns, age);
	if (idle || pw_ask_calls(profile, group, "net/http.(*connReader)"))
		return pw_tell(
			group, PW_VERDICT_POSSIBLE,
			"Connections of an HTTP server wait for their next request at %s%s, without a deadline. "
			"Keep-alive is meant so: a fault only if they pile up. http.Server.IdleTimeout ends them.",
			where, age);
	return pw_tell(
		group, PW_VERDICT_POSSIBLE,
		"They wait %s at %s%s, without a deadline: a peer that has gone silent holds them for ever. Set a "
		"deadline or a timeout.",
		writes ? "until a peer takes what they write" : "for a peer", where, age);
}
