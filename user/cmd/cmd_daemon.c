/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <malloc.h>
#include <stdio.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/daemon.h"
#include "cmd/privilege.h"

struct values {
	const char *config;
};

static const struct pw_option options[] = {
	{"config", 'c', "FILE", "configuration [" PW_CONFIG_PATH " if it is there]", PW_OPTION_TEXT,
	 offsetof(struct values, config), NULL},
	{"listen", 0, "ADDR:PORT", "address of /metrics and the page, or none", PW_OPTION_SETTING, 0, "listen"},
	{"web.listen-address", 0, "ADDR:PORT", "the same", PW_OPTION_SETTING, 0, "listen"},
	{"socket", 0, "PATH", "local socket for ps, alerts and goroutines, or none", PW_OPTION_SETTING, 0, "socket"},
	{"interval", 0, "DURATION", "how often targets are looked at", PW_OPTION_SETTING, 0, "interval"},
	{"budget", 0, "PERCENT", "of one CPU that probes may cost a process, or none", PW_OPTION_SETTING, 0, "budget"},
	{"host-budget", 0, "PERCENT", "the same for all processes together, or none", PW_OPTION_SETTING, 0,
	 "host_budget"},
	{"attach", 0, "METHOD", "auto, uprobe_multi or perf", PW_OPTION_SETTING, 0, "attach"},
	{"record", 0, "FILE", "write a recording for 'parkwatch replay'", PW_OPTION_SETTING, 0, "record"},
	{"log-level", 0, "LEVEL", "error, warning, info or debug", PW_OPTION_SETTING, 0, "log_level"},
};

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct pw_daemon daemon = {.procfs = PW_PROCFS_INIT};
	struct values values = {0};
	struct pw_options_result parsed;
	struct pw_why why = {0};
	enum pw_exit status = PW_EXIT_USAGE;
	int r;

	pw_config_init(&daemon.flags);
	if (pw_options_parse(command, argc, argv, &values, &daemon.flags, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	daemon.config_path = values.config;
	r = parsed.operands ? pw_why_set(&why, -EINVAL, "'%s' is not expected; see 'parkwatch daemon --help'",
					 argv[parsed.first])
			    : pw_config_copy(&daemon.config, &daemon.flags);
	daemon.config_read_wall_ns = pw_wall_ns();
	if (r >= 0)
		r = pw_config_load(&daemon.config, values.config, &why);
	if (r >= 0 && !pw_privilege_sufficient(&why))
		r = -EPERM;
	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
	} else {
		mallopt(M_ARENA_MAX, 2); /* an arena per web thread would cost more than all they render */
		pw_log_set_level(daemon.config.log_level);
		status = pw_daemon_run(&daemon);
	}
	pw_config_done(&daemon.config);
	pw_config_done(&daemon.flags);
	return status;
}

const struct pw_command pw_cmd_daemon = {
	.name = "daemon",
	.operands = "",
	.summary = "Observe the Go processes of this host, serve metrics, alert",
	.details = "The configuration is read again when its file changes, and at SIGHUP; one with a mistake changes "
		   "nothing.\n"
		   "SIGTERM detaches everything and ends.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
