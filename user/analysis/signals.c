/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/signals.h"

#include <stdio.h>

#include "model/record.h"

const char *pw_off_because(const struct pw_record *record, int ability, const char *clause, char *text, size_t size)
{
	const char *reason = pw_record_string(record, record->abilities[ability].reason);

	if (record->abilities[ability].ok || !*reason)
		return clause;
	snprintf(text, size, "%s: %s", clause, reason);
	return text;
}

/* What memory would tell is missing: because it is closed, or because it has not been read yet. */
static const char *memory_absent(const struct pw_record *record, const char *never, const char *not_yet, char *text,
				 size_t size)
{
	return record->abilities[PW_ABILITY_MEMORY].ok ? not_yet
						       : pw_off_because(record, PW_ABILITY_MEMORY, never, text, size);
}

const char *pw_off_census(const struct pw_record *record, char *text, size_t size)
{
	return record->census.section.present ? NULL
					      : memory_absent(record, "its goroutines cannot be counted",
							      "its goroutines have not been counted yet", text, size);
}

const char *pw_off_snapshot(const struct pw_record *record, char *text, size_t size)
{
	return record->snapshot.section.present ? NULL
						: memory_absent(record, "its stacks cannot be read",
								"its stacks have not been read yet", text, size);
}

const char *pw_off_events(const struct pw_record *record, char *text, size_t size)
{
	return record->events.section.present
		       ? NULL
		       : pw_off_because(record, PW_ABILITY_EVENTS, "nothing is probed", text, size);
}

const char *pw_off_gc(const struct pw_record *record, char *text, size_t size)
{
	size_t count = record->gc.cycle_count;

	if (!record->gc.section.present || !count)
		return memory_absent(record, "its GC cycles cannot be followed", "no GC cycle has been seen yet", text,
				     size);
	return record->gc.cycles[count - 1].heap_live_bytes == PW_UNKNOWN ? "its live heap is not known" : NULL;
}

const char *pw_off_memory_limit(const struct pw_record *record, char *text, size_t size)
{
	(void)text;
	(void)size;
	if (!record->memory.section.present)
		return "its memory has not been looked at yet";
	if (record->memory.table.limits.max_bytes == PW_UNKNOWN)
		return "no memory limit of a cgroup holds for it";
	return record->memory.table.limits.max_used_bytes == PW_UNKNOWN ? "what its cgroup uses is not known" : NULL;
}
