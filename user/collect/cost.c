/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/cost.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/why.h"
#include "collect/child.h"
#include "collect/skeleton.h"

#define ROUNDS	    5
#define ROUND_CALLS 2000 /* 1.5 ms emulated */
#define ROUND_STEPS 200	 /* 2 ms single-stepped */
#define FIRST_CALLS 100
#define ALLOC_SLOT  2 /* 0 is shared with the worker, who closes its gates when it takes the first probes off */

/*
 * In a program a hit costs more than in a tight loop, which does not feel what the kernel's entry drives out of caches
 * and predictors: measured in a ping-pong of Go 1.24 against the loop, 612 ns to 515.
 */
#define AROUND_PERCENT 18

PW_DEFINE_CLEANUP(struct pw_attachment *, pw_attachment_free);

struct pw_map_shape pw_cost_reasons_shape(const struct pw_skeleton *skeleton)
{
	return (struct pw_map_shape){.fd = pw_skeleton_map(skeleton, PW_MAP_REASONS),
				     .key_bytes = sizeof(struct pw_bpf_reason_key),
				     .counters = 1,
				     .max_entries = pw_skeleton_entries(skeleton, PW_MAP_REASONS),
				     .per_cpu = true};
}

static uint64_t difference(uint64_t with, uint64_t without)
{
	return with > without ? with - without : 0;
}

static uint64_t in_a_program(uint64_t ns)
{
	return ns + ns * AROUND_PERCENT / 100;
}

static int compare_u64(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* Median of a few rounds: ns per call. */
static int time_calls(struct pw_child *child, enum pw_child_site site, uint32_t calls, uint64_t *ret_ns)
{
	uint64_t ns[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		int r = pw_child_run(child, site, calls, false, &ns[round]);

		if (r < 0)
			return r;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_u64);
	*ret_ns = ns[ROUNDS / 2] / calls;
	return 0;
}

static int add_site(struct pw_attachment *attachment, const struct pw_cost_setup *setup, enum pw_event event,
		    enum pw_child_site site)
{
	struct pw_attach_site *place = &attachment->sites[attachment->site_count++];
	enum pw_attach_group group = pw_attach_group_of(event);

	place->event = event;
	place->offset = pw_child_file_offset(setup->child, site);
	place->cookie = pw_attach_cookie(PW_COST_TARGET, attachment->slot, event, pw_child_g_reg(), pw_child_arg_reg());
	attachment->program[group] = pw_skeleton_program(setup->skeleton, group);
	if (setup->cookies)
		return 0;
	struct pw_bpf_address_key key = {.address = pw_child_address(site),
					 .process = (uint32_t)pw_child_pid(setup->child)};
	__u64 cookie = place->cookie;
	return bpf_map_update_elem(pw_skeleton_map(setup->skeleton, PW_MAP_ADDRESSES), &key, &cookie, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static void forget_addresses(const struct pw_cost_setup *setup)
{
	for (int site = 0; site < _PW_CHILD_SITE_MAX && !setup->cookies; site++) {
		struct pw_bpf_address_key key = {.address = pw_child_address((enum pw_child_site)site),
						 .process = (uint32_t)pw_child_pid(setup->child)};

		(void)bpf_map_delete_elem(pw_skeleton_map(setup->skeleton, PW_MAP_ADDRESSES), &key);
	}
}

static int set_slot(const struct pw_cost_setup *setup, uint32_t slot, const struct pw_bpf_target *target)
{
	return bpf_map_update_elem(pw_skeleton_map(setup->skeleton, PW_MAP_TARGETS), &slot, target, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

/* A hit of a second thread must count exactly once: linux 6.6 to 6.9 filter uprobe_multi by thread. */
static int check_counts(const struct pw_cost_setup *setup, struct pw_why *reterr_why)
{
	struct pw_map_shape shape = pw_cost_reasons_shape(setup->skeleton);
	struct pw_bpf_reason_key key = {.target = PW_COST_TARGET, .reason = PW_CHILD_WAIT_REASON};
	uint64_t before = 0, after = 0, ns;
	int r = pw_child_run(setup->child, PW_CHILD_EMULATED, FIRST_CALLS, false, &ns);

	if (!r)
		r = pw_map_read_one(setup->reader, &shape, &key, &before);
	if (!r)
		r = pw_child_run(setup->child, PW_CHILD_EMULATED, FIRST_CALLS, true, &ns);
	if (!r)
		r = pw_map_read_one(setup->reader, &shape, &key, &after);
	if (r == -ENOENT)
		return pw_why_set(reterr_why, -EIO, "probes attach to our own child, but no hit arrives");
	if (r < 0)
		return pw_why_set(reterr_why, r, "trying probes on our own child failed");
	if (before != FIRST_CALLS || after != 2 * FIRST_CALLS)
		return pw_why_set(
			reterr_why, -EIO, "probes on our own child count %llu and %llu hits where %d and %d were made",
			(unsigned long long)before, (unsigned long long)(after - before), FIRST_CALLS, FIRST_CALLS);
	return 0;
}

static int new_attachment(struct pw_attachment **ret_attachment, const struct pw_cost_setup *setup, int pid,
			  struct pw_why *reterr_why)
{
	_cleanup_(pw_attachment_freep) struct pw_attachment *attachment = pw_attachment_new();

	if (!attachment)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	attachment->pid = pid;
	attachment->method = setup->method;
	attachment->cookies = setup->cookies;
	attachment->gate_map = pw_skeleton_map(setup->skeleton, PW_MAP_GATES);
	attachment->exe_fd = fcntl(pw_child_exe_fd(setup->child), F_DUPFD_CLOEXEC, 3);
	if (attachment->exe_fd < 0)
		return pw_why_set(reterr_why, -errno, "cannot duplicate a file descriptor");
	*ret_attachment = TAKE_PTR(attachment);
	return 0;
}

int pw_cost_measure(struct pw_cost *ret_cost, struct pw_attachment **ret_attachment, const struct pw_cost_setup *setup,
		    struct pw_why *reterr_why)
{
	_cleanup_(pw_attachment_freep) struct pw_attachment *attachment = NULL;
	struct pw_bpf_target target = {.id = PW_COST_TARGET, .armed = 1};
	struct pw_cost cost = {0};
	struct pw_cost bare = {0};
	int r = new_attachment(&attachment, setup, pw_child_pid(setup->child), reterr_why);

	if (r < 0 || !attachment)
		return r;
	r = add_site(attachment, setup, PW_EVENT_PARK, PW_CHILD_EMULATED);
	if (!r)
		r = add_site(attachment, setup, PW_EVENT_RUN, PW_CHILD_STEPPED);
	if (!r)
		r = set_slot(setup, 0, &target);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot write the BPF maps");
	r = time_calls(setup->child, PW_CHILD_EMULATED, ROUND_CALLS, &bare.emulated_ns);
	if (!r)
		r = time_calls(setup->child, PW_CHILD_STEPPED, ROUND_STEPS, &bare.stepped_ns);
	if (r < 0)
		return pw_why_set(reterr_why, r, "our own child does not answer");
	r = pw_attachment_apply(attachment, PW_GROUP_BIT(PW_GROUP_PARK) | PW_GROUP_BIT(PW_GROUP_RUN), reterr_why);
	if (!r)
		r = check_counts(setup, reterr_why);
	if (!r)
		r = time_calls(setup->child, PW_CHILD_EMULATED, ROUND_CALLS, &cost.emulated_ns);
	if (!r)
		r = time_calls(setup->child, PW_CHILD_STEPPED, ROUND_STEPS, &cost.stepped_ns);
	target = (struct pw_bpf_target){0};
	(void)set_slot(setup, 0, &target);
	forget_addresses(setup);
	if (r < 0)
		return r;
	*ret_cost = (struct pw_cost){0};
	ret_cost->emulated_ns = in_a_program(difference(cost.emulated_ns, bare.emulated_ns));
	ret_cost->stepped_ns = in_a_program(difference(cost.stepped_ns, bare.stepped_ns));
	*ret_attachment = TAKE_PTR(attachment);
	return 0;
}

/* Attaches others, who never run the code, and times the child once more. */
static int time_further(const struct pw_cost_setup *setup, uint64_t *ret_ns, struct pw_why *reterr_why)
{
	struct pw_attachment *others[PW_COST_FURTHER] = {0};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(others); i++) {
		r = new_attachment(&others[i], setup, getpid(), reterr_why);
		if (!r && others[i])
			r = add_site(others[i], setup, PW_EVENT_SPAWN, PW_CHILD_EMULATED);
		if (!r)
			r = pw_attachment_apply(others[i], PW_GROUP_BIT(PW_GROUP_LIFECYCLE), reterr_why);
	}
	if (!r)
		r = time_calls(setup->child, PW_CHILD_EMULATED, ROUND_CALLS, ret_ns);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		pw_attachment_free(others[i]);
	return r;
}

int pw_cost_measure_more(struct pw_cost *cost, const struct pw_cost_setup *setup, struct pw_why *reterr_why)
{
	_cleanup_(pw_attachment_freep) struct pw_attachment *attachment = NULL;
	struct pw_bpf_target target = {.id = PW_COST_TARGET, .armed = 1};
	uint64_t plain = 0, stack = 0, further = 0;
	int r = new_attachment(&attachment, setup, pw_child_pid(setup->child), reterr_why);

	if (r < 0 || !attachment)
		return r;
	r = add_site(attachment, setup, PW_EVENT_SPAWN, PW_CHILD_EMULATED);
	if (!r)
		r = set_slot(setup, 0, &target);
	if (!r)
		r = pw_attachment_apply(attachment, PW_GROUP_BIT(PW_GROUP_LIFECYCLE), reterr_why);
	if (!r)
		r = time_calls(setup->child, PW_CHILD_EMULATED, ROUND_CALLS, &plain);
	target.stacks_every = 1;
	if (!r)
		r = set_slot(setup, 0, &target);
	if (!r)
		r = time_calls(setup->child, PW_CHILD_EMULATED, ROUND_CALLS, &stack);
	target.stacks_every = 0;
	if (!r)
		r = set_slot(setup, 0, &target);
	if (!r)
		r = time_further(setup, &further, reterr_why);
	target = (struct pw_bpf_target){0};
	(void)set_slot(setup, 0, &target);
	forget_addresses(setup);
	if (r < 0)
		return r;
	cost->stack_ns = difference(stack, plain);
	cost->further_ns = difference(further, plain) / PW_COST_FURTHER;
	cost->more = true;
	return 0;
}

int pw_cost_measure_alloc(uint64_t *ret_ns, const struct pw_cost_setup *setup, struct pw_why *reterr_why)
{
	_cleanup_(pw_attachment_freep) struct pw_attachment *attachment = NULL;
	struct pw_bpf_target target = {.id = PW_COST_TARGET, .armed = 1};
	uint64_t bare = 0, probed = 0;
	int r = new_attachment(&attachment, setup, pw_child_pid(setup->child), reterr_why);

	if (r < 0 || !attachment)
		return r;
	attachment->slot = ALLOC_SLOT;
	r = time_calls(setup->child, PW_CHILD_DEEP, ROUND_CALLS, &bare);
	if (!r)
		r = add_site(attachment, setup, PW_EVENT_ALLOC_SPAN, PW_CHILD_DEEP);
	if (!r)
		r = set_slot(setup, ALLOC_SLOT, &target);
	if (!r)
		r = pw_attachment_apply(attachment, PW_GROUP_BIT(PW_GROUP_ALLOC), reterr_why);
	if (!r)
		r = time_calls(setup->child, PW_CHILD_DEEP, ROUND_CALLS, &probed);
	target = (struct pw_bpf_target){0};
	(void)set_slot(setup, ALLOC_SLOT, &target);
	forget_addresses(setup);
	*ret_ns = in_a_program(difference(probed, bare));
	return r;
}
