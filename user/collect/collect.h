/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_COLLECT_H
#define PW_COLLECT_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "go/sites.h"

struct pw_why;
struct pw_target;
struct pw_features;
struct pw_gc_words;

/*
 * Events of all targets: one skeleton, an attach worker thread, polling of the maps, the governor. The only layer that
 * talks to BPF. All functions are called from the loop thread; attach and detach happen in the worker.
 */
enum pw_attach_method { PW_ATTACH_AUTO, PW_ATTACH_UPROBE_MULTI, PW_ATTACH_PERF };

/* How an event is counted now: not at all, each one, or in windows of time, its totals scaled (sampling.h). */
enum pw_probe_mode { PW_PROBES_OFF, PW_PROBES_CONTINUOUS, PW_PROBES_WINDOWS, _PW_PROBES_MAX };

struct pw_collect_options {
	enum pw_attach_method method;
	double budget_percent;		/* of one CPU, for each target: overhead.h; < 0: none; 0: no probes at all */
	double host_budget_percent;	/* for all together; < 0: none */
	bool runs;			/* attach execute too (trace --runs) */
	bool gc_only;			/* attach nothing but GC and stop-the-world */
	bool allocs;			/* load what allocs.h needs */
	uint32_t creation_stacks_first; /* stacks of the first hits of each site: 16 */
	uint32_t creation_stacks_every; /* then one in so many: 256 */
};

struct pw_collect;

/* What the host allows, found by trying; each no with a sentence. features.h prints it for doctor. */
int pw_collect_new(struct pw_collect **ret_collect, const struct pw_collect_options *options, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
/* Detaches everything, waits for it. */
void pw_collect_free(struct pw_collect *collect);
const struct pw_features *pw_collect_features(const struct pw_collect *collect);
enum pw_attach_method pw_collect_method(const struct pw_collect *collect);
void pw_collect_set_budget(struct pw_collect *collect, double percent, double host_percent);

/* Becomes readable when the worker has results, a window is due, or a target is over its budget: then call
 * pw_collect_dispatch, soon; it updates target->events_ok/_reason of targets still registered (by id). */
int pw_collect_fd(const struct pw_collect *collect);
void pw_collect_dispatch(struct pw_collect *collect);

/*
 * Queues the attach. The target may be freed any time after pw_collect_remove, which is to be called after an error
 * too: what may pass (no slot, no file left, a breakpoint) is tried again by the polls. -EOPNOTSUPP with the reason in
 * target.
 */
int pw_collect_add(struct pw_collect *collect, struct pw_target *target);
/* Queues the detach and forgets the target; its map entries are removed after the links are closed. */
void pw_collect_remove(struct pw_collect *collect, uint64_t target_id);
/* True once links of target are attached and armed, or attaching has failed (see events_ok). */
bool pw_collect_settled(const struct pw_collect *collect, uint64_t target_id);

/* Reads the maps of all targets in batches, drains the ring buffer, applies the governor. now_ns: CLOCK_BOOTTIME. */
int pw_collect_poll(struct pw_collect *collect, uint64_t now_ns);

struct pw_reason_count {
	uint8_t reason; /* the target's own code */
	uint64_t count;
};

struct pw_statement_counts { /* totals since attach, of one go statement; of events in windows: estimates */
	uint64_t gopc;	     /* live address; 0: started by the runtime */
	uint64_t spawned, exited, parked, ran;
	const struct pw_reason_count *reasons;
	size_t reason_count;
	const uint64_t *creation_stack; /* live return addresses of the most frequent creation stack, innermost first */
	size_t creation_depth;
};

struct pw_gc_event {
	enum pw_event event; /* GC_* and STW_* */
	uint64_t boot_ns;
	uint64_t argument;
};

struct pw_target_counts {	      /* valid until the next poll */
	uint64_t polled_ns, armed_ns; /* CLOCK_BOOTTIME */
	bool armed;
	uint64_t spawned, exited, parked, ran;
	uint64_t hits; /* of all probes, as they were: never scaled */
	uint64_t site_hits[_PW_EVENT_MAX];
	bool site_attached[_PW_EVENT_MAX];
	uint64_t cost_per_hit_ns[_PW_EVENT_MAX]; /* calibrated on this host; 0 no site */
	enum pw_probe_mode mode[_PW_EVENT_MAX];
	double error_square[_PW_EVENT_MAX], error_linear[_PW_EVENT_MAX]; /* bound of a total: pw_sampling_bound */
	uint64_t sampled_ns;	    /* CLOCK_BOOTTIME: sampled totals are those of this moment; 0: none is */
	uint64_t windows;	    /* so far */
	uint64_t cost_ns;	    /* estimated CPU time that probes took from the process so far */
	double cpu_percent;	    /* the same over about the last 10 s, % of one CPU */
	double budget_percent;	    /* in force; < 0: none */
	const char *governor_state; /* pw_governor_state */
	uint64_t governor_since_ns, governor_until_ns; /* CLOCK_BOOTTIME, while it is not continuous */
	double governor_percent;		       /* what counting each event would cost */
	uint64_t bursts, overshoot_ns; /* reports of BPF; cost above the capacity when the gate had closed, last one */
	const struct pw_statement_counts *statements;
	size_t statement_count;
	uint64_t gc_counts[_PW_EVENT_MAX];
	const struct pw_gc_event *gc_events; /* since the last poll, oldest first */
	size_t gc_event_count;
	const struct pw_gc_words *gc_cycles; /* since the last poll, oldest first; then no GC_* in gc_events */
	size_t gc_cycle_count;
	bool gc_cycles_told;   /* each cycle comes, while armed */
	const uint64_t *drops; /* by enum pw_drop of bpf/shared.h */
	size_t drop_count;
};
/* NULL if that target is not registered. */
const struct pw_target_counts *pw_collect_counts(const struct pw_collect *collect, uint64_t target_id);
const char *pw_drop_name(size_t drop); /* "site_map_full", ... */

struct pw_collect_stats {
	uint64_t polls, poll_ns_last, attach_failures, attached_targets;
	uint64_t map_memory_bytes;		  /* memlock of all maps */
	uint64_t emulated_hit_ns, stepped_hit_ns; /* calibrated cost of a hit */
	bool cost_complete;			  /* the next two are known */
	uint64_t stack_hit_ns, further_hit_ns;	  /* on top: with a stack; for each other process of the same file */
	double cost_percent;			  /* of all targets, % of one CPU */
	double target_budget_percent;		  /* what each may spend now; < 0: none */
	uint64_t waiting_targets;		  /* not attached, to be tried again */
	uint64_t not_tried_again;		  /* more failed than can wait for another try */
	uint64_t unknown_target_hits;		  /* of probes whose target was forgotten */
};
void pw_collect_stats(const struct pw_collect *collect, struct pw_collect_stats *ret_stats);

#endif
