/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * PW_NS_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t pw_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t pw_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t pw_boot_offset_ns(void)
{
	uint64_t best = UINT64_MAX, offset = 0;

	for (int i = 0; i < 3; i++) { /* we may be interrupted between two clocks */
		uint64_t before = pw_now_ns(), boot = pw_boot_ns(), after = pw_now_ns();

		if (after - before >= best)
			continue;
		best = after - before;
		offset = boot - before - best / 2;
	}
	return offset;
}

uint64_t pw_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t pw_cpu_process_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t pw_cpu_thread_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t pw_cpu_of_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * PW_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

char *pw_time_rfc3339(uint64_t wall_ns, char text[PW_RFC3339_SIZE])
{
	time_t seconds = (time_t)(wall_ns / PW_NS_PER_SEC);
	unsigned int millis = (unsigned int)(wall_ns % PW_NS_PER_SEC / PW_NS_PER_MS);
	struct tm utc;
	size_t size;

	if (!gmtime_r(&seconds, &utc)) {
		snprintf(text, PW_RFC3339_SIZE, "unknown");
		return text;
	}
	size = strftime(text, PW_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + size, PW_RFC3339_SIZE - size, ".%03uZ", millis);
	return text;
}

char *pw_time_clock(uint64_t wall_ns, char text[PW_RFC3339_SIZE])
{
	time_t seconds = (time_t)(wall_ns / PW_NS_PER_SEC);
	struct tm local;

	if (!localtime_r(&seconds, &local) || strftime(text, PW_RFC3339_SIZE, "%H:%M:%S", &local) == 0)
		snprintf(text, PW_RFC3339_SIZE, "unknown");
	return text;
}

/* Digits of a fixed width; moves *cursor behind them. */
static bool take_number(const char **cursor, unsigned int width, int *ret_value)
{
	int value = 0;

	for (unsigned int i = 0; i < width; i++) {
		char c = (*cursor)[i];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*cursor += width;
	*ret_value = value;
	return true;
}

static bool take_char(const char **cursor, char expected)
{
	if (**cursor != expected)
		return false;
	(*cursor)++;
	return true;
}

/* Nothing, or a point and digits; those beyond ns are passed over. */
static bool take_fraction(const char **cursor, uint64_t *ret_ns)
{
	uint64_t unit = PW_NS_PER_SEC / 10;

	*ret_ns = 0;
	if (!take_char(cursor, '.'))
		return true;
	if (**cursor < '0' || **cursor > '9')
		return false;
	for (; **cursor >= '0' && **cursor <= '9'; (*cursor)++, unit /= 10)
		*ret_ns += (uint64_t)(**cursor - '0') * unit;
	return true;
}

static bool take_zone(const char **cursor, int *ret_offset_seconds)
{
	int sign, hours, minutes;

	*ret_offset_seconds = 0;
	if (take_char(cursor, 'Z'))
		return true;
	if (**cursor != '+' && **cursor != '-')
		return false;
	sign = **cursor == '-' ? -1 : 1;
	(*cursor)++;
	if (!take_number(cursor, 2, &hours) || !take_char(cursor, ':') || !take_number(cursor, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*ret_offset_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

int pw_time_parse_rfc3339(const char *text, uint64_t *ret_wall_ns)
{
	struct tm utc = {0};
	const char *cursor = text;
	uint64_t fraction;
	bool leap_second;
	int offset, day;
	time_t seconds;

	if (!take_number(&cursor, 4, &utc.tm_year) || !take_char(&cursor, '-') ||
	    !take_number(&cursor, 2, &utc.tm_mon) || !take_char(&cursor, '-') ||
	    !take_number(&cursor, 2, &utc.tm_mday) || (!take_char(&cursor, 'T') && !take_char(&cursor, ' ')) ||
	    !take_number(&cursor, 2, &utc.tm_hour) || !take_char(&cursor, ':') ||
	    !take_number(&cursor, 2, &utc.tm_min) || !take_char(&cursor, ':') || !take_number(&cursor, 2, &utc.tm_sec))
		return -EINVAL;
	if (!take_fraction(&cursor, &fraction) || !take_zone(&cursor, &offset) || *cursor != '\0' ||
	    utc.tm_year < 1970 || utc.tm_mon < 1 || utc.tm_mon > 12 || utc.tm_mday < 1 || utc.tm_mday > 31 ||
	    utc.tm_hour > 23 || utc.tm_min > 59 || utc.tm_sec > 60)
		return -EINVAL;
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	day = utc.tm_mday;
	leap_second = utc.tm_sec == 60;
	seconds = timegm(&utc) - offset; /* makes a first of March of a 30th of February */
	if (seconds < 0 || (utc.tm_mday != day && !leap_second))
		return -EINVAL;
	*ret_wall_ns = (uint64_t)seconds * PW_NS_PER_SEC + fraction;
	return 0;
}

char *pw_time_duration(uint64_t ns, char text[PW_DURATION_SIZE])
{
	uint64_t seconds = ns / PW_NS_PER_SEC;

	if (ns < PW_NS_PER_US)
		snprintf(text, PW_DURATION_SIZE, "%lluns", (unsigned long long)ns);
	else if (ns < 10 * PW_NS_PER_US)
		snprintf(text, PW_DURATION_SIZE, "%.1fus", (double)ns / 1e3);
	else if (ns < PW_NS_PER_MS)
		snprintf(text, PW_DURATION_SIZE, "%lluus", (unsigned long long)(ns / PW_NS_PER_US));
	else if (ns < 10 * PW_NS_PER_MS)
		snprintf(text, PW_DURATION_SIZE, "%.1fms", (double)ns / 1e6);
	else if (ns < PW_NS_PER_SEC)
		snprintf(text, PW_DURATION_SIZE, "%llums", (unsigned long long)(ns / PW_NS_PER_MS));
	else if (seconds < 60)
		snprintf(text, PW_DURATION_SIZE, seconds < 10 ? "%.1fs" : "%.0fs",
			 (double)(ns - ns % (seconds < 10 ? PW_NS_PER_SEC / 10 : PW_NS_PER_SEC)) / 1e9);
	else if (seconds < 3600)
		snprintf(text, PW_DURATION_SIZE, "%llum%02llus", (unsigned long long)(seconds / 60),
			 (unsigned long long)(seconds % 60));
	else if (seconds < 86400)
		snprintf(text, PW_DURATION_SIZE, "%lluh%02llum", (unsigned long long)(seconds / 3600),
			 (unsigned long long)(seconds % 3600 / 60));
	else
		snprintf(text, PW_DURATION_SIZE, "%llud%lluh", (unsigned long long)(seconds / 86400),
			 (unsigned long long)(seconds % 86400 / 3600));
	return text;
}
