/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a hit costs, held against the budget of its target.
 *
 * Each CPU adds the price of its hits up and looks at the target's account when they come to a quantum, so that a hit
 * reads no clock. The account is a leaky bucket: what is spent flows in, the budget flows out every 0.1 s; when it is
 * above its capacity, user space is told at once through the ring buffer, once per round, and detaches.
 *
 * Cost: two array lookups and an addition per hit. Nothing needs the result of an atomic operation (5.12): CPUs that
 * meet in the account may lose a quantum or leak twice, which moves the report by less than a hundredth of a second.
 */
#ifndef PW_BPF_BUDGET_H
#define PW_BPF_BUDGET_H

#include "bpf/maps.bpf.h"

static __always_inline int report_over_budget(const struct pw_hit *hit, __u64 spent_ns)
{
	struct pw_bpf_record *record = bpf_ringbuf_reserve(&pw_ring, sizeof(*record), 0);

	if (!record) {
		count_drop(hit->slot, PW_DROP_RING_FULL);
		return -1;
	}
	record->target = hit->id;
	record->event = PW_BPF_OVER_BUDGET;
	record->boot_ns = pw_have_boot_clock ? bpf_ktime_get_boot_ns() : 0;
	record->argument = spent_ns;
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __always_inline void book(const struct pw_hit *hit, const struct pw_bpf_budget *budget, __u64 due_ns)
{
	__u32 slot = hit->slot;
	struct pw_bpf_account *account = bpf_map_lookup_elem(&pw_accounts, &slot);

	if (!account)
		return;
	__u64 now_ns = bpf_ktime_get_ns(), elapsed_ns = now_ns - account->since_ns;
	if (elapsed_ns >= PW_BPF_LEAK_NS) {
		__u64 spent_ns = account->spent_ns;
		__u64 counted_ns = elapsed_ns < PW_BPF_LEAK_MAX_NS ? elapsed_ns : PW_BPF_LEAK_MAX_NS;
		__u64 leak_ns = (counted_ns >> 10) * budget->rate >> 10;

		account->since_ns = now_ns;
		account->spent_ns = spent_ns > leak_ns ? spent_ns - leak_ns : 0;
	}
	__sync_fetch_and_add(&account->spent_ns, due_ns);
	if (account->spent_ns <= budget->capacity_ns || account->reported == budget->round)
		return;
	if (!report_over_budget(hit, account->spent_ns))
		account->reported = budget->round;
}

/* Charges the hit. Returns whether it counts as an event: its gate is open. */
static __always_inline int charge(const struct pw_hit *hit)
{
	__u32 slot = hit->slot, event = hit->event;
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &slot);
	struct pw_bpf_budget *budget = bpf_map_lookup_elem(&pw_budgets, &slot);
	__u32 *gate = bpf_map_lookup_elem(&pw_gates, &slot);

	if (!stats || !budget || !gate || event >= _PW_BPF_EVENT_MAX)
		return 0;
	__sync_fetch_and_add(&stats->probed[event], 1);
	if (budget->capacity_ns) {
		__u64 due_ns = stats->due_ns + budget->cost_ns[event];

		if (due_ns >= budget->quantum_ns) {
			stats->due_ns = 0;
			book(hit, budget, due_ns);
		} else {
			stats->due_ns = due_ns;
		}
	}
	if (*gate & 1U << event)
		return 1;
	__sync_fetch_and_add(&stats->muted[event], 1);
	return 0;
}

#endif
