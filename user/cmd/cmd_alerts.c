/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "base/buf.h"
#include "base/httpc.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"
#include "output/alert_json.h"

#define ANSWER_BYTES_MAX (64U << 20)
#define ANSWER_NS	 (5 * PW_NS_PER_SEC)

struct values {
	enum pw_format format;
	bool schema;
};

static const struct pw_option options[] = {
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
	{"json-schema", 0, NULL, "the JSON Schema of that, and nothing else", PW_OPTION_FLAG,
	 offsetof(struct values, schema), NULL},
	{"socket", 0, "PATH", "local socket of the daemon", PW_OPTION_SETTING, 0, "socket"},
};

static enum pw_exit print_schema(void)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	if (pw_view_alerts_schema(&out) < 0)
		return PW_EXIT_USAGE;
	return pw_oneshot_print(&out);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	_cleanup_(pw_config_done) struct pw_config config;
	struct values values = {0};
	struct pw_options_result parsed;
	struct pw_why why = {0};
	long status = 0;
	int r;

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (values.schema)
		return print_schema();
	if (parsed.operands) {
		pw_log_usage(-EINVAL, "'%s' is not expected; see 'parkwatch alerts --help'", argv[parsed.first]);
		return PW_EXIT_USAGE;
	}
	pw_oneshot_socket(&config);
	r = pw_httpc_get_local(config.socket,
			       values.format == PW_FORMAT_JSON ? "/api/v1/alerts" : "/api/v1/alerts?format=text",
			       ANSWER_NS, &out, &status, &why);
	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
		return PW_EXIT_USAGE;
	}
	if (status == 503) {
		pw_log_usage(-EAGAIN, "the daemon has only just started: try again in a moment");
		return PW_EXIT_UNKNOWN;
	}
	if (status != 200) {
		pw_log_usage(-EIO, "the daemon behind '%s' answers with status %ld", config.socket, status);
		return PW_EXIT_UNKNOWN;
	}
	return pw_oneshot_print(&out);
}

const struct pw_command pw_cmd_alerts = {
	.name = "alerts",
	.operands = "",
	.summary = "What fires now and what ended lately, with its evidence",
	.details = "Asks the running daemon over its local socket.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
