/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/webhook_body.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "model/alert.h"
#include "output/alert_json.h"
#include "output/alert_text.h"

#define LINE_MAX_BYTES (128U << 10)

static void put_place(struct pw_buf *out, const struct pw_alert_frame *frame)
{
	pw_buf_puts(out, frame->function);
	if (*frame->file)
		pw_buf_printf(out, " %s:%u", frame->file, frame->line);
}

static void put_stack(struct pw_buf *out, const struct pw_alert_frame *frames, size_t count)
{
	for (size_t i = 0; i < count && i < PW_ALERT_FRAMES_MAX; i++) {
		pw_buf_puts(out, i ? "\n" : "");
		put_place(out, &frames[i]);
	}
}

/* Values must not be empty: Alertmanager takes an empty label for none. */
static void key_text(struct pw_json *json, const char *key, const char *text)
{
	if (*text)
		pw_json_key_str(json, key, text);
}

static void labels(struct pw_json *json, const char *host, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf place = PW_BUF_INIT(4096);

	put_place(&place, &alert->statement);
	pw_json_key_object(json, "labels");
	pw_json_key_str(json, "alertname", alert->rule);
	key_text(json, "host", host);
	key_text(json, "service", alert->service);
	key_text(json, "process", alert->process);
	pw_json_key_str(json, "severity", pw_alert_level_name(alert->level));
	key_text(json, "go_statement", pw_buf_text(&place));
	key_text(json, "owner", alert->owner);
	pw_json_end(json);
}

static void annotations(struct pw_json *json, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf stack = PW_BUF_INIT(16384), parked = PW_BUF_INIT(16384), wait = PW_BUF_INIT(512),
				    growing = PW_BUF_INIT(8192);
	char pid[16], grouped[96];

	snprintf(grouped, sizeof(grouped), "%u more of this service, not told by themselves: parkwatch alerts --all",
		 alert->grouped);

	snprintf(pid, sizeof(pid), "%d", alert->pid);
	put_stack(&stack, alert->creation, alert->creation_count);
	put_stack(&parked, alert->parked_stack, alert->parked_stack_depth);
	pw_alert_put_wait(&wait, alert);
	pw_alert_put_growing(&growing, alert, "; ");
	pw_json_key_object(json, "annotations");
	pw_json_key_str(json, "summary", alert->text);
	key_text(json, "confidence", alert->confidence);
	if (alert->grouped)
		pw_json_key_str(json, "grouped", grouped);
	key_text(json, "inhibited_by", alert->held_by);
	key_text(json, "hint", alert->hint);
	key_text(json, "reproduce", alert->reproduce);
	key_text(json, "runbook_url", alert->runbook);
	key_text(json, "benign", alert->benign);
	key_text(json, "parked_at", pw_buf_text(&parked));
	key_text(json, "waiting_on", pw_buf_text(&wait));
	key_text(json, "growing", pw_buf_text(&growing));
	key_text(json, "started_by", pw_buf_text(&stack));
	key_text(json, "build_id", alert->build_id);
	key_text(json, "go_version", alert->go_version);
	pw_json_key_str(json, "pid", pid); /* no label: it changes with a restart, and the alert stays the same */
	key_text(json, "parkwatch_id", alert->id);
	pw_json_end(json);
}

static void postable(struct pw_json *json, const char *host, const struct pw_alert *alert)
{
	char text[PW_RFC3339_SIZE];

	pw_json_object(json);
	labels(json, host, alert);
	annotations(json, alert);
	if (alert->onset_wall_ns)
		pw_json_key_str(json, "startsAt", pw_time_rfc3339(alert->onset_wall_ns, text));
	if (alert->resolved_wall_ns)
		pw_json_key_str(json, "endsAt", pw_time_rfc3339(alert->resolved_wall_ns, text));
	pw_json_end(json);
}

void pw_webhook_body(struct pw_buf *out, enum pw_webhook_format format, const char *host, const struct pw_alert *alerts,
		     size_t count)
{
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(LINE_MAX_BYTES);
	struct pw_json json = pw_json_init(out, false);
	int r;

	if (format == PW_WEBHOOK_JSON) {
		pw_json_object(&json);
		pw_json_key_u64(&json, "schema_version", PW_ALERTS_SCHEMA_VERSION);
		pw_json_key_str(&json, "host", host);
		pw_json_key_array(&json, "alerts");
	} else {
		pw_json_array(&json);
	}
	for (size_t i = 0; i < count; i++) {
		if (format == PW_WEBHOOK_ALERTMANAGER) {
			postable(&json, host, &alerts[i]);
			continue;
		}
		pw_buf_reset(&line);
		pw_view_alert_line(&line, &alerts[i]);
		if (!pw_buf_error(&line) && line.size)
			pw_json_raw(&json, pw_buf_text(&line), line.size - 1); /* without its newline */
	}
	if (format == PW_WEBHOOK_JSON)
		pw_json_end(&json);
	pw_json_end(&json);
	r = pw_json_finish(&json);
	if (r < 0 && !out->error)
		out->error = r;
}
