/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_HEAP_REST_H
#define PW_OBSERVE_HEAP_REST_H

struct pw_heap_profile;
struct pw_heap_types_look;
struct pw_histograms;
struct pw_runtime_numbers;

/* What is known of a heap without a profile. Both add to the profile; 0 or -ENOMEM. */

/* Objects by size class, from the runtime's own counters (histograms of allocations and frees by size). */
int pw_heap_add_sizes(struct pw_heap_profile *heap, const struct pw_runtime_numbers *numbers,
		      const struct pw_histograms *histograms) __attribute__((warn_unused_result));
/* Types of large objects, scaled from the spans that were looked at to all of them. */
int pw_heap_add_types(struct pw_heap_profile *heap, const struct pw_heap_types_look *look)
	__attribute__((warn_unused_result));

#endif
