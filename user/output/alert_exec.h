/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_ALERT_EXEC_H
#define PW_OUTPUT_ALERT_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/sinks.h"

struct pw_alert;
struct pw_why;

/*
 * A command that is run for each transition of an alert, with its JSON on standard input and fixed arguments: nothing
 * of an alert reaches a command line or an environment. A process of its own, forked at start, runs it: as nobody if we
 * are root, without capabilities, without our files, in its own process group, one at a time, for exec_timeout_ns at
 * most. Its first words are logged if it fails.
 */
struct pw_alert_exec;

/* Call before any thread is there and before privileges are dropped. -errno with a sentence. */
int pw_alert_exec_start(struct pw_alert_exec **ret_exec, const struct pw_sinks_config *config,
			struct pw_why *reterr_why) __attribute__((warn_unused_result));
/* What still runs is left to end by itself. */
void pw_alert_exec_free(struct pw_alert_exec *exec);
/* Never waits: what does not fit into the queue of that process (some dozens) is dropped and counted. */
void pw_alert_exec_tell(struct pw_alert_exec *exec, const struct pw_alert *alert);
/* Readable when a command has ended; then dispatch. False: that process itself has ended, nothing more will come. */
int pw_alert_exec_fd(const struct pw_alert_exec *exec);
bool pw_alert_exec_dispatch(struct pw_alert_exec *exec);
void pw_alert_exec_stats(const struct pw_alert_exec *exec, struct pw_sink_stats *ret_stats);

#endif
