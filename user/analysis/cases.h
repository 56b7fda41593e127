/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_CASES_H
#define PW_ANALYSIS_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/alert.h"

struct pw_incident;

/*
 * Incidents as people are told of them (DETECTORS 9). One holds what the same rule says of the same service, started in
 * the same function and blocked in the same function, in however many processes (its members): neither pid nor build is
 * part of its key, so that a replica, a restart and a deployment go on with it. When it comes again within a day it is
 * the same one, and counts how often it has. Internal to analysis.
 */
enum pw_case_news {
	PW_CASE_OLD,
	PW_CASE_PAGED, /* only receivers that wake people have not heard of it, or heard of it in vain */
	PW_CASE_FIRED,
	PW_CASE_RAISED,
	PW_CASE_ENDED
};

struct pw_case {
	char id[48];
	struct pw_incident *members; /* open ones; NULL: it has ended */
	struct pw_alert *last;	     /* as it ended; NULL: open, or too long ago to be shown. Owned */
	enum pw_alert_level level;   /* of its worst member */
	enum pw_case_news news;	     /* not told yet */
	uint64_t news_order;
	uint64_t order; /* counts up with each start */
	uint32_t recurrence;
	uint64_t fired_wall_ns, first_fired_wall_ns;
	uint64_t fired_ns, ended_ns; /* CLOCK_BOOTTIME */
	/* Who is told (pages.c). */
	enum pw_alert_hold hold;
	char held_by[sizeof(((struct pw_alert *)0)->held_by)];
	bool paged;		 /* receivers have been told, and not yet that it is over */
	bool covered;		 /* the page of held_by stands for it */
	uint32_t grouped;	 /* that its own page stands for */
	enum pw_alert_page page; /* what its news is to them */
	struct pw_case *next;
};

struct pw_cases {
	struct pw_case *first;
	size_t count;
	uint64_t order, news_order;
	uint64_t fired, resolved, reopened;
	uint64_t dropped; /* no memory, or too many: nobody is told */
};

#define PW_CASES_MAX	   4096U /* open ones, and those that may come again; about 200 bytes each */
#define PW_CASES_SHOWN_MAX 64	 /* that have ended, with their evidence */

void pw_cases_done(struct pw_cases *cases);

/* Its id: by rule, service, and the functions where its goroutines are started and blocked. */
void pw_case_identify(struct pw_alert *alert, uint64_t gopc);

/* A condition has fired, at CLOCK_BOOTTIME now_ns. reopen_ns: how long after its end it is the same incident. */
void pw_cases_join(struct pw_cases *cases, struct pw_incident *incident, uint64_t now_ns, uint64_t reopen_ns);
/* The level of a member may have changed: that it is higher is news, that it is lower is not. */
void pw_cases_level(struct pw_cases *cases, const struct pw_incident *incident);
/* A member is over; its state says how. The last one takes the incident along. */
void pw_cases_leave(struct pw_cases *cases, struct pw_incident *incident, uint64_t now_ns);

/* What happens at once and does not last: an id of its process alone, and an incident that has ended as it is told. */
void pw_case_identify_event(struct pw_alert *alert);
void pw_cases_event(struct pw_cases *cases, const struct pw_alert *alert, uint64_t now_ns);

/* To be told once more, if nothing else is. */
void pw_cases_page(struct pw_cases *cases, struct pw_case *one, enum pw_alert_page page);
/* The oldest of those that have news; NULL: none. */
struct pw_case *pw_cases_news(const struct pw_cases *cases);
/* As it stands, or as it ended. False: it ended too long ago. */
bool pw_case_alert(const struct pw_case *one, struct pw_alert *ret_alert);
/* Open ones by rank, then the ended ones, newest first. Returns their number, at most max. */
size_t pw_cases_copy(const struct pw_cases *cases, struct pw_alert *alerts, size_t max);

#endif
