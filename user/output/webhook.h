/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_WEBHOOK_H
#define PW_OUTPUT_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include "output/sinks.h"

struct pw_alert;
struct pw_why;

/*
 * One receiver of alerts over HTTP: a thread, and a queue on disk, so that an outage of the receiver or a restart of
 * ours loses nothing. A try that fails is repeated after 1 s, 2 s, .. 60 s; what the receiver refuses for good (a 4xx
 * but 408 and 429) is dropped, counted and said. Items arrive in order. Functions are for the loop thread, and none
 * waits for the network or the disk but pw_webhook_free, for as long as a try takes to be broken off.
 */
#define PW_WEBHOOK_INBOX_MAX 256	   /* transitions on their way to the queue */
#define PW_WEBHOOK_RETRY_NS  1000000000ULL /* after the first failure; doubled each time */
#define PW_WEBHOOK_RETRY_MAX (60 * 1000000000ULL)
#define PW_WEBHOOK_REPEAT_NS (60 * 1000000000ULL) /* Alertmanager forgets after 5 min (resolve_timeout) */

struct pw_webhook;

int pw_webhook_new(struct pw_webhook **ret_webhook, const struct pw_webhook_config *config, const char *spool,
		   size_t spool_items, struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_webhook_free(struct pw_webhook *webhook);
const struct pw_webhook_config *pw_webhook_config(const struct pw_webhook *webhook);

void pw_webhook_tell(struct pw_webhook *webhook, const struct pw_alert *alert);
void pw_webhook_current(struct pw_webhook *webhook, const struct pw_alert *alerts, size_t count);
void pw_webhook_stats(struct pw_webhook *webhook, struct pw_sink_stats *ret_stats);

/* When to try again after `failures` tries in a row have failed: ns. Pure. */
uint64_t pw_webhook_backoff_ns(unsigned int failures);
/* "alertmanager http://host:9093": scheme, host and port, without the rest of a URL, which may hold secrets. Pure. */
void pw_webhook_name(const struct pw_webhook_config *config, char *ret_name, size_t size);

#endif
