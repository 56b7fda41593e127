/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_LAYOUT_H
#define PW_GO_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/elf.h"

/*
 * Offsets of the fields of runtime structs that we read, by Go version and architecture. The numbers come from a table
 * generated from real toolchains' DWARF (layout_tables.c, scripts/gen-layouts), are checked against the machine code
 * of the binary (calibrate.h) and on the live process (target/validate) before they are believed.
 * Each X(name, struct, field path) becomes PW_FIELD_name. A field that a version does not have is PW_OFFSET_NONE.
 */
#define PW_OFFSET_NONE (-1)

#define PW_FIELDS(X)                                                            \
	X(G_STACK_LO, "runtime.g", "stack.lo")                                  \
	X(G_STACK_HI, "runtime.g", "stack.hi")                                  \
	X(G_M, "runtime.g", "m")                                                \
	X(G_SCHED_SP, "runtime.g", "sched.sp")                                  \
	X(G_SCHED_PC, "runtime.g", "sched.pc")                                  \
	X(G_SCHED_BP, "runtime.g", "sched.bp")                                  \
	X(G_SYSCALLSP, "runtime.g", "syscallsp")                                \
	X(G_SYSCALLPC, "runtime.g", "syscallpc")                                \
	X(G_PARAM, "runtime.g", "param")                                        \
	X(G_ATOMICSTATUS, "runtime.g", "atomicstatus")                          \
	X(G_GOID, "runtime.g", "goid")                                          \
	X(G_WAITREASON, "runtime.g", "waitreason")                              \
	X(G_PREEMPT, "runtime.g", "preempt")                                    \
	X(G_TRACKINGSEQ, "runtime.g", "trackingSeq")                            \
	X(G_LOCKEDM, "runtime.g", "lockedm")                                    \
	X(G_PARENTGOID, "runtime.g", "parentGoid")                              \
	X(G_GOPC, "runtime.g", "gopc")                                          \
	X(G_STARTPC, "runtime.g", "startpc")                                    \
	X(G_WAITING, "runtime.g", "waiting")                                    \
	X(G_LABELS, "runtime.g", "labels")                                      \
	X(G_SIZE, "runtime.g", "")                                              \
	X(M_G0, "runtime.m", "g0")                                              \
	X(M_PROCID, "runtime.m", "procid")                                      \
	X(M_CURG, "runtime.m", "curg")                                          \
	X(M_P, "runtime.m", "p")                                                \
	X(M_ALLLINK, "runtime.m", "alllink")                                    \
	X(P_ID, "runtime.p", "id")                                              \
	X(P_STATUS, "runtime.p", "status")                                      \
	X(P_SCHEDTICK, "runtime.p", "schedtick")                                \
	X(P_M, "runtime.p", "m")                                                \
	X(P_GOIDCACHE, "runtime.p", "goidcache")                                \
	X(P_GOIDCACHEEND, "runtime.p", "goidcacheend")                          \
	X(P_RUNQHEAD, "runtime.p", "runqhead")                                  \
	X(P_RUNQTAIL, "runtime.p", "runqtail")                                  \
	X(P_GFREE_N, "runtime.p", "gFree.n|gFree.size")                         \
	X(P_SIZE, "runtime.p", "")                                              \
	X(SCHED_GOIDGEN, "runtime.schedt", "goidgen")                           \
	X(SCHED_NGSYS, "runtime.schedt", "ngsys")                               \
	X(SCHED_GFREE_N, "runtime.schedt", "gFree.n|gFree.stack.size")          \
	X(SCHED_GFREE_NOSTACK_N, "runtime.schedt", "gFree.noStack.size")        \
	X(SCHED_RUNQSIZE, "runtime.schedt", "runqsize|runq.size")               \
	X(MSTATS_NUMGC, "runtime.mstats", "numgc")                              \
	X(MSTATS_NUMFORCEDGC, "runtime.mstats", "numforcedgc")                  \
	X(MSTATS_PAUSE_TOTAL_NS, "runtime.mstats", "pause_total_ns")            \
	X(MSTATS_LAST_GC_UNIX, "runtime.mstats", "last_gc_unix")                \
	X(MSTATS_BUCKHASH_SYS, "runtime.mstats", "buckhash_sys")                \
	X(GCCONTROLLER_HEAPLIVE, "runtime.gcControllerState", "heapLive")       \
	X(GCCONTROLLER_HEAPMARKED, "runtime.gcControllerState", "heapMarked")   \
	X(GCCONTROLLER_HEAPINUSE, "runtime.gcControllerState", "heapInUse")     \
	X(GCCONTROLLER_GCPERCENT, "runtime.gcControllerState", "gcPercent")     \
	X(GCCONTROLLER_MEMORYLIMIT, "runtime.gcControllerState", "memoryLimit") \
	X(G_SCHED_LR, "runtime.g", "sched.lr")                                  \
	X(G_SLEEPWHEN, "runtime.g", "sleepWhen")                                \
	X(SUDOG_G, "runtime.sudog", "g")                                        \
	X(SUDOG_NEXT, "runtime.sudog", "next")                                  \
	X(SUDOG_PREV, "runtime.sudog", "prev")                                  \
	X(SUDOG_ELEM, "runtime.sudog", "elem.vu|elem")                          \
	X(SUDOG_ISSELECT, "runtime.sudog", "isSelect")                          \
	X(SUDOG_WAITLINK, "runtime.sudog", "waitlink")                          \
	X(SUDOG_C, "runtime.sudog", "c.vu|c")                                   \
	X(SUDOG_SIZE, "runtime.sudog", "")                                      \
	X(HCHAN_QCOUNT, "runtime.hchan", "qcount")                              \
	X(HCHAN_DATAQSIZ, "runtime.hchan", "dataqsiz")                          \
	X(HCHAN_CLOSED, "runtime.hchan", "closed")                              \
	X(HCHAN_RECVQ_FIRST, "runtime.hchan", "recvq.first")                    \
	X(HCHAN_RECVQ_LAST, "runtime.hchan", "recvq.last")                      \
	X(HCHAN_SENDQ_FIRST, "runtime.hchan", "sendq.first")                    \
	X(HCHAN_SENDQ_LAST, "runtime.hchan", "sendq.last")                      \
	X(HCHAN_SIZE, "runtime.hchan", "")                                      \
	X(SEMAROOT_TREAP, "runtime.semaRoot", "treap")                          \
	X(POLLDESC_FD, "runtime.pollDesc", "fd")                                \
	X(POLLDESC_RG, "runtime.pollDesc", "rg")                                \
	X(POLLDESC_WG, "runtime.pollDesc", "wg")                                \
	X(POLLDESC_RD, "runtime.pollDesc", "rd")                                \
	X(POLLDESC_WD, "runtime.pollDesc", "wd")                                \
	X(POLLDESC_SIZE, "runtime.pollDesc", "")                                \
	X(G_TIMER, "runtime.g", "timer")                                        \
	X(G_BUBBLE, "runtime.g", "syncGroup|bubble")                            \
	X(HCHAN_TIMER, "runtime.hchan", "timer")                                \
	X(P_TIMERS, "runtime.p", "timers")                                      \
	X(TIMER_WHEN, "runtime.timer", "when")                                  \
	X(TIMER_PERIOD, "runtime.timer", "period")                              \
	X(TIMER_ARG, "runtime.timer", "arg")                                    \
	X(TIMER_SIZE, "runtime.timer", "")

enum pw_field {
#define X(name, type, path) PW_FIELD_##name,
	PW_FIELDS(X)
#undef X
		_PW_FIELD_MAX,
};

/* Where a number comes from; shown by ps. */
enum pw_trust {
	PW_TRUST_NONE,	     /* unknown here */
	PW_TRUST_TABLE,	     /* table of this very version */
	PW_TRUST_NEAR_TABLE, /* table of another version, or a best-effort one: not believed unless confirmed */
	PW_TRUST_CONFIRMED,  /* table and machine code agree */
	PW_TRUST_CODE,	     /* from machine code alone, or it overruled the table */
	PW_TRUST_CONFLICT,   /* table and machine code disagree and cannot be reconciled: not used */
};

struct pw_layout {
	int go_minor; /* whose table it is */
	bool exact;   /* false: 1.17, 1.18, 1.20 (best effort) or newer than known */
	int32_t offset[_PW_FIELD_MAX];
	uint8_t trust[_PW_FIELD_MAX]; /* enum pw_trust */
};

/* "g.waitreason" */
const char *pw_field_name(enum pw_field field);

/* The table for a Go minor version (newest one if newer than known). -ENOTSUP for versions before 1.17. */
int pw_layout_for(struct pw_layout *ret_layout, enum pw_arch arch, int go_minor) __attribute__((warn_unused_result));

/* The lowest and highest minor that the tables know. */
int pw_layout_oldest(void);
int pw_layout_newest(void);

#endif
