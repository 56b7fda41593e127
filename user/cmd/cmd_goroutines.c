/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/diagnose.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/answer.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/daemon_ages.h"
#include "cmd/goroutines_look.h"
#include "cmd/goroutines_request.h"
#include "cmd/oneshot.h"
#include "model/profile.h"
#include "output/profile.h"
#include "target/core.h"
#include "target/target.h"

/*
 * All goroutines of one process: look (target), build (observe), select (model), diagnose (analysis), write (output).
 */
#define EVERY_NS	 (100 * PW_NS_PER_MS)
#define TOP		 20
#define ANSWER_BYTES_MAX (1ULL << 30)

#define VALUE(name) offsetof(struct pw_goroutines_values, name)
static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process", PW_OPTION_TEXT, VALUE(pid), NULL},
	{"core", 0, "FILE", "a core file instead of a process", PW_OPTION_TEXT, VALUE(core), NULL},
	{"exe", 0, "FILE", "its executable [the one it names]", PW_OPTION_TEXT, VALUE(exe), NULL},
	{"by", 0, "WHAT", "site, stack, reason or label:KEY [stack]", PW_OPTION_TEXT, VALUE(by), NULL},
	{"min-age", 0, "DURATION", "only those parked (or alive) for so long", PW_OPTION_DURATION, VALUE(min_age_ns),
	 NULL},
	{"min-count", 0, "N", "only groups of so many", PW_OPTION_NUMBER, VALUE(min_count), NULL},
	{"with", 0, "WHAT", "only reason=REASON or label:KEY[=VALUE]", PW_OPTION_TEXT, VALUE(with), NULL},
	{"blocked", 0, "REGEX", "only with a function or file on the stack that matches", PW_OPTION_TEXT,
	 VALUE(blocked), NULL},
	{"created", 0, "REGEX", "only with a go statement whose function or file matches", PW_OPTION_TEXT,
	 VALUE(created), NULL},
	{"goroutine", 0, "ID", "one goroutine, with all that is known of it", PW_OPTION_NUMBER, VALUE(goid), NULL},
	{"diff", 0, "OLD", "growth against an older profile (JSON)", PW_OPTION_TEXT, VALUE(diff), NULL},
	{"top", 0, "N", "groups shown as text [20]", PW_OPTION_NUMBER, VALUE(top), NULL},
	{"once", 0, NULL, "one look, not two one second apart", PW_OPTION_FLAG, VALUE(once), NULL},
	{"over", 0, "DURATION", "many looks: time per stack by state", PW_OPTION_DURATION, VALUE(over_ns), NULL},
	{"every", 0, "DURATION", "between them [100ms]", PW_OPTION_DURATION, VALUE(every_ns), NULL},
	{"format", 0, "FORMAT", "text, json, pprof, folded, svg or debug2 [text]", PW_OPTION_TEXT, VALUE(style), NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_FLAG, VALUE(json), NULL},
	{"json-schema", 0, NULL, "the JSON Schema of that, and nothing else", PW_OPTION_FLAG, VALUE(schema), NULL},
	{"socket", 0, "PATH", "of the daemon that is asked for ages, or none", PW_OPTION_SETTING, 0, "socket"},
	{"output", 'o', "FILE", "into a file (0600) instead of stdout", PW_OPTION_TEXT, VALUE(output), NULL},
};

static int shape(struct pw_profile *profile, const struct pw_goroutines_request *request)
{
	int r;

	if (request->old) { /* before anything is merged, so that rules can see growth */
		r = pw_profile_compare(profile, request->old);
		if (r < 0)
			return r;
	}
	pw_diagnose(profile);
	r = pw_profile_filter(profile, &request->filter);
	if (r >= 0)
		r = pw_profile_regroup(profile, request->by, request->by_label);
	return r;
}

/* The older profile is cut to the same shape, and compared again when groups are no longer single stacks. */
static int shape_both(struct pw_profile *profile, const struct pw_goroutines_request *request)
{
	struct pw_profile_filter filter = request->filter;
	int r = shape(profile, request);

	if (r < 0 || !request->old || request->by == PW_PROFILE_BY_LABEL)
		return r;
	filter.min_age_ns = filter.goid = filter.min_count = 0;
	filter.label_key = NULL;
	r = pw_profile_filter(request->old, &filter);
	if (r >= 0)
		r = pw_profile_regroup(request->old, request->by, NULL);
	return r < 0 ? r : pw_profile_compare(profile, request->old);
}

static int write_answer(struct pw_buf *out, const struct pw_profile *profile,
			const struct pw_goroutines_request *request)
{
	switch (request->style) {
	case PW_GOROUTINES_JSON:
		return pw_profile_write_json(out, profile);
	case PW_GOROUTINES_PPROF:
		return pw_profile_write_pprof(out, profile);
	case PW_GOROUTINES_FOLDED:
		return pw_profile_write_folded(out, profile);
	case PW_GOROUTINES_SVG:
		return pw_profile_write_svg(out, profile);
	case PW_GOROUTINES_DEBUG2:
		return pw_profile_write_debug2(out, profile);
	case PW_GOROUTINES_TEXT:
	case _PW_GOROUTINES_STYLE_MAX:
		break;
	}
	if (request->values->goid)
		return pw_profile_write_goroutine(out, profile);
	return pw_profile_write_text(out, profile, request->values->top);
}

/* What was asked about, for a sentence. */
static const char *name_of(const struct pw_goroutines_request *request, int pid, char buffer[64])
{
	if (request->values->core)
		return "the core";
	snprintf(buffer, 64, "process %d", pid);
	return buffer;
}

static enum pw_exit answer(struct pw_profile *profile, const struct pw_goroutines_request *request)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	char name[64];
	int r = shape_both(profile, request);

	if (r >= 0 && request->values->goid && !profile->goroutine_count) {
		pw_log_usage(-ESRCH, "%s has no goroutine %" PRIu64, name_of(request, profile->pid, name),
			     request->values->goid);
		return PW_EXIT_UNKNOWN;
	}
	if (r >= 0)
		r = write_answer(&out, profile, request);
	if (r < 0) {
		pw_log_usage(r, "cannot make the profile: %s", strerror(-r));
		return PW_EXIT_USAGE;
	}
	return pw_answer_deliver(&out, request->values->output);
}

static enum pw_exit look_and_answer(struct pw_target *target, const struct pw_goroutines_request *request,
				    const char *socket)
{
	struct pw_profile *profile = NULL;
	struct pw_daemon_ages ages;
	const char *name;
	enum pw_exit status;
	char buffer[64];
	int r;

	name = name_of(request, target->pid, buffer);
	if (!target->memory_ok) {
		pw_log_usage(-EACCES, "the goroutines of %s cannot be read: %s", name, target->memory_reason);
		return PW_EXIT_UNKNOWN;
	}
	if (!target->symbols_ok)
		pw_log_usage(0, "%s has no names: %s", name, target->symbols_reason);
	pw_daemon_ages_ask(request->values->over_ns || target->frozen ? "" : socket, target, &ages);
	if (request->values->once && request->values->min_age_ns && !ages.count && !target->frozen) {
		pw_daemon_ages_done(&ages);
		pw_log_usage(
			-EINVAL,
			"--min-age with --once: one look says nothing of ages, and no daemon has watched %s; leave out "
			"--once",
			name);
		return PW_EXIT_USAGE;
	}
	r = pw_goroutines_look(target, request->values, &ages, &profile);
	pw_daemon_ages_done(&ages);
	if (r < 0) {
		pw_log_usage(r, "the goroutines of %s could not be read: %s", name,
			     r == -ESRCH ? "it has ended" : strerror(-r));
		return PW_EXIT_UNKNOWN;
	}
	status = answer(profile, request);
	pw_profile_free(profile);
	return status;
}

static enum pw_exit open_core(struct pw_oneshot *oneshot, const struct pw_goroutines_values *values,
			      struct pw_target **ret_target)
{
	struct pw_why why = {};
	int r = pw_target_open_core(ret_target, values->core, values->exe, oneshot->reader, &why);

	if (!r)
		return PW_EXIT_OK;
	pw_log_usage(r, "%s", pw_why_text(&why, r));
	return r == -EBADMSG || r == -ENOTSUP || r == -ENOEXEC || r == -ENODATA || r == -ESTALE ? PW_EXIT_UNKNOWN
												: PW_EXIT_USAGE;
}

static enum pw_exit open_process(struct pw_oneshot *oneshot, const struct pw_goroutines_values *values,
				 struct pw_target **ret_target)
{
	int pid;
	enum pw_exit status = pw_oneshot_find(oneshot, values->pid, &pid);

	return status == PW_EXIT_OK ? pw_oneshot_target(oneshot, pid, ret_target) : status;
}

static enum pw_exit open_and_answer(const struct pw_goroutines_request *request, const char *socket)
{
	struct pw_oneshot oneshot = {.procfs = PW_PROCFS_INIT};
	struct pw_target *target = NULL;
	enum pw_exit status;

	status = pw_oneshot_open(&oneshot);
	if (status == PW_EXIT_OK)
		status = request->values->core ? open_core(&oneshot, request->values, &target)
					       : open_process(&oneshot, request->values, &target);
	if (status == PW_EXIT_OK)
		status = look_and_answer(target, request, socket);
	pw_target_free(target);
	pw_oneshot_close(&oneshot);
	return status;
}

static enum pw_exit print_schema(const struct pw_goroutines_values *values)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	if (pw_profile_write_json_schema(&out) < 0)
		return PW_EXIT_USAGE;
	return pw_answer_deliver(&out, values->output);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct pw_goroutines_values values = {.top = TOP, .every_ns = EVERY_NS};
	_cleanup_(pw_goroutines_request_done) struct pw_goroutines_request request = {};
	_cleanup_(pw_config_done) struct pw_config config;
	struct pw_options_result parsed;

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (values.schema)
		return print_schema(&values);
	if ((!values.pid && !values.core && !values.exe) || parsed.operands) {
		pw_log_usage(-EINVAL, "usage: parkwatch goroutines -p PID|NAME or --core FILE; see 'parkwatch "
				      "goroutines --help'");
		return PW_EXIT_USAGE;
	}
	if (pw_goroutines_request_parse(&request, &values) < 0)
		return PW_EXIT_USAGE;
	if (request.style == PW_GOROUTINES_PPROF && !values.output && isatty(STDOUT_FILENO)) {
		pw_log_usage(-EINVAL, "pprof is binary: give a file with -o, or a pipe");
		return PW_EXIT_USAGE;
	}
	pw_oneshot_socket(&config);
	return open_and_answer(&request, config.socket);
}

const struct pw_command pw_cmd_goroutines = {
	.name = "goroutines",
	.operands = "",
	.summary = "Every goroutine of one process by stack, and what it means",
	.details =
		"Looks twice, one second apart, without stopping the process: how many, since when, on what, started "
		"where. Since when is what the running daemon has seen, if there is one: it watches for longer.\nThe "
		"JSON of one "
		"look is what --diff compares a later one with.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
