/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_HALT_H
#define PW_ANALYSIS_HALT_H

#include <stdbool.h>
#include <stdint.h>

struct pw_record;
struct pw_tick;

/*
 * Could the process run? One that is stopped by a signal, frozen, throttled to nearly nothing by its CPU quota, or that
 * we have not looked at for a while, stands still for reasons of its own, and nothing follows from it. Zeroed is new.
 */
struct pw_halt {
	uint64_t runs_since_ns; /* CLOCK_BOOTTIME, as far as we know: what stood still before says nothing; 0: always */
	uint64_t throttled_ns, cpu_ns; /* at the last tick; 0: none yet */
	bool stopped;		       /* seen at a record since the last tick */
};

/* To be called with each record of the process. */
void pw_halt_note(struct pw_halt *halt, const struct pw_record *record);
/* At a tick by snapshot: true if nothing is to be judged now, because the process does not run. share: of the time
 * since the tick before for which its quota was used up. */
bool pw_halt_holds(struct pw_halt *halt, const struct pw_record *record, const struct pw_tick *tick, double share);
/* How long something has lasted that began at since_ns, as far as the process could run. */
uint64_t pw_halt_lasting_ns(const struct pw_halt *halt, uint64_t since_ns, uint64_t now_ns);

#endif
