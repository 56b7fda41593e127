/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/halt.h"

#include "analysis/tick.h"
#include "base/macros.h"
#include "model/record.h"

/* A quota is counted on each CPU that threads wait for it on: only with so little CPU time is it what holds them up. */
#define RUNS_SHARE 0.1

void pw_halt_note(struct pw_halt *halt, const struct pw_record *record)
{
	halt->stopped |= record->kernel.section.present && record->kernel.stopped;
}

static bool is_throttled(const struct pw_halt *halt, const struct pw_record *record, uint64_t elapsed_ns, double share)
{
	uint64_t throttled_ns = record->kernel.throttled_ns, cpu_ns = record->kernel.cpu_ns;

	if (!elapsed_ns || !halt->throttled_ns || throttled_ns == PW_UNKNOWN || throttled_ns < halt->throttled_ns)
		return false;
	if ((double)(throttled_ns - halt->throttled_ns) < share * (double)elapsed_ns)
		return false;
	return cpu_ns == PW_UNKNOWN || cpu_ns < halt->cpu_ns ||
	       (double)(cpu_ns - halt->cpu_ns) < RUNS_SHARE * (double)elapsed_ns;
}

bool pw_halt_holds(struct pw_halt *halt, const struct pw_record *record, const struct pw_tick *tick, double share)
{
	uint64_t elapsed_ns = tick->before_ns ? tick->taken_ns - tick->before_ns : 0;
	bool known = record->kernel.section.present;
	bool held =
		halt->stopped || (known && (record->kernel.frozen || is_throttled(halt, record, elapsed_ns, share)));

	if (held || (!tick->before_ns && tick->number > 1))
		halt->runs_since_ns = tick->taken_ns;
	halt->stopped = known && record->kernel.stopped;
	halt->throttled_ns = known && record->kernel.throttled_ns != PW_UNKNOWN ? record->kernel.throttled_ns : 0;
	halt->cpu_ns = known && record->kernel.cpu_ns != PW_UNKNOWN ? record->kernel.cpu_ns : 0;
	return held;
}

uint64_t pw_halt_lasting_ns(const struct pw_halt *halt, uint64_t since_ns, uint64_t now_ns)
{
	return now_ns - PW_MIN(PW_MAX(since_ns, halt->runs_since_ns), now_ns);
}
