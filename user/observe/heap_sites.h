/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_HEAP_SITES_H
#define PW_OBSERVE_HEAP_SITES_H

#include <stdbool.h>
#include <stdint.h>

struct pw_heap_look;
struct pw_heap_profile;
struct pw_heap_profiler;
struct pw_record;
struct pw_record_builder;
struct pw_target;

/*
 * Allocation sites of one observed target, by line: its heap profile is looked at when a GC cycle has published new
 * numbers, at most once in an interval, and so rarely that it costs at most 0.2% of a CPU. Embedded; a zeroed one is
 * empty.
 */
struct pw_heap_sites {
	struct pw_heap_profiler *profiler;
	const struct pw_heap_look *look; /* waits for its names; NULL: none */
	unsigned int naming;		 /* how often it has waited */
	struct pw_heap_profile *shown;	 /* NULL: none yet */
	uint64_t next_ns, taken_ns;	 /* CLOCK_BOOTTIME */
	uint64_t cost_ns, failures;
};

/* cycles: completed GC cycles, PW_UNKNOWN if nobody knows. -ESRCH gone, else 0. */
int pw_heap_sites_work(struct pw_heap_sites *sites, struct pw_target *target, uint64_t cycles, uint64_t interval_ns,
		       uint64_t boot_ns) __attribute__((warn_unused_result));
/* The next work takes a look, whenever the next would be due: somebody is about to show what grows. False if there is
 * nothing newer than what is there, one is under way, or the last was so dear that this one has to wait. */
bool pw_heap_sites_want(struct pw_heap_sites *sites, const struct pw_target *target, uint64_t cycles, uint64_t boot_ns);
void pw_heap_sites_write(const struct pw_heap_sites *sites, struct pw_record *draft, struct pw_record_builder *builder);
void pw_heap_sites_done(struct pw_heap_sites *sites);

#endif
