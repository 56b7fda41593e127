/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

struct pw_why;

/*
 * A foreign file, read by pread only: mapping it would raise SIGBUS when somebody truncates it. It may change at any
 * time, so no read is believed to agree with another one.
 */
struct pw_file {
	int fd; /* borrowed */
	uint64_t size;
	uint64_t device, inode;
	int64_t modified_ns;
};

/* Looks at the file behind fd. -EBADMSG not a regular file, -E2BIG over PW_FILE_BYTES_MAX. */
int pw_must_check pw_file_init(struct pw_file *ret_file, int fd, struct pw_why *reterr_why);
/* The same with another cap. */
int pw_must_check pw_file_init_max(struct pw_file *ret_file, int fd, uint64_t max_bytes, struct pw_why *reterr_why);

/* True if [offset, offset + size) is inside the file as it was at pw_file_init. */
bool pw_file_holds(const struct pw_file *file, uint64_t offset, uint64_t size);

/* All n bytes at offset, or -EFAULT (outside, or truncated since) or another error of pread. */
int pw_must_check pw_file_read(const struct pw_file *file, uint64_t offset, void *buffer, size_t n);

/*
 * The same through a cache of blocks, for tables that are too large to be loaded and are read all over the place. At
 * most PW_WINDOW_BLOCKS blocks are kept. One thread at a time. The file is borrowed.
 */
struct pw_window;

int pw_must_check pw_window_new(struct pw_window **ret_window, const struct pw_file *file);
void pw_window_free(struct pw_window *window);
PW_DEFINE_CLEANUP(struct pw_window *, pw_window_free);

/* Frees the blocks; they are read again when needed. */
void pw_window_drop(struct pw_window *window);

int pw_must_check pw_window_read(struct pw_window *window, uint64_t offset, void *buffer, size_t n);

/*
 * The bytes from offset to the end of the cached block, borrowed until the next call: at least 1, their number in
 * ret_size. For strings and byte streams. -EFAULT behind the end of the file.
 */
int pw_must_check pw_window_peek(struct pw_window *window, uint64_t offset, const uint8_t **ret_data, size_t *ret_size);
