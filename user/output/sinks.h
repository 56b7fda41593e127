/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_SINKS_H
#define PW_OUTPUT_SINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_alert;
struct pw_why;

/*
 * Where alerts go: the log, a file of JSON lines, webhooks, a command. Each transition is told to each sink once; what
 * a sink cannot take is counted under its name. Used by the loop thread only; it never waits for a sink.
 */
#define PW_SINK_TEXT_MAX      256
#define PW_SINK_ARGUMENTS_MAX 16
#define PW_WEBHOOKS_MAX	      8
#define PW_SINKS_MAX	      (PW_WEBHOOKS_MAX + 3)

enum pw_webhook_format {
	PW_WEBHOOK_ALERTMANAGER, /* its v2 API: POST to <url>/api/v2/alerts */
	PW_WEBHOOK_JSON,	 /* {schema_version, host, alerts: [...]} to the URL as it is */
};

struct pw_webhook_config {
	char url[1024];
	enum pw_webhook_format format;
	uint64_t timeout_ns; /* of one try */
	char ca[PW_SINK_TEXT_MAX], certificate[PW_SINK_TEXT_MAX], key[PW_SINK_TEXT_MAX];
	char token_file[PW_SINK_TEXT_MAX]; /* a bearer token, read again for each try */
};

struct pw_sinks_config {	      /* plain data: compared and copied as it is */
	char file[PW_SINK_TEXT_MAX];  /* "": none */
	char spool[PW_SINK_TEXT_MAX]; /* directory of what webhooks have not taken yet; "": memory */
	uint64_t spool_items;	      /* per webhook */
	struct pw_webhook_config webhooks[PW_WEBHOOKS_MAX];
	size_t webhook_count;
	char exec[PW_SINK_ARGUMENTS_MAX][PW_SINK_TEXT_MAX]; /* a path and its arguments; 0: none */
	size_t exec_count;
	uint64_t exec_timeout_ns;
};

struct pw_sink_stats {
	char name[96]; /* "log", "file", "exec", "alertmanager http://host:9093": no path, no password */
	uint64_t delivered, failed_tries, dropped;
	uint64_t waiting, in_memory; /* in the queue now; of them not on disk */
	bool ok;		     /* the last try */
};

struct pw_sinks;
void pw_sinks_config_default(struct pw_sinks_config *ret_config);
/*
 * Opens the file and forks the process that runs the command: before privileges are dropped and before any thread is
 * there. pw_sinks_start: the threads of the webhooks, behind both. -errno with a sentence if a sink cannot be used.
 */
int pw_sinks_new(struct pw_sinks **ret_sinks, const struct pw_sinks_config *config, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
int pw_sinks_start(struct pw_sinks *sinks, struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_sinks_free(struct pw_sinks *sinks);
/* After a reload: file and webhooks as they are now said. False: a new command was named, which needs a restart. */
bool pw_sinks_configure(struct pw_sinks *sinks, const struct pw_sinks_config *config);

/* A transition. Log and file get each; webhooks and the command those that are to wake people, or to let them sleep. */
void pw_sinks_tell(struct pw_sinks *sinks, const struct pw_alert *alert);
/* All alerts as they stand, each tick: receivers that forget what is not repeated (Alertmanager) are told again. */
void pw_sinks_current(struct pw_sinks *sinks, const struct pw_alert *alerts, size_t count);
/* Readable when the command has ended: then call pw_sinks_dispatch, which is false when no more will come. -1: none. */
int pw_sinks_fd(const struct pw_sinks *sinks);
bool pw_sinks_dispatch(struct pw_sinks *sinks);

size_t pw_sinks_stats(struct pw_sinks *sinks, struct pw_sink_stats stats[PW_SINKS_MAX]);

#endif
