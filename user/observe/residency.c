/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/residency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cgroup.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/builder.h"
#include "observe/numbers.h"
#include "target/memory.h"
#include "target/target.h"

#define SHARE 500 /* one part in so many of a CPU: 0.2% */

static void end(struct pw_residency *residency, uint64_t interval_ns)
{
	pw_memory_look_free(residency->look);
	residency->look = NULL;
	residency->next_ns = residency->started_ns + PW_MAX(interval_ns, residency->cpu_ns * SHARE);
}

/* What was read becomes the table that is shown. */
static int finish(struct pw_residency *residency, struct pw_target *target, const struct pw_procfs *procfs,
		  const struct pw_observed_numbers *numbers, const struct pw_memory_mappings *mappings)
{
	_cleanup_free_ struct pw_cgroup_memory *cgroup = calloc(1, sizeof(*cgroup));
	struct pw_memory_table table = {0};
	int r = cgroup ? pw_memory_limits(&table.limits, cgroup, PW_CGROUP_ROOT, procfs, target->pid) : -ENOMEM;

	if (r < 0)
		return r;
	pw_memory_balance(&table, mappings, numbers->taken_ns && !numbers->stale ? &numbers->numbers : NULL);
	table.cost_ns = residency->cpu_ns;
	residency->table = table;
	snprintf(residency->max_path, sizeof(residency->max_path), "%.255s", cgroup->max_path);
	snprintf(residency->high_path, sizeof(residency->high_path), "%.255s", cgroup->high_path);
	residency->taken_ns = pw_boot_ns();
	return 0;
}

/* 0 with a look under way, or with *ret_mappings. */
static int begin(struct pw_residency *residency, struct pw_target *target, const struct pw_procfs *procfs,
		 struct pw_memory_mappings *ret_mappings)
{
	int r = pw_memory_counts(ret_mappings, procfs, target->pid);

	if (r < 0 || ret_mappings->total.rss > PW_MEMORY_LOOK_MAX)
		return r;
	return pw_memory_look_begin(&residency->look, target, procfs);
}

int pw_residency_work(struct pw_residency *residency, struct pw_target *target, const struct pw_procfs *procfs,
		      const struct pw_observed_numbers *numbers, uint64_t interval_ns, uint64_t boot_ns,
		      uint64_t budget_ns)
{
	uint64_t cpu_ns = pw_cpu_thread_ns();
	struct pw_memory_mappings mappings;
	int r = 0;

	if (!residency->look) {
		if (boot_ns < residency->next_ns)
			return 0;
		residency->started_ns = boot_ns;
		residency->cpu_ns = 0;
		r = begin(residency, target, procfs, &mappings);
	}
	if (!r && residency->look)
		r = pw_memory_look_step(residency->look, budget_ns, &mappings);
	residency->cpu_ns += pw_cpu_thread_ns() - cpu_ns;
	if (r == -EAGAIN)
		return r;
	if (!r)
		r = finish(residency, target, procfs, numbers, &mappings);
	residency->failures += r < 0;
	end(residency, interval_ns);
	return r == -ESRCH ? r : 0;
}

void pw_residency_write(const struct pw_residency *residency, struct pw_record *draft,
			struct pw_record_builder *builder)
{
	if (!residency->taken_ns)
		return;
	draft->memory.section = (struct pw_section){
		.present = true, .version = 1, .quality = PW_EXACT, .taken_ns = residency->taken_ns};
	draft->memory.table = residency->table;
	draft->memory.max_path = pw_record_builder_string(builder, residency->max_path);
	draft->memory.high_path = pw_record_builder_string(builder, residency->high_path);
}

void pw_residency_done(struct pw_residency *residency)
{
	pw_memory_look_free(residency->look);
	residency->look = NULL;
}
