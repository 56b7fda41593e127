/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"

struct values {
	const char *file;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"config", 'c', "FILE", "the file, instead of the operand", PW_OPTION_TEXT, offsetof(struct values, file),
	 NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
};

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(4U << 20);
	_cleanup_(pw_config_done) struct pw_config config;
	struct values values = {0};
	struct pw_options_result parsed;
	struct pw_why why = {0};
	int r;

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (parsed.operands > 1 || (parsed.operands && values.file)) {
		pw_log_usage(-EINVAL, "one file at most; see 'parkwatch check-config --help'");
		return PW_EXIT_USAGE;
	}
	r = pw_config_load(&config, parsed.operands ? argv[parsed.first] : values.file, &why);
	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
		return PW_EXIT_USAGE;
	}
	if (values.format == PW_FORMAT_JSON)
		pw_config_print_json(&config, &out);
	else
		pw_config_print(&config, &out);
	return pw_oneshot_print(&out);
}

const struct pw_command pw_cmd_check_config = {
	.name = "check-config",
	.operands = "[FILE]",
	.summary = "Each effective setting and where it comes from",
	.details = "Without FILE, " PW_CONFIG_PATH
		   " if it is there. A mistake is named with line and column, exit status 3.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
