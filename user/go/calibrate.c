/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The offset table held against the machine code of the binary at hand.
 *
 * Measures: some instructions name one field beyond doubt, such as the byte that gopark stores its wait reason to. Each
 * has a witness, a second function that must touch the same field. Fields that have kept their distance to a measured
 * one in every version from Go 1.17 to 1.27 (goid = atomicstatus + 8) go with it.
 *
 *	measured = table		  confirmed; with a witness its companions too
 *	measured elsewhere, witness	  moved together, "code"
 *	measured elsewhere, no witness	  table of this very version: conflict, not used; table of another: moved
 *	not measured			  as it was
 *
 * Evidence: for the other fields, a function that must touch them does so at the offset of the table. That confirms;
 *its absence says nothing, since compilers inline.
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

#define NOT_MEASURED	       (-1)
#define OFFSET_MAX	       0x8000 /* the largest struct here, runtime.p, has 0x3e30 bytes */
#define CAS_INSNS_MAX	       12     /* from the address of a field to the atomic instruction that uses it */
#define PAUSES_SIZE	       0x1008 /* pause_total_ns, pause_ns [256]uint64, pause_end [256]uint64 */
#define SCHED_COUNTERS_MAX     0x100  /* goidgen and ngsys are near the start of schedt */
#define RUNNEXT_AFTER_RUNQHEAD 0x808  /* runqtail 4, runq [256]guintptr behind 8: 11 of 11 versions */

/* Functions are disassembled once, however many fields they tell of. */
struct session {
	const struct pw_elf *elf;
	const struct pw_pclntab *table;
	enum pw_arch arch;
	struct pw_globals globals;
	struct {
		bool tried, found;
		struct pw_function function;
	} cache[_PW_FUNC_MAX];
};

static void session_done(struct session *session)
{
	for (size_t i = 0; i < _PW_FUNC_MAX; i++)
		if (session->cache[i].found)
			pw_function_done(&session->cache[i].function);
}

static const struct pw_code *session_code(struct session *session, enum pw_func_id id)
{
	if (!session->cache[id].tried) {
		session->cache[id].tried = true;
		session->cache[id].found =
			pw_function_read(&session->cache[id].function, session->elf, session->table, id, NULL) >= 0;
	}
	return session->cache[id].found ? &session->cache[id].function.code : NULL;
}

/* gopark(unlockf, lock, reason, ...) stores its third argument: gp.waitreason = reason. */
static int64_t measure_waitreason(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_GOPARK);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(session->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_STORE &&
		    access.size == 1 && access.reg == pw_abi_arg(session->arch, 2))
			return access.offset;
	return NOT_MEASURED;
}

static bool is_cas_call(const struct session *session, const struct pw_insn *insn)
{
	struct pw_func func;

	return insn->kind == PW_INSN_CALL && pw_pclntab_func_by_pc(session->table, insn->target, &func) >= 0 &&
	       strstr(func.name, "/atomic.") && (strstr(func.name, "Cas") || strstr(func.name, "CompareAndSwap"));
}

/* casgstatus: the word of its first compare-and-swap, inlined or called (-gcflags=-l). */
static int64_t measure_atomicstatus(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_CASGSTATUS);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++) {
		size_t end = PW_MIN(code->count, i + CAS_INSNS_MAX);

		if (!pw_insn_access(session->arch, &code->insn[i], &access))
			continue;
		if (session->arch == PW_ARCH_AMD64 && pw_insn_is_cas32(session->arch, &code->insn[i], PW_REG_NONE))
			return access.offset;
		for (size_t k = i + 1; access.kind == PW_ACCESS_ADDRESS && k < end; k++) {
			if (pw_insn_is_cas32(session->arch, &code->insn[k], access.reg) &&
			    session->arch == PW_ARCH_ARM64)
				return access.offset;
			if (is_cas_call(session, &code->insn[k]) && access.reg == pw_abi_arg(session->arch, 0))
				return access.offset;
		}
	}
	return NOT_MEASURED;
}

/* casgstatus: gp.trackingSeq++, the one byte that is loaded, incremented and stored again. */
static int64_t measure_trackingseq(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_CASGSTATUS);
	struct pw_access load, store;

	for (size_t i = 0; code && i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if (!pw_insn_access(session->arch, insn, &load) || load.size != 1)
			continue;
		if (load.kind == PW_ACCESS_STORE && !strncmp(insn->text, "inc", 3))
			return load.offset;
		if (i + 2 < code->count && load.kind == PW_ACCESS_LOAD && load.reg != PW_REG_NONE &&
		    code->insn[i + 1].kind == PW_INSN_ARITHMETIC &&
		    (pw_insn_clobbers(session->arch, &code->insn[i + 1]) & PW_REG_SET_BIT(load.reg)) &&
		    pw_insn_access(session->arch, &code->insn[i + 2], &store) && store.kind == PW_ACCESS_STORE &&
		    store.size == 1 && store.offset == load.offset && store.reg == load.reg && store.base == load.base)
			return load.offset;
	}
	return NOT_MEASURED;
}

/* isSystemGoroutine(gp, fixed) begins with findfunc(gp.startpc). */
static int64_t measure_startpc(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_IS_SYSTEM_GOROUTINE);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(session->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_LOAD &&
		    access.size == 8 && access.base == pw_abi_arg(session->arch, 0))
			return access.offset;
	return NOT_MEASURED;
}

/* The first load of a word through what was loaded from g.m. */
static int64_t first_load_of_m(struct session *session, enum pw_func_id id)
{
	const struct pw_code *code = session_code(session, id);
	uint8_t m = PW_REG_NONE;
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++) {
		if (!pw_insn_access(session->arch, &code->insn[i], &access) || access.kind != PW_ACCESS_LOAD ||
		    access.size != 8)
			continue;
		if (access.base == pw_abi_g(session->arch))
			m = access.reg;
		else if (m != PW_REG_NONE && access.base == m)
			return access.offset;
	}
	return NOT_MEASURED;
}

/* newproc.func1: getg().m.p */
static int64_t measure_m_p(struct session *session)
{
	return first_load_of_m(session, PW_FUNC_NEWPROC_FUNC1);
}

/* gopark: mp := acquirem(); gp := mp.curg */
static int64_t measure_m_curg(struct session *session)
{
	return first_load_of_m(session, PW_FUNC_GOPARK);
}

/* mcall saves pc, sp and bp in g.sched; bp is the last field of gobuf. */
static int64_t measure_sched_bp(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_MCALL);
	int64_t last = NOT_MEASURED;
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(session->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_STORE &&
		    access.base == pw_abi_g(session->arch) && access.size >= 8)
			last = PW_MAX(last, access.offset + access.size - 8);
	return last;
}

static bool touches(const struct pw_code *code, int64_t offset)
{
	struct pw_access access;

	for (size_t i = 0; i < code->count; i++)
		if (pw_insn_access(code->arch, &code->insn[i], &access) && access.offset == offset)
			return true;
	return false;
}

/* runqput touches pp.runqhead, pp.runqtail and pp.runnext, whose distances are known. */
static int64_t measure_runqhead(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_RUNQPUT);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(session->arch, &code->insn[i], &access) && access.offset > 0 &&
		    touches(code, access.offset + 4) && touches(code, access.offset + RUNNEXT_AFTER_RUNQHEAD))
			return access.offset;
	return NOT_MEASURED;
}

/* (*gcControllerState).resetLive(bytesMarked) stores its argument to heapMarked first, go1.19 on. */
static int64_t measure_heapmarked(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_GC_RESET_LIVE);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(session->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_STORE &&
		    access.size == 8 && access.reg == pw_abi_arg(session->arch, 1))
			return access.offset;
	return NOT_MEASURED;
}

static bool refers(const struct pw_code *code, uint64_t addr)
{
	struct pw_reference reference;
	size_t pos = 0;

	while (pw_code_next_reference(code, &pos, &reference))
		if (reference.addr == addr)
			return true;
	return false;
}

/* gcMarkTermination writes last_gc_unix, pause_total_ns behind it, and behind two arrays of 256 words numgc. */
static int64_t measure_last_gc_unix(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_GC_MARK_TERMINATION);
	uint64_t memstats = session->globals.addr[PW_GLOBAL_MEMSTATS];
	struct pw_reference reference;
	size_t pos = 0;

	while (code && memstats && pw_code_next_reference(code, &pos, &reference))
		if (reference.addr > memstats && refers(code, reference.addr + 8) &&
		    refers(code, reference.addr + 8 + PAUSES_SIZE))
			return (int64_t)(reference.addr - memstats);
	return NOT_MEASURED;
}

/* newproc1 takes the address of two counters of sched: goidgen at 0, and ngsys. */
static int64_t measure_ngsys(struct session *session)
{
	const struct pw_code *code = session_code(session, PW_FUNC_NEWPROC1);
	uint64_t sched = session->globals.addr[PW_GLOBAL_SCHED];
	struct pw_reference reference;
	size_t pos = 0;

	while (code && sched && pw_code_next_reference(code, &pos, &reference))
		if (reference.addr > sched && reference.addr - sched < SCHED_COUNTERS_MAX)
			return (int64_t)(reference.addr - sched);
	return NOT_MEASURED;
}

enum measure_id {
	MEASURE_WAITREASON,
	MEASURE_ATOMICSTATUS,
	MEASURE_TRACKINGSEQ,
	MEASURE_STARTPC,
	MEASURE_M_P,
	MEASURE_RUNQHEAD,
	MEASURE_M_CURG,
	MEASURE_SCHED_BP,
	MEASURE_HEAPMARKED,
	MEASURE_LAST_GC_UNIX,
	MEASURE_NGSYS,
	_MEASURE_MAX,
};

#define COMPANIONS_MAX 5
/* clang-format off */
static const struct measure {
	enum pw_field field;
	int64_t (*measure)(struct session *session);
	/* The witness: another measure at a fixed distance, or a function that touches the field at a distance. */
	enum measure_id witness_measure;
	enum pw_func_id witness_func;
	int32_t witness_distance;
	struct {
		enum pw_field field;
		int32_t distance; /* 0: unused entry */
	} companion[COMPANIONS_MAX];
} measures[_MEASURE_MAX] = {
	[MEASURE_WAITREASON] = { PW_FIELD_G_WAITREASON, measure_waitreason,
		MEASURE_ATOMICSTATUS, _PW_FUNC_MAX, -0x20, {
			{ PW_FIELD_G_PREEMPT, 1 } } },
	[MEASURE_ATOMICSTATUS] = { PW_FIELD_G_ATOMICSTATUS, measure_atomicstatus,
		MEASURE_WAITREASON, _PW_FUNC_MAX, 0x20, {
			{ PW_FIELD_G_PARAM, -8 },
			{ PW_FIELD_G_GOID, 8 } } },
	[MEASURE_TRACKINGSEQ] = { PW_FIELD_G_TRACKINGSEQ, measure_trackingseq,
		_MEASURE_MAX, PW_FUNC_NEWPROC1, 0, { { 0 } } },
	[MEASURE_STARTPC] = { PW_FIELD_G_STARTPC, measure_startpc,
		_MEASURE_MAX, PW_FUNC_NEWPROC1, -0x10, {
			{ PW_FIELD_G_GOPC, -0x10 },
			{ PW_FIELD_G_PARENTGOID, -0x18 },
			{ PW_FIELD_G_WAITING, 0x10 },
			{ PW_FIELD_G_LABELS, 0x30 } } },
	[MEASURE_M_P] = { PW_FIELD_M_P, measure_m_p,
		_MEASURE_MAX, PW_FUNC_NEWPROC1, 0, { { 0 } } },
	[MEASURE_RUNQHEAD] = { PW_FIELD_P_RUNQHEAD, measure_runqhead,
		_MEASURE_MAX, PW_FUNC_NEWPROC1, -0x10, {
			{ PW_FIELD_P_RUNQTAIL, 4 },
			{ PW_FIELD_P_GOIDCACHE, -0x10 },
			{ PW_FIELD_P_GOIDCACHEEND, -8 },
			{ PW_FIELD_P_GFREE_N, 0x818 } } },
	[MEASURE_M_CURG] = { PW_FIELD_M_CURG, measure_m_curg,
		_MEASURE_MAX, PW_FUNC_EXECUTE, 0, { { 0 } } },
	[MEASURE_SCHED_BP] = { PW_FIELD_G_SCHED_BP, measure_sched_bp,
		_MEASURE_MAX, PW_FUNC_REENTERSYSCALL, 8, {
			{ PW_FIELD_G_SYSCALLSP, 8 },
			{ PW_FIELD_G_SYSCALLPC, 0x10 } } },
	[MEASURE_HEAPMARKED] = { PW_FIELD_GCCONTROLLER_HEAPMARKED, measure_heapmarked,
		_MEASURE_MAX, PW_FUNC_GC_RESET_LIVE, -0x30, {
			{ PW_FIELD_GCCONTROLLER_HEAPLIVE, -0x30 } } },
	[MEASURE_LAST_GC_UNIX] = { PW_FIELD_MSTATS_LAST_GC_UNIX, measure_last_gc_unix,
		MEASURE_LAST_GC_UNIX, _PW_FUNC_MAX, 0, {
			{ PW_FIELD_MSTATS_PAUSE_TOTAL_NS, 8 },
			{ PW_FIELD_MSTATS_NUMGC, 8 + PAUSES_SIZE },
			{ PW_FIELD_MSTATS_NUMFORCEDGC, 12 + PAUSES_SIZE } } },
	[MEASURE_NGSYS] = { PW_FIELD_SCHED_NGSYS, measure_ngsys,
		MEASURE_NGSYS, _PW_FUNC_MAX, 0, { { 0 } } },
};

/* A function that touches a field: through any register, or (OF_G) the g, or relative to a global. */
enum evidence_kind { ANY, LOAD, STORE, OF_G, GLOBAL };
static const struct evidence {
	enum pw_field field;
	enum pw_func_id func;
	enum evidence_kind kind;
	uint8_t size; /* of an access; GLOBAL: which global */
	bool strong;  /* good enough for a table of another version */
} evidences[] = {
	{ PW_FIELD_G_STACK_LO, PW_FUNC_NEWPROC1, LOAD, 8, true },
	{ PW_FIELD_G_STACK_HI, PW_FUNC_NEWPROC1, LOAD, 8, true },
	{ PW_FIELD_G_M, PW_FUNC_NEWPROC_FUNC1, OF_G, 8, true },
	{ PW_FIELD_G_SCHED_SP, PW_FUNC_MCALL, OF_G, 8, true },
	{ PW_FIELD_G_SCHED_PC, PW_FUNC_MCALL, OF_G, 8, true },
	{ PW_FIELD_G_PARAM, PW_FUNC_GDESTROY, STORE, 8, false },
	{ PW_FIELD_G_PARAM, PW_FUNC_GOEXIT0, STORE, 8, false },
	{ PW_FIELD_G_GOID, PW_FUNC_NEWPROC1, STORE, 8, false },
	{ PW_FIELD_G_PREEMPT, PW_FUNC_NEWPROC1, OF_G, 1, true },
	{ PW_FIELD_G_LOCKEDM, PW_FUNC_GDESTROY, STORE, 8, false },
	{ PW_FIELD_G_LOCKEDM, PW_FUNC_GOEXIT0, STORE, 8, false },
	{ PW_FIELD_G_PARENTGOID, PW_FUNC_NEWPROC1, STORE, 8, false },
	{ PW_FIELD_G_GOPC, PW_FUNC_NEWPROC1, STORE, 8, false },
	{ PW_FIELD_G_WAITING, PW_FUNC_GDESTROY, STORE, 8, false },
	{ PW_FIELD_G_WAITING, PW_FUNC_GOEXIT0, STORE, 8, false },
	{ PW_FIELD_G_LABELS, PW_FUNC_NEWPROC1, STORE, 8, false },
	{ PW_FIELD_M_G0, PW_FUNC_MCALL, LOAD, 8, true },
	{ PW_FIELD_M_PROCID, PW_FUNC_MINIT, STORE, 8, true },
	{ PW_FIELD_M_ALLLINK, PW_FUNC_MEXIT, ANY, 8, false },
	{ PW_FIELD_P_ID, PW_FUNC_P_INIT, STORE, 4, true },
	{ PW_FIELD_P_STATUS, PW_FUNC_P_INIT, STORE, 4, true },
	{ PW_FIELD_P_SCHEDTICK, PW_FUNC_EXECUTE, STORE, 4, true },
	{ PW_FIELD_P_M, PW_FUNC_WIREP, STORE, 8, true },
	{ PW_FIELD_P_GFREE_N, PW_FUNC_GFPUT, ANY, 4, false },
	{ PW_FIELD_P_GFREE_N, PW_FUNC_GFGET, ANY, 4, false },
	{ PW_FIELD_SCHED_GOIDGEN, PW_FUNC_NEWPROC1, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_SCHED_GFREE_N, PW_FUNC_GCOUNT, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_GFREE_N, PW_FUNC_GFPUT, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_GFREE_N, PW_FUNC_GFGET, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_GFREE_NOSTACK_N, PW_FUNC_GCOUNT, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_GFREE_NOSTACK_N, PW_FUNC_GFPUT, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_RUNQSIZE, PW_FUNC_FIND_RUNNABLE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_GCCONTROLLER_HEAPLIVE, PW_FUNC_GC_RESET_LIVE, ANY, 8, false },
	{ PW_FIELD_GCCONTROLLER_HEAPMARKED, PW_FUNC_GC_RESET_LIVE, STORE, 8, false },
	{ PW_FIELD_GCCONTROLLER_HEAPLIVE, PW_FUNC_GC_MARK, GLOBAL, PW_GLOBAL_GCCONTROLLER, false },
	{ PW_FIELD_GCCONTROLLER_HEAPMARKED, PW_FUNC_GC_MARK, GLOBAL, PW_GLOBAL_GCCONTROLLER, false },
	{ PW_FIELD_GCCONTROLLER_HEAPINUSE, PW_FUNC_ALLOC_SPAN, GLOBAL, PW_GLOBAL_GCCONTROLLER, false },
	{ PW_FIELD_GCCONTROLLER_GCPERCENT, PW_FUNC_GC_SET_PERCENT, ANY, 4, false },
	{ PW_FIELD_GCCONTROLLER_GCPERCENT, PW_FUNC_GC_CONTROLLER_INIT, ANY, 4, false },
	{ PW_FIELD_GCCONTROLLER_MEMORYLIMIT, PW_FUNC_GC_CONTROLLER_INIT, ANY, 8, false },
	{ PW_FIELD_GCCONTROLLER_MEMORYLIMIT, PW_FUNC_GC_SET_MEMORY_LIMIT, ANY, 8, false },
};
/* clang-format on */

static bool plausible(int64_t offset)
{
	return offset >= 0 && offset < OFFSET_MAX;
}

static bool witnessed(struct session *session, const struct measure *measure, const int64_t *measured, int64_t value)
{
	const struct pw_code *code;

	if (measure->witness_measure < _MEASURE_MAX)
		return measured[measure->witness_measure] == value + measure->witness_distance;
	code = session_code(session, measure->witness_func);
	return code && touches(code, value + measure->witness_distance);
}

/* Only what has an offset can be moved or believed. */
static bool has_field(const struct pw_layout *layout, enum pw_field field)
{
	return layout->trust[field] != PW_TRUST_NONE;
}

static void move_field(struct pw_layout *layout, enum pw_field field, int64_t offset, enum pw_trust trust)
{
	if (!has_field(layout, field))
		return;
	if (trust == PW_TRUST_CODE && layout->offset[field] == offset)
		trust = PW_TRUST_CONFIRMED;
	if (trust != PW_TRUST_CONFLICT && plausible(offset))
		layout->offset[field] = (int32_t)offset;
	layout->trust[field] = (uint8_t)trust;
}

/* One measure against the table; see the head of the file. */
static void apply_measure(struct pw_layout *layout, const struct measure *measure, int64_t value, bool witness)
{
	bool agrees = layout->offset[measure->field] == value;
	enum pw_trust alone = layout->exact && !agrees ? PW_TRUST_CONFLICT : PW_TRUST_CODE;
	enum pw_trust companions = layout->exact ? PW_TRUST_CONFLICT : PW_TRUST_NEAR_TABLE;

	move_field(layout, measure->field, value, witness ? PW_TRUST_CODE : alone);
	if (agrees && !witness) /* nothing is known of the others */
		return;
	for (size_t i = 0; i < COMPANIONS_MAX && measure->companion[i].distance != 0; i++)
		move_field(layout, measure->companion[i].field, value + measure->companion[i].distance,
			   witness ? PW_TRUST_CODE : companions);
}

static bool access_fits(const struct session *session, const struct evidence *evidence, const struct pw_access *access,
			int64_t offset)
{
	bool address = access->kind == PW_ACCESS_ADDRESS, pair = access->size == 16;
	bool there = access->offset == offset || (pair && access->offset + 8 == offset);

	if (!there || (!address && !pair && access->size != evidence->size))
		return false;
	if (evidence->kind == LOAD)
		return address || access->kind == PW_ACCESS_LOAD;
	if (evidence->kind == STORE)
		return address || access->kind == PW_ACCESS_STORE;
	return evidence->kind == ANY || access->base == pw_abi_g(session->arch);
}

static bool has_evidence(struct session *session, const struct evidence *evidence, int64_t offset)
{
	const struct pw_code *code = session_code(session, evidence->func);
	struct pw_reference reference;
	struct pw_access access;
	size_t pos = 0;

	if (!code)
		return false;
	if (evidence->kind == GLOBAL) {
		uint64_t global = session->globals.addr[evidence->size];

		while (global && pw_code_next_reference(code, &pos, &reference))
			if (reference.addr == global + (uint64_t)offset)
				return true;
		return false;
	}
	for (size_t i = 0; i < code->count; i++)
		if (pw_insn_access(session->arch, &code->insn[i], &access) &&
		    access_fits(session, evidence, &access, offset))
			return true;
	return false;
}

static void apply_evidence(struct session *session, struct pw_layout *layout)
{
	for (size_t i = 0; i < ARRAY_SIZE(evidences); i++) {
		const struct evidence *evidence = &evidences[i];
		uint8_t *trust = &layout->trust[evidence->field];

		if ((*trust == PW_TRUST_TABLE || (*trust == PW_TRUST_NEAR_TABLE && evidence->strong)) &&
		    has_evidence(session, evidence, layout->offset[evidence->field]))
			*trust = PW_TRUST_CONFIRMED;
	}
}

static int name_conflicts(const struct pw_layout *layout, struct pw_why *reterr_why)
{
	char list[256] = "";
	size_t used = 0;
	int conflicts = 0;

	for (enum pw_field field = 0; field < _PW_FIELD_MAX; field++) {
		const char *name = pw_field_name(field);

		if (layout->trust[field] != PW_TRUST_CONFLICT)
			continue;
		conflicts++;
		if (used + strlen(name) + 3 <= sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", name);
	}
	if (conflicts)
		pw_why_set(reterr_why, 0, "the code of this binary does not fit the table of Go 1.%d: %s",
			   layout->go_minor, list);
	return conflicts;
}

/* A table that a measure refutes is not that of this runtime: what is not measured is only a guess. */
static void doubt_table(struct pw_layout *layout, const int64_t *measured)
{
	bool refuted = false;

	for (size_t i = 0; i < _MEASURE_MAX; i++)
		refuted |= measured[i] != NOT_MEASURED && has_field(layout, measures[i].field) &&
			   measured[i] != layout->offset[measures[i].field];
	for (size_t i = 0; refuted && i < _PW_FIELD_MAX; i++)
		if (layout->trust[i] == PW_TRUST_TABLE)
			layout->trust[i] = PW_TRUST_NEAR_TABLE;
}

int pw_layout_calibrate(struct pw_layout *layout, const struct pw_elf *elf, const struct pw_pclntab *table,
			struct pw_why *reterr_why)
{
	_cleanup_free_ struct session *session = calloc(1, sizeof(*session));
	int64_t measured[_MEASURE_MAX];

	if (!session)
		return -ENOMEM;
	session->elf = elf;
	session->table = table;
	session->arch = pw_elf_arch(elf);
	pw_globals_find(&session->globals, elf, table, layout, NULL);
	for (size_t i = 0; i < _MEASURE_MAX; i++) {
		measured[i] = measures[i].measure(session);
		if (!plausible(measured[i]))
			measured[i] = NOT_MEASURED;
	}
	doubt_table(layout, measured);
	for (size_t i = 0; i < _MEASURE_MAX; i++)
		if (measured[i] != NOT_MEASURED)
			apply_measure(layout, &measures[i], measured[i],
				      witnessed(session, &measures[i], measured, measured[i]));
	apply_evidence(session, layout);
	session_done(session);
	return name_conflicts(layout, reterr_why);
}
