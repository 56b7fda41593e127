/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/overhead.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/time.h"

#define SMOOTH_NS     (10 * PW_NS_PER_SEC) /* of the cost that is shown */
#define WINDOW_WEIGHT 0.3		   /* of the newest window in the demand */
#define WINDOW_SHARE  0.25		   /* of the budget is left to windows, if that is little of what they want */
#define WINDOW_WANTED 0.1		   /* of what they want */
#define DUTY_MAX      0.5
/*
 * Windows use at most so much of the budget. They can do with less, at the price of a wider error (its square root),
 * and on a saturated host a hit takes more than it does on the calm one that it was priced on: a quarter more of an
 * HTTP server's CPU time per request than hits times price.
 */
#define WINDOW_AIM 0.6

/* Most wanted first: what does not fit goes to windows from the end. */
static const enum pw_attach_group order[] = {PW_GROUP_GC, PW_GROUP_LIFECYCLE, PW_GROUP_PARK, PW_GROUP_RUN,
					     PW_GROUP_ALLOC}; /* which governs itself: allocs.c */
_Static_assert(ARRAY_SIZE(order) == _PW_GROUP_MAX, "each group has its place");

const char *pw_probe_mode_name(enum pw_probe_mode mode)
{
	static const char *const names[] = {
		[PW_PROBES_OFF] = "off", [PW_PROBES_CONTINUOUS] = "continuous", [PW_PROBES_WINDOWS] = "windows"};

	_Static_assert(ARRAY_SIZE(names) == _PW_PROBES_MAX, "a name for each mode");
	return (unsigned int)mode < ARRAY_SIZE(names) ? names[mode] : "?";
}

void pw_governor_init(struct pw_governor *governor, unsigned int present, uint64_t window_min_ns)
{
	*governor = (struct pw_governor){.window_min_ns = window_min_ns};
	for (int group = 0; group < _PW_GROUP_MAX; group++)
		governor->group[group] = (struct pw_governor_group){.present = present & PW_GROUP_BIT(group),
								    .mode = PW_PROBES_CONTINUOUS};
}

unsigned int pw_governor_groups(const struct pw_governor *governor, enum pw_probe_mode mode)
{
	unsigned int groups = 0;

	for (int group = 0; group < _PW_GROUP_MAX; group++)
		if (governor->group[group].present && governor->group[group].mode == mode)
			groups |= PW_GROUP_BIT(group);
	return groups;
}

double pw_governor_demand(const struct pw_governor *governor)
{
	double sum = 0;

	for (int group = 0; group < _PW_GROUP_MAX; group++)
		if (governor->group[group].present)
			sum += governor->group[group].demand;
	return sum;
}

const char *pw_governor_state(const struct pw_governor *governor)
{
	unsigned int off = pw_governor_groups(governor, PW_PROBES_OFF);
	unsigned int windows = pw_governor_groups(governor, PW_PROBES_WINDOWS);

	if (off & ~PW_GROUP_BIT(PW_GROUP_GC))
		return "off";
	if (windows & PW_GROUP_BIT(PW_GROUP_LIFECYCLE))
		return off ? "spawn, exit and park sampled, GC off" : "spawn, exit and park sampled";
	if (windows)
		return off ? "park sampled, GC off" : "park sampled";
	return off ? "GC off" : "continuous";
}

/* ---- modes ------------------------------------------------------------------------------------------------------ */

/* How many groups of the order can stay attached, if each costs `factor` times its demand. */
static size_t affordable(const struct pw_governor *governor, double budget, double factor)
{
	double total = pw_governor_demand(governor) * factor, kept = total;
	size_t count = ARRAY_SIZE(order);

	if (total <= budget)
		return count;
	while (count > 0) {
		const struct pw_governor_group *group = &governor->group[order[--count]];

		if (!group->present)
			continue;
		kept -= group->demand * factor;
		double windows = total - kept, left = budget - kept;
		if (left >= PW_MIN(WINDOW_SHARE * budget, WINDOW_WANTED * windows))
			break;
	}
	return count;
}

static enum pw_probe_mode mode_beyond(enum pw_attach_group group)
{
	return group == PW_GROUP_GC ? PW_PROBES_OFF : PW_PROBES_WINDOWS;
}

static bool set_all(struct pw_governor *governor, enum pw_probe_mode mode)
{
	bool changed = false;

	for (int i = 0; i < _PW_GROUP_MAX; i++) {
		changed |= governor->group[i].present && governor->group[i].mode != mode;
		governor->group[i].mode = mode;
	}
	return changed;
}

/* The first `kept` groups of the order are continuous, the others are not. */
static bool set_kept(struct pw_governor *governor, size_t kept)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct pw_governor_group *group = &governor->group[order[i]];
		enum pw_probe_mode mode = i < kept ? PW_PROBES_CONTINUOUS : mode_beyond(order[i]);

		changed |= group->present && group->mode != mode;
		group->mode = mode;
	}
	return changed;
}

/* How many groups of the order are continuous now. */
static size_t kept_now(const struct pw_governor *governor)
{
	size_t kept = 0;

	while (kept < ARRAY_SIZE(order) &&
	       (!governor->group[order[kept]].present || governor->group[order[kept]].mode == PW_PROBES_CONTINUOUS))
		kept++;
	return kept;
}

static void hold(struct pw_governor *governor, uint64_t now_ns)
{
	bool forgiven = governor->calm_since_ns && now_ns - governor->calm_since_ns >= PW_GOVERNOR_FORGIVE_NS;

	governor->hold_ns = governor->hold_ns && !forgiven ? PW_MIN(governor->hold_ns * 2, PW_GOVERNOR_HOLD_MAX_NS)
							   : PW_GOVERNOR_HOLD_FIRST_NS;
	governor->since_ns = now_ns;
	governor->until_ns = now_ns + governor->hold_ns;
	governor->calm_since_ns = 0;
	governor->stepped_down++;
}

static bool judge(struct pw_governor *governor, uint64_t now_ns, double budget, double interval_share)
{
	size_t now = kept_now(governor), wanted;

	if (budget == 0)
		return set_all(governor, PW_PROBES_OFF);
	if (budget < 0) {
		governor->calm_since_ns = governor->calm_since_ns ? governor->calm_since_ns : now_ns;
		return set_all(governor, PW_PROBES_CONTINUOUS);
	}
	wanted = affordable(governor, budget, 1);
	if (wanted < now) {
		governor->stepped_share = interval_share;
		hold(governor, now_ns);
		return set_kept(governor, wanted);
	}
	if (now < ARRAY_SIZE(order) && now_ns >= governor->until_ns) {
		wanted = affordable(governor, budget, 1 / PW_GOVERNOR_RETURN_SHARE);
		if (wanted > now) {
			governor->calm_since_ns = now_ns;
			governor->until_ns = now_ns + governor->hold_ns;
			return set_kept(governor, wanted);
		}
	}
	return set_kept(governor, now); /* also brings back what a budget of 0 had switched off */
}

/* Cost of what is continuous is its demand; what is in windows is known from them. */
static double take_demands(struct pw_governor *governor, uint64_t elapsed_ns)
{
	double share = 0;

	for (int i = 0; i < _PW_GROUP_MAX; i++) {
		struct pw_governor_group *group = &governor->group[i];
		double cost = (double)governor->cost_ns[i] / (double)elapsed_ns;

		share += cost;
		if (group->mode == PW_PROBES_CONTINUOUS) {
			group->demand = cost;
			group->demand_known = true;
		} else if (group->mode == PW_PROBES_OFF) {
			group->demand /= 2; /* nobody sees it: tried again when it must have calmed down */
		}
		governor->cost_ns[i] = 0;
	}
	return share;
}

static bool update(struct pw_governor *governor, uint64_t now_ns, const uint64_t cost_ns[_PW_GROUP_MAX], double budget,
		   uint64_t least_ns)
{
	if (!governor->started) {
		governor->started = true;
		governor->judged_ns = governor->calm_since_ns = now_ns;
		return judge(governor, now_ns, budget, 0);
	}
	for (int i = 0; i < _PW_GROUP_MAX; i++)
		governor->cost_ns[i] += cost_ns[i];
	if (now_ns <= governor->judged_ns || now_ns - governor->judged_ns < least_ns)
		return false;
	uint64_t elapsed_ns = now_ns - governor->judged_ns;
	double share = take_demands(governor, elapsed_ns);
	double weight = PW_MIN(1.0, (double)elapsed_ns / (double)SMOOTH_NS);

	governor->judged_ns = now_ns;
	governor->share += weight * (share - governor->share);
	return judge(governor, now_ns, budget, share);
}

bool pw_governor_update(struct pw_governor *governor, uint64_t now_ns, const uint64_t cost_ns[_PW_GROUP_MAX],
			double budget)
{
	return update(governor, now_ns, cost_ns, budget, PW_GOVERNOR_JUDGE_NS);
}

bool pw_governor_burst(struct pw_governor *governor, uint64_t now_ns, const uint64_t cost_ns[_PW_GROUP_MAX],
		       double budget)
{
	return update(governor, now_ns, cost_ns, budget, 1);
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

void pw_governor_window(struct pw_governor *governor, const uint64_t cost_ns[_PW_GROUP_MAX], uint64_t open_ns)
{
	if (!open_ns)
		return;
	for (int i = 0; i < _PW_GROUP_MAX; i++) {
		struct pw_governor_group *group = &governor->group[i];
		double demand = (double)cost_ns[i] / (double)open_ns;

		if (group->mode != PW_PROBES_WINDOWS)
			continue;
		group->demand = group->demand_known ? group->demand + WINDOW_WEIGHT * (demand - group->demand) : demand;
		group->demand_known = true;
	}
}

/* What the budget leaves to windows. */
static double left_to_windows(const struct pw_governor *governor, double budget)
{
	double most = WINDOW_AIM * budget;

	for (int i = 0; i < _PW_GROUP_MAX; i++)
		if (governor->group[i].present && governor->group[i].mode == PW_PROBES_CONTINUOUS)
			budget -= governor->group[i].demand;
	return PW_MIN(most, PW_MAX(budget, 0));
}

uint64_t pw_governor_window_ns(const struct pw_governor *governor, double budget)
{
	double wanted = 0, duty = DUTY_MAX;

	for (int i = 0; i < _PW_GROUP_MAX; i++)
		if (governor->group[i].present && governor->group[i].mode == PW_PROBES_WINDOWS)
			wanted += governor->group[i].demand;
	if (wanted > 0)
		duty = PW_MIN(DUTY_MAX, left_to_windows(governor, budget) / wanted);
	return PW_MAX(governor->window_min_ns, (uint64_t)(duty * (double)PW_GOVERNOR_PERIOD_NS));
}

uint64_t pw_governor_pause_ns(const struct pw_governor *governor, double budget, uint64_t cost_ns, uint64_t took_ns,
			      double random)
{
	double left = left_to_windows(governor, budget), period = (double)PW_GOVERNOR_PAUSE_MAX_NS, pause;

	if (left > 0)
		period = PW_MIN(period, (double)cost_ns / left);
	pause = PW_MAX(period - (double)took_ns, (double)PW_GOVERNOR_PERIOD_NS - (double)took_ns);
	pause = PW_MAX(pause, (double)PW_GOVERNOR_PAUSE_MIN_NS);
	return (uint64_t)(pause * (0.5 + random));
}

/* ---- all targets of the host ------------------------------------------------------------------------------------ */

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

double pw_budget_share(double demand[], size_t count, double each, double host)
{
	double left = host;

	if (host < 0 || !count)
		return each;
	qsort(demand, count, sizeof(*demand), compare);
	for (size_t i = 0; i < count; i++) {
		double share = left / (double)(count - i);

		if (each >= 0 && share >= each)
			return each;
		if (demand[i] > share)
			return share;
		left -= demand[i];
	}
	return each < 0 ? host : PW_MIN(each, host);
}
