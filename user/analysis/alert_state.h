/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_ALERT_STATE_H
#define PW_ANALYSIS_ALERT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/benign.h"
#include "model/alert.h"

/*
 * Life of an alert: pending -> firing -> clearing -> resolved | gone (DETECTORS 9). Pending is the detector's own
 * business (its ticks in a row), but for the moments until its stacks are read; from then on the alert lives here. Low
 * for as long as `clear` demands ends it; high again while clearing goes back to firing without a word. The same
 * statement of the same target gives the same id again.
 */
struct pw_condition;
struct pw_heap_lines;
struct pw_words;

struct pw_incident {
	struct pw_alert alert;
	struct pw_condition *condition; /* borrowed; NULL once it has ended */
	const struct pw_words *words;
	struct pw_benign_memory benign;
	bool dismissed;		   /* it was lowered once, and counted */
	enum pw_alert_level found; /* the highest level that its rule gave it; that of the alert is what is told */
	uint64_t gopc;		   /* of the go statement it is about; 0: the process */
	bool stacks;		   /* it is told with fresh stacks of that */
	const struct pw_heap_lines *lines; /* borrowed; it is told with those that grow. NULL: it is not about memory */
	uint64_t lines_window_ns;
	uint64_t heap_cycle; /* GC cycle whose numbers it waits for */
	uint64_t order;	     /* counts up with each start: newest is highest */
	uint64_t peak;
	double baseline;	  /* at the start: what it must come down to */
	uint64_t low_since_ns;	  /* CLOCK_BOOTTIME; 0: not low */
	struct pw_incident *next; /* newer ones first */
	bool open;
};

struct pw_incidents {
	struct pw_incident *first;
	size_t open, ended;
	uint64_t order;
	uint64_t dropped; /* not opened: too many at once */
	uint64_t fired, resolved;
};

#define PW_INCIDENTS_OPEN_MAX  512 /* 14 kB each */
#define PW_INCIDENTS_ENDED_MAX 64  /* shown as ended lately */

void pw_incidents_done(struct pw_incidents *incidents);

/* A new firing one; an ended one of the same id is forgotten. NULL: no memory, or too many (counted). */
struct pw_incident *pw_incident_open(struct pw_incidents *incidents, const struct pw_alert *alert);

/* Moves an open one by whether its signal is low at now. True when that made it resolved. */
bool pw_incident_step(struct pw_incident *incident, bool low, uint64_t now_ns, uint64_t clear_ns, bool gap);

/* Ends an open one: state is PW_ALERT_RESOLVED or PW_ALERT_GONE. It stays in the list until it is too old. */
void pw_incident_end(struct pw_incidents *incidents, struct pw_incident *incident, enum pw_alert_state state,
		     uint64_t wall_ns);

size_t pw_incidents_copy(const struct pw_incidents *incidents, struct pw_alert *alerts, size_t max);

#endif
