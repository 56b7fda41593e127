/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_HOLDINGS_H
#define PW_OBSERVE_HOLDINGS_H

#include <stdint.h>

#include "model/holdings.h"
#include "target/sockets.h"
#include "target/threads.h"

struct pw_record;
struct pw_record_builder;

/*
 * Threads, timers and sockets of one observed target, looked at as seldom as where its memory goes, and so that it
 * costs at most 0.2% of a CPU. Embedded; a zeroed one is empty.
 */
struct pw_observed_holdings {
	struct pw_threads threads;
	struct pw_sockets sockets;
	struct pw_holdings numbers;
	char pids_path[256];
	uint64_t taken_ns, next_ns; /* CLOCK_BOOTTIME; taken_ns 0: none yet */
	uint64_t failures;
};

/* A look if one is due; gc_cycles: completed by now, or PW_UNKNOWN. 0, -ESRCH gone. */
int pw_observed_holdings_work(struct pw_observed_holdings *observed, struct pw_target *target,
			      const struct pw_procfs *procfs, uint64_t gc_cycles, uint64_t interval_ns,
			      uint64_t boot_ns) __attribute__((warn_unused_result));
void pw_observed_holdings_write(const struct pw_observed_holdings *observed, struct pw_record *draft,
				struct pw_record_builder *builder);
void pw_observed_holdings_done(struct pw_observed_holdings *observed);

#endif
