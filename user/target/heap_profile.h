/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_HEAP_PROFILE_H
#define PW_TARGET_HEAP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_target;

/*
 * The runtime's own heap profile, runtime.mbuckets, read without its locks: buckets are persistentalloc'd, are never
 * freed and never move, and a new one is put in front of the list (src/runtime/mprof.go:stkbucket). Numbers are what
 * runtime.MemProfile would return at that moment: those of the last completed GC cycle or, before the first one, of all
 * that was allocated (mprof.go:memProfileInternal). Not scaled.
 */
struct pw_heap_bucket { /* allocations of one size at one stack */
	uint64_t addr;
	uint64_t object_bytes;	     /* size of each */
	uint64_t allocs, frees;	     /* sampled ones; in use: allocs - frees */
	uint32_t first_pc, pc_count; /* into pcs, innermost first */
};

struct pw_heap_look {
	uint64_t rate;	    /* runtime.MemProfileRate: one sample per so many bytes */
	uint64_t cycle;	    /* GC cycles that had completed */
	bool before_gc;	    /* none that published anything has: what was allocated since is all in use */
	bool unsettled;	    /* still changing when it had been read several times: a cycle's frees may be half there */
	const char *broken; /* why the list could not be followed to its end; NULL: it could */
	uint64_t skipped;   /* buckets that are none (wrong hash, sizes that do not fit), or over the caps */
	uint64_t duration_ns, bytes_read, reads;
	const struct pw_heap_bucket *buckets;
	size_t count;
	/* Link-time return addresses, one per frame whether inlined or not; only the last one may stand for several
	 * (src/runtime/traceback.go:tracebackPCs). */
	const uint64_t *pcs;
	size_t pc_count;
};

/* Why a program has no such profile. */
enum pw_heap_absence {
	PW_HEAP_PRESENT,
	PW_HEAP_LINKED_OUT,   /* nothing in it refers to runtime.MemProfile: the linker switched it off */
	PW_HEAP_RATE_ZERO,    /* runtime.MemProfileRate is 0 */
	PW_HEAP_NOT_KNOWN,    /* where it is, or how it is laid out, is not known in this build */
	PW_HEAP_NOT_READABLE, /* memory is closed to us */
};
const char *pw_heap_absence_text(enum pw_heap_absence absence); /* a sentence without a full stop; "" present */
/* Cheap: one read. */
enum pw_heap_absence pw_heap_absence(struct pw_target *target);

struct pw_heap_profiler;
int pw_heap_profiler_new(struct pw_heap_profiler **ret_profiler) __attribute__((warn_unused_result));
/* At most so many buckets, newest first; the rest is left out, and the look says so. */
void pw_heap_profiler_limit(struct pw_heap_profiler *profiler, uint32_t buckets);
void pw_heap_profiler_free(struct pw_heap_profiler *profiler);

/*
 * Reads it all; *ret_look is valid until the next one. -ENODATA there is none (pw_heap_absence says why), -EBADMSG what
 * is there is no list of buckets of this Go version, -ESRCH, -EPERM, -EFAULT, -ENOMEM.
 */
int pw_heap_profiler_look(struct pw_heap_profiler *profiler, struct pw_target *target,
			  const struct pw_heap_look **ret_look) __attribute__((warn_unused_result));

#endif
