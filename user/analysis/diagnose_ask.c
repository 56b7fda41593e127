/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/diagnose_ask.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *pw_ask_reason(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return pw_profile_string(profile, group->wait_reason);
}

bool pw_ask_reason_begins(const struct pw_profile *profile, const struct pw_profile_group *group, const char *prefix)
{
	return !strncmp(pw_ask_reason(profile, group), prefix, strlen(prefix));
}

static const char *function_at(const struct pw_profile *profile, const struct pw_profile_group *group, uint32_t i)
{
	return pw_profile_string(profile, profile->frames[group->first_frame + i].function);
}

bool pw_ask_calls(const struct pw_profile *profile, const struct pw_profile_group *group, const char *function)
{
	for (uint32_t i = 0; i < group->frame_count; i++)
		if (!strncmp(function_at(profile, group, i), function, strlen(function)))
			return true;
	return false;
}

bool pw_ask_is_main(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	return pw_ask_calls(profile, group, "runtime.main") ||
	       (!group->created_by.function && pw_ask_calls(profile, group, "main.main"));
}

bool pw_ask_stands(const struct pw_profile_group *group)
{
	uint64_t ran = group->count - group->never_ran - group->arrived;

	if (group->runs_per_second < 0)
		return !group->arrived;
	return group->never_ran * 2 >= group->count && ran * 10 <= group->count;
}

bool pw_ask_mostly_for(const struct pw_profile_group *group, uint64_t ns)
{
	return group->runs_per_second >= 0 && group->never_ran * 10 >= (uint64_t)group->count * 9 &&
	       group->age_median_ns >= ns;
}

bool pw_ask_own_objects(const struct pw_profile_group *group)
{
	return group->distinct_objects > 1 && group->distinct_objects * 10ULL >= group->count * 9ULL;
}

bool pw_ask_wakes(const struct pw_profile_group *group)
{
	return group->waiting_on.deadline_ns != INT64_MIN && group->waiting_on.deadline_ns != 0;
}

const struct pw_profile_goroutine *pw_ask_row(const struct pw_profile *profile, uint64_t goid)
{
	size_t low = 0, high = profile->goroutine_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (profile->goroutines[middle].goid < goid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == profile->goroutine_count || profile->goroutines[low].goid != goid ||
	    profile->goroutines[low].group >= profile->group_count)
		return NULL;
	return &profile->goroutines[low];
}

static bool is_library(const char *function)
{
	static const char *const packages[] = {"runtime.", "internal/", "sync.",  "time.", "syscall.",	 "iter.",
					       "os.",	   "net.",	"bufio.", "io.",   "crypto/tls."};

	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		if (!strncmp(function, packages[i], strlen(packages[i])))
			return true;
	return strstr(function, "._Cfunc_") != NULL; /* what cgo makes of a call of C */
}

const struct pw_profile_frame *pw_ask_own_frame(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	for (uint32_t i = 0; i < group->frame_count; i++)
		if (!is_library(function_at(profile, group, i)))
			return &profile->frames[group->first_frame + i];
	return &group->created_by;
}

const char *pw_tell_place(const struct pw_profile *profile, const struct pw_profile_frame *frame,
			  char text[PW_DIAGNOSE_PLACE])
{
	const char *function = pw_profile_string(profile, frame->function);
	const char *file = pw_profile_string(profile, frame->file), *slash = strrchr(file, '/');

	if (!*function)
		snprintf(text, PW_DIAGNOSE_PLACE, "an unknown place");
	else if (!*file)
		snprintf(text, PW_DIAGNOSE_PLACE, "%.140s", function);
	else
		snprintf(text, PW_DIAGNOSE_PLACE, "%.80s (%.50s:%" PRIu32 ")", function, slash ? slash + 1 : file,
			 frame->line);
	return text;
}

const char *pw_tell_lasting(uint64_t ns, char text[PW_DIAGNOSE_LASTING])
{
	char duration[PW_DURATION_SIZE];

	text[0] = '\0';
	if (ns)
		snprintf(text, PW_DIAGNOSE_LASTING, " for %s", pw_time_duration(ns, duration));
	return text;
}

bool pw_tell(struct pw_profile_group *group, enum pw_verdict verdict, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(group->diagnosis.text, sizeof(group->diagnosis.text), fmt, args);
	va_end(args);
	group->diagnosis.verdict = (uint8_t)verdict;
	return true;
}
