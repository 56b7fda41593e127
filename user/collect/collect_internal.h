/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_COLLECT_INTERNAL_H
#define PW_COLLECT_COLLECT_INTERNAL_H

/* Shared by collect.c (running) and setup.c (coming and going) only. */

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
#include "collect/skeleton.h"
#include "target/gc.h"

struct pw_target;
struct ring_buffer;

#define PW_COLLECT_GC_EVENTS_MAX 8192U /* of one target between two polls; the ring buffer holds 8,190 in all */

/* While this many attach or detach, processes younger than PW_COLLECT_YOUNG_NS wait: most of a burst ends before that.
 */
#define PW_COLLECT_BUSY	    16U
#define PW_COLLECT_YOUNG_NS 2000000000ULL
#define PW_COLLECT_WAITING_MAX                                                                \
	4096U /* as many as the daemon observes; what is more is not tried again, and counted \
	       */

/* A target without an entry, to be tried (again) later. */
struct pw_collect_waiting {
	struct pw_target *target; /* borrowed */
	struct pw_retry retry;
	bool young; /* has not been tried at all */
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
	bool has_site[_PW_EVENT_MAX];
	uint64_t cost_ns[_PW_EVENT_MAX];
	uint64_t address[_PW_EVENT_MAX]; /* live, of sites; for kernels without cookies */
	char remark[256];
	struct pw_bpf_target config;
	struct pw_guard guard;
	struct pw_retry retry;
	struct pw_target_counts counts;
	uint64_t drops[_PW_DROP_MAX];
	uint64_t gc_events_lost;
	PW_VEC(struct pw_gc_event) gc_events;
	struct pw_bpf_gc gc; /* where the words of a cycle are; target 0: not known */
	PW_VEC(struct pw_gc_words) gc_cycles;
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
	struct pw_attachment *calibration; /* what measured it: the worker detaches it */
	struct pw_attach_worker *worker;
	struct ring_buffer *ring;
	struct pw_map_reader reader;
	struct pw_map_shape stats_shape;
	struct pw_counts counts;
	PW_VEC(struct pw_collect_entry *) entries;
	PW_VEC(struct pw_collect_waiting) waiting;
	PW_VEC(uint32_t) known;
	uint32_t slots; /* 1 to slots - 1 may be given out */
	uint32_t next_slot;
	bool ending;
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
int pw_collect_take_record(void *context, void *data, size_t size);

#endif
