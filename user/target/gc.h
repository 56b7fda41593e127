/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_GC_H
#define PW_TARGET_GC_H

#include <stdint.h>

#include "model/gc.h"

struct pw_target;

/*
 * The words in which the runtime keeps the numbers of its last GC cycle: what GODEBUG=gctrace=1 prints from
 * (src/runtime/mgc.go:gcMarkTermination, go1.19 to 1.27). Between the end of a cycle and the beginning of the next they
 * stand still, so that a poll may read them; at each end a probe can copy them (bpf/gc.bpf.c, in this order). All are
 * read as 8 bytes.
 */
enum pw_gc_word {
	PW_GC_TRIGGERED,  /* this and the next are taken away at the end: known by probes only */
	PW_GC_LEAK_CHECK, /* low byte */
	PW_GC_NUMGC,	  /* low half */
	PW_GC_CPU_FRACTION,
	PW_GC_PROCS,	  /* stwprocs, maxprocs: int32 each */
	PW_GC_SWEEP_TERM, /* this and the next three: CLOCK_MONOTONIC of the target */
	PW_GC_MARK,
	PW_GC_MARK_TERM,
	PW_GC_END,
	PW_GC_PAUSE,
	PW_GC_HEAP_START,
	PW_GC_HEAP_MARK_END,
	PW_GC_HEAP_LIVE,
	PW_GC_FORCED, /* low byte */
	PW_GC_GOAL,
	PW_GC_STACKS,
	PW_GC_GLOBALS,
	PW_GC_ASSIST,
	PW_GC_DEDICATED,
	PW_GC_FRACTIONAL,
	PW_GC_IDLE,
	_PW_GC_WORD_MAX,
};
#define PW_GC_EARLY_WORDS PW_GC_NUMGC /* PW_BPF_GC_EARLY of bpf/shared.h, 2 */

struct pw_gc_words {
	uint64_t read_ns; /* CLOCK_BOOTTIME at which they were copied; 0 unknown */
	uint64_t missing; /* bit i: word i could not be read */
	bool polled;
	uint64_t word[_PW_GC_WORD_MAX];
};

/* Where the words are in the live process; 0: this version has no such word. -ENOTSUP: one that is needed is not known.
 */
int pw_gc_addresses(const struct pw_target *target, uint64_t ret_addr[_PW_GC_WORD_MAX])
	__attribute__((warn_unused_result));

/*
 * Words as they were copied by a probe or a poll -> a cycle. init_ns is the target's runtimeInitTime, monotonic_ns
 * the time now, a bound for all others, boot_offset_ns what pw_boot_offset_ns says. -EBADMSG: no cycle looks like
 * this.
 */
int pw_gc_parse(const struct pw_gc_words *words, uint64_t init_ns, uint64_t monotonic_ns, uint64_t boot_offset_ns,
		struct pw_record_gc_cycle *ret_cycle) __attribute__((warn_unused_result));

/* runtimeInitTime of the target: CLOCK_MONOTONIC. */
int pw_gc_init_time(struct pw_target *target, uint64_t *ret_init_ns) __attribute__((warn_unused_result));

/*
 * The last cycle by the runtime's own record, in one system call: 0, -EAGAIN a cycle is under way or the record changed
 * while it was read, -ENODATA there was none yet, -ENOTSUP its place is not known, -EBADMSG garbage, -ESRCH, -EPERM.
 */
int pw_gc_poll(struct pw_target *target, struct pw_record_gc_cycle *ret_cycle) __attribute__((warn_unused_result));

#endif
