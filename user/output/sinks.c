/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/sinks.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/alert.h"
#include "output/alert_exec.h"
#include "output/alert_file.h"
#include "output/webhook.h"

struct pw_sinks {
	struct pw_sinks_config config;
	struct pw_sink_stats log, file_stats;
	struct pw_alert_file *file;
	struct pw_alert_exec *exec;
	struct pw_webhook *webhooks[PW_WEBHOOKS_MAX];
	size_t webhook_count;
	bool firing; /* at the last tick */
};

PW_DEFINE_CLEANUP(struct pw_sinks *, pw_sinks_free);

void pw_sinks_config_default(struct pw_sinks_config *ret_config)
{
	*ret_config = (struct pw_sinks_config){
		.spool = "/var/lib/parkwatch/spool", .spool_items = 1000, .exec_timeout_ns = 30 * PW_NS_PER_SEC};
}

static int open_file(struct pw_sinks *sinks, const char *path, struct pw_why *reterr_why)
{
	struct pw_alert_file *file = NULL;
	int r = *path ? pw_alert_file_new(&file, path, reterr_why) : 0;

	if (r < 0)
		return r;
	pw_alert_file_free(sinks->file);
	sinks->file = file;
	return 0;
}

int pw_sinks_new(struct pw_sinks **ret_sinks, const struct pw_sinks_config *config, struct pw_why *reterr_why)
{
	_cleanup_(pw_sinks_freep) struct pw_sinks *sinks = calloc(1, sizeof(*sinks));
	int r;

	if (!sinks)
		return -ENOMEM;
	sinks->config = *config;
	sinks->log = (struct pw_sink_stats){.name = "log", .ok = true};
	sinks->file_stats = (struct pw_sink_stats){.name = "file", .ok = true};
	r = open_file(sinks, config->file, reterr_why);
	if (!r && config->exec_count)
		r = pw_alert_exec_start(&sinks->exec, config, reterr_why);
	if (r < 0)
		return r;
	*ret_sinks = TAKE_PTR(sinks);
	return 0;
}

void pw_sinks_free(struct pw_sinks *sinks)
{
	if (!sinks)
		return;
	for (size_t i = 0; i < sinks->webhook_count; i++)
		pw_webhook_free(sinks->webhooks[i]);
	pw_alert_exec_free(sinks->exec);
	pw_alert_file_free(sinks->file);
	free(sinks);
}

static bool same_webhook(const struct pw_webhook_config *a, const struct pw_webhook_config *b)
{
	return a->format == b->format && a->timeout_ns == b->timeout_ns && !strcmp(a->url, b->url) &&
	       !strcmp(a->ca, b->ca) && !strcmp(a->certificate, b->certificate) && !strcmp(a->key, b->key) &&
	       !strcmp(a->token_file, b->token_file);
}

/* Receivers that are the same as before stay, with what they have under way; the others end, their queues on disk. */
static int set_webhooks(struct pw_sinks *sinks, const struct pw_sinks_config *config, struct pw_why *reterr_why)
{
	struct pw_webhook *old[PW_WEBHOOKS_MAX];
	size_t old_count = sinks->webhook_count;
	bool same_spool =
		!strcmp(config->spool, sinks->config.spool) && config->spool_items == sinks->config.spool_items;
	int r = 0, error;

	memcpy(old, sinks->webhooks, sizeof(old));
	sinks->webhook_count = 0;
	for (size_t i = 0; i < config->webhook_count; i++) {
		struct pw_webhook *webhook = NULL;

		for (size_t j = 0; j < old_count && same_spool && !webhook; j++)
			if (old[j] && same_webhook(pw_webhook_config(old[j]), &config->webhooks[i]))
				webhook = TAKE_PTR(old[j]);
		error = webhook ? 0
				: pw_webhook_new(&webhook, &config->webhooks[i], config->spool, config->spool_items,
						 reterr_why);
		if (error < 0)
			r = error;
		else
			sinks->webhooks[sinks->webhook_count++] = webhook;
	}
	for (size_t j = 0; j < old_count; j++)
		pw_webhook_free(old[j]);
	return r;
}

int pw_sinks_start(struct pw_sinks *sinks, struct pw_why *reterr_why)
{
	return set_webhooks(sinks, &sinks->config, reterr_why);
}

bool pw_sinks_configure(struct pw_sinks *sinks, const struct pw_sinks_config *config)
{
	bool same_exec = config->exec_count == sinks->config.exec_count &&
			 config->exec_timeout_ns == sinks->config.exec_timeout_ns;
	struct pw_why why = {0};
	int r = 0;

	for (size_t i = 0; i < config->exec_count && same_exec; i++)
		same_exec = !strcmp(config->exec[i], sinks->config.exec[i]);
	if (strcmp(config->file, sinks->config.file) != 0)
		r = open_file(sinks, config->file, &why);
	if (r < 0)
		pw_log_warn(r, "%s; the old file stays", pw_why_text(&why, r));
	r = set_webhooks(sinks, config, &why);
	if (r < 0)
		pw_log_warn(r, "%s", pw_why_text(&why, r));
	sinks->config = *config;
	return same_exec;
}

static void count(struct pw_sink_stats *stats, int r)
{
	stats->ok = r >= 0;
	stats->delivered += r >= 0;
	stats->failed_tries += r < 0;
	stats->dropped += r < 0;
}

/* Those that wake people: what another alert stands for is over, as far as they are concerned. */
static void wake(struct pw_sinks *sinks, const struct pw_alert *alert)
{
	struct pw_alert told = *alert;

	if (alert->page == PW_PAGE_WITHDRAW) {
		told.state = PW_ALERT_RESOLVED;
		told.resolved_wall_ns = alert->told_wall_ns;
	}
	if (sinks->exec)
		pw_alert_exec_tell(sinks->exec, &told);
	for (size_t i = 0; i < sinks->webhook_count; i++)
		pw_webhook_tell(sinks->webhooks[i], &told);
}

void pw_sinks_tell(struct pw_sinks *sinks, const struct pw_alert *alert)
{
	int r;

	count(&sinks->log, pw_alert_log(alert));
	if (sinks->file) {
		r = pw_alert_file_write(sinks->file, alert);
		count(&sinks->file_stats, r);
		if (r < 0)
			pw_log_warn(r, "alert %s is not in '%s': %s", alert->id, pw_alert_file_path(sinks->file),
				    strerror(-r));
	}
	if (alert->page != PW_PAGE_NOT)
		wake(sinks, alert);
}

static bool is_paged(const struct pw_alert *alert)
{
	return alert->paged && (alert->state == PW_ALERT_FIRING || alert->state == PW_ALERT_CLEARING);
}

void pw_sinks_current(struct pw_sinks *sinks, const struct pw_alert *alerts, size_t alert_count)
{
	struct pw_alert *firing;
	size_t open = 0;

	for (size_t i = 0; i < alert_count; i++)
		open += is_paged(&alerts[i]);
	if (!sinks->webhook_count || (!open && !sinks->firing))
		return;
	firing = calloc(open + 1, sizeof(*firing));
	if (!firing)
		return; /* the next tick tries again */
	sinks->firing = open;
	open = 0;
	for (size_t i = 0; i < alert_count; i++)
		if (is_paged(&alerts[i]))
			firing[open++] = alerts[i];
	for (size_t i = 0; i < sinks->webhook_count; i++)
		pw_webhook_current(sinks->webhooks[i], firing, open);
	free(firing);
}

int pw_sinks_fd(const struct pw_sinks *sinks)
{
	return sinks->exec ? pw_alert_exec_fd(sinks->exec) : -1;
}

bool pw_sinks_dispatch(struct pw_sinks *sinks)
{
	return pw_alert_exec_dispatch(sinks->exec);
}

size_t pw_sinks_stats(struct pw_sinks *sinks, struct pw_sink_stats stats[PW_SINKS_MAX])
{
	size_t found = 0;

	stats[found++] = sinks->log;
	if (sinks->file)
		stats[found++] = sinks->file_stats;
	if (sinks->exec)
		pw_alert_exec_stats(sinks->exec, &stats[found++]);
	for (size_t i = 0; i < sinks->webhook_count; i++)
		pw_webhook_stats(sinks->webhooks[i], &stats[found++]);
	return found;
}
