/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include "base/buf.h"
#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/flame.h"

/* Goroutines as a flame graph: their number or, with --over, their time; wait reasons and states are the leaves. */
static int add_group(struct pw_flame *flame, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	const struct pw_profile_frame *frames = profile->frames + group->first_frame;
	uint32_t count = pw_profile_shown_frames(profile, group);
	const char *state =
		group->wait_reason ? pw_profile_string(profile, group->wait_reason) : pw_status_name(group->status);
	const struct {
		uint64_t ns;
		const char *state;
	} states[] = {{group->waiting_ns, state},
		      {group->running_ns, pw_status_name(PW_GOROUTINE_RUNNING)},
		      {group->runnable_ns, pw_status_name(PW_GOROUTINE_RUNNABLE)},
		      {group->syscall_ns, pw_status_name(PW_GOROUTINE_SYSCALL)}};
	int r = 0;

	if (!profile->over_ns)
		return pw_flame_add(flame, frames, count, state, group->count);
	for (size_t i = 0; i < ARRAY_SIZE(states) && r >= 0; i++)
		r = pw_flame_add(flame, frames, count, states[i].state, states[i].ns / 1000);
	return r;
}

int pw_profile_write_svg(struct pw_buf *out, const struct pw_profile *profile)
{
	const struct pw_flame_title title = {
		.text = profile->over_ns ? "time of goroutines by stack and state" : "goroutines by stack",
		.unit = profile->over_ns ? PW_FLAME_MICROSECONDS : PW_FLAME_GOROUTINES,
	};
	_cleanup_(pw_flame_freep) struct pw_flame *flame = NULL;
	int r = pw_flame_new(&flame, profile);

	for (size_t i = 0; i < profile->group_count && r >= 0; i++)
		if (!profile->groups[i].system)
			r = add_group(flame, profile, &profile->groups[i]);
	return r < 0 ? r : pw_flame_finish(flame, &title, out);
}
