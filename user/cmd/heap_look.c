/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/heap_look.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "model/heap.h"
#include "model/record.h"
#include "model/runtime_numbers.h"
#include "observe/heap_build.h"
#include "observe/heap_rest.h"
#include "observe/profile_names.h"
#include "target/heap_profile.h"
#include "target/heap_types.h"
#include "target/runtime_metrics.h"
#include "target/symbolize.h"
#include "target/target.h"

#define NAMING_ROUNDS 4
#define READ_TRIES    100 /* numbers that change faster than they can be read */

void pw_heap_wait(uint64_t duration_ns)
{
	struct timespec time = {(time_t)(duration_ns / PW_NS_PER_SEC), (long)(duration_ns % PW_NS_PER_SEC)};
	sigset_t signals, before;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	while (sigtimedwait(&signals, NULL, &time) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static int name_all(struct pw_target *target, const struct pw_heap_look *look, struct pw_heap_profile *heap)
{
	struct pw_symbolizer *symbolizer = target->symbols_ok ? target->symbolizer : NULL;
	int r = -EAGAIN;

	for (int round = 0; round < NAMING_ROUNDS && r == -EAGAIN; round++) {
		r = pw_heap_build(heap, look, symbolizer);
		if (r == -EAGAIN && pw_symbolizer_settle(symbolizer) < 0)
			symbolizer = NULL; /* addresses are better than nothing */
	}
	return r;
}

static int look_at_profile(struct pw_target *target, struct pw_heap_profile *heap)
{
	struct pw_heap_profiler *profiler = NULL;
	const struct pw_heap_look *look;
	int r = pw_heap_profiler_new(&profiler);

	if (r >= 0)
		r = pw_heap_profiler_look(profiler, target, &look);
	if (r >= 0)
		r = name_all(target, look, heap);
	pw_heap_profiler_free(profiler);
	return r;
}

static int look_at_sizes(struct pw_target *target, struct pw_heap_profile *heap)
{
	_cleanup_free_ struct pw_histograms *histograms = calloc(1, sizeof(*histograms));
	struct pw_runtime_metrics *metrics = NULL;
	struct pw_runtime_numbers numbers;
	struct pw_why why = {0};
	int r = histograms ? pw_runtime_metrics_new(&metrics, target, &why) : -ENOMEM;

	for (int i = 0; r >= 0 && i < READ_TRIES; i++) {
		r = pw_runtime_metrics_read(metrics, 0, &numbers, histograms, &why);
		if (r != -EAGAIN)
			break;
	}
	pw_runtime_metrics_free(metrics);
	if (r == -ENOMEM || r == -ESRCH)
		return r;
	if (r < 0) { /* the rest is still worth showing */
		pw_log_usage(0, "objects by size are not known: %s", pw_why_text(&why, r));
		return 0;
	}
	if (heap->kind == PW_HEAP_NONE && numbers.gc_cycles != PW_UNKNOWN)
		heap->cycle = numbers.gc_cycles;
	return pw_heap_add_sizes(heap, &numbers, histograms);
}

static int look_at_types(struct pw_target *target, struct pw_heap_profile *heap)
{
	const struct pw_heap_types_look *look;
	struct pw_heap_types *types = NULL;
	int r = pw_heap_types_new(&types);

	if (r >= 0)
		r = pw_heap_types_look(types, target, &look);
	if (r >= 0)
		r = pw_heap_add_types(heap, look);
	pw_heap_types_free(types);
	if (r == -ENOTSUP)
		snprintf(heap->no_types, sizeof(heap->no_types), "objects carry their type from Go 1.22 on only");
	else if (r < 0 && r != -ENOMEM && r != -ESRCH)
		snprintf(heap->no_types, sizeof(heap->no_types), "the runtime's list of spans could not be read");
	return heap->no_types[0] ? 0 : r;
}

int pw_heap_look(struct pw_target *target, bool classes, struct pw_heap_profile **ret_heap)
{
	enum pw_heap_absence absence = pw_heap_absence(target);
	struct pw_heap_profile *heap = pw_heap_profile_new();
	int r = heap ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	pw_profile_describe(heap->base, target);
	if (absence != PW_HEAP_PRESENT) {
		heap->kind = PW_HEAP_NONE;
		snprintf(heap->absent, sizeof(heap->absent), "%s", pw_heap_absence_text(absence));
	}
	if (absence == PW_HEAP_PRESENT)
		r = look_at_profile(target, heap);
	if (r >= 0 && (classes || absence != PW_HEAP_PRESENT))
		r = look_at_sizes(target, heap);
	if (r >= 0 && (classes || absence != PW_HEAP_PRESENT))
		r = look_at_types(target, heap);
	if (r < 0) {
		pw_heap_profile_free(heap);
		return r;
	}
	*ret_heap = heap;
	return 0;
}
