/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attached uprobes survive an exec of the same file and would go on counting for a process that has become another
 * one. So exec of a target disarms it at once, and user space, told through the ring buffer, detaches.
 *
 * Attach point: raw tracepoint sched_process_exec (needs neither tracefs nor BTF). Reads: no memory, only who runs.
 * Cost: one map lookup per exec on the host. Loses: the record when the ring is full; the target stays disarmed.
 */
#include "bpf/maps.bpf.h"

SEC("raw_tp/sched_process_exec")
int pw_exec(void *ctx)
{
	__u32 id = current_process();
	struct pw_bpf_process *process = bpf_map_lookup_elem(&pw_processes, &id);

	(void)ctx;
	if (!process)
		return 0;
	__u32 slot = process->slot;
	struct pw_bpf_target *target = bpf_map_lookup_elem(&pw_targets, &slot);
	if (!target || target->id != process->target)
		return 0;
	target->armed = 0;
	struct pw_bpf_record *record = bpf_ringbuf_reserve(&pw_ring, sizeof(*record), 0);
	if (!record) {
		count_drop(slot, PW_DROP_RING_FULL);
		return 0;
	}
	record->target = process->target;
	record->event = PW_BPF_EXEC;
	record->boot_ns = pw_have_boot_clock ? bpf_ktime_get_boot_ns() : 0;
	record->argument = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
