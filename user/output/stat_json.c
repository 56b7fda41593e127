/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "output/stat.h"
#include "output/views.h"

static void key_number(struct pw_json *json, const char *key, uint64_t value)
{
	if (value == PW_UNKNOWN)
		pw_json_key_null(json, key);
	else
		pw_json_key_u64(json, key, value);
}

static void write_numbers(struct pw_json *json, const struct pw_runtime_numbers *numbers)
{
	pw_json_key_object(json, "numbers");
	for (size_t i = 0; i < pw_number_field_count; i++) {
		const struct pw_number_field *field = &pw_number_fields[i];
		uint64_t value = pw_number_get(numbers, field);

		if (!strcmp(field->name, "gc_percent") && value == PW_GC_PERCENT_OFF)
			pw_json_key_i64(json, field->name, -1);
		else if (!strcmp(field->name, "memory_limit_bytes") && value == PW_MEMORY_LIMIT_NONE)
			pw_json_key_null(json, field->name);
		else
			key_number(json, field->name, value);
	}
	pw_json_end(json);
}

static void write_changes(struct pw_json *json, const struct pw_stat_view *view)
{
	if (!view->before) {
		pw_json_key_null(json, "changes");
		return;
	}
	pw_json_key_object(json, "changes");
	for (size_t i = 0; i < pw_number_field_count; i++) {
		const struct pw_number_field *field = &pw_number_fields[i];
		uint64_t now = pw_number_get(&view->now->numbers, field);
		uint64_t before = pw_number_get(&view->before->numbers, field);

		if (field->kind == PW_NUMBER_COUNTER)
			key_number(json, field->name,
				   now == PW_UNKNOWN || before == PW_UNKNOWN || now < before ? PW_UNKNOWN
											     : now - before);
	}
	pw_json_end(json);
}

static void write_states(struct pw_json *json, const struct pw_stat_look *look)
{
	if (!look->states_known) {
		pw_json_key_null(json, "goroutine_states");
		return;
	}
	pw_json_key_object(json, "goroutine_states");
	for (size_t i = 0; i < _PW_GOROUTINE_STATUS_MAX; i++)
		pw_json_key_u64(json, pw_status_name((enum pw_status_class)i), look->states[i]);
	pw_json_end(json);
}

static void write_histogram(struct pw_json *json, const struct pw_histograms *histograms, enum pw_histogram which)
{
	enum pw_histogram_scale scale = histograms->scale[which];

	pw_json_key_object(json, pw_histogram_name(which));
	pw_json_key_str(json, "unit", scale == PW_SCALE_SIZE ? "bytes" : "ns");
	pw_json_key_u64(json, "count", pw_histogram_total(histograms->count[which], scale));
	pw_json_key_array(json, "buckets");
	for (size_t i = 0; i < pw_scale_buckets(scale); i++) {
		if (!histograms->count[which][i])
			continue;
		pw_json_array(json);
		pw_json_double(json, pw_scale_bound(scale, i)); /* infinity: null */
		pw_json_double(json, pw_scale_bound(scale, i + 1));
		pw_json_u64(json, histograms->count[which][i]);
		pw_json_end(json);
	}
	pw_json_end(json);
	pw_json_end(json);
}

void pw_view_stat(struct pw_buf *out, const struct pw_stat_view *view, bool one_line)
{
	struct pw_json json = pw_json_init(out, !one_line);
	const struct pw_stat_look *now = view->now;
	char time[PW_RFC3339_SIZE];

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_i64(&json, "pid", view->pid);
	pw_json_key_str(&json, "process", view->process);
	pw_json_key_str(&json, "go_version", view->go_version);
	pw_json_key_str(&json, "time", pw_time_rfc3339(now->wall_ns, time));
	pw_json_key_u64(&json, "uptime_ns",
			now->boot_ns > view->start_time_ns ? now->boot_ns - view->start_time_ns : 0);
	key_number(&json, "interval_ns", view->before ? now->boot_ns - view->before->boot_ns : PW_UNKNOWN);
	write_states(&json, now);
	write_numbers(&json, &now->numbers);
	write_changes(&json, view);
	pw_json_key_double(&json, "gc_cpu_fraction", now->numbers.gc_cpu_fraction);
	pw_json_key_array(&json, "gc_pause_quantiles_ns");
	for (size_t i = 0; i < PW_PAUSE_QUANTILES && now->numbers.gc_pause_quantiles_ns[i] != PW_UNKNOWN; i++)
		pw_json_u64(&json, now->numbers.gc_pause_quantiles_ns[i]);
	pw_json_end(&json);
	pw_json_key_object(&json, "histograms");
	for (enum pw_histogram which = 0; which < _PW_HISTOGRAM_MAX; which++)
		if (now->histograms.scale[which] != PW_SCALE_NONE)
			write_histogram(&json, &now->histograms, which);
	pw_json_end(&json);
	pw_json_end(&json);
	if (!pw_json_finish(&json))
		pw_buf_putc(out, '\n');
}
