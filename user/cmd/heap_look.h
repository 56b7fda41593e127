/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_HEAP_LOOK_H
#define PW_CMD_HEAP_LOOK_H

#include <stdbool.h>
#include <stdint.h>

struct pw_heap_profile;
struct pw_target;

/*
 * The heap of a target now, with names, not merged, owned by the caller: the runtime's own profile or, where there is
 * none or `classes` asks for them, sizes and types of objects. -ESRCH it has ended, -errno.
 */
int pw_heap_look(struct pw_target *target, bool classes, struct pw_heap_profile **ret_heap)
	__attribute__((warn_unused_result));

/* Waits, or until Ctrl-C. */
void pw_heap_wait(uint64_t duration_ns);

#endif
