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

/*
 * The JSON of a profile, read back. Members that are not needed for a comparison are passed over, whatever they are;
 * those that are needed must have the right type.
 */
struct input {
	struct pw_json_reader reader;
	struct pw_profile *profile;
	bool version, groups; /* have been seen */
	int error;
};

static bool bad(struct input *input, int error)
{
	if (!input->error)
		input->error = input->reader.error ? input->reader.error : error;
	return false;
}

static bool read_u64(struct input *input, uint64_t max, uint64_t *ret_value)
{
	if (pw_json_next(&input->reader) != PW_JSON_NUMBER || !input->reader.is_integer || input->reader.negative ||
	    input->reader.integer > max)
		return bad(input, -EBADMSG);
	*ret_value = input->reader.integer;
	return true;
}

static bool read_text(struct input *input, const char **ret_text)
{
	if (pw_json_next(&input->reader) != PW_JSON_STRING)
		return bad(input, -EBADMSG);
	*ret_text = pw_buf_text(&input->reader.text);
	return true;
}

static bool read_string(struct input *input, uint32_t *ret_string)
{
	const char *text;

	if (!read_text(input, &text))
		return false;
	*ret_string = pw_profile_intern(input->profile, text);
	return true;
}

static bool is_key(const struct input *input, const char *key)
{
	return !strcmp(pw_buf_text(&input->reader.text), key);
}

/* Each member of the object whose "{" has been read, by read_member; false on error. */
static bool read_members(struct input *input, void *context, bool (*read_member)(struct input *input, void *context))
{
	enum pw_json_token token;

	while ((token = pw_json_next(&input->reader)) == PW_JSON_KEY)
		if (!read_member(input, context))
			return bad(input, -EBADMSG);
	return token == PW_JSON_CLOSE || bad(input, -EBADMSG);
}

static bool read_place_member(struct input *input, void *context)
{
	struct pw_profile_frame *frame = context;
	uint64_t line;

	if (is_key(input, "function"))
		return read_string(input, &frame->function);
	if (is_key(input, "file"))
		return read_string(input, &frame->file);
	if (!is_key(input, "line"))
		return pw_json_skip(&input->reader);
	if (!read_u64(input, UINT32_MAX, &line))
		return false;
	frame->line = (uint32_t)line;
	return true;
}

static bool read_stack(struct input *input, struct pw_profile_group *group)
{
	enum pw_json_token token = pw_json_next(&input->reader);

	if (token != PW_JSON_ARRAY)
		return bad(input, -EBADMSG);
	group->first_frame = (uint32_t)input->profile->frame_count;
	while ((token = pw_json_next(&input->reader)) == PW_JSON_OBJECT) {
		struct pw_profile_frame frame = {0}, *added;

		if (!read_members(input, &frame, read_place_member))
			return false;
		added = pw_profile_add_frame(input->profile);
		if (!added)
			return bad(input, -ENOMEM);
		*added = frame;
	}
	group->frame_count = (uint32_t)input->profile->frame_count - group->first_frame;
	return token == PW_JSON_CLOSE || bad(input, -EBADMSG);
}

static bool read_created_by(struct input *input, struct pw_profile_group *group)
{
	enum pw_json_token token = pw_json_next(&input->reader);

	if (token == PW_JSON_NULL)
		return true;
	return token == PW_JSON_OBJECT ? read_members(input, &group->created_by, read_place_member)
				       : bad(input, -EBADMSG);
}

static bool read_status(struct input *input, struct pw_profile_group *group)
{
	const char *text;

	if (!read_text(input, &text))
		return false;
	group->mixed_status = !strcmp(text, "mixed");
	for (uint8_t i = 0; i < _PW_GOROUTINE_STATUS_MAX && !group->mixed_status; i++)
		if (!strcmp(text, pw_status_name(i))) {
			group->status = i;
			return true;
		}
	return group->mixed_status || bad(input, -EBADMSG);
}

static bool read_age_member(struct input *input, void *context)
{
	struct pw_profile_group *group = context;

	if (is_key(input, "min"))
		return read_u64(input, UINT64_MAX, &group->age_min_ns);
	if (is_key(input, "median"))
		return read_u64(input, UINT64_MAX, &group->age_median_ns);
	if (is_key(input, "max"))
		return read_u64(input, UINT64_MAX, &group->age_max_ns);
	return pw_json_skip(&input->reader);
}

static bool read_group_member(struct input *input, void *context)
{
	struct pw_profile_group *group = context;
	uint64_t count;

	if (is_key(input, "count")) {
		if (!read_u64(input, UINT32_MAX, &count))
			return false;
		group->count = (uint32_t)count;
		return true;
	}
	if (is_key(input, "status"))
		return read_status(input, group);
	if (is_key(input, "wait_reason"))
		return read_string(input, &group->wait_reason);
	if (is_key(input, "stack"))
		return read_stack(input, group);
	if (is_key(input, "created_by"))
		return read_created_by(input, group);
	if (is_key(input, "age_ns"))
		return pw_json_next(&input->reader) == PW_JSON_OBJECT ? read_members(input, group, read_age_member)
								      : bad(input, -EBADMSG);
	return pw_json_skip(&input->reader);
}

static bool read_groups(struct input *input)
{
	enum pw_json_token token = pw_json_next(&input->reader);

	if (token != PW_JSON_ARRAY || input->groups)
		return bad(input, -EBADMSG);
	input->groups = true;
	while ((token = pw_json_next(&input->reader)) == PW_JSON_OBJECT) {
		struct pw_profile_group group = {.runs_per_second = -1}, *added;

		group.waiting_on.fd = -1;
		group.waiting_on.deadline_ns = INT64_MIN;
		if (!read_members(input, &group, read_group_member))
			return false;
		added = pw_profile_add_group(input->profile);
		if (!added)
			return bad(input, -ENOMEM);
		*added = group;
		input->profile->total += group.count;
	}
	return token == PW_JSON_CLOSE || bad(input, -EBADMSG);
}

static bool read_root_member(struct input *input, void *context)
{
	struct pw_profile *profile = input->profile;
	const char *text;
	uint64_t number;

	(void)context;
	if (is_key(input, "schema_version")) {
		if (!read_u64(input, UINT64_MAX, &number))
			return false;
		input->version = true;
		return number == 1 || bad(input, -ENOTSUP);
	}
	if (is_key(input, "groups"))
		return read_groups(input);
	if (is_key(input, "pid")) {
		if (!read_u64(input, INT32_MAX, &number))
			return false;
		profile->pid = (int32_t)number;
		return true;
	}
	if (is_key(input, "taken_at"))
		return (read_text(input, &text) && !pw_time_parse_rfc3339(text, &profile->taken_wall_ns)) ||
		       bad(input, -EBADMSG);
	if (is_key(input, "process")) {
		if (!read_text(input, &text))
			return false;
		snprintf(profile->process, sizeof(profile->process), "%s", text);
		return true;
	}
	if (is_key(input, "go_version")) {
		if (!read_text(input, &text))
			return false;
		snprintf(profile->go_version, sizeof(profile->go_version), "%s", text);
		return true;
	}
	return pw_json_skip(&input->reader);
}

int pw_profile_read_json(const void *data, size_t size, struct pw_profile **ret_profile)
{
	struct input input = {.profile = pw_profile_new()};
	bool ok;

	if (!input.profile)
		return -ENOMEM;
	pw_json_reader_init(&input.reader, data, size);
	ok = (pw_json_next(&input.reader) == PW_JSON_OBJECT || bad(&input, -EBADMSG)) &&
	     read_members(&input, NULL, read_root_member) &&
	     (pw_json_next(&input.reader) == PW_JSON_EOF || bad(&input, -EBADMSG)) &&
	     ((input.version && input.groups) || bad(&input, -EBADMSG));
	pw_json_reader_done(&input.reader);
	if (!ok) {
		pw_profile_free(input.profile);
		return input.error ? input.error : -EBADMSG;
	}
	*ret_profile = input.profile;
	return 0;
}
