/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/macros.h"

/*
 * Event loop: epoll, timerfd, signalfd, pidfd. One thread owns it. Callbacks run from pw_loop_run only; they may add
 * and remove any source, their own too. A callback that returns a negative errno ends the loop with it, unless
 * pw_loop_on_error says otherwise.
 */
struct pw_loop;
struct pw_source;

/* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. */
typedef int (*pw_io_fn)(struct pw_source *source, int fd, uint32_t events, void *ctx);

/*
 * due_ns: when it should have run (CLOCK_MONOTONIC); late_ns: how much later it does; missed: periods that were skipped
 * altogether because the loop was busy.
 */
typedef int (*pw_timer_fn)(struct pw_source *source, uint64_t due_ns, uint64_t late_ns, uint64_t missed, void *ctx);

typedef int (*pw_signal_fn)(struct pw_source *source, int signal_number, pid_t sender, void *ctx);

/* A process ended. status is that of waitpid if it is a child of ours, else -1. */
typedef int (*pw_exit_fn)(struct pw_source *source, pid_t pid, int status, void *ctx);

/* Runs once, after the sources that are ready now. */
typedef int (*pw_defer_fn)(void *ctx);

int pw_must_check pw_loop_new(struct pw_loop **ret_loop);
void pw_loop_free(struct pw_loop *loop);
PW_DEFINE_CLEANUP(struct pw_loop *, pw_loop_free);

/*
 * Sources belong to the loop and live until pw_source_remove or pw_loop_free. ret_source may be NULL for one that stays
 * for ever. The fd of pw_loop_add_io stays the caller's: remove the source before closing it.
 */
int pw_must_check pw_loop_add_io(struct pw_loop *loop, int fd, uint32_t events, pw_io_fn fn, void *ctx,
				 struct pw_source **ret_source);

/*
 * First after first_ns from now (0: at once), then every period_ns without drift (0: only once; the source then stays
 * idle until pw_source_set_timer).
 */
int pw_must_check pw_loop_add_timer(struct pw_loop *loop, uint64_t first_ns, uint64_t period_ns, pw_timer_fn fn,
				    void *ctx, struct pw_source **ret_source);
int pw_must_check pw_source_set_timer(struct pw_source *source, uint64_t first_ns, uint64_t period_ns);
int pw_must_check pw_source_stop_timer(struct pw_source *source);

/* Blocks the signals of set in this thread (do it before other threads start) and reads them from a signalfd. */
int pw_must_check pw_loop_add_signals(struct pw_loop *loop, const sigset_t *set, pw_signal_fn fn, void *ctx,
				      struct pw_source **ret_source);

/* Tells once when the process behind a pidfd has ended; takes ownership of pidfd on success. */
int pw_must_check pw_loop_add_exit(struct pw_loop *loop, pid_t pid, int pidfd, pw_exit_fn fn, void *ctx,
				   struct pw_source **ret_source);

int pw_must_check pw_source_set_events(struct pw_source *source, uint32_t events);

/* NULL is fine. Its callback is not called any more, not even for events already fetched. */
void pw_source_remove(struct pw_source *source);

int pw_must_check pw_loop_defer(struct pw_loop *loop, pw_defer_fn fn, void *ctx);

/* Runs until pw_loop_quit (which counts too when it comes first) or a callback error: the code given to quit, or the
 * error. */
int pw_must_check pw_loop_run(struct pw_loop *loop);

/* One round, waiting at most timeout_ms (-1: for ever): number of callbacks run, or the error. */
int pw_must_check pw_loop_run_once(struct pw_loop *loop, int timeout_ms);
void pw_loop_quit(struct pw_loop *loop, int code);

/*
 * What a callback's error does: without a handler it ends the loop; with one, what that returns does. 0 goes on (the
 * source stays), a negative errno ends the loop. For programs that are to outlive a lack of memory or files.
 */
typedef int (*pw_error_fn)(int error, void *ctx);
void pw_loop_on_error(struct pw_loop *loop, pw_error_fn fn, void *ctx);

/* Figures of the loop's own health. */
struct pw_loop_stats {
	uint64_t rounds;
	uint64_t callbacks;
	uint64_t busy_ns;     /* in callbacks */
	uint64_t late_max_ns; /* latest timer so far */
	uint64_t late_sum_ns;
	uint64_t timer_runs;
	uint64_t timer_missed;
	uint64_t longest_callback_ns;
};
void pw_loop_stats(const struct pw_loop *loop, struct pw_loop_stats *ret_stats);
