/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/record.h"
#include "output/metrics_writer.h"

/* What a process has only so many of: threads and what they are at, timers, and the limits. */

static void write_known(struct pw_writer *w, const struct pw_metric_target *t, const char *more, uint64_t value)
{
	if (t->record->holdings.section.present)
		pw_write_u64(w, "", t->labels, more, value);
}

static void threads(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_holdings *numbers = &t->record->holdings.numbers;

	write_known(w, t, "state=\"cgo\"", numbers->threads_cgo);
	write_known(w, t, "state=\"cgo_long\"", numbers->threads_cgo_long);
	write_known(w, t, "state=\"syscall\"", numbers->threads_syscall);
	write_known(w, t, "state=\"idle\"", numbers->threads_idle);
	write_known(w, t, "state=\"locked\"", numbers->threads_locked);
}

static void thread_limits(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_holdings *numbers = &t->record->holdings.numbers;

	write_known(w, t, "limit=\"SetMaxThreads\"", numbers->threads_max);
	write_known(w, t, "limit=\"pids.max\"", numbers->pids_max);
	write_known(w, t, "limit=\"RLIMIT_NPROC\"", numbers->processes_max);
}

static void pids_used(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_known(w, t, NULL, t->record->holdings.numbers.pids_used);
}

static void timers(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_known(w, t, NULL, t->record->holdings.numbers.timers);
}

static void files_max(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_known(w, t, NULL, t->record->holdings.numbers.files_max);
}

static void sockets(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_holdings *numbers = &t->record->holdings.numbers;

	write_known(w, t, "family=\"tcp\",state=\"established\"", numbers->tcp_established);
	write_known(w, t, "family=\"tcp\",state=\"close_wait\"", numbers->tcp_close_wait);
	write_known(w, t, "family=\"tcp\",state=\"dead\"", numbers->tcp_dead);
	write_known(w, t, "family=\"tcp\",state=\"listen\"", numbers->tcp_listen);
	write_known(w, t, "family=\"tcp\",state=\"other\"", numbers->tcp_other);
	write_known(w, t, "family=\"unix\",state=\"established\"", numbers->unix_connected);
	write_known(w, t, "family=\"unix\",state=\"closed_by_peer\"", numbers->unix_closed);
}

static void sockets_abandoned(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_holdings *numbers = &t->record->holdings.numbers;

	write_known(w, t, "family=\"tcp\"", numbers->tcp_close_wait_long);
	write_known(w, t, "family=\"unix\"", numbers->unix_closed_long);
}

static void sockets_quiet(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_known(w, t, NULL, t->record->holdings.numbers.tcp_quiet);
}

static void sockets_left_out(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_known(w, t, NULL, t->record->holdings.numbers.sockets_left_out);
}

static void age(struct pw_writer *w, const struct pw_metric_target *t)
{
	uint64_t now_ns = pw_writer_boot_ns(w);

	if (t->record->holdings.section.present)
		pw_write_seconds(w, "", t->labels, NULL, now_ns - PW_MIN(now_ns, t->record->holdings.section.taken_ns));
}

#define G PW_METRIC_GAUGE
const struct pw_metric_family pw_metrics_holdings[] = {
	{"parkwatch_threads", G, NULL,
	 "Threads by what they are at; one may be locked to a goroutine and in C at once, cgo_long (a minute or more "
	 "in "
	 "one call) is part of cgo, and those that run Go code are in none.",
	 threads, NULL},
	{"parkwatch_thread_limit", G, NULL, "Limits that hold for its threads.", thread_limits, NULL},
	{"parkwatch_thread_limit_used", G, NULL, "Tasks in the cgroup whose pids.max that is.", pids_used, NULL},
	{"parkwatch_timers", G, NULL, "Timers that the scheduler keeps.", timers, NULL},
	{"parkwatch_open_files_limit", G, NULL, "RLIMIT_NOFILE, the soft one.", files_max, NULL},
	{"parkwatch_sockets", G, NULL, "Its sockets by state; dead: reset, and not yet closed here.", sockets, NULL},
	{"parkwatch_sockets_abandoned", G, NULL,
	 "Of them those that the other side has closed a minute ago or more, and this one has not.", sockets_abandoned,
	 NULL},
	{"parkwatch_sockets_quiet", G, NULL, "Established TCP on which nothing was received for 15 minutes.",
	 sockets_quiet, NULL},
	{"parkwatch_sockets_left_out", G, NULL, "Descriptors, or parts of the kernel's list, too many to look at.",
	 sockets_left_out, NULL},
	{"parkwatch_holdings_age_seconds", G, "seconds", "How old the look at threads and timers is.", age, NULL},
};
const size_t pw_metrics_holdings_count = ARRAY_SIZE(pw_metrics_holdings);
