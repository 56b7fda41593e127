/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_SAVE_H
#define PW_OUTPUT_SAVE_H

#include <stddef.h>

/*
 * Writes a file as a whole, mode 0600, or not at all: beside it first, then renamed over it. A path that is there and
 * no regular file (a terminal, /dev/stdout, a pipe) is written to. 0 or -errno.
 */
int pw_save_file(const char *path, const void *data, size_t size) __attribute__((warn_unused_result));

#endif
