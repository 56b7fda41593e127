/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_RUNTIME_H
#define PW_TARGET_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct pw_target;

/*
 * The few runtime globals that everything else starts from, read from the live process and checked for size. Errors:
 * -ESRCH gone, -EPERM closed, -EFAULT unreadable, -EBADMSG garbage, -ENOTSUP its place is not known.
 */
struct pw_runtime_list { /* runtime.allgs: an append-only array of pointers to g */
	uint64_t addr, length;
};
/* The length is read before the pointer, as the runtime stores the pointer first (src/runtime/proc.go:allgadd). */
int pw_runtime_goroutine_list(struct pw_target *target, struct pw_runtime_list *ret_list)
	__attribute__((warn_unused_result));

struct pw_runtime_ps {	 /* runtime.allp */
	uint64_t length; /* GOMAXPROCS */
	size_t capacity; /* entries in addr: those behind length keep what they had when GOMAXPROCS was higher */
	uint64_t addr[PW_PS_MAX];
};
int pw_runtime_read_ps(struct pw_target *target, struct pw_runtime_ps *ret_ps) __attribute__((warn_unused_result));

/* What runtime.NumGoroutine would return if allglen is the length of the list (src/runtime/proc.go:gcount). */
int pw_runtime_num_goroutine(struct pw_target *target, const struct pw_runtime_ps *ps, uint64_t allglen,
			     uint64_t *ret_count) __attribute__((warn_unused_result));

#endif
