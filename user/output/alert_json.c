/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/alert_json.h"

#include <math.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"

#define SECOND_NS ((double)PW_NS_PER_SEC)
#define HOUR_NS	  (3600 * (double)PW_NS_PER_SEC)

static void key_count(struct pw_json *json, const char *key, uint64_t value)
{
	if (value == UINT64_MAX)
		pw_json_key_null(json, key);
	else
		pw_json_key_u64(json, key, value);
}

static void key_number(struct pw_json *json, const char *key, bool known, double value)
{
	if (known && isfinite(value))
		pw_json_key_double(json, key, value);
	else
		pw_json_key_null(json, key);
}

static void key_text(struct pw_json *json, const char *key, const char *text)
{
	pw_json_key_str(json, key, *text ? text : NULL);
}

static void key_time(struct pw_json *json, const char *key, uint64_t wall_ns)
{
	char text[PW_RFC3339_SIZE];

	pw_json_key_str(json, key, wall_ns ? pw_time_rfc3339(wall_ns, text) : NULL);
}

static void put_frame(struct pw_json *json, const struct pw_alert_frame *frame)
{
	pw_json_key_str(json, "function", frame->function);
	pw_json_key_str(json, "file", frame->file);
	pw_json_key_u64(json, "line", frame->line);
}

static void key_frames(struct pw_json *json, const char *key, const struct pw_alert_frame *frames, size_t count)
{
	pw_json_key_array(json, key);
	for (size_t i = 0; i < count && i < PW_ALERT_FRAMES_MAX; i++) {
		pw_json_object(json);
		put_frame(json, &frames[i]);
		pw_json_end(json);
	}
	pw_json_end(json);
}

static void key_eta(struct pw_json *json, const char *key, uint64_t eta_ns)
{
	key_number(json, key, eta_ns && eta_ns != UINT64_MAX, (double)eta_ns / SECOND_NS);
}

/* Who and when. */
static void put_head(struct pw_json *json, const struct pw_alert *alert)
{
	pw_json_key_str(json, "id", alert->id);
	pw_json_key_str(json, "rule", alert->rule);
	pw_json_key_str(json, "level", pw_alert_level_name(alert->level));
	pw_json_key_str(json, "confidence", alert->confidence);
	pw_json_key_str(json, "state", pw_alert_state_name(alert->state));
	pw_json_key_str(json, "service", alert->service);
	key_text(json, "build", alert->build_id);
	pw_json_key_i64(json, "pid", alert->pid);
	key_time(json, "started", alert->process_started_wall_ns);
	key_time(json, "onset", alert->onset_wall_ns);
	key_time(json, "fired", alert->fired_wall_ns);
}

/* How many, how fast, how long still. */
static void put_figures(struct pw_json *json, const struct pw_alert *alert)
{
	bool goroutines = !*alert->unit || alert->parked || alert->parked_onset;
	bool window = goroutines && (alert->window_ns || alert->arrivals_per_hour > 0);

	key_count(json, "n", goroutines ? alert->parked : UINT64_MAX);
	key_count(json, "n_onset", goroutines ? alert->parked_onset : UINT64_MAX);
	key_number(json, "baseline", alert->baseline >= 0, alert->baseline);
	key_number(json, "arrivals_per_h", window, alert->arrivals_per_hour);
	key_number(json, "exits_per_h", window, alert->exits_per_hour);
	key_number(json, "life_lb_h", goroutines && alert->window_ns && alert->life_ns != UINT64_MAX,
		   (double)alert->life_ns / HOUR_NS);
	key_number(json, "growth_per_h", true, alert->growth_per_hour);
	key_eta(json, "eta_s", alert->eta_ns);
	key_eta(json, "eta_lo", alert->eta_low_ns);
	key_eta(json, "eta_hi", alert->eta_high_ns);
	key_number(json, "limit", alert->limit > 0, alert->limit);
	key_count(json, "pinned_bytes", alert->pinned_known ? alert->pinned_bytes : UINT64_MAX);
}

static void put_wait(struct pw_json *json, const struct pw_alert_wait *wait)
{
	if (!*wait->kind) {
		pw_json_key_null(json, "wait_object");
		return;
	}
	pw_json_key_object(json, "wait_object");
	pw_json_key_str(json, "kind", wait->kind);
	key_text(json, "type", wait->type);
	pw_json_key_bool(json, "nil", wait->nil);
	pw_json_key_bool(json, "closed", wait->closed);
	key_count(json, "len", wait->length);
	key_count(json, "cap", wait->capacity);
	key_count(json, "receivers", wait->receivers);
	key_count(json, "senders", wait->senders);
	key_count(json, "objects", wait->objects ? wait->objects : UINT64_MAX);
	pw_json_end(json);
}

static void put_series(struct pw_json *json, const struct pw_alert *alert)
{
	pw_json_key_array(json, "floors");
	for (size_t i = 0; i < alert->floor_count && i < PW_ALERT_FLOORS_MAX; i++)
		pw_json_double(json, (double)alert->floors[i]); /* not seen: null */
	pw_json_end(json);
	pw_json_key_array(json, "co_moving");
	for (size_t i = 0; i < alert->moving_count && i < PW_ALERT_MOVING_MAX; i++) {
		const struct pw_alert_moving *moving = &alert->moving[i];

		pw_json_object(json);
		pw_json_key_str(json, "what", moving->what);
		pw_json_key_str(json, "unit", moving->unit);
		pw_json_key_double(json, "from", moving->from);
		pw_json_key_double(json, "to", moving->to);
		pw_json_end(json);
	}
	pw_json_end(json);
	key_number(json, "loss", alert->loss.known, alert->loss.share);
	pw_json_key_object(json, "thresholds");
	for (size_t i = 0; i < alert->threshold_count && i < PW_ALERT_THRESHOLDS_MAX; i++) {
		const struct pw_alert_threshold *threshold = &alert->thresholds[i];

		pw_json_key_object(json, threshold->name);
		pw_json_key_double(json, "value", threshold->value);
		pw_json_key_double(json, "limit", threshold->limit);
		pw_json_key_str(json, "crossed", threshold->below ? "value <= limit" : "value >= limit");
		pw_json_end(json);
	}
	pw_json_end(json);
}

/* What the last snapshot says: null where there was none. */
static void put_blocked(struct pw_json *json, const struct pw_alert *alert)
{
	bool known = alert->stacks_wall_ns != 0;

	key_time(json, "stacks_read", alert->stacks_wall_ns);
	key_count(json, "blocked_count", known ? alert->parked_there : UINT64_MAX);
	pw_json_key_bool(json, "blocked_cut", alert->parked_stack_cut);
	key_count(json, "never_ran", known ? alert->never_ran : UINT64_MAX);
	key_count(json, "oldest_park_ns", known ? alert->oldest_park_ns : UINT64_MAX);
	pw_json_key_bool(json, "oldest_park_at_least", known && alert->oldest_at_least);
}

static void put_loss(struct pw_json *json, const struct pw_alert_loss *loss)
{
	if (!loss->known) {
		pw_json_key_null(json, "loss_detail");
		return;
	}
	pw_json_key_object(json, "loss_detail");
	pw_json_key_bool(json, "sampled", loss->sampled);
	pw_json_key_u64(json, "dropped_events", loss->dropped_events);
	pw_json_key_u64(json, "skipped_goroutines", loss->skipped);
	pw_json_key_u64(json, "gaps", loss->gaps);
	pw_json_key_double(json, "gaps_s", (double)loss->gap_ns / SECOND_NS);
	pw_json_end(json);
}

/* Of an alert about locks. */
static void put_lock(struct pw_json *json, const struct pw_alert *alert)
{
	const struct pw_alert_holder *holder = &alert->holder;

	key_count(json, "locks", alert->locks ? alert->locks : UINT64_MAX);
	key_count(json, "still_ns", alert->locks ? alert->still_ns : UINT64_MAX);
	if (holder->goid) {
		pw_json_key_object(json, "holder");
		pw_json_key_u64(json, "goid", holder->goid);
		key_text(json, "wait_reason", holder->wait_reason);
		pw_json_key_u64(json, "parked_ns", holder->parked_ns);
		put_frame(json, &holder->at);
		pw_json_end(json);
	} else {
		pw_json_key_null(json, "holder");
	}
	key_count(json, "goid", alert->goid ? alert->goid : UINT64_MAX);
	key_count(json, "reserved_bytes", alert->goid ? alert->reserved_bytes : UINT64_MAX);
	pw_json_key_array(json, "circle");
	for (size_t i = 0; i < holder->circle_count && i < PW_ALERT_CIRCLE_MAX; i++)
		pw_json_u64(json, holder->circle[i]);
	pw_json_end(json);
}

/* What grew: null where nobody looked. */
static void put_growing(struct pw_json *json, const struct pw_alert *alert)
{
	key_time(json, "growing_read", alert->growing_wall_ns);
	pw_json_key_bool(json, "growing_estimated", alert->growing_sampled);
	pw_json_key_array(json, "growing");
	for (size_t i = 0; i < alert->growing_count && i < PW_ALERT_GROWING_MAX; i++) {
		const struct pw_alert_growing *growing = &alert->growing[i];
		bool line = *growing->frame.function;

		pw_json_object(json);
		key_text(json, "function", growing->frame.function);
		key_text(json, "file", growing->frame.file);
		key_count(json, "line", line ? growing->frame.line : UINT64_MAX);
		key_count(json, "object_bytes", line || growing->large ? UINT64_MAX : growing->object_bytes);
		pw_json_key_double(json, "growth_bytes", growing->bytes);
		pw_json_key_double(json, "growth_per_h", growing->per_hour);
		pw_json_key_double(json, "over_s", (double)growing->over_ns / SECOND_NS);
		pw_json_key_double(json, "share", growing->share);
		pw_json_key_double(json, "inuse_bytes", growing->inuse_bytes);
		pw_json_end(json);
	}
	pw_json_end(json);
}

static void put_processes(struct pw_json *json, const struct pw_alert *alert)
{
	pw_json_key_u64(json, "process_count", alert->process_count);
	pw_json_key_array(json, "processes");
	for (size_t i = 0; i < alert->process_count && i < PW_ALERT_PROCESSES_MAX; i++) {
		pw_json_object(json);
		pw_json_key_i64(json, "pid", alert->processes[i].pid);
		pw_json_key_double(json, "value", alert->processes[i].value);
		pw_json_end(json);
	}
	pw_json_end(json);
}

/* What goes beyond the fixed fields. */
static void put_rest(struct pw_json *json, const struct pw_alert *alert)
{
	bool window = alert->window_ns != 0;

	pw_json_key_str(json, "text", alert->text);
	pw_json_key_str(json, "process", alert->process);
	key_text(json, "go_version", alert->go_version);
	key_time(json, "resolved", alert->resolved_wall_ns);
	pw_json_key_object(json, "statement");
	put_frame(json, &alert->statement);
	pw_json_end(json);
	key_text(json, "wait_reason", alert->wait_reason);
	key_text(json, "unit", alert->unit);
	key_number(json, "value", *alert->unit, alert->value);
	key_number(json, "value_onset", *alert->unit, alert->value_onset);
	key_text(json, "limit_name", alert->limit_name);
	key_count(json, "window_ns", window ? alert->window_ns : UINT64_MAX);
	key_number(json, "growth_low_per_h", window, alert->growth_low_per_hour);
	key_number(json, "growth_high_per_h", window, alert->growth_high_per_hour);
	key_count(json, "floors_bucket_ns", alert->floor_count ? alert->floor_bucket_ns : UINT64_MAX);
	put_blocked(json, alert);
	put_loss(json, &alert->loss);
	key_text(json, "owner", alert->owner);
	key_text(json, "runbook", alert->runbook);
	key_text(json, "benign", alert->benign);
	pw_json_key_bool(json, "lowered", alert->lowered);
	put_lock(json, alert);
	put_growing(json, alert);
	key_number(json, "peak", alert->process_count, alert->peak);
	pw_json_key_u64(json, "recurrence", alert->recurrence);
	key_time(json, "first_fired", alert->first_fired_wall_ns);
	key_number(json, "score", true, alert->score);
	pw_json_key_str(json, "held", pw_alert_hold_name(alert->hold));
	key_text(json, "inhibited_by", alert->held_by);
	pw_json_key_bool(json, "paged", alert->paged);
	pw_json_key_u64(json, "grouped", alert->grouped);
	put_processes(json, alert);
}

static void put_alert(struct pw_json *json, const struct pw_alert *alert)
{
	pw_json_object(json);
	put_head(json, alert);
	key_frames(json, "created", alert->creation, alert->creation_count);
	key_frames(json, "blocked", alert->parked_stack, alert->parked_stack_depth);
	put_figures(json, alert);
	put_wait(json, &alert->waiting_on);
	put_series(json, alert);
	key_text(json, "hint", alert->hint);
	key_text(json, "reproduce", alert->reproduce);
	put_rest(json, alert);
	pw_json_end(json);
}

static void finish(struct pw_json *json, struct pw_buf *out)
{
	if (!pw_json_finish(json) && !json->pretty) /* a pretty document ends in a newline by itself */
		pw_buf_putc(out, '\n');
}

void pw_view_alerts(struct pw_buf *out, const struct pw_alert *alerts, size_t count, uint64_t wall_ns)
{
	struct pw_json json = pw_json_init(out, true);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_ALERTS_SCHEMA_VERSION);
	key_time(&json, "time", wall_ns);
	pw_json_key_array(&json, "alerts");
	for (size_t i = 0; i < count; i++)
		put_alert(&json, &alerts[i]);
	pw_json_end(&json);
	pw_json_end(&json);
	finish(&json, out);
}

void pw_view_alert_line(struct pw_buf *out, const struct pw_alert *alert)
{
	struct pw_json json = pw_json_init(out, false);

	put_alert(&json, alert);
	finish(&json, out);
}
