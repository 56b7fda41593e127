/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses of runtime globals in a binary without symbols: each is taken from a runtime function that uses it, as "the
 * n-th global this function names", "the first one behind the call of lock2", or "the one whose address is passed to
 * that call". The rules hold for Go 1.17 to 1.27, amd64 and arm64; every result must lie in writable memory of the
 * file.
 */
#include "go/calibrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "binary/elf.h"
#include "binary/pclntab.h"
#include "go/funcs.h"
#include "go/insns.h"
#include "go/layout.h"

#define SEGMENT_WRITABLE 2 /* PF_W */

enum pattern {
	PATTERN_NTH,	       /* the n-th global that the function names */
	PATTERN_NTH_ADDRESS,   /* the n-th whose address is taken */
	PATTERN_LAST_ADDRESS,  /* the last whose address is taken */
	PATTERN_LAST,	       /* the last that the function names */
	PATTERN_AFTER_CALL,    /* the first one behind the n-th call of callee */
	PATTERN_BEFORE_CALL,   /* the last address taken before the first call of callee */
	PATTERN_ACCESS_BEFORE, /* the last load or store before the first call of callee */
	PATTERN_AFTER_BARRIER, /* the first load of a global behind the test of writeBarrier */
	PATTERN_AFTER_ADDRESS, /* the first load or store behind the n-th whose address is taken */
	PATTERN_ATOMIC_ADD,    /* the last address taken before the first atomic addition to a 64-bit word */
	PATTERN_NOT_SCHED,     /* the n-th variable that is not within runtime.sched */
};

struct rule {
	enum pw_global global;
	enum pw_func_id func;
	enum pattern pattern;
	uint8_t n;
	uint8_t since, until;	      /* minors; 0: no bound */
	const char *callee;	      /* "(*T).*": any method of T */
	int64_t subtract;	      /* from the address found */
	enum pw_field subtract_field; /* the offset of this field too, unless it is _PW_FIELD_MAX */
};

/* Tried in order: the first that gives an address for a global decides. */
#define NO_FIELD .subtract_field = _PW_FIELD_MAX
/* clang-format off */
static const struct rule rules[] = {
	{ PW_GLOBAL_ALLGLEN, PW_FUNC_FOR_EACH_G_RACE, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_ALLGPTR, PW_FUNC_FOR_EACH_G_RACE, PATTERN_NTH, .n = 1, NO_FIELD },
	{ PW_GLOBAL_ALLGS, PW_FUNC_FOR_EACH_G, PATTERN_AFTER_CALL, .callee = "runtime.lock2", NO_FIELD },
	{ PW_GLOBAL_ALLP, PW_FUNC_PREEMPTALL, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_SCHED, PW_FUNC_WAKE_NET_POLLER, PATTERN_NTH, .n = 0, .subtract = 8, NO_FIELD }, /* sched.lastpoll */
	{ PW_GLOBAL_M0, PW_FUNC_MEXIT, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_ALLM, PW_FUNC_MEXIT, PATTERN_AFTER_CALL, .callee = "runtime.lock2", NO_FIELD },
	{ PW_GLOBAL_MHEAP, PW_FUNC_GETEMPTY_FUNC1, PATTERN_BEFORE_CALL, .callee = "runtime.(*mheap).allocManual", NO_FIELD },
	{ PW_GLOBAL_MEMSTATS, PW_FUNC_NEW_BUCKET, PATTERN_BEFORE_CALL, .callee = "runtime.persistentalloc",
	  .subtract_field = PW_FIELD_MSTATS_BUCKHASH_SYS },
	{ PW_GLOBAL_GCCONTROLLER, PW_FUNC_GCINIT, PATTERN_BEFORE_CALL, .callee = "runtime.(*gcControllerState).init", NO_FIELD },
	{ PW_GLOBAL_GCCONTROLLER, PW_FUNC_GCINIT, PATTERN_BEFORE_CALL,
	  .callee = "runtime.(*gcControllerState).setGCPercent", NO_FIELD },
	{ PW_GLOBAL_MBUCKETS, PW_FUNC_MPROF_FLUSH_LOCKED, PATTERN_BEFORE_CALL,
	  .callee = "internal/runtime/atomic.(*UnsafePointer).Load", NO_FIELD },
	{ PW_GLOBAL_MBUCKETS, PW_FUNC_MPROF_FLUSH_LOCKED, PATTERN_BEFORE_CALL,
	  .callee = "runtime/internal/atomic.(*UnsafePointer).Load", NO_FIELD },
	{ PW_GLOBAL_MBUCKETS, PW_FUNC_MPROF_FLUSH_LOCKED, PATTERN_NTH, .n = 1, .until = 18, NO_FIELD },
	{ PW_GLOBAL_MBUCKETS, PW_FUNC_MPROF_FLUSH_LOCKED, PATTERN_NTH, .n = 0, .since = 19, NO_FIELD },
	{ PW_GLOBAL_WORK, PW_FUNC_PUTFULL, PATTERN_BEFORE_CALL, .callee = "runtime.(*lfstack).push", NO_FIELD },
	{ PW_GLOBAL_GCPHASE, PW_FUNC_QUEUEFINALIZER, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_FINQ, PW_FUNC_QUEUEFINALIZER, PATTERN_AFTER_CALL, .callee = "runtime.lock2", NO_FIELD },
	{ PW_GLOBAL_FING, PW_FUNC_RUN_FINALIZERS, PATTERN_AFTER_BARRIER, NO_FIELD },
	{ PW_GLOBAL_FORCEGC, PW_FUNC_FORCEGCHELPER, PATTERN_BEFORE_CALL, .callee = "runtime.lock2", NO_FIELD },
	{ PW_GLOBAL_SEMTABLE, PW_FUNC_SEMRELEASE1, PATTERN_NTH_ADDRESS, .n = 0, NO_FIELD },
	{ PW_GLOBAL_WAITREASONSTRINGS, PW_FUNC_WAIT_REASON_STRING, PATTERN_LAST_ADDRESS, NO_FIELD },
	{ PW_GLOBAL_NCGOCALL, PW_FUNC_MEXIT, PATTERN_ATOMIC_ADD, NO_FIELD },
	{ PW_GLOBAL_GCCPULIMITER, PW_FUNC_GC_MARK_TERMINATION, PATTERN_BEFORE_CALL, .since = 19,
	  .callee = "runtime.(*gcCPULimiterState).*", NO_FIELD },
	{ PW_GLOBAL_RUNTIMEINITTIME, PW_FUNC_MAIN, PATTERN_AFTER_CALL, .callee = "runtime.nanotime1", NO_FIELD },
	{ PW_GLOBAL_STARTTIME, PW_FUNC_SCHEDTRACE, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_STARTINGSTACKSIZE, PW_FUNC_STARTING_STACK_SIZE, PATTERN_LAST, .since = 19, NO_FIELD },
	{ PW_GLOBAL_MEMPROFILERATE, PW_FUNC_ALLOCMCACHE, PATTERN_AFTER_ADDRESS, .n = 1, NO_FIELD },
	{ PW_GLOBAL_MPROFCYCLE, PW_FUNC_MPROF_FLUSH, PATTERN_NTH, .n = 0, .since = 19, NO_FIELD },
	{ PW_GLOBAL_FINQUEUED, PW_FUNC_QUEUEFINALIZER, PATTERN_ACCESS_BEFORE, .since = 25, .callee = "runtime.unlock2", NO_FIELD },
	{ PW_GLOBAL_FINEXECUTED, PW_FUNC_RUN_FINALIZERS, PATTERN_AFTER_CALL, .n = 2, .since = 25, .callee = "runtime.lock2",
	  NO_FIELD },
	{ PW_GLOBAL_GCCLEANUPS, PW_FUNC_FIND_RUNNABLE, PATTERN_BEFORE_CALL, .since = 25,
	  .callee = "runtime.(*cleanupQueue).wake", NO_FIELD },
	{ PW_GLOBAL_EXTRAMINUSE, PW_FUNC_CHECKMCOUNT, PATTERN_NOT_SCHED, .n = 0, .since = 21, NO_FIELD },
	{ PW_GLOBAL_EXTRAMLENGTH, PW_FUNC_CHECKMCOUNT, PATTERN_NOT_SCHED, .n = 1, .since = 21, NO_FIELD },

	/* Built with -gcflags=all=-l: nothing is inlined, lock does not become lock2, atomics are calls. */
	{ PW_GLOBAL_ALLGLEN, PW_FUNC_ATOMIC_ALLG, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_ALLGPTR, PW_FUNC_ATOMIC_ALLG, PATTERN_NTH, .n = 1, NO_FIELD },
	{ PW_GLOBAL_ALLGS, PW_FUNC_FOR_EACH_G, PATTERN_AFTER_CALL, .callee = "runtime.lock", NO_FIELD },
	{ PW_GLOBAL_ALLM, PW_FUNC_MEXIT, PATTERN_AFTER_CALL, .callee = "runtime.lock", NO_FIELD },
	{ PW_GLOBAL_FINQ, PW_FUNC_QUEUEFINALIZER, PATTERN_AFTER_CALL, .callee = "runtime.lock", NO_FIELD },
	{ PW_GLOBAL_FORCEGC, PW_FUNC_FORCEGCHELPER, PATTERN_BEFORE_CALL, .callee = "runtime.lock", NO_FIELD },
	{ PW_GLOBAL_NCGOCALL, PW_FUNC_MEXIT, PATTERN_BEFORE_CALL, .callee = "internal/runtime/atomic.Xadd64", NO_FIELD },
	{ PW_GLOBAL_NCGOCALL, PW_FUNC_MEXIT, PATTERN_BEFORE_CALL, .callee = "runtime/internal/atomic.Xadd64", NO_FIELD },
	{ PW_GLOBAL_RUNTIMEINITTIME, PW_FUNC_MAIN, PATTERN_AFTER_CALL, .callee = "runtime.nanotime", NO_FIELD },
	{ PW_GLOBAL_MEMPROFILERATE, PW_FUNC_NEXT_SAMPLE, PATTERN_NTH, .n = 0, NO_FIELD },
	{ PW_GLOBAL_FINQUEUED, PW_FUNC_QUEUEFINALIZER, PATTERN_ACCESS_BEFORE, .since = 25, .callee = "runtime.unlock", NO_FIELD },
	{ PW_GLOBAL_FINEXECUTED, PW_FUNC_RUN_FINALIZERS, PATTERN_AFTER_CALL, .n = 2, .since = 25, .callee = "runtime.lock",
	  NO_FIELD },
};
/* clang-format on */

static const char *const names[_PW_GLOBAL_MAX] = {
	[PW_GLOBAL_ALLGLEN] = "runtime.allglen",
	[PW_GLOBAL_ALLGPTR] = "runtime.allgptr",
	[PW_GLOBAL_ALLGS] = "runtime.allgs",
	[PW_GLOBAL_ALLP] = "runtime.allp",
	[PW_GLOBAL_SCHED] = "runtime.sched",
	[PW_GLOBAL_ALLM] = "runtime.allm",
	[PW_GLOBAL_M0] = "runtime.m0",
	[PW_GLOBAL_MEMSTATS] = "runtime.memstats",
	[PW_GLOBAL_GCCONTROLLER] = "runtime.gcController",
	[PW_GLOBAL_MHEAP] = "runtime.mheap_",
	[PW_GLOBAL_WORK] = "runtime.work",
	[PW_GLOBAL_GCPHASE] = "runtime.gcphase",
	[PW_GLOBAL_MBUCKETS] = "runtime.mbuckets",
	[PW_GLOBAL_SEMTABLE] = "runtime.semtable",
	[PW_GLOBAL_WAITREASONSTRINGS] = "runtime.waitReasonStrings",
	[PW_GLOBAL_FINQ] = "runtime.finq",
	[PW_GLOBAL_FING] = "runtime.fing",
	[PW_GLOBAL_FORCEGC] = "runtime.forcegc",
	[PW_GLOBAL_NCGOCALL] = "runtime.ncgocall",
	[PW_GLOBAL_GCCPULIMITER] = "runtime.gcCPULimiter",
	[PW_GLOBAL_RUNTIMEINITTIME] = "runtime.runtimeInitTime",
	[PW_GLOBAL_STARTTIME] = "runtime.starttime",
	[PW_GLOBAL_STARTINGSTACKSIZE] = "runtime.startingStackSize",
	[PW_GLOBAL_MEMPROFILERATE] = "runtime.MemProfileRate",
	[PW_GLOBAL_MPROFCYCLE] = "runtime.mProfCycle",
	[PW_GLOBAL_FINQUEUED] = "runtime.finqueued",
	[PW_GLOBAL_FINEXECUTED] = "runtime.finexecuted",
	[PW_GLOBAL_GCCLEANUPS] = "runtime.gcCleanups",
	[PW_GLOBAL_EXTRAMINUSE] = "runtime.extraMInUse",
	[PW_GLOBAL_EXTRAMLENGTH] = "runtime.extraMLength",
};

const char *pw_global_name(enum pw_global global)
{
	return (unsigned int)global < _PW_GLOBAL_MAX ? names[global] : "?";
}

int pw_global_since(enum pw_global global)
{
	int since = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].global == global && (!since || rules[i].since < since))
			since = rules[i].since;
	return since;
}

static bool in_data(const struct pw_elf *elf, uint64_t addr, bool writable)
{
	size_t count;
	const struct pw_elf_segment *segments = pw_elf_segments(elf, &count);

	for (size_t i = 0; i < count; i++)
		if (addr >= segments[i].vaddr && addr - segments[i].vaddr < segments[i].memsz &&
		    (!writable || (segments[i].flags & SEGMENT_WRITABLE)))
			return true;
	return false;
}

/* What a rule may look at. */
struct search {
	const struct pw_elf *elf;
	const struct pw_pclntab *table;
	const struct pw_layout *layout;
	const struct pw_globals *globals; /* found so far */
};

/* The n-th reference from instruction pos on that is of this kind (ANY: of every kind). */
static bool nth(const struct pw_code *code, size_t pos, enum pw_reference_kind kind, unsigned int n,
		struct pw_reference *ret_reference)
{
	while (pw_code_next_reference(code, &pos, ret_reference)) {
		if (kind != PW_REFERENCE_ANY && ret_reference->kind != kind)
			continue;
		if (n-- == 0)
			return true;
	}
	return false;
}

/* The last reference of this kind before instruction end. */
static bool last_before(const struct pw_code *code, size_t end, enum pw_reference_kind kind,
			struct pw_reference *ret_reference)
{
	struct pw_reference reference;
	size_t pos = 0;
	bool found = false;

	while (pw_code_next_reference(code, &pos, &reference) && reference.insn < end) {
		if (kind != PW_REFERENCE_ANY && reference.kind != kind)
			continue;
		*ret_reference = reference;
		found = true;
	}
	return found;
}

static bool is_constant_compare(const struct pw_insn *insn)
{
	return insn->kind == PW_INSN_COMPARE && insn->operand_count == 2 && insn->operand[1].kind == PW_OPERAND_IMM;
}

/*
 * The finalizer goroutine stores into its frame behind a write barrier, then parks; what it loads next is fing. amd64
 * tests the barrier by a compare with memory; arm64 loads the flag and branches on it, so there it is the load behind
 * that one.
 */
static bool after_barrier(const struct pw_code *code, struct pw_reference *ret_reference)
{
	bool seen = false;
	size_t pos = 0;

	while (pw_code_next_reference(code, &pos, ret_reference)) {
		const struct pw_insn *insn = &code->insn[ret_reference->insn];

		if (ret_reference->kind != PW_REFERENCE_ACCESS)
			continue;
		if (seen)
			return true;
		seen = code->arch == PW_ARCH_ARM64 || is_constant_compare(insn);
	}
	return false;
}

static bool after_address(const struct pw_code *code, unsigned int n, struct pw_reference *ret_reference)
{
	return nth(code, 0, PW_REFERENCE_ADDRESS, n, ret_reference) &&
	       nth(code, ret_reference->insn + 1, PW_REFERENCE_ACCESS, 0, ret_reference);
}

/* The address that the first atomic addition to a 64-bit word goes to. */
static bool atomic_add(const struct pw_code *code, struct pw_reference *ret_reference)
{
	for (size_t i = 0; i < code->count; i++)
		if (pw_insn_added_reg64(code->arch, &code->insn[i]) != PW_REG_NONE)
			return last_before(code, i, PW_REFERENCE_ADDRESS, ret_reference);
	return false;
}

static bool not_sched(const struct pw_code *code, const struct search *search, unsigned int n,
		      struct pw_reference *ret_reference)
{
	uint64_t sched = search->globals->addr[PW_GLOBAL_SCHED];
	int32_t size = search->layout->offset[PW_FIELD_SCHED_SIZE];
	size_t pos = 0;

	while (sched && size > 0 && pw_code_next_reference(code, &pos, ret_reference)) {
		if (ret_reference->addr - sched < (uint64_t)size || !in_data(search->elf, ret_reference->addr, true))
			continue;
		if (n-- == 0)
			return true;
	}
	return false;
}

/* The n-th call of callee; code->count if there is none. */
static size_t find_call(const struct pw_code *code, const struct pw_pclntab *table, const char *callee, unsigned int n)
{
	size_t length = strlen(callee);
	struct pw_func func;

	for (size_t i = 0; i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if (insn->kind != PW_INSN_CALL || pw_pclntab_func_by_pc(table, insn->target, &func) < 0 ||
		    func.entry != insn->target)
			continue;
		if (callee[length - 1] == '*' ? strncmp(func.name, callee, length - 1) : strcmp(func.name, callee))
			continue;
		if (n-- == 0)
			return i;
	}
	return code->count;
}

static bool apply_pattern(const struct rule *rule, const struct pw_code *code, const struct search *search,
			  struct pw_reference *ret_reference)
{
	size_t call = code->count;

	if (rule->callee) {
		call = find_call(code, search->table, rule->callee, rule->pattern == PATTERN_AFTER_CALL ? rule->n : 0);
		if (call >= code->count)
			return false;
	}
	switch (rule->pattern) {
	case PATTERN_NTH:
		return nth(code, 0, PW_REFERENCE_ANY, rule->n, ret_reference);
	case PATTERN_NTH_ADDRESS:
		return nth(code, 0, PW_REFERENCE_ADDRESS, rule->n, ret_reference);
	case PATTERN_LAST:
		return last_before(code, call, PW_REFERENCE_ANY, ret_reference);
	case PATTERN_LAST_ADDRESS:
	case PATTERN_BEFORE_CALL:
		return last_before(code, call, PW_REFERENCE_ADDRESS, ret_reference);
	case PATTERN_ACCESS_BEFORE:
		return last_before(code, call, PW_REFERENCE_ACCESS, ret_reference);
	case PATTERN_AFTER_CALL:
		return nth(code, call, PW_REFERENCE_ANY, 0, ret_reference);
	case PATTERN_AFTER_BARRIER:
		return after_barrier(code, ret_reference);
	case PATTERN_AFTER_ADDRESS:
		return after_address(code, rule->n, ret_reference);
	case PATTERN_ATOMIC_ADD:
		return atomic_add(code, ret_reference);
	case PATTERN_NOT_SCHED:
		return not_sched(code, search, rule->n, ret_reference);
	}
	return false;
}

static uint64_t apply_rule(const struct rule *rule, const struct search *search)
{
	const struct pw_layout *layout = search->layout;
	_cleanup_(pw_function_done) struct pw_function function = {0};
	struct pw_reference reference;
	int64_t subtract = rule->subtract;
	uint64_t addr;

	if ((rule->since && layout->go_minor < rule->since) || (rule->until && layout->go_minor > rule->until))
		return 0;
	if (rule->subtract_field < _PW_FIELD_MAX) {
		if (layout->trust[rule->subtract_field] == PW_TRUST_NONE)
			return 0;
		subtract += layout->offset[rule->subtract_field];
	}
	if (pw_function_read(&function, search->elf, search->table, rule->func, NULL) < 0 ||
	    !apply_pattern(rule, &function.code, search, &reference))
		return 0;
	addr = reference.addr - (uint64_t)subtract;
	/* waitReasonStrings may have been moved to read-only data by the linker; nothing else may. */
	return in_data(search->elf, addr, rule->global != PW_GLOBAL_WAITREASONSTRINGS) ? addr : 0;
}

static void name_missing(const struct pw_globals *globals, int go_minor, struct pw_why *reterr_why)
{
	char list[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < _PW_GLOBAL_MAX; i++) {
		if (globals->addr[i] || go_minor < pw_global_since((enum pw_global)i) ||
		    used + strlen(names[i]) + 3 > sizeof(list))
			continue;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", names[i]);
	}
	if (used)
		pw_why_set(reterr_why, 0, "not found in the code: %s", list);
}

int pw_globals_find(struct pw_globals *ret_globals, const struct pw_elf *elf, const struct pw_pclntab *table,
		    const struct pw_layout *layout, struct pw_why *reterr_why)
{
	struct pw_globals globals = {{0}};
	struct search search = {.elf = elf, .table = table, .layout = layout, .globals = &globals};
	int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		uint64_t *addr = &globals.addr[rules[i].global];

		if (*addr)
			continue;
		*addr = apply_rule(&rules[i], &search);
		found += *addr != 0;
	}
	name_missing(&globals, layout->go_minor, reterr_why);
	*ret_globals = globals;
	return found;
}
