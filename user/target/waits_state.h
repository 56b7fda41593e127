/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_WAITS_STATE_H
#define PW_TARGET_WAITS_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "target/gather.h"
#include "target/waits.h"

/* What waits.c (channels) and the files of the other objects (waits_sema.c, waits_cond.c, waits_poll.c, waits_timer.c)
 * share. */

enum pw_waits_phase {
	PW_WAITS_SUDOGS,
	PW_WAITS_CHANNELS,
	PW_WAITS_SEMAPHORES,
	PW_WAITS_POLL,
	PW_WAITS_TIMERS,
	PW_WAITS_DONE
};

struct pw_waiter {
	uint64_t g;	  /* its address */
	uint64_t object;  /* 0: not found */
	uint32_t index;	  /* into what is shown */
	uint32_t channel; /* into channels; UINT32_MAX: none */
	uint32_t timer;	  /* of a select: the one of its cases that fires first, into timers; UINT32_MAX: none known */
	uint16_t cases;
	uint8_t kind; /* enum pw_wait_kind */
	uint8_t reason;
};

struct pw_link { /* of a chain of sudogs */
	uint32_t waiter, steps;
	uint64_t mark; /* an earlier one: if it comes again, the chain is a cycle */
};

struct pw_case { /* of a select */
	uint64_t channel;
	uint32_t waiter;
};

struct pw_channel {
	uint64_t length, capacity;
	uint32_t receivers, senders, cases; /* parked on it: by a receive, a send, and cases of selects */
	bool known, closed, any_receiver, any_sender;
};

struct pw_poll_word {	  /* a word of a stack that may be the address of a pollDesc */
	uint64_t addr, g; /* g: whose stack */
	uint8_t place;	  /* which word of the stack */
};

struct pw_poll {
	uint64_t object;
	int64_t deadline_ns;
	int32_t fd;
};

struct pw_cond_word {	  /* a word of a stack that may lead to a notifyList */
	uint64_t addr, g; /* addr: of the list */
	uint8_t place;
};

struct pw_timer {
	int64_t when_ns, period_ns;
};

struct pw_waits_fields { /* PW_OFFSET_NONE: unknown */
	int32_t sudog_g, sudog_next, sudog_prev, sudog_elem, sudog_waitlink, sudog_c, sudog_size;
	int32_t qcount, dataqsiz, closed, recvq, sendq, hchan_size;
	int32_t treap;
	int32_t fd, rg, wg, rd, wd, self, poll_size;
	int32_t p_timers, timers_heap, when, period, arg, nextwhen, timer_state, timer_size;
};

#define PW_WAITS_COND_PLACES (3 * PW_WAIT_WORDS_MAX) /* each word may be one of three things */

struct pw_waits {
	struct pw_target *target; /* borrowed */
	enum pw_waits_phase phase;
	struct pw_waits_fields field;
	uint8_t kinds[256];   /* by wait reason */
	uint8_t lock_at[256]; /* where the lock begins, before its semaphore; 0: no lock, or not known */
	bool nil[256], cond[256], lock[256], sends[256], semaphores_by_sudog, any_lock;

	PW_VEC(struct pw_waiter) waiters;
	PW_VEC(uint64_t) frontier;	    /* sudogs to read */
	PW_VEC(struct pw_link) frontier_of; /* whose */
	PW_VEC(uint64_t) next_frontier;
	PW_VEC(struct pw_link) next_frontier_of;
	PW_VEC(struct pw_case) cases;
	PW_VEC(uint64_t) channel_addrs;
	PW_VEC(struct pw_channel) channels;
	struct pw_addr_map channel_at;

	struct pw_addr_map semaphore_of; /* g -> semaphores */
	PW_VEC(uint64_t) semaphores;	 /* addresses, one per waiter */
	struct pw_addr_map semaphore_at; /* address -> counts */
	PW_VEC(uint64_t) semaphore_addrs;
	PW_VEC(uint32_t) counts;
	PW_VEC(uint8_t) around; /* 2 * PW_WAIT_AROUND bytes of each, behind a byte that says whether they were read */

	PW_VEC(struct pw_poll_word) words;
	PW_VEC(struct pw_poll) polls;
	struct pw_addr_map poll_of; /* g -> polls */
	bool place_known[PW_WAIT_WORDS_MAX];
	bool any_place;

	PW_VEC(struct pw_cond_word) cond_words;
	struct pw_addr_map cond_of; /* g -> cond_lists */
	PW_VEC(uint64_t) cond_lists;
	struct pw_addr_map cond_seen; /* sudogs of them that were read */
	bool cond_place_known[PW_WAITS_COND_PLACES];
	bool any_cond_place;
	uint32_t cond_steps;

	PW_VEC(struct pw_timer) timers;
	struct pw_addr_map timer_of; /* what it wakes, a g or a channel -> timers */
	int error;
};

uint64_t pw_waits_word(const uint8_t *bytes, int32_t at);
/* May the word of a stack be the address of something that is not on that stack? */
bool pw_waits_plausible(const struct pw_goroutine *g, uint64_t word);

/* Each: 0 or -errno. */
int pw_waits_read_semtable(struct pw_waits *waits) __attribute__((warn_unused_result));
int pw_waits_count_semaphores(struct pw_waits *waits) __attribute__((warn_unused_result));
void pw_waits_fill_semaphore(struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait);

void pw_waits_stack_cond(struct pw_waits *waits, const struct pw_goroutine *g, const uint8_t *bytes, size_t size);
int pw_waits_recall_cond(struct pw_waits *waits, const struct pw_goroutine *g, uint64_t list)
	__attribute__((warn_unused_result));
int pw_waits_read_conds(struct pw_waits *waits) __attribute__((warn_unused_result));

void pw_waits_stack_poll(struct pw_waits *waits, const struct pw_goroutine *g, const uint8_t *bytes, size_t size);
int pw_waits_read_polls(struct pw_waits *waits) __attribute__((warn_unused_result));
void pw_waits_fill_poll(struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait);

/* After the channels. */
int pw_waits_read_timers(struct pw_waits *waits) __attribute__((warn_unused_result));
void pw_waits_fill_timer(const struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait);

#endif
