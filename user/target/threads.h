/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_THREADS_H
#define PW_TARGET_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "target/runtime_lists.h"

struct pw_procfs;
struct pw_holdings;
struct pw_target;

/*
 * The threads of a target: how many, what they are at by the runtime's own list of them (runtime.allm: m.incgo, m.curg,
 * m.lockedg, src/runtime/runtime2.go, go1.19 to 1.27), and the limits that hold for them. A call into C is the same one
 * as long as the thread is in C and m.ncgocall does not move. Embedded; a zeroed one is empty.
 */
struct pw_threads {
	struct pw_m_list list;
	bool started;
	struct pw_cgo_call {
		uint64_t m, number, since_ns;
	} * calls; /* by the last look: those under way, by address */
	size_t call_count;
};

#define PW_CGO_LONG_NS 60000000000ULL /* a call for so long is no call any more that will soon be over */

/* Fills in what is about threads; what cannot be told stays as it is. pids_path: of the cgroup with pids_max, "" none.
 * 0, -ESRCH, -ENOMEM. */
int pw_threads_read(struct pw_threads *threads, struct pw_target *target, const struct pw_procfs *procfs,
		    uint64_t boot_ns, struct pw_holdings *numbers, char *pids_path, size_t pids_path_size)
	__attribute__((warn_unused_result));
void pw_threads_done(struct pw_threads *threads);

#endif
