/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SNAPSHOT_H
#define PW_TARGET_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_age;
struct pw_census;
struct pw_target;

/*
 * Every goroutine with its stack and what it waits on, read from outside without a stop. Stacks are unwound by the
 * frame sizes of pclntab (pcsp), asked from the reader in batches. A second look reads again only the stacks of
 * goroutines that ran in between: the same park is (goid, sched.sp, trackingSeq), nothing less. A goroutine that
 * changed while it was read is read again or left out and counted, never shown half.
 */
enum pw_wait_kind {
	PW_WAIT_NONE,	   /* not waiting, or nothing known */
	PW_WAIT_CHANNEL,   /* one channel: send or receive */
	PW_WAIT_SELECT,	   /* several channels; figures are of the first */
	PW_WAIT_SEMAPHORE, /* a sync object: mutex, RWMutex, WaitGroup, Cond */
	PW_WAIT_NETWORK,   /* a pollDesc: fd and deadline */
	PW_WAIT_TIMER,
	_PW_WAIT_KIND_MAX,
};
const char *
pw_wait_kind_name(enum pw_wait_kind kind); /* "channel", "select", "semaphore", "network", "timer"; none: "" */

#define PW_WAIT_AROUND 16 /* bytes on each side of a semaphore word: all of a Mutex, RWMutex, WaitGroup, Cond */

struct pw_wait {
	uint8_t kind; /* enum pw_wait_kind */
	bool nil;     /* nil channel, or a select without cases */
	bool known;   /* the object was found; else only the kind is */
	bool closed;
	bool around_known;
	uint8_t owner_at; /* semaphore with an owner: the lock begins so many bytes before the word: 4, 8 or 12 */
	uint16_t cases;	  /* of a select that have a channel; 0 unknown */
	uint64_t object;  /* live address of the object, for telling objects apart; never shown */
	union {
		struct {			   /* channel, select, timer; UINT64_MAX unknown */
			uint64_t length, capacity; /* buffered now, buffer size */
			uint64_t senders;	   /* queued goroutines */
			int64_t period_ns;	   /* of the timer that sends to it; 0 once, or no timer */
		};
		uint8_t around[2 * PW_WAIT_AROUND]; /* semaphore: what stands around its word */
	};
	uint64_t receivers;  /* channel: queued goroutines; semaphore: waiters; UINT64_MAX unknown */
	int32_t fd;	     /* network; -1 unknown */
	bool lock;	     /* semaphore: of a lock that has an owner, or perhaps so (see lock_sure) */
	bool lock_sure;	     /* its wait reason names the kind of lock; "semacquire" does not */
	int64_t deadline_ns; /* CLOCK_MONOTONIC of the target's runtime; network: 0 none, <0 passed or unknown; timer,
			      * and channels of timers: when it fires, else unknown */
	uint64_t owner_goid; /* semaphore: the only parked goroutine that seems to hold it; 0 unknown */
};

struct pw_snapshot_goroutine {
	uint64_t goid, parent_goid, gopc, startpc; /* pcs are link-time */
	uint32_t first_pc, pc_count;		   /* into pcs; 0 pcs: running, or its stack could not be read */
	uint8_t status;				   /* enum pw_status_class */
	uint8_t wait_reason;			   /* target's own code */
	uint8_t tracking_seq;			   /* the same park only with the same depth and goid, too */
	bool system, running, locked_to_thread;
	bool finalizes;	      /* the runtime's goroutine for finalizers or cleanups; !system: in one of the program's */
	bool stack_truncated; /* deeper than the cap, or the unwinder met something it does not know */
	uint32_t depth;	      /* of its stack in use, bytes: hi - sched.sp; that survives a stack that is moved */
	uint64_t stack_bytes; /* reserved for it: hi - lo */
	uint32_t runs;	      /* since the last look, UINT32_MAX: first look */
	uint64_t born_after_ns, born_before_ns; /* goid history, CLOCK_BOOTTIME */
	uint64_t parked_since_ns;		/* first look that saw this very park; CLOCK_BOOTTIME */
	bool parked_at_least;			/* it was already so at the first look: "at least" */
	struct pw_wait wait;
	uint32_t first_label, label_count; /* into labels, only when asked for */
};

struct pw_snapshot_label {
	const char *key, *value; /* owned by the snapshot */
};

/* One pc of a stack, link-time; is_return: 1 is to be subtracted before it is looked up. */
struct pw_snapshot_pc {
	uint64_t pc;
	bool is_return;
};

enum pw_skip {
	PW_SKIP_UNREADABLE,
	PW_SKIP_SWAPPED, /* on pages that are swapped out: they are not brought in */
	PW_SKIP_TIME,	 /* over the time budget */
	PW_SKIP_MEMORY,	 /* over the memory budget, or a cap of ours */
	_PW_SKIP_MAX,
};

struct pw_snapshot_options {
	uint64_t time_budget_ns;      /* of our own time in a look; 0: none; what does not fit is skipped and counted */
	uint64_t memory_budget_bytes; /* of what is kept for goroutines, from the oldest on; 0: none */
	bool labels;		      /* pprof labels: read on request only */
	bool waits;		      /* what each waits on */
	uint64_t cases_of;	      /* the goid of which each case of its select is told; 0: none */
	struct pw_census *census;     /* borrowed: to walk with; NULL: one of its own */
};

struct pw_snapshot_result {
	const struct pw_snapshot_goroutine
		*goroutines; /* by goid, ascending; owned by the snapshot until the next look */
	size_t count;
	const struct pw_snapshot_pc *pcs;
	size_t pc_count;
	const struct pw_snapshot_label *labels;
	size_t label_count;
	const struct pw_wait *cases; /* of the goroutine that options.cases_of names */
	size_t case_count;
	uint64_t taken_ns, duration_ns, bytes_read; /* CLOCK_BOOTTIME */
	uint64_t previous_ns; /* when the look was taken that `runs` count from; 0: the first one */
	uint64_t torn, stacks_read, stacks_kept;
	uint64_t skipped; /* goroutines that are not there, or without their stack; why: */
	uint64_t skipped_by[_PW_SKIP_MAX];
	/* Over the time budget, not read at all: */
	bool waits_cut, labels_cut;
	bool locks_unseen; /* where this build keeps who waits for a semaphore is not known */
};

struct pw_snapshot;
int pw_snapshot_new(struct pw_snapshot **ret_snapshot, struct pw_target *target,
		    const struct pw_snapshot_options *options) __attribute__((warn_unused_result));
void pw_snapshot_free(struct pw_snapshot *snapshot);
/* Looks: begin and step until 0 (slices of about budget_ns), or pw_snapshot_look for all at once (one-shot commands; it
 * waits for the reader's frame sizes). 0, -EAGAIN (step), -ESRCH, -EFAULT, -EBADMSG, -EPERM. */
int pw_snapshot_begin(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
int pw_snapshot_step(struct pw_snapshot *snapshot, uint64_t budget_ns) __attribute__((warn_unused_result));
int pw_snapshot_look(struct pw_snapshot *snapshot) __attribute__((warn_unused_result));
const struct pw_snapshot_result *pw_snapshot_result(const struct pw_snapshot *snapshot);
/* Is it the reader's turn? Stepping does nothing until that has answered. */
bool pw_snapshot_asking(const struct pw_snapshot *snapshot);
/* Gives back what the next look does not need; the result is empty then. */
void pw_snapshot_release(struct pw_snapshot *snapshot);
/* What somebody else has seen of these goroutines, by goid: ages of the looks to come reach back as far as that does.
 * Borrowed. */
void pw_snapshot_know(struct pw_snapshot *snapshot, const struct pw_age *ages, size_t count);

#endif
