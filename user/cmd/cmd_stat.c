/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/oneshot.h"
#include "output/stat.h"
#include "target/goroutines.h"
#include "target/runtime_metrics.h"
#include "target/target.h"

/* The runtime's own numbers of one process, once or again and again. Two looks take turns: now and before. */
#define ANSWER_BYTES_MAX (4U << 20)
#define CENSUS_NS	 PW_NS_PER_SEC /* at most, per look */

struct values {
	const char *pid;
	enum pw_format format;
	uint64_t interval_ns, count;
};

static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process (required)", PW_OPTION_TEXT, offsetof(struct values, pid), NULL},
	{"interval", 'i', "DURATION", "again and again, with changes and rates [once]", PW_OPTION_DURATION,
	 offsetof(struct values, interval_ns), NULL},
	{"count", 'n', "N", "with --interval: N looks, then end [until Ctrl-C]", PW_OPTION_NUMBER,
	 offsetof(struct values, count), NULL},
	{"json", 0, NULL, "as JSON; with --interval one object per line", PW_OPTION_JSON,
	 offsetof(struct values, format), NULL},
};

struct watching {
	struct pw_oneshot oneshot;
	struct pw_target *target;
	struct pw_runtime_metrics *metrics;
	struct pw_census *census;
	struct pw_stat_look *now, *before;
	int signal_fd;
	bool stopped, gone;
};

static void watching_done(struct watching *watching)
{
	free(watching->now);
	free(watching->before);
	pw_census_free(watching->census);
	pw_runtime_metrics_free(watching->metrics);
	if (watching->target)
		pw_target_free(watching->target);
	pw_oneshot_close(&watching->oneshot);
	pw_closep(&watching->signal_fd);
}

/* States of goroutines; a storm of them may refuse to be counted. -ESRCH gone, else 0. */
static int count_states(struct watching *watching, struct pw_stat_look *look)
{
	const struct pw_census_result *result;
	uint64_t end = pw_now_ns() + CENSUS_NS;
	int r = pw_census_begin(watching->census, watching->target);

	while (!r && (r = pw_census_step(watching->census, PW_NS_PER_MS * 10)) == -EAGAIN && pw_now_ns() < end)
		r = 0;
	look->states_known = !r;
	if (r)
		return r == -ESRCH ? r : 0;
	result = pw_census_result(watching->census);
	memset(look->states, 0, sizeof(look->states));
	for (size_t i = 0; i < result->count; i++)
		look->states[result->goroutines[i].status]++;
	return 0;
}

static int take_look(struct watching *watching, struct pw_stat_look *look, struct pw_why *reterr_why)
{
	struct pw_target *target = watching->target;
	int r;

	look->boot_ns = pw_boot_ns();
	look->wall_ns = pw_wall_ns();
	r = pw_runtime_metrics_read(watching->metrics, PW_READ_ALL | PW_READ_PATIENT, &look->numbers, &look->histograms,
				    reterr_why);
	if (r)
		return r;
	if (target->births && !pw_births_poll(target->births, target, look->boot_ns))
		look->numbers.spawn_total = pw_births_total(target->births);
	return count_states(watching, look);
}

static enum pw_exit print_look(const struct watching *watching, const struct values *values, bool have_before)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	const struct pw_target *target = watching->target;
	const struct pw_stat_view view = {
		.pid = target->pid,
		.process = target->process,
		.go_version = target->build->facts.info.go_version,
		.start_time_ns = target->start_time_ns,
		.now = watching->now,
		.before = have_before ? watching->before : NULL,
	};

	if (values->format == PW_FORMAT_JSON) {
		pw_view_stat(&out, &view, values->interval_ns != 0);
		return pw_oneshot_print(&out);
	}
	if (values->interval_ns && isatty(STDOUT_FILENO))
		pw_buf_puts(&out, "\033[H\033[2J"); /* from the top of an empty screen */
	else if (have_before)
		pw_buf_putc(&out, '\n');
	pw_report_stat(&out, &view);
	return pw_oneshot_print(&out);
}

static void wait_until(struct watching *watching, uint64_t end)
{
	struct pollfd fds[] = {
		{.fd = watching->signal_fd, .events = POLLIN},
		{.fd = watching->target->pidfd, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* POLLERR: nobody reads any more */
	};
	uint64_t now = pw_now_ns(), left = end > now ? end - now : 0;
	struct timespec timeout = {(time_t)(left / PW_NS_PER_SEC), (long)(left % PW_NS_PER_SEC)};

	if (ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL) <= 0)
		return;
	watching->stopped |= fds[0].revents != 0 || (fds[2].revents & POLLERR);
	watching->gone |= fds[1].revents != 0;
}

/* Looks and prints until something ends it. What was shown before the process ended is an answer. */
static enum pw_exit watch(struct watching *watching, const struct values *values)
{
	uint64_t looks = 0, max = values->interval_ns ? values->count : 1, next = pw_now_ns();
	enum pw_exit status = PW_EXIT_OK;

	while (status == PW_EXIT_OK && !watching->stopped && !watching->gone) {
		struct pw_stat_look *last = watching->before;
		struct pw_why why = {0};
		int r;

		watching->before = watching->now;
		watching->now = last;
		r = take_look(watching, watching->now, &why);
		if (r == -ESRCH) {
			watching->gone = true;
			break;
		}
		if (r) {
			pw_log_usage(r, "the runtime's numbers of pid %d cannot be read: %s", watching->target->pid,
				     pw_why_text(&why, r));
			return PW_EXIT_UNKNOWN;
		}
		status = print_look(watching, values, looks++ > 0);
		if (looks == max)
			return status;
		next = PW_MAX(next + values->interval_ns, pw_now_ns());
		while (status == PW_EXIT_OK && !watching->stopped && !watching->gone && pw_now_ns() < next)
			wait_until(watching, next);
	}
	if (watching->gone)
		pw_log_usage(0, "process %d has ended", watching->target->pid);
	return status == PW_EXIT_OK && watching->gone && !looks ? PW_EXIT_UNKNOWN : status;
}

static enum pw_exit start(struct watching *watching, const struct values *values)
{
	struct pw_why why = {0};
	sigset_t signals;
	enum pw_exit status = pw_oneshot_open(&watching->oneshot);
	int pid, r;

	if (status == PW_EXIT_OK)
		status = pw_oneshot_find(&watching->oneshot, values->pid, &pid);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_target(&watching->oneshot, pid, &watching->target);
	if (status != PW_EXIT_OK)
		return status;
	if (!watching->target->memory_ok) {
		pw_log_usage(0, "pid %d cannot be read: %s", pid, watching->target->memory_reason);
		return PW_EXIT_UNKNOWN;
	}
	r = pw_runtime_metrics_new(&watching->metrics, watching->target, &why);
	if (r == -ENOTSUP) {
		pw_log_usage(0, "the runtime's numbers of pid %d cannot be read: %s", pid, pw_why_text(&why, r));
		return PW_EXIT_UNKNOWN;
	}
	watching->now = calloc(1, sizeof(*watching->now));
	watching->before = calloc(1, sizeof(*watching->before));
	if (r || pw_census_new(&watching->census) || !watching->now || !watching->before) {
		pw_log_usage(-ENOMEM, "out of memory");
		return PW_EXIT_USAGE;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	watching->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return PW_EXIT_OK;
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct watching watching = {.oneshot.procfs = PW_PROCFS_INIT, .signal_fd = -1};
	struct values values = {0};
	struct pw_options_result parsed;
	enum pw_exit status;

	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (!values.pid || parsed.operands) {
		pw_log_usage(-EINVAL,
			     "usage: parkwatch stat -p PID|NAME [--interval DURATION] [--json]; see 'parkwatch "
			     "stat --help'");
		return PW_EXIT_USAGE;
	}
	if (values.count && !values.interval_ns) {
		pw_log_usage(-EINVAL, "--count needs --interval");
		return PW_EXIT_USAGE;
	}
	status = start(&watching, &values);
	if (status == PW_EXIT_OK)
		status = watch(&watching, &values);
	watching_done(&watching);
	return status;
}

const struct pw_command pw_cmd_stat = {
	.name = "stat",
	.operands = "",
	.summary = "The runtime's own numbers of one process: goroutines, heap, collections, latencies, CPU classes",
	.details =
		"What runtime.MemStats and runtime/metrics say inside of it, read from outside: no endpoint, no stop,\n"
		"no collection; fresh at each look. With --interval each look has the change and the rate since the\n"
		"one before. What this Go version does not have is left out.\n"
		"\n"
		"JSON: {schema_version, pid, process, go_version, time, uptime_ns, interval_ns, goroutine_states,\n"
		"numbers {name: value or null}, changes {counter: change} or null, gc_cpu_fraction,\n"
		"gc_pause_quantiles_ns, histograms {name: {unit, count, buckets [[from, below, count]]}}}.\n"
		"gc_percent -1 is GOGC=off, memory_limit_bytes null no limit; buckets are since the program began.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
