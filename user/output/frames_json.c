/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/frames_json.h"

#include <stdio.h>

#include "base/json.h"
#include "base/json_read.h"
#include "base/time.h"
#include "model/profile.h"

void pw_frames_write_json(struct pw_json *json, const char *key, const struct pw_profile *profile,
			  const struct pw_profile_frame *frames, uint32_t count)
{
	pw_json_key_array(json, key);
	for (uint32_t i = 0; i < count; i++) {
		pw_json_object(json);
		pw_json_key_str(json, "function", pw_profile_string(profile, frames[i].function));
		pw_json_key_str(json, "file", pw_profile_string(profile, frames[i].file));
		pw_json_key_u64(json, "line", frames[i].line);
		pw_json_key_bool(json, "inlined", frames[i].inlined);
		pw_json_end(json);
	}
	pw_json_end(json);
}

struct place {
	struct pw_profile *profile;
	struct pw_profile_frame *frame;
};

static bool read_member(struct pw_json_reader *reader, void *context)
{
	struct place *place = context;
	const char *text;
	uint64_t line;

	if (pw_json_is_key(reader, "function") || pw_json_is_key(reader, "file")) {
		bool is_file = pw_json_is_key(reader, "file");

		if (!pw_json_read_text(reader, &text))
			return false;
		*(is_file ? &place->frame->file : &place->frame->function) = pw_profile_intern(place->profile, text);
		return true;
	}
	if (!pw_json_is_key(reader, "line"))
		return pw_json_skip(reader);
	if (!pw_json_read_u64(reader, UINT32_MAX, &line))
		return false;
	place->frame->line = (uint32_t)line;
	return true;
}

bool pw_frame_read_json(struct pw_json_reader *reader, struct pw_profile *profile, struct pw_profile_frame *frame)
{
	struct place place = {profile, frame};

	return pw_json_read_members(reader, &place, read_member);
}

bool pw_frames_read_json(struct pw_json_reader *reader, struct pw_profile *profile, uint32_t *ret_first,
			 uint32_t *ret_count)
{
	enum pw_json_token token = pw_json_next(reader);

	if (token != PW_JSON_ARRAY)
		return pw_json_fail(reader, -EBADMSG);
	*ret_first = (uint32_t)profile->frame_count;
	while ((token = pw_json_next(reader)) == PW_JSON_OBJECT) {
		struct pw_profile_frame frame = {0}, *added;

		if (!pw_frame_read_json(reader, profile, &frame))
			return false;
		added = pw_profile_add_frame(profile);
		if (!added)
			return pw_json_fail(reader, -ENOMEM);
		*added = frame;
	}
	*ret_count = (uint32_t)profile->frame_count - *ret_first;
	return token == PW_JSON_CLOSE || pw_json_fail(reader, -EBADMSG);
}

void pw_head_write_json(struct pw_json *json, const struct pw_profile *profile)
{
	char taken[PW_RFC3339_SIZE];

	pw_json_key_i64(json, "pid", profile->pid);
	pw_json_key_str(json, "process", profile->process);
	pw_json_key_str(json, "go_version", profile->go_version);
	pw_json_key_str(json, "taken_at", pw_time_rfc3339(profile->taken_wall_ns, taken));
}

static bool read_name(struct pw_json_reader *reader, char *name, size_t size)
{
	const char *text;

	if (!pw_json_read_text(reader, &text))
		return false;
	snprintf(name, size, "%s", text);
	return true;
}

bool pw_head_read_json(struct pw_json_reader *reader, struct pw_profile *profile)
{
	const char *text;
	uint64_t number;

	if (pw_json_is_key(reader, "pid")) {
		if (!pw_json_read_u64(reader, INT32_MAX, &number))
			return false;
		profile->pid = (int32_t)number;
		return true;
	}
	if (pw_json_is_key(reader, "process"))
		return read_name(reader, profile->process, sizeof(profile->process));
	if (pw_json_is_key(reader, "go_version"))
		return read_name(reader, profile->go_version, sizeof(profile->go_version));
	if (pw_json_is_key(reader, "taken_at"))
		return (pw_json_read_text(reader, &text) && !pw_time_parse_rfc3339(text, &profile->taken_wall_ns)) ||
		       pw_json_fail(reader, -EBADMSG);
	return pw_json_skip(reader);
}
