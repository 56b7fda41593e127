/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_PARK_H
#define PW_ANALYSIS_PARK_H

#include <stdbool.h>
#include <stdint.h>

struct pw_record;
struct pw_record_frame;
struct pw_record_park;
struct pw_tick;

/* What detectors by stack ask of a group of parked goroutines. */

/* Does the record hold a newer snapshot than that of *last? Then it is the next tick, in both. */
bool pw_park_tick(struct pw_tick *last, const struct pw_record *record, struct pw_tick *ret_tick);
/* One of the program's own, parked, with a go statement and a stack. */
bool pw_park_is_judged(const struct pw_record *record, const struct pw_record_park *park);
/* The same for the same go statement and stack, from snapshot to snapshot of one process. */
uint64_t pw_park_key(const struct pw_record *record, const struct pw_record_park *park);
/* Can nothing ever wake them: a nil channel, a select without cases? Not main: it may keep the program alive so. */
bool pw_park_is_for_ever(const struct pw_record *record, const struct pw_record_park *park);
/* Do they wait in that function ("sync.(*WaitGroup).Wait")? */
bool pw_park_waits_in(const struct pw_record *record, const struct pw_record_park *park, const char *function);

/* Does the runtime run a finalizer or a cleanup of the program there? */
bool pw_park_runs_finalizer(const struct pw_record *record, const struct pw_record_park *park);
/* The frame of that, the outermost but for the runtime's; NULL: it is not known. */
const struct pw_record_frame *pw_park_finalizer(const struct pw_record *record, const struct pw_record_park *park);

#endif
