/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_FACTS_H
#define PW_ANALYSIS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_alert;
struct pw_record;

/*
 * What an alert of any rule is told with of its process: how far its memory limit is, what else rose since the onset,
 * and what of the evidence was not seen. Figures are kept at moments, every 10 s for ten minutes and every quarter of
 * an hour for sixteen hours. Plain data; zeroed is empty; pure; internal to analysis.
 */
enum pw_figure {
	PW_FIGURE_RSS,
	PW_FIGURE_HEAP,
	PW_FIGURE_STACKS,
	PW_FIGURE_GOROUTINES,
	PW_FIGURE_THREADS,
	PW_FIGURE_FILES,
	_PW_FIGURE_MAX,
};

struct pw_moment {
	uint64_t boot_ns;
	double figure[_PW_FIGURE_MAX]; /* < 0: not known */
	uint64_t dropped, events;
	uint64_t gaps, gap_ns;
};

#define PW_MOMENTS_MAX	 64
#define PW_MOMENT_SCALES 2

struct pw_facts {
	struct pw_moment now;
	struct pw_moment ring[PW_MOMENT_SCALES][PW_MOMENTS_MAX];
	uint32_t count[PW_MOMENT_SCALES]; /* ever kept */
	uint64_t usual_ns;		  /* between records */
	bool sampled;
	uint64_t skipped, seen;		/* goroutines, by the last census */
	double limit_bytes, used_bytes; /* of memory; limit 0: none is known */
	const char *limit_name;
	double stack_bytes;    /* of one goroutine in the mean; 0: not known */
	double gc_percent;     /* GOGC; < 0: off or not known */
	double gc_cpu_percent; /* 0: not known */
};

void pw_facts_take(struct pw_facts *facts, const struct pw_record *record);
/* Loss, co-moving figures and the GC's share, from the onset of the alert on. */
void pw_facts_note(const struct pw_facts *facts, uint64_t wall_ns, struct pw_alert *alert);
/*
 * When the memory limit is reached if goroutines (their stacks, and what they pin), or the live heap, go on as they do:
 * with the bounds of the growth. Leaves what a rule has said itself.
 */
void pw_facts_eta(const struct pw_facts *facts, struct pw_alert *alert);

/* Adds something that rose; what has no room is left out. */
void pw_alert_add_moving(struct pw_alert *alert, const char *what, const char *unit, double from, double to);

#endif
