/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_FRAMES_JSON_H
#define PW_OUTPUT_FRAMES_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct pw_json;
struct pw_json_reader;
struct pw_profile;
struct pw_profile_frame;

/* Stacks in JSON, [{function, file, line, inlined}] innermost first, as every profile has them. */
void pw_frames_write_json(struct pw_json *json, const char *key, const struct pw_profile *profile,
			  const struct pw_profile_frame *frames, uint32_t count);
/* Behind the key: adds the frames to those of the profile. Members that are not known are passed over. */
bool pw_frames_read_json(struct pw_json_reader *reader, struct pw_profile *profile, uint32_t *ret_first,
			 uint32_t *ret_count);
/* Behind a "{": one place. */
bool pw_frame_read_json(struct pw_json_reader *reader, struct pw_profile *profile, struct pw_profile_frame *frame);

/* What every profile says of itself: pid, process, go_version, taken_at. */
void pw_head_write_json(struct pw_json *json, const struct pw_profile *profile);
/* Behind a key of the root that its owner does not know: one of these, or it is passed over. */
bool pw_head_read_json(struct pw_json_reader *reader, struct pw_profile *profile);

#endif
