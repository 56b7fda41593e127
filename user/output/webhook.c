/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/webhook.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/httpc.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/spool.h"
#include "output/webhook_body.h"

#define BODY_MAX       PW_SPOOL_ITEM_MAX
#define CURRENT_MAX    (4U << 20)
#define ANSWER_MAX     200 /* bytes of an answer that are quoted */
#define TOKEN_MAX      4096
#define HTTP_TIMEOUT   408
#define HTTP_TOO_MANY  429
#define HOST_NAME_SIZE 256

struct message {
	char *text; /* owned */
	size_t size;
};

struct pw_webhook {
	struct pw_webhook_config config;
	char url[1100], host[HOST_NAME_SIZE], name[96];
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* of what both threads see: */
	pthread_cond_t changed;
	bool stop;
	PW_VEC(struct message) inbox; /* made by the loop, moved to the spool by the thread */
	struct message current;	      /* to be repeated; NULL: nothing fires, or no repeating receiver */
	struct pw_sink_stats stats;
	uint64_t given_up_by_spool;

	struct pw_spool *spool; /* the thread's, as all below */
	struct pw_httpc *client;
	struct pw_buf body;
	unsigned int failures; /* in a row */
	uint64_t next_try_ns, next_repeat_ns;
};

PW_DEFINE_CLEANUP(struct pw_webhook *, pw_webhook_free);

uint64_t pw_webhook_backoff_ns(unsigned int failures)
{
	uint64_t wait_ns = PW_WEBHOOK_RETRY_NS;

	if (!failures)
		return 0;
	while (--failures && wait_ns < PW_WEBHOOK_RETRY_MAX)
		wait_ns *= 2;
	return PW_MIN(wait_ns, PW_WEBHOOK_RETRY_MAX);
}

void pw_webhook_name(const struct pw_webhook_config *config, char *ret_name, size_t size)
{
	static const char *const formats[] = {[PW_WEBHOOK_ALERTMANAGER] = "alertmanager", [PW_WEBHOOK_JSON] = "json"};
	const char *rest = strstr(config->url, "://"), *host, *at;
	size_t scheme, length;

	rest = rest ? rest + 3 : config->url;
	scheme = (size_t)(rest - config->url);
	length = strcspn(rest, "/?#");
	at = memrchr(rest, '@', length);
	host = at ? at + 1 : rest;
	length -= (size_t)(host - rest);
	snprintf(ret_name, size, "%s %.*s%.*s", formats[config->format], (int)scheme, config->url, (int)length, host);
}

/* --- the thread -------------------------------------------------------------------------------------------------- */

static void publish_spool(struct pw_webhook *webhook)
{
	struct pw_spool_stats spool;

	pw_spool_stats(webhook->spool, &spool);
	pthread_mutex_lock(&webhook->lock);
	webhook->stats.waiting = spool.items;
	webhook->stats.in_memory = spool.in_memory;
	webhook->given_up_by_spool = spool.dropped;
	pthread_mutex_unlock(&webhook->lock);
}

/* Takes what the loop has left; the disk is only touched without the lock. */
static void empty_inbox(struct pw_webhook *webhook)
{
	PW_VEC(struct message) taken = PW_VEC_INIT(PW_WEBHOOK_INBOX_MAX);
	struct pw_spool_stats before, after;

	pthread_mutex_lock(&webhook->lock);
	pw_vec_move(&taken, &webhook->inbox);
	pthread_mutex_unlock(&webhook->lock);
	if (!taken.count)
		return;
	pw_spool_stats(webhook->spool, &before);
	for (size_t i = 0; i < taken.count; i++) {
		pw_spool_put(webhook->spool, taken.items[i].text, taken.items[i].size); /* counts its losses */
		free(taken.items[i].text);
	}
	pw_vec_done(&taken);
	pw_spool_stats(webhook->spool, &after);
	if (after.disk_failures > before.disk_failures)
		pw_log_warn(
			0,
			"%s: alerts that wait cannot be written to disk: they are kept in memory, and lost if we end",
			webhook->name);
	if (after.dropped > before.dropped)
		pw_log_warn(0, "%s: too many alerts wait: the oldest are given up", webhook->name);
}

static bool is_stopping(void *context)
{
	struct pw_webhook *webhook = context;
	bool stop;

	pthread_mutex_lock(&webhook->lock);
	stop = webhook->stop;
	pthread_mutex_unlock(&webhook->lock);
	return stop;
}

/* The token as it is in its file now: -errno with a sentence. */
static int read_token(const char *path, char token[TOKEN_MAX], struct pw_why *reterr_why)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, token, TOKEN_MAX - 1);

	if (n < 0)
		return pw_why_set(reterr_why, -errno, "cannot read the token in '%s': %s", path, strerror(errno));
	token[n] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	return 0;
}

static int post(struct pw_webhook *webhook, const char *text, size_t size, long *ret_status, struct pw_buf *answer,
		struct pw_why *reterr_why)
{
	char token[TOKEN_MAX] = "";
	struct pw_httpc_target target = {.url = webhook->url,
					 .content_type = "application/json",
					 .bearer_token = token,
					 .ca_file = webhook->config.ca,
					 .certificate_file = webhook->config.certificate,
					 .key_file = webhook->config.key,
					 .timeout_ns = webhook->config.timeout_ns,
					 .cancelled = is_stopping,
					 .context = webhook};
	int r = 0;

	if (!webhook->client)
		r = pw_httpc_new(&webhook->client, reterr_why);
	if (!r && *webhook->config.token_file)
		r = read_token(webhook->config.token_file, token, reterr_why);
	if (!r)
		r = pw_httpc_post(webhook->client, &target, text, size, answer, ret_status, reterr_why);
	explicit_bzero(token, sizeof(token));
	return r;
}

static void tried(struct pw_webhook *webhook, bool ok)
{
	pthread_mutex_lock(&webhook->lock);
	webhook->stats.ok = ok;
	webhook->stats.failed_tries += !ok;
	pthread_mutex_unlock(&webhook->lock);
	if (ok && webhook->failures)
		pw_log_info(0, "%s takes alerts again", webhook->name);
	webhook->failures = ok ? 0 : webhook->failures + 1;
	webhook->next_try_ns = pw_now_ns() + pw_webhook_backoff_ns(webhook->failures);
}

enum outcome { DELIVERED, REFUSED, AGAIN };

/* One try; says what went wrong when that begins. */
static enum outcome deliver(struct pw_webhook *webhook, const char *text, size_t size)
{
	_cleanup_buf_ struct pw_buf answer = PW_BUF_INIT(ANSWER_MAX);
	struct pw_why why = {0};
	long status = 0;
	int r = post(webhook, text, size, &status, &answer, &why);

	if (!r && status >= 200 && status < 300) {
		tried(webhook, true);
		return DELIVERED;
	}
	if (!r && status >= 400 && status < 500 && status != HTTP_TIMEOUT && status != HTTP_TOO_MANY) {
		tried(webhook, false);
		webhook->next_try_ns = 0;
		pw_log_warn(0, "%s refuses an alert with status %ld: %s", webhook->name, status, pw_buf_text(&answer));
		return REFUSED;
	}
	if (!webhook->failures && r)
		pw_log_warn(r, "%s does not take alerts: %s; they wait, and are tried again", webhook->name,
			    pw_why_text(&why, r));
	else if (!webhook->failures)
		pw_log_warn(0, "%s does not take alerts: status %ld: %s; they wait, and are tried again", webhook->name,
			    status, pw_buf_text(&answer));
	tried(webhook, false);
	return AGAIN;
}

/* The oldest of the queue. */
static void deliver_first(struct pw_webhook *webhook)
{
	enum outcome outcome;

	if (pw_spool_first(webhook->spool, &webhook->body) < 0)
		return; /* nothing, or an item that cannot be read: it is counted and gone */
	outcome = deliver(webhook, pw_buf_text(&webhook->body), webhook->body.size);
	if (outcome == AGAIN)
		return;
	pw_spool_remove_first(webhook->spool);
	pthread_mutex_lock(&webhook->lock);
	webhook->stats.delivered += outcome == DELIVERED;
	webhook->stats.dropped += outcome == REFUSED;
	pthread_mutex_unlock(&webhook->lock);
}

/* What fires now, again: only behind everything that waits, so that it never contradicts what is delivered later. */
static void repeat(struct pw_webhook *webhook)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	webhook->next_repeat_ns = pw_now_ns() + PW_WEBHOOK_REPEAT_NS;
	pthread_mutex_lock(&webhook->lock);
	if (webhook->current.text && !webhook->inbox.count) {
		text = malloc(webhook->current.size + 1);
		size = webhook->current.size;
		if (text)
			memcpy(text, webhook->current.text, size + 1);
	}
	pthread_mutex_unlock(&webhook->lock);
	if (text)
		(void)deliver(webhook, text, size);
}

/* When there is something to do, if nothing new comes. With the lock. */
static uint64_t next_work_ns(const struct pw_webhook *webhook, uint64_t items)
{
	if (items)
		return webhook->next_try_ns;
	return webhook->current.text ? PW_MAX(webhook->next_repeat_ns, webhook->next_try_ns)
				     : pw_now_ns() + 3600 * PW_NS_PER_SEC;
}

/* Until there is something to do. True: to be ended. */
static bool wait_for_work(struct pw_webhook *webhook)
{
	struct pw_spool_stats spool;
	uint64_t until_ns;
	struct timespec until;
	bool stop;

	pw_spool_stats(webhook->spool, &spool);
	pthread_mutex_lock(&webhook->lock);
	while (!webhook->stop && !webhook->inbox.count &&
	       pw_now_ns() < (until_ns = next_work_ns(webhook, spool.items))) {
		until = (struct timespec){.tv_sec = (time_t)(until_ns / PW_NS_PER_SEC),
					  .tv_nsec = (long)(until_ns % PW_NS_PER_SEC)};
		pthread_cond_timedwait(&webhook->changed, &webhook->lock, &until);
	}
	stop = webhook->stop;
	pthread_mutex_unlock(&webhook->lock);
	return stop;
}

static void *run(void *context)
{
	struct pw_webhook *webhook = context;
	struct pw_spool_stats spool;

	while (!wait_for_work(webhook)) {
		empty_inbox(webhook);
		pw_spool_stats(webhook->spool, &spool);
		if (pw_now_ns() >= webhook->next_try_ns) {
			if (spool.items)
				deliver_first(webhook);
			else if (pw_now_ns() >= webhook->next_repeat_ns)
				repeat(webhook);
		}
		publish_spool(webhook);
	}
	empty_inbox(webhook); /* to disk, for the next start */
	return NULL;
}

/* --- the loop's side --------------------------------------------------------------------------------------------- */

/* FNV-1a: the queue of a receiver is found again after a restart, in a directory of its own. */
static uint64_t hash_of(const struct pw_webhook_config *config)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ (uint64_t)config->format;

	for (const char *c = config->url; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3ULL;
	return hash;
}

static int start(struct pw_webhook *webhook, struct pw_why *reterr_why)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&webhook->thread, NULL, run, webhook);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return pw_why_set(reterr_why, -r, "%s: cannot start a thread: %s", webhook->name, strerror(r));
	webhook->started = true;
	return 0;
}

static int init_sync(struct pw_webhook *webhook)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&webhook->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	return -pthread_cond_init(&webhook->changed, &attributes);
}

int pw_webhook_new(struct pw_webhook **ret_webhook, const struct pw_webhook_config *config, const char *spool,
		   size_t spool_items, struct pw_why *reterr_why)
{
	_cleanup_(pw_webhook_freep) struct pw_webhook *webhook = calloc(1, sizeof(*webhook));
	char directory[PATH_MAX] = "";
	struct pw_why why = {0};
	size_t length = strlen(config->url);
	int r;

	if (!webhook)
		return -ENOMEM;
	webhook->config = *config;
	webhook->inbox.max = PW_WEBHOOK_INBOX_MAX;
	webhook->body = PW_BUF_INIT(BODY_MAX);
	webhook->stats.ok = true;
	r = init_sync(webhook);
	if (r < 0)
		return r;
	pw_webhook_name(config, webhook->name, sizeof(webhook->name));
	memcpy(webhook->stats.name, webhook->name, sizeof(webhook->name));
	if (gethostname(webhook->host, sizeof(webhook->host) - 1) < 0)
		webhook->host[0] = '\0';
	while (length && config->url[length - 1] == '/' && config->format == PW_WEBHOOK_ALERTMANAGER)
		length--;
	snprintf(webhook->url, sizeof(webhook->url), "%.*s%s", (int)length, config->url,
		 config->format == PW_WEBHOOK_ALERTMANAGER ? "/api/v2/alerts" : "");
	if (spool && *spool)
		snprintf(directory, sizeof(directory), "%s/%016" PRIx64, spool, hash_of(config));
	r = pw_spool_new(&webhook->spool, directory, spool_items, &why);
	if (!webhook->spool)
		return -ENOMEM;
	if (r < 0)
		pw_log_warn(r, "%s: %s; alerts that wait are kept in memory", webhook->name, pw_why_text(&why, r));
	publish_spool(webhook);
	r = start(webhook, reterr_why);
	if (r < 0)
		return r;
	*ret_webhook = TAKE_PTR(webhook);
	return 0;
}

void pw_webhook_free(struct pw_webhook *webhook)
{
	if (!webhook)
		return;
	pthread_mutex_lock(&webhook->lock);
	webhook->stop = true;
	pthread_cond_signal(&webhook->changed);
	pthread_mutex_unlock(&webhook->lock);
	if (webhook->started)
		pthread_join(webhook->thread, NULL);
	for (size_t i = 0; i < webhook->inbox.count; i++)
		free(webhook->inbox.items[i].text);
	pw_vec_done(&webhook->inbox);
	free(webhook->current.text);
	pw_spool_free(webhook->spool);
	pw_httpc_free(webhook->client);
	pw_buf_done(&webhook->body);
	pthread_cond_destroy(&webhook->changed);
	pthread_mutex_destroy(&webhook->lock);
	free(webhook);
}

const struct pw_webhook_config *pw_webhook_config(const struct pw_webhook *webhook)
{
	return &webhook->config;
}

static struct message body_of(const struct pw_webhook *webhook, const struct pw_alert *alerts, size_t count, size_t max)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(max);
	struct message message = {0};

	pw_webhook_body(&out, webhook->config.format, webhook->host, alerts, count);
	message.text = pw_buf_take(&out, &message.size);
	return message;
}

void pw_webhook_tell(struct pw_webhook *webhook, const struct pw_alert *alert)
{
	struct message message = body_of(webhook, alert, 1, BODY_MAX);
	bool taken;

	pthread_mutex_lock(&webhook->lock);
	taken = message.text && pw_vec_push(&webhook->inbox, message) == 0;
	webhook->stats.dropped += !taken;
	pthread_cond_signal(&webhook->changed);
	pthread_mutex_unlock(&webhook->lock);
	if (!taken)
		free(message.text);
}

void pw_webhook_current(struct pw_webhook *webhook, const struct pw_alert *alerts, size_t count)
{
	struct message message = {0}, old;

	if (webhook->config.format != PW_WEBHOOK_ALERTMANAGER)
		return;
	if (count)
		message = body_of(webhook, alerts, count, CURRENT_MAX);
	pthread_mutex_lock(&webhook->lock);
	old = webhook->current;
	webhook->current = message;
	if (!old.text != !message.text)
		pthread_cond_signal(&webhook->changed);
	pthread_mutex_unlock(&webhook->lock);
	free(old.text);
}

void pw_webhook_stats(struct pw_webhook *webhook, struct pw_sink_stats *ret_stats)
{
	pthread_mutex_lock(&webhook->lock);
	*ret_stats = webhook->stats;
	ret_stats->waiting += webhook->inbox.count;
	ret_stats->dropped += webhook->given_up_by_spool;
	pthread_mutex_unlock(&webhook->lock);
}
