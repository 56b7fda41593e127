/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_CYCLES_H
#define PW_OBSERVE_CYCLES_H

#include <stdbool.h>
#include <stdint.h>

#include "model/gc.h"

struct pw_target;
struct pw_target_counts;

/*
 * The GC cycles of a target, from the one of two sources that tells more: probes copy each cycle at its end; the
 * runtime's own record has the last one only, so that of several between two polls all but one are missed, and counted
 * as such. The two are not mixed: while probes tell, the record would only be ahead of them.
 */
struct pw_cycles {
	struct pw_gc_history history;
	uint64_t init_ns; /* of the target's runtime, CLOCK_MONOTONIC; 0: not read yet */
	uint64_t seen_ns; /* when we last knew all that there is to know, CLOCK_BOOTTIME; 0: never */
	bool by_probes;
};

/* What the probes have copied since the last poll of the maps; counts may be NULL. To be called once after each. */
void pw_cycles_take(struct pw_cycles *cycles, struct pw_target *target, const struct pw_target_counts *counts);
/* The last cycle by the runtime's own record, unless probes tell: 0 (there may be nothing new), -ENOTSUP, -ESRCH,
 * -EPERM. */
int pw_cycles_poll(struct pw_cycles *cycles, struct pw_target *target, const struct pw_target_counts *counts,
		   uint64_t boot_ns) __attribute__((warn_unused_result));
/* Everything that is known of them, into the draft's section. */
struct pw_record;
struct pw_record_builder;
void pw_cycles_write(const struct pw_cycles *cycles, struct pw_record *draft, struct pw_record_builder *builder);
void pw_cycles_done(struct pw_cycles *cycles);

#endif
