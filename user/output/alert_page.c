/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/alert_page.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/time.h"
#include "model/alert.h"
#include "output/alert_text.h"
#include "output/place.h"

#define NUMBER_SIZE 40
#define INDENT	    "          " /* of what belongs to a heading */

/* --- figures -------------------------------------------------------------------------------------------------------
 */

/* "1,312", "1.9 GB", "3.24": as large as it is exact to say. */
static const char *number_text(double value, const char *unit, char text[NUMBER_SIZE])
{
	static const char *const sizes[] = {"B", "kB", "MB", "GB", "TB"};
	char grouped[PW_GROUPED_SIZE];
	size_t i = 0;

	if (!strcmp(unit, "bytes")) {
		for (; fabs(value) >= 1000 && i + 1 < ARRAY_SIZE(sizes); i++)
			value /= 1000;
		snprintf(text, NUMBER_SIZE, i && fabs(value) < 10 ? "%.1f %s" : "%.0f %s", value, sizes[i]);
	} else if (fabs(value) < 10 && value != floor(value)) {
		snprintf(text, NUMBER_SIZE, "%.3g", value);
	} else if (fabs(value) < 1e15) {
		snprintf(text, NUMBER_SIZE, "%s%s", value < 0 ? "-" : "",
			 pw_grouped((uint64_t)llround(fabs(value)), grouped));
	} else {
		snprintf(text, NUMBER_SIZE, "%.3g", value);
	}
	return text;
}

static void put_number(struct pw_buf *out, double value, const char *unit)
{
	char text[NUMBER_SIZE];

	pw_buf_puts(out, number_text(value, unit, text));
}

static void put_span(struct pw_buf *out, uint64_t ns)
{
	char text[PW_DURATION_SIZE];

	pw_buf_puts(out, pw_time_duration(ns, text));
}

/* "2026-11-26 14:02:05 UTC" */
static void put_moment(struct pw_buf *out, uint64_t wall_ns)
{
	char text[PW_RFC3339_SIZE];

	pw_time_rfc3339(wall_ns, text);
	pw_buf_printf(out, "%.10s %.8s UTC", text, text + 11);
}

static void put_ago(struct pw_buf *out, uint64_t then, uint64_t now)
{
	if (now <= then || now - then < PW_NS_PER_SEC)
		return;
	pw_buf_puts(out, " (");
	put_span(out, now - then);
	pw_buf_puts(out, " ago)");
}

static void put_frame(struct pw_buf *out, const struct pw_alert_frame *frame)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1024);

	pw_alert_put_stack(&text, frame, 1, "");
	pw_put_foreign(out, pw_buf_text(&text));
}

static void heading(struct pw_buf *out, const char *name)
{
	pw_buf_printf(out, "%-10s", name);
}

static void line(struct pw_buf *out, const char *name, const char *text)
{
	if (!*text)
		return;
	heading(out, name);
	pw_put_foreign(out, text);
	pw_buf_putc(out, '\n');
}

/* --- ten seconds ---------------------------------------------------------------------------------------------------
 */

static bool is_over(const struct pw_alert *alert)
{
	return alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;
}

static void put_head(struct pw_buf *out, const struct pw_alert *alert, uint64_t wall_ns)
{
	uint64_t end_ns = alert->resolved_wall_ns ? alert->resolved_wall_ns : wall_ns;

	for (const char *c = pw_alert_level_name(alert->level); *c; c++)
		pw_buf_putc(out, (char)toupper((unsigned char)*c));
	pw_buf_printf(out, "  %s %s", alert->rule, pw_alert_state_name(alert->state));
	if (alert->fired_wall_ns && end_ns > alert->fired_wall_ns && end_ns - alert->fired_wall_ns >= PW_NS_PER_SEC) {
		pw_buf_puts(out, is_over(alert) ? ", fired for " : " for ");
		put_span(out, end_ns - alert->fired_wall_ns);
	}
	pw_buf_printf(out, "  [%s]\n", alert->id);
	pw_put_foreign(out, *alert->service ? alert->service : alert->process);
	pw_buf_puts(out, " (");
	pw_put_foreign(out, alert->process);
	pw_buf_printf(out, ", pid %" PRId32, alert->pid);
	if (alert->process_count > 1)
		pw_buf_printf(out, ", and %" PRIu32 " more process%s", alert->process_count - 1,
			      alert->process_count == 2 ? "" : "es");
	pw_buf_puts(out, ")");
	if (*alert->go_version) {
		pw_buf_puts(out, "  ");
		pw_put_foreign(out, alert->go_version);
	}
	if (*alert->build_id) {
		pw_buf_puts(out, "  build ");
		pw_put_foreign(out, alert->build_id);
	}
	pw_buf_puts(out, "\n\n");
}

static void put_where(struct pw_buf *out, const struct pw_alert *alert)
{
	if (!*alert->statement.function && !alert->parked_stack_depth)
		return;
	heading(out, "where");
	if (*alert->statement.function) {
		pw_buf_puts(out, "started at ");
		put_frame(out, &alert->statement);
	}
	if (alert->parked_stack_depth) {
		pw_buf_puts(out, *alert->statement.function ? "; parked at " : "parked at ");
		put_frame(out, &alert->parked_stack[0]);
		if (*alert->wait_reason) {
			pw_buf_puts(out, " in ");
			pw_put_foreign(out, alert->wait_reason);
		}
	}
	pw_buf_putc(out, '\n');
}

static void put_since(struct pw_buf *out, const struct pw_alert *alert, uint64_t wall_ns)
{
	uint64_t since = alert->onset_wall_ns ? alert->onset_wall_ns : alert->fired_wall_ns;
	double now = *alert->unit ? alert->value : (double)alert->parked,
	       onset = *alert->unit ? alert->value_onset : (double)alert->parked_onset;

	if (!since)
		return;
	heading(out, "since");
	put_moment(out, since);
	put_ago(out, since, wall_ns);
	pw_buf_puts(out, ": ");
	put_number(out, onset, alert->unit);
	pw_buf_puts(out, " then, ");
	put_number(out, now, alert->unit);
	pw_buf_puts(out, " now");
	if (alert->process_count && alert->peak > now) {
		pw_buf_puts(out, ", at most ");
		put_number(out, alert->peak, alert->unit);
	}
	pw_buf_putc(out, '\n');
}

static void put_pace(struct pw_buf *out, const struct pw_alert *alert)
{
	if (alert->growth_per_hour == 0)
		return;
	heading(out, "how fast");
	pw_buf_puts(out, alert->growth_per_hour > 0 ? "+" : "");
	put_number(out, alert->growth_per_hour, alert->unit);
	pw_buf_puts(out, " an hour");
	if (alert->window_ns) {
		pw_buf_puts(out, " (95%: ");
		put_number(out, alert->growth_low_per_hour, alert->unit);
		pw_buf_puts(out, " to ");
		put_number(out, alert->growth_high_per_hour, alert->unit);
		pw_buf_puts(out, ") over ");
		put_span(out, alert->window_ns);
	}
	if (alert->eta_ns && alert->eta_ns != UINT64_MAX) {
		pw_buf_printf(out, "; %s", *alert->limit_name ? alert->limit_name : "the limit");
		if (alert->limit > 0) {
			pw_buf_puts(out, " of ");
			put_number(out, alert->limit, "bytes");
		}
		pw_buf_puts(out, " in ");
		put_span(out, alert->eta_ns);
	}
	pw_buf_putc(out, '\n');
}

static void put_certainty(struct pw_buf *out, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf wait = PW_BUF_INIT(512);

	heading(out, "how sure");
	pw_put_foreign(out, *alert->confidence ? alert->confidence : "unknown");
	if (alert->baseline >= 0) {
		pw_buf_puts(out, "; normal is up to ");
		put_number(out, alert->baseline, alert->unit);
	} else {
		pw_buf_puts(out, "; what is normal is not known");
	}
	if (alert->threshold_count)
		pw_buf_printf(out, "; %zu threshold%s crossed", alert->threshold_count,
			      alert->threshold_count == 1 ? "" : "s");
	if (alert->loss.known && alert->loss.share > 0)
		pw_buf_printf(out, "; %.1f%% of the evidence not seen", 100 * alert->loss.share);
	pw_buf_putc(out, '\n');
	pw_alert_put_wait(&wait, alert);
	line(out, "why", pw_buf_text(&wait));
}

/* --- evidence ------------------------------------------------------------------------------------------------------
 */

static void put_stack(struct pw_buf *out, const char *title, const struct pw_alert_frame *frames, size_t count)
{
	for (size_t i = 0; i < count && i < PW_ALERT_FRAMES_MAX; i++) {
		pw_buf_printf(out, "  %*s", (int)strlen(title), i ? "" : title);
		put_frame(out, &frames[i]);
		pw_buf_putc(out, '\n');
	}
}

static void put_stacks(struct pw_buf *out, const struct pw_alert *alert)
{
	char title[64], count[PW_GROUPED_SIZE];

	snprintf(title, sizeof(title), "%s parked at: ", pw_grouped(alert->parked_there, count));
	put_stack(out, title, alert->parked_stack, alert->parked_stack_depth);
	if (alert->parked_stack_cut)
		pw_buf_printf(out, "  %*s...\n", (int)strlen(title), "");
	put_stack(out, "started by: ", alert->creation, alert->creation_count);
	if (!alert->stacks_wall_ns)
		return;
	pw_buf_printf(out, "  of them %s did not run once between two looks", pw_grouped(alert->never_ran, count));
	if (alert->oldest_park_ns) {
		pw_buf_puts(out, "; the oldest has been parked for at least ");
		put_span(out, alert->oldest_park_ns);
	}
	pw_buf_puts(out, "; read ");
	put_moment(out, alert->stacks_wall_ns);
	pw_buf_putc(out, '\n');
}

/* Eighths of a line, from the lowest to the highest; what was not seen is a space. */
static void put_sparkline(struct pw_buf *out, const struct pw_alert *alert)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	double low = INFINITY, high = -INFINITY;
	size_t count = PW_MIN(alert->floor_count, (size_t)PW_ALERT_FLOORS_MAX);

	for (size_t i = 0; i < count; i++) {
		low = isfinite(alert->floors[i]) ? PW_MIN(low, (double)alert->floors[i]) : low;
		high = isfinite(alert->floors[i]) ? PW_MAX(high, (double)alert->floors[i]) : high;
	}
	if (low > high)
		return;
	pw_buf_puts(out, "  over time: ");
	for (size_t i = 0; i < count; i++) {
		double place = high > low ? ((double)alert->floors[i] - low) / (high - low) : 0;

		pw_buf_puts(out, isfinite(alert->floors[i]) ? bars[(size_t)(place * 7.999)] : " ");
	}
	pw_buf_puts(out, "  ");
	put_number(out, low, alert->unit);
	pw_buf_puts(out, " to ");
	put_number(out, high, alert->unit);
	pw_buf_printf(out, ", the lowest of each of %zu times ", count);
	put_span(out, alert->floor_bucket_ns);
	pw_buf_putc(out, '\n');
}

/* "life_s" is in seconds, "growth_bytes" in bytes. */
static const char *unit_of(const char *name)
{
	size_t length = strlen(name);

	return length > 6 && !strcmp(name + length - 6, "_bytes") ? "bytes" : "";
}

static void put_thresholds(struct pw_buf *out, const struct pw_alert *alert)
{
	for (size_t i = 0; i < alert->threshold_count && i < PW_ALERT_THRESHOLDS_MAX; i++) {
		const struct pw_alert_threshold *threshold = &alert->thresholds[i];
		const char *unit = unit_of(threshold->name);

		pw_buf_printf(out, "  %s %s ", i ? "           " : "thresholds:", threshold->name);
		put_number(out, threshold->value, unit);
		pw_buf_puts(out, threshold->below ? " <= " : " >= ");
		put_number(out, threshold->limit, unit);
		pw_buf_putc(out, '\n');
	}
}

static void put_moving(struct pw_buf *out, const struct pw_alert *alert)
{
	for (size_t i = 0; i < alert->moving_count && i < PW_ALERT_MOVING_MAX; i++) {
		const struct pw_alert_moving *moving = &alert->moving[i];

		pw_buf_puts(out, i ? "            " : "  rose too: ");
		pw_put_foreign(out, moving->what);
		pw_buf_puts(out, " ");
		put_number(out, moving->from, moving->unit);
		pw_buf_puts(out, " to ");
		put_number(out, moving->to, moving->unit);
		pw_buf_putc(out, '\n');
	}
}

static void put_loss(struct pw_buf *out, const struct pw_alert_loss *loss)
{
	if (!loss->known)
		return;
	pw_buf_printf(out,
		      "  not seen: %.1f%%; %" PRIu64 " events dropped, %" PRIu64 " goroutines skipped, %" PRIu64
		      " gaps of ",
		      100 * loss->share, loss->dropped_events, loss->skipped, loss->gaps);
	put_span(out, loss->gap_ns);
	pw_buf_puts(out, loss->sampled ? " in all; counts of events are estimates\n" : " in all\n");
}

static void put_growing(struct pw_buf *out, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf growing = PW_BUF_INIT(8192);

	pw_alert_put_growing(&growing, alert, "\n");
	for (const char *row = pw_buf_text(&growing), *end; *row; row = *end ? end + 1 : end) {
		end = strchrnul(row, '\n');
		pw_buf_printf(out, "  %s", row == pw_buf_text(&growing) ? "growing: " : "         ");
		pw_buf_escaped(out, row, (size_t)(end - row));
		pw_buf_putc(out, '\n');
	}
}

/* Why nobody was woken by it. */
static void put_hold(struct pw_buf *out, const struct pw_alert *alert)
{
	static const char *const words[] = {[PW_HOLD_NONE] = "",
					    [PW_HOLD_INHIBITED] = "explained by",
					    [PW_HOLD_GROUPED] = "its service has had a page lately",
					    [PW_HOLD_DEPLOY] = "a new build has just come: its statistics wait",
					    [PW_HOLD_FLEET] = "part of an incident of many services"};

	if (is_over(alert) || !*words[alert->hold])
		return;
	heading(out, "held");
	pw_buf_puts(out, words[alert->hold]);
	if (*alert->held_by)
		pw_buf_printf(out, alert->hold == PW_HOLD_INHIBITED ? " %s" : ": %s", alert->held_by);
	pw_buf_puts(out, "; webhooks and the command are not told\n");
}

static void put_incident(struct pw_buf *out, const struct pw_alert *alert)
{
	for (size_t i = 0; alert->process_count > 1 && i < alert->process_count && i < PW_ALERT_PROCESSES_MAX; i++) {
		pw_buf_printf(out, "  %s pid %" PRId32 ": ", i ? "          " : "processes:", alert->processes[i].pid);
		put_number(out, alert->processes[i].value, alert->unit);
		pw_buf_putc(out, '\n');
	}
	pw_buf_puts(out, "  fired ");
	put_moment(out, alert->fired_wall_ns);
	if (alert->resolved_wall_ns) {
		pw_buf_printf(out, ", %s ", pw_alert_state_name(alert->state));
		put_moment(out, alert->resolved_wall_ns);
	}
	if (alert->recurrence) {
		pw_buf_printf(out, "; it has come again %" PRIu32 " time%s since ", alert->recurrence,
			      alert->recurrence == 1 ? "" : "s");
		put_moment(out, alert->first_fired_wall_ns);
	}
	pw_buf_printf(out, "; score %.0f of 100\n", alert->score);
	if (alert->process_started_wall_ns) {
		pw_buf_puts(out, "  the process started ");
		put_moment(out, alert->process_started_wall_ns);
		pw_buf_putc(out, '\n');
	}
}

void pw_alert_page(struct pw_buf *out, const struct pw_alert *alert, uint64_t wall_ns)
{
	put_head(out, alert, wall_ns);
	line(out, "what", alert->text);
	put_where(out, alert);
	put_since(out, alert, wall_ns);
	put_pace(out, alert);
	put_certainty(out, alert);
	put_hold(out, alert);
	line(out, "do", alert->hint);
	line(out, "see", alert->reproduce);
	line(out, "owner", alert->owner);
	line(out, "runbook", alert->runbook);
	line(out, "benign", alert->benign);
	pw_buf_puts(out, "\nevidence\n");
	put_sparkline(out, alert);
	put_stacks(out, alert);
	put_growing(out, alert);
	put_thresholds(out, alert);
	put_moving(out, alert);
	put_loss(out, &alert->loss);
	put_incident(out, alert);
}

/* --- by id ---------------------------------------------------------------------------------------------------------
 */

static void say_unknown(const struct pw_alert *alerts, size_t count, const char *id, struct pw_buf *out)
{
	const char **ids = calloc(count + 1, sizeof(*ids)), *near;

	for (size_t i = 0; ids && i < count; i++)
		ids[i] = alerts[i].id;
	near = ids ? pw_suggest(id, ids, count) : NULL;
	pw_buf_puts(out, "no alert '");
	pw_put_foreign(out, id);
	if (near)
		pw_buf_printf(out, "': did you mean '%s'?\n", near);
	else if (count)
		pw_buf_printf(out, "': there is '%s'%s; see 'parkwatch alerts --all'\n", alerts[0].id,
			      count > 1 ? " and others" : "");
	else
		pw_buf_puts(out, "': there are none\n");
	free(ids);
}

int pw_alert_find(const struct pw_alert *alerts, size_t count, const char *id, struct pw_buf *out,
		  const struct pw_alert **ret_alert)
{
	const struct pw_alert *found = NULL, *other = NULL;
	size_t length = strlen(id);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(alerts[i].id, id)) {
			*ret_alert = &alerts[i];
			return 0;
		}
		if (!length || strncmp(alerts[i].id, id, length) != 0)
			continue;
		other = found;
		found = &alerts[i];
	}
	if (other) {
		pw_buf_puts(out, "several alerts begin with '");
		pw_put_foreign(out, id);
		pw_buf_printf(out, "': '%s', '%s'\n", other->id, found->id);
		return -EEXIST;
	}
	if (!found) {
		say_unknown(alerts, count, id, out);
		return -ENOENT;
	}
	*ret_alert = found;
	return 0;
}
