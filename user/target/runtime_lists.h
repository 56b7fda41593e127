/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_RUNTIME_LISTS_H
#define PW_TARGET_RUNTIME_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/runtime_numbers.h"
#include "target/gather.h"

struct pw_mem;
struct pw_layout;

/*
 * Numbers that the runtime keeps in lists: per thread (runtime.allm) and per block of finalizers (runtime.finq). The
 * links are foreign: each walk has a budget of steps and ends at what it has seen before.
 */
struct pw_m_list {	    /* embedded; Ms of the last read, so that the next one reads them in one call */
	struct pw_mem *mem; /* borrowed */
	int32_t link, cgo_calls, lock_wait;
	int32_t curg, in_cgo, locked_g; /* PW_OFFSET_NONE: not asked for, or not known */
	bool lock_wait_missing;		/* this version has it, but where is not known */
	struct pw_m_words {
		uint64_t addr, next, cgo_calls, lock_wait_ns;
		uint64_t curg, locked_g;
		uint8_t in_cgo;
		bool ok;
	} * ms;
	size_t count, capacity;
};
void pw_m_list_init(struct pw_m_list *ret_list, struct pw_mem *mem, const struct pw_layout *layout);
/* From now on what each M is at is read as well: curg, in_cgo, locked_g. */
void pw_m_list_want_states(struct pw_m_list *list, const struct pw_layout *layout);
void pw_m_list_done(struct pw_m_list *list);

/*
 * Adds to numbers what is counted per M: cgo_calls and mutex_wait_ns. They become unknown where that cannot be told
 * (first 0: not asked for; a list that changes all the time). -ESRCH, -EPERM, -ENOMEM.
 */
int pw_m_list_read(struct pw_m_list *list, uint64_t first, struct pw_runtime_numbers *numbers)
	__attribute__((warn_unused_result));

/* How many finalizers are in the queue that begins at `first`; PW_UNKNOWN if that cannot be told. -ESRCH, -EPERM. */
int pw_finalizers_waiting(struct pw_mem *mem, const struct pw_layout *layout, uint64_t first, uint64_t *ret_count)
	__attribute__((warn_unused_result));

#endif
