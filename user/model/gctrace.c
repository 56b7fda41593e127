/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A cycle as the runtime itself prints it: src/runtime/mgc.go:gcMarkTermination, go1.19 to 1.27. The format has been
 * the same in all of them, but for the remark of a leak check (1.26).
 */
#include <inttypes.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/gc.h"

/* value / 10^decimals, as itoaDiv does. */
static void put_decimal(struct pw_buf *out, uint64_t value, int decimals)
{
	uint64_t unit = 1;

	for (int i = 0; i < decimals; i++)
		unit *= 10;
	pw_buf_printf(out, "%" PRIu64, value / unit);
	if (decimals)
		pw_buf_printf(out, ".%0*" PRIu64, decimals, value % unit);
}

/* Whole milliseconds from 10 ms on, below that two digits and at most three decimals, as fmtNSAsMS does. */
static void put_ms(struct pw_buf *out, uint64_t ns)
{
	uint64_t value = ns / PW_NS_PER_US;
	int decimals = 3;

	if (ns >= 10 * PW_NS_PER_MS) {
		put_decimal(out, ns / PW_NS_PER_MS, 0);
	} else if (!value) {
		pw_buf_putc(out, '0');
	} else {
		for (; value >= 100; value /= 10)
			decimals--;
		put_decimal(out, value, decimals);
	}
}

static void put_times(struct pw_buf *out, const uint64_t *ns, size_t count, const char *separators)
{
	for (size_t i = 0; i < count; i++) {
		if (i)
			pw_buf_putc(out, separators[i - 1]);
		put_ms(out, ns[i]);
	}
}

void pw_gctrace_format(struct pw_buf *out, const struct pw_record_gc_cycle *cycle, int go_minor)
{
	const uint64_t clock[] = {cycle->mark_ns - cycle->start_ns, pw_gc_mark_ns(cycle),
				  cycle->end_ns - cycle->mark_termination_ns};
	const uint64_t cpu[] = {cycle->stw_procs * clock[0], cycle->assist_ns,
				cycle->dedicated_ns + cycle->fractional_ns, cycle->idle_ns,
				cycle->stw_procs * clock[2]};

	pw_buf_printf(out, "gc %" PRIu64 " @", cycle->number);
	put_decimal(out, cycle->since_init_ns / PW_NS_PER_MS, 3);
	pw_buf_printf(out, "s %d%%%s: ", (int)(cycle->cpu_fraction * 100),
		      go_minor >= 26 && cycle->leak_check ? " (checking for goroutine leaks)" : "");
	put_times(out, clock, ARRAY_SIZE(clock), "++");
	pw_buf_puts(out, " ms clock, ");
	put_times(out, cpu, ARRAY_SIZE(cpu), "+//+");
	pw_buf_printf(out,
		      " ms cpu, %" PRIu64 "->%" PRIu64 "->%" PRIu64 " MB, %" PRIu64 " MB goal, %" PRIu64
		      " MB stacks, %" PRIu64 " MB globals, %" PRIu32 " P%s",
		      cycle->heap_start_bytes >> 20, cycle->heap_mark_end_bytes >> 20, cycle->heap_live_bytes >> 20,
		      cycle->goal_bytes >> 20, cycle->stack_bytes >> 20, cycle->globals_bytes >> 20, cycle->max_procs,
		      cycle->forced ? " (forced)" : "");
}
