/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "analysis/analysis.h"
#include "analysis/diagnose.h"
#include "base/cgroup.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "cmd/config_watch.h"
#include "cmd/notify.h"
#include "cmd/privilege.h"
#include "cmd/recording.h"
#include "collect/collect.h"
#include "observe/observe.h"
#include "output/death_store.h"
#include "output/http.h"
#include "output/sinks.h"
#include "reader/reader.h"
#include "target/discover.h"
#include "target/service.h"
#include "target/target.h"

/*
 * Start and end of the daemon, and what reaches it from outside: signals, targets that come and go, the worker's
 * results. Order at start: the recording and the file of alerts (may need rights that are given up next), the process
 * that runs the command for alerts (forks), privileges, the reader process (forks), collect (tries the host on a child,
 * then starts its thread), webhooks and HTTP (threads), and only then targets.
 */
#define STACKS_FIRST 16
#define STACKS_EVERY 256
#define SLICE_NS     (5 * PW_NS_PER_MS)
#define ROWS_MAX     1000 /* goroutines of a process that are in records one by one: 48 kB */

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct pw_daemon *daemon = context;

	pw_sinks_tell(daemon->sinks, alert);
}

static void on_death(void *context, const struct pw_death_report *report)
{
	struct pw_daemon *daemon = context;

	pw_death_store_add(daemon->deaths, report);
}

static void attach(struct pw_daemon *daemon, struct pw_target *target)
{
	int r;

	if (!daemon->collect) {
		target->events_ok = false;
		snprintf(target->events_reason, sizeof(target->events_reason), "%s", daemon->no_events);
		return;
	}
	r = pw_collect_add(daemon->collect, target);
	if (r < 0)
		pw_log_debug(r, "no events of '%s' (pid %d): %s", target->process, target->pid, target->events_reason);
}

static void on_found(void *context, struct pw_target *target)
{
	struct pw_daemon *daemon = context;
	const struct pw_observe_options options = {.census_interval_ns = daemon->config.interval_ns,
						   .snapshot_interval_ns = daemon->config.snapshot_interval_ns,
						   .memory_interval_ns = daemon->config.memory_interval_ns,
						   .rows_max = ROWS_MAX,
						   .slice_ns = SLICE_NS,
						   .budget_percent = daemon->config.budget_percent,
						   .kernel_figures = true};
	struct pw_observed *observed = calloc(1, sizeof(*observed));
	int r = observed ? 0 : -ENOMEM;

	pw_resources_target_found(&daemon->resources, target->exe_fd);
	attach(daemon, target);
	if (!r) {
		observed->target = target;
		pw_death_watch_init(&observed->watch);
		pw_death_watch_look(&observed->watch, target, &daemon->procfs, PW_CGROUP_ROOT, pw_boot_ns());
		r = pw_observation_new(&observed->observation, target, daemon->collect, &daemon->procfs, &options);
	}
	if (!r)
		r = pw_vec_push(&daemon->observed, observed);
	if (!r) {
		pw_log_debug(0, "observing '%s' (pid %d)", target->process, target->pid);
		return;
	}
	daemon->health.observe_failures++;
	pw_log_warn(r, "'%s' (pid %d) is not observed: %s", target->process, target->pid,
		    r == -E2BIG ? "too many Go processes" : strerror(-r));
	if (observed)
		pw_observed_free(observed);
	if (daemon->collect)
		pw_collect_remove(daemon->collect, target->id);
}

static void on_gone(void *context, struct pw_target *target)
{
	struct pw_daemon *daemon = context;

	pw_log_debug(0, "'%s' (pid %d) has ended", target->process, target->pid);
	pw_daemon_drop(context, target);
	pw_resources_target_gone(&daemon->resources, daemon->loop);
}

static int on_collect(struct pw_source *source pw_unused, int fd pw_unused, uint32_t events pw_unused, void *context)
{
	struct pw_daemon *daemon = context;

	pw_collect_dispatch(daemon->collect);
	for (size_t i = 0; i < daemon->observed.count; i++) {
		struct pw_target *target = daemon->observed.items[i]->target;

		if (target->state == PW_TARGET_READABLE && target->events_ok)
			target->state = PW_TARGET_ATTACHED;
		else if (target->state == PW_TARGET_ATTACHED && !target->events_ok)
			target->state = PW_TARGET_READABLE;
	}
	return 0;
}

static int on_watchdog(struct pw_source *source pw_unused, uint64_t due_ns pw_unused, uint64_t late_ns pw_unused,
		       uint64_t missed pw_unused, void *context pw_unused)
{
	(void)pw_notify("WATCHDOG=1");
	return 0;
}

static int on_signal(struct pw_source *source pw_unused, int signal_number, pid_t sender pw_unused, void *context)
{
	struct pw_daemon *daemon = context;

	if (signal_number == SIGHUP)
		pw_daemon_reload(daemon);
	else
		pw_loop_quit(daemon->loop, 0);
	return 0;
}

/* Whatever went wrong in one callback (no memory, no file left), the next tick may fare better. */
static int on_error(int error, void *context)
{
	struct pw_daemon *daemon = context;

	daemon->health.observe_failures++;
	pw_log_warn(error, "something could not be done: %s; going on", strerror(-error));
	return 0;
}

static int start_loop(struct pw_daemon *daemon)
{
	uint64_t watchdog = pw_notify_watchdog_ns();
	sigset_t signals;
	int r;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	r = pw_loop_new(&daemon->loop);
	if (!r)
		pw_loop_on_error(daemon->loop, on_error, daemon);
	if (!r)
		r = pw_loop_add_signals(daemon->loop, &signals, on_signal, daemon, NULL);
	if (!r && watchdog)
		r = pw_loop_add_timer(daemon->loop, watchdog, watchdog, on_watchdog, daemon, NULL);
	return r;
}

/* Events if this host has them; without them the daemon goes on by memory alone. */
static void start_collect(struct pw_daemon *daemon)
{
	const struct pw_collect_options options = {.method = daemon->config.attach,
						   .budget_percent = daemon->config.budget_percent,
						   .host_budget_percent = daemon->config.host_budget_percent,
						   .creation_stacks_first = STACKS_FIRST,
						   .creation_stacks_every = STACKS_EVERY};
	struct pw_why why = {0};
	uint64_t start_ns = pw_now_ns();
	int r = pw_collect_new(&daemon->collect, &options, &why);

	pw_log_debug(0, "setup: tried what the host allows %.1f ms",
		     (double)(pw_now_ns() - start_ns) / (double)PW_NS_PER_MS);

	daemon->health.attach_method = "";
	if (r < 0) {
		daemon->collect = NULL;
		snprintf(daemon->no_events, sizeof(daemon->no_events), "%.*s", (int)sizeof(daemon->no_events) - 1,
			 pw_why_text(&why, r));
		pw_log_warn(r, "no events on this host: %s; continuing with memory alone", daemon->no_events);
		return;
	}
	daemon->health.events_possible = true;
	daemon->health.attach_method = pw_collect_method(daemon->collect) == PW_ATTACH_PERF ? "perf" : "uprobe_multi";
	if (pw_collect_method(daemon->collect) == PW_ATTACH_UPROBE_MULTI && pw_privilege_drop_admin(&why) < 0)
		pw_log_warn(0, "%s; continuing with more privilege than needed", why.text);
}

/* A command for an alert has ended. */
static int on_sinks(struct pw_source *source, int fd pw_unused, uint32_t events pw_unused, void *context)
{
	struct pw_daemon *daemon = context;

	if (!pw_sinks_dispatch(daemon->sinks))
		pw_source_remove(source);
	return 0;
}

static int start_sinks(struct pw_daemon *daemon, struct pw_why *reterr_why)
{
	int r = pw_sinks_start(daemon->sinks, reterr_why);

	if (r >= 0 && pw_sinks_fd(daemon->sinks) >= 0)
		r = pw_loop_add_io(daemon->loop, pw_sinks_fd(daemon->sinks), EPOLLIN, on_sinks, daemon, NULL);
	return r < 0 ? pw_why_prefix(reterr_why, r, "cannot start what alerts go to") : 0;
}

/* A directory that cannot be used costs the files, not the daemon. */
static int start_deaths(struct pw_daemon *daemon)
{
	struct pw_why why = {0};
	int r = pw_death_store_new(&daemon->deaths, daemon->config.deaths, &why);

	if (!daemon->deaths)
		return -ENOMEM;
	if (r < 0)
		pw_log_warn(r, "%s; what is kept of processes that end is kept in memory only", pw_why_text(&why, r));
	return 0;
}

static int start_parts(struct pw_daemon *daemon, struct pw_why *reterr_why)
{
	const struct pw_discover_callbacks callbacks = {
		.context = daemon, .found = on_found, .gone = on_gone, .service_name = pw_daemon_name_service};
	int r;

	r = pw_procfs_open(&daemon->procfs, "/proc");
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot open /proc: %s", strerror(-r));
	if (*daemon->config.record) {
		r = pw_recording_open(&daemon->recording, daemon->config.record, reterr_why);
		if (r < 0)
			return r;
		pw_recording_rules(daemon->recording, &daemon->config.rules, daemon->config.policy);
	}
	r = pw_sinks_new(&daemon->sinks, &daemon->config.sinks, reterr_why);
	if (r < 0)
		return r;
	if (pw_privilege_drop(reterr_why) < 0)
		pw_log_warn(0, "%s; continuing with more privilege than needed", reterr_why->text);
	r = pw_reader_start(&daemon->reader);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot start the reader process: %s", strerror(-r));
	r = start_loop(daemon);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot make the event loop: %s", strerror(-r));
	start_collect(daemon);
	r = pw_board_new(&daemon->board);
	if (!r)
		r = start_deaths(daemon);
	if (!r)
		r = pw_analysis_new(&daemon->analysis, &daemon->config.rules, on_transition, daemon);
	if (!r)
		r = pw_analysis_judge_by(daemon->analysis, &daemon->config.rules, daemon->config.policy);
	if (!r)
		r = pw_discover_new(&daemon->discover, &daemon->procfs, daemon->reader, daemon->loop, &callbacks);
	if (!r && daemon->collect)
		r = pw_loop_add_io(daemon->loop, pw_collect_fd(daemon->collect), EPOLLIN, on_collect, daemon, NULL);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot start: %s", strerror(-r));
	pw_analysis_on_death(daemon->analysis, on_death);
	pw_daemon_apply_filter(daemon);
	r = pw_daemon_watch_config(daemon);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot watch the configuration file: %s", strerror(-r));
	r = start_sinks(daemon, reterr_why);
	if (r < 0)
		return r;
	r = pw_http_start(&daemon->http, daemon->board, daemon->config.listen, daemon->config.socket, pw_diagnose,
			  reterr_why);
	if (r < 0)
		return r;
	r = pw_daemon_tick_start(daemon);
	return r < 0 ? pw_why_set(reterr_why, r, "cannot start the tick: %s", strerror(-r)) : 0;
}

/* Observations before what they look at; probes while their targets are still known; the reader last. */
static void stop(struct pw_daemon *daemon)
{
	pw_http_stop(daemon->http);
	for (size_t i = 0; i < daemon->observed.count; i++)
		pw_observed_free(daemon->observed.items[i]);
	pw_vec_done(&daemon->observed);
	if (daemon->collect)
		pw_collect_free(daemon->collect);
	daemon->collect = NULL; /* discover says goodbye to each target */
	if (daemon->discover)
		pw_discover_free(daemon->discover);
	if (daemon->reader)
		pw_reader_free(daemon->reader);
	if (daemon->analysis)
		pw_analysis_free(daemon->analysis);
	pw_death_store_free(daemon->deaths);
	pw_sinks_free(daemon->sinks); /* analysis may have told it of ends */
	pw_recording_close(daemon->recording);
	pw_board_free(daemon->board);
	pw_config_watch_free(daemon->config_watch);
	pw_loop_free(daemon->loop);
	pw_procfs_done(&daemon->procfs);
	free(daemon->alerts);
}

/* The port that was asked for may have been 0. */
static void say_address(const struct pw_daemon *daemon)
{
	char host[PW_CONFIG_TEXT_MAX];
	uint16_t port;

	if (!pw_http_port(daemon->http) || pw_parse_address(daemon->config.listen, host, sizeof(host), &port) < 0)
		return;
	pw_log_info(0, strchr(host, ':') ? "metrics at http://[%s]:%u/metrics" : "metrics at http://%s:%u/metrics",
		    *host ? host : "localhost", pw_http_port(daemon->http));
}

enum pw_exit pw_daemon_run(struct pw_daemon *daemon)
{
	enum pw_exit status = PW_EXIT_USAGE;
	struct pw_why why = {0};
	int r;

	pw_resources_raise_files();
	daemon->observed.max = PW_OBSERVED_MAX;
	daemon->alerts = calloc(PW_ALERTS_MAX, sizeof(*daemon->alerts));
	daemon->health.started_wall_ns = pw_wall_ns();
	daemon->health.reload_wall_ns = daemon->config_read_wall_ns;
	daemon->health.reload_ok = true;
	r = daemon->alerts ? start_parts(daemon, &why) : -ENOMEM;
	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
	} else {
		say_address(daemon);
		r = pw_loop_run(daemon->loop);
		status = r < 0 ? PW_EXIT_USAGE : PW_EXIT_OK;
		if (r < 0)
			pw_log_err(r, "the event loop failed: %s", strerror(-r));
		(void)pw_notify("STOPPING=1");
	}
	stop(daemon);
	return status;
}
