/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/heap_lines.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/evidence.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/record.h"
#include "model/runtime_numbers.h"

#define ALL		0 /* key of the heap as a whole */
#define HOUR_NS		(3600.0 * (double)PW_NS_PER_SEC)
#define TOLD_FROM_SHARE 0.01 /* of the growth: less is nobody's business */

void pw_heap_lines_done(struct pw_heap_lines *lines)
{
	free(lines->lines);
	free(lines->floors);
	*lines = (struct pw_heap_lines){0};
}

/* --- points ------------------------------------------------------------------------------------------------------ */

/* Makes room by leaving out the one whose neighbours are closest for their age: what is long ago is known more
 * coarsely. The first and the last stay. */
static void thin(struct pw_heap_line *line)
{
	uint64_t now_ns = line->points[line->count - 1].taken_ns;
	double least = 2;
	size_t out = 1;

	for (size_t i = 1; i + 1 < line->count; i++) {
		uint64_t from = line->points[i - 1].taken_ns, to = line->points[i + 1].taken_ns;
		double gap = (double)(to - from) / (double)(now_ns - from + 1);

		if (gap < least) {
			least = gap;
			out = i;
		}
	}
	line->count--;
	memmove(&line->points[out], &line->points[out + 1], (line->count - out) * sizeof(line->points[0]));
}

static void add_point(struct pw_heap_line *line, uint64_t taken_ns, double bytes)
{
	if (line->count && line->points[line->count - 1].taken_ns >= taken_ns)
		return;
	if (line->count == PW_HEAP_POINTS_MAX)
		thin(line);
	line->points[line->count++] = (struct pw_heap_point){taken_ns, bytes};
}

static const struct pw_heap_point *newest(const struct pw_heap_line *line)
{
	return &line->points[line->count - 1];
}

/* The line of that key, made if there is none: then instead of the one that was not seen for longest. NULL: no memory.
 */
static struct pw_heap_line *line_of(struct pw_heap_lines *lines, uint64_t key)
{
	struct pw_heap_line *oldest = NULL;

	if (!lines->lines)
		lines->lines = calloc(PW_HEAP_LINES_MAX, sizeof(*lines->lines));
	if (!lines->lines)
		return NULL;
	for (size_t i = 0; i < lines->count; i++) {
		struct pw_heap_line *line = &lines->lines[i];

		if (line->key == key)
			return line;
		if (line->key != ALL && (!oldest || newest(line)->taken_ns < newest(oldest)->taken_ns))
			oldest = line;
	}
	if (lines->count < PW_HEAP_LINES_MAX)
		oldest = &lines->lines[lines->count++];
	*oldest = (struct pw_heap_line){.key = key};
	return oldest;
}

static const struct pw_heap_line *find(const struct pw_heap_lines *lines, uint64_t key)
{
	for (size_t i = 0; i < lines->count; i++)
		if (lines->lines[i].key == key)
			return &lines->lines[i];
	return NULL;
}

static void add(struct pw_heap_lines *lines, uint64_t key, uint64_t before_ns, double before, uint64_t taken_ns,
		double bytes)
{
	struct pw_heap_line *line = line_of(lines, key);

	if (!line)
		return;
	if (!line->count && before_ns)
		add_point(line, before_ns, before);
	add_point(line, taken_ns, bytes);
}

/* --- by line ----------------------------------------------------------------------------------------------------- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	} while (*text++);
	return hash;
}

static uint64_t key_of(const struct pw_record *record, const struct pw_record_heap_site *site)
{
	uint64_t hash = hash_text(0xcbf29ce484222325ULL, pw_record_string(record, site->function));

	hash = hash_text(hash, pw_record_string(record, site->file));
	hash = (hash ^ site->line) * 0x100000001b3ULL;
	return hash | 1ULL << 63; /* of no size, and not ALL */
}

static void see_profile(struct pw_heap_lines *lines, const struct pw_record *record)
{
	uint64_t taken_ns = record->heap.section.taken_ns, before_ns = lines->taken_ns;

	if (taken_ns <= lines->taken_ns)
		return;
	for (uint64_t i = 0; i < record->heap.site_count && i < PW_RECORD_HEAP_SITES_MAX; i++) {
		const struct pw_record_heap_site *site = &record->heap.site[i];

		/* One that is new among those in the record says itself what it had at the look before. */
		add(lines, key_of(record, site), before_ns, (double)site->inuse_bytes - (double)site->growth_bytes,
		    taken_ns, (double)site->inuse_bytes);
	}
	add(lines, ALL, 0, 0, taken_ns, (double)record->heap.inuse_bytes);
	lines->taken_ns = taken_ns;
}

/* --- by size ----------------------------------------------------------------------------------------------------- */

/* Bytes in use of each size, large objects in place 0; false: the record does not say. */
static bool bytes_by_size(const struct pw_record *record, double *ret_bytes)
{
	uint64_t allocs[PW_HISTOGRAM_BUCKETS_MAX], frees[PW_HISTOGRAM_BUCKETS_MAX];
	uint64_t all = record->runtime.numbers.heap_objects_bytes;
	double small = 0;

	if (record->runtime.scale[PW_HISTOGRAM_ALLOCS_BY_SIZE] != PW_SCALE_SIZE || all == PW_UNKNOWN ||
	    !pw_record_histogram(record, PW_HISTOGRAM_ALLOCS_BY_SIZE, allocs) ||
	    !pw_record_histogram(record, PW_HISTOGRAM_FREES_BY_SIZE, frees))
		return false;
	for (size_t i = 1; i < PW_SIZE_CLASSES; i++) {
		ret_bytes[i] = allocs[i] > frees[i] ? (double)(allocs[i] - frees[i]) * pw_size_classes[i] : 0;
		small += ret_bytes[i];
	}
	ret_bytes[0] = PW_MAX((double)all - small, 0.0);
	return true;
}

/* Objects that are garbage count until they are swept, so that the least of some time says what stays. */
static void see_sizes(struct pw_heap_lines *lines, const struct pw_record *record, uint64_t width_ns)
{
	uint64_t now_ns = record->runtime.section.taken_ns;
	double bytes[PW_SIZE_CLASSES], all = 0;

	if (!record->runtime.section.present || now_ns <= lines->taken_ns || !bytes_by_size(record, bytes))
		return;
	if (!lines->floors) {
		lines->floors = calloc(PW_SIZE_CLASSES, sizeof(*lines->floors));
		if (!lines->floors)
			return;
	}
	for (size_t i = 0; i < PW_SIZE_CLASSES; i++)
		lines->floors[i] = lines->floors_from_ns ? PW_MIN(lines->floors[i], bytes[i]) : bytes[i];
	if (!lines->floors_from_ns)
		lines->floors_from_ns = now_ns;
	if (now_ns - lines->floors_from_ns < width_ns)
		return;
	for (size_t i = 0; i < PW_SIZE_CLASSES; i++) {
		all += lines->floors[i];
		if (lines->floors[i] > 0)
			add(lines, i + 1, 0, 0, now_ns, lines->floors[i]);
	}
	add(lines, ALL, 0, 0, now_ns, all);
	lines->taken_ns = now_ns;
	lines->floors_from_ns = 0;
}

void pw_heap_lines_see(struct pw_heap_lines *lines, const struct pw_record *record, uint64_t width_ns)
{
	if (record->heap.section.present) {
		if (lines->floors) /* there was none before: then sizes stood for it */
			pw_heap_lines_done(lines);
		see_profile(lines, record);
	} else if (!lines->count || lines->floors) {
		see_sizes(lines, record, width_ns);
	}
}

/* --- what grew --------------------------------------------------------------------------------------------------- */

/* Since the point that is nearest to where the window begins. False if there is no older one than the newest. */
static bool growth_of(const struct pw_heap_line *line, uint64_t window_ns, double *ret_bytes, uint64_t *ret_over_ns)
{
	const struct pw_heap_point *last = newest(line), *first = NULL;
	uint64_t best = UINT64_MAX;

	for (const struct pw_heap_point *point = line->points; point < last; point++) {
		uint64_t ago = last->taken_ns - point->taken_ns;
		uint64_t off = ago > window_ns ? ago - window_ns : window_ns - ago;

		if (off < best) {
			best = off;
			first = point;
		}
	}
	if (!first)
		return false;
	*ret_bytes = last->bytes - first->bytes;
	*ret_over_ns = last->taken_ns - first->taken_ns;
	return true;
}

/* Puts it where it belongs by growth, falling; the last one goes when there is no room. */
static void rank(struct pw_alert *alert, const struct pw_alert_growing *growing)
{
	size_t at = alert->growing_count;

	while (at && alert->growing[at - 1].bytes < growing->bytes)
		at--;
	if (at == PW_ALERT_GROWING_MAX)
		return;
	if (alert->growing_count < PW_ALERT_GROWING_MAX)
		alert->growing_count++;
	memmove(&alert->growing[at + 1], &alert->growing[at],
		(alert->growing_count - at - 1) * sizeof(alert->growing[0]));
	alert->growing[at] = *growing;
}

static bool is_current(const struct pw_heap_lines *lines, const struct pw_heap_line *line)
{
	return line && newest(line)->taken_ns == lines->taken_ns;
}

/* Returns by how much it grew. */
static double tell_one(const struct pw_heap_line *line, uint64_t window_ns, struct pw_alert_growing *growing,
		       struct pw_alert *alert)
{
	if (!growth_of(line, window_ns, &growing->bytes, &growing->over_ns) || growing->bytes <= 0)
		return 0;
	growing->inuse_bytes = newest(line)->bytes;
	growing->per_hour = growing->bytes / ((double)growing->over_ns / HOUR_NS);
	rank(alert, growing);
	return growing->bytes;
}

static double tell_profile(const struct pw_heap_lines *lines, const struct pw_record *record, uint64_t window_ns,
			   struct pw_alert *alert)
{
	double all = 0;

	alert->growing_sampled = record->heap.rate > 1;
	for (uint64_t i = 0; i < record->heap.site_count && i < PW_RECORD_HEAP_SITES_MAX; i++) {
		const struct pw_record_heap_site *site = &record->heap.site[i];
		const struct pw_heap_line *line = find(lines, key_of(record, site));
		struct pw_alert_growing growing = {.frame.line = site->line};

		if (!is_current(lines, line))
			continue;
		pw_evidence_text(growing.frame.function, sizeof(growing.frame.function), record, site->function);
		pw_evidence_text(growing.frame.file, sizeof(growing.frame.file), record, site->file);
		all += tell_one(line, window_ns, &growing, alert);
	}
	return all;
}

static double tell_sizes(const struct pw_heap_lines *lines, uint64_t window_ns, struct pw_alert *alert)
{
	double all = 0;

	alert->growing_sampled = false;
	for (size_t i = 0; i < PW_SIZE_CLASSES; i++) {
		const struct pw_heap_line *line = find(lines, i + 1);
		struct pw_alert_growing growing = {.object_bytes = pw_size_classes[i], .large = !i};

		if (is_current(lines, line))
			all += tell_one(line, window_ns, &growing, alert);
	}
	return all;
}

void pw_heap_lines_tell(const struct pw_heap_lines *lines, const struct pw_record *record, uint64_t window_ns,
			struct pw_alert *alert)
{
	const struct pw_heap_line *whole = find(lines, ALL);
	uint64_t over_ns;
	double grown = 0, parts;

	if (!is_current(lines, whole))
		return; /* what is known from before stays */
	alert->growing_count = 0;
	parts = record->heap.section.present ? tell_profile(lines, record, window_ns, alert)
					     : tell_sizes(lines, window_ns, alert);
	if (growth_of(whole, window_ns, &grown, &over_ns))
		grown = PW_MAX(grown, parts); /* more than the whole, where others shrank */
	else
		grown = parts;
	while (alert->growing_count && alert->growing[alert->growing_count - 1].bytes < TOLD_FROM_SHARE * grown)
		alert->growing_count--;
	for (size_t i = 0; i < alert->growing_count; i++)
		alert->growing[i].share = alert->growing[i].bytes / grown;
	alert->growing_wall_ns =
		record->wall_ns - PW_MIN(record->boot_ns - PW_MIN(lines->taken_ns, record->boot_ns), record->wall_ns);
}
