/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_SIGNALS_H
#define PW_ANALYSIS_SIGNALS_H

#include <stddef.h>

#include "model/rule_status.h"

struct pw_record;

/*
 * Which signals a rule needs are in a record, and if not, why: for the "off" of struct pw_rule. Each returns NULL when
 * the signal is there, else a clause for people that says what is missing and, where the record knows it, why; it
 * points to a constant or into text. "Not yet" is said as such: it is no defect.
 */
const char *pw_off_census(const struct pw_record *record, char *text, size_t size);
const char *pw_off_snapshot(const struct pw_record *record, char *text, size_t size);
const char *pw_off_events(const struct pw_record *record, char *text, size_t size); /* probes */
const char *pw_off_gc(const struct pw_record *record, char *text, size_t size);	    /* live heap of GC cycles */
/* A limit of the cgroup, and what is used of it. */
const char *pw_off_memory_limit(const struct pw_record *record, char *text, size_t size);

/* clause and, in brackets, the reason of an ability of the record (enum pw_ability) if it is closed. */
const char *pw_off_because(const struct pw_record *record, int ability, const char *clause, char *text, size_t size);

#endif
