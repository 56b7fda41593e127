/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/procfs.h"
#include "base/time.h"

static struct pw_loop *loop;

static int new_loop(void **state)
{
	(void)state;
	return pw_loop_new(&loop);
}

static int free_loop(void **state)
{
	(void)state;
	pw_loop_free(loop);
	loop = NULL;
	return 0;
}

struct ticks {
	int count, wanted;
	uint64_t first_due, last_due, missed;
};

static int on_tick(struct pw_source *source, uint64_t due_ns, uint64_t late_ns, uint64_t missed, void *ctx)
{
	struct ticks *ticks = ctx;

	(void)source;
	assert_true(late_ns <= pw_now_ns() - due_ns);
	if (ticks->count++ == 0)
		ticks->first_due = due_ns;
	ticks->last_due = due_ns;
	ticks->missed += missed;
	if (ticks->count == ticks->wanted)
		pw_loop_quit(loop, 7);
	return 0;
}

static void a_timer_keeps_its_grid(void **state)
{
	struct ticks ticks = {.wanted = 5};
	struct pw_loop_stats stats;

	(void)state;
	assert_int_equal(pw_loop_add_timer(loop, 0, 2 * PW_NS_PER_MS, on_tick, &ticks, NULL), 0);
	assert_int_equal(pw_loop_run(loop), 7);
	assert_int_equal(ticks.count, 5);
	assert_int_equal((ticks.last_due - ticks.first_due) % (2 * PW_NS_PER_MS), 0);
	assert_int_equal((ticks.last_due - ticks.first_due) / (2 * PW_NS_PER_MS), 4 + ticks.missed);
	pw_loop_stats(loop, &stats);
	assert_int_equal(stats.timer_runs, 5);
	assert_int_equal(stats.timer_missed, ticks.missed);
}

static int hold_up(struct pw_source *source, uint64_t due_ns, uint64_t late_ns, uint64_t missed, void *ctx)
{
	struct ticks *ticks = ctx;

	(void)source;
	(void)due_ns;
	ticks->missed += missed;
	if (ticks->count++ == 0) {
		while (pw_now_ns() < due_ns + late_ns + 20 * PW_NS_PER_MS)
			;
		return 0;
	}
	pw_loop_quit(loop, 0);
	return 0;
}

static void periods_slept_through_are_counted(void **state)
{
	struct ticks ticks = {};
	struct pw_loop_stats stats;

	(void)state;
	assert_int_equal(pw_loop_add_timer(loop, 0, 2 * PW_NS_PER_MS, hold_up, &ticks, NULL), 0);
	assert_int_equal(pw_loop_run(loop), 0);
	assert_int_equal(ticks.count, 2);
	assert_true(ticks.missed >= 8);
	pw_loop_stats(loop, &stats);
	assert_int_equal(stats.timer_missed, ticks.missed);
	assert_true(stats.late_max_ns >= 16 * PW_NS_PER_MS);
	assert_true(stats.longest_callback_ns >= 20 * PW_NS_PER_MS);
}

static void a_timer_once_is_set_again_and_stopped(void **state)
{
	struct ticks ticks = {};
	struct pw_source *timer = NULL;

	(void)state;
	assert_int_equal(pw_loop_add_timer(loop, 0, 0, on_tick, &ticks, &timer), 0);
	assert_int_equal(pw_loop_run_once(loop, 1000), 1);
	assert_int_equal(pw_loop_run_once(loop, 5), 0);
	assert_int_equal(pw_source_set_timer(timer, 0, 0), 0);
	assert_int_equal(pw_loop_run_once(loop, 1000), 1);
	assert_int_equal(pw_source_set_timer(timer, 5 * PW_NS_PER_MS, 0), 0);
	assert_int_equal(pw_source_stop_timer(timer), 0);
	assert_int_equal(pw_loop_run_once(loop, 20), 0);
	assert_int_equal(ticks.count, 2);
}

struct pair {
	struct pw_source *first, *second;
	int runs;
};

static int remove_both(struct pw_source *source, int fd, uint32_t events, void *ctx)
{
	struct pair *pair = ctx;

	(void)source;
	(void)fd;
	assert_true(events & EPOLLIN);
	pair->runs++;
	pw_source_remove(pair->first);
	pw_source_remove(pair->second);
	return 0;
}

static void a_removed_source_is_not_called_for_events_already_fetched(void **state)
{
	struct pair pair = {};
	int a[2], b[2];

	(void)state;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
	assert_int_equal(pw_loop_add_io(loop, a[0], EPOLLIN, remove_both, &pair, &pair.first), 0);
	assert_int_equal(pw_loop_add_io(loop, b[0], EPOLLIN, remove_both, &pair, &pair.second), 0);
	assert_int_equal(pw_loop_run_once(loop, 1000), 1);
	assert_int_equal(pair.runs, 1);
	assert_int_equal(pw_loop_run_once(loop, 0), 0);
	pw_source_remove(NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(close(a[i]) | close(b[i]), 0); /* they stayed ours */
}

static int refuse(struct pw_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)ctx;
	return -EPROTO;
}

static void an_error_of_a_callback_ends_the_loop(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pw_loop_add_io(loop, ends[0], EPOLLIN, refuse, NULL, NULL), 0);
	assert_int_equal(pw_loop_add_io(loop, ends[0], EPOLLIN, refuse, NULL, NULL), -EEXIST);
	close(ends[1]);
	assert_int_equal(pw_loop_run(loop), -EPROTO);
	close(ends[0]);
}

struct errors {
	int count, last, end_with;
};

static int on_error(int error, void *ctx)
{
	struct errors *errors = ctx;

	errors->count++;
	errors->last = error;
	return errors->end_with;
}

static int fail_deferred(void *ctx)
{
	(void)ctx;
	return -ENOMEM;
}

static void a_handler_of_errors_decides_whether_the_loop_goes_on(void **state)
{
	struct errors errors = {0};
	struct ticks ticks = {.wanted = 3};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pw_loop_add_io(loop, ends[0], EPOLLIN, refuse, NULL, NULL), 0);
	assert_int_equal(pw_loop_add_timer(loop, PW_NS_PER_MS, PW_NS_PER_MS, on_tick, &ticks, NULL), 0);
	assert_int_equal(pw_loop_defer(loop, fail_deferred, NULL), 0);
	close(ends[1]); /* readable from now on: refused in every round */
	pw_loop_on_error(loop, on_error, &errors);
	assert_int_equal(pw_loop_run(loop), 7); /* the timer's end: errors have not ended it before */
	assert_int_equal(ticks.count, 3);
	assert_true(errors.count >= 2);
	errors.end_with = -EIO;
	assert_int_equal(pw_loop_run(loop), -EIO);
	assert_int_equal(errors.last, -EPROTO);
	close(ends[0]);
}

static int on_signal(struct pw_source *source, int signal_number, pid_t sender, void *ctx)
{
	int *seen = ctx;

	(void)source;
	assert_int_equal(sender, getpid());
	*seen = signal_number;
	pw_loop_quit(loop, 0);
	return 0;
}

static void signals_arrive_as_events(void **state)
{
	struct pw_source *source = NULL;
	sigset_t set;
	int seen = 0;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pw_loop_add_signals(loop, &set, on_signal, &seen, &source), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(pw_loop_run(loop), 0);
	assert_int_equal(seen, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

struct ended {
	pid_t pid;
	int status, count;
};

static int on_exit_(struct pw_source *source, pid_t pid, int status, void *ctx)
{
	struct ended *ended = ctx;

	pw_source_remove(source); /* itself: allowed */
	ended->pid = pid;
	ended->status = status;
	ended->count++;
	return 0;
}

static void the_end_of_a_child_is_told_once_with_its_status(void **state)
{
	struct ended ended = {};
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(42);
	assert_int_equal(pw_loop_add_exit(loop, child, pw_pidfd_open(child), on_exit_, &ended, NULL), 0);
	assert_int_equal(pw_loop_run_once(loop, 5000), 1);
	assert_int_equal(ended.pid, child);
	assert_true(WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 42);
	assert_int_equal(pw_loop_run_once(loop, 0), 0);
	assert_int_equal(ended.count, 1);
	assert_int_equal(waitpid(child, NULL, WNOHANG), -1); /* already reaped */
}

static int defer_again(void *ctx)
{
	int *left = ctx;

	if (--*left == 0) {
		pw_loop_quit(loop, 3);
		return 0;
	}
	return pw_loop_defer(loop, defer_again, ctx);
}

static void what_is_deferred_runs_once_each(void **state)
{
	int left = 3;

	(void)state;
	assert_int_equal(pw_loop_defer(loop, defer_again, &left), 0);
	assert_int_equal(pw_loop_run_once(loop, -1), 1);
	assert_int_equal(left, 2);
	assert_int_equal(pw_loop_run(loop), 3);
	assert_int_equal(left, 0);
}

static void a_quit_before_the_run_counts(void **state)
{
	(void)state;
	pw_loop_quit(loop, 9);
	assert_int_equal(pw_loop_run(loop), 9);
}

#define on_loop(test) cmocka_unit_test_setup_teardown(test, new_loop, free_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_loop(a_timer_keeps_its_grid),
		on_loop(periods_slept_through_are_counted),
		on_loop(a_timer_once_is_set_again_and_stopped),
		on_loop(a_removed_source_is_not_called_for_events_already_fetched),
		on_loop(an_error_of_a_callback_ends_the_loop),
		on_loop(a_handler_of_errors_decides_whether_the_loop_goes_on),
		on_loop(signals_arrive_as_events),
		on_loop(the_end_of_a_child_is_told_once_with_its_status),
		on_loop(what_is_deferred_runs_once_each),
		on_loop(a_quit_before_the_run_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
