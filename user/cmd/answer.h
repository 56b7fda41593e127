/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_ANSWER_H
#define PW_CMD_ANSWER_H

#include <regex.h>
#include <stdbool.h>

#include "cmd/options.h"

struct pw_buf;

/* What the commands that show a profile have in common. Each says in one line what is wrong. */

/* To a file (0600), or to stdout if path is NULL. */
enum pw_exit pw_answer_deliver(const struct pw_buf *out, const char *path) __attribute__((warn_unused_result));
/* An option that is an extended regular expression; *ret_has stays as it is if text is NULL. 0, -EINVAL. */
int pw_answer_regex(const char *option, const char *text, regex_t *regex, bool *ret_has)
	__attribute__((warn_unused_result));
/* All of a file that the user named: 0, or what the system or out said, about which nothing is said here. */
int pw_answer_read_file(const char *path, struct pw_buf *out) __attribute__((warn_unused_result));

#endif
