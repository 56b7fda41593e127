/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Start and end of goroutines, by the go statement that made them (g.gopc).
 *
 * Attach point: SPAWN the instruction where the new g is complete (second CALL casgstatus of runtime.newproc1, or CALL
 * runqput), EXIT runtime.gdestroy or goexit0; both run on g0, once per event. One program serves both, since closing a
 * link costs 40 ms and two events then share one; the event is in the cookie.
 * Reads: g.gopc and, where only one of the two sees coroutines, g.startpc, from user memory.
 * Cost: two map lookups and one user read; for the sampled spawns a stack walk and one more lookup.
 * Loses: hits beyond the map sizes, by name (enum pw_drop); they stay in the target's totals.
 */
#include "bpf/goregs.bpf.h"

static __always_inline void sample_creation(void *ctx, const struct pw_hit *hit, __u64 gopc, __u64 spawned)
{
	const struct pw_bpf_target *target = hit->target;

	if (spawned > target->stacks_first && (!target->stacks_every || spawned % target->stacks_every))
		return;
	__u32 zero = 0;
	struct pw_bpf_creation *creation = bpf_map_lookup_elem(&pw_scratch, &zero);
	if (!creation)
		return;
	if (bpf_get_stack(ctx, creation->frames, sizeof(creation->frames), BPF_F_USER_STACK) <= 0) {
		count_drop(hit->slot, PW_DROP_STACK_UNREADABLE);
		return;
	}
	struct pw_bpf_creation_key key = {.target = hit->id, .gopc = gopc, .hash = pw_bpf_stack_hash(creation->frames)};
	struct pw_bpf_creation *known = bpf_map_lookup_elem(&pw_creations, &key);
	if (!known) {
		creation->count = 0;
		PW_NEW_ENTRY(hit, pw_creations, key, creation, creations, pw_share_creations,
			     PW_DROP_CREATION_MAP_FULL);
		known = bpf_map_lookup_elem(&pw_creations, &key);
	}
	if (known)
		__sync_fetch_and_add(&known->count, 1);
}

/* Coroutines of iter.Pull, where only one of their start and end would be seen. */
static __always_inline int is_skipped(const struct pw_hit *hit, __u64 g)
{
	__u64 startpc = 0;

	if (!hit->target->skip_startpc || hit->event != hit->target->skip_event)
		return 0;
	if (bpf_probe_read_user(&startpc, sizeof(startpc), (const void *)(g + hit->target->startpc_offset)))
		return 0;
	return startpc == hit->target->skip_startpc;
}

SEC("uprobe")
int pw_lifecycle(void *ctx)
{
	struct pw_hit hit = {};
	__u64 g = 0, unused = 0, gopc = 0;

	if (decode_hit(ctx, &hit))
		return 0;
	read_regs(ctx, hit.g_reg, PW_COOKIE_NO_REG, &g, &unused);
	if (is_skipped(&hit, g) || read_gopc(&hit, g, &gopc))
		return 0;
	struct pw_bpf_site *site = site_of(&hit, gopc);
	if (!site) {
		count_hit(&hit);
		return 0;
	}
	if (hit.event == PW_BPF_SPAWN) {
		__sync_fetch_and_add(&site->spawned, 1);
		sample_creation(ctx, &hit, gopc, site->spawned);
	} else {
		__sync_fetch_and_add(&site->exited, 1);
	}
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
