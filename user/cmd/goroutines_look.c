/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/goroutines_look.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "cmd/daemon_ages.h"
#include "cmd/goroutines_request.h"
#include "model/profile.h"
#include "observe/profile_build.h"
#include "observe/profile_names.h"
#include "target/snapshot.h"
#include "target/symbolize.h"
#include "target/target.h"

/*
 * Two looks tell what stands still from what only happened to be parked; with --over many looks become one profile of
 * where time goes.
 */
#define APART_NS      PW_NS_PER_SEC
#define MEMORY_BUDGET (4ULL << 30)
#define TIME_BUDGET   (60 * PW_NS_PER_SEC) /* of one look at a live process; 1,000,000 goroutines take 2 s */
#define NAMING_ROUNDS 4
#define BIRTHS_TRIES  50

struct looking {
	struct pw_target *target; /* borrowed, as the next */
	const struct pw_daemon_ages *ages;
	struct pw_snapshot *snapshot;
	struct pw_profile_builder *builder;
	struct pw_profile *profile;
	sigset_t signals;
	bool stopped;
};

static void looking_done(struct looking *looking)
{
	pw_profile_free(looking->profile);
	pw_profile_builder_free(looking->builder);
	pw_snapshot_free(looking->snapshot);
}

/* Waits until a time (CLOCK_MONOTONIC), or for Ctrl-C. */
static void wait_until(struct looking *looking, uint64_t end)
{
	uint64_t now;

	while (!looking->stopped && (now = pw_now_ns()) < end) {
		struct timespec left = {(time_t)((end - now) / PW_NS_PER_SEC), (long)((end - now) % PW_NS_PER_SEC)};

		looking->stopped = sigtimedwait(&looking->signals, NULL, &left) > 0;
	}
}

static int look_twice(struct looking *looking, const struct pw_goroutines_values *values)
{
	const struct pw_snapshot_result *look = pw_snapshot_result(looking->snapshot);
	uint64_t first_ns = look->taken_ns, apart = APART_NS;
	char text[PW_DURATION_SIZE];
	int r;

	looking->profile->duration_ns = look->duration_ns;
	if (values->once || looking->target->frozen) /* which will not change */
		return pw_profile_builder_look(looking->builder, look, 0);
	if (values->min_age_ns > apart && !looking->ages->count) {
		apart = values->min_age_ns;
		pw_log_usage(0, "looking twice, %s apart, as ages are known only since the first look",
			     pw_time_duration(apart, text));
	}
	wait_until(looking, pw_now_ns() + apart);
	r = pw_snapshot_look(looking->snapshot);
	if (r < 0)
		return r;
	look = pw_snapshot_result(looking->snapshot);
	looking->profile->elapsed_ns = look->taken_ns - first_ns;
	return pw_profile_builder_look(looking->builder, look, 0);
}

/* The first look weighs as much as the time between two should be, each other one as the time since the one before. */
static int look_over(struct looking *looking, const struct pw_goroutines_values *values)
{
	const struct pw_snapshot_result *look = pw_snapshot_result(looking->snapshot);
	uint64_t start = pw_now_ns(), next = start, before = look->taken_ns;
	int r;

	looking->profile->duration_ns = look->duration_ns;
	r = pw_profile_builder_look(looking->builder, look, values->every_ns);
	while (r >= 0 && !looking->stopped && pw_now_ns() - start < values->over_ns) {
		next = PW_MAX(next + values->every_ns, pw_now_ns());
		wait_until(looking, next);
		if (looking->stopped)
			break;
		r = pw_snapshot_look(looking->snapshot);
		if (r < 0)
			break;
		look = pw_snapshot_result(looking->snapshot);
		r = pw_profile_builder_look(looking->builder, look, look->taken_ns - before);
		before = look->taken_ns;
	}
	looking->profile->over_ns = pw_now_ns() - start;
	return r;
}

static int name_all(struct looking *looking)
{
	struct pw_symbolizer *symbolizer = looking->target->symbols_ok ? looking->target->symbolizer : NULL;
	int r = -EAGAIN;

	for (int round = 0; round < NAMING_ROUNDS && r == -EAGAIN; round++) {
		r = pw_profile_builder_finish(looking->builder, symbolizer, looking->profile);
		if (r == -EAGAIN && pw_symbolizer_settle(symbolizer) < 0)
			symbolizer = NULL; /* addresses are better than nothing */
	}
	return r;
}

static int take(struct looking *looking, const struct pw_goroutines_values *values)
{
	const struct pw_build_facts *facts = &looking->target->build->facts;
	struct pw_snapshot_options look = {.memory_budget_bytes = MEMORY_BUDGET,
					   .time_budget_ns = looking->target->frozen ? 0 : TIME_BUDGET,
					   .labels = !values->over_ns,
					   .waits = !values->over_ns,
					   .cases_of = values->goid};
	struct pw_profile_source source = {.reason_names = facts->wait_reasons.name,
					   .reason_count = facts->wait_reasons.count,
					   .over = values->over_ns != 0,
					   .frozen = looking->target->frozen != NULL};
	int r;

	looking->profile = pw_profile_new();
	r = looking->profile ? 0 : -ENOMEM;
	if (!r)
		r = pw_snapshot_new(&looking->snapshot, looking->target, &look);
	if (!r)
		r = pw_profile_builder_new(&looking->builder, &source);
	if (!r)
		pw_snapshot_know(looking->snapshot, looking->ages->items, looking->ages->count);
	for (int i = 0; !r && looking->target->births && i < BIRTHS_TRIES; i++) /* who is older than this look */
		if (pw_births_poll(looking->target->births, looking->target, pw_boot_ns()) != -EAGAIN)
			break;
	if (!r)
		r = pw_snapshot_look(looking->snapshot);
	if (r < 0)
		return r;
	r = values->over_ns ? look_over(looking, values) : look_twice(looking, values);
	if (r < 0)
		return r;
	pw_profile_describe(looking->profile, looking->target);
	if (looking->ages->count)
		looking->profile->ages_wall_ns = looking->ages->head.first_wall_ns;
	return name_all(looking);
}

int pw_goroutines_look(struct pw_target *target, const struct pw_goroutines_values *values,
		       const struct pw_daemon_ages *ages, struct pw_profile **ret_profile)
{
	struct looking looking = {.target = target, .ages = ages};
	int r;

	sigemptyset(&looking.signals);
	sigaddset(&looking.signals, SIGINT);
	sigaddset(&looking.signals, SIGTERM);
	if (values->over_ns) /* ends it early with what was seen */
		sigprocmask(SIG_BLOCK, &looking.signals, NULL);
	r = take(&looking, values);
	if (r >= 0)
		*ret_profile = TAKE_PTR(looking.profile);
	looking_done(&looking);
	return r < 0 ? r : 0;
}
