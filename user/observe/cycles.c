/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/cycles.h"

#include <errno.h>

#include "base/time.h"
#include "collect/collect.h"
#include "model/builder.h"
#include "target/gc.h"

#define POLL_TRIES 3 /* what is under way is there at the next poll */

static bool told_by_probes(const struct pw_target_counts *counts)
{
	return counts && counts->armed && counts->gc_cycles_told;
}

void pw_cycles_take(struct pw_cycles *cycles, struct pw_target *target, const struct pw_target_counts *counts)
{
	uint64_t monotonic_ns = pw_now_ns(), boot_offset_ns = pw_boot_offset_ns();

	cycles->by_probes = told_by_probes(counts);
	if (!counts)
		return;
	if (cycles->by_probes)
		cycles->seen_ns = counts->polled_ns;
	if (counts->gc_cycle_count && !cycles->init_ns && pw_gc_init_time(target, &cycles->init_ns) < 0)
		cycles->init_ns = 0;
	for (size_t i = 0; i < counts->gc_cycle_count; i++) {
		struct pw_record_gc_cycle cycle;

		if (pw_gc_parse(&counts->gc_cycles[i], cycles->init_ns, monotonic_ns, boot_offset_ns, &cycle) < 0)
			cycles->history.sums.refused++;
		else
			(void)pw_gc_history_add(&cycles->history, &cycle); /* what it refuses, it counts */
	}
}

int pw_cycles_poll(struct pw_cycles *cycles, struct pw_target *target, const struct pw_target_counts *counts,
		   uint64_t boot_ns)
{
	struct pw_record_gc_cycle cycle;
	int r = -EAGAIN;

	if (told_by_probes(counts) && cycles->history.count)
		return 0;
	for (int i = 0; i < POLL_TRIES && r == -EAGAIN; i++)
		r = pw_gc_poll(target, &cycle);
	if (!r || r == -ENODATA)
		cycles->seen_ns = boot_ns;
	if (!r)
		(void)pw_gc_history_add(&cycles->history, &cycle);
	if (r == -EBADMSG)
		cycles->history.sums.refused++;
	return r == -ESRCH || r == -EPERM || r == -ENOTSUP ? r : 0;
}

void pw_cycles_write(const struct pw_cycles *cycles, struct pw_record *draft, struct pw_record_builder *builder)
{
	if (!cycles->seen_ns)
		return;
	draft->gc.section = (struct pw_section){.present = true,
						.version = 1,
						.quality = (uint8_t)(cycles->by_probes ? PW_EXACT : PW_SAMPLED),
						.taken_ns = cycles->seen_ns};
	draft->gc.sums = cycles->history.sums;
	for (size_t i = 0; i < cycles->history.count; i++) {
		struct pw_record_gc_cycle *cycle = pw_record_builder_gc_cycle(builder, NULL);

		if (cycle)
			*cycle = cycles->history.cycles[i];
	}
}

void pw_cycles_done(struct pw_cycles *cycles)
{
	pw_gc_history_done(&cycles->history);
}
