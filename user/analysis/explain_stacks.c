/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/explain_stacks.h"

#include <inttypes.h>
#include <stdio.h>

#include "analysis/phrase.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"

static bool has_ended(const struct pw_alert *alert)
{
	return alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;
}

static const char *end_text(const struct pw_alert *alert)
{
	return alert->state == PW_ALERT_RESOLVED ? "resolved" : "unresolved when the process ended";
}

void pw_explain_deep(struct pw_alert *alert, uint64_t peak)
{
	char now[PW_PHRASE_BYTES_SIZE], reserved[PW_PHRASE_BYTES_SIZE], pace[PW_PHRASE_BYTES_SIZE],
		limit[PW_PHRASE_BYTES_SIZE], top[PW_PHRASE_BYTES_SIZE], where[PW_PHRASE_PLACE_SIZE],
		recursion[PW_PHRASE_PLACE_SIZE], eta[PW_DURATION_SIZE];

	pw_phrase_bytes(alert->value, now);
	pw_phrase_bytes((double)alert->reserved_bytes, reserved);
	pw_phrase_bytes(PW_MAX(alert->growth_per_hour, 0.0) / 3600, pace);
	pw_phrase_bytes(alert->limit, limit);
	pw_phrase_bytes((double)peak, top);
	pw_phrase_place(&alert->statement, where);
	pw_phrase_place(&alert->recursion, recursion);
	if (has_ended(alert))
		snprintf(alert->text, sizeof(alert->text),
			 "%s: the stack of goroutine %" PRIu64 ", started at %.90s, no longer grows (peak %s reserved)",
			 end_text(alert), alert->goid, where, top);
	else
		snprintf(alert->text, sizeof(alert->text),
			 "the stack of goroutine %" PRIu64
			 ", started at %.80s, grows by %s a second: %s of %s%s%.80s; the "
			 "program dies at %s%s%s",
			 alert->goid, where, pace, now, reserved, alert->recursion.function[0] ? ", recursing in " : "",
			 alert->recursion.function[0] ? recursion : "", limit,
			 alert->eta_ns && alert->eta_ns != UINT64_MAX ? ", in " : "",
			 alert->eta_ns && alert->eta_ns != UINT64_MAX ? pw_time_duration(alert->eta_ns, eta) : "");
	snprintf(alert->hint, sizeof(alert->hint),
		 "Look for what ends the recursion: a cycle in the data, an error that wraps itself, a String method "
		 "that "
		 "prints itself.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32 " --goroutine %" PRIu64,
		 alert->pid, alert->goid);
}

void pw_explain_stacks(struct pw_alert *alert, uint64_t peak)
{
	char now[PW_PHRASE_BYTES_SIZE], pace[PW_PHRASE_BYTES_SIZE], top[PW_PHRASE_BYTES_SIZE],
		from[PW_PHRASE_BYTES_SIZE], to[PW_PHRASE_BYTES_SIZE], count[PW_PHRASE_NUMBER_SIZE],
		window[PW_DURATION_SIZE];

	pw_phrase_bytes(alert->value, now);
	pw_phrase_bytes(alert->growth_per_hour, pace);
	pw_phrase_bytes((double)peak, top);
	pw_phrase_bytes(alert->deepest_from, from);
	pw_phrase_bytes(alert->deepest_to, to);
	pw_phrase_number(alert->parked, count);
	if (has_ended(alert))
		snprintf(alert->text, sizeof(alert->text), "%s: all stacks together at %s (peak %s)", end_text(alert),
			 now, top);
	else
		snprintf(alert->text, sizeof(alert->text),
			 "the stacks of %s goroutines grow by %s an hour over %s, to %s, because they get deeper: 99 "
			 "of 100 "
			 "had at most %s, and now %s",
			 count, pace, pw_time_duration(alert->window_ns, window), now, from, to);
	snprintf(alert->hint, sizeof(alert->hint),
		 "See which goroutines have deep stacks: recursion over data that grows, or large variables on the "
		 "stack.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32, alert->pid);
}
