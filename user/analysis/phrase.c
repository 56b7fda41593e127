/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/phrase.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "model/alert.h"

const char *pw_phrase_number(uint64_t value, char text[PW_PHRASE_NUMBER_SIZE])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *out = text;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = 0;
	return text;
}

/* By arithmetic, as local time would ask the file system. */
const char *pw_phrase_clock(uint64_t wall_ns, char text[PW_PHRASE_NUMBER_SIZE])
{
	uint64_t minutes = wall_ns / (60 * PW_NS_PER_SEC);

	snprintf(text, PW_PHRASE_NUMBER_SIZE, "%02u:%02u UTC", (unsigned int)(minutes / 60 % 24),
		 (unsigned int)(minutes % 60));
	return text;
}

void pw_phrase_place(const struct pw_alert_frame *frame, char text[PW_PHRASE_PLACE_SIZE])
{
	const char *slash = strrchr(frame->file, '/');
	const char *file = slash ? slash + 1 : frame->file;

	if (!frame->function[0])
		snprintf(text, PW_PHRASE_PLACE_SIZE, "an unknown go statement");
	else if (!file[0])
		snprintf(text, PW_PHRASE_PLACE_SIZE, "%.130s", frame->function);
	else
		snprintf(text, PW_PHRASE_PLACE_SIZE, "%.80s (%.42s:%" PRIu32 ")", frame->function, file, frame->line);
}

const char *pw_phrase_bytes(double bytes, char text[PW_PHRASE_BYTES_SIZE])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t unit = 0;

	for (; fabs(bytes) >= 1000 && unit + 1 < ARRAY_SIZE(units); unit++)
		bytes /= 1000;
	snprintf(text, PW_PHRASE_BYTES_SIZE, unit && fabs(bytes) < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return text;
}
