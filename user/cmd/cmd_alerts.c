/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

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
#define ID_MAX		 64
#define ID_CHARACTERS	 "abcdefghijklmnopqrstuvwxyz0123456789-"

struct values {
	enum pw_format format;
	bool schema, all;
};

static const struct pw_option options[] = {
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
	{"all", 0, NULL, "with those that wake nobody: explained by others, grouped, or held", PW_OPTION_FLAG,
	 offsetof(struct values, all), NULL},
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

/* "show ID": the id is a part of the path that is asked for. */
static int path_of(const struct values *values, char **operands, int count, char *path, size_t size)
{
	const char *format = values->format == PW_FORMAT_JSON ? "" : "format=text&", *id = NULL;

	if (count && strcmp(operands[0], "show") != 0)
		return pw_log_usage(-EINVAL, "'%s' is not expected; see 'parkwatch alerts --help'", operands[0]);
	if (count && count != 2)
		return pw_log_usage(-EINVAL, "usage: parkwatch alerts show ID; 'parkwatch alerts' lists them");
	if (count)
		id = operands[1];
	if (id && (!*id || strlen(id) > ID_MAX || id[strspn(id, ID_CHARACTERS)]))
		return pw_log_usage(-EINVAL, "'%.64s' is no ID of an alert: 'parkwatch alerts' lists them", id);
	snprintf(path, size, "/api/v1/alerts?%s%s%s%s", format, values->all ? "all=1&" : "", id ? "id=" : "",
		 id ? id : "");
	return 0;
}

/* What the daemon says of why not, in one line. */
static void log_answer(struct pw_buf *out)
{
	const char *text = pw_buf_text(out);

	pw_log_usage(-ENOENT, "%.*s", (int)strcspn(text, "\n"), text);
}

static enum pw_exit ask(const char *socket, const char *path)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	struct pw_why why = {0};
	long status = 0;
	int r = pw_httpc_get_local(socket, path, ANSWER_NS, &out, &status, &why);

	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
		return PW_EXIT_USAGE;
	}
	if (status == 404 && strstr(path, "id=")) {
		log_answer(&out);
		return PW_EXIT_USAGE;
	}
	if (status == 503) {
		pw_log_usage(-EAGAIN, "the daemon has only just started: try again in a moment");
		return PW_EXIT_UNKNOWN;
	}
	if (status != 200) {
		pw_log_usage(-EIO, "the daemon behind '%s' answers with status %ld", socket, status);
		return PW_EXIT_UNKNOWN;
	}
	return pw_oneshot_print(&out);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_(pw_config_done) struct pw_config config;
	struct values values = {0};
	struct pw_options_result parsed;
	char path[256];

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (values.schema)
		return print_schema();
	if (path_of(&values, argv + parsed.first, parsed.operands, path, sizeof(path)) < 0)
		return PW_EXIT_USAGE;
	pw_oneshot_socket(&config);
	return ask(config.socket, path);
}

const struct pw_command pw_cmd_alerts = {
	.name = "alerts",
	.operands = "[show ID]",
	.summary = "What fires now and what ended lately, with its evidence",
	.details = "Asks the running daemon over its local socket. show: all that is known of one alert, as a page; "
		   "the ID "
		   "may be cut short as long as it is the only one that begins so.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
