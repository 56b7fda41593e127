/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/huge.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/parse.h"
#include "cmd/cmd.h"

/* parkwatch <command> [options]: a command is a row here and a file cmd_<command>.c. */
const struct pw_command *const pw_commands[] = {
	&pw_cmd_daemon, &pw_cmd_ps,	&pw_cmd_trace,	      &pw_cmd_gc,      &pw_cmd_memory,
	&pw_cmd_alerts, &pw_cmd_doctor, &pw_cmd_replay,	      &pw_cmd_rules,   &pw_cmd_goroutines,
	&pw_cmd_heap,	&pw_cmd_stat,	&pw_cmd_check_config, &pw_cmd_version, &pw_cmd_help,
};
const size_t pw_command_count = ARRAY_SIZE(pw_commands);

static const struct pw_command *find(const char *name)
{
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	for (size_t i = 0; i < pw_command_count; i++)
		if (!strcmp(pw_commands[i]->name, name))
			return pw_commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[ARRAY_SIZE(pw_commands)], *near;

	for (size_t i = 0; i < pw_command_count; i++)
		names[i] = pw_commands[i]->name;
	near = pw_suggest(name, names, pw_command_count);
	if (near)
		pw_log_usage(-EINVAL, "unknown command '%s': did you mean '%s'?", name, near);
	else
		pw_log_usage(-EINVAL, "unknown command '%s'; 'parkwatch help' lists them", name);
	return PW_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct pw_command *command;

	if (argc < 2) {
		struct pw_buf out = PW_BUF_INIT(64U << 10);

		pw_options_overview(&out);
		fputs(pw_buf_text(&out), stderr);
		pw_buf_done(&out);
		return PW_EXIT_USAGE;
	}
	pw_huge_init();
	command = find(argv[1]);
	return command ? command->run(command, argc - 1, argv + 1) : unknown(argv[1]);
}
