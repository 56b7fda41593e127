/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"
#include "cmd/replaying.h"
#include "output/alert_json.h"
#include "output/report.h"

#define ANSWER_BYTES_MAX (64U << 20)

struct values {
	const char *rules;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"rules", 0, "FILE", "judge by this configuration file instead of what is recorded", PW_OPTION_TEXT,
	 offsetof(struct values, rules), NULL},
	{"config", 'c', "FILE", "the same", PW_OPTION_TEXT, offsetof(struct values, rules), NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
};

struct shown {
	const struct values *values;
	struct pw_buf transitions;
	uint64_t count;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct shown *shown = context;

	shown->count++;
	if (shown->values->format == PW_FORMAT_TEXT) {
		pw_report_alert(&shown->transitions, alert);
		return;
	}
	if (shown->transitions.size)
		pw_buf_puts(&shown->transitions, ",\n");
	pw_view_alert_line(&shown->transitions, alert);
}

static enum pw_exit show(struct shown *shown, uint64_t records)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);

	if (pw_buf_error(&shown->transitions))
		return pw_oneshot_print(&shown->transitions);
	if (shown->values->format == PW_FORMAT_JSON)
		pw_buf_printf(&out, "{\"schema_version\":%d,\"records\":%" PRIu64 ",\"transitions\":[\n%s]}\n",
			      PW_ALERTS_SCHEMA_VERSION, records, pw_buf_text(&shown->transitions));
	else
		pw_buf_printf(&out, "%s%" PRIu64 " records, %" PRIu64 " transitions\n",
			      pw_buf_text(&shown->transitions), records, shown->count);
	return pw_oneshot_print(&out);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_(pw_config_done) struct pw_config config;
	struct values values = {0};
	struct shown shown = {.values = &values, .transitions = PW_BUF_INIT(ANSWER_BYTES_MAX)};
	struct pw_replaying replaying = {.on_transition = on_transition, .context = &shown};
	struct pw_options_result parsed;
	struct pw_why why = {0};
	enum pw_exit status = PW_EXIT_USAGE;
	int r;

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (parsed.operands != 1) {
		pw_log_usage(-EINVAL, "usage: parkwatch replay [options] FILE; see 'parkwatch replay --help'");
		return PW_EXIT_USAGE;
	}
	r = values.rules ? pw_config_read_file(&config, values.rules, &why) : 0;
	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
	} else {
		replaying.rules = values.rules ? &config : NULL;
		status = pw_replaying_run(&replaying, argv[parsed.first]);
	}
	if (status == PW_EXIT_OK)
		status = show(&shown, replaying.records);
	pw_buf_done(&shown.transitions);
	return status;
}

const struct pw_command pw_cmd_replay = {
	.name = "replay",
	.operands = "FILE",
	.summary = "Judge a recording again",
	.details = "FILE was written by 'parkwatch daemon --record FILE'; it may be gzipped. Prints each alert as it "
		   "fires and is\n"
		   "resolved: the same as the daemon did, by the rules it holds and each reload of them, unless "
		   "--rules names\n"
		   "others.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
