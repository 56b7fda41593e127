/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/diagnose.h"
#include "base/buf.h"
#include "base/httpc.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"
#include "cmd/rules_test.h"

/* Both kinds of rules: those that raise alerts over time, and those that read one look at the goroutines. */
#define RULES_MAX 64

#define ANSWER_BYTES_MAX (64U << 20)
#define ANSWER_NS	 (5 * PW_NS_PER_SEC)

struct values {
	const char *socket;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"json", 0, NULL, "list: as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"socket", 0, "PATH", "list: local socket of the daemon", PW_OPTION_TEXT, offsetof(struct values, socket),
	 NULL},
};

static size_t rule_ids(const char *ids[RULES_MAX])
{
	size_t count = 0, n;
	const struct pw_rule *const *alerting = pw_rules(&n);
	const struct pw_diagnosis_rule *reading;

	for (size_t i = 0; i < n && count < RULES_MAX; i++)
		ids[count++] = alerting[i]->id;
	reading = pw_diagnosis_rules(&n);
	for (size_t i = 0; i < n && count < RULES_MAX; i++)
		ids[count++] = reading[i].id;
	return count;
}

/* Of the running daemon: counters, and what is off for whom. False: there is none. */
static bool list_of_daemon(const struct values *values, enum pw_exit *ret_status)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	_cleanup_(pw_config_done) struct pw_config config;
	struct pw_why why = {0};
	long status = 0;
	int r;

	pw_config_init(&config);
	if (values->socket)
		snprintf(config.socket, sizeof(config.socket), "%s", values->socket);
	else
		pw_oneshot_socket(&config);
	if (!config.socket[0] || !strcmp(config.socket, "none"))
		return false;
	r = pw_httpc_get_local(config.socket,
			       values->format == PW_FORMAT_JSON ? "/api/v1/rules" : "/api/v1/rules?format=text",
			       ANSWER_NS, &out, &status, &why);
	if (r < 0 || status != 200)
		return false;
	*ret_status = pw_oneshot_print(&out);
	return true;
}

static enum pw_exit list(void)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);
	const struct pw_diagnosis_rule *reading;
	const struct pw_rule *const *alerting;
	size_t n;

	pw_buf_puts(&out, "raise alerts (daemon, replay)\n");
	alerting = pw_rules(&n);
	for (size_t i = 0; i < n; i++)
		pw_buf_printf(&out, "  %-7s %s\n", alerting[i]->id, alerting[i]->name);
	pw_buf_puts(&out, "read a look at all goroutines (goroutines)\n");
	reading = pw_diagnosis_rules(&n);
	for (size_t i = 0; i < n; i++)
		pw_buf_printf(&out, "  %-7s %s\n", reading[i].id, reading[i].name);
	return pw_oneshot_print(&out);
}

static void explain_alerting(struct pw_buf *out, const struct pw_rule *rule)
{
	pw_buf_printf(out, "%s %s (alert, at most %s)\n  %s\n  next: %s\n", rule->id, rule->name,
		      pw_alert_level_name(rule->level), rule->text, rule->hint);
	for (size_t i = 0; i < rule->parameter_count; i++)
		pw_buf_printf(out, "  %s: %s\n", rule->parameters[i].name, rule->parameters[i].text);
}

static enum pw_exit explain(const char *id)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);
	const struct pw_diagnosis_rule *reading;
	const char *ids[RULES_MAX], *near;
	size_t n;

	reading = pw_diagnosis_rules(&n);
	if (pw_rule_find(id))
		explain_alerting(&out, pw_rule_find(id));
	for (size_t i = 0; i < n; i++)
		if (!strcmp(reading[i].id, id))
			pw_buf_printf(&out, "%s %s\n  %s\n  look for: %s\n", reading[i].id, reading[i].name,
				      reading[i].text, reading[i].look_for);
	if (out.size)
		return pw_oneshot_print(&out);
	near = pw_suggest(id, ids, rule_ids(ids));
	if (near)
		pw_log_usage(-EINVAL, "there is no rule '%s': did you mean '%s'?", id, near);
	else
		pw_log_usage(-EINVAL, "there is no rule '%s'; 'parkwatch rules list' shows all", id);
	return PW_EXIT_USAGE;
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct values values = {0};
	struct pw_options_result parsed;
	enum pw_exit status = PW_EXIT_OK;
	const char *what;

	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	what = parsed.operands ? argv[parsed.first] : "";
	if (parsed.operands == 1 && !strcmp(what, "list")) {
		if (list_of_daemon(&values, &status))
			return (int)status;
		if (values.format == PW_FORMAT_TEXT)
			return list();
		pw_log_usage(-ECONNREFUSED, "no daemon answers: its rules cannot be told");
		return PW_EXIT_USAGE;
	}
	if (parsed.operands == 2 && !strcmp(what, "explain"))
		return explain(argv[parsed.first + 1]);
	if (parsed.operands >= 2 && !strcmp(what, "test"))
		return pw_rules_test_run(&argv[parsed.first + 1], (size_t)parsed.operands - 1);
	pw_log_usage(-EINVAL, "usage: parkwatch rules list | explain ID | test FILE...");
	return PW_EXIT_USAGE;
}

const struct pw_command pw_cmd_rules = {
	.name = "rules",
	.operands = "list | explain ID | test FILE...",
	.summary = "The rules that judge goroutines, in words",
	.details = "list: all of them; of the running daemon, if there is one, how often each judged (evaluated), "
		   "fired, cleared\n"
		   "and was dismissed by the benign list, and for each process which are off and why. explain ID: when "
		   "one speaks, how sure it is, and what to look for in the code.\n"
		   "test FILE: judges a recording and holds the alerts against those that FILE expects; prints ok and "
		   "not ok,\n"
		   "ends with 1 if one is not. FILE is YAML:\n"
		   "  recording: leak.pwrec           # beside FILE; may be gzipped\n"
		   "  rules: {PW-G10: {life: 20s}}    # and services, benign; without them as recorded\n"
		   "  expect:\n"
		   "  - {rule: PW-G01, function: '^main\\.start', level: warning, state: gone, between: [10s, 1m]}\n"
		   "  others: none                    # or any",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
