/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_PUBLISH_H
#define PW_OUTPUT_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/alert.h"
#include "output/death_store.h"
#include "output/sinks.h"

struct pw_ages_image;
struct pw_buf;
struct pw_death_report;
struct pw_record;
struct pw_rule_status;

/*
 * What the faces of the daemon show: an immutable picture of all targets at one tick. The loop thread makes one per
 * tick and swaps it in; HTTP threads take a reference and render from it. Pages are rendered when somebody first asks,
 * once per picture, so that a daemon that nobody scrapes renders nothing.
 */
struct pw_health { /* of parkwatch itself; totals since start unless said */
	uint64_t started_wall_ns;
	uint64_t ticks, ticks_missed;
	uint64_t tick_late_last_ns, tick_late_max_ns, tick_duration_ns;
	uint64_t longest_callback_ns;
	uint64_t cpu_ns, rss_bytes;
	uint64_t reader_requests, reader_timeouts, reader_crashes, reader_restarts, reader_barred_builds;
	uint64_t scans, processes_seen, not_go, opted_out, vanished, open_failures;
	bool events_possible;
	const char *attach_method; /* static text; "" without events */
	uint64_t polls, poll_ns_last, attach_failures, attached_targets, map_memory_bytes;
	uint64_t waiting_targets,
		not_tried_again; /* for their first or next attempt to attach; given up for lack of room */
	uint64_t judged, alerts_fired, alerts_resolved, sites_tracked, sites_dropped;
	uint64_t observe_failures;
	uint64_t ends, ends_untold,
		ends_quiet; /* of processes; short lives in order; soon after another of the service */
	struct pw_death_store_stats ends_kept;
	struct pw_sink_stats sinks[PW_SINKS_MAX];
	size_t sink_count;
	bool reload_ok;		 /* the last one, or the start */
	uint64_t reload_wall_ns; /* when what is in force was read */
	uint64_t reloads, reloads_failed;
	char reload_error[512]; /* "": the last one was right */
	bool recording;
	uint64_t recording_bytes, recording_failures;
	double budget_percent, host_budget_percent; /* < 0: none */
	bool hit_cost_complete;			    /* the last two are known */
	uint64_t emulated_hit_ns, stepped_hit_ns, stack_hit_ns, further_hit_ns;
};

enum pw_page {
	PW_PAGE_INDEX,
	PW_PAGE_METRICS,     /* text format 0.0.4 */
	PW_PAGE_OPENMETRICS, /* 1.0.0 */
	PW_PAGE_PS_JSON,
	PW_PAGE_PS_TEXT,
	PW_PAGE_PS_TEXT_SITES,
	PW_PAGE_GC_JSON,
	PW_PAGE_MEMORY_JSON,
	PW_PAGE_ALERTS_JSON,
	PW_PAGE_ALERTS_TEXT,
	PW_PAGE_RULES_JSON,
	PW_PAGE_RULES_TEXT,
	PW_PAGE_ALERTS_TEXT_ALL,
	PW_PAGE_DEATHS_JSON,
	_PW_PAGE_MAX,
};

struct pw_published; /* opaque but for the renderers: publish_data.h */

/*
 * Takes its own references on the records and copies the alerts. series_sites: go statements of one process that are
 * shown by name in metrics.
 */
int pw_published_new(struct pw_published **ret_published, struct pw_record *const *records, size_t record_count,
		     const struct pw_alert *alerts, size_t alert_count, const struct pw_health *health,
		     size_t series_sites, uint64_t boot_ns, uint64_t wall_ns) __attribute__((warn_unused_result));
/* Before it is published: what the last snapshots know of ages, one image per process; takes its own references. */
int pw_published_set_ages(struct pw_published *published, struct pw_ages_image *const *images, size_t count)
	__attribute__((warn_unused_result));
/* Before it is published too: ends of processes, the newest first; takes its own references. */
int pw_published_set_deaths(struct pw_published *published, struct pw_death_report *const *reports, size_t count)
	__attribute__((warn_unused_result));
/* The newest end that an alert is about: its own (PW-X01), or that of the process the alert went with. Owned by
 * published; NULL: none is kept. Any thread. */
const struct pw_death_report *pw_published_death(const struct pw_published *published, const char *alert_id);
/* Before it is published, too: the rules with their counters, and which are disabled for each record, bit by bit. */
int pw_published_set_rules(struct pw_published *published, const struct pw_rule_status *rules, size_t count,
			   const uint64_t *disabled) __attribute__((warn_unused_result));
/* Those of one process, owned by published: NULL if there are none. Any thread. */
const struct pw_ages_image *pw_published_ages(const struct pw_published *published, int32_t pid);
/* The record of one process, owned by published: NULL if it is not among them. Any thread. */
const struct pw_record *pw_published_record(const struct pw_published *published, int32_t pid);
struct pw_published *pw_published_ref(struct pw_published *published);
void pw_published_unref(struct pw_published *published); /* NULL is fine; any thread */

/* The page as text, rendered at the first call; owned by published. 0, -ENOMEM, -E2BIG. Any thread. */
int pw_published_page(struct pw_published *published, enum pw_page page, const char **ret_text, size_t *ret_size)
	__attribute__((warn_unused_result));
/* One alert by its id, or a prefix that only it has, as a page or as the JSON of a list of one. -ENOENT, -EEXIST: *out
 * has a sentence instead. Any thread. */
int pw_published_alert(const struct pw_published *published, const char *id, bool json, struct pw_buf *out)
	__attribute__((warn_unused_result));
uint64_t pw_published_boot_ns(const struct pw_published *published);

/* The place where the newest picture hangs: one writer, any number of readers. */
struct pw_board;
int pw_board_new(struct pw_board **ret_board) __attribute__((warn_unused_result));
void pw_board_free(struct pw_board *board);
void pw_board_put(struct pw_board *board, struct pw_published *published); /* takes the reference over */
struct pw_published *pw_board_get(struct pw_board *board);		   /* a new reference, NULL before the first */

#endif
