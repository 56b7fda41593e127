/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_ANALYSIS_H
#define PW_ANALYSIS_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/death.h"

struct pw_alert;
struct pw_death_report;
struct pw_policy;
struct pw_record;
struct pw_why;

/*
 * Judgement: pure functions of records. No clock, no I/O, no global; the same records and rules give the same alerts,
 * bit for bit, in the daemon and in replay. Time comes only from record->boot_ns and ->wall_ns.
 */
struct pw_rules_config { /* every threshold is configurable */
	/* The life of all alerts, DETECTORS 9. */
	double alerts_clear_share, alerts_clear_baseline; /* 0.5 of the peak, 1.1 of the baseline ... */
	uint64_t alerts_clear_hold_ns;			  /* 10 min */
	uint64_t alerts_reopen_ns;			  /* 24 h */
	uint64_t alerts_budget_ns;			  /* 15 min */
	uint64_t alerts_deploy_hold_ns;			  /* 10 min */
	uint64_t alerts_fleet_window_ns;		  /* 5 min */
	uint32_t alerts_fleet_services;			  /* 20 */
	uint64_t alerts_critical_eta_ns;		  /* 6 h */
	uint32_t alerts_critical_count;			  /* 10,000 goroutines */
	double alerts_minor_per_hour;			  /* 10 goroutines, and fewer than: */
	uint32_t alerts_minor_count;			  /* 100 */

	/* Rule PW-G08, DETECTORS 7.4 fast path. */
	bool g08_enabled;
	uint64_t g08_tick_ns;	      /* 10 s */
	uint64_t g08_age_ns;	      /* 30 s: only goroutines at least this old count */
	uint32_t g08_min_count;	      /* 200 */
	double g08_baseline_factor;   /* 3 */
	uint32_t g08_baseline_margin; /* 100 */
	uint32_t g08_rising_ticks;    /* 6 */
	double g08_exit_ratio;	      /* 0.10: exits below this share of arrivals */
	uint64_t g08_warmup_ns;	      /* 10 min: younger processes teach the baseline nothing */
	uint64_t g08_baseline_ns; /* 2 h of healthy observation make a baseline; before that alerts are "cold", level
				     info */
	uint64_t g08_clear_ns;	  /* 5 min below the clear line */

	/* Growth by survivors, DETECTORS 7.4: PW-G10, and those that it is called by what the goroutines wait for. */
	bool g01_enabled, g03_enabled, g05_enabled, g06_enabled, g10_enabled, g11_enabled;
	uint64_t g10_age_ns;	      /* 10 min: old from there on */
	uint64_t g10_bucket_ns;	      /* 1 min: windows are 15, 60, 360 and 1,440 of it */
	uint64_t g10_life_ns;	      /* 6 h: old ones surely live that long */
	uint32_t g10_min_added;	      /* 50 more old ones within the window */
	uint32_t g10_min_slope;	      /* 25 more by the slope alone */
	double g10_baseline_factor;   /* 1.25 */
	uint32_t g10_baseline_margin; /* 50 */
	uint32_t g10_pool_margin;     /* 1,000: a pool of workers that wait on few objects needs 4 times that */
	uint32_t g10_confirm;	      /* 3 buckets in a row */
	uint64_t g10_clear_ns;	      /* 15 min without arrivals */
	uint64_t g10_warmup_ns;	      /* 10 min: a process that is younger still fills up */

	bool g02_enabled;
	uint64_t g02_age_ns; /* 30 s: parked for so long on what can never wake them */

	bool g09_enabled;	    /* spawn storm */
	uint64_t g09_window_ns;	    /* 10 s */
	uint32_t g09_min_rate;	    /* 1,000 starts a second */
	double g09_baseline_factor; /* 8 */
	double g09_kept;	    /* 0.5 of the starts stay */
	uint64_t g09_hold_ns;	    /* 30 s */
	uint64_t g09_warmup_ns;	    /* 10 min: younger processes teach the baseline nothing */
	uint64_t g09_baseline_ns;   /* 2 h of healthy windows make a baseline */
	uint64_t g09_clear_ns;	    /* 60 s without */

	bool g04_enabled;	       /* locks that nobody unlocks */
	uint64_t g04_age_ns;	       /* 60 s */
	double g04_baseline_factor;    /* 1.5 times as long as any before it */
	uint64_t g04_warn_age_ns;      /* 5 min */
	uint32_t g04_warn_waiters;     /* 10, if they become more */
	double g04_critical_share;     /* 0.5 of the program's goroutines */
	uint32_t g04_critical_waiters; /* 10 */
	double g04_throttled;	       /* 0.5 of the time: not judged */
	uint64_t g04_clear_ns;	       /* 0 */

	bool f01_enabled;	      /* finalizers and cleanups that do not run */
	uint64_t f01_age_ns;	      /* 10 s in one of them */
	uint64_t f01_warn_age_ns;     /* 60 s */
	uint64_t f01_critical_age_ns; /* 10 min */
	uint32_t f01_backlog;	      /* 1,000 wait */
	uint32_t f01_cycles;	      /* and more with each of 3 GC cycles */
	uint64_t f01_clear_ns;	      /* 0 */

	bool c01_enabled;	    /* threads */
	uint64_t c01_bucket_ns;	    /* 1 min: over 60 of them and the last 15 */
	double c01_baseline_factor; /* 2 */
	uint32_t c01_above_procs;   /* 50 */
	uint32_t c01_confirm;	    /* 3 buckets in a row */
	uint64_t c01_eta_ns;	    /* 6 h to the limit: critical */
	uint64_t c01_baseline_ns;   /* 2 h of it make a baseline */
	uint64_t c01_clear_ns;	    /* 30 min without a tenth more */

	bool g07_enabled;	    /* waits for the network without an end */
	uint64_t g07_quiet_ns;	    /* 15 min without data */
	uint32_t g07_min_closed;    /* 20 closed by the other side for a minute */
	uint32_t g07_rising;	    /* more in 3 looks */
	uint64_t g07_bucket_ns;	    /* 1 min, as c01 */
	uint64_t g07_eta_ns;	    /* 24 h to RLIMIT_NOFILE */
	uint32_t g07_min_added;	    /* 50 descriptors more */
	double g07_baseline_factor; /* 1.25 */
	uint32_t g07_confirm;	    /* 3 buckets in a row */
	uint64_t g07_baseline_ns;   /* 2 h of it make a baseline */
	uint64_t g07_clear_ns;	    /* 15 min without */

	bool t01_enabled;	    /* timers */
	uint64_t t01_bucket_ns;	    /* 1 min, as c01 */
	uint32_t t01_min_timers;    /* 10,000 */
	double t01_baseline_factor; /* 2 */
	double t01_ratio_growth;    /* 0.25: by so much more per descriptor */
	uint32_t t01_collections;   /* 2 GC cycles in the last quarter, Go 1.23 and later */
	uint32_t t01_confirm;	    /* 3 buckets in a row */
	uint64_t t01_baseline_ns;   /* 2 h of it make a baseline */
	uint64_t t01_clear_ns;	    /* 1 h without a rise */

	bool c02_enabled;	      /* stacks that grow */
	uint32_t c02_min_mb;	      /* 64 MB of one goroutine */
	uint32_t c02_doublings;	      /* or doubled 6 times */
	uint64_t c02_window_ns;	      /* within 60 s */
	uint32_t c02_reads;	      /* larger than ever before at 3 snapshots */
	uint64_t c02_reads_within_ns; /* 1 h */
	uint64_t c02_critical_eta_ns; /* 24 h to the limit */
	uint64_t c02_clear_ns;	      /* 5 min without growth */
	uint64_t c02_bucket_ns;	      /* all stacks: as H01, 1 min */
	uint32_t c02_min_growth_mb;   /* 32 */
	uint32_t c02_novel_mb;	      /* 16 */
	uint32_t c02_confirm;	      /* 6 */
	uint64_t c02_total_clear_ns;  /* 15 min */

	bool h01_enabled;	    /* live heap, DETECTORS 7.3 */
	uint64_t h01_bucket_ns;	    /* 1 min: windows are 60 and 360 of it */
	uint32_t h01_min_growth_mb; /* 32 */
	uint32_t h01_novel_mb;	    /* 16 above what is normal */
	uint32_t h01_confirm;	    /* 6 buckets in a row */
	bool h01_load;		    /* what load explains is left out */
	double h01_load_spread;	    /* 0.3 of its median */
	uint64_t h01_clear_ns;	    /* 15 min */
	bool h03_enabled;	    /* memory against its limit */
	uint64_t h03_bucket_ns;	    /* 1 min: judged over 15 of it */
	double h03_share;	    /* 0.7 of the limit is used */
	uint64_t h03_eta_ns;	    /* 30 min: so near, by the lower bound of the pace */
	uint32_t h03_confirm;	    /* 3 looks in a row */
	uint64_t h03_clear_ns;	    /* 2 h: so far away it is over */

	bool x01_enabled;		/* ends of processes */
	uint64_t x01_min_age_ns;	/* 60 s: younger ones are told only when they were killed, or leave alerts */
	uint64_t x01_quiet_ns;		/* 60 s: between two ends of one service that are told */
	uint32_t x01_restarts;		/* 3 faulty ends of one service ... */
	uint64_t x01_restart_window_ns; /* ... within 10 min are told of young ones too */
};
void pw_rules_config_default(struct pw_rules_config *ret_config);

/* The rules in force as YAML, as cmd/config reads them back: "alerts:\n    reopen: 24h\n ...\nrules:\n  PW-G08:\n
 * enabled: true\n ..." with the parameter names of detector.h. Exact: reading it gives the same configuration. */
struct pw_buf;
int pw_rules_to_yaml(const struct pw_rules_config *config, struct pw_buf *buf);

struct pw_analysis;
typedef void (*pw_alert_fn)(void *context,
			    const struct pw_alert *alert); /* on every transition to firing, resolved, gone */

int pw_analysis_new(struct pw_analysis **ret_analysis, const struct pw_rules_config *config, pw_alert_fn on_transition,
		    void *context) __attribute__((warn_unused_result));
void pw_analysis_free(struct pw_analysis *analysis);
/* New rules from now on; baselines and open alerts stay. */
void pw_analysis_configure(struct pw_analysis *analysis, const struct pw_rules_config *config);
/* The same, and what is different by service, owners, runbooks and the benign list (policy.h): takes a reference of its
 * own; NULL is none of it. 0, or -ENOMEM and all stays as it was. */
int pw_analysis_judge_by(struct pw_analysis *analysis, const struct pw_rules_config *config, struct pw_policy *policy)
	__attribute__((warn_unused_result));
/* Judges one record. 0, or -ENOMEM (that target is then not judged, and it is counted). */
int pw_analysis_step(struct pw_analysis *analysis, const struct pw_record *record);
/* An alert of it waits for newer stacks: the sooner a record has them the better. After 5 s it is told without. */
bool pw_analysis_wants_stacks(const struct pw_analysis *analysis, uint64_t target_id);
/* The same of what grows in its heap. */
bool pw_analysis_wants_heap(const struct pw_analysis *analysis, uint64_t target_id);
/* The target is gone: open alerts become PW_ALERT_GONE, its end is told (PW-X01), state is dropped. */
void pw_analysis_forget(struct pw_analysis *analysis, const struct pw_death *death);
/* What is kept of each end, with the context of on_transition: report is borrowed, referenced by who keeps it. */
typedef void (*pw_death_fn)(void *context, const struct pw_death_report *report);
void pw_analysis_on_death(struct pw_analysis *analysis, pw_death_fn on_death);
/* Open alerts (pending not included) and those ended lately, newest first. Returns their number, at most max. */
size_t pw_analysis_alerts(const struct pw_analysis *analysis, struct pw_alert *alerts, size_t max);

struct pw_analysis_stats {
	uint64_t evaluated, fired, resolved, sites_tracked, sites_dropped;
	uint64_t deaths;		      /* ends of processes */
	uint64_t deaths_untold, deaths_quiet; /* of them not worth it, and too soon after the last of the service */
};
void pw_analysis_stats(const struct pw_analysis *analysis, struct pw_analysis_stats *ret_stats);

/* Each rule with its counters, in the order of pw_rules(); how many, at most max. And which of them, bit by bit, are
 * disabled for a target by the configuration. */
struct pw_rule_status;
size_t pw_analysis_rules(const struct pw_analysis *analysis, struct pw_rule_status *ret_rules, size_t max);
uint64_t pw_analysis_disabled(const struct pw_analysis *analysis, uint64_t target_id);

#endif
