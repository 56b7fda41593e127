/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/holdings.h"

#include <errno.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/builder.h"
#include "model/record.h"
#include "target/kernel.h"
#include "target/target.h"
#include "target/timers.h"

#define SHARE 500 /* one part in so many of a CPU: 0.2% */

static int look(struct pw_observed_holdings *observed, struct pw_target *target, const struct pw_procfs *procfs,
		uint64_t boot_ns, struct pw_holdings *numbers)
{
	struct pw_kernel_figures figures;
	int r = pw_threads_read(&observed->threads, target, procfs, boot_ns, numbers, observed->pids_path,
				sizeof(observed->pids_path));

	if (!r && target->memory_ok && target->bias_known && target->build)
		r = pw_timers_count(target, numbers);
	if (!r)
		r = pw_kernel_read(&figures, procfs, target->pid);
	if (r)
		return r;
	numbers->files = figures.open_files;
	r = pw_sockets_look(&observed->sockets, procfs, target->pid, boot_ns, numbers);
	return r == -ESRCH || r == -ENOMEM ? r : 0; /* else nothing is known of them */
}

int pw_observed_holdings_work(struct pw_observed_holdings *observed, struct pw_target *target,
			      const struct pw_procfs *procfs, uint64_t gc_cycles, uint64_t interval_ns,
			      uint64_t boot_ns)
{
	uint64_t start_ns = pw_cpu_thread_ns();
	struct pw_holdings numbers;
	int r;

	if (!interval_ns || boot_ns < observed->next_ns)
		return 0;
	pw_holdings_init(&numbers);
	numbers.gc_cycles = gc_cycles;
	r = look(observed, target, procfs, boot_ns, &numbers);
	numbers.cost_ns = pw_cpu_thread_ns() - start_ns;
	observed->next_ns = boot_ns + PW_MAX(interval_ns, numbers.cost_ns * SHARE);
	if (r) {
		observed->failures++;
		return r == -ESRCH ? r : 0;
	}
	observed->numbers = numbers;
	observed->taken_ns = boot_ns;
	return 0;
}

void pw_observed_holdings_write(const struct pw_observed_holdings *observed, struct pw_record *draft,
				struct pw_record_builder *builder)
{
	if (!observed->taken_ns)
		return;
	draft->holdings.section =
		(struct pw_section){.present = true, .version = 1, .quality = PW_EXACT, .taken_ns = observed->taken_ns};
	draft->holdings.numbers = observed->numbers;
	draft->holdings.pids_path = pw_record_builder_string(builder, observed->pids_path);
}

void pw_observed_holdings_done(struct pw_observed_holdings *observed)
{
	pw_threads_done(&observed->threads);
	pw_sockets_done(&observed->sockets);
}
