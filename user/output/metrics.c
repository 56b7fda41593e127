/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/utf8.h"
#include "output/metrics_writer.h"
#include "output/publish_data.h"

/*
 * The registry renders family by family, because both formats want all samples of a family in one block: HELP and TYPE
 * are written before the first sample, so that a family nobody has numbers for does not appear.
 *
 * The formats differ in three places: OpenMetrics names a counter family without its _total, has UNIT lines, and ends
 * in # EOF.
 */
#define LABEL_VALUE_MAX 256

struct pw_writer {
	struct pw_buf *out;
	const struct pw_published *published;
	const struct pw_metric_family *family;
	bool openmetrics;
	bool headed;
};

static void write_head(struct pw_writer *writer)
{
	static const char *const types[] = {"gauge", "counter", "summary", "histogram"};
	const struct pw_metric_family *family = writer->family;
	int size = (int)strlen(family->name);

	if (writer->headed)
		return;
	writer->headed = true;
	if (writer->openmetrics && family->type == PW_METRIC_COUNTER)
		size -= (int)strlen("_total");
	pw_buf_printf(writer->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", size, family->name, family->help, size,
		      family->name, types[family->type]);
	if (writer->openmetrics && family->unit)
		pw_buf_printf(writer->out, "# UNIT %.*s %s\n", size, family->name, family->unit);
}

static char *put(char *to, const char *text, size_t size)
{
	memcpy(to, text, size);
	return to + size;
}

/* The longest part of a scrape: one reservation for all of it. */
static void write_start(struct pw_writer *writer, const char *suffix, const char *labels, const char *more)
{
	size_t name = strlen(writer->family->name), end = strlen(suffix), have = labels ? strlen(labels) : 0;
	size_t extra = more ? strlen(more) : 0;
	char *to;

	write_head(writer);
	to = pw_buf_reserve(writer->out, name + end + have + extra + (have && extra) + (have || extra ? 2 : 0) + 1);
	if (!to)
		return;
	to = put(to, writer->family->name, name);
	to = put(to, suffix, end);
	if (have || extra) {
		*to++ = '{';
		to = put(to, labels ? labels : "", have);
		if (have && extra)
			*to++ = ',';
		to = put(to, more ? more : "", extra);
		*to++ = '}';
	}
	*to = ' ';
}

#define DIGITS_MAX 20

/* Writes the digits that end right before `end`, at least so many; returns where they begin. */
static char *digits(char *end, uint64_t value, int least)
{
	for (; value || least > 0; value /= 10, least--)
		*--end = (char)('0' + value % 10);
	return end;
}

static void write_digits(struct pw_writer *writer, uint64_t value)
{
	char text[DIGITS_MAX + 1], *end = text + DIGITS_MAX, *start = digits(end, value, 1);

	*end = '\n';
	(void)pw_buf_append(writer->out, start, (size_t)(end + 1 - start));
}

void pw_write_u64(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, uint64_t value)
{
	if (value == PW_UNKNOWN)
		return;
	write_start(writer, suffix, labels, more);
	write_digits(writer, value);
}

void pw_write_double(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, double value)
{
	if (!isfinite(value))
		return;
	write_start(writer, suffix, labels, more);
	pw_buf_decimal(writer->out, value);
	pw_buf_putc(writer->out, '\n');
}

/* Exactly, without the detour over a double, which is most of the work of a large scrape. */
void pw_write_seconds(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, uint64_t ns)
{
	char text[DIGITS_MAX + 12], *end = text + sizeof(text), *start;
	uint64_t fraction = ns % PW_NS_PER_SEC;
	int places = 9;

	if (ns == PW_UNKNOWN)
		return;
	write_start(writer, suffix, labels, more);
	*--end = '\n';
	start = end;
	for (; fraction && fraction % 10 == 0; fraction /= 10)
		places--;
	if (fraction) {
		start = digits(start, fraction, places);
		*--start = '.';
	}
	start = digits(start, ns / PW_NS_PER_SEC, 1);
	(void)pw_buf_append(writer->out, start, (size_t)(end + 1 - start));
}

const struct pw_metric_family *pw_writer_family(const struct pw_writer *writer)
{
	return writer->family;
}

uint64_t pw_writer_wall_ns(const struct pw_writer *writer)
{
	return writer->published->wall_ns;
}

uint64_t pw_writer_boot_ns(const struct pw_writer *writer)
{
	return writer->published->boot_ns;
}

void pw_write_label(struct pw_buf *out, const char *name, const char *value)
{
	size_t size = strlen(value), written = 0;

	if (out->size)
		pw_buf_putc(out, ',');
	pw_buf_puts(out, name);
	pw_buf_puts(out, "=\"");
	for (size_t at = 0; at < size && written < LABEL_VALUE_MAX;) {
		uint32_t code = 0;
		size_t length = pw_utf8_next(value + at, size - at, &code);

		written += length ? length : 3;
		if (!length)
			pw_buf_puts(out, "\xef\xbf\xbd");
		else if (code == '\\' || code == '"')
			pw_buf_printf(out, "\\%c", (int)code);
		else if (pw_utf8_is_control(code))
			pw_buf_puts(out, "\xef\xbf\xbd");
		else
			pw_buf_append(out, value + at, length);
		at += length ? length : 1;
	}
	pw_buf_putc(out, '"');
}

static int target_init(struct pw_metric_target *target, const struct pw_record *record, size_t series_sites)
{
	const struct pw_record_identity *identity = &record->identity;
	_cleanup_buf_ struct pw_buf labels = PW_BUF_INIT(8192);
	static const struct {
		const char *name;
		size_t offset;
	} optional[] = {
		{"unit", offsetof(struct pw_record_identity, unit)},
		{"container", offsetof(struct pw_record_identity, container)},
		{"pod", offsetof(struct pw_record_identity, pod)},
	};
	char pid[16];

	pw_write_label(&labels, "service", pw_record_string(record, identity->service));
	pw_write_label(&labels, "process", pw_record_string(record, identity->process));
	snprintf(pid, sizeof(pid), "%d", identity->pid);
	pw_write_label(&labels, "pid", pid);
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		pw_string string = *(const pw_string *)((const char *)identity + optional[i].offset);
		const char *text = pw_record_string(record, string);

		if (*text)
			pw_write_label(&labels, optional[i].name, text);
	}
	target->record = record;
	target->labels = pw_buf_take(&labels, NULL);
	target->sites = pw_site_table_new(record, series_sites);
	return target->labels && target->sites ? 0 : -ENOMEM;
}

static void write_family(struct pw_writer *writer, const struct pw_metric_family *family,
			 const struct pw_metric_target *targets, size_t count)
{
	writer->family = family;
	writer->headed = false;
	for (size_t i = 0; family->target && i < count; i++)
		family->target(writer, &targets[i]);
	if (family->self)
		family->self(writer, writer->published);
}

void pw_metrics_render(struct pw_buf *out, const struct pw_published *published, bool openmetrics)
{
	struct pw_writer writer = {.out = out, .published = published, .openmetrics = openmetrics};
	struct pw_metric_target *targets = calloc(published->record_count + 1, sizeof(*targets));
	int r = targets ? 0 : -ENOMEM;

	for (size_t i = 0; i < published->record_count && !r; i++)
		r = target_init(&targets[i], published->records[i], published->series_sites);
	for (size_t i = 0; i < pw_metrics_runtime_count && !r; i++)
		write_family(&writer, &pw_metrics_runtime[i], targets, published->record_count);
	for (size_t i = 0; i < pw_metrics_target_count && !r; i++)
		write_family(&writer, &pw_metrics_target[i], targets, published->record_count);
	for (size_t i = 0; i < pw_metrics_heap_count && !r; i++)
		write_family(&writer, &pw_metrics_heap[i], targets, published->record_count);
	for (size_t i = 0; i < pw_metrics_memory_count && !r; i++)
		write_family(&writer, &pw_metrics_memory[i], targets, published->record_count);
	for (size_t i = 0; i < pw_metrics_snapshot_count && !r; i++)
		write_family(&writer, &pw_metrics_snapshot[i], targets, published->record_count);
	for (size_t i = 0; i < pw_metrics_self_count && !r; i++)
		write_family(&writer, &pw_metrics_self[i], targets, published->record_count);
	if (!r && openmetrics)
		pw_buf_puts(out, "# EOF\n");
	if (r && !out->error)
		out->error = r; /* half a page would look like targets that are gone */
	for (size_t i = 0; targets && i < published->record_count; i++) {
		free(targets[i].labels);
		pw_site_table_free(targets[i].sites);
	}
	free(targets);
}
