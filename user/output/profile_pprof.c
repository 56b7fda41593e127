/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/pprof.h"

/* Goroutines as profile.proto: how many and how long they have waited or, with --over, the time of each state. */
static const struct pw_pprof_type types[] = {{"goroutine", "count"},
					     {"waiting", "nanoseconds"},
					     {"running", "nanoseconds"},
					     {"runnable", "nanoseconds"},
					     {"syscall", "nanoseconds"}};
/* A core file does not say how long they have waited. */
static size_t type_count(const struct pw_profile *profile)
{
	return profile->over_ns ? ARRAY_SIZE(types) : profile->from_core ? 1 : 2;
}

static int add_group(struct pw_pprof *writer, const struct pw_profile *profile, const struct pw_profile_group *group,
		     uint64_t waiting_ns)
{
	_cleanup_free_ struct pw_pprof_label *labels = calloc(group->label_count + 1, sizeof(*labels));
	uint64_t values[ARRAY_SIZE(types)] = {group->count, waiting_ns, group->running_ns, group->runnable_ns,
					      group->syscall_ns};
	char stackless[32];
	struct pw_pprof_sample sample = {
		.frames = profile->frames + group->first_frame,
		.frame_count = pw_profile_shown_frames(profile, group),
		.stackless = stackless,
		.values = values,
		.value_count = type_count(profile),
		.labels = labels,
	};

	if (!labels)
		return -ENOMEM;
	/* A running goroutine has no stack that can be read. */
	snprintf(stackless, sizeof(stackless), "[%s]", pw_status_name(group->status));
	for (uint32_t i = 0; i < group->label_count; i++) {
		const struct pw_profile_label *label = &profile->labels[group->first_label + i];

		labels[sample.label_count++] =
			(struct pw_pprof_label){.key = pw_profile_string(profile, label->key),
						.text = pw_profile_string(profile, label->value)};
	}
	if (group->wait_reason)
		labels[sample.label_count++] = (struct pw_pprof_label){
			.key = "wait reason", .text = pw_profile_string(profile, group->wait_reason)};
	pw_pprof_add(writer, &sample);
	return 0;
}

int pw_profile_write_pprof(struct pw_buf *out, const struct pw_profile *profile)
{
	const struct pw_pprof_kind kind = {
		.types = types,
		.type_count = type_count(profile),
		.period_type = types[0],
		.period = 1,
		.duration_ns = profile->over_ns,
		.default_type = types[0].name,
	};
	_cleanup_(pw_pprof_freep) struct pw_pprof *writer = NULL;
	_cleanup_free_ uint64_t *waiting = calloc(profile->group_count + 1, sizeof(*waiting));
	int r;

	if (!waiting)
		return -ENOMEM;
	r = pw_pprof_new(&writer, profile);
	for (size_t i = 0; i < profile->goroutine_count && r >= 0; i++)
		if (profile->goroutines[i].group < profile->group_count)
			waiting[profile->goroutines[i].group] += profile->goroutines[i].parked_ns;
	for (size_t i = 0; i < profile->group_count && r >= 0; i++) {
		const struct pw_profile_group *group = &profile->groups[i];

		if (!group->system)
			r = add_group(writer, profile, group, profile->over_ns ? group->waiting_ns : waiting[i]);
	}
	return r < 0 ? r : pw_pprof_finish(writer, &kind, out);
}
