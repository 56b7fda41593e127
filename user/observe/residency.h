/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_RESIDENCY_H
#define PW_OBSERVE_RESIDENCY_H

#include <stdint.h>

#include "model/memory.h"

struct pw_memory_look;
struct pw_observed_numbers;
struct pw_procfs;
struct pw_record;
struct pw_record_builder;
struct pw_target;

/*
 * Where the RSS of one observed target goes, looked at now and then: the kernel walks its page tables for it, so that
 * the next look waits until this one has cost at most 0.2% of a CPU. One mapping is walked in one go: of a process
 * above PW_MEMORY_LOOK_MAX only the kernel's running counts are taken, and mappings are not told apart. Embedded; a
 * zeroed one is empty.
 */
struct pw_residency {
	struct pw_memory_look *look; /* under way */
	struct pw_memory_table table;
	char max_path[256], high_path[256];
	uint64_t taken_ns; /* CLOCK_BOOTTIME, of the table; 0: none yet */
	uint64_t started_ns, next_ns;
	uint64_t cpu_ns; /* of the look under way */
	uint64_t failures;
};

/* A slice of the work that is due: 0 nothing more now, -EAGAIN call again, -ESRCH gone. cgroup_root: /sys/fs/cgroup. */
int pw_residency_work(struct pw_residency *residency, struct pw_target *target, const struct pw_procfs *procfs,
		      const struct pw_observed_numbers *numbers, uint64_t interval_ns, uint64_t boot_ns,
		      uint64_t budget_ns) __attribute__((warn_unused_result));
void pw_residency_write(const struct pw_residency *residency, struct pw_record *draft,
			struct pw_record_builder *builder);
void pw_residency_done(struct pw_residency *residency);

#endif
