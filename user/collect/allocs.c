/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/allocs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "collect/collect_internal.h"
#include "target/target.h"

#define SLOT	 1U
#define SLICE_NS (50 * PW_NS_PER_MS)
#define CLOSE_NS (5 * PW_NS_PER_MS) /* while it is held to a budget: so much is spent above it at most */
#define BURST_NS PW_NS_PER_SEC	    /* the budget of one second may be spent at once */

struct taking {
	struct pw_collect *collect;
	struct pw_target *target;
	const struct pw_alloc_options *options;
	struct pw_attachment *attachment;
	uint64_t price_ns[_PW_EVENT_MAX]; /* of a hit */
	uint64_t started_ns;		  /* CLOCK_BOOTTIME, as all times of marks */
	bool attached;
	double spared; /* 0 to 1, drawn for each pause */
	unsigned short random[3];
	struct pw_allocs result;
	PW_VEC(struct pw_alloc_row) rows;
	PW_VEC(uint64_t) frames;
	int error;
};

/* What pw_allocs_free gives back. */
struct owned {
	struct pw_allocs allocs;
	struct pw_alloc_row *rows;
	uint64_t *frames;
};

void pw_allocs_free(struct pw_allocs *allocs)
{
	struct owned *owned = (struct owned *)allocs;

	if (!owned)
		return;
	free(owned->rows);
	free(owned->frames);
	free(owned);
}

bool pw_allocs_within_budget(bool attached, uint64_t cost_ns, uint64_t elapsed_ns, double budget_percent, double spared)
{
	double share = budget_percent / 100, allowed = share * (double)(elapsed_ns + BURST_NS);

	if (budget_percent < 0)
		return true;
	return (double)cost_ns <= (attached ? allowed : allowed - share * (double)BURST_NS * (0.25 + spared / 2));
}

/* Measured once, on our own child; a site that is single-stepped costs that much more. */
static int set_prices(struct taking *taking, struct pw_why *reterr_why)
{
	const struct pw_cost *cost = &taking->collect->cost;
	const struct pw_site *sites = taking->target->build->facts.sites;
	uint64_t stepping_ns = cost->stepped_ns > cost->emulated_ns ? cost->stepped_ns - cost->emulated_ns : 0, hit_ns;
	int r = pw_cost_measure_alloc(&hit_ns, &taking->collect->calibration.setup, reterr_why);

	if (r < 0)
		return r;
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		taking->price_ns[event] = hit_ns + (sites[event].emulated ? 0 : stepping_ns);
	taking->result.hit_ns = hit_ns;
	return 0;
}

/* --- coming and going -------------------------------------------------------------------------------------------- */

static int add_sites(struct taking *taking, struct pw_why *reterr_why)
{
	struct pw_attachment *attachment = taking->attachment;
	const struct pw_site *sites = taking->target->build->facts.sites;
	static const enum pw_event events[] = {PW_EVENT_ALLOC_SPAN, PW_EVENT_ALLOC_LARGE};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		const struct pw_site *site = &sites[events[i]];

		if (!site->found)
			continue;
		attachment->sites[attachment->site_count++] = (struct pw_attach_site){
			.event = events[i],
			.offset = site->file_offset,
			.cookie = pw_attach_cookie((uint32_t)taking->target->id, SLOT, events[i], PW_SITE_REG_NONE,
						   site->arg_reg),
		};
	}
	taking->result.small_seen = sites[PW_EVENT_ALLOC_SPAN].found;
	taking->result.large_seen = sites[PW_EVENT_ALLOC_LARGE].found;
	if (attachment->site_count)
		return 0;
	return pw_why_set(reterr_why, -EOPNOTSUPP, "no place for a probe was found where memory is allocated: %.160s",
			  sites[PW_EVENT_ALLOC_SPAN].note);
}

static int write_addresses(const struct taking *taking)
{
	int map = pw_skeleton_map(taking->collect->skeleton, PW_MAP_ADDRESSES);

	for (size_t i = 0; !taking->collect->cookies && i < taking->attachment->site_count; i++) {
		const struct pw_attach_site *site = &taking->attachment->sites[i];
		struct pw_bpf_address_key key = {
			.address = taking->target->build->facts.sites[site->event].addr + taking->target->bias,
			.process = (uint32_t)taking->target->pid,
		};
		__u64 cookie = site->cookie;

		if (bpf_map_update_elem(map, &key, &cookie, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int write_maps(const struct taking *taking)
{
	const struct pw_skeleton *skeleton = taking->collect->skeleton;
	uint32_t slot = SLOT, pid = (uint32_t)taking->target->pid, id = (uint32_t)taking->target->id;
	struct pw_bpf_target config = {.id = id, .armed = 1};
	struct pw_bpf_process process = {.target = id, .slot = SLOT};

	if (bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_TARGETS), &slot, &config, BPF_ANY) < 0 ||
	    bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_PROCESSES), &pid, &process, BPF_ANY) < 0)
		return -errno;
	return write_addresses(taking);
}

static int prepare(struct taking *taking, struct pw_why *reterr_why)
{
	struct pw_target *target = taking->target;
	struct pw_attachment *attachment;
	int r = pw_target_check_sites(target, reterr_why);

	if (r == -EBUSY || r == -ESRCH)
		return r;
	if (!taking->collect->cookies && !target->bias_known)
		return pw_why_set(reterr_why, -EOPNOTSUPP,
				  "where its code is loaded is not known, and this kernel tells "
				  "probes apart by address only");
	attachment = taking->attachment = pw_attachment_new();
	if (!attachment)
		return -ENOMEM;
	attachment->target_id = target->id;
	attachment->pid = target->pid;
	attachment->method = taking->collect->method;
	attachment->cookies = taking->collect->cookies;
	attachment->slot = SLOT;
	attachment->gate_map = pw_skeleton_map(taking->collect->skeleton, PW_MAP_GATES);
	attachment->stats_map = pw_skeleton_map(taking->collect->skeleton, PW_MAP_STATS);
	attachment->cpus = taking->collect->cpus;
	attachment->program[PW_GROUP_ALLOC] = pw_skeleton_program(taking->collect->skeleton, PW_GROUP_ALLOC);
	attachment->exe_fd = fcntl(target->exe_fd, F_DUPFD_CLOEXEC, 3);
	if (attachment->exe_fd < 0)
		return pw_why_set(reterr_why, -errno, "its program file cannot be used: %m");
	r = add_sites(taking, reterr_why);
	if (!r)
		r = set_prices(taking, reterr_why);
	if (!r)
		r = write_maps(taking);
	return r;
}

/* Hits count from the opening of their gates to the closing, which are moments, whatever attaching takes. */
static int set_attached(struct taking *taking, bool attached, struct pw_why *reterr_why)
{
	const struct pw_attachment *attachment = taking->attachment;
	int r = pw_attachment_apply(taking->attachment, attached ? PW_GROUP_BIT(PW_GROUP_ALLOC) : 0, reterr_why);

	if (r < 0 || attached == taking->attached)
		return r;
	taking->attached = attached;
	if (!attached)
		taking->result.attached_ns += attachment->closed.boot_ns - attachment->opened.boot_ns;
	else if (!taking->started_ns)
		taking->started_ns = attachment->opened.boot_ns;
	taking->spared = erand48(taking->random); /* pauses of one length would keep step with the program */
	return 0;
}

/* --- the time in between ------------------------------------------------------------------------------------------ */

/* What it has cost: each hit of a probe, also while it was being attached or taken off. */
static int read_cost(struct taking *taking)
{
	struct pw_mark mark;
	int r = pw_attachment_mark(taking->attachment, &mark);

	taking->result.hits = taking->result.cost_ns = 0;
	for (int event = 0; event < _PW_EVENT_MAX && !r; event++) {
		taking->result.hits += mark.probed[event] - mark.muted[event];
		taking->result.cost_ns += mark.probed[event] * taking->price_ns[event];
	}
	return r;
}

static int read_losses(struct taking *taking)
{
	uint64_t sums[sizeof(struct pw_bpf_stats) / sizeof(uint64_t)] = {0};
	const struct pw_bpf_stats *stats = (const struct pw_bpf_stats *)sums;
	uint32_t slot = SLOT;
	int r = pw_map_read_one(&taking->collect->reader, &taking->collect->stats_shape, &slot, sums);

	if (r < 0)
		return r;
	taking->result.lost = stats->drops[PW_DROP_STACK_UNREADABLE] + stats->drops[PW_DROP_CREATION_MAP_FULL];
	return 0;
}

static void sleep_slice(const struct taking *taking)
{
	bool close = taking->attached && taking->options->budget_percent >= 0;
	struct timespec time = {0, (long)(close ? CLOSE_NS : SLICE_NS)};

	nanosleep(&time, NULL);
}

static int end_sampling(struct taking *taking, struct pw_why *reterr_why)
{
	uint64_t end_ns = pw_boot_ns();
	int r;

	if (taking->attached) {
		r = set_attached(taking, false, reterr_why);
		if (r < 0)
			return r;
		end_ns = taking->attachment->closed.boot_ns;
	}
	taking->result.elapsed_ns = end_ns - taking->started_ns;
	r = read_cost(taking);
	return r ? r : read_losses(taking);
}

static int sample(struct taking *taking, struct pw_why *reterr_why)
{
	const struct pw_alloc_options *options = taking->options;
	uint64_t elapsed = 0;
	int r = set_attached(taking, true, reterr_why);

	if (!r && options->started)
		options->started(options->context);
	while (!r && elapsed < options->duration_ns && !(options->stop && options->stop(options->context))) {
		bool wanted;

		sleep_slice(taking);
		elapsed = pw_boot_ns() - taking->started_ns;
		r = read_cost(taking);
		wanted = pw_allocs_within_budget(taking->attached, taking->result.cost_ns, elapsed,
						 options->budget_percent, taking->spared);
		if (!r && wanted != taking->attached)
			r = set_attached(taking, wanted, reterr_why);
	}
	return r ? r : end_sampling(taking, reterr_why);
}

/* --- what was counted --------------------------------------------------------------------------------------------- */

static void take_alloc(void *context, const void *key_bytes, const uint64_t *sum)
{
	struct taking *taking = context;
	struct pw_alloc_row row = {.hits = sum[0], .bytes = sum[1], .first_frame = (uint32_t)taking->frames.count};
	__u64 frames[PW_BPF_STACK_DEPTH];
	struct pw_bpf_alloc_key key;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(frames, sum + 2, sizeof(frames));
	/* A program that was preempted between its walk and its update may have another one's stack. */
	if (key.target != (uint32_t)taking->target->id)
		return;
	if (pw_bpf_stack_hash(frames) != key.hash) {
		taking->result.lost += row.hits;
		return;
	}
	row.class = key.class == PW_BPF_ALLOC_LARGE_CLASS ? PW_ALLOC_LARGE : key.class;
	for (uint32_t i = 0; i < PW_BPF_STACK_DEPTH && frames[i]; i++, row.depth++)
		if (pw_vec_push(&taking->frames, (uint64_t)frames[i]) < 0)
			taking->error = -ENOMEM;
	if (pw_vec_push(&taking->rows, row) < 0)
		taking->error = -ENOMEM;
}

static int read_allocs(struct taking *taking)
{
	const struct pw_skeleton *skeleton = taking->collect->skeleton;
	struct pw_map_shape shape = {
		.fd = pw_skeleton_map(skeleton, PW_MAP_ALLOCS),
		.key_bytes = sizeof(struct pw_bpf_alloc_key),
		.counters = sizeof(struct pw_bpf_alloc) / sizeof(uint64_t),
		.max_entries = pw_skeleton_entries(skeleton, PW_MAP_ALLOCS),
	};
	int r = pw_map_read(&taking->collect->reader, &shape, take_alloc, taking);

	return r < 0 ? r : taking->error;
}

static int hand_over(struct taking *taking, struct pw_allocs **ret_allocs)
{
	struct owned *owned = calloc(1, sizeof(*owned));

	if (!owned)
		return -ENOMEM;
	owned->allocs = taking->result;
	owned->rows = TAKE_PTR(taking->rows.items);
	owned->frames = TAKE_PTR(taking->frames.items);
	owned->allocs.rows = owned->rows;
	owned->allocs.count = taking->rows.count;
	owned->allocs.frames = owned->frames;
	owned->allocs.frame_count = taking->frames.count;
	*ret_allocs = &owned->allocs;
	return 0;
}

int pw_allocs_take(struct pw_allocs **ret_allocs, struct pw_collect *collect, struct pw_target *target,
		   const struct pw_alloc_options *options, struct pw_why *reterr_why)
{
	struct taking taking = {.collect = collect, .target = target, .options = options};
	int r;

	memcpy(taking.random, &collect->random, sizeof(taking.random));
	r = prepare(&taking, reterr_why);
	if (!r && taking.attachment)
		r = sample(&taking, reterr_why);
	pw_attachment_free(taking.attachment); /* detaches, whatever happened */
	if (!r)
		r = read_allocs(&taking);
	if (!r)
		r = hand_over(&taking, ret_allocs);
	pw_vec_done(&taking.rows);
	pw_vec_done(&taking.frames);
	return r;
}
