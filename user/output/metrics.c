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
#define LABEL_VALUE_MAX	  256
#define TARGET_LABELS_MAX 8192
#define START_MAX	  (TARGET_LABELS_MAX + 256) /* and the name of a family */

struct pw_writer {
	struct pw_buf *out;
	const struct pw_published *published;
	const struct pw_metric_family *family;
	const struct pw_metric_target *target; /* whose samples are being written; NULL: parkwatch's own */
	struct pw_buf start; /* name{labels of that target, for all its samples; empty: not made yet */
	struct pw_buf value; /* of the sample being written, if it is a double */
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

/* Samples of a target differ in what follows its labels: up to there they are copied as one. */
static const struct pw_buf *start_of_target(struct pw_writer *writer)
{
	struct pw_buf *start = &writer->start;

	if (!start->size) {
		pw_buf_puts(start, writer->family->name);
		pw_buf_putc(start, '{');
		pw_buf_puts(start, writer->target->labels);
	}
	return pw_buf_error(start) ? NULL : start;
}

/* The longest part of a scrape: one reservation for a whole line. value ends in its newline. */
static void write_line(struct pw_writer *writer, const char *suffix, const char *labels, const char *more,
		       const char *value, size_t value_size)
{
	bool common = writer->target && labels == writer->target->labels && !*suffix;
	const struct pw_buf *start = common ? start_of_target(writer) : NULL;
	size_t name = start ? start->size : strlen(writer->family->name), end = strlen(suffix);
	size_t have = labels && !start ? strlen(labels) : 0, extra = more ? strlen(more) : 0;
	bool braces = start || have || extra, comma = (start || have) && extra;
	char *to;

	write_head(writer);
	to = pw_buf_reserve(writer->out,
			    name + end + (braces && !start) + have + comma + extra + braces + 1 + value_size);
	if (!to)
		return;
	to = put(to, start ? start->data : writer->family->name, name);
	to = put(to, suffix, end);
	if (braces && !start)
		*to++ = '{';
	to = put(to, labels ? labels : "", have);
	if (comma)
		*to++ = ',';
	to = put(to, more ? more : "", extra);
	if (braces)
		*to++ = '}';
	*to++ = ' ';
	put(to, value, value_size);
}

#define DIGITS_MAX 20

/* Writes the digits that end right before `end`, at least so many; returns where they begin. */
static char *digits(char *end, uint64_t value, int least)
{
	for (; value || least > 0; value /= 10, least--)
		*--end = (char)('0' + value % 10);
	return end;
}

void pw_write_u64(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, uint64_t value)
{
	char text[DIGITS_MAX + 1], *end = text + DIGITS_MAX, *start = digits(end, value, 1);

	if (value == PW_UNKNOWN)
		return;
	*end = '\n';
	write_line(writer, suffix, labels, more, start, (size_t)(end + 1 - start));
}

void pw_write_double(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, double value)
{
	if (!isfinite(value))
		return;
	pw_buf_reset(&writer->value);
	pw_buf_decimal(&writer->value, value);
	pw_buf_putc(&writer->value, '\n');
	write_line(writer, suffix, labels, more, pw_buf_text(&writer->value), writer->value.size);
}

/* Exactly, without the detour over a double, which is most of the work of a large scrape. */
void pw_write_seconds(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, uint64_t ns)
{
	char text[DIGITS_MAX + 12], *end = text + sizeof(text), *start;
	uint64_t fraction = ns % PW_NS_PER_SEC;
	int places = 9;

	if (ns == PW_UNKNOWN)
		return;
	*--end = '\n';
	start = end;
	for (; fraction && fraction % 10 == 0; fraction /= 10)
		places--;
	if (fraction) {
		start = digits(start, fraction, places);
		*--start = '.';
	}
	start = digits(start, ns / PW_NS_PER_SEC, 1);
	write_line(writer, suffix, labels, more, start, (size_t)(end + 1 - start));
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

#define EACH_BYTE(value) (0x0101010101010101ULL * (value))

/* Bit 7 of each byte that is zero, and perhaps of some behind the first such. */
static uint64_t zeros(uint64_t word)
{
	return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* How many of the bytes from here on show as they are: nearly always all. Eight at a time. */
static size_t plain_run(const char *text, size_t size)
{
	size_t run = 0;

	for (uint64_t word; run + sizeof(word) <= size; run += sizeof(word)) {
		memcpy(&word, text + run, sizeof(word));
		if (((word - EACH_BYTE(' ')) | word) & EACH_BYTE(0x80) || zeros(word ^ EACH_BYTE(0x7f)) ||
		    zeros(word ^ EACH_BYTE('\\')) || zeros(word ^ EACH_BYTE('"')))
			break;
	}
	while (run < size && text[run] >= ' ' && text[run] < 0x7f && text[run] != '\\' && text[run] != '"')
		run++;
	return run;
}

/* ,name="value" of a value that shows as it is. */
static void write_plain_label(struct pw_buf *out, const char *name, const char *value, size_t size)
{
	size_t comma = out->size > 0, length = strlen(name);
	char *to = pw_buf_reserve(out, comma + length + 3 + size);

	if (!to)
		return;
	if (comma)
		*to++ = ',';
	to = put(to, name, length);
	*to++ = '=';
	*to++ = '"';
	to = put(to, value, size);
	*to = '"';
}

void pw_write_label(struct pw_buf *out, const char *name, const char *value)
{
	size_t size = strlen(value), written = 0;

	if (size <= LABEL_VALUE_MAX && plain_run(value, size) == size) {
		write_plain_label(out, name, value, size);
		return;
	}
	if (out->size)
		pw_buf_putc(out, ',');
	pw_buf_puts(out, name);
	pw_buf_puts(out, "=\"");
	for (size_t at = 0; at < size && written < LABEL_VALUE_MAX;) {
		uint32_t code = 0;
		size_t run = plain_run(value + at, PW_MIN(size - at, LABEL_VALUE_MAX - written)), length;

		if (run) {
			pw_buf_append(out, value + at, run);
			at += run;
			written += run;
			continue;
		}
		length = pw_utf8_next(value + at, size - at, &code);
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
	_cleanup_buf_ struct pw_buf labels = PW_BUF_INIT(TARGET_LABELS_MAX);
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
	for (size_t i = 0; family->target && i < count; i++) {
		writer->target = &targets[i];
		pw_buf_reset(&writer->start);
		family->target(writer, &targets[i]);
	}
	writer->target = NULL;
	if (family->self)
		family->self(writer, writer->published);
}

void pw_metrics_render(struct pw_buf *out, const struct pw_published *published, bool openmetrics)
{
	struct pw_writer writer = {
		.out = out,
		.published = published,
		.start = PW_BUF_INIT(START_MAX),
		.value = PW_BUF_INIT(DIGITS_MAX * 2),
		.openmetrics = openmetrics,
	};
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
	for (size_t i = 0; i < pw_metrics_holdings_count && !r; i++)
		write_family(&writer, &pw_metrics_holdings[i], targets, published->record_count);
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
	pw_buf_done(&writer.start);
	pw_buf_done(&writer.value);
}
