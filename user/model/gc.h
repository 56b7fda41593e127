/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_GC_H
#define PW_MODEL_GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_buf;

/*
 * One garbage collection cycle that has ended, in the runtime's own numbers (src/runtime/mgc.go:gcMarkTermination). All
 * of them are exact; PW_UNKNOWN where the source does not tell. Times are CLOCK_BOOTTIME in ns:
 *
 *	start | sweep termination, world stopped | mark | concurrent mark | mark_termination | world stopped | end
 */
struct pw_record_gc_cycle {
	uint64_t number; /* from 1, as gctrace counts */
	uint64_t start_ns, mark_ns, mark_termination_ns, end_ns;
	uint64_t since_init_ns;						 /* start, since the runtime began */
	uint64_t pause_ns;						 /* both stops of the world together */
	uint64_t heap_start_bytes, heap_mark_end_bytes, heap_live_bytes; /* at start, at end of mark, marked live */
	uint64_t goal_bytes;						 /* of this cycle */
	uint64_t trigger_bytes;					  /* heap at which it began; known by probes only */
	uint64_t stack_bytes, globals_bytes;			  /* scanned */
	uint64_t assist_ns, dedicated_ns, fractional_ns, idle_ns; /* CPU time of marking */
	double cpu_fraction; /* of the program's CPU time since its start that went into GC, as of this cycle */
	uint32_t stw_procs, max_procs;
	bool forced;	 /* by runtime.GC() */
	bool leak_check; /* it looked for leaked goroutines (1.26+); known by probes only */
	bool polled;	 /* read from the runtime's record of its last cycle; else copied by a probe at its end */
};

/* Phase lengths, and CPU time in all: both stops on all processors, and marking by whom it may be. */
uint64_t pw_gc_mark_ns(const struct pw_record_gc_cycle *cycle);
uint64_t pw_gc_stopped_cpu_ns(const struct pw_record_gc_cycle *cycle);
/* Share of the marking CPU time that allocating goroutines had to pay themselves: 0 to 1. */
double pw_gc_assist_share(const struct pw_record_gc_cycle *cycle);

/*
 * The line that a program of Go 1.go_minor prints for this cycle with GODEBUG=gctrace=1, without its newline, byte for
 * byte.
 */
void pw_gctrace_format(struct pw_buf *out, const struct pw_record_gc_cycle *cycle, int go_minor);

/*
 * The cycles of one target as they come in, from probes and from polls, in any order and twice: the last PW_GC_RING_MAX
 * of them, and sums over all that were seen. What lies between two numbers and was not seen is missed.
 */
#define PW_GC_RING_MAX 512U
#define PW_GC_BUCKETS  14 /* upper bounds 10 us, 30 us, 100 us ... 10 s (1 and 3 of each decade), and beyond */
#define PW_GC_SHARES   7  /* assist share: 0, up to 1, 5, 10, 25, 50, 100% */
extern const double pw_gc_bucket_seconds[PW_GC_BUCKETS - 1];
extern const double pw_gc_share_bounds[PW_GC_SHARES];

struct pw_gc_sums { /* over the cycles seen */
	uint64_t seen, missed;
	uint64_t refused; /* cycles that made no sense, and came from a target that lies or was changing */
	uint64_t pause_ns, mark_ns, stopped_cpu_ns, assist_ns, dedicated_ns, fractional_ns, idle_ns;
	double assist_share;
	uint64_t pause_counts[PW_GC_BUCKETS], mark_counts[PW_GC_BUCKETS]; /* each cycle in one bucket */
	uint64_t share_counts[PW_GC_SHARES];
};

struct pw_gc_history {
	struct pw_record_gc_cycle *cycles; /* oldest first; owned */
	size_t count, capacity;
	uint64_t last_number;
	struct pw_gc_sums sums;
};
/* 0; -EALREADY: it is known; -EBADMSG: more cycles lie between than can have been, it is not believed; -ENOMEM. */
int pw_gc_history_add(struct pw_gc_history *history, const struct pw_record_gc_cycle *cycle);
void pw_gc_history_done(struct pw_gc_history *history);

#endif
