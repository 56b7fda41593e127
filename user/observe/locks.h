/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_LOCKS_H
#define PW_OBSERVE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/record.h"
#include "target/gather.h"
#include "target/snapshot.h"

struct pw_park_group;
struct pw_parks;
struct pw_record_builder;
struct pw_statements;

/*
 * The locks that goroutines of a snapshot wait for, held against those of the snapshot before: which are still
 * (model/record.h: struct pw_record_lock). A part of struct pw_parks.
 */
#define PW_LOCKS_SHOWN_MAX 32U /* PW_RECORD_LOCKS_MAX */
#define PW_LOCKS_STACKS	   64U /* stacks of waiters and holders that are in the record for this */

struct pw_lock_seen {
	uint64_t object, still_since_ns, oldest_since_ns;
	uint32_t waiters, stayed; /* stayed: those who waited for it in the snapshot before, and have not run since */
	uint32_t oldest, number;  /* oldest: its longest waiter, in the look */
};

struct pw_lock_party { /* one goroutine, with what it waits for */
	struct pw_park_group *group;
	uint64_t goid, since_ns;
	struct pw_wait wait;
};

struct pw_lock_shown {
	struct pw_lock_seen lock; /* the one that has been still for longest */
	struct pw_lock_party waiter, owner;
	bool at_least;
	uint64_t locks, all_waiters;
	struct pw_lock_party circle[PW_LOCK_CIRCLE_MAX];
	uint32_t circle_count;
};

struct pw_locks {
	PW_VEC(struct pw_lock_seen) seen;
	struct pw_addr_map at; /* object -> seen */
	PW_VEC(struct pw_lock_shown) shown;
	uint32_t last_number;
	uint64_t left_out; /* groups beyond those that are shown */
};

void pw_locks_begin(struct pw_locks *locks, const struct pw_locks *previous);
void pw_locks_done(struct pw_locks *locks);
/* The goroutine at index of a look; before_ns: when the look before was taken, 0: there was none. 0, -ENOMEM. */
int pw_locks_add(struct pw_locks *locks, const struct pw_snapshot_goroutine *g, uint32_t index, uint64_t before_ns)
	__attribute__((warn_unused_result));
/* All are there: finds those that are still, and marks the groups whose stacks are wanted for them. 0, -ENOMEM. */
int pw_locks_choose(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements)
	__attribute__((warn_unused_result));
/* Writes them into the draft; names: of wait reasons. */
void pw_locks_write(struct pw_parks *parks, const char (*names)[40], size_t name_count,
		    struct pw_record_builder *builder);

#endif
