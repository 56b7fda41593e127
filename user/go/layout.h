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
 * Each X(name, struct, field path) becomes PW_FIELD_name; names that changed with the version are separated by '|'. A
 * field that a version does not have is PW_OFFSET_NONE.
 */
#define PW_OFFSET_NONE (-1)

#define PW_FIELDS(X)                                                                            \
	X(G_STACK_LO, "runtime.g", "stack.lo")                                                  \
	X(G_STACK_HI, "runtime.g", "stack.hi")                                                  \
	X(G_M, "runtime.g", "m")                                                                \
	X(G_SCHED_SP, "runtime.g", "sched.sp")                                                  \
	X(G_SCHED_PC, "runtime.g", "sched.pc")                                                  \
	X(G_SCHED_BP, "runtime.g", "sched.bp")                                                  \
	X(G_SYSCALLSP, "runtime.g", "syscallsp")                                                \
	X(G_SYSCALLPC, "runtime.g", "syscallpc")                                                \
	X(G_PARAM, "runtime.g", "param")                                                        \
	X(G_ATOMICSTATUS, "runtime.g", "atomicstatus")                                          \
	X(G_GOID, "runtime.g", "goid")                                                          \
	X(G_WAITREASON, "runtime.g", "waitreason")                                              \
	X(G_PREEMPT, "runtime.g", "preempt")                                                    \
	X(G_TRACKINGSEQ, "runtime.g", "trackingSeq")                                            \
	X(G_LOCKEDM, "runtime.g", "lockedm")                                                    \
	X(G_PARENTGOID, "runtime.g", "parentGoid")                                              \
	X(G_GOPC, "runtime.g", "gopc")                                                          \
	X(G_STARTPC, "runtime.g", "startpc")                                                    \
	X(G_WAITING, "runtime.g", "waiting")                                                    \
	X(G_LABELS, "runtime.g", "labels")                                                      \
	X(G_SIZE, "runtime.g", "")                                                              \
	X(M_G0, "runtime.m", "g0")                                                              \
	X(M_PROCID, "runtime.m", "procid")                                                      \
	X(M_CURG, "runtime.m", "curg")                                                          \
	X(M_P, "runtime.m", "p")                                                                \
	X(M_ALLLINK, "runtime.m", "alllink")                                                    \
	X(P_ID, "runtime.p", "id")                                                              \
	X(P_STATUS, "runtime.p", "status")                                                      \
	X(P_SCHEDTICK, "runtime.p", "schedtick")                                                \
	X(P_M, "runtime.p", "m")                                                                \
	X(P_GOIDCACHE, "runtime.p", "goidcache")                                                \
	X(P_GOIDCACHEEND, "runtime.p", "goidcacheend")                                          \
	X(P_RUNQHEAD, "runtime.p", "runqhead")                                                  \
	X(P_RUNQTAIL, "runtime.p", "runqtail")                                                  \
	X(P_GFREE_N, "runtime.p", "gFree.n|gFree.size")                                         \
	X(P_SIZE, "runtime.p", "")                                                              \
	X(SCHED_GOIDGEN, "runtime.schedt", "goidgen")                                           \
	X(SCHED_NGSYS, "runtime.schedt", "ngsys")                                               \
	X(SCHED_GFREE_N, "runtime.schedt", "gFree.n|gFree.stack.size")                          \
	X(SCHED_GFREE_NOSTACK_N, "runtime.schedt", "gFree.noStack.size")                        \
	X(SCHED_RUNQSIZE, "runtime.schedt", "runqsize|runq.size")                               \
	X(MSTATS_NUMGC, "runtime.mstats", "numgc")                                              \
	X(MSTATS_NUMFORCEDGC, "runtime.mstats", "numforcedgc")                                  \
	X(MSTATS_PAUSE_TOTAL_NS, "runtime.mstats", "pause_total_ns")                            \
	X(MSTATS_LAST_GC_UNIX, "runtime.mstats", "last_gc_unix")                                \
	X(MSTATS_BUCKHASH_SYS, "runtime.mstats", "buckhash_sys")                                \
	X(GCCONTROLLER_HEAPLIVE, "runtime.gcControllerState", "heapLive")                       \
	X(GCCONTROLLER_HEAPMARKED, "runtime.gcControllerState", "heapMarked")                   \
	X(GCCONTROLLER_HEAPINUSE, "runtime.gcControllerState", "heapInUse")                     \
	X(GCCONTROLLER_GCPERCENT, "runtime.gcControllerState", "gcPercent")                     \
	X(GCCONTROLLER_MEMORYLIMIT, "runtime.gcControllerState", "memoryLimit")                 \
	X(G_SCHED_LR, "runtime.g", "sched.lr")                                                  \
	X(G_SLEEPWHEN, "runtime.g", "sleepWhen")                                                \
	X(SUDOG_G, "runtime.sudog", "g")                                                        \
	X(SUDOG_NEXT, "runtime.sudog", "next")                                                  \
	X(SUDOG_PREV, "runtime.sudog", "prev")                                                  \
	X(SUDOG_ELEM, "runtime.sudog", "elem.vu|elem")                                          \
	X(SUDOG_ISSELECT, "runtime.sudog", "isSelect")                                          \
	X(SUDOG_WAITLINK, "runtime.sudog", "waitlink")                                          \
	X(SUDOG_C, "runtime.sudog", "c.vu|c")                                                   \
	X(SUDOG_SIZE, "runtime.sudog", "")                                                      \
	X(HCHAN_QCOUNT, "runtime.hchan", "qcount")                                              \
	X(HCHAN_DATAQSIZ, "runtime.hchan", "dataqsiz")                                          \
	X(HCHAN_CLOSED, "runtime.hchan", "closed")                                              \
	X(HCHAN_RECVQ_FIRST, "runtime.hchan", "recvq.first")                                    \
	X(HCHAN_RECVQ_LAST, "runtime.hchan", "recvq.last")                                      \
	X(HCHAN_SENDQ_FIRST, "runtime.hchan", "sendq.first")                                    \
	X(HCHAN_SENDQ_LAST, "runtime.hchan", "sendq.last")                                      \
	X(HCHAN_SIZE, "runtime.hchan", "")                                                      \
	X(SEMAROOT_TREAP, "runtime.semaRoot", "treap")                                          \
	X(POLLDESC_FD, "runtime.pollDesc", "fd")                                                \
	X(POLLDESC_RG, "runtime.pollDesc", "rg")                                                \
	X(POLLDESC_WG, "runtime.pollDesc", "wg")                                                \
	X(POLLDESC_RD, "runtime.pollDesc", "rd")                                                \
	X(POLLDESC_WD, "runtime.pollDesc", "wd")                                                \
	X(POLLDESC_SIZE, "runtime.pollDesc", "")                                                \
	X(P_TIMERS, "runtime.p", "timers")                                                      \
	X(TIMER_WHEN, "runtime.timer", "when")                                                  \
	X(TIMER_PERIOD, "runtime.timer", "period")                                              \
	X(TIMER_ARG, "runtime.timer", "arg")                                                    \
	X(TIMER_NEXTWHEN, "runtime.timer", "nextwhen")                                          \
	X(TIMER_STATE, "runtime.timer", "status|state")                                         \
	X(TIMER_SIZE, "runtime.timer", "")                                                      \
	X(GCCONTROLLER_HEAPMINIMUM, "runtime.gcControllerState", "heapMinimum")                 \
	X(GCCONTROLLER_HEAPSCAN, "runtime.gcControllerState", "heapScan")                       \
	X(GCCONTROLLER_HEAPGOAL, "runtime.gcControllerState", "heapGoal")                       \
	X(GCCONTROLLER_LASTHEAPGOAL, "runtime.gcControllerState", "lastHeapGoal")               \
	X(GCCONTROLLER_GCPERCENTHEAPGOAL, "runtime.gcControllerState", "gcPercentHeapGoal")     \
	X(GCCONTROLLER_SWEEPDISTMINTRIGGER, "runtime.gcControllerState", "sweepDistMinTrigger") \
	X(GCCONTROLLER_TRIGGERED, "runtime.gcControllerState", "triggered")                     \
	X(GCCONTROLLER_HEAPRELEASED, "runtime.gcControllerState", "heapReleased")               \
	X(GCCONTROLLER_HEAPFREE, "runtime.gcControllerState", "heapFree")                       \
	X(GCCONTROLLER_TOTALALLOC, "runtime.gcControllerState", "totalAlloc")                   \
	X(GCCONTROLLER_TOTALFREE, "runtime.gcControllerState", "totalFree")                     \
	X(GCCONTROLLER_MAPPEDREADY, "runtime.gcControllerState", "mappedReady")                 \
	X(GCCONTROLLER_ASSISTTIME, "runtime.gcControllerState", "assistTime")                   \
	X(GCCONTROLLER_DEDICATEDMARKTIME, "runtime.gcControllerState", "dedicatedMarkTime")     \
	X(GCCONTROLLER_FRACTIONALMARKTIME, "runtime.gcControllerState", "fractionalMarkTime")   \
	X(GCCONTROLLER_IDLEMARKTIME, "runtime.gcControllerState", "idleMarkTime")               \
	X(GCCONTROLLER_LASTSTACKSCAN, "runtime.gcControllerState", "lastStackScan")             \
	X(GCCONTROLLER_MAXSTACKSCAN, "runtime.gcControllerState", "maxStackScan")               \
	X(GCCONTROLLER_GLOBALSSCAN, "runtime.gcControllerState", "globalsScan")                 \
	X(GCCONTROLLER_SIZE, "runtime.gcControllerState", "")                                   \
	X(MSTATS_HEAPSTATS, "runtime.mstats", "heapStats.stats")                                \
	X(MSTATS_HEAPSTATS_GEN, "runtime.mstats", "heapStats.gen")                              \
	X(MSTATS_STACKS_SYS, "runtime.mstats", "stacks_sys")                                    \
	X(MSTATS_MSPAN_SYS, "runtime.mstats", "mspan_sys")                                      \
	X(MSTATS_MCACHE_SYS, "runtime.mstats", "mcache_sys")                                    \
	X(MSTATS_GCMISCSYS, "runtime.mstats", "gcMiscSys")                                      \
	X(MSTATS_OTHER_SYS, "runtime.mstats", "other_sys")                                      \
	X(MSTATS_PAUSE_NS, "runtime.mstats", "pause_ns")                                        \
	X(MSTATS_PAUSE_END, "runtime.mstats", "pause_end")                                      \
	X(MSTATS_GC_CPU_FRACTION, "runtime.mstats", "gc_cpu_fraction")                          \
	X(MSTATS_LAST_GC_NANOTIME, "runtime.mstats", "last_gc_nanotime")                        \
	X(MSTATS_LASTHEAPINUSE, "runtime.mstats", "lastHeapInUse")                              \
	X(MSTATS_GCPAUSEDIST, "runtime.mstats", "gcPauseDist")                                  \
	X(MSTATS_SIZE, "runtime.mstats", "")                                                    \
	X(HEAPSTATS_COMMITTED, "runtime.heapStatsDelta", "committed")                           \
	X(HEAPSTATS_RELEASED, "runtime.heapStatsDelta", "released")                             \
	X(HEAPSTATS_INHEAP, "runtime.heapStatsDelta", "inHeap")                                 \
	X(HEAPSTATS_INSTACKS, "runtime.heapStatsDelta", "inStacks")                             \
	X(HEAPSTATS_INWORKBUFS, "runtime.heapStatsDelta", "inWorkBufs")                         \
	X(HEAPSTATS_INPTRSCALARBITS, "runtime.heapStatsDelta", "inPtrScalarBits")               \
	X(HEAPSTATS_TINYALLOCCOUNT, "runtime.heapStatsDelta", "tinyAllocCount")                 \
	X(HEAPSTATS_LARGEALLOC, "runtime.heapStatsDelta", "largeAlloc")                         \
	X(HEAPSTATS_LARGEALLOCCOUNT, "runtime.heapStatsDelta", "largeAllocCount")               \
	X(HEAPSTATS_SMALLALLOCCOUNT, "runtime.heapStatsDelta", "smallAllocCount")               \
	X(HEAPSTATS_LARGEFREE, "runtime.heapStatsDelta", "largeFree")                           \
	X(HEAPSTATS_LARGEFREECOUNT, "runtime.heapStatsDelta", "largeFreeCount")                 \
	X(HEAPSTATS_SMALLFREECOUNT, "runtime.heapStatsDelta", "smallFreeCount")                 \
	X(HEAPSTATS_SIZE, "runtime.heapStatsDelta", "")                                         \
	X(TIMEHISTOGRAM_UNDERFLOW, "runtime.timeHistogram", "underflow")                        \
	X(TIMEHISTOGRAM_OVERFLOW, "runtime.timeHistogram", "overflow")                          \
	X(TIMEHISTOGRAM_SIZE, "runtime.timeHistogram", "")                                      \
	X(SCHED_LASTPOLL, "runtime.schedt", "lastpoll")                                         \
	X(SCHED_NMIDLE, "runtime.schedt", "nmidle")                                             \
	X(SCHED_NMIDLELOCKED, "runtime.schedt", "nmidlelocked")                                 \
	X(SCHED_MNEXT, "runtime.schedt", "mnext")                                               \
	X(SCHED_NMSYS, "runtime.schedt", "nmsys")                                               \
	X(SCHED_NMFREED, "runtime.schedt", "nmfreed")                                           \
	X(SCHED_NGSYSCALLNOP, "runtime.schedt", "nGsyscallNoP")                                 \
	X(SCHED_NPIDLE, "runtime.schedt", "npidle")                                             \
	X(SCHED_NMSPINNING, "runtime.schedt", "nmspinning")                                     \
	X(SCHED_NEEDSPINNING, "runtime.schedt", "needspinning")                                 \
	X(SCHED_GCWAITING, "runtime.schedt", "gcwaiting")                                       \
	X(SCHED_STOPWAIT, "runtime.schedt", "stopwait")                                         \
	X(SCHED_SYSMONWAIT, "runtime.schedt", "sysmonwait")                                     \
	X(SCHED_SAFEPOINTWAIT, "runtime.schedt", "safePointWait")                               \
	X(SCHED_PROCRESIZETIME, "runtime.schedt", "procresizetime")                             \
	X(SCHED_TOTALTIME, "runtime.schedt", "totaltime")                                       \
	X(SCHED_TIMETORUN, "runtime.schedt", "timeToRun")                                       \
	X(SCHED_IDLETIME, "runtime.schedt", "idleTime")                                         \
	X(SCHED_TOTALMUTEXWAITTIME, "runtime.schedt", "totalMutexWaitTime")                     \
	X(SCHED_STWSTOPPINGTIMEGC, "runtime.schedt", "stwStoppingTimeGC")                       \
	X(SCHED_STWSTOPPINGTIMEOTHER, "runtime.schedt", "stwStoppingTimeOther")                 \
	X(SCHED_STWTOTALTIMEGC, "runtime.schedt", "stwTotalTimeGC")                             \
	X(SCHED_STWTOTALTIMEOTHER, "runtime.schedt", "stwTotalTimeOther")                       \
	X(SCHED_TOTALRUNTIMELOCKWAITTIME, "runtime.schedt", "totalRuntimeLockWaitTime")         \
	X(SCHED_GOROUTINESCREATED, "runtime.schedt", "goroutinesCreated")                       \
	X(SCHED_SIZE, "runtime.schedt", "")                                                     \
	X(WORK_CYCLES, "runtime.workType", "cycles")                                            \
	X(WORK_USERFORCED, "runtime.workType", "userForced")                                    \
	X(WORK_STWPROCS, "runtime.workType", "stwprocs")                                        \
	X(WORK_MAXPROCS, "runtime.workType", "maxprocs")                                        \
	X(WORK_TSWEEPTERM, "runtime.workType", "tSweepTerm")                                    \
	X(WORK_TMARK, "runtime.workType", "tMark")                                              \
	X(WORK_TMARKTERM, "runtime.workType", "tMarkTerm")                                      \
	X(WORK_TEND, "runtime.workType", "tEnd")                                                \
	X(WORK_HEAP0, "runtime.workType", "heap0")                                              \
	X(WORK_HEAP1, "runtime.workType", "heap1")                                              \
	X(WORK_HEAP2, "runtime.workType", "heap2")                                              \
	X(WORK_CPUSTATS, "runtime.workType", "cpuStats")                                        \
	X(WORK_GOROUTINELEAK, "runtime.workType", "goroutineLeak")                              \
	X(WORK_SIZE, "runtime.workType", "")                                                    \
	X(GCCPULIMITER_ENABLED, "runtime.gcCPULimiterState", "enabled")                         \
	X(GCCPULIMITER_LASTENABLEDCYCLE, "runtime.gcCPULimiterState", "lastEnabledCycle")       \
	X(CLEANUPQUEUE_QUEUED, "runtime.cleanupQueue", "queued")                                \
	X(CLEANUPQUEUE_EXECUTED, "runtime.cleanupQueue", "executed")                            \
	X(FINBLOCK_NEXT, "runtime.finblock|runtime.finBlock", "next")                           \
	X(FINBLOCK_CNT, "runtime.finblock|runtime.finBlock", "cnt")                             \
	X(G_TRACKING, "runtime.g", "tracking")                                                  \
	X(G_TRACKINGSTAMP, "runtime.g", "trackingStamp|runnableStamp")                          \
	X(G_WAITSINCE, "runtime.g", "waitsince")                                                \
	X(G_INMARKASSIST, "runtime.g", "inMarkAssist")                                          \
	X(M_NEXTP, "runtime.m", "nextp")                                                        \
	X(M_ID, "runtime.m", "id")                                                              \
	X(M_MALLOCING, "runtime.m", "mallocing")                                                \
	X(M_THROWING, "runtime.m", "throwing")                                                  \
	X(M_PREEMPTOFF, "runtime.m", "preemptoff")                                              \
	X(M_LOCKS, "runtime.m", "locks")                                                        \
	X(M_DYING, "runtime.m", "dying")                                                        \
	X(M_SPINNING, "runtime.m", "spinning")                                                  \
	X(M_BLOCKED, "runtime.m", "blocked")                                                    \
	X(M_INCGO, "runtime.m", "incgo")                                                        \
	X(M_ISEXTRA, "runtime.m", "isextra")                                                    \
	X(M_NCGOCALL, "runtime.m", "ncgocall")                                                  \
	X(M_NCGO, "runtime.m", "ncgo")                                                          \
	X(M_LOCKEDG, "runtime.m", "lockedg")                                                    \
	X(M_MLOCKPROFILE_WAITTIME, "runtime.m", "mLockProfile.waitTime")                        \
	X(M_SIZE, "runtime.m", "")                                                              \
	X(P_SYSCALLTICK, "runtime.p", "syscalltick")                                            \
	X(P_SYSMONTICK_SCHEDTICK, "runtime.p", "sysmontick.schedtick")                          \
	X(P_SYSMONTICK_SCHEDWHEN, "runtime.p", "sysmontick.schedwhen")                          \
	X(P_SYSMONTICK_SYSCALLTICK, "runtime.p", "sysmontick.syscalltick")                      \
	X(P_SYSMONTICK_SYSCALLWHEN, "runtime.p", "sysmontick.syscallwhen")                      \
	X(P_MCACHE, "runtime.p", "mcache")                                                      \
	X(P_RUNQ, "runtime.p", "runq")                                                          \
	X(P_RUNNEXT, "runtime.p", "runnext")                                                    \
	X(P_GCASSISTTIME, "runtime.p", "gcAssistTime")                                          \
	X(P_GCMARKWORKERMODE, "runtime.p", "gcMarkWorkerMode")                                  \
	X(P_RUNSAFEPOINTFN, "runtime.p", "runSafePointFn")                                      \
	X(P_PREEMPT, "runtime.p", "preempt")                                                    \
	X(P_GCSTOPTIME, "runtime.p", "gcStopTime")                                              \
	X(P_GOROUTINESCREATED, "runtime.p", "goroutinesCreated")                                \
	X(P_CLEANUPSQUEUED, "runtime.p", "cleanupsQueued")                                      \
	X(TIMER_F, "runtime.timer", "f")                                                        \
	X(TIMER_SEQ, "runtime.timer", "seq")                                                    \
	X(TIMERS_HEAP, "runtime.timers", "heap")                                                \
	X(TIMERS_LEN, "runtime.timers", "len")                                                  \
	X(TIMERWHEN_TIMER, "runtime.timerWhen", "timer")                                        \
	X(TIMERWHEN_WHEN, "runtime.timerWhen", "when")                                          \
	X(TIMERWHEN_SIZE, "runtime.timerWhen", "")                                              \
	X(MHEAP_SPANALLOC_INUSE, "runtime.mheap", "spanalloc.inuse")                            \
	X(MHEAP_CACHEALLOC_INUSE, "runtime.mheap", "cachealloc.inuse")                          \
	X(MHEAP_PAGESINUSE, "runtime.mheap", "pagesInUse")                                      \
	X(MHEAP_SWEEPGEN, "runtime.mheap", "sweepgen")                                          \
	X(MHEAP_ALLSPANS, "runtime.mheap", "allspans")                                          \
	X(MHEAP_ARENAS, "runtime.mheap", "arenas")                                              \
	X(MHEAP_HEAPARENAS, "runtime.mheap", "heapArenas|allArenas")                            \
	X(HEAPARENA_SPANS, "runtime.heapArena", "spans")                                        \
	X(HEAPARENA_PAGEINUSE, "runtime.heapArena", "pageInUse")                                \
	X(MSPAN_STARTADDR, "runtime.mspan", "startAddr")                                        \
	X(MSPAN_NPAGES, "runtime.mspan", "npages")                                              \
	X(MSPAN_FREEINDEX, "runtime.mspan", "freeindex")                                        \
	X(MSPAN_NELEMS, "runtime.mspan", "nelems")                                              \
	X(MSPAN_ALLOCCACHE, "runtime.mspan", "allocCache")                                      \
	X(MSPAN_ALLOCBITS, "runtime.mspan", "allocBits")                                        \
	X(MSPAN_GCMARKBITS, "runtime.mspan", "gcmarkBits")                                      \
	X(MSPAN_SWEEPGEN, "runtime.mspan", "sweepgen")                                          \
	X(MSPAN_ALLOCCOUNT, "runtime.mspan", "allocCount")                                      \
	X(MSPAN_SPANCLASS, "runtime.mspan", "spanclass")                                        \
	X(MSPAN_STATE, "runtime.mspan", "state")                                                \
	X(MSPAN_ELEMSIZE, "runtime.mspan", "elemsize")                                          \
	X(MSPAN_LIMIT, "runtime.mspan", "limit")                                                \
	X(MSPAN_SPECIALS, "runtime.mspan", "specials")                                          \
	X(MSPAN_LARGETYPE, "runtime.mspan", "largeType")                                        \
	X(MSPAN_SIZE, "runtime.mspan", "")                                                      \
	X(BUCKET_NEXT, "runtime.bucket", "next")                                                \
	X(BUCKET_ALLNEXT, "runtime.bucket", "allnext")                                          \
	X(BUCKET_TYP, "runtime.bucket", "typ")                                                  \
	X(BUCKET_HASH, "runtime.bucket", "hash")                                                \
	X(BUCKET_OBJECT_SIZE, "runtime.bucket", "size")                                         \
	X(BUCKET_NSTK, "runtime.bucket", "nstk")                                                \
	X(BUCKET_SIZE, "runtime.bucket", "")                                                    \
	X(MEMRECORD_ACTIVE, "runtime.memRecord", "active")                                      \
	X(MEMRECORD_FUTURE, "runtime.memRecord", "future")                                      \
	X(MEMRECORD_SIZE, "runtime.memRecord", "")                                              \
	X(MEMRECORDCYCLE_ALLOCS, "runtime.memRecordCycle", "allocs")                            \
	X(MEMRECORDCYCLE_FREES, "runtime.memRecordCycle", "frees")                              \
	X(MEMRECORDCYCLE_ALLOC_BYTES, "runtime.memRecordCycle", "alloc_bytes")                  \
	X(MEMRECORDCYCLE_FREE_BYTES, "runtime.memRecordCycle", "free_bytes")                    \
	X(MEMRECORDCYCLE_SIZE, "runtime.memRecordCycle", "")                                    \
	X(WORK_STARTSEMA, "runtime.workType", "startSema")                                      \
	X(WORK_PAUSENS, "runtime.workType", "pauseNS")                                          \
	X(WORK_GOROUTINELEAK_DONE, "runtime.workType", "goroutineLeak.done")                    \
	X(MODULEDATA_TYPES, "runtime.moduledata", "types")                                      \
	X(MODULEDATA_ETYPES, "runtime.moduledata", "etypes")                                    \
	X(M_VDSOSP, "runtime.m", "vdsoSP")                                                      \
	X(M_VDSOPC, "runtime.m", "vdsoPC")                                                      \
	X(POLLDESC_SELF, "runtime.pollDesc", "self")

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
