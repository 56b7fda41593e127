/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/explain.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/waitclass.h"

#define NUMBER_SIZE 32
#define PLACE_SIZE  138
#define GROWTH_SIZE 128 /* with the place within alert->text, so that nothing is ever cut in the middle of a figure */

/* "1,312" */
static const char *grouped(uint64_t value, char text[NUMBER_SIZE])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *out = text;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = 0;
	return text;
}

/* "14:02 UTC": by arithmetic, as local time would ask the file system. */
static const char *clock_text(uint64_t wall_ns, char text[NUMBER_SIZE])
{
	uint64_t minutes = wall_ns / (60 * PW_NS_PER_SEC);

	snprintf(text, NUMBER_SIZE, "%02u:%02u UTC", (unsigned int)(minutes / 60 % 24), (unsigned int)(minutes % 60));
	return text;
}

/* "main.handle (server.go:42)", or what is known of it. */
static void place(const struct pw_alert_frame *frame, char text[PLACE_SIZE])
{
	const char *slash = strrchr(frame->file, '/');
	const char *file = slash ? slash + 1 : frame->file;

	if (!frame->function[0])
		snprintf(text, PLACE_SIZE, "an unknown go statement");
	else if (!file[0])
		snprintf(text, PLACE_SIZE, "%.130s", frame->function);
	else
		snprintf(text, PLACE_SIZE, "%.80s (%.42s:%" PRIu32 ")", frame->function, file, frame->line);
}

static void explain_growth(const struct pw_alert *alert, const struct pw_pileup_evidence *evidence,
			   char text[GROWTH_SIZE])
{
	char growth[NUMBER_SIZE], since[NUMBER_SIZE], baseline[NUMBER_SIZE], age[PW_DURATION_SIZE];
	double per_hour = fabs(alert->growth_per_hour);
	uint64_t share = alert->parked ? PW_MIN(evidence->parked_old * 100 / alert->parked, (uint64_t)100) : 0;

	pw_time_duration(evidence->age_ns, age);
	snprintf(text, GROWTH_SIZE, "%" PRIu64 " %% older than %s; %c%s/h since %s (%s%s)", share, age,
		 alert->growth_per_hour < 0 ? '-' : '+',
		 grouped(per_hour < 1e15 ? (uint64_t)per_hour : UINT64_MAX, growth),
		 clock_text(alert->onset_wall_ns, since), alert->baseline < 0 ? "no baseline yet" : "baseline ",
		 alert->baseline < 0 ? "" : grouped((uint64_t)alert->baseline, baseline));
}

static const char *hint(const struct pw_alert *alert)
{
	if (strstr(alert->wait_reason, "nil chan") || strstr(alert->wait_reason, "no cases"))
		return "Nothing can ever wake them: the channel is nil, or the select has no case. Look where it "
		       "should have been "
		       "made.";
	switch (pw_wait_class(alert->wait_reason, NULL)) {
	case PW_WAIT_CHANNEL:
		return "Look for the other side of that channel: who should receive, send or close, and did it return "
		       "early? "
		       "A buffered channel, or a select on ctx.Done(), lets them end.";
	case PW_WAIT_LOCK:
		return "Look for the holder: who has locked and not unlocked, or has not called Done? It may itself be "
		       "parked.";
	case PW_WAIT_NETWORK:
		return "They wait for a peer. Set deadlines or timeouts, close idle connections, and look at the "
		       "service behind "
		       "them.";
	case PW_WAIT_TIMER:
		return "They sleep. Tie their loop to a context, so that they end with what started them.";
	case PW_WAIT_UNKNOWN:
	case PW_WAIT_GC:
	case PW_WAIT_SYSTEM_CALL:
	case PW_WAIT_RUNTIME:
	case PW_WAIT_OTHER:
	case _PW_WAIT_CLASS_MAX:
		break;
	}
	return "Look at what they wait for and who should end that wait.";
}

void pw_explain_pileup(struct pw_alert *alert, const struct pw_pileup_evidence *evidence)
{
	char where[PLACE_SIZE], growth[GROWTH_SIZE], parked[NUMBER_SIZE], peak[NUMBER_SIZE];
	const char *reason = alert->wait_reason[0] ? alert->wait_reason : "an unknown wait";

	place(&alert->statement, where);
	grouped(alert->parked, parked);
	grouped(evidence->peak, peak);
	switch (alert->state) {
	case PW_ALERT_RESOLVED:
		snprintf(alert->text, sizeof(alert->text), "resolved: %s goroutines started at %s are parked (peak %s)",
			 parked, where, peak);
		break;
	case PW_ALERT_GONE:
		snprintf(alert->text, sizeof(alert->text),
			 "unresolved when the process ended: %s goroutines started at %s were parked in %s (peak %s)",
			 parked, where, reason, peak);
		break;
	case PW_ALERT_PENDING:
	case PW_ALERT_FIRING:
	case PW_ALERT_CLEARING:
		explain_growth(alert, evidence, growth);
		snprintf(alert->text, sizeof(alert->text), "%s goroutines started at %s are parked in %s; %s", parked,
			 where, reason, growth);
		break;
	}
	snprintf(alert->hint, sizeof(alert->hint), "%s", hint(alert));
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch trace -p %" PRId32 " -d 10s", alert->pid);
}

static const char *growth_hint(const struct pw_alert *alert)
{
	if (!strcmp(alert->rule, "PW-G06"))
		return "Each start adds a loop that never ends: start it once, or tie it to a context that ends with "
		       "what started it, and stop its ticker.";
	if (!strcmp(alert->rule, "PW-G11"))
		return "Iterators made by iter.Pull are left without a call of stop: defer it where they are made.";
	if (!strcmp(alert->rule, "PW-G05"))
		return "Something they wait for never calls Done or Signal: look for an early return or a panic "
		       "between "
		       "Add and Done.";
	return hint(alert);
}

void pw_explain_growth(struct pw_alert *alert, uint64_t peak)
{
	char where[PLACE_SIZE], parked[NUMBER_SIZE], top[NUMBER_SIZE], pace[NUMBER_SIZE], window[PW_DURATION_SIZE],
		life[PW_DURATION_SIZE];
	const char *reason = alert->wait_reason[0] ? alert->wait_reason : "an unknown wait";
	double pace_per_hour = PW_MIN(PW_MAX(alert->growth_per_hour, 0.0), 1e15);

	place(&alert->statement, where);
	grouped(alert->parked, parked);
	grouped(peak, top);
	switch (alert->state) {
	case PW_ALERT_RESOLVED:
		snprintf(alert->text, sizeof(alert->text),
			 "resolved: goroutines started at %s no longer pile up in %s: %s now (peak %s)", where, reason,
			 parked, top);
		break;
	case PW_ALERT_GONE:
		snprintf(alert->text, sizeof(alert->text),
			 "unresolved when the process ended: %s goroutines started at %s were parked in %s (peak %s)",
			 parked, where, reason, top);
		break;
	case PW_ALERT_PENDING:
	case PW_ALERT_FIRING:
	case PW_ALERT_CLEARING:
		snprintf(
			alert->text, sizeof(alert->text),
			"%s goroutines started at %s are parked in %s: +%s/h over %s, %.0f/h of the old ones end; they "
			"surely live on for %s",
			parked, where, reason, grouped((uint64_t)pace_per_hour, pace),
			pw_time_duration(alert->window_ns, window), alert->exits_per_hour,
			pw_time_duration(alert->life_ns, life));
		break;
	}
	snprintf(alert->hint, sizeof(alert->hint), "%s", growth_hint(alert));
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32 " --min-age 30s",
		 alert->pid);
}

#define SIZE_TEXT 24

/* "1.9 GB" */
static const char *bytes_text(double bytes, char text[SIZE_TEXT])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t unit = 0;

	for (; fabs(bytes) >= 1000 && unit + 1 < ARRAY_SIZE(units); unit++)
		bytes /= 1000;
	snprintf(text, SIZE_TEXT, unit && fabs(bytes) < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return text;
}

void pw_explain_memory(struct pw_alert *alert, uint64_t peak)
{
	char now[SIZE_TEXT], pace[SIZE_TEXT], top[SIZE_TEXT], first[SIZE_TEXT], window[PW_DURATION_SIZE],
		since[NUMBER_SIZE];
	bool heap = !strcmp(alert->rule, "PW-H01"),
	     ended = alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;

	bytes_text(alert->value, now);
	bytes_text(alert->growth_per_hour, pace);
	bytes_text((double)peak, top);
	if (ended)
		snprintf(alert->text, sizeof(alert->text), "%s: %s at %s (peak %s)",
			 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended",
			 heap ? "live heap" : "memory of the cgroup", now, top);
	else if (heap)
		snprintf(alert->text, sizeof(alert->text),
			 "the live heap grows by %s an hour over %s: %s now, %s at %s; what a GC leaves does not come "
			 "back",
			 pace, pw_time_duration(alert->window_ns, window), now, bytes_text(alert->value_onset, first),
			 clock_text(alert->onset_wall_ns, since));
	else
		snprintf(alert->text, sizeof(alert->text),
			 "memory is at its limit in %s: %s of %s used, +%s an hour; the kernel kills at the limit",
			 pw_time_duration(alert->eta_ns, window), now, bytes_text(alert->limit, first), pace);
	snprintf(alert->hint, sizeof(alert->hint), "%s",
		 heap ? "See which lines of code allocate what stays: those whose memory only grows."
		      : "Free memory now: restart, or raise the limit; GOMEMLIMIT makes the collector work harder "
			"before it.");
	snprintf(alert->reproduce, sizeof(alert->reproduce),
		 heap ? "parkwatch heap -p %" PRId32 " --interval 60s" : "parkwatch memory -p %" PRId32, alert->pid);
}

void pw_explain_blocked(struct pw_alert *alert, uint64_t peak)
{
	char where[PLACE_SIZE], parked[NUMBER_SIZE], top[NUMBER_SIZE];
	const char *plural = alert->parked == 1 ? "" : "s";

	place(&alert->statement, where);
	grouped(alert->parked, parked);
	grouped(peak, top);
	if (alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE)
		snprintf(alert->text, sizeof(alert->text), "%s: %s goroutine%s started at %s (peak %s)",
			 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended", parked,
			 plural, where, top);
	else
		snprintf(alert->text, sizeof(alert->text),
			 "%s goroutine%s started at %s can never wake: parked in %s for ever", parked, plural, where,
			 alert->wait_reason);
	snprintf(alert->hint, sizeof(alert->hint), "%s", hint(alert));
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32 " --with 'reason=%s'",
		 alert->pid, alert->wait_reason);
}
