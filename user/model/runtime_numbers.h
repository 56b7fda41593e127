/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_RUNTIME_NUMBERS_H
#define PW_MODEL_RUNTIME_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The runtime's own numbers: what runtime.MemStats, runtime/metrics and debug.ReadGCStats say, read from outside
 * (target/runtime_metrics.h says from where). Each is PW_UNKNOWN where the Go version does not have it.
 * X(name, kind, unit): COUNTER never falls while the process lives, GAUGE may.
 */
#define PW_RUNTIME_NUMBERS(X)                                                                                          \
	X(goroutines, GAUGE, COUNT)	   /* as runtime.NumGoroutine counts */                                        \
	X(goroutines_system, GAUGE, COUNT) /* those of the runtime itself */                                           \
	X(spawn_total, COUNTER, COUNT)	   /* goroutines ever started, by goid history (target/births.h) */            \
	X(runnable, GAUGE, COUNT)	   /* goroutines in the queues of the scheduler */                             \
	X(gomaxprocs, GAUGE, COUNT)                                                                                    \
	X(procs_idle, GAUGE, COUNT) /* of GOMAXPROCS */                                                                \
	X(threads, GAUGE, COUNT)    /* that the runtime knows of */                                                    \
	X(threads_idle, GAUGE, COUNT)                                                                                  \
	X(threads_extra, GAUGE, COUNT) /* of threads: kept for callbacks from C; 1.21 and later */                     \
	X(threads_created, COUNTER, COUNT)                                                                             \
	X(threads_exited, COUNTER, COUNT)                                                                              \
	X(gc_percent, GAUGE, PERCENT)	    /* GOGC, or PW_GC_PERCENT_OFF */                                           \
	X(memory_limit_bytes, GAUGE, BYTES) /* GOMEMLIMIT, or PW_MEMORY_LIMIT_NONE */                                  \
	X(gc_cycles, COUNTER, COUNT)	    /* completed */                                                            \
	X(gc_forced, COUNTER, COUNT)	    /* of them by runtime.GC() */                                              \
	X(gc_phase, GAUGE, COUNT)	    /* 0 off, 1 mark, 2 mark termination */                                    \
	X(gc_pause_total_ns, COUNTER, NS)                                                                              \
	X(gc_last_unix_ns, GAUGE, UNIX_NS)  /* end of the last cycle; 0: none yet */                                   \
	X(gc_last_pause_ns, GAUGE, NS)	    /* of the last cycle */                                                    \
	X(heap_live_bytes, GAUGE, BYTES)    /* marked by the last cycle or allocated since, as the pacer sees it */    \
	X(heap_marked_bytes, GAUGE, BYTES)  /* marked by the last cycle */                                             \
	X(heap_goal_bytes, GAUGE, BYTES)    /* of the next cycle */                                                    \
	X(heap_objects_bytes, GAUGE, BYTES) /* allocated and not yet freed */                                          \
	X(heap_objects, GAUGE, COUNT)                                                                                  \
	X(heap_inuse_bytes, GAUGE, BYTES)    /* spans that hold objects */                                             \
	X(heap_free_bytes, GAUGE, BYTES)     /* idle and kept */                                                       \
	X(heap_released_bytes, GAUGE, BYTES) /* idle and returned to the system */                                     \
	X(alloc_bytes, COUNTER, BYTES)	     /* ever allocated */                                                      \
	X(freed_bytes, COUNTER, BYTES)                                                                                 \
	X(allocs, COUNTER, COUNT)      /* objects, without tiny ones */                                                \
	X(frees, COUNTER, COUNT)       /* objects, without tiny ones */                                                \
	X(tiny_allocs, COUNTER, COUNT) /* objects below 16 bytes that share a block */                                 \
	X(stack_inuse_bytes, GAUGE, BYTES)                                                                             \
	X(os_stack_bytes, GAUGE, BYTES) /* of threads, as far as Go allocates them */                                  \
	X(mspan_inuse_bytes, GAUGE, BYTES)                                                                             \
	X(mspan_sys_bytes, GAUGE, BYTES)                                                                               \
	X(mcache_inuse_bytes, GAUGE, BYTES)                                                                            \
	X(mcache_sys_bytes, GAUGE, BYTES)                                                                              \
	X(profile_buckets_bytes, GAUGE, BYTES)                                                                         \
	X(gc_sys_bytes, GAUGE, BYTES) /* metadata of the garbage collector */                                          \
	X(other_sys_bytes, GAUGE, BYTES)                                                                               \
	X(sys_bytes, GAUGE, BYTES)	 /* all that Go has from the system */                                         \
	X(scan_heap_bytes, GAUGE, BYTES) /* to be scanned by the collector; this and the next two 1.21 and later */    \
	X(scan_stack_bytes, GAUGE, BYTES)                                                                              \
	X(scan_globals_bytes, GAUGE, BYTES)                                                                            \
	X(starting_stack_bytes, GAUGE, BYTES) /* 1.19 and later */                                                     \
	X(limiter_last_cycle, GAUGE, COUNT) /* the last GC cycle whose CPU the limiter cut; 0: none; 1.19 and later */ \
	X(cpu_gc_assist_ns, COUNTER, NS)    /* CPU classes: 1.20 and later, as of the end of the last cycle */         \
	X(cpu_gc_dedicated_ns, COUNTER, NS)                                                                            \
	X(cpu_gc_idle_ns, COUNTER, NS)                                                                                 \
	X(cpu_gc_pause_ns, COUNTER, NS)                                                                                \
	X(cpu_gc_total_ns, COUNTER, NS)                                                                                \
	X(cpu_scavenge_assist_ns, COUNTER, NS)                                                                         \
	X(cpu_scavenge_background_ns, COUNTER, NS)                                                                     \
	X(cpu_scavenge_total_ns, COUNTER, NS)                                                                          \
	X(cpu_idle_ns, COUNTER, NS)                                                                                    \
	X(cpu_user_ns, COUNTER, NS)                                                                                    \
	X(cpu_total_ns, COUNTER, NS)                                                                                   \
	X(mutex_wait_ns, COUNTER, NS) /* for sync.Mutex, RWMutex and, from 1.22, the runtime's own; 1.20 on */         \
	X(cgo_calls, COUNTER, COUNT)                                                                                   \
	X(finalizers_waiting, GAUGE, COUNT)  /* to be run */                                                           \
	X(finalizers_queued, COUNTER, COUNT) /* this and the next three 1.25 and later */                              \
	X(finalizers_executed, COUNTER, COUNT)                                                                         \
	X(cleanups_queued, COUNTER, COUNT)                                                                             \
	X(cleanups_executed, COUNTER, COUNT)

#define PW_GC_PERCENT_OFF    (UINT64_MAX - 1)
#define PW_MEMORY_LIMIT_NONE ((uint64_t)INT64_MAX)
#define PW_PAUSE_QUANTILES   5 /* minimum, quartiles, maximum of the last 256 pauses, as debug.ReadGCStats gives them */

struct pw_runtime_numbers {
#define X(name, kind, unit) uint64_t name;
	PW_RUNTIME_NUMBERS(X)
#undef X
	uint64_t gc_pause_quantiles_ns[PW_PAUSE_QUANTILES];
	double gc_cpu_fraction; /* since the program began; NaN unknown */
};

enum pw_number_kind { PW_NUMBER_GAUGE, PW_NUMBER_COUNTER };
enum pw_number_unit {
	PW_NUMBER_COUNT,
	PW_NUMBER_BYTES,
	PW_NUMBER_NS,
	PW_NUMBER_UNIX_NS,
	PW_NUMBER_PERCENT,
};
struct pw_number_field {
	const char *name;
	enum pw_number_kind kind;
	enum pw_number_unit unit;
	size_t offset;
};
extern const struct pw_number_field pw_number_fields[];
extern const size_t pw_number_field_count;
uint64_t pw_number_get(const struct pw_runtime_numbers *numbers, const struct pw_number_field *field);

/* All unknown. */
void pw_runtime_numbers_init(struct pw_runtime_numbers *ret_numbers);

/*
 * Histograms. Bucket 0 holds what is below the scale (negative times), the last one what is above it.
 */
enum pw_histogram {
	PW_HISTOGRAM_SCHED_LATENCIES, /* from ready to running, sampled by the runtime itself: one in 8 */
	PW_HISTOGRAM_GC_PAUSES,	      /* from 1.22 on the same as STW_TOTAL_GC */
	PW_HISTOGRAM_STW_STOPPING_GC, /* until all have stopped; these four 1.22 and later */
	PW_HISTOGRAM_STW_STOPPING_OTHER,
	PW_HISTOGRAM_STW_TOTAL_GC,
	PW_HISTOGRAM_STW_TOTAL_OTHER,
	PW_HISTOGRAM_ALLOCS_BY_SIZE, /* objects by size class, from here on in bytes */
	PW_HISTOGRAM_FREES_BY_SIZE,
	_PW_HISTOGRAM_MAX,
};
const char *pw_histogram_name(enum pw_histogram histogram); /* "sched_latencies" */

enum pw_histogram_scale {
	PW_SCALE_NONE, /* this version does not have it */
	PW_SCALE_FINE, /* times, 1.17 to 1.19: 16 buckets per power of two of nanoseconds */
	PW_SCALE_TIME, /* times, 1.20 and later: 4, from 64 ns on (src/runtime/histogram.go) */
	PW_SCALE_SIZE, /* bytes: size classes, the last one all large objects */
	_PW_SCALE_MAX,
};
#define PW_SIZE_CLASSES		 68  /* class 0 stands for large objects; src/runtime/sizeclasses.go, go1.17 to 1.27 */
#define PW_HISTOGRAM_BUCKETS_MAX 721 /* PW_SCALE_FINE: 45 * 16, and one below */

extern const uint16_t pw_size_classes[PW_SIZE_CLASSES]; /* bytes of an object of each class */

/* Buckets of a scale, those below and above it included; 0 for none. */
size_t pw_scale_buckets(enum pw_histogram_scale scale);
/* The lower bound of a bucket, which is the upper one of its predecessor: nanoseconds or bytes. Of bucket 0: -INFINITY,
 * of bucket pw_scale_buckets(): INFINITY. */
double pw_scale_bound(enum pw_histogram_scale scale, size_t bucket);

struct pw_histograms {
	uint8_t scale[_PW_HISTOGRAM_MAX]; /* enum pw_histogram_scale */
	uint64_t count[_PW_HISTOGRAM_MAX][PW_HISTOGRAM_BUCKETS_MAX];
};

uint64_t pw_histogram_total(const uint64_t *counts, enum pw_histogram_scale scale);
/* The quantile q of counts - before (before may be NULL), as the upper bound of its bucket, at most; NaN: no values. */
double pw_histogram_quantile(const uint64_t *counts, const uint64_t *before, enum pw_histogram_scale scale, double q);

#endif
