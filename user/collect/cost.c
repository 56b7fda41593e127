/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/cost.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/why.h"
#include "collect/child.h"
#include "collect/skeleton.h"

#define ROUNDS	    5
#define ROUND_CALLS 2000 /* 1.5 ms emulated */
#define ROUND_STEPS 200	 /* 2 ms single-stepped */
#define FIRST_CALLS 100

PW_DEFINE_CLEANUP(struct pw_attachment *, pw_attachment_free);

struct pw_map_shape pw_cost_reasons_shape(const struct pw_skeleton *skeleton)
{
	return (struct pw_map_shape){.fd = pw_skeleton_map(skeleton, PW_MAP_REASONS),
				     .key_bytes = sizeof(struct pw_bpf_reason_key),
				     .counters = 1,
				     .max_entries = pw_skeleton_entries(skeleton, PW_MAP_REASONS),
				     .per_cpu = true};
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
	place->cookie = pw_attach_cookie(PW_COST_TARGET, 0, event, pw_child_g_reg(), pw_child_arg_reg());
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

static int set_slot(const struct pw_cost_setup *setup, const struct pw_bpf_target *target)
{
	uint32_t slot = 0;

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

int pw_cost_measure(struct pw_cost *ret_cost, struct pw_attachment **ret_attachment, const struct pw_cost_setup *setup,
		    struct pw_why *reterr_why)
{
	_cleanup_(pw_attachment_freep) struct pw_attachment *attachment = pw_attachment_new();
	struct pw_bpf_target target = {.id = PW_COST_TARGET, .armed = 1};
	struct pw_cost cost = {0}, bare = {0};
	int r;

	if (!attachment)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	attachment->pid = pw_child_pid(setup->child);
	attachment->method = setup->method;
	attachment->cookies = setup->cookies;
	attachment->exe_fd = fcntl(pw_child_exe_fd(setup->child), F_DUPFD_CLOEXEC, 3);
	if (attachment->exe_fd < 0)
		return pw_why_set(reterr_why, -errno, "cannot duplicate a file descriptor");
	r = add_site(attachment, setup, PW_EVENT_PARK, PW_CHILD_EMULATED);
	if (!r)
		r = add_site(attachment, setup, PW_EVENT_RUN, PW_CHILD_STEPPED);
	if (!r)
		r = set_slot(setup, &target);
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
	(void)set_slot(setup, &target);
	forget_addresses(setup);
	if (r < 0)
		return r;
	ret_cost->emulated_ns = cost.emulated_ns - PW_MIN(cost.emulated_ns, bare.emulated_ns);
	ret_cost->stepped_ns = cost.stepped_ns - PW_MIN(cost.stepped_ns, bare.stepped_ns);
	*ret_attachment = TAKE_PTR(attachment);
	return 0;
}
