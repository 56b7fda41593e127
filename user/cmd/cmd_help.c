/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include <version.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "cmd/cmd.h"
#include "cmd/oneshot.h"

static int run_help(const struct pw_command *command pw_unused, int argc, char **argv)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(64U << 10);

	if (argc < 2 || argv[1][0] == '-') {
		pw_options_overview(&out);
		return pw_oneshot_print(&out);
	}
	for (size_t i = 0; i < pw_command_count; i++) {
		if (strcmp(pw_commands[i]->name, argv[1]))
			continue;
		pw_options_help(pw_commands[i], &out);
		return pw_oneshot_print(&out);
	}
	pw_log_usage(-EINVAL, "unknown command '%s'; 'parkwatch help' lists them", argv[1]);
	return PW_EXIT_USAGE;
}

static int run_version(const struct pw_command *command, int argc, char **argv)
{
	struct pw_options_result parsed;

	if (pw_options_parse(command, argc, argv, NULL, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (!parsed.help)
		puts("parkwatch " PW_VERSION);
	return PW_EXIT_OK;
}

const struct pw_command pw_cmd_help = {.name = "help",
				       .operands = "[COMMAND]",
				       .summary = "What the commands are, or what one of them does",
				       .run = run_help};
const struct pw_command pw_cmd_version = {
	.name = "version", .operands = "", .summary = "Version of this program", .run = run_version};
