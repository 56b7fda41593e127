/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_MEMORY_H
#define PW_TARGET_MEMORY_H

#include <stdint.h>

#include "base/macros.h"
#include "model/memory.h"

struct pw_cgroup_memory;
struct pw_procfs;
struct pw_target;

/*
 * What of a target's memory is resident, and whose it is: its smaps read once, in slices, each mapping put where it
 * belongs: Go's arenas (runtime.mheap_ says where they are), the program's own data, C's heap, others. The page tables
 * are walked by the kernel meanwhile: 12 ms per GB in 4 kB pages, one mapping in one go (base/smaps.h).
 */
struct pw_memory_look;

/* -ESRCH, -EACCES, -ENOMEM. A target whose memory is closed to us is read without arenas. */
int pw_memory_look_begin(struct pw_memory_look **ret_look, struct pw_target *target, const struct pw_procfs *procfs)
	__attribute__((warn_unused_result));
/* 0 and *ret_mappings, -EAGAIN call again, -ESRCH, -E2BIG, -EBADMSG. */
int pw_memory_look_step(struct pw_memory_look *look, uint64_t budget_ns, struct pw_memory_mappings *ret_mappings)
	__attribute__((warn_unused_result));
void pw_memory_look_free(struct pw_memory_look *look);
PW_DEFINE_CLEANUP(struct pw_memory_look *, pw_memory_look_free);

/* Without telling mappings apart: smaps_rollup, one pass over the page tables by the kernel; or the kernel's running
 * counts (status), no pass at all, without huge and lazily freed pages. */
int pw_memory_rollup(struct pw_memory_mappings *ret_mappings, const struct pw_procfs *procfs, int pid)
	__attribute__((warn_unused_result));
int pw_memory_counts(struct pw_memory_mappings *ret_mappings, const struct pw_procfs *procfs, int pid)
	__attribute__((warn_unused_result));

/* Limits of its cgroup and those above; the paths are in *ret_cgroup. 0 also where there are none. */
int pw_memory_limits(struct pw_memory_limits *ret_limits, struct pw_cgroup_memory *ret_cgroup, const char *cgroup_root,
		     const struct pw_procfs *procfs, int pid) __attribute__((warn_unused_result));

/*
 * Where the runtime has its arenas: ascending, neighbours joined. 0, -ENOTSUP not known where to look, -EBADMSG,
 * -ESRCH.
 */
struct pw_arena {
	uint64_t start, end;
};
int pw_memory_arenas(struct pw_target *target, struct pw_arena **ret_arenas, size_t *ret_count)
	__attribute__((warn_unused_result));

#endif
