/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/explain_stuck.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/phrase.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"

/* "goroutines 18 -> 19 -> 18" */
static void put_circle(const struct pw_alert_holder *holder, char *text, size_t size)
{
	size_t used = 0, count = PW_MIN(holder->circle_count, (uint32_t)PW_ALERT_CIRCLE_MAX);

	text[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%" PRIu64 " -> ", holder->circle[i]);
	if (used < size)
		snprintf(text + used, size - used, "%s%" PRIu64, holder->circle_count > count ? "... -> " : "",
			 holder->circle[0]);
}

static void put_holder(const struct pw_alert *alert, char *text, size_t size)
{
	const struct pw_alert_holder *holder = &alert->holder;
	char circle[100], where[PW_PHRASE_PLACE_SIZE];

	text[0] = '\0';
	if (holder->circle_count) {
		put_circle(holder, circle, sizeof(circle));
		snprintf(text, size, ". They seem to wait for each other's locks in a circle: goroutines %s", circle);
		return;
	}
	if (!holder->goid)
		return;
	pw_phrase_place(&holder->at, where);
	snprintf(text, size, ". Goroutine %" PRIu64 " seems to hold it, itself in %.30s at %.90s", holder->goid,
		 holder->wait_reason[0] ? holder->wait_reason : "a system call", where);
}

/* Who waits: the innermost frame of the program's own. */
static const struct pw_alert_frame *waiting_frame(const struct pw_alert *alert)
{
	for (size_t i = 0; i < alert->parked_stack_depth; i++) {
		const char *function = alert->parked_stack[i].function;

		if (strncmp(function, "sync.", 5) != 0 && strncmp(function, "internal/sync.", 14) != 0)
			return &alert->parked_stack[i];
	}
	return &alert->statement;
}

void pw_explain_stuck(struct pw_alert *alert, uint64_t peak)
{
	char where[PW_PHRASE_PLACE_SIZE], waiters[PW_PHRASE_NUMBER_SIZE], top[PW_PHRASE_NUMBER_SIZE],
		still[PW_DURATION_SIZE], holder[180];
	const char *type = alert->waiting_on.type[0] ? alert->waiting_on.type : "lock";
	bool one = alert->parked == 1, ended = alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;

	pw_phrase_place(waiting_frame(alert), where);
	pw_phrase_number(alert->parked, waiters);
	pw_phrase_number(peak, top);
	put_holder(alert, holder, sizeof(holder));
	if (ended)
		snprintf(alert->text, sizeof(alert->text), "%s: the %s waited for at %.90s (at most %s waited)",
			 alert->state == PW_ALERT_RESOLVED ? "resolved, somebody got it"
							   : "unresolved when the process ended",
			 type, where, top);
	else
		snprintf(alert->text, sizeof(alert->text),
			 "%s goroutine%s wait%s for a %s at %.90s that nobody has unlocked "
			 "for %s%s",
			 waiters, one ? "" : "s", one ? "s" : "", type, where, pw_time_duration(alert->still_ns, still),
			 holder);
	snprintf(alert->hint, sizeof(alert->hint), "%s",
		 alert->holder.circle_count ? "Take these locks in one order everywhere, or hold only one at a time."
		 : alert->holder.goid ? "End the wait of the goroutine that seems to hold it; unlock before waiting."
				      : "Look for who has locked it: a return or a panic without Unlock (defer it), or "
					"a wait while it "
					"holds the lock.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32 " --with 'reason=%s'",
		 alert->pid, alert->wait_reason);
}

void pw_explain_finalizer(struct pw_alert *alert, uint64_t peak)
{
	char where[PW_PHRASE_PLACE_SIZE], function[PW_PHRASE_PLACE_SIZE], waiting[PW_PHRASE_NUMBER_SIZE],
		top[PW_PHRASE_NUMBER_SIZE], age[PW_DURATION_SIZE], holder[180];
	bool cleanups = !strcmp(alert->unit, "cleanups"),
	     ended = alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;
	const char *what = cleanups ? "cleanup" : "finalizer";

	pw_phrase_place(waiting_frame(alert), where);
	pw_phrase_place(&alert->finalizer, function);
	pw_phrase_number(alert->value > 0 ? (uint64_t)alert->value : 0, waiting);
	pw_phrase_number(peak, top);
	put_holder(alert, holder, sizeof(holder));
	if (ended)
		snprintf(alert->text, sizeof(alert->text), "%s (at most %s waited)",
			 alert->state == PW_ALERT_GONE
				 ? cleanups ? "unresolved when the process ended: cleanups did not run"
					    : "unresolved when the process ended: finalizers did not run"
			 : cleanups ? "resolved: cleanups run again"
				    : "resolved: finalizers run again",
			 top);
	else if (alert->finalizer.function[0])
		snprintf(alert->text, sizeof(alert->text),
			 "the %s %.80s has been in %.30s for %s: no other runs, %.16s wait%s", what, function,
			 alert->wait_reason[0] ? alert->wait_reason : "a system call",
			 pw_time_duration(alert->oldest_park_ns, age), waiting, holder);
	else
		snprintf(
			alert->text, sizeof(alert->text),
			"%s %ss wait, and more with each GC: they are queued faster than they run, and what they would "
			"free stays",
			waiting, what);
	snprintf(alert->hint, sizeof(alert->hint),
		 "A %s must not wait: let it start a goroutine, or close things where they are no longer used.", what);
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch goroutines -p %" PRId32 " --blocked '%s'",
		 alert->pid, cleanups ? "runtime.runCleanups" : "runtime.run(finq|Finalizers)");
}
