/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parks, by go statement and wait reason; and, for trace --runs, running again.
 *
 * Attach point: PARK behind the stack check of runtime.gopark (the reason is an argument, g the current goroutine) or
 * runtime.park_m (the reason is in g.waitreason); RUN runtime.execute.
 * Reads: g.gopc, at most one byte more, from user memory. Cost: two map lookups and one user read. A park is counted
 * once, by statement and reason; only one whose reason is lost is counted in the site. One undone at once counts too.
 * Loses: hits beyond the map sizes, by name; they stay in the target's totals.
 */
#include "bpf/goregs.bpf.h"

/* 0: counted; -1: the reason could not be read or has no place, which is counted as a drop. */
static __always_inline int count_reason(const struct pw_hit *hit, __u64 g, __u64 gopc, __u64 argument)
{
	__u8 reason = (__u8)argument;

	if (hit->arg_reg == PW_COOKIE_NO_REG &&
	    bpf_probe_read_user(&reason, sizeof(reason), (const void *)(g + hit->target->waitreason_offset))) {
		count_drop(hit->slot, PW_DROP_REASON_UNREADABLE);
		return -1;
	}
	struct pw_bpf_reason_key key = {.target = hit->id, .reason = reason, .gopc = gopc};
	__u64 *count = bpf_map_lookup_elem(&pw_reasons, &key);
	if (!count) {
		__u64 zero = 0;
		PW_NEW_ENTRY(hit, pw_reasons, key, &zero, reasons, pw_share_reasons, PW_DROP_REASON_MAP_FULL);
		count = bpf_map_lookup_elem(&pw_reasons, &key);
	}
	if (!count)
		return -1;
	__sync_fetch_and_add(count, 1);
	return 0;
}

SEC("uprobe")
int pw_park(void *ctx)
{
	struct pw_hit hit = {};
	__u64 g = 0, argument = 0, gopc = 0;

	if (decode_hit(ctx, &hit))
		return 0;
	read_regs(ctx, hit.g_reg, hit.arg_reg, &g, &argument);
	if (read_gopc(&hit, g, &gopc) || !count_reason(&hit, g, gopc, argument))
		return 0;
	struct pw_bpf_site *site = site_of(&hit, gopc);
	if (site)
		__sync_fetch_and_add(&site->parked, 1);
	else
		count_hit(&hit);
	return 0;
}

SEC("uprobe")
int pw_run(void *ctx)
{
	struct pw_hit hit = {};
	__u64 g = 0, unused = 0, gopc = 0;

	if (decode_hit(ctx, &hit))
		return 0;
	read_regs(ctx, hit.g_reg, PW_COOKIE_NO_REG, &g, &unused);
	if (read_gopc(&hit, g, &gopc))
		return 0;
	struct pw_bpf_site *site = site_of(&hit, gopc);
	if (site)
		__sync_fetch_and_add(&site->ran, 1);
	else
		count_hit(&hit);
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
