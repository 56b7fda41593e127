/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_PARKS_STATE_H
#define PW_OBSERVE_PARKS_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "model/record.h"
#include "observe/frames.h"
#include "observe/locks.h"
#include "observe/parks.h"
#include "observe/stack_sizes.h"
#include "observe/profile_wait.h"
#include "observe/steps.h"
#include "target/gather.h"
#include "target/snapshot.h"

/* What parks.c (summing up) and parks_write.c (names, the record) share. */
#define PW_PARK_FRAMES_MAX 64U /* of one stack in a record: as many as pprof keeps */

struct pw_park_key {
	uint32_t statement;
	uint32_t first_pc, pc_count; /* in the look; 0 pcs: without a stack */
	uint8_t status, reason;	     /* the target's own code; 0 unless parked */
	uint8_t truncated, unused;
};

#define PW_PARK_QUIET_BUCKETS 24 /* powers of two of seconds */
struct pw_park_sockets {
	uint32_t deadline_known, no_deadline, known, established, closed, heard;
	uint32_t quiet[PW_PARK_QUIET_BUCKETS]; /* [0]: less than 1 s ago; [i]: from 2^(i-1) s on */
};

struct pw_park_group {
	struct pw_park_key key;
	uint64_t count, never_ran, arrived, runs;
	bool runs_known, oldest_at_least, finalizes;
	uint32_t stacks;
	uint64_t oldest_since_ns;
	uint32_t objects;
	struct pw_wait wait;	/* of the oldest one whose object was found */
	uint64_t wait_since_ns; /* of that one */
	struct pw_park_sockets sockets;
	struct pw_age_steps ages, births;
	uint64_t count_initial, largest_stack_bytes;
	double usual; /* count, smoothed: growth is what is above it */

	uint32_t lock; /* in locks.shown, while it is made; UINT32_MAX: none */
	bool shown;
	struct pw_park_group *into;    /* of those that are not shown: where their members went; else itself */
	uint32_t position;	       /* in the record */
	size_t first_own, own_count;   /* of its pcs, in parks->pcs */
	struct pw_named_frame *frames; /* NULL: names not yet there */
	size_t frame_count;
};

struct pw_park_row {
	struct pw_record_row shown;
	struct pw_park_group *group;
};

struct pw_parks {
	PW_VEC(struct pw_park_group *) groups; /* sorted when complete */
	size_t used;			       /* of them; the others are kept for their memory */
	size_t with_stack;
	struct pw_table by_key;
	PW_VEC(struct pw_park_row) rows;   /* by goid */
	PW_VEC(struct pw_snapshot_pc) pcs; /* of the stacks that are shown */
	struct pw_addr_map pairs;	   /* (group, object) that were seen, while it is made */
	struct pw_addr_map objects;	   /* address -> number, with rows */
	uint32_t last_object;
	struct pw_locks locks;
	struct pw_stack_sizes sizes;
	const struct pw_parks *previous;
	const struct pw_sockets *sockets; /* borrowed while it is made; NULL: not known */
	uint64_t taken_ns, monotonic_ns;  /* the same moment on the clock of the target's timers */
	bool first;			  /* look: nobody was there before */
	uint64_t generation;		  /* of the builder whose indices the frames have */
	size_t next;			  /* goroutine to take in */
	size_t unnamed;			  /* groups whose names are not yet there */
	bool keep_rows, complete;
};

/* parks.c. The group that a goroutine was counted in; NULL: none. */
struct pw_park_group *pw_parks_group_of(struct pw_parks *parks, struct pw_statements *statements,
					const struct pw_snapshot_goroutine *g);

/* Which object of the sync package its members wait for, by the wait reason and the names that its stack has by now. */
enum pw_sync_class pw_park_sync_class(const struct pw_park_group *group, const char (*names)[40], size_t name_count);

/* parks_sockets.c */
void pw_park_sockets_add(const struct pw_parks *parks, struct pw_park_sockets *to,
			 const struct pw_snapshot_goroutine *g);
void pw_park_sockets_merge(struct pw_park_sockets *to, const struct pw_park_sockets *from);
struct pw_record_sockets pw_park_sockets_write(const struct pw_park_sockets *sockets);

#endif
