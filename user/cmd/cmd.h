/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_CMD_H
#define PW_CMD_CMD_H

#include "cmd/options.h"

/* The subcommands: each is a row, made where its options are, in cmd_NAME.c; main.c lists them. */
extern const struct pw_command pw_cmd_daemon, pw_cmd_doctor, pw_cmd_ps, pw_cmd_trace, pw_cmd_gc, pw_cmd_memory,
	pw_cmd_alerts, pw_cmd_replay, pw_cmd_check_config, pw_cmd_version, pw_cmd_help, pw_cmd_goroutines, pw_cmd_heap,
	pw_cmd_rules, pw_cmd_stat;

#endif
