/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/overhead.h"

#include <string.h>

#include "base/macros.h"
#include "collect/attach.h"

const char *pw_guard_level_name(enum pw_guard_level level)
{
	static const char *const names[] = {
		[PW_GUARD_CONTINUOUS] = "continuous",
		[PW_GUARD_PARK_DETACHED] = "park detached",
		[PW_GUARD_DETACHED] = "detached",
	};
	_Static_assert(ARRAY_SIZE(names) == _PW_GUARD_LEVEL_MAX, "a name for each level");

	return (unsigned int)level < ARRAY_SIZE(names) ? names[level] : "?";
}

unsigned int pw_guard_groups(enum pw_guard_level level)
{
	unsigned int frequent = PW_GROUP_BIT(PW_GROUP_PARK) | PW_GROUP_BIT(PW_GROUP_RUN);
	unsigned int rest = PW_GROUP_BIT(PW_GROUP_LIFECYCLE) | PW_GROUP_BIT(PW_GROUP_GC);

	switch (level) {
	case PW_GUARD_CONTINUOUS:
		return frequent | rest;
	case PW_GUARD_PARK_DETACHED:
		return rest;
	default:
		return 0;
	}
}

static void begin_window(struct pw_guard *guard, uint64_t now_ns, const uint64_t hits[_PW_EVENT_MAX])
{
	guard->window_start_ns = now_ns;
	memcpy(guard->last_hits, hits, sizeof(guard->last_hits));
}

static void set_level(struct pw_guard *guard, enum pw_guard_level level, uint64_t now_ns)
{
	if (level > guard->level) {
		bool forgiven = guard->level == PW_GUARD_CONTINUOUS && guard->backoff_ns &&
				now_ns - guard->level_since_ns >= PW_GUARD_FORGIVE_NS;

		guard->backoff_ns = guard->backoff_ns && !forgiven
					    ? PW_MIN(guard->backoff_ns * 2, PW_GUARD_RETRY_MAX_NS)
					    : PW_GUARD_RETRY_FIRST_NS;
		guard->detaches++;
		guard->detached_percent = guard->cpu_percent;
	}
	guard->retry_at_ns = now_ns + guard->backoff_ns;
	guard->level = level;
	guard->level_since_ns = now_ns;
}

enum pw_guard_level pw_guard_update(struct pw_guard *guard, uint64_t now_ns, const uint64_t hits[_PW_EVENT_MAX],
				    const uint64_t cost_ns[_PW_EVENT_MAX], double budget_percent)
{
	double total = 0, frequent = 0;

	if (!guard->started) {
		guard->started = true;
		guard->level_since_ns = now_ns;
		begin_window(guard, now_ns, hits);
		return guard->level;
	}
	if (now_ns < guard->window_start_ns || now_ns - guard->window_start_ns < PW_GUARD_JUDGE_NS)
		return guard->level;
	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		uint64_t delta = hits[event] > guard->last_hits[event] ? hits[event] - guard->last_hits[event] : 0;
		double cost = (double)delta * (double)cost_ns[event];

		total += cost;
		if (event == PW_EVENT_PARK || event == PW_EVENT_RUN)
			frequent += cost;
	}
	double percent = 100.0 / (double)(now_ns - guard->window_start_ns);
	guard->cpu_percent = total * percent;
	double rest = (total - frequent) * percent;
	begin_window(guard, now_ns, hits);

	if (budget_percent < 0) {
		if (guard->level != PW_GUARD_CONTINUOUS)
			set_level(guard, PW_GUARD_CONTINUOUS, now_ns);
	} else if (rest > 2 * budget_percent) {
		if (guard->level != PW_GUARD_DETACHED)
			set_level(guard, PW_GUARD_DETACHED, now_ns);
	} else if (guard->cpu_percent > budget_percent) {
		if (guard->level == PW_GUARD_CONTINUOUS)
			set_level(guard, PW_GUARD_PARK_DETACHED, now_ns);
	} else if (guard->level != PW_GUARD_CONTINUOUS && now_ns >= guard->retry_at_ns) {
		set_level(guard, guard->level - 1, now_ns);
	}
	return guard->level;
}
