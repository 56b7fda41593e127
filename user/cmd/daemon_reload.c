/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/benign.h"
#include "analysis/policy.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/config_watch.h"
#include "cmd/daemon.h"
#include "cmd/notify.h"
#include "cmd/recording.h"
#include "collect/collect.h"
#include "observe/observe.h"
#include "output/sinks.h"
#include "target/discover.h"
#include "target/service.h"
#include "target/target.h"

/*
 * A new configuration while the daemon runs: SIGHUP, or the file has changed. All of it is taken over, or, when there
 * is a mistake in it, nothing: the last good one stays, and log, metrics and ps say why.
 */

void pw_daemon_name_service(void *context, struct pw_target *target)
{
	struct pw_daemon *daemon = context;
	const char *const names[] = {target->process, target->exe, target->unit, target->service, target->container};
	const char *service = pw_config_service(&daemon->config, names, ARRAY_SIZE(names));

	if (service)
		snprintf(target->service, sizeof(target->service), "%.*s", (int)sizeof(target->service) - 1, service);
}

void pw_daemon_apply_filter(struct pw_daemon *daemon)
{
	const char *include[PW_CONFIG_LIST_MAX], *exclude[PW_CONFIG_LIST_MAX];
	struct pw_discover_filter filter = {.include = include, .exclude = exclude};

	for (; filter.include_count < daemon->config.include.count; filter.include_count++)
		include[filter.include_count] = daemon->config.include.items[filter.include_count].pattern;
	for (; filter.exclude_count < daemon->config.exclude.count; filter.exclude_count++)
		exclude[filter.exclude_count] = daemon->config.exclude.items[filter.exclude_count].pattern;
	pw_discover_set_filter(daemon->discover, &filter);
}

static void warn_fixed(const char *key, bool changed)
{
	if (changed)
		pw_log_warn(0, "the new value of '%s' holds from the next start on", key);
}

/* What was taken over from the configuration when a target was found: its name, and how it is observed. */
static void apply_to_targets(struct pw_daemon *daemon)
{
	for (size_t i = 0; i < pw_discover_count(daemon->discover); i++) {
		struct pw_target *target = pw_discover_at(daemon->discover, i);

		pw_target_name_service(target);
		pw_daemon_name_service(daemon, target);
	}
	for (size_t i = 0; i < daemon->observed.count; i++)
		pw_observation_set_options(daemon->observed.items[i]->observation, daemon->config.interval_ns,
					   daemon->config.snapshot_interval_ns, daemon->config.memory_interval_ns,
					   daemon->config.budget_percent);
}

/* The configuration as it is in the file now, over the flags. */
static int read_again(const struct pw_daemon *daemon, struct pw_config *ret_config, struct pw_why *reterr_why)
{
	struct pw_config config;
	int r = pw_config_copy(&config, &daemon->flags);

	if (r < 0)
		return r;
	r = pw_config_load(&config, daemon->config_path, reterr_why);
	if (r >= 0 && !*config.path && *daemon->config.path) /* the default one was there, and need not be */
		r = pw_why_set(reterr_why, -ENOENT, "configuration '%s' is gone", daemon->config.path);
	if (r < 0) {
		pw_config_done(&config);
		return r;
	}
	*ret_config = config;
	return 0;
}

static void warn_of_changes(const struct pw_daemon *daemon, const struct pw_config *config)
{
	warn_fixed("listen", strcmp(config->listen, daemon->config.listen) != 0);
	warn_fixed("socket", strcmp(config->socket, daemon->config.socket) != 0);
	warn_fixed("record", strcmp(config->record, daemon->config.record) != 0);
	warn_fixed("deaths", strcmp(config->deaths, daemon->config.deaths) != 0);
	warn_fixed("attach", config->attach != daemon->config.attach);
}

static void refuse(struct pw_daemon *daemon, int r, const struct pw_why *why)
{
	struct pw_health *health = &daemon->health;

	health->reload_ok = false;
	health->reloads_failed++;
	snprintf(health->reload_error, sizeof(health->reload_error), "%.*s", (int)sizeof(health->reload_error) - 1,
		 pw_why_text(why, r));
	pw_log_err(r, "%s; the configuration in force stays", pw_why_text(why, r));
	(void)pw_notify("READY=1\nSTATUS=the new configuration is wrong, the old one stays in force");
}

/* Takes the new configuration over: everything in it holds from now on. */
static void take_over(struct pw_daemon *daemon, struct pw_config *config)
{
	int r = 0;

	warn_of_changes(daemon, config);
	warn_fixed("alerts.exec", !pw_sinks_configure(daemon->sinks, &config->sinks));
	if (config->interval_ns != daemon->config.interval_ns)
		r = pw_daemon_set_interval(daemon, config->interval_ns);
	if (r < 0)
		pw_log_warn(r, "the interval stays as it is: %s", strerror(-r));
	pw_config_done(&daemon->config);
	daemon->config = *config;
	daemon->health.reload_ok = true;
	daemon->health.reloads++;
	daemon->health.reload_error[0] = '\0';
	daemon->health.reload_wall_ns = pw_wall_ns();
	pw_log_set_level(config->log_level);
	pw_recording_rules(daemon->recording, &config->rules, config->policy);
	if (daemon->collect)
		pw_collect_set_budget(daemon->collect, config->budget_percent, config->host_budget_percent);
	apply_to_targets(daemon);
	pw_daemon_apply_filter(daemon); /* may look at names */
	pw_log_info(0, "configuration read again%s%s", *config->path ? " from " : "", config->path);
	pw_daemon_say_expired(daemon);
	(void)pw_notify("READY=1");
}

void pw_daemon_reload(struct pw_daemon *daemon)
{
	struct pw_config config;
	struct pw_why why = {0};
	int r;

	pw_notify_reloading();
	pw_config_watch_read(daemon->config_watch);
	r = read_again(daemon, &config, &why);
	if (r >= 0) {
		r = pw_analysis_judge_by(daemon->analysis, &config.rules, config.policy);
		if (r < 0)
			pw_config_done(&config);
	}
	if (r < 0)
		refuse(daemon, r, &why);
	else
		take_over(daemon, &config);
}

static void on_config_changed(void *context)
{
	pw_daemon_reload(context);
}

int pw_daemon_watch_config(struct pw_daemon *daemon)
{
	return pw_config_watch_new(&daemon->config_watch, daemon->loop,
				   daemon->config_path ? daemon->config_path : PW_CONFIG_PATH,
				   daemon->config_read_wall_ns, on_config_changed, daemon);
}

void pw_daemon_say_expired(const struct pw_daemon *daemon)
{
	const struct pw_policy *policy = daemon->config.policy;
	uint64_t now_ns = pw_wall_ns();

	for (size_t i = 0; policy && i < policy->benign_count; i++)
		if (policy->benign[i].expires_wall_ns <= now_ns && !*policy->benign[i].shipped)
			pw_log_warn(0, "%s:%u: the benign entry '%s' holds no more: it was for until %s",
				    daemon->config.path, policy->benign[i].line, policy->benign[i].created,
				    policy->benign[i].expires);
}
