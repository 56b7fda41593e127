/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/heap_sample.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/config.h"
#include "collect/allocs.h"
#include "collect/collect.h"
#include "model/heap.h"
#include "observe/heap_build.h"
#include "observe/profile_names.h"
#include "target/symbolize.h"
#include "target/target.h"

#define NAMING_ROUNDS 4

struct ending {
	sigset_t signals;
	int pid, pidfd;
	uint64_t duration_ns;
};

static void say_started(void *context)
{
	const struct ending *ending = context;
	char text[PW_DURATION_SIZE];

	pw_log_usage(0, "sampling allocations of pid %d for %s", ending->pid,
		     pw_time_duration(ending->duration_ns, text));
}

static bool is_over(void *context)
{
	struct ending *ending = context;
	struct pollfd gone = {.fd = ending->pidfd, .events = POLLIN};
	struct timespec now = {0};

	return sigtimedwait(&ending->signals, NULL, &now) > 0 || poll(&gone, 1, 0) > 0;
}

static int name_all(struct pw_target *target, const struct pw_allocs *allocs, struct pw_heap_profile *heap)
{
	struct pw_symbolizer *symbolizer = target->symbols_ok ? target->symbolizer : NULL;
	int r = -EAGAIN;

	for (int round = 0; round < NAMING_ROUNDS && r == -EAGAIN; round++) {
		r = pw_heap_build_sampled(heap, allocs, target->bias, symbolizer);
		if (r == -EAGAIN && pw_symbolizer_settle(symbolizer) < 0)
			symbolizer = NULL;
	}
	return r;
}

static int make_profile(struct pw_target *target, const struct pw_allocs *allocs, struct pw_heap_profile **ret_heap)
{
	struct pw_heap_profile *heap = pw_heap_profile_new();
	int r;

	if (!heap)
		return -ENOMEM;
	pw_profile_describe(heap->base, target);
	r = name_all(target, allocs, heap);
	if (r < 0) {
		pw_heap_profile_free(heap);
		return r;
	}
	*ret_heap = heap;
	return 0;
}

/* Signals are blocked before collect has its thread, which would take them otherwise. */
int pw_heap_sample(struct pw_target *target, uint64_t duration_ns, const struct pw_config *config,
		   struct pw_heap_profile **ret_heap)
{
	struct pw_collect_options collect_options = {
		.method = config->attach, .budget_percent = config->budget_percent, .allocs = true};
	struct ending ending = {.pid = target->pid, .pidfd = target->pidfd, .duration_ns = duration_ns};
	struct pw_alloc_options options = {.duration_ns = duration_ns,
					   .budget_percent = config->budget_percent,
					   .started = say_started,
					   .stop = is_over,
					   .context = &ending};
	struct pw_collect *collect = NULL;
	struct pw_allocs *allocs = NULL;
	struct pw_why why = {0};
	int r;

	sigemptyset(&ending.signals);
	sigaddset(&ending.signals, SIGINT);
	sigaddset(&ending.signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending.signals, NULL);
	r = pw_collect_new(&collect, &collect_options, &why);
	if (r < 0)
		return pw_log_usage(r, "cannot attach probes on this host: %s", pw_why_text(&why, r));
	r = pw_allocs_take(&allocs, collect, target, &options, &why);
	if (!r)
		r = make_profile(target, allocs, ret_heap);
	if (r < 0)
		pw_log_usage(r, "allocations of pid %d cannot be sampled: %s", target->pid, pw_why_text(&why, r));
	pw_allocs_free(allocs);
	pw_collect_free(collect);
	return r;
}
