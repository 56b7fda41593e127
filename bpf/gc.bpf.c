/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GC cycles and stop-the-world: counted, and each with its time and argument as a record in the ring buffer. All run
 * on g0 and are rare (a stop-the-world twice per GC cycle, once per ReadMemStats), so one program on one link serves
 * the five sites.
 *
 * Attach point: runtime.gcResetMarkState, gcMark, gcSweep, stopTheWorldWithSema, startTheWorldWithSema.
 * Reads: registers only. Cost: two map lookups and one ring buffer record of 24 bytes.
 * Loses: the record when the ring is full (counted); the count never.
 */
#include "bpf/goregs.bpf.h"

SEC("uprobe")
int pw_gc(void *ctx)
{
	struct pw_hit hit = {};
	__u64 g = 0, argument = 0;

	if (decode_hit(ctx, &hit))
		return 0;
	read_regs(ctx, PW_COOKIE_NO_REG, hit.arg_reg, &g, &argument);
	count_hit(&hit);
	struct pw_bpf_record *record = bpf_ringbuf_reserve(&pw_ring, sizeof(*record), 0);
	if (!record) {
		count_drop(hit.slot, PW_DROP_RING_FULL);
		return 0;
	}
	record->target = hit.id;
	record->event = hit.event;
	record->boot_ns = pw_have_boot_clock ? bpf_ktime_get_boot_ns() : 0;
	record->argument = argument;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
