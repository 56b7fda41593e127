/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_DAEMON_H
#define PW_CMD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/procfs.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "cmd/resources.h"
#include "output/publish.h"
#include "target/death_watch.h"

struct pw_analysis;
struct pw_board;
struct pw_collect;
struct pw_death_store;
struct pw_config_watch;
struct pw_discover;
struct pw_http;
struct pw_loop;
struct pw_observation;
struct pw_reader;
struct pw_record;
struct pw_recording;
struct pw_sinks;
struct pw_source;
struct pw_target;

#define PW_OBSERVED_MAX 4096 /* processes; what is more is not observed, and said */
#define PW_ALERTS_MAX	576  /* all that are open, and those that ended lately */

/* One target under observation. Owned by the daemon; target by discover. */
struct pw_observed {
	struct pw_target *target;
	struct pw_observation *observation;
	struct pw_record *record; /* the last one, NULL before the first */
	struct pw_death_watch watch;
	bool pending; /* has work left in this tick */
};

/* The daemon: it owns everything below, and one thread, the loop's, touches it. */
struct pw_daemon {
	struct pw_config flags;	 /* what was given on the command line: the ground of every reload */
	struct pw_config config; /* in force */
	const char *config_path; /* NULL: the default one, if it is there */
	uint64_t config_read_wall_ns;
	struct pw_config_watch *config_watch;

	struct pw_procfs procfs;
	struct pw_loop *loop;
	struct pw_reader *reader;
	struct pw_source *reader_source;
	uint64_t reader_generation;
	struct pw_collect *collect; /* NULL: no events on this host */
	char no_events[256];	    /* why */
	struct pw_discover *discover;
	struct pw_analysis *analysis;
	struct pw_recording *recording; /* NULL: none */
	struct pw_board *board;
	struct pw_http *http;
	struct pw_sinks *sinks;
	struct pw_death_store *deaths;
	struct pw_source *tick_source, *work_source;

	struct pw_observed_vec {
		struct pw_observed **items;
		size_t count, capacity, max;
	} observed;
	size_t cursor; /* whose turn it is: the unfinished of one tick come first in the next */
	bool ticking;  /* work of the last tick is not published yet */
	bool ready_said;
	uint64_t tick_started_ns;
	struct pw_alert *alerts; /* PW_ALERTS_MAX, for publishing */
	struct pw_health health;
	struct pw_resources resources;
};

/* daemon_tick.c: acquire, decide, publish. */
int pw_daemon_tick_start(struct pw_daemon *daemon) __attribute__((warn_unused_result));
int pw_daemon_set_interval(struct pw_daemon *daemon, uint64_t interval_ns) __attribute__((warn_unused_result));
void pw_daemon_drop(struct pw_daemon *daemon, struct pw_target *target); /* the target is gone */
void pw_observed_free(struct pw_observed *observed);

/* daemon_reload.c */
void pw_daemon_name_service(void *context, struct pw_target *target); /* by the configuration */
void pw_daemon_apply_filter(struct pw_daemon *daemon);
int pw_daemon_watch_config(struct pw_daemon *daemon) __attribute__((warn_unused_result));
void pw_daemon_reload(struct pw_daemon *daemon);
void pw_daemon_say_expired(const struct pw_daemon *daemon); /* of the benign list */

/* Runs until SIGTERM or SIGINT. */
enum pw_exit pw_daemon_run(struct pw_daemon *daemon);

#endif
