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
#include "go/measure.h"

#define PAUSES_SIZE    0x1008 /* pause_total_ns, pause_ns [256]uint64, pause_end [256]uint64 */
#define COMPANIONS_MAX 5
/* clang-format off */
static const struct measure {
	enum pw_field field;
	/* The witness: another measure at a fixed distance, or a function that touches the field at a distance (or
	 * refers to the global that the measured field is in). */
	enum pw_measure_id witness_measure;
	enum pw_func_id witness_func;
	int32_t witness_distance;
	struct {
		enum pw_field field;
		int32_t distance; /* 0: unused entry */
	} companion[COMPANIONS_MAX];
} measures[_PW_MEASURE_MAX] = {
	[PW_MEASURE_WAITREASON] = { PW_FIELD_G_WAITREASON,
		PW_MEASURE_ATOMICSTATUS, _PW_FUNC_MAX, -0x20, {
			{ PW_FIELD_G_PREEMPT, 1 } } },
	[PW_MEASURE_ATOMICSTATUS] = { PW_FIELD_G_ATOMICSTATUS,
		PW_MEASURE_WAITREASON, _PW_FUNC_MAX, 0x20, {
			{ PW_FIELD_G_PARAM, -8 },
			{ PW_FIELD_G_GOID, 8 } } },
	[PW_MEASURE_TRACKINGSEQ] = { PW_FIELD_G_TRACKINGSEQ,
		_PW_MEASURE_MAX, PW_FUNC_NEWPROC1, 0, { { 0 } } },
	[PW_MEASURE_STARTPC] = { PW_FIELD_G_STARTPC,
		_PW_MEASURE_MAX, PW_FUNC_NEWPROC1, -0x10, {
			{ PW_FIELD_G_GOPC, -0x10 },
			{ PW_FIELD_G_PARENTGOID, -0x18 },
			{ PW_FIELD_G_WAITING, 0x10 },
			{ PW_FIELD_G_LABELS, 0x30 } } },
	[PW_MEASURE_M_P] = { PW_FIELD_M_P,
		_PW_MEASURE_MAX, PW_FUNC_NEWPROC1, 0, { { 0 } } },
	[PW_MEASURE_RUNQHEAD] = { PW_FIELD_P_RUNQHEAD,
		_PW_MEASURE_MAX, PW_FUNC_NEWPROC1, -0x10, {
			{ PW_FIELD_P_RUNQTAIL, 4 },
			{ PW_FIELD_P_GOIDCACHE, -0x10 },
			{ PW_FIELD_P_GOIDCACHEEND, -8 },
			{ PW_FIELD_P_GFREE_N, 0x818 } } },
	[PW_MEASURE_M_CURG] = { PW_FIELD_M_CURG,
		_PW_MEASURE_MAX, PW_FUNC_EXECUTE, 0, { { 0 } } },
	[PW_MEASURE_SCHED_BP] = { PW_FIELD_G_SCHED_BP,
		_PW_MEASURE_MAX, PW_FUNC_REENTERSYSCALL, 8, {
			{ PW_FIELD_G_SYSCALLSP, 8 },
			{ PW_FIELD_G_SYSCALLPC, 0x10 } } },
	[PW_MEASURE_HEAPMARKED] = { PW_FIELD_GCCONTROLLER_HEAPMARKED,
		_PW_MEASURE_MAX, PW_FUNC_GC_RESET_LIVE, -0x30, {
			{ PW_FIELD_GCCONTROLLER_HEAPLIVE, -0x30 } } },
	[PW_MEASURE_LAST_GC_UNIX] = { PW_FIELD_MSTATS_LAST_GC_UNIX,
		PW_MEASURE_LAST_GC_UNIX, _PW_FUNC_MAX, 0, {
			{ PW_FIELD_MSTATS_PAUSE_TOTAL_NS, 8 },
			{ PW_FIELD_MSTATS_NUMGC, 8 + PAUSES_SIZE },
			{ PW_FIELD_MSTATS_NUMFORCEDGC, 12 + PAUSES_SIZE } } },
	[PW_MEASURE_NGSYS] = { PW_FIELD_SCHED_NGSYS,
		_PW_MEASURE_MAX, PW_FUNC_GCOUNT, 0, { { 0 } } },
	/* m has grown by 0x18 within 1.23, between 1.23.5 and 1.23.12. mexit walks the list of Ms by alllink, too. */
	[PW_MEASURE_M_NCGOCALL] = { PW_FIELD_M_NCGOCALL,
		_PW_MEASURE_MAX, PW_FUNC_MEXIT, 0x20, {
			{ PW_FIELD_M_NCGO, 8 },
			{ PW_FIELD_M_ALLLINK, 0x20 } } },
	[PW_MEASURE_M_LOCK_WAIT] = { PW_FIELD_M_MLOCKPROFILE_WAITTIME,
		PW_MEASURE_M_LOCK_WAIT, _PW_FUNC_MAX, 0, { { 0 } } },
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
	{ PW_FIELD_SCHED_NPIDLE, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_MNEXT, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_NMFREED, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_NMSPINNING, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_NEEDSPINNING, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_NMIDLE, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_NMIDLELOCKED, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_GCWAITING, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_STOPWAIT, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_SYSMONWAIT, PW_FUNC_SCHEDTRACE, GLOBAL, PW_GLOBAL_SCHED, false },
	{ PW_FIELD_SCHED_TIMETORUN, PW_FUNC_CASGSTATUS, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_SCHED_STWTOTALTIMEGC, PW_FUNC_START_THE_WORLD, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_SCHED_STWTOTALTIMEOTHER, PW_FUNC_START_THE_WORLD, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_SCHED_STWSTOPPINGTIMEGC, PW_FUNC_STOP_THE_WORLD, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_SCHED_STWSTOPPINGTIMEOTHER, PW_FUNC_STOP_THE_WORLD, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_SCHED_TOTALRUNTIMELOCKWAITTIME, PW_FUNC_MEXIT, GLOBAL, PW_GLOBAL_SCHED, true },
	{ PW_FIELD_MSTATS_GC_CPU_FRACTION, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_MEMSTATS, false },
	{ PW_FIELD_MSTATS_LASTHEAPINUSE, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_MEMSTATS, false },
	{ PW_FIELD_MSTATS_PAUSE_NS, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_MEMSTATS, false },
	{ PW_FIELD_MSTATS_PAUSE_END, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_MEMSTATS, false },
	{ PW_FIELD_MSTATS_LAST_GC_NANOTIME, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_MEMSTATS, false },
	{ PW_FIELD_WORK_CYCLES, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_USERFORCED, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_MAXPROCS, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_TSWEEPTERM, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_TMARK, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_TMARKTERM, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_TEND, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
	{ PW_FIELD_WORK_CPUSTATS, PW_FUNC_GC_MARK_TERMINATION, GLOBAL, PW_GLOBAL_WORK, false },
};
/* clang-format on */

struct finding {
	int64_t offset; /* or PW_NOT_MEASURED */
	bool witnessed;
};

static bool witnessed(struct pw_survey *survey, enum pw_measure_id id, const struct finding *findings)
{
	const struct measure *measure = &measures[id];
	int64_t value = findings[id].offset;
	const struct pw_code *code;

	if (measure->witness_measure < _PW_MEASURE_MAX)
		return findings[measure->witness_measure].offset == value + measure->witness_distance;
	code = pw_survey_code(survey, measure->witness_func);
	if (measure->field == PW_FIELD_SCHED_NGSYS)
		return code && pw_code_refers(code, survey->globals.addr[PW_GLOBAL_SCHED] + (uint64_t)value);
	return code && pw_code_touches(code, value + measure->witness_distance);
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
	if (trust != PW_TRUST_CONFLICT && offset >= 0 && offset <= INT32_MAX)
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

static bool access_fits(const struct pw_survey *survey, const struct evidence *evidence, const struct pw_access *access,
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
	return evidence->kind == ANY || access->base == pw_abi_g(survey->arch);
}

static bool has_evidence(struct pw_survey *survey, const struct evidence *evidence, int64_t offset)
{
	const struct pw_code *code = pw_survey_code(survey, evidence->func);
	struct pw_reference reference;
	struct pw_access access;
	size_t pos = 0;
	bool more;

	if (!code)
		return false;
	if (evidence->kind == GLOBAL) {
		uint64_t global = survey->globals.addr[evidence->size];

		while (global && pw_code_next_reference(code, &pos, &reference))
			if (reference.addr == global + (uint64_t)offset)
				return true;
		return false;
	}
	/* The low part of a global's address (adrp, add on arm64) is no offset of a field. */
	more = pw_code_next_reference(code, &pos, &reference);
	for (size_t i = 0; i < code->count; i++) {
		while (more && reference.insn < i)
			more = pw_code_next_reference(code, &pos, &reference);
		if ((!more || reference.insn != i) && pw_insn_access(survey->arch, &code->insn[i], &access) &&
		    access_fits(survey, evidence, &access, offset))
			return true;
	}
	return false;
}

static void apply_evidence(struct pw_survey *survey, struct pw_layout *layout)
{
	for (size_t i = 0; i < ARRAY_SIZE(evidences); i++) {
		const struct evidence *evidence = &evidences[i];
		uint8_t *trust = &layout->trust[evidence->field];

		if ((*trust == PW_TRUST_TABLE || (*trust == PW_TRUST_NEAR_TABLE && evidence->strong)) &&
		    has_evidence(survey, evidence, layout->offset[evidence->field]))
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

/*
 * A table that the code refutes, by one measure with a witness or by two without, is not that of this runtime: what is
 * not measured is then only a guess.
 */
static void doubt_table(struct pw_layout *layout, const struct finding *findings)
{
	int doubts = 0;

	for (size_t i = 0; i < _PW_MEASURE_MAX; i++)
		if (findings[i].offset != PW_NOT_MEASURED && has_field(layout, measures[i].field) &&
		    findings[i].offset != layout->offset[measures[i].field])
			doubts += findings[i].witnessed ? 2 : 1;
	for (size_t i = 0; doubts >= 2 && i < _PW_FIELD_MAX; i++)
		if (layout->trust[i] == PW_TRUST_TABLE)
			layout->trust[i] = PW_TRUST_NEAR_TABLE;
}

static void measure_all(struct pw_survey *survey, struct finding *findings)
{
	for (enum pw_measure_id id = 0; id < _PW_MEASURE_MAX; id++)
		findings[id].offset = pw_measure(survey, id);
	for (enum pw_measure_id id = 0; id < _PW_MEASURE_MAX; id++)
		findings[id].witnessed = findings[id].offset != PW_NOT_MEASURED && witnessed(survey, id, findings);
}

int pw_layout_calibrate(struct pw_layout *layout, const struct pw_elf *elf, const struct pw_pclntab *table,
			struct pw_why *reterr_why)
{
	_cleanup_free_ struct pw_survey *survey = malloc(sizeof(*survey));
	struct finding findings[_PW_MEASURE_MAX];

	if (!survey)
		return -ENOMEM;
	pw_survey_init(survey, elf, table);
	pw_globals_find(&survey->globals, elf, table, layout, NULL);
	measure_all(survey, findings);
	doubt_table(layout, findings);
	for (size_t i = 0; i < _PW_MEASURE_MAX; i++)
		if (findings[i].offset != PW_NOT_MEASURED)
			apply_measure(layout, &measures[i], findings[i].offset, findings[i].witnessed);
	apply_evidence(survey, layout);
	pw_survey_done(survey);
	return name_conflicts(layout, reterr_why);
}
