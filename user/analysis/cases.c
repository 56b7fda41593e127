/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/cases.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/alert_state.h"
#include "analysis/rank.h"
#include "base/macros.h"

/* --- who is who ----------------------------------------------------------------------------------------------------
 */

/* FNV-1a, 64 bits, of a string and its end. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	} while (*text++);
	return hash;
}

/* Of the standard library: who waits there waits on behalf of somebody. */
static bool is_library(const char *function)
{
	static const char *const packages[] = {"runtime.", "runtime/", "sync.",	   "sync/", "internal/", "time.",
					       "syscall.", "net.",     "net/",	   "io.",   "os.",	 "os/",
					       "bufio.",   "context.", "reflect.", "iter.", "crypto/"};

	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		if (!strncmp(function, packages[i], strlen(packages[i])))
			return true;
	return false;
}

static const char *top_user_function(const struct pw_alert_frame *frames, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_library(frames[i].function))
			return frames[i].function;
	return count ? frames[0].function : "";
}

void pw_case_identify(struct pw_alert *alert, uint64_t gopc)
{
	const char *from = strncmp(alert->rule, "PW-", 3) ? alert->rule : alert->rule + 3;
	uint64_t hash = hash_text(0xcbf29ce484222325ULL, alert->rule);
	char rule[sizeof(alert->rule)], number[32] = "";
	size_t length = 0;

	hash = hash_text(hash, alert->service[0] ? alert->service : alert->process);
	if (!alert->statement.function[0] && gopc) /* no name: then at least the same build has the same */
		snprintf(number, sizeof(number), "%" PRIx64, gopc);
	hash = hash_text(hash, *number ? number : alert->statement.function);
	hash = hash_text(hash, top_user_function(alert->parked_stack, alert->parked_stack_depth));
	for (; *from; from++)
		rule[length++] = (char)tolower((unsigned char)*from);
	rule[length] = '\0';
	snprintf(alert->id, sizeof(alert->id), "%s-%012" PRIx64, rule, hash >> 16);
}

void pw_case_identify_event(struct pw_alert *alert)
{
	size_t length;

	pw_case_identify(alert, 0);
	length = strlen(alert->id);
	snprintf(alert->id + length, sizeof(alert->id) - length, "-%" PRId32, alert->pid);
}

/* --- members -------------------------------------------------------------------------------------------------------
 */

static void case_free(struct pw_case *one)
{
	free(one->last);
	free(one);
}

void pw_cases_done(struct pw_cases *cases)
{
	struct pw_case *next;

	for (struct pw_case *one = cases->first; one; one = next) {
		next = one->next;
		case_free(one);
	}
	*cases = (struct pw_cases){};
}

static struct pw_case *find(const struct pw_cases *cases, const char *id)
{
	struct pw_case *one = cases->first;

	while (one && strcmp(one->id, id) != 0)
		one = one->next;
	return one;
}

/* Forgets the one that ended first, to make room. False: all are open. */
static bool forget_oldest(struct pw_cases *cases)
{
	struct pw_case **oldest = NULL, *one;

	for (struct pw_case **link = &cases->first; *link; link = &(*link)->next)
		if (!(*link)->members && !(*link)->news && (!oldest || (*link)->ended_ns < (*oldest)->ended_ns))
			oldest = link;
	if (!oldest)
		return false;
	one = *oldest;
	*oldest = one->next;
	cases->count--;
	case_free(one);
	return true;
}

static struct pw_case *add(struct pw_cases *cases, const char *id)
{
	struct pw_case *one = NULL;

	if (cases->count < PW_CASES_MAX || forget_oldest(cases))
		one = calloc(1, sizeof(*one));
	if (!one) {
		cases->dropped++;
		return NULL;
	}
	snprintf(one->id, sizeof(one->id), "%s", id);
	one->next = cases->first;
	cases->first = one;
	cases->count++;
	return one;
}

static void set_news(struct pw_cases *cases, struct pw_case *one, enum pw_case_news news)
{
	if (!one->news)
		one->news_order = ++cases->news_order;
	one->news = news;
}

/* Whether it comes for the first time or again. */
static void open_case(struct pw_cases *cases, struct pw_case *one, uint64_t now_ns, uint64_t wall_ns,
		      uint64_t reopen_ns)
{
	bool again = one->ended_ns && now_ns - PW_MIN(one->ended_ns, now_ns) <= reopen_ns;

	free(one->last);
	one->last = NULL;
	one->hold = PW_HOLD_NONE;
	one->held_by[0] = '\0';
	one->paged = one->covered = false;
	one->grouped = 0;
	one->recurrence = again ? one->recurrence + 1 : 0;
	one->order = ++cases->order;
	one->fired_ns = now_ns;
	one->fired_wall_ns = wall_ns;
	if (!again)
		one->first_fired_wall_ns = wall_ns;
	cases->fired++;
	cases->reopened += again;
	set_news(cases, one, PW_CASE_FIRED);
}

void pw_cases_join(struct pw_cases *cases, struct pw_incident *incident, uint64_t now_ns, uint64_t reopen_ns)
{
	struct pw_case *one;

	pw_case_identify(&incident->alert, incident->gopc);
	one = find(cases, incident->alert.id);
	if (!one)
		one = add(cases, incident->alert.id);
	if (!one)
		return;
	incident->owner = one;
	if (!one->members && one->news == PW_CASE_ENDED) { /* nobody has heard of that end: it goes on */
		free(one->last);
		one->last = NULL;
		cases->resolved -= incident->alert.state == PW_ALERT_RESOLVED;
		one->news = PW_CASE_OLD;
	} else if (!one->members) {
		one->level = PW_LEVEL_INFO;
		open_case(cases, one, now_ns, incident->alert.fired_wall_ns, reopen_ns);
	}
	incident->next_member = one->members;
	one->members = incident;
	if (one->news != PW_CASE_FIRED && one->news != PW_CASE_ENDED && incident->alert.level > one->level)
		set_news(cases, one, PW_CASE_RAISED);
	one->level = PW_MAX(one->level, incident->alert.level);
}

void pw_cases_level(struct pw_cases *cases, const struct pw_incident *incident)
{
	struct pw_case *one = incident->owner;
	enum pw_alert_level level = PW_LEVEL_INFO;

	for (const struct pw_incident *member = one ? one->members : NULL; member; member = member->next_member)
		level = PW_MAX(level, member->alert.level);
	if (!one || level == one->level)
		return;
	if (level > one->level && one->news != PW_CASE_FIRED)
		set_news(cases, one, PW_CASE_RAISED);
	one->level = level;
}

/* Only the newest of those that have ended keep their evidence. */
static void trim(struct pw_cases *cases)
{
	struct pw_case *oldest = NULL;
	size_t shown = 0;

	for (struct pw_case *one = cases->first; one; one = one->next) {
		if (!one->last || one->news)
			continue;
		shown++;
		if (!oldest || one->order < oldest->order)
			oldest = one;
	}
	if (shown <= PW_CASES_SHOWN_MAX)
		return;
	free(oldest->last);
	oldest->last = NULL;
}

void pw_cases_leave(struct pw_cases *cases, struct pw_incident *incident, uint64_t now_ns)
{
	struct pw_case *one = incident->owner;
	struct pw_incident **link = one ? &one->members : NULL;

	if (!one)
		return;
	if (one->members == incident && !incident->next_member) { /* the last one */
		one->last = calloc(1, sizeof(*one->last));
		if (one->last)
			(void)pw_case_alert(one, one->last);
		one->ended_ns = now_ns;
		cases->resolved += incident->alert.state == PW_ALERT_RESOLVED;
		set_news(cases, one, PW_CASE_ENDED);
	}
	while (*link && *link != incident)
		link = &(*link)->next_member;
	if (*link)
		*link = incident->next_member;
	incident->owner = NULL;
	trim(cases);
}

void pw_cases_event(struct pw_cases *cases, const struct pw_alert *alert, uint64_t now_ns)
{
	struct pw_case *one = find(cases, alert->id);

	if (!one)
		one = add(cases, alert->id);
	if (!one || one->members)
		return;
	free(one->last);
	one->last = calloc(1, sizeof(*one->last));
	if (!one->last)
		return;
	*one->last = *alert;
	one->last->first_fired_wall_ns = one->first_fired_wall_ns = one->fired_wall_ns = alert->fired_wall_ns;
	one->order = ++cases->order;
	one->fired_ns = one->ended_ns = now_ns;
	one->level = alert->level;
	one->paged = true; /* there is only this one transition: it goes to all */
	cases->fired++;
	set_news(cases, one, PW_CASE_ENDED);
	trim(cases);
}

void pw_cases_page(struct pw_cases *cases, struct pw_case *one, enum pw_alert_page page)
{
	one->page = page;
	one->paged = page == PW_PAGE_TELL;
	if (!one->news)
		set_news(cases, one, PW_CASE_PAGED);
}

struct pw_case *pw_cases_news(const struct pw_cases *cases)
{
	struct pw_case *first = NULL;

	for (struct pw_case *one = cases->first; one; one = one->next)
		if (one->news && (!first || one->news_order < first->news_order))
			first = one;
	return first;
}

/* --- as an alert ---------------------------------------------------------------------------------------------------
 */

/* The more severe one, then the larger, then the one that was first. */
static bool is_worse(const struct pw_incident *one, const struct pw_incident *other)
{
	if (one->alert.level != other->alert.level)
		return one->alert.level > other->alert.level;
	if (one->value != other->value)
		return one->value > other->value;
	return one->order < other->order;
}

/* Each process once, worst first. */
static void note_process(struct pw_alert *alert, const struct pw_incident *member)
{
	struct pw_alert_process process = {.pid = member->alert.pid, .value = (double)member->value};
	size_t kept = PW_MIN((size_t)alert->process_count, (size_t)PW_ALERT_PROCESSES_MAX), place = 0;

	for (size_t i = 0; i < kept; i++)
		if (alert->processes[i].pid == process.pid) { /* another place of the same functions */
			alert->processes[i].value += process.value;
			return;
		}
	alert->process_count++;
	while (place < kept && alert->processes[place].value >= process.value)
		place++;
	if (place == PW_ALERT_PROCESSES_MAX)
		return;
	kept = PW_MIN(kept, (size_t)PW_ALERT_PROCESSES_MAX - 1);
	memmove(&alert->processes[place + 1], &alert->processes[place], (kept - place) * sizeof(process));
	alert->processes[place] = process;
}

bool pw_case_alert(const struct pw_case *one, struct pw_alert *ret_alert)
{
	const struct pw_incident *worst = one->members;
	bool clearing = true;

	if (!worst) {
		if (one->last)
			*ret_alert = *one->last;
		return one->last;
	}
	for (const struct pw_incident *member = worst->next_member; member; member = member->next_member)
		if (is_worse(member, worst))
			worst = member;
	*ret_alert = worst->alert;
	snprintf(ret_alert->id, sizeof(ret_alert->id), "%s", one->id);
	ret_alert->recurrence = one->recurrence;
	ret_alert->fired_wall_ns = one->fired_wall_ns;
	ret_alert->first_fired_wall_ns = one->first_fired_wall_ns;
	ret_alert->process_count = 0;
	ret_alert->peak = 0;
	for (const struct pw_incident *member = one->members; member; member = member->next_member) {
		clearing &= member->alert.state == PW_ALERT_CLEARING;
		ret_alert->peak = PW_MAX(ret_alert->peak, (double)member->peak);
		note_process(ret_alert, member);
	}
	if (worst->alert.state == PW_ALERT_CLEARING && !clearing)
		ret_alert->state = PW_ALERT_FIRING;
	ret_alert->hold = one->hold;
	snprintf(ret_alert->held_by, sizeof(ret_alert->held_by), "%s", one->held_by);
	ret_alert->grouped = one->grouped;
	ret_alert->paged = one->paged;
	ret_alert->score = pw_rank(one->members, ret_alert);
	return true;
}

/* Those that are open by score, then what has ended; what is newer comes first. */
static int by_rank(const void *left, const void *right)
{
	const struct pw_alert *a = left, *b = right;
	bool a_over = a->resolved_wall_ns != 0, b_over = b->resolved_wall_ns != 0;

	if (a_over != b_over)
		return a_over - b_over;
	if (!a_over && a->score != b->score)
		return a->score < b->score ? 1 : -1;
	if (a_over && a->resolved_wall_ns != b->resolved_wall_ns)
		return a->resolved_wall_ns < b->resolved_wall_ns ? 1 : -1;
	return strcmp(a->id, b->id);
}

size_t pw_cases_copy(const struct pw_cases *cases, struct pw_alert *alerts, size_t max)
{
	size_t count = 0;

	for (int open = 1; open >= 0; open--) /* if there is not room for all, it is the ended ones that go */
		for (const struct pw_case *one = cases->first; one && count < max; one = one->next)
			if ((one->members != NULL) == open && pw_case_alert(one, &alerts[count]))
				count++;
	if (count)
		qsort(alerts, count, sizeof(*alerts), by_rank);
	return count;
}
