/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SNAPSHOT_STATE_H
#define PW_TARGET_SNAPSHOT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/vec.h"
#include "target/goroutines.h"
#include "target/gread.h"
#include "target/labels.h"
#include "target/snapshot.h"
#include "target/stack_memo.h"
#include "target/stacks.h"
#include "target/swapped.h"
#include "target/unwind.h"
#include "target/waits.h"

/*
 * What the files of a snapshot share: snapshot.c (the order of things), snapshot_list.c (what is known before a stack
 * is read), snapshot_read.c (stacks), snapshot_verify.c (did they stand still), snapshot_show.c (what is
 * shown), snapshot_owners.c (who holds the locks).
 *
 * All lists are in the order of the census, which is that of the addresses of the g and stays the same between looks:
 * what is done for each goroutine runs through memory from one end to the other. Only the result is by goid.
 */

enum pw_snapshot_phase {
	PW_SNAPSHOT_DONE,
	PW_SNAPSHOT_CENSUS,
	PW_SNAPSHOT_STACKS, /* the list of stacks to read; what met an unknown pc goes to `missed` */
	PW_SNAPSHOT_ASK,    /* waits for the reader's frame sizes, then `missed` is the list */
	PW_SNAPSHOT_VERIFY, /* each g again: did it stand still while its stack was read? */
	PW_SNAPSHOT_RETRY,
	PW_SNAPSHOT_SHOW,
	PW_SNAPSHOT_WAITS,
	PW_SNAPSHOT_OWNERS, /* of the locks that are waited for */
	PW_SNAPSHOT_LABELS,
};

/* One goroutine of the last look. */
struct pw_seen {
	uint64_t addr, goid, sp, hi, parked_since_ns, object;
	uint32_t stack; /* PW_STACK_NONE */
	uint8_t tracking_seq;
	bool parked, at_least;
};

/* One goroutine of this look, beside what the census has of it. */
struct pw_look {
	uint64_t object; /* of the last look, if this is the same park; 0 */
	uint32_t stack;
	uint32_t before; /* in seen; UINT32_MAX: not there */
	uint32_t shown;	 /* its place in the result */
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
	uint64_t looks;	  /* finished ones */
	uint64_t last_ns; /* when the last of them was taken */
	uint64_t ran_ns;  /* the target's CPU time when the look began; 0 unknown */

	struct pw_goroutine *goroutines;	    /* of the census, which is ours */
	PW_VEC(struct pw_look) look;		    /* one for each of them */
	PW_VEC(struct pw_snapshot_goroutine) shown; /* by goid */
	PW_VEC(struct pw_seen) seen, seen_next;	    /* the last look; the one under way */
	uint64_t most;				    /* that fit into the memory budget */
	uint64_t cut;				    /* left out by the census, over the time budget */
	bool any_read, any_torn, any_asked;	    /* any_asked: one of the torn ones waits for the reader */
	size_t gaps;				    /* in shown: left out after they had got a place there */
	struct pw_stack_set stacks;
	struct pw_stack_memo memo; /* of ids in stacks */

	/* Stacks to read: (sp - base) / 8 << 20 | index of the goroutine, by address. */
	uint64_t base;
	PW_VEC(uint64_t) todo;
	PW_VEC(uint64_t) missed;
	size_t position; /* in todo, or in look */
	size_t batch;	 /* stacks per batch; grows while nothing is missed */
	unsigned int rounds;
	enum pw_snapshot_phase resume; /* once the reader has answered: STACKS or RETRY */
	bool last_retry;	       /* what needs an answer still is not retried */
	uint8_t *buffer;
	struct pw_mem_range *ranges;
	uint64_t *scratch;
	size_t scratch_capacity;
	struct pw_swapped swapped;
	struct pw_unwind_stack unwound;
	struct pw_waits *waits;
	struct pw_wait cases[PW_WAIT_CASES_SHOWN];
	struct pw_owners *owners; /* snapshot_owners.c; while it looks */
	struct pw_label_set *labels;
	const struct pw_age *known; /* snapshot_known.c; borrowed */
	size_t known_count;
};

#define PW_SNAPSHOT_BUFFER (256u << 10) /* stays in the second level cache until it was looked at */
#define PW_SNAPSHOT_RANGES 512u
#define PW_SNAPSHOT_INDEX  20 /* bits: PW_GOROUTINES_MAX */
/* Of ours, for one goroutine: what the memory budget is held against. The last ones: lists of the census, keys. */
#define PW_SNAPSHOT_BYTES_PER_ONE                                                                     \
	(sizeof(struct pw_snapshot_goroutine) + sizeof(struct pw_look) + 2 * sizeof(struct pw_seen) + \
	 sizeof(struct pw_goroutine) + PW_WAITS_BYTES_PER_ONE + 7 * sizeof(uint64_t))

static inline size_t pw_snapshot_index(uint64_t key)
{
	return (size_t)(key & ((1u << PW_SNAPSHOT_INDEX) - 1));
}

static inline void pw_snapshot_skip(struct pw_snapshot *snapshot, enum pw_skip why, uint64_t count)
{
	snapshot->result.skipped += count;
	snapshot->result.skipped_by[why] += count;
}

/* One that could not be read: was it for being swapped out? `before` is mem.swapped_out from before it was read. */
static inline void pw_snapshot_skip_unread(struct pw_snapshot *snapshot, uint64_t swapped_out, uint64_t before)
{
	pw_snapshot_skip(snapshot, swapped_out != before ? PW_SKIP_SWAPPED : PW_SKIP_UNREADABLE, 1);
}

/* Bytes of a stack that are wanted. */
static inline uint64_t pw_snapshot_stack_size(const struct pw_goroutine *g)
{
	return PW_MIN(g->stack_hi - g->sched_sp, (uint64_t)PW_STACK_READ_MAX);
}

/* The same park: it has not run. That its stack was moved meanwhile (the GC shrinks stacks) changes the address only.
 */
static inline bool pw_snapshot_same_park(const struct pw_seen *seen, const struct pw_goroutine *g)
{
	return seen->tracking_seq == g->tracking_seq &&
	       (seen->sp == g->sched_sp || seen->hi - seen->sp == g->stack_hi - g->sched_sp);
}

/* Sorts keys of equal index order by what is above the index. -ENOMEM. */
int pw_snapshot_sort(struct pw_snapshot *snapshot, uint64_t *keys, size_t count) __attribute__((warn_unused_result));
/* Gives each goroutine of the census its place in the result and what is known of it from the last look, and lists the
 * stacks to read. */
int pw_snapshot_list(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
/* Unwinds one stack into snapshot->unwound. 0, -EAGAIN: a frame size had to be asked for. */
int pw_snapshot_unwind(struct pw_snapshot *snapshot, const struct pw_goroutine *g, const uint8_t *bytes, size_t size)
	__attribute__((warn_unused_result));
/* Keeps what was unwound as the stack of a goroutine. */
int pw_snapshot_keep_stack(struct pw_snapshot *snapshot, size_t index) __attribute__((warn_unused_result));
/* Each: 0 done, -EAGAIN more to do, -errno. */
int pw_snapshot_step_stacks(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step_verify(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step_retry(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step_show(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step_owners(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
void pw_snapshot_end_owners(struct pw_snapshot *snapshot); /* gives back what it needs; also in the middle of it */
/* Over the time budget: stacks whose g was not looked at again are not shown; nor what would be read again. */
void pw_snapshot_cut_verify(struct pw_snapshot *snapshot);
void pw_snapshot_cut_retry(struct pw_snapshot *snapshot);
/* Everything is read: the result. */
void pw_snapshot_publish(struct pw_snapshot *snapshot);

/* snapshot_known.c: lets the dates of one goroutine reach back to what is known of it. */
void pw_snapshot_recall(const struct pw_snapshot *snapshot, struct pw_snapshot_goroutine *shown, struct pw_seen *seen);

#endif
