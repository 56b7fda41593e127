/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_GOROUTINES_H
#define PW_TARGET_GOROUTINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_target;

/* One goroutine as read from runtime.allgs; every field was checked or the goroutine is not here. What is needed to
 * read its stack comes first: it is looked up in no order then. */
struct pw_goroutine {
	uint64_t addr;
	uint64_t sched_sp, sched_pc; /* where its stack begins: in a system call those of the call */
	uint64_t stack_lo, stack_hi;
	uint8_t status;	     /* enum pw_status_class (model/record.h) */
	uint8_t wait_reason; /* the target's own code; meaningful only while waiting */
	uint8_t tracking_seq;
	bool system; /* runtime.isSystemGoroutine */
	bool locked_to_thread : 1;
	bool placed : 1;	    /* running, in a core file (core.h): sched_sp is where it stood */
	bool exact : 1;		    /* then: sched_pc is no return address */
	uint64_t sched_lr;	    /* arm64: return address of a function without a frame; else 0 */
	uint64_t goid, parent_goid; /* parent 0: unknown on that version */
	uint64_t gopc, startpc;	    /* live addresses; gopc 0: started by the runtime */
	uint64_t waiting, labels;   /* live addresses: *sudog, the labels of pprof; unchecked */
};

/*
 * A census: a walk of all goroutines in slices, so that no tick is held up. Begin, step until it returns 0, read,
 * reuse. Nothing is allocated per goroutine after the first census of that size.
 */
struct pw_census;

struct pw_census_result {
	const struct pw_goroutine *goroutines; /* by addr, ascending; owned by the census until the next begin */
	size_t count;
	uint64_t allglen, dead, skipped, torn; /* skipped: unreadable or over the cap; torn: changed while read */
	uint64_t swapped, capped;	       /* of the skipped: on pages that are swapped out; over the cap */
	uint64_t started_ns, duration_ns, bytes_read; /* CLOCK_BOOTTIME; duration without the waits between slices */
	uint64_t num_goroutine; /* as runtime.NumGoroutine counts: allglen - ngsys - free lists; UINT64_MAX unknown */
};

int pw_census_new(struct pw_census **ret_census) __attribute__((warn_unused_result));
void pw_census_free(struct pw_census *census);
int pw_census_begin(struct pw_census *census, struct pw_target *target) __attribute__((warn_unused_result));
/* Works for about budget_ns. 0 finished, -EAGAIN more to do, -ESRCH gone, -EFAULT unreadable, -EBADMSG garbage (then
 * nothing of it may be believed). */
int pw_census_step(struct pw_census *census, uint64_t budget_ns) __attribute__((warn_unused_result));
/* Goroutines that are read at most, from the next begin on; PW_GOROUTINES_MAX at first. */
void pw_census_set_max(struct pw_census *census, size_t max);
/* Ends a walk that is under way: what it has read by now is its result. Returns how many were left out for it, which
 * are counted as skipped, too. */
uint64_t pw_census_cut(struct pw_census *census);
const struct pw_census_result *pw_census_result(const struct pw_census *census);

#endif
