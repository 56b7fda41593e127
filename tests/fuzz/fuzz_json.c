/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdint.h>
#include <string.h>

#include "base/json_read.h"
#include "model/profile.h"
#include "output/profile.h"

/* A JSON file that somebody gives to --diff: every token, and the profile that is made of it, written out again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(64U << 20);
	struct pw_profile *profile = NULL;
	struct pw_json_reader reader;
	volatile size_t touched = 0;
	enum pw_json_token token;

	pw_json_reader_init(&reader, data, size);
	while ((token = pw_json_next(&reader)) != PW_JSON_ERROR && token != PW_JSON_EOF)
		if (token == PW_JSON_KEY || token == PW_JSON_STRING)
			touched += strlen(pw_buf_text(&reader.text));
	if (token == PW_JSON_EOF && reader.position != size)
		__builtin_trap();
	pw_json_reader_done(&reader);
	if (pw_profile_read_json(data, size, &profile) < 0)
		return 0;
	if (pw_profile_write_json(&out, profile) < 0 || pw_profile_write_text(&out, profile, 20) < 0 ||
	    pw_profile_write_folded(&out, profile) < 0)
		touched++;
	pw_profile_free(profile);
	return 0;
}
