/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/explain.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/phrase.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/waitclass.h"

#define GROWTH_SIZE 128 /* with the place within alert->text, so that nothing is ever cut in the middle of a figure */

static void explain_growth(const struct pw_alert *alert, const struct pw_pileup_evidence *evidence,
			   char text[GROWTH_SIZE])
{
	char growth[PW_PHRASE_NUMBER_SIZE], since[PW_PHRASE_NUMBER_SIZE], baseline[PW_PHRASE_NUMBER_SIZE],
		age[PW_DURATION_SIZE];
	double per_hour = fabs(alert->growth_per_hour);
	uint64_t share = alert->parked ? PW_MIN(evidence->parked_old * 100 / alert->parked, (uint64_t)100) : 0;

	pw_time_duration(evidence->age_ns, age);
	snprintf(text, GROWTH_SIZE, "%" PRIu64 " %% older than %s; %c%s/h since %s (%s%s)", share, age,
		 alert->growth_per_hour < 0 ? '-' : '+',
		 pw_phrase_number(per_hour < 1e15 ? (uint64_t)per_hour : UINT64_MAX, growth),
		 pw_phrase_clock(alert->onset_wall_ns, since), alert->baseline < 0 ? "no baseline yet" : "baseline ",
		 alert->baseline < 0 ? "" : pw_phrase_number((uint64_t)alert->baseline, baseline));
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
	char where[PW_PHRASE_PLACE_SIZE], growth[GROWTH_SIZE], parked[PW_PHRASE_NUMBER_SIZE],
		peak[PW_PHRASE_NUMBER_SIZE];
	const char *reason = alert->wait_reason[0] ? alert->wait_reason : "an unknown wait";

	pw_phrase_place(&alert->statement, where);
	pw_phrase_number(alert->parked, parked);
	pw_phrase_number(evidence->peak, peak);
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
	char where[PW_PHRASE_PLACE_SIZE], parked[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE],
		pace[PW_PHRASE_NUMBER_SIZE], window[PW_DURATION_SIZE], life[PW_DURATION_SIZE];
	const char *reason = alert->wait_reason[0] ? alert->wait_reason : "an unknown wait";
	double pace_per_hour = PW_MIN(PW_MAX(alert->growth_per_hour, 0.0), 1e15);

	pw_phrase_place(&alert->statement, where);
	pw_phrase_number(alert->parked, parked);
	pw_phrase_number(peak, top);
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
			parked, where, reason, pw_phrase_number((uint64_t)pace_per_hour, pace),
			pw_time_duration(alert->window_ns, window), alert->exits_per_hour,
			pw_time_duration(alert->life_ns, life));
		break;
	}
	snprintf(alert->hint, sizeof(alert->hint), "%s", growth_hint(alert));
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32 " --min-age 30s",
		 alert->pid);
}

#define GROWS_SIZE (PW_PHRASE_PLACE_SIZE + PW_PHRASE_BYTES_SIZE + PW_DURATION_SIZE + 32)

/* "most at main.put (cache.go:41): +31 MB in 58m"; "" not known. */
static const char *what_grows(const struct pw_alert *alert, char text[GROWS_SIZE])
{
	const struct pw_alert_growing *most = &alert->growing[0];
	char grown[PW_PHRASE_BYTES_SIZE], size[PW_PHRASE_BYTES_SIZE], over[PW_DURATION_SIZE],
		where[PW_PHRASE_PLACE_SIZE];

	*text = '\0';
	if (!alert->growing_count)
		return text;
	if (*most->frame.function)
		pw_phrase_place(&most->frame, where);
	else if (most->large)
		snprintf(where, sizeof(where), "large objects");
	else
		snprintf(where, sizeof(where), "objects of %s", pw_phrase_bytes((double)most->object_bytes, size));
	snprintf(text, GROWS_SIZE, "most %s %s: +%s in %s", *most->frame.function ? "at" : "in", where,
		 pw_phrase_bytes(most->bytes, grown), pw_time_duration(most->over_ns, over));
	return text;
}

void pw_explain_memory(struct pw_alert *alert, uint64_t peak)
{
	char grows[GROWS_SIZE];
	char now[PW_PHRASE_BYTES_SIZE], pace[PW_PHRASE_BYTES_SIZE], top[PW_PHRASE_BYTES_SIZE],
		first[PW_PHRASE_BYTES_SIZE], window[PW_DURATION_SIZE], since[PW_PHRASE_NUMBER_SIZE];
	bool heap = !strcmp(alert->rule, "PW-H01"),
	     ended = alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;

	pw_phrase_bytes(alert->value, now);
	pw_phrase_bytes(alert->growth_per_hour, pace);
	pw_phrase_bytes((double)peak, top);
	what_grows(alert, grows);
	if (ended)
		snprintf(alert->text, sizeof(alert->text), "%s: %s at %s (peak %s)",
			 alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended",
			 heap ? "live heap" : "memory of the cgroup", now, top);
	else if (heap)
		snprintf(alert->text, sizeof(alert->text),
			 "the live heap grows by %s an hour over %s: %s now, %s at %s; %s", pace,
			 pw_time_duration(alert->window_ns, window), now, pw_phrase_bytes(alert->value_onset, first),
			 pw_phrase_clock(alert->onset_wall_ns, since),
			 *grows ? grows : "what a GC leaves does not come back");
	else
		snprintf(alert->text, sizeof(alert->text),
			 "memory is at its limit in %s: %s of %s used, +%s an hour; the kernel kills at the limit%s%s",
			 pw_time_duration(alert->eta_ns, window), now, pw_phrase_bytes(alert->limit, first), pace,
			 *grows ? "; " : "", grows);
	snprintf(alert->hint, sizeof(alert->hint), "%s",
		 heap ? alert->growing_count
				 ? "See who keeps what these lines allocate, and never lets go of it."
				 : "See which lines of code allocate what stays: those whose memory only grows."
		      : "Free memory now: restart, or raise the limit; GOMEMLIMIT makes the collector work harder "
			"before it.");
	snprintf(alert->reproduce, sizeof(alert->reproduce),
		 heap ? "parkwatch heap -p %" PRId32 " --interval 60s" : "parkwatch memory -p %" PRId32, alert->pid);
}

void pw_explain_blocked(struct pw_alert *alert, uint64_t peak)
{
	char where[PW_PHRASE_PLACE_SIZE], parked[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE];
	const char *plural = alert->parked == 1 ? "" : "s";

	pw_phrase_place(&alert->statement, where);
	pw_phrase_number(alert->parked, parked);
	pw_phrase_number(peak, top);
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
