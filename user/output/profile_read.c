/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/frames_json.h"

/*
 * The JSON of a profile, read back. Members that are not needed for a comparison are passed over, whatever they are;
 * those that are needed must have the right type.
 */
struct input {
	struct pw_profile *profile;
	struct pw_profile_group group; /* that is being read */
	bool version, groups;	       /* have been seen */
};

static bool read_string(struct pw_json_reader *reader, struct pw_profile *profile, uint32_t *ret_string)
{
	const char *text;

	if (!pw_json_read_text(reader, &text))
		return false;
	*ret_string = pw_profile_intern(profile, text);
	return true;
}

static bool read_created_by(struct pw_json_reader *reader, struct input *input)
{
	enum pw_json_token token = pw_json_next(reader);

	if (token == PW_JSON_NULL)
		return true;
	return token == PW_JSON_OBJECT ? pw_frame_read_json(reader, input->profile, &input->group.created_by)
				       : pw_json_fail(reader, -EBADMSG);
}

static bool read_status(struct pw_json_reader *reader, struct pw_profile_group *group)
{
	const char *text;

	if (!pw_json_read_text(reader, &text))
		return false;
	group->mixed_status = !strcmp(text, "mixed");
	for (uint8_t i = 0; i < _PW_GOROUTINE_STATUS_MAX && !group->mixed_status; i++)
		if (!strcmp(text, pw_status_name(i))) {
			group->status = i;
			return true;
		}
	return group->mixed_status || pw_json_fail(reader, -EBADMSG);
}

static bool read_age_member(struct pw_json_reader *reader, void *context)
{
	struct pw_profile_group *group = context;

	if (pw_json_is_key(reader, "min"))
		return pw_json_read_u64(reader, UINT64_MAX, &group->age_min_ns);
	if (pw_json_is_key(reader, "median"))
		return pw_json_read_u64(reader, UINT64_MAX, &group->age_median_ns);
	if (pw_json_is_key(reader, "max"))
		return pw_json_read_u64(reader, UINT64_MAX, &group->age_max_ns);
	return pw_json_skip(reader);
}

/* null: from a core file. */
static bool read_ages(struct pw_json_reader *reader, struct pw_profile_group *group)
{
	enum pw_json_token token = pw_json_next(reader);

	if (token == PW_JSON_NULL)
		return true;
	return token == PW_JSON_OBJECT ? pw_json_read_members(reader, group, read_age_member)
				       : pw_json_fail(reader, -EBADMSG);
}

static bool read_group_member(struct pw_json_reader *reader, void *context)
{
	struct input *input = context;
	struct pw_profile_group *group = &input->group;
	uint64_t count;

	if (pw_json_is_key(reader, "count")) {
		if (!pw_json_read_u64(reader, UINT32_MAX, &count))
			return false;
		group->count = (uint32_t)count;
		return true;
	}
	if (pw_json_is_key(reader, "status"))
		return read_status(reader, group);
	if (pw_json_is_key(reader, "wait_reason"))
		return read_string(reader, input->profile, &group->wait_reason);
	if (pw_json_is_key(reader, "stack"))
		return pw_frames_read_json(reader, input->profile, &group->first_frame, &group->frame_count);
	if (pw_json_is_key(reader, "created_by"))
		return read_created_by(reader, input);
	if (pw_json_is_key(reader, "age_ns"))
		return read_ages(reader, group);
	return pw_json_skip(reader);
}

static bool read_groups(struct pw_json_reader *reader, struct input *input)
{
	enum pw_json_token token = pw_json_next(reader);

	if (token != PW_JSON_ARRAY || input->groups)
		return pw_json_fail(reader, -EBADMSG);
	input->groups = true;
	while ((token = pw_json_next(reader)) == PW_JSON_OBJECT) {
		struct pw_profile_group *added;

		input->group = (struct pw_profile_group){.runs_per_second = -1};
		input->group.waiting_on.fd = -1;
		input->group.waiting_on.deadline_ns = INT64_MIN;
		if (!pw_json_read_members(reader, input, read_group_member))
			return false;
		added = pw_profile_add_group(input->profile);
		if (!added)
			return pw_json_fail(reader, -ENOMEM);
		*added = input->group;
		input->profile->total += input->group.count;
	}
	return token == PW_JSON_CLOSE || pw_json_fail(reader, -EBADMSG);
}

static bool read_root_member(struct pw_json_reader *reader, void *context)
{
	struct input *input = context;
	struct pw_profile *profile = input->profile;
	uint64_t number;

	if (pw_json_is_key(reader, "schema_version")) {
		if (!pw_json_read_u64(reader, UINT64_MAX, &number))
			return false;
		input->version = true;
		return number == 1 || pw_json_fail(reader, -ENOTSUP);
	}
	if (pw_json_is_key(reader, "groups"))
		return read_groups(reader, input);
	return pw_head_read_json(reader, profile);
}

int pw_profile_read_json(const void *data, size_t size, struct pw_profile **ret_profile)
{
	struct input input = {.profile = pw_profile_new()};
	struct pw_json_reader reader;
	int error;
	bool ok;

	if (!input.profile)
		return -ENOMEM;
	pw_json_reader_init(&reader, data, size);
	ok = pw_json_next(&reader) == PW_JSON_OBJECT && pw_json_read_members(&reader, &input, read_root_member) &&
	     pw_json_next(&reader) == PW_JSON_EOF && input.version && input.groups;
	error = reader.error ? reader.error : -EBADMSG;
	pw_json_reader_done(&reader);
	if (!ok) {
		pw_profile_free(input.profile);
		return error;
	}
	*ret_profile = input.profile;
	return 0;
}
