/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"
#include "model/record.h"
#include "model/stream.h"
#include "output/alert_json.h"
#include "output/report.h"

#define ANSWER_BYTES_MAX (64U << 20)

struct values {
	const char *config;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"config", 'c', "FILE", "judge by the rules of this file instead of the recorded ones", PW_OPTION_TEXT,
	 offsetof(struct values, config), NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
};

struct replaying {
	const struct values *values;
	struct pw_config config; /* rules in force */
	struct pw_analysis *analysis;
	struct pw_buf transitions;
	uint64_t records, count;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct replaying *replaying = context;

	replaying->count++;
	if (replaying->values->format == PW_FORMAT_TEXT) {
		pw_report_alert(&replaying->transitions, alert);
		return;
	}
	if (replaying->transitions.size)
		pw_buf_puts(&replaying->transitions, ",\n");
	pw_view_alert_line(&replaying->transitions, alert);
}

static int read_fd(void *context, void *buffer, size_t size)
{
	ssize_t n = read(*(const int *)context, buffer, size);

	return n < 0 ? -errno : (int)n;
}

static int on_rules(struct replaying *replaying, const struct pw_entry *entry)
{
	struct pw_config config;
	struct pw_why why = {0};
	int r;

	if (replaying->values->config)
		return 0;
	pw_config_init(&config);
	r = pw_config_read_text(&config, "recorded rules", entry->rules, entry->rules_size, &why);
	if (r < 0) {
		pw_config_done(&config);
		return pw_log_usage(r, "%s", pw_why_text(&why, r));
	}
	pw_config_done(&replaying->config);
	replaying->config = config;
	return pw_analysis_judge_by(replaying->analysis, &config.rules, config.policy);
}

static int on_entry(struct replaying *replaying, const struct pw_entry *entry)
{
	int r = 0;

	switch (entry->kind) {
	case PW_ENTRY_RECORD:
		replaying->records++;
		r = pw_analysis_step(replaying->analysis, entry->record);
		pw_record_unref(entry->record);
		break;
	case PW_ENTRY_RULES:
		r = on_rules(replaying, entry);
		break;
	case PW_ENTRY_GONE:
		pw_analysis_forget(replaying->analysis, &entry->death);
		break;
	case _PW_ENTRY_MAX:
		break;
	}
	return r;
}

static enum pw_exit replay(struct replaying *replaying, const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pw_decoder *decoder = NULL;
	struct pw_entry entry = {0};
	struct pw_why why = {0};
	int r;

	if (fd < 0) {
		pw_log_usage(-errno, "cannot read '%s': %s", path, strerror(errno));
		return PW_EXIT_USAGE;
	}
	r = pw_decoder_new(&decoder, read_fd, &fd);
	if (r < 0) {
		pw_log_usage(r, "out of memory");
		return PW_EXIT_USAGE;
	}
	while ((r = pw_decoder_next(decoder, &entry, &why)) > 0) {
		r = on_entry(replaying, &entry);
		if (r < 0)
			break;
	}
	pw_decoder_free(decoder);
	if (r == -EBADMSG && replaying->records) {
		pw_log_usage(r, "'%s' is cut off: %s; judged up to there", path, pw_why_text(&why, r));
		return PW_EXIT_OK;
	}
	if (r < 0) {
		pw_log_usage(r, "cannot replay '%s': %s", path, pw_why_text(&why, r));
		return PW_EXIT_UNKNOWN;
	}
	return PW_EXIT_OK;
}

static enum pw_exit show(struct replaying *replaying)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);

	if (pw_buf_error(&replaying->transitions))
		return pw_oneshot_print(&replaying->transitions);
	if (replaying->values->format == PW_FORMAT_JSON)
		pw_buf_printf(&out, "{\"schema_version\":%d,\"records\":%" PRIu64 ",\"transitions\":[\n%s]}\n",
			      PW_ALERTS_SCHEMA_VERSION, replaying->records, pw_buf_text(&replaying->transitions));
	else
		pw_buf_printf(&out, "%s%" PRIu64 " records, %" PRIu64 " transitions\n",
			      pw_buf_text(&replaying->transitions), replaying->records, replaying->count);
	return pw_oneshot_print(&out);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct values values = {0};
	struct replaying replaying = {.values = &values, .transitions = PW_BUF_INIT(ANSWER_BYTES_MAX)};
	struct pw_options_result parsed;
	struct pw_why why = {0};
	enum pw_exit status = PW_EXIT_USAGE;
	int r;

	pw_config_init(&replaying.config);
	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (parsed.operands != 1) {
		pw_log_usage(-EINVAL, "usage: parkwatch replay [options] FILE; see 'parkwatch replay --help'");
		return PW_EXIT_USAGE;
	}
	r = values.config ? pw_config_read_file(&replaying.config, values.config, &why) : 0;
	if (r < 0)
		pw_log_usage(r, "%s", pw_why_text(&why, r));
	else if (pw_analysis_new(&replaying.analysis, &replaying.config.rules, on_transition, &replaying) < 0 ||
		 pw_analysis_judge_by(replaying.analysis, &replaying.config.rules, replaying.config.policy) < 0)
		pw_log_usage(-ENOMEM, "out of memory");
	else
		status = replay(&replaying, argv[parsed.first]);
	if (status == PW_EXIT_OK)
		status = show(&replaying);
	if (replaying.analysis)
		pw_analysis_free(replaying.analysis);
	pw_buf_done(&replaying.transitions);
	pw_config_done(&replaying.config);
	return status;
}

const struct pw_command pw_cmd_replay = {
	.name = "replay",
	.operands = "FILE",
	.summary = "Judge a recording again",
	.details = "FILE was written by 'parkwatch daemon --record FILE'. Prints each alert as it fires and is "
		   "resolved: the\n"
		   "same as the daemon did, unless -c names other rules.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
