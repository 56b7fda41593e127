/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_WAITS_STATE_H
#define PW_TARGET_WAITS_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "target/gather.h"
#include "target/waits.h"

/* What waits.c (channels), waits_sema.c and waits_poll.c share. */

enum pw_waits_phase { PW_WAITS_SUDOGS, PW_WAITS_CHANNELS, PW_WAITS_SEMAPHORES, PW_WAITS_POLL, PW_WAITS_DONE };

struct pw_waiter {
	uint64_t g;	  /* its address */
	uint64_t object;  /* 0: not found */
	uint32_t index;	  /* into what is shown */
	uint32_t channel; /* into channels; UINT32_MAX: none */
	uint8_t kind;	  /* enum pw_wait_kind */
	uint8_t reason;
};

struct pw_sudog {
	uint64_t next, object; /* object: channel or semaphore */
};

struct pw_channel {
	uint64_t length, capacity, first_receiver, first_sender;
	bool known, closed;
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

struct pw_waits_fields { /* PW_OFFSET_NONE: unknown */
	int32_t sudog_g, sudog_next, sudog_prev, sudog_elem, sudog_waitlink, sudog_c, sudog_size;
	int32_t qcount, dataqsiz, closed, recvq, sendq, hchan_size;
	int32_t treap;
	int32_t fd, rg, wg, rd, wd, poll_size;
};

struct pw_waits {
	struct pw_target *target; /* borrowed */
	enum pw_waits_phase phase;
	struct pw_waits_fields field;
	uint8_t kinds[256]; /* by wait reason */
	bool nil[256], semaphores_by_sudog;

	PW_VEC(struct pw_waiter) waiters;
	PW_VEC(uint64_t) frontier;    /* sudogs to read */
	PW_VEC(uint32_t) frontier_of; /* of which waiter */
	PW_VEC(uint64_t) next_frontier;
	PW_VEC(uint32_t) next_frontier_of;
	PW_VEC(struct pw_sudog) sudogs; /* all that were read */
	struct pw_addr_map sudog_at;	/* address -> sudogs */
	PW_VEC(uint64_t) channel_addrs;
	PW_VEC(struct pw_channel) channels;
	struct pw_addr_map channel_at;
	uint64_t walk_budget;

	struct pw_addr_map semaphore_of; /* g -> semaphores */
	PW_VEC(uint64_t) semaphores;	 /* addresses, one per waiter */
	struct pw_addr_map semaphore_at; /* address -> counts */
	PW_VEC(uint32_t) counts;

	PW_VEC(struct pw_poll_word) words;
	PW_VEC(struct pw_poll) polls;
	struct pw_addr_map poll_of; /* g -> polls */
	bool place_known[PW_WAIT_WORDS_MAX];
	bool any_place;
	int error;
};

uint64_t pw_waits_word(const uint8_t *bytes, int32_t at);
/* Each: 0 or -errno. */
int pw_waits_read_semtable(struct pw_waits *waits) __attribute__((warn_unused_result));
int pw_waits_count_semaphores(struct pw_waits *waits) __attribute__((warn_unused_result));
int pw_waits_read_polls(struct pw_waits *waits) __attribute__((warn_unused_result));
void pw_waits_fill_poll(struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait);

#endif
