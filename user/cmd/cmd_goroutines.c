/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "analysis/diagnose.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/oneshot.h"
#include "model/profile.h"
#include "model/profile_select.h"
#include "observe/profile_build.h"
#include "output/profile.h"
#include "output/save.h"
#include "target/snapshot.h"
#include "target/symbolize.h"
#include "target/target.h"

/*
 * All goroutines of one process: look (target), build (observe), select (model), diagnose (analysis), write (output).
 * Two looks tell what stands still from what only happened to be parked; with --over many looks become one profile of
 * where time goes.
 */
#define APART_NS	 PW_NS_PER_SEC
#define EVERY_NS	 (100 * PW_NS_PER_MS)
#define EVERY_MIN_NS	 (10 * PW_NS_PER_MS)
#define TOP		 20
#define MEMORY_BUDGET	 (4ULL << 30)
#define ANSWER_BYTES_MAX (1ULL << 30)
#define NAMING_ROUNDS	 4
#define BIRTHS_TRIES	 50

enum style { TEXT, JSON, PPROF, FOLDED, SVG, DEBUG2, _STYLES };
static const char *const styles[_STYLES] = {"text", "json", "pprof", "folded", "svg", "debug2"};

struct values {
	const char *pid, *by, *with, *blocked, *created, *diff, *style, *output;
	uint64_t min_age_ns, min_count, goid, top, over_ns, every_ns;
	bool once, json, schema;
};

#define VALUE(name) offsetof(struct values, name)
static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process (required)", PW_OPTION_TEXT, VALUE(pid), NULL},
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
	{"output", 'o', "FILE", "into a file (0600) instead of stdout", PW_OPTION_TEXT, VALUE(output), NULL},
};

/* What the options mean. */
struct request {
	const struct values *values;
	enum style style;
	enum pw_profile_by by;
	const char *by_label;
	struct pw_profile_filter filter;
	char with[512]; /* "KEY\0VALUE" of --with label: */
	regex_t blocked, created;
	bool has_blocked, has_created;
	struct pw_profile *old; /* --diff */
};

static void request_done(struct request *request)
{
	if (request->has_blocked)
		regfree(&request->blocked);
	if (request->has_created)
		regfree(&request->created);
	pw_profile_free(request->old);
}

/* --- options ----------------------------------------------------------------------------------------------------- */

static int parse_style(struct request *request)
{
	const char *name = request->values->style;

	if (!name) {
		request->style = request->values->json ? JSON : TEXT;
		return 0;
	}
	for (int i = 0; i < _STYLES; i++)
		if (!strcmp(name, styles[i])) {
			request->style = (enum style)i;
			return 0;
		}
	return pw_log_usage(-EINVAL, "--format: '%s' is none of text, json, pprof, folded, svg, debug2", name);
}

static int parse_by(struct request *request)
{
	const char *by = request->values->by;

	if (!by || !strcmp(by, "stack"))
		request->by = PW_PROFILE_BY_STACK;
	else if (!strcmp(by, "site"))
		request->by = PW_PROFILE_BY_SITE;
	else if (!strcmp(by, "reason"))
		request->by = PW_PROFILE_BY_REASON;
	else if (!strncmp(by, "label:", 6) && by[6]) {
		request->by = PW_PROFILE_BY_LABEL;
		request->by_label = by + 6;
	} else
		return pw_log_usage(-EINVAL, "--by: '%s' is none of site, stack, reason, label:KEY", by);
	return 0;
}

static int parse_with(struct request *request)
{
	const char *with = request->values->with;
	char *equals;

	if (!with)
		return 0;
	if (!strncmp(with, "reason=", 7) && with[7]) {
		request->filter.reason = with + 7;
		return 0;
	}
	if (strncmp(with, "label:", 6) != 0 || !with[6] || strlen(with) >= sizeof(request->with))
		return pw_log_usage(-EINVAL, "--with: '%s' is neither reason=REASON nor label:KEY[=VALUE]", with);
	snprintf(request->with, sizeof(request->with), "%s", with + 6);
	equals = strchr(request->with, '=');
	if (equals) {
		*equals = '\0';
		request->filter.label_value = equals + 1;
	}
	request->filter.label_key = request->with;
	return 0;
}

static int parse_regex(const char *option, const char *text, regex_t *regex, bool *ret_has)
{
	char message[128];
	int r;

	if (!text)
		return 0;
	r = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, regex, message, sizeof(message));
		return pw_log_usage(-EINVAL, "--%s: '%s' is no regular expression: %s", option, text, message);
	}
	*ret_has = true;
	return 0;
}

static int read_file(const char *path, struct pw_buf *out)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char block[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, block, sizeof(block))) > 0)
		if (pw_buf_append(out, block, (size_t)n) < 0)
			return pw_buf_error(out);
	return n < 0 ? -errno : 0;
}

static int read_old(struct request *request)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_PROFILE_FILE_MAX);
	const char *path = request->values->diff;
	int r;

	if (!path)
		return 0;
	r = read_file(path, &text);
	if (r < 0)
		return pw_log_usage(r, "cannot read '%s': %s", path, strerror(-r));
	r = pw_profile_read_json(pw_buf_text(&text), text.size, &request->old);
	if (r == -ENOTSUP)
		return pw_log_usage(r, "'%s' has a schema_version that this parkwatch does not know", path);
	if (r < 0)
		return pw_log_usage(r, "'%s' is not the JSON of 'parkwatch goroutines'", path);
	return 0;
}

static int parse_request(struct request *request)
{
	const struct values *values = request->values;
	bool rows = values->min_age_ns || values->goid || request->by == PW_PROFILE_BY_LABEL;

	if (parse_style(request) < 0 || parse_by(request) < 0 || parse_with(request) < 0 ||
	    parse_regex("blocked", values->blocked, &request->blocked, &request->has_blocked) < 0 ||
	    parse_regex("created", values->created, &request->created, &request->has_created) < 0)
		return -EINVAL;
	request->filter.min_age_ns = values->min_age_ns;
	request->filter.min_count = values->min_count;
	request->filter.goid = values->goid;
	request->filter.blocked = request->has_blocked ? &request->blocked : NULL;
	request->filter.created = request->has_created ? &request->created : NULL;
	rows |= request->by == PW_PROFILE_BY_LABEL || request->filter.label_key || request->style == DEBUG2;
	if (values->over_ns && (values->once || rows))
		return pw_log_usage(-EINVAL, "--over adds up many looks: it does not go with --once, --min-age, "
					     "--goroutine, labels or debug2");
	if (values->every_ns < EVERY_MIN_NS)
		return pw_log_usage(-EINVAL, "--every must be at least 10ms");
	if (values->once && values->min_age_ns)
		return pw_log_usage(-EINVAL, "--min-age needs two looks: leave out --once");
	return read_old(request);
}

/* --- looks ------------------------------------------------------------------------------------------------------- */

struct looking {
	struct pw_oneshot oneshot;
	struct pw_target *target;
	struct pw_snapshot *snapshot;
	struct pw_profile_builder *builder;
	struct pw_profile *profile;
	sigset_t signals;
	bool stopped;
};

static void looking_done(struct looking *looking)
{
	pw_profile_free(looking->profile);
	pw_profile_builder_free(looking->builder);
	if (looking->snapshot)
		pw_snapshot_free(looking->snapshot);
	if (looking->target)
		pw_target_free(looking->target);
	pw_oneshot_close(&looking->oneshot);
}

/* Waits until a time (CLOCK_MONOTONIC), or for Ctrl-C. */
static void wait_until(struct looking *looking, uint64_t end)
{
	uint64_t now;

	while (!looking->stopped && (now = pw_now_ns()) < end) {
		struct timespec left = {(time_t)((end - now) / PW_NS_PER_SEC), (long)((end - now) % PW_NS_PER_SEC)};

		looking->stopped = sigtimedwait(&looking->signals, NULL, &left) > 0;
	}
}

static int look_twice(struct looking *looking, const struct values *values)
{
	const struct pw_snapshot_result *look = pw_snapshot_result(looking->snapshot);
	uint64_t first_ns = look->taken_ns, apart = PW_MAX(APART_NS, values->min_age_ns);
	char text[PW_DURATION_SIZE];
	int r;

	looking->profile->duration_ns = look->duration_ns;
	if (values->once)
		return pw_profile_builder_look(looking->builder, look, 0);
	if (apart > APART_NS)
		pw_log_usage(0, "looking twice, %s apart, as ages are known only since the first look",
			     pw_time_duration(apart, text));
	wait_until(looking, pw_now_ns() + apart);
	r = pw_snapshot_look(looking->snapshot);
	if (r < 0)
		return r;
	look = pw_snapshot_result(looking->snapshot);
	looking->profile->elapsed_ns = look->taken_ns - first_ns;
	return pw_profile_builder_look(looking->builder, look, 0);
}

/* The first look weighs as much as the time between two should be, each other one as the time since the one before. */
static int look_over(struct looking *looking, const struct values *values)
{
	const struct pw_snapshot_result *look = pw_snapshot_result(looking->snapshot);
	uint64_t start = pw_now_ns(), next = start, before = look->taken_ns;
	int r;

	looking->profile->duration_ns = look->duration_ns;
	r = pw_profile_builder_look(looking->builder, look, values->every_ns);
	while (r >= 0 && !looking->stopped && pw_now_ns() - start < values->over_ns) {
		next = PW_MAX(next + values->every_ns, pw_now_ns());
		wait_until(looking, next);
		if (looking->stopped)
			break;
		r = pw_snapshot_look(looking->snapshot);
		if (r < 0)
			break;
		look = pw_snapshot_result(looking->snapshot);
		r = pw_profile_builder_look(looking->builder, look, look->taken_ns - before);
		before = look->taken_ns;
	}
	looking->profile->over_ns = pw_now_ns() - start;
	return r;
}

static void describe(struct pw_profile *profile, const struct pw_target *target)
{
	const struct pw_build_facts *facts = &target->build->facts;

	profile->pid = target->pid;
	profile->taken_wall_ns = pw_wall_ns();
	snprintf(profile->process, sizeof(profile->process), "%s", target->process);
	snprintf(profile->service, sizeof(profile->service), "%s", target->service);
	snprintf(profile->exe, sizeof(profile->exe), "%s", target->exe);
	snprintf(profile->build_id, sizeof(profile->build_id), "%s", facts->build_id);
	snprintf(profile->go_version, sizeof(profile->go_version), "%.63s", facts->info.go_version);
	profile->text_start = facts->text_segment.vaddr;
	profile->text_end = facts->text_segment.vaddr + facts->text_segment.memsz;
	profile->text_offset = facts->text_segment.offset;
}

static int name_all(struct looking *looking)
{
	struct pw_symbolizer *symbolizer = looking->target->symbols_ok ? looking->target->symbolizer : NULL;
	int r = -EAGAIN;

	for (int round = 0; round < NAMING_ROUNDS && r == -EAGAIN; round++) {
		r = pw_profile_builder_finish(looking->builder, symbolizer, looking->profile);
		if (r == -EAGAIN && pw_symbolizer_settle(symbolizer) < 0)
			symbolizer = NULL; /* addresses are better than nothing */
	}
	return r;
}

static int take(struct looking *looking, const struct values *values)
{
	const struct pw_build_facts *facts = &looking->target->build->facts;
	struct pw_snapshot_options look = {
		.memory_budget_bytes = MEMORY_BUDGET, .labels = !values->over_ns, .waits = !values->over_ns};
	struct pw_profile_source source = {.reason_names = facts->wait_reasons.name,
					   .reason_count = facts->wait_reasons.count,
					   .over = values->over_ns != 0};
	int r;

	looking->profile = pw_profile_new();
	r = looking->profile ? 0 : -ENOMEM;
	if (!r)
		r = pw_snapshot_new(&looking->snapshot, looking->target, &look);
	if (!r)
		r = pw_profile_builder_new(&looking->builder, &source);
	for (int i = 0; !r && looking->target->births && i < BIRTHS_TRIES; i++) /* who is older than this look */
		if (pw_births_poll(looking->target->births, looking->target, pw_boot_ns()) != -EAGAIN)
			break;
	if (!r)
		r = pw_snapshot_look(looking->snapshot);
	if (r < 0)
		return r;
	r = values->over_ns ? look_over(looking, values) : look_twice(looking, values);
	if (r < 0)
		return r;
	describe(looking->profile, looking->target);
	return name_all(looking);
}

/* --- answer ------------------------------------------------------------------------------------------------------ */

static int shape(struct pw_profile *profile, const struct request *request)
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
static int shape_both(struct pw_profile *profile, const struct request *request)
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

static int write_answer(struct pw_buf *out, const struct pw_profile *profile, const struct request *request)
{
	switch (request->style) {
	case JSON:
		return pw_profile_write_json(out, profile);
	case PPROF:
		return pw_profile_write_pprof(out, profile);
	case FOLDED:
		return pw_profile_write_folded(out, profile);
	case SVG:
		return pw_profile_write_svg(out, profile);
	case DEBUG2:
		return pw_profile_write_debug2(out, profile);
	case TEXT:
	case _STYLES:
		break;
	}
	if (request->values->goid)
		return pw_profile_write_goroutine(out, profile);
	return pw_profile_write_text(out, profile, request->values->top);
}

static enum pw_exit deliver(const struct pw_buf *out, const char *path)
{
	int r;

	if (!path)
		return pw_oneshot_print(out);
	r = pw_save_file(path, pw_buf_text(out), out->size);
	if (r >= 0)
		return PW_EXIT_OK;
	pw_log_usage(r, "cannot write '%s': %s", path, strerror(-r));
	return PW_EXIT_USAGE;
}

static enum pw_exit answer(struct looking *looking, const struct request *request)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	int r = shape_both(looking->profile, request);

	if (r >= 0 && request->values->goid && !looking->profile->goroutine_count) {
		pw_log_usage(-ESRCH, "process %d has no goroutine %" PRIu64, looking->profile->pid,
			     request->values->goid);
		return PW_EXIT_UNKNOWN;
	}
	if (r >= 0)
		r = write_answer(&out, looking->profile, request);
	if (r < 0) {
		pw_log_usage(r, "cannot make the profile: %s", strerror(-r));
		return PW_EXIT_USAGE;
	}
	return deliver(&out, request->values->output);
}

static enum pw_exit look_and_answer(struct looking *looking, const struct request *request)
{
	enum pw_exit status;
	int pid, r;

	status = pw_oneshot_open(&looking->oneshot);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_find(&looking->oneshot, request->values->pid, &pid);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_target(&looking->oneshot, pid, &looking->target);
	if (status != PW_EXIT_OK)
		return status;
	if (!looking->target->memory_ok) {
		pw_log_usage(-EACCES, "the goroutines of pid %d cannot be read: %s", pid,
			     looking->target->memory_reason);
		return PW_EXIT_UNKNOWN;
	}
	if (!looking->target->symbols_ok)
		pw_log_usage(0, "pid %d has no names: %s", pid, looking->target->symbols_reason);
	r = take(looking, request->values);
	if (r < 0) {
		pw_log_usage(r, "the goroutines of pid %d could not be read: %s", pid,
			     r == -ESRCH ? "it has ended" : strerror(-r));
		return PW_EXIT_UNKNOWN;
	}
	return answer(looking, request);
}

static enum pw_exit print_schema(const struct values *values)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	if (pw_profile_write_json_schema(&out) < 0)
		return PW_EXIT_USAGE;
	return deliver(&out, values->output);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct values values = {.top = TOP, .every_ns = EVERY_NS};
	_cleanup_(request_done) struct request request = {.values = &values};
	struct looking looking = {.oneshot.procfs = PW_PROCFS_INIT};
	struct pw_options_result parsed;
	enum pw_exit status;

	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (values.schema)
		return print_schema(&values);
	if (!values.pid || parsed.operands) {
		pw_log_usage(-EINVAL, "usage: parkwatch goroutines -p PID|NAME; see 'parkwatch goroutines --help'");
		return PW_EXIT_USAGE;
	}
	if (parse_request(&request) < 0)
		return PW_EXIT_USAGE;
	if (request.style == PPROF && !values.output && isatty(STDOUT_FILENO)) {
		pw_log_usage(-EINVAL, "pprof is binary: give a file with -o, or a pipe");
		return PW_EXIT_USAGE;
	}
	sigemptyset(&looking.signals);
	sigaddset(&looking.signals, SIGINT);
	sigaddset(&looking.signals, SIGTERM);
	if (values.over_ns) /* ends it early with what was seen */
		sigprocmask(SIG_BLOCK, &looking.signals, NULL);
	status = look_and_answer(&looking, &request);
	looking_done(&looking);
	return status;
}

const struct pw_command pw_cmd_goroutines = {
	.name = "goroutines",
	.operands = "",
	.summary = "Every goroutine of one process by stack, and what it means",
	.details =
		"Looks twice, one second apart, without stopping the process: how many, since when, on what, started "
		"where.\nThe JSON of one look is what --diff compares a later one with.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
