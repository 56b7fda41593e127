/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/profiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "model/profile.h"

static struct pw_profile_frame frame(struct pw_profile *profile, const char *text, uint64_t addr)
{
	struct pw_profile_frame parsed = {.addr = addr, .entry = addr - 0x20};
	const char *blank = strchr(text, ' '), *colon = strrchr(text, ':');
	char part[512];

	snprintf(part, sizeof(part), "%.*s", (int)(blank - text), text);
	parsed.function = pw_profile_intern(profile, part);
	snprintf(part, sizeof(part), "%.*s", (int)(colon - blank - 1), blank + 1);
	parsed.file = pw_profile_intern(profile, part);
	parsed.line = (uint32_t)atoi(colon + 1);
	return parsed;
}

static void add_members(struct pw_profile *profile, const struct sample_group *from, uint32_t group)
{
	for (uint32_t i = 0; i < from->count; i++) {
		struct pw_profile_goroutine *row = pw_profile_add_goroutine(profile);

		row->goid = profile->goroutine_count;
		row->parent_goid = group ? 1 : 0;
		row->group = group;
		row->runs = i < from->newcomers ? UINT32_MAX : from->runs;
		row->parked_ns = from->reason ? from->parked_ns << PW_MIN(i, 3U) : 0;
		row->parked_at_least = true;
		row->age_ns = row->parked_ns * 2;
		row->wait = (struct pw_profile_wait){.fd = -1,
						     .deadline_ns = from->deadline_ns,
						     .receivers = from->receivers,
						     .senders = from->senders,
						     .nil = from->nil,
						     .owner_goid = from->owner,
						     .period_ns = from->period_ns,
						     .counter = -1};
		if (from->wait) {
			row->wait.kind = pw_profile_intern(profile, from->wait);
			row->wait.present = !from->nil;
			row->wait.object = (group + 1) * 1000 + (from->own_objects ? i : 0);
		}
		if (from->label) {
			struct pw_profile_label *label = pw_profile_add_label(profile);

			label->key = pw_profile_intern(profile, from->label);
			label->value = pw_profile_intern(profile, from->value);
			row->first_label = (uint32_t)profile->label_count - 1;
			row->label_count = 1;
		}
	}
}

static bool one_look(const struct sample_group *groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (groups[i].runs != UINT32_MAX)
			return false;
	return true;
}

struct pw_profile *sample_profile(const struct sample_group *groups, size_t count)
{
	struct pw_profile *profile = pw_profile_new();

	assert_non_null(profile);
	profile->pid = 42;
	snprintf(profile->process, sizeof(profile->process), "orders");
	snprintf(profile->go_version, sizeof(profile->go_version), "go1.19.8");
	snprintf(profile->build_id, sizeof(profile->build_id), "gnu:abcd");
	snprintf(profile->exe, sizeof(profile->exe), "/usr/bin/orders");
	profile->taken_wall_ns = 1000 * PW_NS_PER_SEC;
	profile->duration_ns = 2 * PW_NS_PER_MS;
	profile->looks = one_look(groups, count) ? 1 : 2;
	profile->elapsed_ns = profile->looks == 2 ? PW_NS_PER_SEC : 0;
	profile->text_start = 0x400000;
	profile->text_end = 0x500000;
	for (size_t g = 0; g < count; g++) {
		const struct sample_group *from = &groups[g];
		struct pw_profile_group *group = pw_profile_add_group(profile);

		group->status = from->status;
		group->system = from->system;
		group->wait_reason = from->reason ? pw_profile_intern(profile, from->reason) : 0;
		group->first_frame = (uint32_t)profile->frame_count;
		for (size_t i = 0; i < ARRAY_SIZE(from->stack) && from->stack[i]; i++) {
			struct pw_profile_frame added =
				frame(profile, from->stack[i], 0x401000 + g * 0x1000 + i * 0x100);

			*pw_profile_add_frame(profile) = added;
			group->frame_count++;
		}
		if (from->created_by)
			group->created_by = frame(profile, from->created_by, 0x480000 + g * 0x100);
		add_members(profile, from, (uint32_t)g);
	}
	assert_int_equal(pw_profile_summarize(profile), 0);
	return profile;
}

struct pw_profile_group *group_of(const struct pw_profile *profile, const char *function)
{
	for (size_t i = 0; i < profile->group_count; i++) {
		struct pw_profile_group *group = &profile->groups[i];
		const struct pw_profile_frame *first =
			group->frame_count ? &profile->frames[group->first_frame] : &group->created_by;

		if (!strcmp(pw_profile_string(profile, first->function), function))
			return group;
	}
	fail_msg("no group of %s", function);
	return NULL;
}
