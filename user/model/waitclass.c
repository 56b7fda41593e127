/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/waitclass.h"

#include <string.h>

#include "base/macros.h"

static const char *const names[] = {"unknown", "channel", "lock",    "timer", "network",
				    "gc",      "syscall", "runtime", "other"};
_Static_assert(ARRAY_SIZE(names) == _PW_WAIT_CLASS_MAX, "a word for each class");

/* By prefix, the first that fits: src/runtime/runtime2.go:waitReasonStrings, go1.17 to go1.27. */
static const struct {
	const char *prefix;
	enum pw_wait_class wait_class;
} reasons[] = {
	{"chan ", PW_WAIT_CHANNEL},
	{"select", PW_WAIT_CHANNEL},
	{"sync.", PW_WAIT_LOCK},
	{"semacquire", PW_WAIT_LOCK},
	{"sleep", PW_WAIT_TIMER},
	{"IO wait", PW_WAIT_NETWORK},
	{"GC ", PW_WAIT_GC},
	{"garbage collection", PW_WAIT_GC},
	{"force gc", PW_WAIT_GC},
	{"wait for GC cycle", PW_WAIT_GC},
	{"finalizer wait", PW_WAIT_RUNTIME},
	{"cleanup wait", PW_WAIT_RUNTIME},
	{"trace ", PW_WAIT_RUNTIME},
	{"GOMAXPROCS updater", PW_WAIT_RUNTIME},
	{"dumping heap", PW_WAIT_RUNTIME},
	{"stopping the world", PW_WAIT_RUNTIME},
	{"panicwait", PW_WAIT_RUNTIME},
	{"preempted", PW_WAIT_RUNTIME},
	{"flushing proc caches", PW_WAIT_RUNTIME},
	{"page trace flush", PW_WAIT_RUNTIME},
};

const char *pw_wait_class_name(enum pw_wait_class wait_class)
{
	return (unsigned int)wait_class < ARRAY_SIZE(names) ? names[wait_class] : "unknown";
}

enum pw_wait_class pw_wait_class(const char *reason, const char *frame)
{
	if (!reason || !reason[0])
		return PW_WAIT_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		enum pw_wait_class wait_class = reasons[i].wait_class;

		if (strncmp(reason, reasons[i].prefix, strlen(reasons[i].prefix)) != 0)
			continue;
		/* internal/poll's fdMutex parks as "semacquire" too: one waits for a socket's other user, not for a
		 * lock. */
		if (wait_class == PW_WAIT_LOCK && frame && strncmp(frame, "internal/poll.", 14) == 0)
			return PW_WAIT_NETWORK;
		return wait_class;
	}
	return PW_WAIT_OTHER;
}
