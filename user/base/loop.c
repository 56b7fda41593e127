/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/time.h"
#include "base/vec.h"

enum source_kind { SOURCE_IO, SOURCE_TIMER, SOURCE_SIGNALS, SOURCE_EXIT };

/*
 * A removed source stays in memory until the end of the round, so that events of it already fetched are skipped instead
 * of followed into freed memory.
 */
struct pw_source {
	struct pw_loop *loop;
	enum source_kind kind;
	int fd;
	bool owns_fd, removed;
	void *ctx;
	union {
		pw_io_fn io;
		pw_timer_fn timer;
		pw_signal_fn signals;
		pw_exit_fn exit;
	} fn;
	uint64_t due_ns, period_ns; /* timers, CLOCK_MONOTONIC */
	pid_t pid;
	struct pw_source *next, *previous;
};

struct deferred {
	pw_defer_fn fn;
	void *ctx;
};

struct pw_loop {
	int epoll_fd;
	bool quit;
	int code;
	struct pw_source *sources, *removed;
	PW_VEC(struct deferred) deferred;
	pw_error_fn on_error;
	void *on_error_ctx;
	struct pw_loop_stats stats;
};

int pw_loop_new(struct pw_loop **ret_loop)
{
	struct pw_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->deferred.max = PW_LOOP_EVENTS_MAX * 16;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

static void bury(struct pw_loop *loop)
{
	while (loop->removed) {
		struct pw_source *source = loop->removed;

		loop->removed = source->next;
		free(source);
	}
}

void pw_loop_free(struct pw_loop *loop)
{
	if (!loop)
		return;
	while (loop->sources)
		pw_source_remove(loop->sources);
	bury(loop);
	pw_vec_done(&loop->deferred);
	close(loop->epoll_fd);
	free(loop);
}

/* Registers a source that is filled but for loop and links; frees it on error, but leaves its fd to the caller. */
static int add_source(struct pw_loop *loop, struct pw_source *source, uint32_t events, struct pw_source **ret_source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0) {
		int r = -errno;

		free(source);
		return r;
	}
	source->loop = loop;
	source->next = loop->sources;
	if (source->next)
		source->next->previous = source;
	loop->sources = source;
	if (ret_source)
		*ret_source = source;
	return 0;
}

static struct pw_source *new_source(enum source_kind kind, int fd, bool owns_fd, void *ctx)
{
	struct pw_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->kind = kind;
	source->fd = fd;
	source->owns_fd = owns_fd;
	source->ctx = ctx;
	return source;
}

int pw_loop_add_io(struct pw_loop *loop, int fd, uint32_t events, pw_io_fn fn, void *ctx, struct pw_source **ret_source)
{
	struct pw_source *source = new_source(SOURCE_IO, fd, false, ctx);

	if (!source)
		return -ENOMEM;
	source->fn.io = fn;
	return add_source(loop, source, events, ret_source);
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / PW_NS_PER_SEC), .tv_nsec = (long)(ns % PW_NS_PER_SEC)};
}

int pw_source_set_timer(struct pw_source *source, uint64_t first_ns, uint64_t period_ns)
{
	struct itimerspec when = {0};

	if (source->kind != SOURCE_TIMER)
		return -EINVAL;
	source->due_ns = pw_now_ns() + first_ns;
	source->period_ns = period_ns;
	when.it_value = to_timespec(source->due_ns);
	when.it_interval = to_timespec(period_ns);
	return timerfd_settime(source->fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

int pw_source_stop_timer(struct pw_source *source)
{
	struct itimerspec never = {0};

	if (source->kind != SOURCE_TIMER)
		return -EINVAL;
	return timerfd_settime(source->fd, 0, &never, NULL) < 0 ? -errno : 0;
}

int pw_loop_add_timer(struct pw_loop *loop, uint64_t first_ns, uint64_t period_ns, pw_timer_fn fn, void *ctx,
		      struct pw_source **ret_source)
{
	_cleanup_fd_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct pw_source *source, *added = NULL;
	int r;

	if (fd < 0)
		return -errno;
	source = new_source(SOURCE_TIMER, fd, true, ctx);
	if (!source)
		return -ENOMEM;
	source->fn.timer = fn;
	r = add_source(loop, source, EPOLLIN, &added);
	if (r < 0 || !added)
		return r;
	TAKE_FD(fd);
	r = pw_source_set_timer(added, first_ns, period_ns);
	if (r < 0) {
		pw_source_remove(added);
		return r;
	}
	if (ret_source)
		*ret_source = added;
	return 0;
}

int pw_loop_add_signals(struct pw_loop *loop, const sigset_t *set, pw_signal_fn fn, void *ctx,
			struct pw_source **ret_source)
{
	_cleanup_fd_ int fd = -1;
	struct pw_source *source;
	int r;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	source = new_source(SOURCE_SIGNALS, fd, true, ctx);
	if (!source)
		return -ENOMEM;
	source->fn.signals = fn;
	r = add_source(loop, source, EPOLLIN, ret_source);
	if (r == 0)
		TAKE_FD(fd);
	return r;
}

int pw_loop_add_exit(struct pw_loop *loop, pid_t pid, int pidfd, pw_exit_fn fn, void *ctx,
		     struct pw_source **ret_source)
{
	struct pw_source *source = new_source(SOURCE_EXIT, pidfd, true, ctx);

	if (!source)
		return -ENOMEM;
	source->fn.exit = fn;
	source->pid = pid;
	return add_source(loop, source, EPOLLIN, ret_source);
}

int pw_source_set_events(struct pw_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

void pw_source_remove(struct pw_source *source)
{
	struct pw_loop *loop;

	if (!source || source->removed)
		return;
	loop = source->loop;
	source->removed = true;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->owns_fd)
		close(source->fd);
	if (source->previous)
		source->previous->next = source->next;
	else
		loop->sources = source->next;
	if (source->next)
		source->next->previous = source->previous;
	source->previous = NULL;
	source->next = loop->removed;
	loop->removed = source;
}

int pw_loop_defer(struct pw_loop *loop, pw_defer_fn fn, void *ctx)
{
	struct deferred deferred = {.fn = fn, .ctx = ctx};

	return pw_vec_push(&loop->deferred, deferred);
}

static int run_timer(struct pw_source *source)
{
	struct pw_loop_stats *stats = &source->loop->stats;
	uint64_t expirations, due = source->due_ns, late, now;

	if (read(source->fd, &expirations, sizeof(expirations)) != (ssize_t)sizeof(expirations))
		return errno == EAGAIN ? 0 : -errno;
	now = pw_now_ns();
	due += (expirations - 1) * source->period_ns;
	late = now > due ? now - due : 0;
	if (source->period_ns > 0)
		source->due_ns += expirations * source->period_ns;
	stats->timer_runs++;
	stats->timer_missed += expirations - 1;
	stats->late_sum_ns += late;
	stats->late_max_ns = PW_MAX(stats->late_max_ns, late + (expirations - 1) * source->period_ns);
	return source->fn.timer(source, due, late, expirations - 1, source->ctx);
}

static int run_signals(struct pw_source *source)
{
	struct signalfd_siginfo info;
	int r = 0;

	while (r >= 0 && !source->removed && read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		r = source->fn.signals(source, (int)info.ssi_signo, (pid_t)info.ssi_pid, source->ctx);
	return r;
}

static int run_exit(struct pw_source *source)
{
	pw_exit_fn fn = source->fn.exit;
	void *ctx = source->ctx;
	pid_t pid = source->pid;
	int status = -1, r;

	if (waitpid(pid, &status, WNOHANG) != pid)
		status = -1;
	r = fn(source, pid, status, ctx);
	pw_source_remove(source); /* it tells once */
	return r;
}

static int run_source(struct pw_source *source, uint32_t events)
{
	switch (source->kind) {
	case SOURCE_IO:
		return source->fn.io(source, source->fd, events, source->ctx);
	case SOURCE_TIMER:
		return run_timer(source);
	case SOURCE_SIGNALS:
		return run_signals(source);
	case SOURCE_EXIT:
		return run_exit(source);
	}
	return -EINVAL;
}

void pw_loop_on_error(struct pw_loop *loop, pw_error_fn fn, void *ctx)
{
	loop->on_error = fn;
	loop->on_error_ctx = ctx;
}

static int judge(struct pw_loop *loop, int r)
{
	return r < 0 && loop->on_error ? loop->on_error(r, loop->on_error_ctx) : r;
}

/* Those that were there when it starts; what they defer waits for the next round. */
static int run_deferred(struct pw_loop *loop)
{
	size_t count = loop->deferred.count;
	int r = 0, ran = 0;

	for (size_t i = 0; i < count && r >= 0; i++, ran++) {
		struct deferred deferred = loop->deferred.items[i];

		r = judge(loop, deferred.fn(deferred.ctx));
	}
	if (count > 0) {
		memmove(loop->deferred.items, loop->deferred.items + count,
			(loop->deferred.count - count) * sizeof(*loop->deferred.items));
		loop->deferred.count -= count;
	}
	return r < 0 ? r : ran;
}

int pw_loop_run_once(struct pw_loop *loop, int timeout_ms)
{
	struct epoll_event events[PW_LOOP_EVENTS_MAX];
	int count, ran = 0, r = 0;

	count = epoll_wait(loop->epoll_fd, events, PW_LOOP_EVENTS_MAX, loop->deferred.count > 0 ? 0 : timeout_ms);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	loop->stats.rounds++;
	for (int i = 0; i < count && r >= 0 && !loop->quit; i++) {
		struct pw_source *source = events[i].data.ptr;
		uint64_t start = pw_now_ns(), took;

		if (source->removed)
			continue;
		r = judge(loop, run_source(source, events[i].events));
		took = pw_now_ns() - start;
		loop->stats.callbacks++;
		loop->stats.busy_ns += took;
		loop->stats.longest_callback_ns = PW_MAX(loop->stats.longest_callback_ns, took);
		ran++;
	}
	if (r >= 0) {
		r = run_deferred(loop);
		ran += r > 0 ? r : 0;
	}
	bury(loop);
	return r < 0 ? r : ran;
}

int pw_loop_run(struct pw_loop *loop)
{
	while (!loop->quit) {
		int r = pw_loop_run_once(loop, -1);

		if (r < 0)
			return r;
	}
	loop->quit = false;
	return loop->code;
}

void pw_loop_quit(struct pw_loop *loop, int code)
{
	loop->quit = true;
	loop->code = code;
}

void pw_loop_stats(const struct pw_loop *loop, struct pw_loop_stats *ret_stats)
{
	*ret_stats = loop->stats;
}
