/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TESTS_OBSERVED_H
#define PW_TESTS_OBSERVED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/macros.h"
#include "base/time.h"
#include "collect/collect.h"
#include "model/record.h"
#include "observe/observe.h"
#include "support/fake_mem.h"
#include "target/gc.h"
#include "target/births.h"
#include "target/kernel.h"
#include "target/target.h"

/*
 * An observation of a process made of fake memory, with events and kernel figures made up here: the functions below
 * stand in for those of the library, whose files are then not linked. Ticks go as the daemon's: poll, work, record.
 */
static struct pw_target_counts counts;
static bool counting; /* the target is registered */
static unsigned int validations;
static bool validation_finds_fault;
static int kernel_error;

const struct pw_target_counts *pw_collect_counts(const struct pw_collect *collect, uint64_t target_id)
{
	assert_ptr_equal(collect, &counts);
	assert_int_equal(target_id, 7);
	return counting ? &counts : NULL;
}

const char *pw_drop_name(size_t drop)
{
	return drop == 0 ? "first" : "second";
}

int pw_target_validate(struct pw_target *target, const struct pw_procfs *procfs)
{
	(void)procfs;
	validations++;
	if (validation_finds_fault)
		target->memory_ok = false;
	return 0;
}

int pw_kernel_read(struct pw_kernel_figures *ret_figures, const struct pw_procfs *procfs, int pid)
{
	(void)procfs;
	(void)pid;
	if (kernel_error)
		return kernel_error;
	*ret_figures =
		(struct pw_kernel_figures){.rss_bytes = 4096, .threads = 5, .open_files = PW_UNKNOWN, .cpu_ns = 12345};
	return 0;
}

struct world {
	struct fake_go *go;
	struct pw_observation *observation;
	uint64_t now_ns;
};

static inline void set_goids(struct world *world, uint64_t goids)
{
	fake_go_set_sched(world->go, PW_FIELD_SCHED_GOIDGEN, 16, 8);
	fake_go_set_p(world->go, 0, PW_FIELD_P_GOIDCACHE, goids + 1, 8);
	fake_go_set_p(world->go, 0, PW_FIELD_P_GOIDCACHEEND, 17, 8);
}

static inline void world_init(struct world *world, size_t goroutines)
{
	static const struct pw_observe_options options = {
		.census_interval_ns = 1, .slice_ns = 60 * PW_NS_PER_SEC, .kernel_figures = true};

	*world = (struct world){.go = fake_go_new(24, goroutines, 1), .now_ns = pw_boot_ns()};
	set_goids(world, goroutines);
	world->go->target.id = 7;
	world->go->target.memory_ok = true;
	world->go->target.state = PW_TARGET_ATTACHED;
	assert_int_equal(pw_births_new(&world->go->target.births), 0);
	counts = (struct pw_target_counts){.armed = true, .governor_state = "continuous", .budget_percent = 1};
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		counts.mode[event] = PW_PROBES_CONTINUOUS;
	counting = true;
	validations = 0;
	validation_finds_fault = false;
	kernel_error = 0;
	assert_int_equal(pw_observation_new(&world->observation, &world->go->target, (struct pw_collect *)&counts,
					    (const struct pw_procfs *)&counts, &options),
			 0);
}

static inline void world_done(struct world *world)
{
	pw_observation_free(world->observation);
	pw_births_free(world->go->target.births);
	fake_go_free(world->go);
}

static inline struct pw_record *tick(struct world *world)
{
	struct pw_record *record = NULL;
	int r;

	counts.polled_ns = pw_boot_ns();
	world->now_ns += 3600 * PW_NS_PER_SEC; /* a census is due each time, whatever the last one cost */
	while ((r = pw_observation_work(world->observation, world->now_ns)) == -EAGAIN)
		;
	assert_int_equal(r, 0);
	assert_int_equal(pw_observation_record(world->observation, pw_boot_ns(), 1, &record), 0);
	return record;
}

static inline void tick_unseen(struct world *world)
{
	pw_record_unref(tick(world));
}

#endif
