/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/record.h"
#include "output/metrics_writer.h"

/* Allocation sites by line: the biggest and the fastest growing, the rest summed as other. */

enum what { INUSE, GROWTH };

static const char *base_name(const struct pw_record *record, pw_string file)
{
	const char *path = pw_record_string(record, file), *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void write_sum(struct pw_writer *w, const struct pw_metric_target *t, uint64_t inuse_bytes)
{
	struct pw_buf labels = PW_BUF_INIT(256);

	pw_write_label(&labels, "function", "other");
	pw_write_label(&labels, "site", "other");
	pw_write_u64(w, "", t->labels, pw_buf_text(&labels), inuse_bytes);
	pw_buf_done(&labels);
}

static void write_site(struct pw_writer *w, const struct pw_metric_target *t, const struct pw_record_heap_site *site,
		       enum what what)
{
	struct pw_buf labels = PW_BUF_INIT(4096);
	char place[256];

	snprintf(place, sizeof(place), "%.230s:%u", base_name(t->record, site->file), site->line);
	pw_write_label(&labels, "function", pw_record_string(t->record, site->function));
	pw_write_label(&labels, "site", place);
	if (what == INUSE)
		pw_write_u64(w, "", t->labels, pw_buf_text(&labels), site->inuse_bytes);
	else
		pw_write_double(w, "", t->labels, pw_buf_text(&labels), (double)site->growth_bytes);
	pw_buf_done(&labels);
}

/* Two lines of one name (a file of the same base name in another directory) would be one series: the first is shown. A
 * package's init may have the same line of several files. */
static bool is_shown_before(const struct pw_record *record, size_t index)
{
	const struct pw_record_heap_site *site = &record->heap.site[index];

	for (size_t i = 0; i < index; i++) {
		const struct pw_record_heap_site *before = &record->heap.site[i];

		if (before->function == site->function && before->line == site->line &&
		    !strcmp(base_name(record, before->file), base_name(record, site->file)))
			return true;
	}
	return false;
}

static void inuse(struct pw_writer *w, const struct pw_metric_target *t)
{
	uint64_t shown = 0;

	if (!t->record->heap.section.present)
		return;
	for (size_t i = 0; i < t->record->heap.site_count; i++) {
		if (is_shown_before(t->record, i))
			continue;
		write_site(w, t, &t->record->heap.site[i], INUSE);
		shown += t->record->heap.site[i].inuse_bytes;
	}
	write_sum(w, t, t->record->heap.inuse_bytes - PW_MIN(shown, t->record->heap.inuse_bytes));
}

static void growth(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (!t->record->heap.section.present)
		return;
	for (size_t i = 0; i < t->record->heap.site_count; i++)
		if (!is_shown_before(t->record, i))
			write_site(w, t, &t->record->heap.site[i], GROWTH);
}

static void age(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->heap.section.present)
		pw_write_seconds(w, "", t->labels, NULL,
				 pw_writer_boot_ns(w) - PW_MIN(pw_writer_boot_ns(w), t->record->heap.section.taken_ns));
}

#define G PW_METRIC_GAUGE
const struct pw_metric_family pw_metrics_heap[] = {
	{"parkwatch_heap_site_inuse_bytes", G, "bytes",
	 "Heap in use by the line that allocated it, as of the last GC cycle looked at; estimated from the runtime's "
	 "profile.",
	 inuse, NULL},
	{"parkwatch_heap_site_growth_bytes", G, "bytes", "Change of that since the look before it.", growth, NULL},
	{"parkwatch_heap_site_age_seconds", G, "seconds", "How old the look at the heap profile is.", age, NULL},
};
const size_t pw_metrics_heap_count = ARRAY_SIZE(pw_metrics_heap);
