/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"
#include "collect/collect.h"
#include "observe/cycles.h"
#include "output/gc.h"
#include "target/target.h"

/*
 * The collections of one process as they end: by probes each of them; where none can be attached, by looking at the
 * runtime's record of its last one 100 times a second.
 */
#define ATTACH_NS	 (30 * PW_NS_PER_SEC)
#define PROBES_NS	 (100 * PW_NS_PER_MS) /* between two reads of the ring buffer */
#define POLLS_NS	 (10 * PW_NS_PER_MS)
#define ANSWER_BYTES_MAX (16U << 20)

enum gc_format { FORMAT_TEXT, FORMAT_GCTRACE, FORMAT_JSON };

struct values {
	const char *pid, *format;
	enum pw_format json;
	uint64_t duration_ns;
	bool poll, quiet;
};

static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process (required)", PW_OPTION_TEXT, offsetof(struct values, pid), NULL},
	{"duration", 'd', "DURATION", "how long [until Ctrl-C]", PW_OPTION_DURATION,
	 offsetof(struct values, duration_ns), NULL},
	{"poll", 0, NULL, "attach no probes: the last cycle, looked at 100 times a second", PW_OPTION_FLAG,
	 offsetof(struct values, poll), NULL},
	{"attach", 0, "METHOD", "auto, uprobe_multi or perf", PW_OPTION_SETTING, 0, "attach"},
	{"format", 0, "FORMAT", "text, gctrace (as GODEBUG=gctrace=1 prints it) or json", PW_OPTION_TEXT,
	 offsetof(struct values, format), NULL},
	{"json", 0, NULL, "as JSON, when it ends: the last 512 cycles", PW_OPTION_JSON, offsetof(struct values, json),
	 NULL},
	{"quiet", 'q', NULL, "do not say on stderr where the numbers come from", PW_OPTION_FLAG,
	 offsetof(struct values, quiet), NULL},
};

struct watching {
	struct pw_oneshot oneshot;
	struct pw_target *target;
	struct pw_collect *collect; /* NULL: polls */
	struct pw_cycles cycles;
	enum gc_format format;
	int signal_fd;
	bool stopped, gone;
	uint64_t shown; /* number of the last cycle that was printed */
};

static void watching_done(struct watching *watching)
{
	if (watching->collect && watching->target)
		pw_collect_remove(watching->collect, watching->target->id);
	if (watching->collect)
		pw_collect_free(watching->collect);
	pw_cycles_done(&watching->cycles);
	if (watching->target)
		pw_target_free(watching->target);
	pw_oneshot_close(&watching->oneshot);
	pw_closep(&watching->signal_fd);
}

static void wait_until(struct watching *watching, uint64_t end)
{
	struct pollfd fds[] = {
		{.fd = watching->signal_fd, .events = POLLIN},
		{.fd = watching->target->pidfd, .events = POLLIN},
		{.fd = watching->collect ? pw_collect_fd(watching->collect) : -1, .events = POLLIN},
	};
	uint64_t now = pw_now_ns(), left = end > now ? end - now : 0;
	struct timespec timeout = {(time_t)(left / PW_NS_PER_SEC), (long)(left % PW_NS_PER_SEC)};

	if (ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL) <= 0)
		return;
	watching->stopped |= fds[0].revents != 0;
	watching->gone |= fds[1].revents != 0;
	if (fds[2].revents)
		pw_collect_dispatch(watching->collect);
}

/* 0 when every cycle will come; else why not. */
static int attach(struct watching *watching, const struct pw_config *config, struct pw_why *reterr_why)
{
	struct pw_collect_options collect = {
		.method = config->attach, .budget_percent = -1, .host_budget_percent = -1, .gc_only = true};
	struct pw_target *target = watching->target;
	uint64_t end = pw_now_ns() + ATTACH_NS;
	int r = pw_collect_new(&watching->collect, &collect, reterr_why);

	if (!r)
		r = pw_collect_add(watching->collect, target);
	while (!r && !pw_collect_settled(watching->collect, target->id) && !watching->stopped && !watching->gone)
		if (pw_now_ns() < end)
			wait_until(watching, PW_MIN(end, pw_now_ns() + PROBES_NS));
		else
			r = -ETIMEDOUT;
	if (!r && (!target->events_ok || pw_collect_poll(watching->collect, pw_boot_ns()) < 0 ||
		   !pw_collect_counts(watching->collect, target->id)->gc_cycles_told))
		r = -EOPNOTSUPP;
	if (r && reterr_why && !reterr_why->text[0])
		pw_why_set(reterr_why, r, "%s",
			   target->events_reason[0] ? target->events_reason
						    : "the end of a collection has no place "
						      "for a probe in this binary");
	return r;
}

static void use_polls(struct watching *watching)
{
	if (watching->collect) {
		pw_collect_remove(watching->collect, watching->target->id);
		pw_collect_free(watching->collect);
	}
	watching->collect = NULL;
}

static const struct pw_target_counts *counts_of(const struct watching *watching)
{
	return watching->collect ? pw_collect_counts(watching->collect, watching->target->id) : NULL;
}

/* Everything new: 0, or why nothing more will come. */
static int look(struct watching *watching)
{
	if (watching->collect) {
		int r = pw_collect_poll(watching->collect, pw_boot_ns());

		if (r < 0)
			return r;
		pw_cycles_take(&watching->cycles, watching->target, counts_of(watching));
	}
	return pw_cycles_poll(&watching->cycles, watching->target, counts_of(watching), pw_boot_ns());
}

/* Cycles that were not printed yet; more than the ring holds are gone by then, and said. */
static enum pw_exit print_new(struct watching *watching)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	const struct pw_gc_history *history = &watching->cycles.history;
	int go_minor = watching->target->build->facts.layout.go_minor;

	if (watching->format == FORMAT_JSON)
		return PW_EXIT_OK;
	for (size_t i = 0; i < history->count; i++) {
		const struct pw_record_gc_cycle *cycle = &history->cycles[i];

		if (cycle->number <= watching->shown)
			continue;
		if (watching->shown && cycle->number > watching->shown + 1)
			pw_log_usage(0, "%" PRIu64 " cycles before %" PRIu64 " were missed",
				     cycle->number - watching->shown - 1, cycle->number);
		watching->shown = cycle->number;
		if (watching->format == FORMAT_TEXT) {
			pw_report_gc_cycle(&out, cycle);
		} else {
			pw_gctrace_format(&out, cycle, go_minor);
			pw_buf_putc(&out, '\n');
		}
	}
	return out.size ? pw_oneshot_print(&out) : PW_EXIT_OK;
}

static enum pw_exit print_json(const struct watching *watching)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	const struct pw_target *target = watching->target;
	const struct pw_gc_view view = {
		.pid = target->pid,
		.process = target->process,
		.go_version = target->build->facts.info.go_version,
		.go_minor = target->build->facts.layout.go_minor,
		.source = watching->collect ? "probes" : "polls",
		.boot_ns = pw_boot_ns(),
		.wall_ns = pw_wall_ns(),
		.cycles = watching->cycles.history.cycles,
		.cycle_count = watching->cycles.history.count,
		.sums = &watching->cycles.history.sums,
	};

	pw_view_gc(&out, &view);
	return pw_oneshot_print(&out);
}

static enum pw_exit watch(struct watching *watching, const struct values *values)
{
	uint64_t end = values->duration_ns ? pw_now_ns() + values->duration_ns : UINT64_MAX;
	enum pw_exit status = PW_EXIT_OK;
	int r = 0;

	if (watching->format == FORMAT_TEXT) {
		_cleanup_buf_ struct pw_buf header = PW_BUF_INIT(1024);

		pw_report_gc_header(&header);
		status = pw_oneshot_print(&header);
	}
	while (status == PW_EXIT_OK && !r) {
		bool last = pw_now_ns() >= end || watching->stopped || watching->gone;

		r = look(watching);
		status = print_new(watching);
		if (last)
			break;
		wait_until(watching, PW_MIN(end, pw_now_ns() + (watching->collect ? PROBES_NS : POLLS_NS)));
	}
	if (r == -ESRCH || watching->gone) /* what was seen is shown */
		pw_log_usage(0, "process %d has ended", watching->target->pid);
	else if (r < 0)
		pw_log_usage(r, "pid %d: its collections cannot be read: %s", watching->target->pid,
			     r == -ENOTSUP ? "where this Go version keeps their numbers is not known" : strerror(-r));
	if (watching->cycles.history.sums.refused)
		pw_log_usage(0, "%" PRIu64 " cycles made no sense and are left out",
			     watching->cycles.history.sums.refused);
	if (status == PW_EXIT_OK && watching->format == FORMAT_JSON)
		status = print_json(watching);
	return status != PW_EXIT_OK ? status : watching->cycles.history.count || !r ? PW_EXIT_OK : PW_EXIT_UNKNOWN;
}

static enum pw_exit start(struct watching *watching, const struct values *values, const struct pw_config *config)
{
	struct pw_why why = {0};
	sigset_t signals;
	enum pw_exit status = pw_oneshot_open(&watching->oneshot);
	int pid, r = -EOPNOTSUPP;

	if (status == PW_EXIT_OK)
		status = pw_oneshot_find(&watching->oneshot, values->pid, &pid);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_target(&watching->oneshot, pid, &watching->target);
	if (status != PW_EXIT_OK)
		return status;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	watching->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!values->poll)
		r = attach(watching, config, &why);
	if (r < 0)
		use_polls(watching);
	if (r < 0 && !watching->target->memory_ok) {
		pw_log_usage(r, "pid %d cannot be observed: %s", pid, watching->target->memory_reason);
		return PW_EXIT_UNKNOWN;
	}
	if (r < 0 && !values->poll && !values->quiet)
		pw_log_usage(0, "no probes (%s): the last cycle is looked at 100 times a second", pw_why_text(&why, r));
	return PW_EXIT_OK;
}

static int parse_format(const struct values *values, enum gc_format *ret_format)
{
	static const char *const names[] = {"text", "gctrace", "json"};

	*ret_format = values->json == PW_FORMAT_JSON ? FORMAT_JSON : FORMAT_TEXT;
	if (!values->format)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(values->format, names[i])) {
			*ret_format = (enum gc_format)i;
			return 0;
		}
	pw_log_usage(-EINVAL, "--format %s is not known: text, gctrace or json", values->format);
	return -EINVAL;
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_(pw_config_done) struct pw_config config;
	struct watching watching = {.oneshot.procfs = PW_PROCFS_INIT, .signal_fd = -1};
	struct values values = {0};
	struct pw_options_result parsed;
	struct pw_why why = {0};
	enum pw_exit status;

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (pw_config_read_environment(&config, &why) < 0) {
		pw_log_usage(-EINVAL, "%s", why.text);
		return PW_EXIT_USAGE;
	}
	if (!values.pid || parsed.operands) {
		pw_log_usage(-EINVAL, "usage: parkwatch gc -p PID|NAME [-d DURATION]; see 'parkwatch gc --help'");
		return PW_EXIT_USAGE;
	}
	if (parse_format(&values, &watching.format) < 0)
		return PW_EXIT_USAGE;
	status = start(&watching, &values, &config);
	if (status == PW_EXIT_OK)
		status = watch(&watching, &values);
	watching_done(&watching);
	return status;
}

const struct pw_command pw_cmd_gc = {
	.name = "gc",
	.operands = "",
	.summary = "Garbage collections of one process as they end, or the gctrace lines of a program that runs",
	.details = "Begins with the last one before. By probes at the end of each cycle (root); with --poll, or where "
		   "none\n"
		   "can be attached, from the runtime's own record of its last cycle: of several within 10 ms all but "
		   "one\n"
		   "are missed, and said to be.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
