/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/httpc.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/oneshot.h"
#include "collect/features.h"
#include "model/record.h"
#include "observe/observe.h"
#include "output/report.h"
#include "output/views.h"
#include "target/target.h"

#define ANSWER_BYTES_MAX (64U << 20)
#define ANSWER_NS	 (5 * PW_NS_PER_SEC)
#define SETTLE_NS	 (10 * PW_NS_PER_SEC)

struct values {
	const char *pid;
	bool sites, standalone;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "only this process", PW_OPTION_TEXT, offsetof(struct values, pid), NULL},
	{"sites", 0, NULL, "the probe sites of each process too", PW_OPTION_FLAG, offsetof(struct values, sites), NULL},
	{"json", 0, NULL, "as JSON, with the probe sites", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
	{"socket", 0, "PATH", "local socket of the daemon", PW_OPTION_SETTING, 0, "socket"},
	{"standalone", 0, NULL, "look ourselves even if a daemon runs", PW_OPTION_FLAG,
	 offsetof(struct values, standalone), NULL},
};

struct records {
	struct pw_record **items;
	size_t count, capacity, max;
};

static void records_done(struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		pw_record_unref(records->items[i]);
	pw_vec_done(records);
}

/* One process into a record: 0, or -errno when there is nothing to show. Frees the target. */
static int look_at(struct pw_oneshot *oneshot, struct pw_target *target, const struct pw_features *features,
		   struct records *records)
{
	static const struct pw_observe_options observe = {
		.census_interval_ns = PW_NS_PER_SEC, .slice_ns = 20 * PW_NS_PER_MS, .kernel_figures = true};
	struct pw_observation *observation = NULL;
	struct pw_record *record = NULL;
	int r;

	pw_oneshot_judge_events(target, features);
	r = pw_observation_new(&observation, target, NULL, &oneshot->procfs, &observe);
	if (!r && target->memory_ok) {
		r = pw_oneshot_settle(observation, target, SETTLE_NS);
		r = r == -ESRCH ? r : 0; /* what was read so far is shown */
	}
	if (!r)
		r = pw_observation_record(observation, pw_boot_ns(), pw_wall_ns(), &record);
	if (!r)
		r = pw_vec_push(records, record);
	if (r < 0 && record)
		pw_record_unref(record);
	if (observation)
		pw_observation_free(observation);
	pw_target_free(target);
	return r;
}

static int by_pid(const void *a, const void *b)
{
	const struct pw_record *const *left = a, *const *right = b;

	return (*left)->identity.pid - (*right)->identity.pid;
}

/* Every process; those that are not Go, or gone meanwhile, are no news. Returns how many were closed to us. */
static enum pw_exit look_at_all(struct pw_oneshot *oneshot, const struct pw_features *features, struct records *records,
				struct pw_why *ret_closed, size_t *ret_closed_count, size_t *ret_opted_out)
{
	struct pw_pid_vec pids = {0};
	int r = pw_procfs_pids(&oneshot->procfs, &pids);

	if (r < 0) {
		pw_log_usage(r, "cannot read /proc: %s", strerror(-r));
		return PW_EXIT_USAGE;
	}
	for (size_t i = 0; i < pids.count; i++) {
		struct pw_target *target = NULL;
		struct pw_why why = {0};

		if (pids.items[i] == getpid())
			continue;
		r = pw_target_open(&target, pids.items[i], &oneshot->procfs, oneshot->reader, &why);
		if (r >= 0) {
			r = look_at(oneshot, target, features, records);
			if (r < 0 && r != -ESRCH)
				pw_log_warn(r, "process %d is left out: %s", (int)pids.items[i], strerror(-r));
		} else if (r == -EPERM) {
			++*ret_opted_out;
		} else if (r == -EACCES && !(*ret_closed_count)++) {
			*ret_closed = why;
		}
	}
	pw_vec_done(&pids);
	return PW_EXIT_OK;
}

static enum pw_exit look(struct pw_oneshot *oneshot, const struct values *values, const struct pw_features *features,
			 struct records *records)
{
	struct pw_target *target = NULL;
	struct pw_why closed = {0};
	size_t closed_count = 0, opted_out = 0;
	enum pw_exit status;
	int pid, r;

	if (values->pid) {
		status = pw_oneshot_find(oneshot, values->pid, &pid);
		if (status == PW_EXIT_OK)
			status = pw_oneshot_target(oneshot, pid, &target);
		if (status != PW_EXIT_OK)
			return status;
		r = look_at(oneshot, target, features, records);
		if (r >= 0)
			return PW_EXIT_OK;
		pw_log_usage(r, "pid %d cannot be observed: %s", pid, r == -ESRCH ? "it has ended" : strerror(-r));
		return PW_EXIT_UNKNOWN;
	}
	status = look_at_all(oneshot, features, records, &closed, &closed_count, &opted_out);
	if (status != PW_EXIT_OK)
		return status;
	if (!records->count && closed_count && geteuid() != 0) {
		pw_log_usage(-EACCES, "no process can be read: %s", pw_why_text(&closed, -EACCES));
		return PW_EXIT_USAGE;
	}
	if (closed_count)
		pw_log_usage(0, "%zu %s be read: %s", closed_count,
			     closed_count == 1 ? "process cannot" : "processes cannot", pw_why_text(&closed, -EACCES));
	if (opted_out)
		pw_log_usage(0, "%zu left alone: PARKWATCH=off in their environment", opted_out);
	return PW_EXIT_OK;
}

static int standalone(const struct values *values)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	struct pw_features features = {0};
	struct records records = {0};
	struct pw_oneshot oneshot;
	enum pw_exit status;

	if (pw_features_probe(&features) < 0)
		features.events_possible = false;
	status = pw_oneshot_open(&oneshot);
	if (status != PW_EXIT_OK)
		return status;
	status = look(&oneshot, values, &features, &records);
	if (status == PW_EXIT_OK) {
		const struct pw_record *const *items = (const struct pw_record *const *)records.items;

		pw_vec_sort(&records, by_pid);
		if (values->format == PW_FORMAT_JSON)
			pw_view_ps(&out, items, records.count);
		else
			pw_report_ps(&out, items, records.count, values->sites);
		status = pw_oneshot_print(&out);
	}
	records_done(&records);
	pw_oneshot_close(&oneshot);
	return status;
}

/* PW_EXIT_OK when the daemon answered; -1: nobody there, look ourselves. */
static int ask_daemon(const struct values *values, const struct pw_config *config)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	struct pw_why why = {0};
	long status = 0;
	int r;

	r = pw_httpc_get_local(config->socket,
			       values->format == PW_FORMAT_JSON ? "/api/v1/ps"
			       : values->sites			? "/api/v1/ps?format=text&sites=1"
								: "/api/v1/ps?format=text",
			       ANSWER_NS, &out, &status, &why);
	if (r < 0 || status != 200) {
		pw_log_debug(0, "the daemon does not answer: %s", why.text);
		return -1;
	}
	return pw_oneshot_print(&out);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_(pw_config_done) struct pw_config config;
	struct values values = {0};
	struct pw_options_result parsed;
	int status;

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (parsed.operands) {
		pw_log_usage(-EINVAL, "'%s' is not expected: use -p", argv[parsed.first]);
		return PW_EXIT_USAGE;
	}
	pw_oneshot_socket(&config);
	if (!values.standalone && !values.pid && config.socket[0]) {
		status = ask_daemon(&values, &config);
		if (status >= 0)
			return status;
	}
	return standalone(&values);
}

const struct pw_command pw_cmd_ps = {
	.name = "ps",
	.operands = "",
	.summary = "Go processes: version, goroutines, what can be observed and why not",
	.details = "Asks the running daemon; without one, or with -p, it looks itself (root).",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
