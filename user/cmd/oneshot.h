/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_ONESHOT_H
#define PW_CMD_ONESHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/procfs.h"
#include "cmd/options.h"

struct pw_buf;
struct pw_config;
struct pw_features;
struct pw_observation;
struct pw_reader;
struct pw_target;
struct pw_why;

/* What the commands that look once have in common: /proc, a reader, one target by pid or name, output to stdout. */
struct pw_oneshot {
	struct pw_procfs procfs;
	struct pw_reader *reader;
};

/* Starts the reader process: PW_EXIT_OK, or PW_EXIT_USAGE with one line said. Call before any thread exists. */
enum pw_exit pw_oneshot_open(struct pw_oneshot *oneshot) __attribute__((warn_unused_result));
void pw_oneshot_close(struct pw_oneshot *oneshot);

/* PID or the name of a process (comm, or the last part of its exe) that is unique among Go programs and others:
 * *ret_pid. One line said otherwise. */
enum pw_exit pw_oneshot_find(struct pw_oneshot *oneshot, const char *pid_or_name, int *ret_pid)
	__attribute__((warn_unused_result));
/* Opens that target, or says in one line why not. */
enum pw_exit pw_oneshot_target(struct pw_oneshot *oneshot, int pid, struct pw_target **ret_target)
	__attribute__((warn_unused_result));

/* Works until census and names are there, at most timeout_ns: 0, -ETIMEDOUT, -ESRCH. */
int pw_oneshot_settle(struct pw_observation *observation, struct pw_target *target, uint64_t timeout_ns);

/* Whether events of a target that is not attached could be had, and why not: fills events_ok and events_reason. */
void pw_oneshot_judge_events(struct pw_target *target, const struct pw_features *features);

/* Writes all of it to stdout: PW_EXIT_OK, or PW_EXIT_USAGE when that fails (no room, closed pipe). */
enum pw_exit pw_oneshot_print(const struct pw_buf *out);

/* The socket of the daemon: flag, environment, configuration file if we may read it, default. */
void pw_oneshot_socket(struct pw_config *config);

#endif
