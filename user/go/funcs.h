/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_FUNCS_H
#define PW_GO_FUNCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/disasm.h"
#include "binary/pclntab.h"

struct pw_why;
struct pw_elf;

/* The runtime functions that we disassemble. A function that was renamed has its names newest first. */
#define PW_FUNCS(X)                                                           \
	X(ALLOC_SPAN, "runtime.(*mheap).allocSpan")                           \
	X(ALLOCMCACHE, "runtime.allocmcache")                                 \
	X(ATOMIC_ALLG, "runtime.atomicAllG")                                  \
	X(CASGSTATUS, "runtime.casgstatus")                                   \
	X(CHECKMCOUNT, "runtime.checkmcount")                                 \
	X(EXECUTE, "runtime.execute")                                         \
	X(FIND_RUNNABLE, "runtime.findRunnable", "runtime.findrunnable")      \
	X(FOR_EACH_G, "runtime.forEachG")                                     \
	X(FOR_EACH_G_RACE, "runtime.forEachGRace")                            \
	X(FORCEGCHELPER, "runtime.forcegchelper")                             \
	X(GCOUNT, "runtime.gcount")                                           \
	X(GCINIT, "runtime.gcinit")                                           \
	X(GC_CONTROLLER_INIT, "runtime.(*gcControllerState).init")            \
	X(GC_MARK, "runtime.gcMark")                                          \
	X(GC_MARK_TERMINATION, "runtime.gcMarkTermination")                   \
	X(GC_RESET_MARK_STATE, "runtime.gcResetMarkState")                    \
	X(GC_START_CYCLE, "runtime.(*gcControllerState).startCycle")          \
	X(GC_RESET_LIVE, "runtime.(*gcControllerState).resetLive")            \
	X(GC_SWEEP, "runtime.gcSweep")                                        \
	X(GC_SET_MEMORY_LIMIT, "runtime.(*gcControllerState).setMemoryLimit") \
	X(GC_SET_PERCENT, "runtime.(*gcControllerState).setGCPercent")        \
	X(GDESTROY, "runtime.gdestroy")                                       \
	X(GETEMPTY_FUNC1, "runtime.getempty.func1")                           \
	X(GFGET, "runtime.gfget")                                             \
	X(GFPUT, "runtime.gfput")                                             \
	X(GOEXIT0, "runtime.goexit0")                                         \
	X(GOPARK, "runtime.gopark")                                           \
	X(IS_SYSTEM_GOROUTINE, "runtime.isSystemGoroutine")                   \
	X(MAIN, "runtime.main")                                               \
	X(MALLOCGC_LARGE, "runtime.mallocgcLarge")                            \
	X(MCACHE_ALLOC_LARGE, "runtime.(*mcache).allocLarge")                 \
	X(MCACHE_REFILL, "runtime.(*mcache).refill")                          \
	X(MCALL, "runtime.mcall")                                             \
	X(MEXIT, "runtime.mexit")                                             \
	X(MINIT, "runtime.minit")                                             \
	X(MPROF_FLUSH, "runtime.mProf_Flush")                                 \
	X(MPROF_FLUSH_LOCKED, "runtime.mProf_FlushLocked")                    \
	X(NEW_BUCKET, "runtime.newBucket")                                    \
	X(NEWPROC1, "runtime.newproc1")                                       \
	X(NEWPROC_FUNC1, "runtime.newproc.func1")                             \
	X(NEXT_SAMPLE, "runtime.nextSample")                                  \
	X(P_INIT, "runtime.(*p).init")                                        \
	X(PARK_M, "runtime.park_m")                                           \
	X(PREEMPTALL, "runtime.preemptall")                                   \
	X(PUTFULL, "runtime.putfull")                                         \
	X(QUEUEFINALIZER, "runtime.queuefinalizer")                           \
	X(REENTERSYSCALL, "runtime.reentersyscall")                           \
	X(RUN_FINALIZERS, "runtime.runFinalizers", "runtime.runfinq")         \
	X(RUNQPUT, "runtime.runqput")                                         \
	X(SCHEDTRACE, "runtime.schedtrace")                                   \
	X(SEMRELEASE1, "runtime.semrelease1")                                 \
	X(STARTING_STACK_SIZE, "runtime.gcComputeStartingStackSize")          \
	X(START_THE_WORLD, "runtime.startTheWorldWithSema")                   \
	X(STOP_THE_WORLD, "runtime.stopTheWorldWithSema")                     \
	X(WAIT_REASON_STRING, "runtime.waitReason.String")                    \
	X(WAKE_NET_POLLER, "runtime.wakeNetPoller")                           \
	X(WIREP, "runtime.wirep", "runtime.acquirep")

enum pw_func_id {
#define X(id, ...) PW_FUNC_##id,
	PW_FUNCS(X)
#undef X
		_PW_FUNC_MAX,
};

#define PW_FUNC_NAMES_MAX 3 /* names of one function over the versions, and a NULL */

/* Its names, newest first, NULL behind the last. */
const char *const *pw_func_names(enum pw_func_id id);

/* One function found and disassembled; owned by the caller, released by pw_function_done. */
struct pw_function {
	struct pw_func func;
	struct pw_code code;
};

/* Finds and disassembles. -ENODATA the binary has no such function (inlined everywhere or linked out), else what
 * pw_code_read says. */
int pw_function_read(struct pw_function *ret_function, const struct pw_elf *elf, const struct pw_pclntab *table,
		     enum pw_func_id id, struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_function_done(struct pw_function *function);

/* Is addr the entry of the function of that name, an ABI wrapper included? */
bool pw_function_at(const struct pw_pclntab *table, uint64_t addr, const char *name);

#endif
