/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/oneshot.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "cmd/config.h"
#include "collect/features.h"
#include "observe/observe.h"
#include "reader/reader.h"
#include "target/symbolize.h"
#include "target/target.h"

enum pw_exit pw_oneshot_open(struct pw_oneshot *oneshot)
{
	int r;

	*oneshot = (struct pw_oneshot){.procfs = PW_PROCFS_INIT};
	r = pw_procfs_open(&oneshot->procfs, "/proc");
	if (r < 0) {
		pw_log_usage(r, "cannot open /proc: %s; is it mounted?", strerror(-r));
		return PW_EXIT_USAGE;
	}
	r = pw_reader_start(&oneshot->reader);
	if (r < 0) {
		pw_log_usage(r, "cannot start the reader process: %s", strerror(-r));
		pw_oneshot_close(oneshot);
		return PW_EXIT_USAGE;
	}
	return PW_EXIT_OK;
}

void pw_oneshot_close(struct pw_oneshot *oneshot)
{
	if (oneshot->reader)
		pw_reader_free(oneshot->reader);
	oneshot->reader = NULL;
	pw_procfs_done(&oneshot->procfs);
}

static bool is_called(struct pw_oneshot *oneshot, int pid, const char *name)
{
	char comm[64], exe[PW_PROC_PATH_MAX], *slash, *deleted;

	/* comm is cut at 15 bytes by the kernel. */
	if (pw_procfs_comm(&oneshot->procfs, pid, comm, sizeof(comm)) >= 0 &&
	    (!strcmp(comm, name) || (strlen(comm) == 15 && !strncmp(comm, name, 15))))
		return true;
	if (pw_procfs_exe(&oneshot->procfs, pid, exe, sizeof(exe)) < 0)
		return false;
	deleted = strstr(exe, " (deleted)");
	if (deleted)
		*deleted = '\0';
	slash = strrchr(exe, '/');
	return slash && !strcmp(slash + 1, name);
}

enum pw_exit pw_oneshot_find(struct pw_oneshot *oneshot, const char *pid_or_name, int *ret_pid)
{
	struct pw_pid_vec pids = {0};
	size_t found = 0;
	int pid = 0, r;

	if (*pid_or_name && strspn(pid_or_name, "0123456789") == strlen(pid_or_name)) {
		if (pw_parse_pid(pid_or_name, ret_pid) >= 0)
			return PW_EXIT_OK;
		pw_log_usage(-EINVAL, "'%s' is not a process id", pid_or_name);
		return PW_EXIT_USAGE;
	}
	r = pw_procfs_pids(&oneshot->procfs, &pids);
	for (size_t i = 0; r >= 0 && i < pids.count; i++) {
		if (pids.items[i] == getpid() || !is_called(oneshot, pids.items[i], pid_or_name))
			continue;
		found++;
		pid = pids.items[i];
	}
	pw_vec_done(&pids);
	if (r < 0) {
		pw_log_usage(r, "cannot read /proc: %s", strerror(-r));
		return PW_EXIT_USAGE;
	}
	if (found == 1) {
		*ret_pid = pid;
		return PW_EXIT_OK;
	}
	if (found) {
		pw_log_usage(-EINVAL, "%zu processes are called '%s': give a process id", found, pid_or_name);
		return PW_EXIT_USAGE;
	}
	pw_log_usage(-ESRCH, "no process is called '%s'", pid_or_name);
	return PW_EXIT_UNKNOWN;
}

enum pw_exit pw_oneshot_target(struct pw_oneshot *oneshot, int pid, struct pw_target **ret_target)
{
	struct pw_why why = {0};
	int r = pw_target_open(ret_target, pid, &oneshot->procfs, oneshot->reader, &why);

	if (r >= 0)
		return PW_EXIT_OK;
	/* Closed to us because we may nothing at all, and not because of what this process is. */
	if ((r == -EACCES || r == -EPERM) && geteuid() != 0) {
		pw_log_usage(r, "pid %d cannot be observed: %s", pid, pw_why_text(&why, r));
		return PW_EXIT_USAGE;
	}
	if (r == -ESRCH)
		pw_log_usage(r, "there is no process %d", pid);
	else
		pw_log_usage(r, "pid %d cannot be observed: %s", pid, pw_why_text(&why, r));
	return PW_EXIT_UNKNOWN;
}

int pw_oneshot_settle(struct pw_observation *observation, struct pw_target *target, uint64_t timeout_ns)
{
	uint64_t end = pw_now_ns() + timeout_ns;
	int r;

	while ((r = pw_observation_work(observation, pw_boot_ns())) == -EAGAIN) {
		if (pw_now_ns() >= end)
			return -ETIMEDOUT;
		if (target->symbolizer && pw_symbolizer_settle(target->symbolizer) < 0)
			return -ETIMEDOUT;
	}
	return r;
}

void pw_oneshot_judge_events(struct pw_target *target, const struct pw_features *features)
{
	const struct pw_feature_state *cause = NULL;
	struct pw_why why = {0};

	target->events_ok = false;
	for (size_t i = 0; i < _PW_FEATURE_MAX && !cause; i++)
		if (features->feature[i].tried && !features->feature[i].ok && features->feature[i].reason[0] &&
		    i != PW_FEATURE_MEMORY_READ)
			cause = &features->feature[i];
	if (!features->events_possible) {
		pw_why_set(&why, 0, "%s; %s", cause ? cause->reason : "this host lets us attach no probes",
			   cause && cause->remedy[0] ? cause->remedy : "parkwatch doctor says more");
		snprintf(target->events_reason, sizeof(target->events_reason), "%.*s",
			 (int)sizeof(target->events_reason) - 1, why.text);
	} else if (target->build && target->build->facts.why_no_events[0]) {
		snprintf(target->events_reason, sizeof(target->events_reason), "%s",
			 target->build->facts.why_no_events);
	} else {
		target->events_ok = true;
		target->events_reason[0] = '\0';
	}
}

enum pw_exit pw_oneshot_print(const struct pw_buf *out)
{
	int r = pw_buf_error(out);

	if (r < 0) {
		pw_log_usage(r, "the answer is too large: %s", strerror(-r));
		return PW_EXIT_USAGE;
	}
	if ((out->size && fwrite(pw_buf_text(out), out->size, 1, stdout) != 1) || fflush(stdout)) {
		pw_log_usage(-errno, "cannot write: %s", strerror(errno));
		return PW_EXIT_USAGE;
	}
	return PW_EXIT_OK;
}

void pw_oneshot_socket(struct pw_config *config)
{
	struct pw_why why = {0};

	/* A file that is not right is the daemon's to complain of; then the default holds. */
	if (pw_config_read_file(config, PW_CONFIG_PATH, &why) < 0)
		pw_log_debug(0, "%s", why.text);
	if (pw_config_read_environment(config, &why) < 0)
		pw_log_debug(0, "%s", why.text);
}
