/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_DISCOVER_H
#define PW_TARGET_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"

struct pw_loop;
struct pw_reader;
struct pw_procfs;

/*
 * Finds the Go processes of the host and follows them: a scan of /proc each second, exit by pidfd, exec by a changed
 * exe or start code. Facts come asynchronously from the reader, cached by build ID and by (dev, inode, mtime, size).
 */
struct pw_discover;

struct pw_discover_filter { /* patterns are globs over process name, exe path, unit, service */
	const char **include, **exclude;
	size_t include_count, exclude_count;
};

struct pw_discover_callbacks {
	void *context;
	void (*found)(void *context, struct pw_target *target); /* readable or degraded: validated, facts there */
	void (*gone)(void *context, struct pw_target *target);	/* exited or exec'd; freed after the call */
	void (*service_name)(void *context, struct pw_target *target); /* may overwrite target->service; may be NULL */
};

int pw_discover_new(struct pw_discover **ret_discover, const struct pw_procfs *procfs, struct pw_reader *reader,
		    struct pw_loop *loop, const struct pw_discover_callbacks *callbacks)
	__attribute__((warn_unused_result));
void pw_discover_free(struct pw_discover *discover);
void pw_discover_set_filter(struct pw_discover *discover, const struct pw_discover_filter *filter); /* copied */
/* One scan of /proc, within budget_ns; continues where it stopped at the next call. */
int pw_discover_scan(struct pw_discover *discover, uint64_t budget_ns);

/* True while processes wait for the reader to say what they are: a one-shot command dispatches the reader, scans again.
 */
bool pw_discover_pending(const struct pw_discover *discover);

/* All current targets. i-th or NULL. */
size_t pw_discover_count(const struct pw_discover *discover);
struct pw_target *pw_discover_at(const struct pw_discover *discover, size_t index);

struct pw_discover_stats {
	uint64_t scans;			    /* complete passes over /proc */
	uint64_t processes_seen;	    /* in the last complete pass */
	uint64_t not_go, opted_out, closed; /* processes that are so now */
	uint64_t vanished;		    /* gone while we looked: normal, total */
	uint64_t failed;		    /* executables that the reader could not make sense of, total */
};
void pw_discover_stats(const struct pw_discover *discover, struct pw_discover_stats *ret_stats);

#endif
