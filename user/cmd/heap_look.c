/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/heap_look.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/heap.h"
#include "observe/heap_build.h"
#include "observe/profile_names.h"
#include "target/heap_profile.h"
#include "target/symbolize.h"
#include "target/target.h"

#define NAMING_ROUNDS 4

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

int pw_heap_look(struct pw_target *target, bool classes, struct pw_heap_profile **ret_heap)
{
	enum pw_heap_absence absence = pw_heap_absence(target);
	struct pw_heap_profile *heap = pw_heap_profile_new();
	int r = heap ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	pw_profile_describe(heap->base, target);
	(void)classes;
	if (absence == PW_HEAP_PRESENT)
		r = look_at_profile(target, heap);
	else {
		heap->kind = PW_HEAP_NONE;
		snprintf(heap->absent, sizeof(heap->absent), "%s", pw_heap_absence_text(absence));
	}
	if (r < 0) {
		pw_heap_profile_free(heap);
		return r;
	}
	*ret_heap = heap;
	return 0;
}
