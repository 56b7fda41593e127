/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_COLLECT_INTERNAL_H
#define PW_COLLECT_COLLECT_INTERNAL_H

/* Shared by collect.c (running), setup.c (coming and going), poll.c (counts) and govern.c (budgets, windows) only. */

#include "base/vec.h"
#include "collect/attach.h"
#include "collect/attach_worker.h"
#include "collect/collect.h"
#include "collect/cost.h"
#include "collect/counts.h"
#include "collect/features.h"
#include "collect/maps.h"
#include "collect/overhead.h"
#include "collect/retry.h"
#include "collect/sampling.h"
#include "collect/scale.h"
#include "collect/skeleton.h"
#include "target/gc.h"

struct pw_child;
struct pw_target;
struct ring_buffer;

#define PW_COLLECT_GC_EVENTS_MAX 8192U /* of one target between two polls; the ring buffer holds 8,190 in all */

/* While this many attach or detach, processes younger than PW_COLLECT_YOUNG_NS wait: most of a burst ends before that.
 */
#define PW_COLLECT_BUSY		   16U
#define PW_COLLECT_YOUNG_NS	   2000000000ULL
#define PW_COLLECT_CALIBRATE_POLLS 5U /* before the rest of the price of hits is measured: the start is over */
#define PW_COLLECT_WAITING_MAX                                                                \
	4096U /* as many as the daemon observes; what is more is not tried again, and counted \
	       */

/* A target without an entry, to be tried (again) later. */
struct pw_collect_waiting {
	struct pw_target *target; /* borrowed */
	struct pw_retry retry;
	bool young; /* has not been tried at all */
};

/* The governor of one target at work: govern.c. */
struct pw_governing {
	struct pw_governor governor;
	double budget;			/* in force: share of one CPU; negative: none */
	uint64_t probed[_PW_EVENT_MAX]; /* hits that have been judged */
	bool over_budget;		/* BPF has said so, and it has not been dealt with */
	struct pw_bpf_budget written;

	/* Windows. */
	bool window_wanted;
	uint64_t due_ns; /* CLOCK_MONOTONIC: when to open or close it; 0: not known yet */
	bool counts_due; /* the maps are to be read before the next window opens: the end of what is exact */
	bool ending;	 /* some are continuous again, but the pause before that is not accounted for yet */
	bool open;
	struct pw_mark opened, closed; /* the last ones taken in */
	unsigned int sampled;	       /* events whose totals windows make, as bits */
	struct pw_sampling sampling;
	struct pw_scale scale;
	uint64_t settled_ns; /* CLOCK_BOOTTIME: the sampled totals are those of this moment */
};

struct pw_collect_entry {
	uint64_t id;
	struct pw_target *target; /* borrowed; NULL once removed */
	uint32_t slot;
	int pid;
	uint64_t added_ns;		  /* CLOCK_MONOTONIC */
	struct pw_attachment *attachment; /* the worker's while in_flight */
	unsigned int groups;		  /* that have a site and are asked for */
	bool in_flight, settled, failed, removing, replaced;
	bool has_site[_PW_EVENT_MAX], emulated[_PW_EVENT_MAX];
	uint64_t cost_ns[_PW_EVENT_MAX];
	uint64_t address[_PW_EVENT_MAX]; /* live, of sites; for kernels without cookies */
	char remark[256];
	struct pw_bpf_target config;
	uint64_t file_device, file_inode; /* of the program: others of it make each hit dearer */
	struct pw_governing govern;
	struct pw_retry retry;
	struct pw_target_counts counts;
	uint64_t drops[_PW_DROP_MAX];
	uint64_t gc_events_lost;
	struct pw_gc_events {
		struct pw_gc_event *items;
		size_t count, capacity, max;
	} gc_events, gc_incoming; /* of the last poll; since then */
	struct pw_bpf_gc gc;	  /* where the words of a cycle are; target 0: not known */
	struct pw_gc_cycles {
		struct pw_gc_words *items;
		size_t count, capacity, max;
	} gc_cycles, gc_cycles_incoming;
};

struct pw_collect {
	struct pw_collect_options options;
	struct pw_features features;
	enum pw_attach_method method;
	bool cookies;
	bool pidns_foreign;
	int cpus;
	struct pw_skeleton *skeleton;
	struct pw_cost cost;
	struct pw_calibration {
		struct pw_attachment *attachment; /* what measured it: the worker detaches it */
		struct pw_child *child;
		struct pw_cost_setup setup;
		struct pw_cost cost; /* the worker's while it measures more */
		bool detached, asked, done;
	} calibration;
	int epoll_fd, timer_fd; /* worker, ring buffer and timer in one; the next window */
	uint64_t random;
	struct pw_attach_worker *worker;
	struct ring_buffer *ring;
	struct pw_map_reader reader;
	struct pw_map_shape stats_shape;
	struct pw_counts counts;
	PW_VEC(struct pw_collect_entry *) entries;
	PW_VEC(struct pw_collect_waiting) waiting;
	PW_VEC(uint32_t) known;
	PW_VEC(double) demands;
	uint32_t slots; /* 1 to slots - 1 may be given out */
	uint32_t next_slot;
	bool ending;
	bool prices_due; /* processes have come or gone */
	struct pw_collect_stats stats;
};

int pw_collect_setup(struct pw_collect *collect, struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_collect_teardown(struct pw_collect *collect);
/* Checks that target can be counted, takes a slot and writes the maps. -EOPNOTSUPP, -EBUSY, -ESRCH with the reason. */
int pw_collect_entry_new(struct pw_collect_entry **ret_entry, struct pw_collect *collect, struct pw_target *target,
			 struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_collect_entry_free(struct pw_collect_entry *entry);
/* Takes the entry out of the BPF arrays; its counters go at the next poll. */
void pw_collect_forget(struct pw_collect *collect, struct pw_collect_entry *entry);
/* collect.c: sends the worker to make the wanted groups the attached ones, unless it is at it or they are. */
void pw_collect_pump(struct pw_collect *collect, struct pw_collect_entry *entry);
void pw_collect_try_waiting(struct pw_collect *collect, uint64_t now_ns);
void pw_collect_try_failed(struct pw_collect *collect, uint64_t now_ns);
/* Measures what the start had no time for, once. */
void pw_collect_calibrate_more(struct pw_collect *collect);

/* poll.c: counts anew where gates have closed for the first time. */
void pw_collect_refresh(struct pw_collect *collect);

/* govern.c */
void pw_govern_start(struct pw_collect *collect, struct pw_collect_entry *entry);
/* Groups that the governor wants attached now. */
unsigned int pw_govern_groups(const struct pw_collect_entry *entry);
/* A job of the worker has ended: gates may have opened and closed. */
void pw_govern_result(struct pw_collect *collect, struct pw_collect_entry *entry);
/* The maps have just been read into entry->counts: adds what windows say, in place. */
void pw_govern_counts(struct pw_collect *collect, struct pw_collect_entry *entry);
/* Holds counts.site_hits against the budget. */
void pw_govern_judge(struct pw_collect *collect, struct pw_collect_entry *entry, uint64_t now_ns);
/* What each may spend, from what all want. */
void pw_govern_share(struct pw_collect *collect);
/* Opens and closes windows that are due, deals with reports of BPF, sets the timer for the next. */
void pw_govern_dispatch(struct pw_collect *collect);
/* Prices of hits, as they are with that many processes of one file attached, to BPF. */
void pw_govern_prices(struct pw_collect *collect);

int pw_collect_take_record(void *context, void *data, size_t size);

#endif
