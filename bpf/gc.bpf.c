/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GC cycles and stop-the-world: counted, and told in the ring buffer. All run on g0 and are rare (a stop-the-world
 *twice per GC cycle, once per ReadMemStats), so one program on one link serves the five sites.
 *
 *	gcMark                   early words; ending = 1
 *	  gcSweep                (inlined in some builds: not needed)
 *	startTheWorldWithSema    if ending: the other words, one record for the cycle; ending = 0
 *
 * The runtime's numbers of a cycle are final when it starts the world behind mark termination, and the next cycle
 *cannot begin before (src/runtime/mgc.go:gcMarkTermination, go1.19 to 1.27). Where the words are not known, the sites
 *of a cycle send a plain record each instead.
 *
 * Attach point: runtime.gcResetMarkState, gcMark, gcSweep, stopTheWorldWithSema, startTheWorldWithSema.
 * Reads: registers, and per cycle 21 words of the runtime's globals. Cost: three map lookups and a ring buffer record;
 * once per cycle 21 reads of user memory.
 * Loses: the record when the ring is full (counted); words on pages that are swapped out (counted); the count never.
 */
#include "bpf/goregs.bpf.h"

#ifdef __clang__
#define PW_UNROLL _Pragma("unroll") /* old verifiers take no variable offsets into a record */
#else
#define PW_UNROLL
#endif

static __always_inline void fill_head(struct pw_bpf_record *head, const struct pw_hit *hit, __u32 event, __u64 argument)
{
	head->target = hit->id;
	head->event = event;
	head->boot_ns = pw_have_boot_clock ? bpf_ktime_get_boot_ns() : 0;
	head->argument = argument;
}

static __always_inline void send_event(const struct pw_hit *hit, __u64 argument)
{
	struct pw_bpf_record *record = bpf_ringbuf_reserve(&pw_ring, sizeof(*record), 0);

	if (!record) {
		count_drop(hit->slot, PW_DROP_RING_FULL);
		return;
	}
	fill_head(record, hit, hit->event, argument);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/*
 * Returns 1 if it could not be read (0 then is its value), by the sign of the error: a branch for each word would be a
 * million paths for the verifier.
 */
static __always_inline __u64 read_word(__u64 address, __u64 *ret_value)
{
	return (__u64)bpf_probe_read_user(ret_value, sizeof(*ret_value), (const void *)address) >> 63;
}

static __always_inline void begin_end(struct pw_bpf_gc *gc)
{
	PW_UNROLL
	for (int i = 0; i < PW_BPF_GC_EARLY; i++) {
		__u64 value = 0;

		read_word(gc->address[i], &value);
		gc->early[i] = value;
	}
	gc->ending = 1;
}

static __always_inline void send_cycle(const struct pw_hit *hit, struct pw_bpf_gc *gc)
{
	struct pw_bpf_gc_record *record = bpf_ringbuf_reserve(&pw_ring, sizeof(*record), 0);
	__u64 failed = 0;

	gc->ending = 0;
	if (!record) {
		count_drop(hit->slot, PW_DROP_RING_FULL);
		return;
	}
	PW_UNROLL
	for (int i = 0; i < PW_BPF_GC_WORDS; i++) {
		__u64 value = 0;

		if (i < PW_BPF_GC_EARLY)
			value = gc->early[i];
		else
			failed |= read_word(gc->address[i], &value) << i;
		record->word[i] = value;
	}
	fill_head(&record->head, hit, PW_BPF_GC_CYCLE, failed);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	if (failed)
		count_drop(hit->slot, PW_DROP_GC_UNREADABLE);
}

SEC("uprobe")
int pw_gc(void *ctx)
{
	struct pw_hit hit = {};
	__u64 g = 0, argument = 0;

	if (decode_hit(ctx, &hit))
		return 0;
	read_regs(ctx, PW_COOKIE_NO_REG, hit.arg_reg, &g, &argument);
	count_hit(&hit);
	__u32 slot = hit.slot, event = hit.event;
	struct pw_bpf_gc *gc = bpf_map_lookup_elem(&pw_gcs, &slot);
	__u32 known = gc && gc->target == hit.id;

	if (known && event == PW_BPF_GC_MARK_TERMINATION)
		begin_end(gc);
	if (known && event == PW_BPF_STW_END && gc->ending)
		send_cycle(&hit, gc);
	if (known && (event == PW_BPF_GC_START || event == PW_BPF_GC_MARK_TERMINATION || event == PW_BPF_GC_SWEEP))
		return 0;
	send_event(&hit, argument);
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
