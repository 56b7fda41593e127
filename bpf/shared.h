/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The border between the BPF programs and user/collect: every type, number and limit that crosses it.
 *
 * One probe hit knows its target and how to read it from the attach cookie alone:
 *
 *	 63         48 47  46    43 42   37 36   31        ... 0
 *	+-------------+---+--------+-------+-------+-----------+
 *	| slot        | - | event  | g reg | arg   | target id |
 *	+-------------+---+--------+-------+-------+-----------+
 *
 * (see PW_COOKIE_*). The slot is the target's index in the arrays `targets` and `stats`; it is reused, the id is not,
 * and a slot that holds another id makes the hit count as a drop.
 */
#ifndef PW_BPF_SHARED_H
#define PW_BPF_SHARED_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Default and maximum sizes; user/collect/skeleton.c makes maps smaller on hosts with many CPUs. */
#define PW_BPF_TARGETS_MAX   1024  /* slots; number 0 is nobody's and takes drops that have no target */
#define PW_BPF_SITES_MAX     16384 /* go statements of all targets; 300 to 2,000 are active in a large server */
#define PW_BPF_REASONS_MAX   32768 /* (go statement, wait reason): two to three reasons each */
#define PW_BPF_ALLOCS_MAX    4096  /* (class, allocation stack) of the one target of heap --sample: 0.6 kB each */
#define PW_BPF_CREATIONS_MAX 4096  /* (go statement, creation stack): 0.6 kB each */
#define PW_BPF_RING_BYTES    (256 * 1024) /* 40 bytes a record: 6,500 between two polls; power of two, page multiple */
#define PW_BPF_ADDRESSES_MAX 4096	  /* (process, probe address), only where there are no attach cookies */
#define PW_BPF_SHARES	     4	/* one target may fill a quarter of each map: one gone mad, or hostile, no more */
#define PW_BPF_STACK_DEPTH   64 /* frames of a creation stack; the kernel's limit is 127 */

/* As enum pw_event of user/go/sites.h; collect asserts that they agree. */
enum pw_bpf_event {
	PW_BPF_SPAWN,
	PW_BPF_EXIT,
	PW_BPF_PARK,
	PW_BPF_GC_START,
	PW_BPF_GC_MARK_TERMINATION,
	PW_BPF_GC_SWEEP,
	PW_BPF_STW_START,
	PW_BPF_STW_END,
	PW_BPF_RUN,
	PW_BPF_ALLOC_SPAN,
	PW_BPF_ALLOC_LARGE,
	_PW_BPF_EVENT_MAX,
	PW_BPF_OVER_BUDGET = 13, /* only in ring buffer records: the probes cost more than the budget (budget.bpf.h) */
	PW_BPF_GC_CYCLE = 14,	 /* only in ring buffer records: the numbers of a cycle that ended, pw_bpf_gc_record */
	PW_BPF_EXEC = 15,	 /* only in ring buffer records: the process replaced its program */
};

/*
 * The words of the runtime that tell one GC cycle, as user/target/gc_words.h names them. The first are read at mark
 * termination, since its end takes them away; the others at the start of the world behind it, when all are final.
 */
#define PW_BPF_GC_EARLY 2
#define PW_BPF_GC_WORDS 21

/* What a hit could not tell, by cause. Names: pw_drop_name(). */
enum pw_drop {
	PW_DROP_SITE_MAP_FULL,	   /* go statement not kept; the hit is in the target's totals */
	PW_DROP_REASON_MAP_FULL,   /* park counted, its wait reason not */
	PW_DROP_CREATION_MAP_FULL, /* creation stack not kept */
	PW_DROP_STACK_UNREADABLE,  /* creation stack: the kernel could not walk it */
	PW_DROP_G_UNREADABLE,	   /* the goroutine could not be read: go statement unknown, hit in the totals */
	PW_DROP_REASON_UNREADABLE, /* park counted, its wait reason could not be read */
	PW_DROP_RING_FULL,	   /* GC or stop-the-world record lost; counted all the same */
	PW_DROP_UNKNOWN_TARGET,	   /* hit of a probe whose target has been forgotten */
	PW_DROP_TARGET_SHARE,	   /* as the three maps full, but it is the target's share that is used up */
	PW_DROP_GC_UNREADABLE,	   /* numbers of a GC cycle that could not be read; counted all the same */
	_PW_DROP_MAX,
};

#define PW_COOKIE_ARG_SHIFT   32
#define PW_COOKIE_G_SHIFT     38
#define PW_COOKIE_EVENT_SHIFT 44
#define PW_COOKIE_SLOT_SHIFT  48
#define PW_COOKIE_REG_MASK    0x3f
#define PW_COOKIE_EVENT_MASK  0xf
#define PW_COOKIE_NO_REG      0x3f

/* Configuration of one target, written by user space. */
struct pw_bpf_target {
	__u32 id;		 /* 0: slot free */
	__u32 armed;		 /* counting; set after the last site is attached, cleared by exec */
	__u32 gopc_offset;	 /* inside g */
	__u32 waitreason_offset; /* for park sites without the reason in a register */
	__u32 startpc_offset;	 /* used if skip_startpc is not 0 */
	__u32 stacks_first;	 /* creation stacks: the first hits of a go statement on each CPU */
	__u32 stacks_every;	 /* and then one in so many; 0: none */
	__u32 skip_event;	 /* PW_BPF_SPAWN or _EXIT: of this event ... */
	__u64 skip_startpc;	 /* ... goroutines that start here are not counted (runtime.corostart); 0: all are */
};

struct pw_bpf_stats {		       /* per CPU */
	__u64 hits[_PW_BPF_EVENT_MAX]; /* GC and STW: all; others: only those that are in no site */
	__u64 drops[_PW_DROP_MAX];
	__u64 probed[_PW_BPF_EVENT_MAX]; /* every hit of a probe, counted as an event or not: what it costs */
	__u64 muted[_PW_BPF_EVENT_MAX];	 /* of them not counted: the gate of the event was closed */
	__u64 due_ns;			 /* cost of this CPU not yet in the target's account */
};

/* Entries that a target has made in each map. They are taken out only when it is forgotten, so this never falls. */
struct pw_bpf_share {
	__u32 sites, reasons, creations, pad;
};

/* What probes may cost a target, by slot; written by user space only. */
struct pw_bpf_budget {
	__u64 capacity_ns; /* so much above the budget is reported; 0: there is no budget */
	__u64 quantum_ns;  /* a CPU looks at the account after so much */
	__u32 rate;	   /* the budget: PW_BPF_RATE_ONE is one CPU */
	__u32 round;	   /* one report per round; never 0 with a capacity */
	__u32 cost_ns[_PW_BPF_EVENT_MAX];
	__u32 pad;
};
#define PW_BPF_RATE_ONE	   (1U << 20)
#define PW_BPF_LEAK_NS	   100000000ULL	  /* the account is reduced by the budget every 0.1 s */
#define PW_BPF_LEAK_MAX_NS 16000000000ULL /* a longer pause is as good as this */
/* What they did cost, above the budget; written by BPF only. CPUs that meet here may lose a quantum each. */
struct pw_bpf_account {
	__u64 spent_ns, since_ns;
	__u64 reported; /* the round */
};
struct pw_bpf_site_key {
	__u32 target;
	__u32 pad;
	__u64 gopc; /* address after the call of the go statement in the live process; 0: by the runtime */
};

struct pw_bpf_site { /* per CPU */
	__u64 spawned, exited, ran;
	__u64 parked; /* only those that are in no pw_reasons entry */
};

struct pw_bpf_reason_key {
	__u32 target;
	__u32 reason;
	__u64 gopc;
};

struct pw_bpf_creation_key {
	__u32 target;
	__u32 pad;
	__u64 gopc;
	__u64 hash; /* of the frames: pw_bpf_stack_hash */
};

struct pw_bpf_creation {
	__u64 count;
	__u64 frames[PW_BPF_STACK_DEPTH]; /* live return addresses, innermost first; zeros behind the last */
};

/*
 * The same in BPF and in user space, which checks it: the frames pass through a per-CPU scratch area, and a program
 * that is preempted there may find another one's.
 */
static inline __attribute__((always_inline)) __u64 pw_bpf_stack_hash(const __u64 *frames)
{
	__u64 hash = 0x9e3779b97f4a7c15ULL;

	for (int i = 0; i < PW_BPF_STACK_DEPTH; i++) {
		hash = (hash ^ frames[i]) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return hash;
}

#define PW_BPF_ALLOC_LARGE_CLASS 0xffffffffU
struct pw_bpf_alloc_key {
	__u32 target;
	__u32 class; /* of the span (runtime.spanClass), or PW_BPF_ALLOC_LARGE_CLASS */
	__u64 hash;  /* of the frames: pw_bpf_stack_hash */
};

struct pw_bpf_alloc {
	__u64 count;
	__u64 bytes;			  /* of large objects */
	__u64 frames[PW_BPF_STACK_DEPTH]; /* live return addresses behind the first, innermost first; zeros at the end
					   */
};

struct pw_bpf_process { /* by process id */
	__u32 target;
	__u32 slot;
};

struct pw_bpf_address_key {
	__u64 address; /* live */
	__u32 process;
	__u32 pad;
};

struct pw_bpf_record {
	__u32 target;
	__u32 event;
	__u64 boot_ns; /* CLOCK_BOOTTIME; 0 where the kernel has no such helper */
	__u64 argument;
};

/* By slot: where the words of a cycle stand in the target, and the cycle under way. */
struct pw_bpf_gc {
	__u32 target;			/* 0: they are not known, no cycles are sent */
	__u32 ending;			/* mark termination was hit, and the world has not been started since */
	__u64 address[PW_BPF_GC_WORDS]; /* live; 0: this version has no such word */
	__u64 early[PW_BPF_GC_EARLY];
};

struct pw_bpf_gc_record {
	struct pw_bpf_record head; /* argument: bit i set if word i could not be read; it is 0 then */
	__u64 word[PW_BPF_GC_WORDS];
};

_Static_assert(sizeof(struct pw_bpf_target) == 40, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_share) == 16, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_budget) == 72, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_account) == 24, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_site_key) == 16, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_site) == 32, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_reason_key) == 16, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_creation_key) == 24, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_alloc_key) == 16, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_process) == 8, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_address_key) == 16, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_record) == 24, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_gc) == 192, "layout shared with BPF");
_Static_assert(sizeof(struct pw_bpf_gc_record) == 192, "layout shared with BPF");
_Static_assert(PW_BPF_GC_WORDS <= 64, "a bit each in the argument");
_Static_assert(PW_BPF_TARGETS_MAX <= 1 << 16, "the slot has 16 bits of the cookie");

#endif
