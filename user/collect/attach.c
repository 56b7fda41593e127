/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two ways to put a BPF program on an instruction of a running process.
 *
 * uprobe_multi (linux 6.6): one link for many offsets of one file with a cookie each; attaches in 1 to 29 ms, detaches
 * in about 40. libbpf 1.1 has no call for it, so it is bpf(2) here. Its programs are loaded with expected_attach_type
 * 48, and such a program must never be put on a perf event: every kernel accepts that by ioctl, and 6.12 crashes at the
 * first hit that asks for the cookie. So method decides once for the whole daemon which way the object is loaded, and
 * nothing here mixes the two.
 *
 * perf events: one per site, 1 ms to open and about 100 ms to close (an RCU grace period each). By BPF_LINK_CREATE,
 * which carries a cookie (5.15); by ioctl where the kernel has no such link: there the map `addresses` takes its place.
 *
 * The pid is that of the process, and both filter by process: a hit in any of its threads counts, none in others.
 */
#include "collect/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"

_Static_assert((int)PW_BPF_SPAWN == (int)PW_EVENT_SPAWN && (int)PW_BPF_EXIT == (int)PW_EVENT_EXIT &&
		       (int)PW_BPF_PARK == (int)PW_EVENT_PARK && (int)PW_BPF_GC_START == (int)PW_EVENT_GC_START &&
		       (int)PW_BPF_GC_MARK_TERMINATION == (int)PW_EVENT_GC_MARK_TERMINATION &&
		       (int)PW_BPF_GC_SWEEP == (int)PW_EVENT_GC_SWEEP &&
		       (int)PW_BPF_STW_START == (int)PW_EVENT_STW_START &&
		       (int)PW_BPF_STW_END == (int)PW_EVENT_STW_END && (int)PW_BPF_RUN == (int)PW_EVENT_RUN &&
		       (int)PW_BPF_ALLOC_SPAN == (int)PW_EVENT_ALLOC_SPAN &&
		       (int)PW_BPF_ALLOC_LARGE == (int)PW_EVENT_ALLOC_LARGE &&
		       (int)_PW_BPF_EVENT_MAX == (int)_PW_EVENT_MAX,
	       "events of bpf/shared.h and go/sites.h");

enum pw_attach_group pw_attach_group_of(enum pw_event event)
{
	switch (event) {
	case PW_EVENT_PARK:
		return PW_GROUP_PARK;
	case PW_EVENT_SPAWN:
	case PW_EVENT_EXIT:
		return PW_GROUP_LIFECYCLE;
	case PW_EVENT_RUN:
		return PW_GROUP_RUN;
	case PW_EVENT_ALLOC_SPAN:
	case PW_EVENT_ALLOC_LARGE:
		return PW_GROUP_ALLOC;
	default:
		return PW_GROUP_GC;
	}
}

static uint64_t cookie_reg(uint8_t reg)
{
	return reg == PW_SITE_REG_NONE ? PW_COOKIE_NO_REG : reg & PW_COOKIE_REG_MASK;
}

uint64_t pw_attach_cookie(uint32_t target_id, uint32_t slot, enum pw_event event, uint8_t g_reg, uint8_t arg_reg)
{
	return (uint64_t)target_id | cookie_reg(arg_reg) << PW_COOKIE_ARG_SHIFT |
	       cookie_reg(g_reg) << PW_COOKIE_G_SHIFT | (uint64_t)event << PW_COOKIE_EVENT_SHIFT |
	       (uint64_t)slot << PW_COOKIE_SLOT_SHIFT;
}

/* The part of union bpf_attr that BPF_LINK_CREATE takes for uprobe_multi (include/uapi/linux/bpf.h, linux 6.6). */
struct multi_attr {
	uint32_t program, target_fd, attach_type, flags;
	uint64_t path, offsets, reference_counters, cookies;
	uint32_t count, multi_flags, pid, pad;
};

int pw_attach_multi(int program, int pid, const char *path, const uint64_t *offsets, const uint64_t *cookies,
		    uint32_t count)
{
	struct multi_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.program = (uint32_t)program;
	attr.attach_type = PW_ATTACH_TYPE_UPROBE_MULTI;
	attr.path = (uintptr_t)path;
	attr.offsets = (uintptr_t)offsets;
	attr.cookies = (uintptr_t)cookies;
	attr.count = count;
	attr.pid = (uint32_t)pid;
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}

static int uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type;

	if (!file)
		return -ENODEV;
	if (fscanf(file, "%d", &type) != 1)
		type = -ENODEV;
	fclose(file);
	return type;
}

int pw_attach_perf_open(int pid, const char *path, uint64_t offset)
{
	struct perf_event_attr attr;
	int type = uprobe_type();

	if (type < 0)
		return type;
	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = (uint32_t)type;
	attr.config1 = (uintptr_t)path; /* uprobe_path */
	attr.config2 = offset;		/* probe_offset */
	long fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

int pw_attach_perf_link(int program, int perf_event, uint64_t cookie)
{
	struct bpf_link_create_opts options = {.sz = sizeof(options), .perf_event.bpf_cookie = cookie};
	int fd = bpf_link_create(program, perf_event, BPF_PERF_EVENT, &options);

	return fd < 0 ? -errno : fd;
}

/* The sentence for a failed attach. */
static int explain(const struct pw_attachment *attachment, int r, struct pw_why *reterr_why)
{
	switch (r) {
	case -ESRCH:
		return pw_why_set(reterr_why, r, "process %d is exiting or gone", attachment->pid);
	case -EPERM:
	case -EACCES:
		return pw_why_set(reterr_why, r,
				  "the kernel forbids attaching probes (%s): run parkwatch as root, or with %s",
				  strerror(-r),
				  attachment->method == PW_ATTACH_PERF
					  ? "CAP_SYS_ADMIN, which perf-event uprobes need"
					  : "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	case -EMFILE:
	case -ENFILE:
		return pw_why_set(reterr_why, r, "too many open files: raise LimitNOFILE (ulimit -n) of parkwatch");
	case -ENOMEM:
		return pw_why_set(reterr_why, r, "the kernel has no memory left for probes");
	case -EIO:
		return pw_why_set(reterr_why, r,
				  "the file system of the program does not let the kernel read it for probes");
	case -ENOTSUP:
		return pw_why_set(
			reterr_why, r,
			"the kernel refuses a probe at this instruction; rerun with --attach perf, or report it");
	default:
		return pw_why_set(reterr_why, r, "attaching probes by %s failed: %s; see parkwatch doctor",
				  attachment->method == PW_ATTACH_PERF ? "perf events" : "uprobe_multi", strerror(-r));
	}
}

struct pw_attachment *pw_attachment_new(void)
{
	struct pw_attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->exe_fd = attachment->gate_map = attachment->stats_map = -1;
	for (int i = 0; i < _PW_GROUP_MAX; i++)
		attachment->program[i] = -1;
	for (int i = 0; i < _PW_EVENT_MAX; i++)
		attachment->link[i] = attachment->perf_event[i] = -1;
	return attachment;
}

/* A link and what it hangs on. */
struct closing {
	int link, perf_event;
	pthread_t thread;
	bool has_thread;
};

static void *close_one(void *argument)
{
	struct closing *closing = argument;

	pw_closep(&closing->link);
	pw_closep(&closing->perf_event);
	return NULL;
}

/*
 * All at once: each close takes its breakpoints out first and then waits for a grace period, in which those of the
 * next would still be hit (measured: 10 to 20 ms of CPU a window, for nothing).
 */
static void close_all(struct closing *closings, size_t count)
{
	for (size_t i = 1; i < count; i++)
		closings[i].has_thread = !pthread_create(&closings[i].thread, NULL, close_one, &closings[i]);
	for (size_t i = 0; i < count; i++)
		if (!closings[i].has_thread)
			(void)close_one(&closings[i]);
	for (size_t i = 0; i < count; i++)
		if (closings[i].has_thread)
			pthread_join(closings[i].thread, NULL);
}

static void detach(struct pw_attachment *attachment, unsigned int groups)
{
	struct closing closings[_PW_EVENT_MAX] = {0};
	size_t count = 0;

	for (int i = 0; i < _PW_EVENT_MAX; i++) { /* links are by group, or by event */
		enum pw_attach_group group = attachment->method == PW_ATTACH_UPROBE_MULTI
						     ? (enum pw_attach_group)i
						     : pw_attach_group_of((enum pw_event)i);
		struct closing closing = {.link = attachment->link[i], .perf_event = attachment->perf_event[i]};

		if (!(groups & PW_GROUP_BIT(group)) || (closing.link < 0 && closing.perf_event < 0))
			continue;
		attachment->link[i] = attachment->perf_event[i] = -1;
		closings[count++] = closing;
	}
	close_all(closings, count);
	attachment->attached &= ~groups;
}

void pw_attachment_free(struct pw_attachment *attachment)
{
	if (!attachment)
		return;
	detach(attachment, ~0U);
	pw_closep(&attachment->exe_fd);
	free(attachment);
}

static int attach_one_perf(struct pw_attachment *attachment, const struct pw_attach_site *site, const char *path)
{
	int program = attachment->program[pw_attach_group_of(site->event)];
	_cleanup_fd_ int event = pw_attach_perf_open(attachment->pid, path, site->offset);

	if (event < 0)
		return event;
	if (attachment->cookies) {
		int link = pw_attach_perf_link(program, event, site->cookie);

		if (link < 0)
			return link;
		attachment->link[site->event] = link;
	} else if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0) {
		return -errno;
	}
	if (ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	attachment->perf_event[site->event] = TAKE_FD(event);
	return 0;
}

/* 0, also when the group has no site. */
static int attach_group(struct pw_attachment *attachment, enum pw_attach_group group, const char *path)
{
	uint64_t offsets[_PW_EVENT_MAX], cookies[_PW_EVENT_MAX];
	uint32_t count = 0;
	int r = 0;

	for (size_t i = 0; i < attachment->site_count && !r; i++) {
		const struct pw_attach_site *site = &attachment->sites[i];

		if (pw_attach_group_of(site->event) != group)
			continue;
		offsets[count] = site->offset;
		cookies[count] = site->cookie;
		count++;
		if (attachment->method == PW_ATTACH_PERF)
			r = attach_one_perf(attachment, site, path);
	}
	if (count && attachment->method == PW_ATTACH_UPROBE_MULTI) {
		r = pw_attach_multi(attachment->program[group], attachment->pid, path, offsets, cookies, count);
		if (r >= 0) {
			attachment->link[group] = r;
			r = 0;
		}
	}
	if (r < 0)
		detach(attachment, PW_GROUP_BIT(group));
	else if (count)
		attachment->attached |= PW_GROUP_BIT(group);
	return r;
}

/* CPU time of all threads of a process, which needs no right: the clock that clock_getcpuclockid(3) names. */
static uint64_t process_cpu_ns(int pid)
{
	clockid_t clock;
	struct timespec time;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time) < 0)
		return 0;
	return (uint64_t)time.tv_sec * PW_NS_PER_SEC + (uint64_t)time.tv_nsec;
}

int pw_attachment_mark(const struct pw_attachment *attachment, struct pw_mark *ret_mark)
{
	_cleanup_free_ struct pw_bpf_stats *stats = NULL;

	*ret_mark = (struct pw_mark){0};
	if (attachment->stats_map >= 0) {
		stats = calloc((size_t)attachment->cpus, sizeof(*stats));
		if (!stats)
			return -ENOMEM;
		if (bpf_map_lookup_elem(attachment->stats_map, &attachment->slot, stats) < 0)
			return -errno;
	}
	for (int cpu = 0; stats && cpu < attachment->cpus; cpu++)
		for (int event = 0; event < _PW_EVENT_MAX; event++) {
			ret_mark->probed[event] += stats[cpu].probed[event];
			ret_mark->muted[event] += stats[cpu].muted[event];
		}
	ret_mark->cpu_ns = process_cpu_ns(attachment->pid);
	ret_mark->boot_ns = pw_boot_ns();
	return 0;
}

static int set_gates(struct pw_attachment *attachment, struct pw_mark *ret_mark)
{
	uint32_t gates = 0;

	for (size_t i = 0; i < attachment->site_count; i++)
		if (attachment->attached & PW_GROUP_BIT(pw_attach_group_of(attachment->sites[i].event)))
			gates |= 1U << attachment->sites[i].event;
	if (gates == attachment->gates || attachment->gate_map < 0)
		return 0;
	attachment->gates = gates;
	if (bpf_map_update_elem(attachment->gate_map, &attachment->slot, &gates, BPF_ANY) < 0)
		return -errno;
	return pw_attachment_mark(attachment, ret_mark);
}

/* Gates first: what hits while its probe is being taken off is not counted. */
static void detach_groups(struct pw_attachment *attachment, unsigned int groups)
{
	unsigned int attached = attachment->attached;

	attachment->attached &= ~groups;
	if (set_gates(attachment, &attachment->closed) < 0)
		attachment->closed = (struct pw_mark){0};
	detach(attachment, attached & groups);
}

int pw_attachment_apply(struct pw_attachment *attachment, unsigned int wanted, struct pw_why *reterr_why)
{
	unsigned int before = attachment->attached;
	char path[64];

	if (before & ~wanted)
		detach_groups(attachment, before & ~wanted);
	before = attachment->attached;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", attachment->exe_fd);
	for (int group = 0; group < _PW_GROUP_MAX; group++) {
		if (!(wanted & ~before & PW_GROUP_BIT(group)))
			continue;
		int r = attach_group(attachment, (enum pw_attach_group)group, path);
		if (!r)
			continue;
		detach(attachment, attachment->attached & ~before);
		return explain(attachment, r, reterr_why);
	}
	int r = set_gates(attachment, &attachment->opened);
	return r < 0 ? pw_why_set(reterr_why, r, "the BPF maps cannot be used: %s", strerror(-r)) : 0;
}
