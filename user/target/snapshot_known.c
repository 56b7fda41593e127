/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/macros.h"
#include "model/ages.h"
#include "target/snapshot_state.h"

/*
 * Ages that somebody else has watched longer: the daemon, for a command that has just begun to look. A goid is never
 * used twice by a process, so bounds of a birth hold whenever they were found; a park is the same only if goid,
 * depth of the stack and trackingSeq are.
 */
void pw_snapshot_know(struct pw_snapshot *snapshot, const struct pw_age *ages, size_t count)
{
	snapshot->known = ages;
	snapshot->known_count = count;
}

void pw_snapshot_recall(const struct pw_snapshot *snapshot, struct pw_snapshot_goroutine *shown, struct pw_seen *seen)
{
	const struct pw_age *age = pw_ages_find(snapshot->known, snapshot->known_count, shown->goid);

	if (!age)
		return;
	shown->born_after_ns = PW_MAX(shown->born_after_ns, age->born_after_ns);
	if (age->born_before_ns && (!shown->born_before_ns || age->born_before_ns < shown->born_before_ns))
		shown->born_before_ns = age->born_before_ns;
	if (!seen->parked || !age->parked_since_ns || age->tracking_seq != seen->tracking_seq ||
	    age->depth != seen->hi - seen->sp || age->parked_since_ns >= seen->parked_since_ns)
		return;
	seen->parked_since_ns = age->parked_since_ns;
	seen->at_least = age->at_least;
}
