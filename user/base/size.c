/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/size.h"

#include <stdio.h>

#include "base/macros.h"

static const char *format(const char *sign, uint64_t bytes, char text[PW_SIZE_TEXT_SIZE])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	/* What would be rounded to 1024 is the next unit's 1.0. */
	while (value >= 1023.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(text, PW_SIZE_TEXT_SIZE, unit && value < 99.95 ? "%s%.1f %s" : "%s%.0f %s", sign, value, units[unit]);
	return text;
}

const char *pw_size_text(uint64_t bytes, char text[PW_SIZE_TEXT_SIZE])
{
	return format("", bytes, text);
}

const char *pw_size_change_text(int64_t bytes, char text[PW_SIZE_TEXT_SIZE])
{
	uint64_t magnitude = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;

	return format(bytes < 0 ? "-" : bytes ? "+" : "", magnitude, text);
}
