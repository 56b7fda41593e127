/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_HEAP_SAMPLE_H
#define PW_CMD_HEAP_SAMPLE_H

#include <stdint.h>

struct pw_config;
struct pw_heap_profile;
struct pw_target;

/* Where a target allocates, by probes, for a time, or until Ctrl-C: a profile with names, not merged, owned by the
 * caller. -errno, with one line said. */
int pw_heap_sample(struct pw_target *target, uint64_t duration_ns, const struct pw_config *config,
		   struct pw_heap_profile **ret_heap) __attribute__((warn_unused_result));

#endif
