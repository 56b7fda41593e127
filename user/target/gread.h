/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_GREAD_H
#define PW_TARGET_GREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/facts.h"
#include "target/goroutines.h"

/*
 * The bytes of one runtime.g -> one checked goroutine. Pure: what it needs of the build and the process is in the plan.
 * Source: src/runtime/runtime2.go, status values _Gidle .. _Gdeadextra, go1.19 to 1.27.
 */
struct pw_gread {
	const struct pw_build_facts *facts; /* borrowed */
	uint64_t bias;
	uint64_t text, etext; /* live */
	uint32_t need;	      /* bytes of each g that have to be read */
	int32_t stack_lo, stack_hi, sched_sp, sched_pc, sched_lr, syscall_sp, syscall_pc, waiting, labels, lockedm,
		status, goid, wait_reason, tracking_seq, parent_goid, gopc, startpc;
	uint8_t finalizer_wait, cleanup_wait, coroutine; /* codes of these wait reasons; UINT8_MAX unknown */
};

/* Offset of a field that may be used: known, not in conflict, below max; else PW_OFFSET_NONE. */
int32_t pw_field_offset(const struct pw_layout *layout, enum pw_field field, int32_t max);

/* -ENOTSUP: a field that is needed is not in the layout, or not believed. */
int pw_gread_init(struct pw_gread *ret_plan, const struct pw_build_facts *facts, uint64_t bias)
	__attribute__((warn_unused_result));

enum pw_gread_verdict {
	PW_GREAD_LIVE, /* *ret_goroutine is set */
	PW_GREAD_DEAD, /* a g without a goroutine: idle, dead, kept for a thread of C */
	PW_GREAD_BAD,  /* no goroutine looks like this: torn while it was read, or no g at all */
};
/* bytes: plan->need bytes. *ret_what names the field that makes it bad; the address in *ret_goroutine is 0 then. */
enum pw_gread_verdict pw_gread_parse(const struct pw_gread *plan, uint64_t addr, const uint8_t *bytes,
				     struct pw_goroutine *ret_goroutine, const char **ret_what);

/* Is the goroutine in these bytes still where it was when *goroutine was read from there? Cheaper than parsing. */
bool pw_gread_stood_still(const struct pw_gread *plan, const uint8_t *bytes, const struct pw_goroutine *goroutine);
/* Does it wait in the very park in which *goroutine, which waits, was read? Then the rest of it is the same, too. */
bool pw_gread_same_park(const struct pw_gread *plan, const uint8_t *bytes, const struct pw_goroutine *goroutine);

#endif
