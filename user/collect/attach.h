/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_ATTACH_H
#define PW_COLLECT_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared.h"
#include "collect/attach_worker.h"
#include "collect/collect.h"

struct pw_why;

/* One link each: closing costs about 40 ms per link, whatever its number of sites. */
enum pw_attach_group {
	PW_GROUP_PARK,
	PW_GROUP_LIFECYCLE, /* spawn and exit */
	PW_GROUP_GC,	    /* GC and stop-the-world */
	PW_GROUP_RUN,
	PW_GROUP_ALLOC, /* only of heap --sample: allocs.h */
	_PW_GROUP_MAX,
};
#define PW_GROUP_BIT(group) (1U << (group))

struct pw_attach_site {
	uint64_t offset; /* in the file */
	uint64_t cookie;
	enum pw_event event;
};

/* The moment at which gates were opened or closed: what lies between two of them is exact. */
struct pw_mark {
	uint64_t boot_ns;
	uint64_t cpu_ns;		/* of the process, all threads; 0: not known */
	uint64_t probed[_PW_EVENT_MAX]; /* hits so far, all CPUs ... */
	uint64_t muted[_PW_EVENT_MAX];	/* ... and of them with the gate closed */
};

/*
 * The probes of one target, and all that is needed to attach and detach them: copies, since the worker thread uses it
 * while the target may go away. Only one thread uses it at a time (attach_worker.h).
 */
struct pw_attachment {
	uint64_t target_id;
	int pid;
	int exe_fd; /* owned; the file is reached through /proc/self/fd, so a deleted one works too */
	enum pw_attach_method method;
	bool cookies;		    /* perf events: this kernel's links carry cookies */
	int program[_PW_GROUP_MAX]; /* borrowed file descriptors */
	struct pw_attach_site sites[_PW_EVENT_MAX];
	size_t site_count;
	unsigned int attached;	 /* groups */
	int link[_PW_EVENT_MAX]; /* uprobe_multi: by group; perf: by event, where links carry cookies */
	int perf_event[_PW_EVENT_MAX];
	/* Gates: the events that count are those attached, from right behind the attach to right before the detach. */
	uint32_t slot;
	int gate_map, stats_map; /* borrowed; -1: none */
	int cpus;
	unsigned int gates;	       /* open ones, as bits of events */
	struct pw_mark opened, closed; /* when it last opened, closed some */
	struct pw_attach_job job;      /* attach_worker.c only */
};

enum pw_attach_group pw_attach_group_of(enum pw_event event);
/* The cookie of one site: bpf/shared.h. Registers as in struct pw_site. */
uint64_t pw_attach_cookie(uint32_t target_id, uint32_t slot, enum pw_event event, uint8_t g_reg, uint8_t arg_reg);

struct pw_attachment *pw_attachment_new(void); /* NULL: no memory */
/* Closes what is still attached. */
void pw_attachment_free(struct pw_attachment *attachment);

/* The hits of a target's slot and the CPU time of its process now. 0 or -errno. */
int pw_attachment_mark(const struct pw_attachment *attachment, struct pw_mark *ret_mark)
	__attribute__((warn_unused_result));

/*
 * Makes `wanted` the set of attached groups (those without a site are left out): first detaches, then attaches the park
 * first, all or none of those that are missing. Blocks for up to 0.1 s a site on the perf path. -ESRCH process gone,
 * -EPERM, -EACCES, -EINVAL ..., with a sentence that says what to do.
 */
int pw_attachment_apply(struct pw_attachment *attachment, unsigned int wanted, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

/* The calls of the kernel, for features.c too. Each returns a file descriptor or -errno. */
int pw_attach_multi(int program, int pid, const char *path, const uint64_t *offsets, const uint64_t *cookies,
		    uint32_t count) __attribute__((warn_unused_result));
int pw_attach_perf_open(int pid, const char *path, uint64_t offset) __attribute__((warn_unused_result));
int pw_attach_perf_link(int program, int perf_event, uint64_t cookie) __attribute__((warn_unused_result));

#define PW_ATTACH_TYPE_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI, linux 6.6 */

#endif
