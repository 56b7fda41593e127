/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/folded.h"

/* A name in a line of fields: what separates fields (; and, before the number, a blank) must not be in it. */
static void put_name(struct pw_buf *out, const char *name)
{
	size_t size = strlen(name), start = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && name[i] != ';')
			continue;
		pw_buf_escaped(out, name + start, i - start);
		if (i < size)
			pw_buf_putc(out, ':');
		start = i + 1;
	}
}

void pw_folded_line(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_frame *frames,
		    uint32_t count, const char *state, uint64_t value)
{
	if (!value)
		return;
	for (uint32_t i = count; i > 0; i--) {
		put_name(out, pw_profile_string(profile, frames[i - 1].function));
		if (i > 1 || state)
			pw_buf_putc(out, ';');
	}
	if (state) {
		pw_buf_putc(out, '[');
		put_name(out, state);
		pw_buf_putc(out, ']');
	}
	pw_buf_printf(out, " %" PRIu64 "\n", value);
}

static void put_line(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_group *group,
		     const char *state, uint64_t value)
{
	pw_folded_line(out, profile, profile->frames + group->first_frame, pw_profile_shown_frames(profile, group),
		       state, value);
}

int pw_profile_write_folded(struct pw_buf *out, const struct pw_profile *profile)
{
	for (size_t i = 0; i < profile->group_count; i++) {
		const struct pw_profile_group *group = &profile->groups[i];
		const char *reason = pw_profile_string(profile, group->wait_reason);

		if (group->system)
			continue;
		if (!profile->over_ns) {
			const char *status = group->mixed_status ? "various" : pw_status_name(group->status);

			put_line(out, profile, group, *reason ? reason : status, group->count);
			continue;
		}
		/* Microseconds: flame graph tools add them up in doubles. */
		put_line(out, profile, group, *reason ? reason : "waiting", group->waiting_ns / 1000);
		put_line(out, profile, group, "running", group->running_ns / 1000);
		put_line(out, profile, group, "runnable", group->runnable_ns / 1000);
		put_line(out, profile, group, "syscall", group->syscall_ns / 1000);
	}
	return pw_buf_error(out);
}
