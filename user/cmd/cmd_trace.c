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
#include "cmd/privilege.h"
#include "collect/collect.h"
#include "model/record.h"
#include "observe/observe.h"
#include "output/report.h"
#include "output/trace.h"
#include "output/views.h"
#include "reader/reader.h"
#include "target/symbolize.h"
#include "target/target.h"

/*
 * One process, counted for a time. A window is the difference of two records, each made right after the maps and the
 * goid counter were read together, so that starts by probe and starts by goid speak of the same time.
 */
#define ATTACH_NS	  (30 * PW_NS_PER_SEC)
#define SETTLE_NS	  (5 * PW_NS_PER_SEC)
#define BIRTHS_TRIES	  50
#define NAMING_ROUNDS_MAX 6
#define SITES_SHOWN_MAX	  20
#define POLL_NS		  PW_NS_PER_SEC
#define ANSWER_BYTES_MAX  (64U << 20)

struct values {
	const char *pid;
	uint64_t duration_ns;
	bool runs, quiet, all;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process (required)", PW_OPTION_TEXT, offsetof(struct values, pid), NULL},
	{"duration", 'd', "DURATION", "how long [5s]", PW_OPTION_DURATION, offsetof(struct values, duration_ns), NULL},
	{"runs", 0, NULL,
	 "count runs too: a probe that is hit at every switch; none where the budget allows only samples",
	 PW_OPTION_FLAG, offsetof(struct values, runs), NULL},
	{"all", 0, NULL, "every go statement, not only the first 20", PW_OPTION_FLAG, offsetof(struct values, all),
	 NULL},
	{"attach", 0, "METHOD", "auto, uprobe_multi or perf", PW_OPTION_SETTING, 0, "attach"},
	{"budget", 0, "PERCENT", "of one CPU that probes may cost, or none", PW_OPTION_SETTING, 0, "budget"},
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
	{"quiet", 'q', NULL, "do not say on stderr when counting begins", PW_OPTION_FLAG,
	 offsetof(struct values, quiet), NULL},
};

struct tracing {
	struct pw_oneshot oneshot;
	struct pw_target *target;
	struct pw_collect *collect;
	struct pw_observation *observation;
	int signal_fd;
	bool stopped; /* by a signal */
	bool gone;
	uint64_t started_ns; /* of the window, CLOCK_BOOTTIME; 0: not begun */
};

static void tracing_done(struct tracing *tracing)
{
	if (tracing->observation)
		pw_observation_free(tracing->observation);
	if (tracing->collect && tracing->target)
		pw_collect_remove(tracing->collect, tracing->target->id);
	if (tracing->collect)
		pw_collect_free(tracing->collect);
	if (tracing->target)
		pw_target_free(tracing->target);
	pw_oneshot_close(&tracing->oneshot);
	pw_closep(&tracing->signal_fd);
}

/* Waits for something to happen until a time (CLOCK_MONOTONIC). */
static void wait_until(struct tracing *tracing, uint64_t end)
{
	struct pollfd fds[] = {
		{.fd = tracing->signal_fd, .events = POLLIN},
		{.fd = tracing->target->pidfd, .events = POLLIN},
		{.fd = pw_collect_fd(tracing->collect), .events = POLLIN},
		{.fd = pw_reader_fd(tracing->oneshot.reader), .events = POLLIN},
	};
	uint64_t now = pw_now_ns(), left = end > now ? end - now : 0;
	struct timespec timeout = {(time_t)(left / PW_NS_PER_SEC), (long)(left % PW_NS_PER_SEC)};

	if (ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL) <= 0)
		return;
	tracing->stopped |= fds[0].revents != 0;
	tracing->gone |= fds[1].revents != 0;
	if (fds[2].revents)
		pw_collect_dispatch(tracing->collect);
	if (fds[3].revents)
		(void)pw_reader_dispatch(tracing->oneshot.reader);
}

/* Attaches and waits until all probes are armed. */
static enum pw_exit attach(struct tracing *tracing)
{
	struct pw_target *target = tracing->target;
	uint64_t end = pw_now_ns() + ATTACH_NS;
	int r = pw_collect_add(tracing->collect, target);

	if (r < 0) {
		pw_log_usage(r, "pid %d cannot be traced: %s", target->pid,
			     target->events_reason[0] ? target->events_reason : strerror(-r));
		return PW_EXIT_UNKNOWN;
	}
	while (!pw_collect_settled(tracing->collect, target->id) && !tracing->stopped && !tracing->gone) {
		if (pw_now_ns() >= end) {
			pw_log_usage(-ETIMEDOUT, "pid %d: attaching takes longer than 30 s, given up", target->pid);
			return PW_EXIT_UNKNOWN;
		}
		wait_until(tracing, PW_MIN(end, pw_now_ns() + 100 * PW_NS_PER_MS));
	}
	if (tracing->gone)
		pw_log_usage(-ESRCH, "process %d has ended", target->pid);
	else if (!tracing->stopped && !target->events_ok)
		pw_log_usage(-EOPNOTSUPP, "pid %d cannot be traced: %s", target->pid, target->events_reason);
	else
		return PW_EXIT_OK;
	return PW_EXIT_UNKNOWN;
}

/* Reads the maps and the goid counter as close together as can be, and closes a record. */
static int take_record(struct tracing *tracing, struct pw_record **ret_record)
{
	int r = pw_collect_poll(tracing->collect, pw_boot_ns());

	if (r < 0)
		return r;
	for (int i = 0; tracing->target->memory_ok && tracing->target->births && i < BIRTHS_TRIES; i++)
		if (pw_births_poll(tracing->target->births, tracing->target, pw_boot_ns()) != -EAGAIN)
			break;
	return pw_observation_record(tracing->observation, pw_boot_ns(), pw_wall_ns(), ret_record);
}

static bool names_missing(const struct pw_record *record)
{
	for (size_t i = 0; i < record->statement_count; i++)
		if (record->statements[i].gopc && record->statements[i].gopc != PW_STATEMENT_OTHER &&
		    !record->statements[i].function)
			return true;
	return false;
}

/*
 * The counters as they are, with a fresh census and with names: work asks for the names of what the last record showed
 * for the first time, the next record has them. The second round names creation stacks, which the first one asks for.
 */
static int complete_record(struct tracing *tracing, struct pw_record **ret_record)
{
	struct pw_record *record = NULL;
	int r = 0;

	for (int round = 0; round < NAMING_ROUNDS_MAX && r >= 0; round++) {
		if (record)
			pw_record_unref(record);
		record = NULL;
		if (!tracing->gone && pw_oneshot_settle(tracing->observation, tracing->target, SETTLE_NS) == -ESRCH)
			tracing->gone = true;
		if (tracing->target->symbolizer)
			(void)pw_symbolizer_settle(tracing->target->symbolizer);
		r = pw_observation_record(tracing->observation, pw_boot_ns(), pw_wall_ns(), &record);
		if (r >= 0 && round >= 2 && !names_missing(record))
			break;
	}
	if (r >= 0)
		*ret_record = record;
	return r;
}

static void count(struct tracing *tracing, uint64_t duration_ns)
{
	uint64_t end = pw_now_ns() + duration_ns, next = pw_now_ns() + POLL_NS;

	while (pw_now_ns() < end && !tracing->stopped && !tracing->gone) {
		wait_until(tracing, PW_MIN(end, next));
		if (pw_now_ns() < next || pw_now_ns() >= end)
			continue;
		next += POLL_NS;
		(void)pw_reader_expire(tracing->oneshot.reader, pw_now_ns());
		if (pw_collect_poll(tracing->collect, pw_boot_ns()) < 0)
			pw_log_warn(0, "the BPF maps could not be read; trying again");
		if (pw_observation_work(tracing->observation, pw_boot_ns()) == -ESRCH)
			tracing->gone = true;
	}
}

static enum pw_exit show(const struct values *values, const struct pw_record *first, const struct pw_record *end,
			 const struct pw_record *last)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	struct pw_trace trace;
	int r = pw_trace_between(&trace, first, last, values->runs);

	if (r < 0) {
		pw_log_usage(r, "out of memory");
		return PW_EXIT_USAGE;
	}
	if (pw_trace_is_sampled(&trace))
		pw_log_usage(0, "sampled: %s", pw_trace_sampled_text(&trace));
	/* last was made for its names and its census; the goid counter may have moved since the window's end. */
	if (trace.spawned_by_goid != PW_UNKNOWN && end->runtime.numbers.spawn_total != PW_UNKNOWN)
		trace.spawned_by_goid = end->runtime.numbers.spawn_total - first->runtime.numbers.spawn_total;
	if (values->format == PW_FORMAT_JSON)
		pw_view_trace(&out, &trace);
	else
		pw_report_trace(&out, &trace, values->all ? SIZE_MAX : SITES_SHOWN_MAX);
	pw_trace_done(&trace);
	return pw_oneshot_print(&out);
}

static enum pw_exit measure(struct tracing *tracing, const struct values *values)
{
	struct pw_record *first = NULL, *end = NULL, *last = NULL;
	char duration[PW_DURATION_SIZE];
	enum pw_exit status = PW_EXIT_UNKNOWN;
	int r = 0;

	if (tracing->target->memory_ok)
		r = pw_oneshot_settle(tracing->observation, tracing->target, SETTLE_NS);
	if (r != -ESRCH)
		r = take_record(tracing, &first);
	if (r >= 0 && !values->quiet)
		pw_log_usage(0, "counting pid %d for %s", tracing->target->pid,
			     pw_time_duration(values->duration_ns, duration));
	if (r >= 0) {
		tracing->started_ns = first->boot_ns;
		count(tracing, values->duration_ns);
		r = take_record(tracing, &end);
	}
	if (r >= 0)
		r = complete_record(tracing, &last);
	if (r < 0)
		pw_log_usage(r, "pid %d could not be traced: %s", tracing->target->pid,
			     r == -ESRCH ? "it has ended" : strerror(-r));
	else
		status = show(values, first, end, last);
	if (r >= 0 && tracing->gone)
		pw_log_usage(0, "process %d ended meanwhile; this is what it did until then", tracing->target->pid);
	if (first)
		pw_record_unref(first);
	if (end)
		pw_record_unref(end);
	if (last)
		pw_record_unref(last);
	return status;
}

static enum pw_exit start(struct tracing *tracing, const struct values *values, const struct pw_config *config)
{
	struct pw_collect_options collect = {.method = config->attach,
					     .budget_percent = config->budget_percent,
					     .host_budget_percent = config->host_budget_percent,
					     .runs = values->runs,
					     .creation_stacks_first = 16,
					     .creation_stacks_every = 256};
	struct pw_observe_options observe = {.census_interval_ns = PW_NS_PER_SEC,
					     .slice_ns = 20 * PW_NS_PER_MS,
					     .budget_percent = config->budget_percent,
					     .runs = values->runs};
	struct pw_why why = {0};
	enum pw_exit status;
	sigset_t signals;
	int pid, r;

	status = pw_oneshot_open(&tracing->oneshot);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_find(&tracing->oneshot, values->pid, &pid);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_target(&tracing->oneshot, pid, &tracing->target);
	if (status != PW_EXIT_OK)
		return status;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	tracing->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	r = pw_collect_new(&tracing->collect, &collect, &why);
	if (r < 0) {
		pw_log_usage(r, "cannot count events on this host: %s", pw_why_text(&why, r));
		return PW_EXIT_USAGE;
	}
	status = attach(tracing);
	if (status != PW_EXIT_OK)
		return status;
	r = pw_observation_new(&tracing->observation, tracing->target, tracing->collect, &tracing->oneshot.procfs,
			       &observe);
	if (r < 0) {
		pw_log_usage(r, "pid %d cannot be observed: %s", pid, strerror(-r));
		return PW_EXIT_UNKNOWN;
	}
	return PW_EXIT_OK;
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_(pw_config_done) struct pw_config config;
	struct values values = {.duration_ns = 5 * PW_NS_PER_SEC};
	struct tracing tracing = {.oneshot.procfs = PW_PROCFS_INIT, .signal_fd = -1};
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
	if (!values.pid || parsed.operands || !values.duration_ns) {
		pw_log_usage(-EINVAL, "usage: parkwatch trace -p PID|NAME [-d DURATION]; see 'parkwatch trace --help'");
		return PW_EXIT_USAGE;
	}
	if (!pw_privilege_sufficient(&why)) {
		pw_log_usage(-EPERM, "%s", why.text);
		return PW_EXIT_USAGE;
	}
	status = start(&tracing, &values, &config);
	if (status == PW_EXIT_OK)
		status = measure(&tracing, &values);
	tracing_done(&tracing);
	return status;
}

const struct pw_command pw_cmd_trace = {
	.name = "trace",
	.operands = "",
	.summary = "Starts, ends and parks of one process by go statement, for a time",
	.details = "Attaches, counts from when all probes are armed, detaches. Sorted by growth (started - ended).\n"
		   "Ctrl-C ends it early with what was counted.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
