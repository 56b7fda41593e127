/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_DEATH_REPORT_H
#define PW_MODEL_DEATH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/alert.h"
#include "model/death.h"

struct pw_intern;

/*
 * What is kept of a process that has ended: its last record in short, the alerts that were open, how it ended. Some 10
 * kB, immutable once built (analysis/death.c), reference counted: any thread may hold and drop a reference. A number
 * that is not known is UINT64_MAX; strings are ids of names.
 */
#define PW_DEATH_GROUPS_MAX 24 /* of goroutines, by number; the rest is summed */
#define PW_DEATH_FRAMES_MAX 12 /* of a stack, from its innermost frame outside of the runtime */
#define PW_DEATH_ALERTS_MAX 16

struct pw_death_frame {
	uint32_t function, file, line;
};

struct pw_death_group { /* goroutines of one go statement, in one state and one place */
	uint64_t count;
	uint32_t status, reason; /* "waiting", "chan send"; the reason is "" unless they wait */
	struct pw_death_frame statement, frames[PW_DEATH_FRAMES_MAX];
	uint32_t depth;		 /* 0: the stack is not known */
	bool cut;		 /* it goes on further out */
	uint64_t oldest_park_ns; /* how long the oldest had been so, at least; 0 not known */
};

struct pw_death_alert { /* open at the end */
	char id[48], rule[16];
	enum pw_alert_level level;
	uint64_t fired_wall_ns;
	uint32_t text;
};

struct pw_death_report {
	char alert_id[48]; /* of PW-X01 */
	bool told;	   /* false: so soon after another end of its service that it was only counted */
	char service[128], process[64], build_id[96], go_version[64];
	uint32_t exe, unit, container, pod, module, module_version, text;
	int32_t pid;
	uint64_t age_ns; /* from its start to its end */
	struct pw_death death;

	uint64_t record_wall_ns; /* of its last record: all but the stacks is of this moment */
	uint64_t goroutines, system_goroutines;
	uint64_t heap_live_bytes, heap_goal_bytes, heap_inuse_bytes, gc_cycles, gomemlimit_bytes;
	uint64_t rss_bytes, limit_bytes, limit_used_bytes, threads, open_files, cpu_ns;

	uint64_t stacks_wall_ns; /* when the stacks were read; 0: never, groups are by state and reason alone */
	struct pw_death_group groups[PW_DEATH_GROUPS_MAX];
	uint32_t group_count;
	uint64_t groups_left, goroutines_left; /* found no place */
	struct pw_death_alert alerts[PW_DEATH_ALERTS_MAX];
	uint32_t alert_count;
	uint64_t alerts_left;
	struct pw_intern *names; /* owned */
	unsigned int references; /* atomic */
};

/* An empty one with a reference, for who builds it. */
int pw_death_report_new(struct pw_death_report **ret_report) __attribute__((warn_unused_result));
struct pw_death_report *pw_death_report_ref(const struct pw_death_report *report);
void pw_death_report_unref(struct pw_death_report *report); /* NULL is fine */
const char *pw_death_name(const struct pw_death_report *report, uint32_t id);

#endif
