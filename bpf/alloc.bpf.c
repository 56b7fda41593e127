/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where memory is allocated: a hit for each span of small objects that a P takes (about one per 8 KB) and for each
 * large object, with the stack. Loaded for `heap --sample` only.
 *
 * Attach point: runtime.(*mcache).refill and allocLarge, behind the stack check, on the goroutine that allocates. Where
 * the frame is not built yet its immediate caller is missing from the stack: that is nextFree or mallocgc, which nobody
 * asks for. Reads: registers and the user stack. Cost: a stack walk of at most 64 frames and four map lookups.
 * Loses: hits beyond the map's size and stacks that cannot be walked, by name; they stay in the target's totals.
 */
#include "bpf/goregs.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PW_BPF_ALLOCS_MAX);
	__type(key, struct pw_bpf_alloc_key);
	__type(value, struct pw_bpf_alloc);
} pw_allocs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pw_bpf_alloc);
} pw_alloc_scratch __weak SEC(".maps");

SEC("uprobe")
int pw_alloc(void *ctx)
{
	struct pw_hit hit = {};
	__u64 g = 0, argument = 0;
	__u32 zero = 0;

	if (decode_hit(ctx, &hit))
		return 0;
	read_regs(ctx, PW_COOKIE_NO_REG, hit.arg_reg, &g, &argument);
	count_hit(&hit);
	struct pw_bpf_alloc *alloc = bpf_map_lookup_elem(&pw_alloc_scratch, &zero);
	if (!alloc)
		return 0;
	if (bpf_get_stack(ctx, alloc->frames, sizeof(alloc->frames), BPF_F_USER_STACK) <= 0) {
		count_drop(hit.slot, PW_DROP_STACK_UNREADABLE);
		return 0;
	}
	__u64 bytes = hit.event == PW_BPF_ALLOC_LARGE ? argument : 0;
	struct pw_bpf_alloc_key key = {.target = hit.id,
				       .class = hit.event == PW_BPF_ALLOC_LARGE ? PW_BPF_ALLOC_LARGE_CLASS
										: (__u8)argument,
				       .hash = pw_bpf_stack_hash(alloc->frames)};
	struct pw_bpf_alloc *known = bpf_map_lookup_elem(&pw_allocs, &key);
	if (!known) {
		alloc->count = alloc->bytes = 0;
		long made = bpf_map_update_elem(&pw_allocs, &key, alloc, BPF_NOEXIST);
		if (made && made != -PW_BPF_EEXIST)
			count_drop(hit.slot, PW_DROP_CREATION_MAP_FULL);
		known = bpf_map_lookup_elem(&pw_allocs, &key);
	}
	if (!known)
		return 0;
	__sync_fetch_and_add(&known->count, 1);
	__sync_fetch_and_add(&known->bytes, bytes);
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
