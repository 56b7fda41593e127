/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_SUPPORT_GO_TARGET_H
#define TESTS_SUPPORT_GO_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* A Go program of tests/targets under our control: commands to its standard input, one line of JSON back. */
struct go_target {
	pid_t pid;
	int input;
	FILE *output;
	char path[512];
	char *line; /* the last answer */
	size_t line_size;
};

/* Every version and flavour that scripts/targets --default builds; NULL-terminated. */
extern const char *const go_target_versions[];
extern const char *const go_target_flavours[];

/* False: that program is not built (scripts/targets BEHAVIOUR VERSION FLAVOUR). Waits until it says that it is ready.
 */
bool go_target_start(struct go_target *target, const char *behaviour, const char *version, const char *flavour);
/* Sends a command and returns the answer, which is valid until the next one. Fails the test on "ok": false. */
const char *go_target_ask(struct go_target *target, const char *command);
void go_target_stop(struct go_target *target);

/* The number behind "key": in an answer; -1 if it is not there. */
long long go_target_number(const char *answer, const char *key);

#endif
