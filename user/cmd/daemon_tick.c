/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "analysis/analysis.h"
#include "base/cgroup.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "cmd/daemon.h"
#include "cmd/notify.h"
#include "cmd/recording.h"
#include "collect/collect.h"
#include "model/record.h"
#include "model/rule_status.h"
#include "observe/observe.h"
#include "output/death_store.h"
#include "output/http.h"
#include "output/sinks.h"
#include "reader/reader.h"
#include "target/discover.h"
#include "target/target.h"

/*
 * A tick: look for new processes, read the maps of all, then give each target slices of work until it has nothing left
 * to do; a target that is done becomes a record, the record is judged; when all are done, or the next tick begins, the
 * picture of all is published. Between slices the loop runs, so that a target with 10^6 goroutines, or one that is slow
 * to read, holds up nobody for longer than a slice.
 */
#define SCAN_NS		(10 * PW_NS_PER_MS)  /* for /proc, per tick */
#define WORK_NS		(10 * PW_NS_PER_MS)  /* of slices in one callback */
#define WORK_IDLE_NS	(2 * PW_NS_PER_MS)   /* when all that is left waits for the reader */
#define SECOND_TICK_NS	(250 * PW_NS_PER_MS) /* by then the first scan's processes are known: show them */
#define DEATHS_PER_TICK 4		     /* files written: some ms each, an fsync */
#define SELF_STATM	"/proc/self/statm"

void pw_observed_free(struct pw_observed *observed)
{
	if (observed->observation)
		pw_observation_free(observed->observation);
	if (observed->record)
		pw_record_unref(observed->record);
	pw_death_watch_done(&observed->watch);
	free(observed);
}

/* The interval of one target is over: record, judge, keep. */
static void close_interval(struct pw_daemon *daemon, struct pw_observed *observed)
{
	struct pw_record *record = NULL;
	int r;

	observed->pending = false;
	pw_death_watch_look(&observed->watch, observed->target, &daemon->procfs, PW_CGROUP_ROOT, pw_boot_ns());
	r = pw_observation_record(observed->observation, pw_boot_ns(), pw_wall_ns(), &record);
	if (r < 0) {
		daemon->health.observe_failures++;
		pw_log_warn(r, "no record of '%s' (pid %d): %s", observed->target->process, observed->target->pid,
			    strerror(-r));
		return;
	}
	pw_recording_record(daemon->recording, record);
	r = pw_analysis_step(daemon->analysis, record);
	if (r < 0)
		pw_log_warn(r, "'%s' (pid %d) is not judged: %s", observed->target->process, observed->target->pid,
			    strerror(-r));
	if (observed->record)
		pw_record_unref(observed->record);
	observed->record = record;
	/* An alert that is about to be told shows the stacks, or what grows in the heap, of this moment: another round,
	 * right away. */
	if (pw_analysis_wants_stacks(daemon->analysis, observed->target->id))
		observed->pending = pw_observation_want_snapshot(observed->observation, pw_boot_ns());
	if (pw_analysis_wants_heap(daemon->analysis, observed->target->id) &&
	    pw_observation_want_heap(observed->observation, pw_boot_ns()))
		observed->pending = true;
}

static uint64_t self_rss(void)
{
	unsigned long long size, resident;
	FILE *file = fopen(SELF_STATM, "re");
	int fields;

	if (!file)
		return PW_UNKNOWN;
	fields = fscanf(file, "%llu %llu", &size, &resident);
	fclose(file);
	return fields == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : PW_UNKNOWN;
}

static void fill_health(struct pw_daemon *daemon)
{
	struct pw_health *health = &daemon->health;
	struct pw_reader_stats reader;
	struct pw_discover_stats discover;
	struct pw_analysis_stats analysis;
	struct pw_loop_stats loop;

	health->sink_count = pw_sinks_stats(daemon->sinks, health->sinks);
	pw_reader_stats(daemon->reader, &reader);
	health->reader_requests = reader.requests;
	health->reader_timeouts = reader.timeouts;
	health->reader_crashes = reader.crashes;
	health->reader_restarts = reader.restarts;
	health->reader_barred_builds = reader.barred_builds;
	pw_discover_stats(daemon->discover, &discover);
	health->scans = discover.scans;
	health->processes_seen = discover.processes_seen;
	health->not_go = discover.not_go;
	health->opted_out = discover.opted_out;
	health->vanished = discover.vanished;
	health->open_failures = discover.failed;
	pw_analysis_stats(daemon->analysis, &analysis);
	health->judged = analysis.evaluated;
	health->alerts_fired = analysis.fired;
	health->alerts_resolved = analysis.resolved;
	health->sites_tracked = analysis.sites_tracked;
	health->sites_dropped = analysis.sites_dropped;
	health->ends = analysis.deaths;
	health->ends_untold = analysis.deaths_untold;
	health->ends_quiet = analysis.deaths_quiet;
	pw_death_store_stats(daemon->deaths, &health->ends_kept);
	pw_loop_stats(daemon->loop, &loop);
	health->longest_callback_ns = loop.longest_callback_ns;
	if (daemon->collect) {
		struct pw_collect_stats collect;

		pw_collect_stats(daemon->collect, &collect);
		health->polls = collect.polls;
		health->poll_ns_last = collect.poll_ns_last;
		health->attach_failures = collect.attach_failures;
		health->waiting_targets = collect.waiting_targets;
		health->not_tried_again = collect.not_tried_again;
		health->attached_targets = collect.attached_targets;
		health->map_memory_bytes = collect.map_memory_bytes;
		health->hit_cost_complete = collect.cost_complete;
		health->emulated_hit_ns = collect.emulated_hit_ns;
		health->stepped_hit_ns = collect.stepped_hit_ns;
		health->stack_hit_ns = collect.stack_hit_ns;
		health->further_hit_ns = collect.further_hit_ns;
	}
	health->cpu_ns = pw_cpu_process_ns();
	health->rss_bytes = self_rss();
	health->recording = daemon->recording != NULL;
	health->recording_bytes = pw_recording_bytes(daemon->recording);
	health->recording_failures = pw_recording_failures(daemon->recording);
	health->budget_percent = daemon->config.budget_percent;
	health->host_budget_percent = daemon->config.host_budget_percent;
}

static void say_ready(struct pw_daemon *daemon)
{
	char status[96];

	pw_http_set_ready(daemon->http, true);
	snprintf(status, sizeof(status), "READY=1\nSTATUS=observing %zu Go processes", daemon->observed.count);
	(void)pw_notify(status);
	daemon->ready_said = true;
}

static int by_pid(const void *a, const void *b)
{
	const struct pw_record *const *left = a, *const *right = b;

	return ((*left)->identity.pid > (*right)->identity.pid) - ((*left)->identity.pid < (*right)->identity.pid);
}

/* What snapshots know of ages goes with the picture, for commands that ask. */
static int add_ages(const struct pw_daemon *daemon, struct pw_published *published)
{
	_cleanup_free_ struct pw_ages_image **images =
		calloc(daemon->observed.count + 1, sizeof(struct pw_ages_image *));
	size_t count = 0;

	for (size_t i = 0; images && i < daemon->observed.count; i++) {
		struct pw_ages_image *image = pw_observation_ages(daemon->observed.items[i]->observation);

		if (image)
			images[count++] = image;
	}
	return images ? pw_published_set_ages(published, images, count) : -ENOMEM;
}

/* And the processes that have ended. */
static int add_deaths(const struct pw_daemon *daemon, struct pw_published *published)
{
	struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX];
	size_t count;

	count = pw_death_store_list(daemon->deaths, reports);
	return pw_published_set_deaths(published, reports, count);
}

/* How often each rule spoke, and which are disabled for whom. */
static int add_rules(const struct pw_daemon *daemon, struct pw_published *published, struct pw_record *const *records,
		     size_t count)
{
	_cleanup_free_ uint64_t *disabled = calloc(count + 1, sizeof(*disabled));
	struct pw_rule_status rules[PW_RULES_MAX];
	size_t rule_count = pw_analysis_rules(daemon->analysis, rules, ARRAY_SIZE(rules));

	for (size_t i = 0; disabled && i < count; i++)
		disabled[i] = pw_analysis_disabled(daemon->analysis, records[i]->identity.target_id);
	return disabled ? pw_published_set_rules(published, rules, rule_count, disabled) : -ENOMEM;
}

static void publish(struct pw_daemon *daemon)
{
	struct pw_published *published = NULL;
	struct pw_record **records = calloc(daemon->observed.count + 1, sizeof(*records));
	size_t count = 0, alerts;
	int r = -ENOMEM;

	daemon->ticking = false;
	daemon->health.tick_duration_ns = pw_now_ns() - daemon->tick_started_ns;
	pw_death_store_write(daemon->deaths, DEATHS_PER_TICK);
	fill_health(daemon);
	alerts = pw_analysis_alerts(daemon->analysis, daemon->alerts, PW_ALERTS_MAX);
	pw_sinks_current(daemon->sinks, daemon->alerts, alerts);
	for (size_t i = 0; records && i < daemon->observed.count; i++)
		if (daemon->observed.items[i]->record)
			records[count++] = daemon->observed.items[i]->record;
	if (records) {
		qsort(records, count, sizeof(*records), by_pid);
		r = pw_published_new(&published, records, count, daemon->alerts, alerts, &daemon->health,
				     daemon->config.metrics_sites, pw_boot_ns(), pw_wall_ns());
	}
	if (r >= 0) {
		r = add_ages(daemon, published);
		if (r >= 0)
			r = add_rules(daemon, published, records, count);
		if (r >= 0)
			r = add_deaths(daemon, published);
		if (r < 0)
			pw_published_unref(published);
	}
	free(records);
	if (r < 0) {
		pw_log_warn(r, "nothing published in this tick: %s", strerror(-r));
		return;
	}
	pw_board_put(daemon->board, published);
	if (!daemon->ready_said)
		say_ready(daemon);
}

/* The next target with work left, in turn; NULL: none. */
static struct pw_observed *next_pending(struct pw_daemon *daemon)
{
	for (size_t i = 0; i < daemon->observed.count; i++) {
		struct pw_observed *observed = daemon->observed.items[(daemon->cursor + i) % daemon->observed.count];

		if (!observed->pending)
			continue;
		daemon->cursor = (daemon->cursor + i + 1) % daemon->observed.count;
		return observed;
	}
	return NULL;
}

/* Slices in turn for WORK_NS, then the loop has its say; publishes when nothing is left. */
static int on_work(struct pw_source *source, uint64_t due_ns pw_unused, uint64_t late_ns pw_unused,
		   uint64_t missed pw_unused, void *context)
{
	struct pw_daemon *daemon = context;
	uint64_t started = pw_now_ns(), used = 0;
	size_t again = 0;

	while (used < WORK_NS && again <= daemon->observed.count) {
		struct pw_observed *observed = next_pending(daemon);
		int r;

		if (!observed) {
			publish(daemon);
			return 0;
		}
		r = pw_observation_work(observed->observation, pw_boot_ns());
		if (r == -EAGAIN) {
			again++;
		} else {
			/* Gone or unreadable: what is known so far is the record; discover tells the end. */
			if (r < 0 && r != -ESRCH)
				daemon->health.observe_failures++;
			close_interval(daemon, observed);
		}
		used = pw_now_ns() - started;
	}
	return pw_source_set_timer(source, used < WORK_NS / 2 ? WORK_IDLE_NS : 1, 0);
}

static int on_reader(struct pw_source *source pw_unused, int fd pw_unused, uint32_t events pw_unused, void *context);

/* The reader was restarted: another process, another fd. */
static int watch_reader(struct pw_daemon *daemon)
{
	uint64_t generation = pw_reader_generation(daemon->reader);

	if (daemon->reader_source && generation == daemon->reader_generation)
		return 0;
	pw_source_remove(daemon->reader_source);
	daemon->reader_source = NULL;
	daemon->reader_generation = generation;
	if (pw_reader_fd(daemon->reader) < 0)
		return 0;
	return pw_loop_add_io(daemon->loop, pw_reader_fd(daemon->reader), EPOLLIN, on_reader, daemon,
			      &daemon->reader_source);
}

static int on_reader(struct pw_source *source pw_unused, int fd pw_unused, uint32_t events pw_unused, void *context)
{
	struct pw_daemon *daemon = context;
	int r = pw_reader_dispatch(daemon->reader);

	if (r < 0)
		pw_log_warn(r, "the reader process: %s", strerror(-r));
	return watch_reader(daemon);
}

/* Closes the intervals of those that did not get done in time, so that nobody's data stands still. */
static void finish_late(struct pw_daemon *daemon)
{
	for (size_t i = 0; i < daemon->observed.count; i++)
		if (daemon->observed.items[i]->pending)
			close_interval(daemon, daemon->observed.items[i]);
	publish(daemon);
}

static int on_tick(struct pw_source *source pw_unused, uint64_t due_ns pw_unused, uint64_t late_ns, uint64_t missed,
		   void *context)
{
	struct pw_daemon *daemon = context;
	struct pw_health *health = &daemon->health;
	int r;

	if (daemon->ticking)
		finish_late(daemon);
	health->ticks++;
	health->ticks_missed += missed;
	health->tick_late_last_ns = late_ns;
	health->tick_late_max_ns = PW_MAX(health->tick_late_max_ns, late_ns);
	daemon->tick_started_ns = pw_now_ns();
	daemon->ticking = true;
	r = pw_discover_scan(daemon->discover, SCAN_NS);
	if (r < 0 && r != -EAGAIN)
		pw_log_warn(r, "cannot look for processes: %s", strerror(-r));
	r = pw_reader_expire(daemon->reader, pw_now_ns());
	if (r < 0)
		pw_log_warn(r, "the reader process: %s", strerror(-r));
	r = watch_reader(daemon);
	if (r < 0) /* the next tick tries again */
		pw_log_warn(r, "the answers of the reader process cannot be waited for: %s", strerror(-r));
	if (daemon->collect) {
		r = pw_collect_poll(daemon->collect, pw_boot_ns());
		if (r < 0)
			pw_log_warn(r, "the BPF maps could not be read: %s; trying again", strerror(-r));
	}
	for (size_t i = 0; i < daemon->observed.count; i++)
		daemon->observed.items[i]->pending = true;
	if (health->ticks == 1 && SECOND_TICK_NS < daemon->config.interval_ns) {
		r = pw_source_set_timer(daemon->tick_source, SECOND_TICK_NS, daemon->config.interval_ns);
		if (r < 0)
			pw_log_warn(r, "the second tick comes late: %s", strerror(-r));
	}
	return pw_source_set_timer(daemon->work_source, 1, 0);
}

int pw_daemon_tick_start(struct pw_daemon *daemon)
{
	int r = watch_reader(daemon);

	if (!r)
		r = pw_loop_add_timer(daemon->loop, 3600 * PW_NS_PER_SEC, 0, on_work, daemon, &daemon->work_source);
	if (!r)
		r = pw_loop_add_timer(daemon->loop, 1, daemon->config.interval_ns, on_tick, daemon,
				      &daemon->tick_source);
	return r;
}

int pw_daemon_set_interval(struct pw_daemon *daemon, uint64_t interval_ns)
{
	return pw_source_set_timer(daemon->tick_source, interval_ns, interval_ns);
}

void pw_daemon_drop(struct pw_daemon *daemon, struct pw_target *target)
{
	struct pw_death death;

	if (daemon->collect)
		pw_collect_remove(daemon->collect, target->id);
	for (size_t i = 0; i < daemon->observed.count; i++) {
		if (daemon->observed.items[i]->target != target)
			continue;
		pw_death_watch_end(&daemon->observed.items[i]->watch, target, &daemon->procfs, pw_boot_ns(),
				   pw_wall_ns(), &death);
		pw_observed_free(daemon->observed.items[i]);
		daemon->observed.items[i] = daemon->observed.items[--daemon->observed.count];
		pw_recording_gone(daemon->recording, &death);
		pw_analysis_forget(daemon->analysis, &death);
		break;
	}
}
