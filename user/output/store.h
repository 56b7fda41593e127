/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_STORE_H
#define PW_OUTPUT_STORE_H

#include <stdbool.h>

struct pw_why;

/*
 * Opens a recording to write at its end: an fd, locked against a second writer, or -errno. A new file is 0600. An
 * existing one is gone on with only if it is a recording that can be read (*ret_existing: write a session entry, not a
 * header); the rest of an entry that a crash has cut off is removed from its end. Nothing else is ever overwritten:
 * -EEXIST no recording, -EBADMSG damaged in the middle, -ENOTSUP another format, -EBUSY somebody else writes to it.
 */
int pw_store_open_recording(const char *path, bool *ret_existing, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

#endif
