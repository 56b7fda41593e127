/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_FILES_H
#define PW_TARGET_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/procfs.h"
#include "base/table.h"
#include "target/build.h"

struct pw_reader;

/*
 * What is known of executables, by (device, inode, mtime, size): not a Go program, or the facts of its build. Each file
 * is read once by the reader process, however many processes run it. Least recently used ones are forgotten.
 *
 * The reader takes one file after the other, so a file that stalls it (a dead network or FUSE mount, one made to be
 * slow) holds up all. Such a file is tried a second time, later. Who runs it has to stand back: the files of that user
 * are asked for one at a time, when nobody else's wait, and ever more rarely the more of them stall.
 */
enum pw_file_state {
	PW_FILE_ASKED, /* the reader is at it */
	PW_FILE_NOT_GO,
	PW_FILE_GO,
	PW_FILE_FAILED, /* cannot be read; will not be tried again */
	PW_FILE_BUSY,	/* not asked now: too many questions under way, or it stalled; try again later */
};

struct pw_files {
	struct pw_reader *reader; /* borrowed */
	struct pw_table table;
	struct pw_table slow;	    /* uid -> struct slow_user */
	struct question *questions; /* under way */
	size_t question_count;
	uint64_t failed;
	void (*answered)(void *context); /* may be NULL */
	void *context;
};

void pw_files_init(struct pw_files *files, struct pw_reader *reader);
void pw_files_done(struct pw_files *files);

/* What the file behind the process's executable is; asks the reader when it is new. *ret_build is borrowed and set only
 * for PW_FILE_GO. -ESRCH gone, -ESTALE not that file any more, -EACCES closed to us. */
int pw_files_state(struct pw_files *files, const struct pw_procfs *procfs, pid_t pid, const struct pw_proc_file_id *id,
		   enum pw_file_state *ret_state, struct pw_build **ret_build) __attribute__((warn_unused_result));

#endif
