/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SNAPSHOT_STATE_H
#define PW_TARGET_SNAPSHOT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "target/goroutines.h"
#include "target/gread.h"
#include "target/labels.h"
#include "target/snapshot.h"
#include "target/stacks.h"
#include "target/swapped.h"
#include "target/unwind.h"
#include "target/waits.h"

/* What snapshot.c (the order of things, what is kept between looks) and snapshot_read.c (reading and unwinding the
 * stacks) share. */

enum pw_snapshot_phase {
	PW_SNAPSHOT_DONE,
	PW_SNAPSHOT_CENSUS,
	PW_SNAPSHOT_STACKS, /* the list of stacks to read; what met an unknown pc goes to `missed` */
	PW_SNAPSHOT_ASK,    /* waits for the reader's frame sizes, then `missed` is the list */
	PW_SNAPSHOT_VERIFY, /* each g again: did it stand still while its stack was read? */
	PW_SNAPSHOT_RETRY,
	PW_SNAPSHOT_WAITS,
	PW_SNAPSHOT_LABELS,
};

/* One goroutine of the last look. */
struct pw_seen {
	uint64_t goid, sp, hi, parked_since_ns, object;
	uint32_t stack; /* PW_STACK_NONE */
	uint8_t tracking_seq;
	bool parked, at_least;
};

/* One goroutine of this look, beside what is shown. */
struct pw_look {
	struct pw_goroutine *g; /* in the census, which is ours */
	uint64_t object;	/* of the last look, if this is the same park; 0 */
	uint32_t stack;
	uint32_t before; /* in seen; UINT32_MAX: not there */
	bool read;	 /* its stack was read in this look: to be verified */
	bool torn;
	bool left_out;
};

struct pw_snapshot {
	struct pw_target *target; /* borrowed */
	struct pw_snapshot_options options;
	enum pw_snapshot_phase phase;
	struct pw_census *census;
	struct pw_gread plan;
	struct pw_snapshot_result result;
	uint64_t looks; /* finished ones */

	PW_VEC(struct pw_snapshot_goroutine) shown; /* by goid */
	PW_VEC(struct pw_look) look;		    /* the same order */
	PW_VEC(struct pw_seen) seen, seen_next;	    /* by goid: the last look; the one under way */
	struct pw_stack_set stacks;

	/* Stacks to read: (sp - base) / 8 << 20 | index into shown, by address. */
	uint64_t base;
	PW_VEC(uint64_t) todo;
	PW_VEC(uint64_t) missed;
	size_t position; /* in todo, or in the census while verifying, or in torn ones */
	size_t batch;	 /* stacks per batch; grows while nothing is missed */
	unsigned int rounds;
	uint8_t *buffer;
	struct pw_mem_range *ranges;
	uint64_t *scratch;
	size_t scratch_capacity;
	uint32_t *by_census; /* index in the census -> index into shown, UINT32_MAX: not shown */
	size_t by_census_capacity;
	struct pw_swapped swapped;
	struct pw_unwind_stack unwound;
	struct pw_waits *waits;
	struct pw_label_set *labels;
	const struct pw_age *known; /* snapshot_known.c; borrowed */
	size_t known_count;
};

#define PW_SNAPSHOT_BUFFER (1u << 20)
#define PW_SNAPSHOT_RANGES 512u
#define PW_SNAPSHOT_INDEX  20 /* bits: PW_GOROUTINES_MAX */

/* Sorts an array of keys in place. -ENOMEM. */
int pw_snapshot_sort(struct pw_snapshot *snapshot, uint64_t *keys, size_t count) __attribute__((warn_unused_result));
/* Each: 0 done, -EAGAIN more to do, -errno. */
int pw_snapshot_step_stacks(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step_verify(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step_retry(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));

/* snapshot_known.c: lets the dates of one goroutine reach back to what is known of it. */
void pw_snapshot_recall(const struct pw_snapshot *snapshot, struct pw_snapshot_goroutine *shown, struct pw_seen *seen);

#endif
