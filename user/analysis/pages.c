/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/condition.h"
#include "analysis/inhibit.h"
#include "analysis/rank.h"
#include "base/macros.h"

#define SERVICES_MAX 4096U
#define FLEET_RULE   "PW-O01"

struct budget {
	uint64_t paged_ns[PW_LEVEL_CRITICAL + 1];	 /* CLOCK_BOOTTIME of the last page of that level or above */
	char leader[sizeof(((struct pw_alert *)0)->id)]; /* whose page it was */
};

void pw_pages_init(struct pw_pages *pages)
{
	pages->services = (struct pw_table)PW_TABLE_INIT_LRU(SERVICES_MAX, free);
	pw_deploys_init(&pages->deploys);
}

void pw_pages_done(struct pw_pages *pages)
{
	pw_table_done(&pages->services);
	pw_deploys_done(&pages->deploys);
	free(pages->fleet);
	pages->fleet = NULL;
}

static const char *service_of(const struct pw_case *one)
{
	const struct pw_alert *alert = &one->members->alert;

	return alert->service[0] ? alert->service : alert->process;
}

static bool is_fleet(const struct pw_conditions *conditions, const struct pw_case *one)
{
	const struct pw_condition *fleet = conditions->pages.fleet;

	return fleet && fleet->incident && fleet->incident->owner == one;
}

/* --- the whole fleet -----------------------------------------------------------------------------------------------
 */

static void fleet_words(struct pw_alert *alert, uint64_t peak)
{
	bool over = alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE;

	snprintf(alert->text, sizeof(alert->text),
		 over ? "resolved: services no longer have alerts all at once (peak %" PRIu64 ")"
		      : "%" PRIu64 " services have alerts at once: the cause is what they share, the kernel, the "
			"clock, the network, or parkwatch itself",
		 peak);
	snprintf(alert->hint, sizeof(alert->hint),
		 "Look at the host first: load, memory, clock, network. The alerts of each service are listed, and "
		 "nobody "
		 "is woken by them.");
	snprintf(alert->reproduce, sizeof(alert->reproduce), "parkwatch alerts --all");
}

static const struct pw_words fleet_rule = {.end = fleet_words};

/* Does it count as one of many at once? Those that something else explains do not. */
static bool is_of_fleet(const struct pw_conditions *conditions, const struct pw_case *one, uint64_t now_ns)
{
	const struct pw_condition *fleet = conditions->pages.fleet;
	uint64_t since_ns = fleet && fleet->incident ? fleet->fired.taken_ns : now_ns;

	if (!one->members || is_fleet(conditions, one) || one->hold == PW_HOLD_INHIBITED || one->hold == PW_HOLD_DEPLOY)
		return false;
	return one->hold == PW_HOLD_FLEET ||
	       since_ns - PW_MIN(one->fired_ns, since_ns) <= conditions->rules->alerts_fleet_window_ns;
}

/* Different services that have such alerts. */
static size_t count_services(const struct pw_conditions *conditions, uint64_t now_ns)
{
	struct pw_table seen = PW_TABLE_INIT(PW_CASES_MAX, NULL);
	size_t count;

	for (struct pw_case *one = conditions->cases.first; one; one = one->next)
		if (is_of_fleet(conditions, one, now_ns) &&
		    pw_table_put_str(&seen, service_of(one), (void *)(uintptr_t)one) < 0)
			break;
	count = pw_table_count(&seen);
	pw_table_done(&seen);
	return count;
}

static void open_fleet(struct pw_conditions *conditions, size_t count, uint64_t now_ns, uint64_t wall_ns)
{
	struct pw_alert alert = {.level = PW_LEVEL_CRITICAL,
				 .state = PW_ALERT_FIRING,
				 .target_id = UINT64_MAX,
				 .baseline = -1,
				 .value = (double)count,
				 .fired_wall_ns = wall_ns,
				 .onset_wall_ns = wall_ns};
	struct pw_incident *incident;

	if (!conditions->pages.fleet)
		conditions->pages.fleet = calloc(1, sizeof(*conditions->pages.fleet));
	if (!conditions->pages.fleet)
		return;
	snprintf(alert.rule, sizeof(alert.rule), FLEET_RULE);
	snprintf(alert.service, sizeof(alert.service), "fleet");
	snprintf(alert.process, sizeof(alert.process), "observer");
	snprintf(alert.confidence, sizeof(alert.confidence), "certain");
	snprintf(alert.unit, sizeof(alert.unit), "services");
	pw_alert_threshold(&alert, "services", (double)count, conditions->rules->alerts_fleet_services, false);
	fleet_words(&alert, count);
	incident = pw_incident_open(&conditions->incidents, &alert);
	if (!incident)
		return;
	incident->condition = conditions->pages.fleet;
	incident->words = &fleet_rule;
	incident->value = incident->peak = count;
	conditions->pages.fleet->incident = incident;
	conditions->pages.fleet->fired = (struct pw_tick){.taken_ns = now_ns, .wall_ns = wall_ns};
	pw_cases_join(&conditions->cases, incident, now_ns, conditions->rules->alerts_reopen_ns);
}

/* It opens with more services than allowed, and ends with half of that. */
static void judge_fleet(struct pw_conditions *conditions, uint64_t now_ns, uint64_t wall_ns)
{
	size_t count = count_services(conditions, now_ns), limit = conditions->rules->alerts_fleet_services;
	struct pw_condition *fleet = conditions->pages.fleet;
	struct pw_incident *incident = fleet ? fleet->incident : NULL;

	if (!incident) {
		if (count > limit)
			open_fleet(conditions, count, now_ns, wall_ns);
		return;
	}
	incident->value = count;
	incident->alert.value = (double)count;
	incident->peak = PW_MAX(incident->peak, (uint64_t)count);
	if (count > limit / 2)
		return;
	incident->alert.state = PW_ALERT_RESOLVED;
	incident->alert.resolved_wall_ns = wall_ns;
	fleet_words(&incident->alert, incident->peak);
	pw_cases_leave(&conditions->cases, incident, now_ns);
	fleet->incident = NULL;
	pw_incident_close(&conditions->incidents, incident);
}

/* --- who is held ---------------------------------------------------------------------------------------------------
 */

/* What keeps an open one from waking anybody, but for the budget. */
static enum pw_alert_hold hold_of(const struct pw_conditions *conditions, const struct pw_case *one, uint64_t now_ns,
				  const char **ret_by)
{
	const struct pw_condition *fleet = conditions->pages.fleet;
	const struct pw_case *by;

	*ret_by = "";
	if (is_fleet(conditions, one))
		return PW_HOLD_NONE;
	by = pw_inhibitor_of(&conditions->incidents, one);
	if (by) {
		*ret_by = by->id;
		return PW_HOLD_INHIBITED;
	}
	if (fleet && fleet->incident && fleet->incident->owner && is_of_fleet(conditions, one, now_ns)) {
		*ret_by = fleet->incident->owner->id;
		return PW_HOLD_FLEET;
	}
	if (!one->paged && pw_alert_is_statistical(&one->members->alert) &&
	    pw_deploys_within(&conditions->pages.deploys, service_of(one), now_ns,
			      conditions->rules->alerts_deploy_hold_ns))
		return PW_HOLD_DEPLOY;
	return PW_HOLD_NONE;
}

static void set_hold(struct pw_case *one, enum pw_alert_hold hold, const char *by)
{
	one->hold = hold;
	snprintf(one->held_by, sizeof(one->held_by), "%s", by);
}

static const struct pw_case *find_open(const struct pw_cases *cases, const char *id)
{
	const struct pw_case *one = cases->first;

	while (one && (!one->members || strcmp(one->id, id) != 0))
		one = one->next;
	return one;
}

static void judge_holds(struct pw_conditions *conditions, uint64_t now_ns)
{
	for (struct pw_case *one = conditions->cases.first; one; one = one->next) {
		enum pw_alert_hold hold;
		const char *by;

		if (!one->members)
			continue;
		hold = hold_of(conditions, one, now_ns, &by);
		if (hold == PW_HOLD_NONE && one->hold == PW_HOLD_GROUPED) {
			const struct pw_case *leader = find_open(&conditions->cases, one->held_by);

			/* The page that stood for it is over, or says too little: it is not. */
			if (!leader || leader->level < one->level)
				one->covered = false;
			continue;
		}
		if (hold != PW_HOLD_NONE)
			one->covered = false;
		if (hold != PW_HOLD_NONE && one->hold == PW_HOLD_NONE)
			conditions->pages.held++;
		set_hold(one, hold, by);
		if (one->paged && (hold == PW_HOLD_INHIBITED || hold == PW_HOLD_FLEET))
			pw_cases_page(&conditions->cases, one, PW_PAGE_WITHDRAW);
	}
}

/* --- the budget ----------------------------------------------------------------------------------------------------
 */

static struct budget *budget_of(struct pw_pages *pages, const char *service)
{
	struct budget *budget = pw_table_get_str(&pages->services, service);

	if (budget)
		return budget;
	budget = calloc(1, sizeof(*budget));
	if (budget && pw_table_put_str(&pages->services, service, budget) < 0) {
		free(budget);
		budget = NULL;
	}
	return budget;
}

static bool may_wake(const struct pw_case *one)
{
	return one->members && !one->paged && !one->covered &&
	       (one->hold == PW_HOLD_NONE || one->hold == PW_HOLD_GROUPED);
}

static double score_of(const struct pw_case *one)
{
	return pw_rank(one->members, &one->members->alert);
}

/* The one to be told first: the most severe, then by rank, then the one that fired first. */
static struct pw_case *first_to_wake(const struct pw_conditions *conditions, const uint64_t *tried, size_t tried_count)
{
	struct pw_case *best = NULL;

	for (struct pw_case *one = conditions->cases.first; one; one = one->next) {
		size_t i = 0;

		while (i < tried_count && tried[i] != one->order)
			i++;
		if (i < tried_count || !may_wake(one))
			continue;
		if (!best || one->level > best->level ||
		    (one->level == best->level &&
		     (score_of(one) > score_of(best) || (score_of(one) == score_of(best) && one->order < best->order))))
			best = one;
	}
	return best;
}

/* Its page goes out, and stands for all others of its service that are not more severe. */
static void wake(struct pw_conditions *conditions, struct pw_case *leader, struct budget *budget, uint64_t now_ns)
{
	set_hold(leader, PW_HOLD_NONE, "");
	leader->grouped = 0;
	for (struct pw_case *one = conditions->cases.first; one; one = one->next) {
		if (one == leader || !may_wake(one) || one->level > leader->level ||
		    strcmp(service_of(one), service_of(leader)) != 0)
			continue;
		set_hold(one, PW_HOLD_GROUPED, leader->id);
		one->covered = true;
		leader->grouped++;
	}
	pw_cases_page(&conditions->cases, leader, PW_PAGE_TELL);
	for (int level = 0; budget && level <= (int)leader->level; level++)
		budget->paged_ns[level] = now_ns;
	if (budget)
		snprintf(budget->leader, sizeof(budget->leader), "%s", leader->id);
}

static void spend_budgets(struct pw_conditions *conditions, uint64_t now_ns)
{
	uint64_t tried[PW_INCIDENTS_OPEN_MAX];
	size_t tried_count = 0;
	struct pw_case *one;

	while (tried_count < ARRAY_SIZE(tried) && (one = first_to_wake(conditions, tried, tried_count))) {
		struct budget *budget =
			is_fleet(conditions, one) ? NULL : budget_of(&conditions->pages, service_of(one));
		uint64_t last_ns = budget ? budget->paged_ns[one->level] : 0;

		tried[tried_count++] = one->order;
		if (last_ns && now_ns - PW_MIN(last_ns, now_ns) < conditions->rules->alerts_budget_ns) {
			conditions->pages.held += one->hold == PW_HOLD_NONE;
			set_hold(one, PW_HOLD_GROUPED, strcmp(budget->leader, one->id) ? budget->leader : "");
		} else {
			wake(conditions, one, budget, now_ns);
		}
	}
}

/* --- telling -------------------------------------------------------------------------------------------------------
 */

static void tell(struct pw_conditions *conditions, struct pw_case *one, uint64_t wall_ns)
{
	struct pw_alert alert;
	bool ended = one->news == PW_CASE_ENDED;

	if (!one->page && one->paged)
		one->page = PW_PAGE_TELL; /* its level, or its end */
	if (pw_case_alert(one, &alert) && conditions->on_transition) {
		alert.page = one->page;
		alert.told_wall_ns = wall_ns;
		conditions->on_transition(conditions->context, &alert);
	}
	one->news = PW_CASE_OLD;
	one->page = PW_PAGE_NOT;
	if (ended)
		one->paged = one->covered = false;
}

void pw_conditions_settle(struct pw_conditions *conditions, uint64_t now_ns, uint64_t wall_ns)
{
	struct pw_pages *pages = &conditions->pages;
	bool news = pw_cases_news(&conditions->cases) != NULL;
	struct pw_case *one;

	/* Without news only time passes: a look each second will do. */
	if (!news && now_ns - PW_MIN(pages->settled_ns, now_ns) < PW_NS_PER_SEC && pages->settled_ns <= now_ns)
		return;
	pages->settled_ns = now_ns;
	if (conditions->incidents.open) {
		judge_holds(conditions, now_ns);
		judge_fleet(conditions, now_ns, wall_ns);
		judge_holds(conditions, now_ns); /* it may have begun, or ended */
		spend_budgets(conditions, now_ns);
	}
	while ((one = pw_cases_news(&conditions->cases)))
		tell(conditions, one, wall_ns);
}
