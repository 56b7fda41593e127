/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_ALERT_STATE_H
#define PW_ANALYSIS_ALERT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/benign.h"
#include "model/alert.h"

/*
 * What has fired, of one condition of one process: pending -> firing -> clearing -> over (DETECTORS 9). Pending is the
 * detector's own business (its ticks in a row), but for the moments until its stacks are read; from then on it lives
 * here, as a member of the incident that people are told of (cases.h).
 */
struct pw_case;
struct pw_condition;
struct pw_heap_lines;
struct pw_words;

struct pw_incident {
	struct pw_alert alert;		/* of that process */
	struct pw_condition *condition; /* borrowed */
	const struct pw_words *words;
	struct pw_benign_memory benign;
	bool dismissed;		   /* it was lowered once, and counted */
	enum pw_alert_level found; /* the highest level that its rule gave it; that of the alert is what is told */
	bool stacks;		   /* it is told with fresh stacks of that */
	const struct pw_heap_lines *lines; /* borrowed; it is told with those that grow. NULL: it is not about memory */
	uint64_t lines_window_ns;
	uint64_t heap_cycle;		 /* GC cycle whose numbers it waits for */
	struct pw_case *owner;		 /* NULL: pending, or there was no room */
	struct pw_incident *next_member; /* of the owner */
	uint64_t gopc;			 /* of the go statement it is about; 0: the process */
	uint64_t subject;		 /* as the claim says */
	uint64_t order;			 /* counts up with each start: newest is highest */
	uint64_t value, peak;
	double baseline;	  /* at the start: what it must come down to */
	uint64_t low_since_ns;	  /* CLOCK_BOOTTIME; 0: its condition holds */
	uint64_t down_since_ns;	  /* the same of its value being far below the peak, or at the baseline */
	struct pw_incident *next; /* newer ones first */
};

struct pw_incidents {
	struct pw_incident *first;
	size_t open;
	uint64_t order;
	uint64_t dropped; /* not opened: too many at once */
};

#define PW_INCIDENTS_OPEN_MAX 512 /* 18 kB each */

void pw_incidents_done(struct pw_incidents *incidents);

/* A new one. NULL: no memory, or too many (counted). */
struct pw_incident *pw_incident_open(struct pw_incidents *incidents, const struct pw_alert *alert);

struct pw_incident_signal {
	bool low, down;
	uint64_t clear_ns, hold_ns; /* how long it must be low, or down, to be over */
	uint64_t now_ns;
	bool gap; /* since the last one: it need not have been so in between */
};
/* Moves an open one between firing and clearing. True: it is over. */
bool pw_incident_step(struct pw_incident *incident, const struct pw_incident_signal *signal);

/* Forgets one. */
void pw_incident_close(struct pw_incidents *incidents, struct pw_incident *incident);

#endif
