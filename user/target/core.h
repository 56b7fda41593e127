/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_CORE_H
#define PW_TARGET_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "reader/reader.h"
#include "target/mem.h"

struct pw_goroutine;
struct pw_target;
struct pw_why;

/*
 * A process that is a core file: its memory, and where its threads stood. What the core does not hold but the
 * executable does (the kernel leaves out pages of files that nobody has written to) is read from there. Bytes by pread,
 * never mapped. Owned by the target.
 */
struct pw_frozen {
	struct pw_core core;
	int core_fd, exe_fd; /* exe_fd -1: only what the core holds */
};

/* Memory of it, which must outlive the result. */
void pw_mem_frozen(struct pw_mem *ret_mem, struct pw_frozen *frozen);
void pw_frozen_free(struct pw_frozen *frozen);

/*
 * A target over the core file at a path; exe_path NULL: the executable that the core names. -ENOENT and other errors of
 * open; -EBADMSG, -ENOTSUP no core file; -ENOEXEC not Go; -ESTALE the executable is another build; -ENODATA none known.
 * Its memory has been validated as that of a live one. Freed with pw_target_free.
 */
int pw_target_open_core(struct pw_target **ret_target, const char *core_path, const char *exe_path,
			struct pw_reader *reader, struct pw_why *reterr_why) __attribute__((warn_unused_result));

/*
 * Finds out where a goroutine that was running stood, on its own stack: sched_pc, sched_sp, sched_lr, placed and
 * exact in *goroutine are set. It stays as it is if that cannot be told.
 */
void pw_frozen_place(struct pw_target *target, struct pw_goroutine *goroutine);

#endif
