/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps, and the few things that all programs do with them. All are preallocated: a hash that allocates at a probe
 * hit taints 5.10. Counters are per CPU and added to atomically all the same: a program can be preempted between its
 * load and its store on some kernels, and the prefix costs nothing measurable.
 */
#ifndef PW_BPF_MAPS_H
#define PW_BPF_MAPS_H

#include "bpf/config.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_target);
} pw_targets __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_stats);
} pw_stats __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_share);
} pw_shares __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_budget);
} pw_budgets __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_account);
} pw_accounts __weak SEC(".maps");

/* Events that count, as bits 1 << event; written by the thread that attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} pw_gates __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, PW_BPF_SITES_MAX);
	__type(key, struct pw_bpf_site_key);
	__type(value, struct pw_bpf_site);
} pw_sites __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, PW_BPF_REASONS_MAX);
	__type(key, struct pw_bpf_reason_key);
	__type(value, __u64);
} pw_reasons __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PW_BPF_CREATIONS_MAX);
	__type(key, struct pw_bpf_creation_key);
	__type(value, struct pw_bpf_creation);
} pw_creations __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pw_bpf_creation);
} pw_scratch __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PW_BPF_RING_BYTES);
} pw_ring __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_gc);
} pw_gcs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PW_BPF_TARGETS_MAX);
	__type(key, __u32);
	__type(value, struct pw_bpf_process);
} pw_processes __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PW_BPF_ADDRESSES_MAX);
	__type(key, struct pw_bpf_address_key);
	__type(value, __u64);
} pw_addresses __weak SEC(".maps");

/* One hit, decoded. */
struct pw_hit {
	struct pw_bpf_target *target;
	__u32 id, slot, event, g_reg, arg_reg;
};

static __always_inline void count_drop(__u32 slot, enum pw_drop drop)
{
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &slot);

	if (stats)
		__sync_fetch_and_add(&stats->drops[drop], 1);
}

/* Events that belong to no go statement, and those whose statement is not known. event: checked by decode_hit. */
static __always_inline void count_hit(const struct pw_hit *hit)
{
	__u32 slot = hit->slot, event = hit->event;
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &slot);

	if (stats && event < _PW_BPF_EVENT_MAX)
		__sync_fetch_and_add(&stats->hits[event], 1);
}

/*
 * A new entry of `map` for key, if the map has room and the target some of its share; if not, a drop. Looked at only
 * when a key is new. Hits on several CPUs at once may exceed the share by the number of CPUs.
 */
/* clang-format off */
#define PW_NEW_ENTRY(hit, map, key, value, used, limit, full)                                  \
	do {                                                                                   \
		__u32 share_slot = (hit)->slot;                                                \
		struct pw_bpf_share *share = bpf_map_lookup_elem(&pw_shares, &share_slot);     \
		if (!share)                                                                    \
			break;                                                                 \
		if (share->used >= (limit)) {                                                  \
			count_drop(share_slot, PW_DROP_TARGET_SHARE);                          \
			break;                                                                 \
		}                                                                              \
		long made = bpf_map_update_elem(&(map), &(key), value, BPF_NOEXIST);           \
		if (!made)                                                                     \
			__sync_fetch_and_add(&share->used, 1);                                 \
		else if (made != -PW_BPF_EEXIST)                                               \
			count_drop(share_slot, full);                                          \
	} while (0)
/* clang-format on */
#define PW_BPF_EEXIST 17 /* another CPU was first */

/* The counters of a go statement, made on first sight; NULL, counted as a drop, when there is no room. */
static __always_inline struct pw_bpf_site *site_of(const struct pw_hit *hit, __u64 gopc)
{
	struct pw_bpf_site_key key = {.target = hit->id, .gopc = gopc};
	struct pw_bpf_site *site = bpf_map_lookup_elem(&pw_sites, &key);

	if (site)
		return site;
	struct pw_bpf_site zero = {};
	PW_NEW_ENTRY(hit, pw_sites, key, &zero, sites, pw_share_sites, PW_DROP_SITE_MAP_FULL);
	return bpf_map_lookup_elem(&pw_sites, &key);
}

/* The process that runs, as user space numbers it; 0 if it is not in our pid namespace. */
static __always_inline __u32 current_process(void)
{
	if (!pw_pidns_inode)
		return bpf_get_current_pid_tgid() >> 32;
	struct bpf_pidns_info info = {};
	if (bpf_get_ns_current_pid_tgid(pw_pidns_device, pw_pidns_inode, &info, sizeof(info)))
		return 0;
	return info.tgid;
}

#endif
