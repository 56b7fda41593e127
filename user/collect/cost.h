/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_COST_H
#define PW_COLLECT_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/attach.h"
#include "collect/maps.h"

struct pw_child;
struct pw_skeleton;
struct pw_why;

/* What one probe hit costs on this host, in CPU time of the target. */
struct pw_cost {
	uint64_t emulated_ns; /* at an instruction that the kernel emulates, with the park program, which does the most
			       */
	uint64_t stepped_ns;  /* at one that it single-steps */
	bool more;	      /* the rest is known: it is measured some seconds after the start */
	uint64_t stack_ns;    /* on top, for a hit that takes a creation stack */
	uint64_t further_ns; /* on top, for each other attached process of the same file: the kernel asks each filter */
};

struct pw_cost_setup {
	const struct pw_skeleton *skeleton;
	enum pw_attach_method method;
	bool cookies;
	struct pw_map_reader *reader;
	struct pw_child *child;
};

/*
 * Attaches the real programs to our own child, measures, and checks that each hit of a second thread was counted once.
 * Uses slot 0 of the maps and target id PW_COST_TARGET; what it leaves in the maps, the next poll removes. -EIO: hits
 * are not counted as they should be; else -errno of the attach; with the reason. The probes come back attached, since
 * detaching takes 0.1 s: that is the worker's.
 */
#define PW_COST_TARGET 0xffffffffU
int pw_cost_measure(struct pw_cost *ret_cost, struct pw_attachment **ret_attachment, const struct pw_cost_setup *setup,
		    struct pw_why *reterr_why) __attribute__((warn_unused_result));

/*
 * The rest, by probes on the same child and on ourselves, who run the same file. Takes half a second, mostly waiting
 * for detaches, and any thread that has no other use of slot 0. setup as above.
 */
#define PW_COST_FURTHER 8 /* attached processes that are not hit */
int pw_cost_measure_more(struct pw_cost *cost, const struct pw_cost_setup *setup, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

/*
 * The price of a hit of the allocation probe, which walks the stack: 32 frames, at an instruction that the kernel
 * emulates. The skeleton must have it (options.allocs), and the child must have no other probe there. Uses slot 2.
 * setup as above.
 */
int pw_cost_measure_alloc(uint64_t *ret_ns, const struct pw_cost_setup *setup, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

/* The map of parks by reason as pw_map_read takes it. */
struct pw_map_shape pw_cost_reasons_shape(const struct pw_skeleton *skeleton);

#endif
