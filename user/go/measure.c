/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "go/measure.h"

#include <string.h>

#include "base/macros.h"
#include "go/insns.h"

#define FUNCTION_INSNS_MAX     8192   /* the longest that is read here, findRunnable, has about 1500 */
#define OFFSET_MAX	       0x8000 /* the largest struct here, runtime.p, has 0x3e30 bytes */
#define CAS_INSNS_MAX	       12     /* from the address of a field to the atomic instruction that uses it */
#define PAUSES_SIZE	       0x1008 /* pause_total_ns, pause_ns [256]uint64, pause_end [256]uint64 */
#define SCHED_BYTES_MAX	       0x2000 /* schedt has 0x1ad8 */
#define SCHED_COUNTERS_MAX     0x100  /* goidgen and ngsys are near the start of schedt */
#define RUNNEXT_AFTER_RUNQHEAD 0x808  /* runqtail 4, runq [256]guintptr behind 8: 11 of 11 versions */

void pw_survey_init(struct pw_survey *survey, const struct pw_elf *elf, const struct pw_pclntab *table)
{
	memset(survey, 0, sizeof(*survey));
	survey->elf = elf;
	survey->table = table;
	survey->arch = pw_elf_arch(elf);
}

void pw_survey_done(struct pw_survey *survey)
{
	for (size_t i = 0; i < _PW_FUNC_MAX; i++)
		if (survey->cache[i].found)
			pw_function_done(&survey->cache[i].function);
}

/* Some measures look through the code for each of its instructions: what is far too long for the runtime is left out.
 */
static bool read_function(const struct pw_survey *survey, enum pw_func_id id, struct pw_function *ret_function)
{
	if (pw_function_read(ret_function, survey->elf, survey->table, id, NULL) < 0)
		return false;
	if (ret_function->code.count <= FUNCTION_INSNS_MAX)
		return true;
	pw_function_done(ret_function);
	return false;
}

const struct pw_code *pw_survey_code(struct pw_survey *survey, enum pw_func_id id)
{
	if (!survey->cache[id].tried) {
		survey->cache[id].tried = true;
		survey->cache[id].found = read_function(survey, id, &survey->cache[id].function);
	}
	return survey->cache[id].found ? &survey->cache[id].function.code : NULL;
}

/* gopark(unlockf, lock, reason, ...) stores its third argument: gp.waitreason = reason. */
static int64_t measure_waitreason(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_GOPARK);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(survey->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_STORE &&
		    access.size == 1 && access.reg == pw_abi_arg(survey->arch, 2))
			return access.offset;
	return PW_NOT_MEASURED;
}

static bool is_cas_call(const struct pw_survey *survey, const struct pw_insn *insn)
{
	struct pw_func func;

	return insn->kind == PW_INSN_CALL && pw_pclntab_func_by_pc(survey->table, insn->target, &func) >= 0 &&
	       strstr(func.name, "/atomic.") && (strstr(func.name, "Cas") || strstr(func.name, "CompareAndSwap"));
}

/* casgstatus: the word of its first compare-and-swap, inlined or called (-gcflags=-l). */
static int64_t measure_atomicstatus(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_CASGSTATUS);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++) {
		size_t end = PW_MIN(code->count, i + CAS_INSNS_MAX);

		if (!pw_insn_access(survey->arch, &code->insn[i], &access))
			continue;
		if (survey->arch == PW_ARCH_AMD64 && pw_insn_is_cas32(survey->arch, &code->insn[i], PW_REG_NONE))
			return access.offset;
		for (size_t k = i + 1; access.kind == PW_ACCESS_ADDRESS && k < end; k++) {
			if (pw_insn_is_cas32(survey->arch, &code->insn[k], access.reg) && survey->arch == PW_ARCH_ARM64)
				return access.offset;
			if (is_cas_call(survey, &code->insn[k]) && access.reg == pw_abi_arg(survey->arch, 0))
				return access.offset;
		}
	}
	return PW_NOT_MEASURED;
}

/* casgstatus: gp.trackingSeq++, the one byte that is loaded, incremented and stored again. */
static int64_t measure_trackingseq(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_CASGSTATUS);
	struct pw_access load, store;

	for (size_t i = 0; code && i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if (!pw_insn_access(survey->arch, insn, &load) || load.size != 1)
			continue;
		if (load.kind == PW_ACCESS_STORE && !strncmp(insn->text, "inc", 3))
			return load.offset;
		if (i + 2 < code->count && load.kind == PW_ACCESS_LOAD && load.reg != PW_REG_NONE &&
		    code->insn[i + 1].kind == PW_INSN_ARITHMETIC &&
		    (pw_insn_clobbers(survey->arch, &code->insn[i + 1]) & PW_REG_SET_BIT(load.reg)) &&
		    pw_insn_access(survey->arch, &code->insn[i + 2], &store) && store.kind == PW_ACCESS_STORE &&
		    store.size == 1 && store.offset == load.offset && store.reg == load.reg && store.base == load.base)
			return load.offset;
	}
	return PW_NOT_MEASURED;
}

/* isSystemGoroutine(gp, fixed) begins with findfunc(gp.startpc). */
static int64_t measure_startpc(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_IS_SYSTEM_GOROUTINE);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(survey->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_LOAD &&
		    access.size == 8 && access.base == pw_abi_arg(survey->arch, 0))
			return access.offset;
	return PW_NOT_MEASURED;
}

/* The first load of a word through what was loaded from g.m. */
static int64_t first_load_of_m(struct pw_survey *survey, enum pw_func_id id)
{
	const struct pw_code *code = pw_survey_code(survey, id);
	uint8_t m = PW_REG_NONE;
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++) {
		if (!pw_insn_access(survey->arch, &code->insn[i], &access) || access.kind != PW_ACCESS_LOAD ||
		    access.size != 8)
			continue;
		if (access.base == pw_abi_g(survey->arch))
			m = access.reg;
		else if (m != PW_REG_NONE && access.base == m)
			return access.offset;
	}
	return PW_NOT_MEASURED;
}

/* newproc.func1: getg().m.p */
static int64_t measure_m_p(struct pw_survey *survey)
{
	return first_load_of_m(survey, PW_FUNC_NEWPROC_FUNC1);
}

/* gopark: mp := acquirem(); gp := mp.curg */
static int64_t measure_m_curg(struct pw_survey *survey)
{
	return first_load_of_m(survey, PW_FUNC_GOPARK);
}

/* mcall saves pc, sp and bp in g.sched; bp is the last field of gobuf. */
static int64_t measure_sched_bp(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_MCALL);
	int64_t last = PW_NOT_MEASURED;
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(survey->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_STORE &&
		    access.base == pw_abi_g(survey->arch) && access.size >= 8)
			last = PW_MAX(last, access.offset + access.size - 8);
	return last;
}

bool pw_code_touches(const struct pw_code *code, int64_t offset)
{
	struct pw_access access;

	for (size_t i = 0; i < code->count; i++)
		if (pw_insn_access(code->arch, &code->insn[i], &access) && access.offset == offset)
			return true;
	return false;
}

/* runqput touches pp.runqhead, pp.runqtail and pp.runnext, whose distances are known. */
static int64_t measure_runqhead(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_RUNQPUT);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(survey->arch, &code->insn[i], &access) && access.offset > 0 &&
		    pw_code_touches(code, access.offset + 4) &&
		    pw_code_touches(code, access.offset + RUNNEXT_AFTER_RUNQHEAD))
			return access.offset;
	return PW_NOT_MEASURED;
}

/* (*gcControllerState).resetLive(bytesMarked) stores its argument to heapMarked first, go1.19 on. */
static int64_t measure_heapmarked(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_GC_RESET_LIVE);
	struct pw_access access;

	for (size_t i = 0; code && i < code->count; i++)
		if (pw_insn_access(survey->arch, &code->insn[i], &access) && access.kind == PW_ACCESS_STORE &&
		    access.size == 8 && access.reg == pw_abi_arg(survey->arch, 1))
			return access.offset;
	return PW_NOT_MEASURED;
}

bool pw_code_refers(const struct pw_code *code, uint64_t addr)
{
	struct pw_reference reference;
	size_t pos = 0;

	while (pw_code_next_reference(code, &pos, &reference))
		if (reference.addr == addr)
			return true;
	return false;
}

/* gcMarkTermination writes last_gc_unix, pause_total_ns behind it, and behind two arrays of 256 words numgc. */
static int64_t measure_last_gc_unix(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_GC_MARK_TERMINATION);
	uint64_t memstats = survey->globals.addr[PW_GLOBAL_MEMSTATS];
	struct pw_reference reference;
	size_t pos = 0;

	while (code && memstats && pw_code_next_reference(code, &pos, &reference))
		if (reference.addr > memstats && pw_code_refers(code, reference.addr + 8) &&
		    pw_code_refers(code, reference.addr + 8 + PAUSES_SIZE))
			return (int64_t)(reference.addr - memstats);
	return PW_NOT_MEASURED;
}

/* An atomic addition to a 32-bit word through reg. */
static bool is_add32(enum pw_arch arch, const struct pw_insn *insn, uint8_t reg)
{
	struct pw_access access;

	if (arch == PW_ARCH_ARM64)
		return pw_insn_is_ldaddal32(insn, reg);
	return insn->lock && !strncmp(insn->text, "lock xadd", 9) && pw_insn_access(arch, insn, &access) &&
	       access.size == 4 && access.base == reg && access.offset == 0;
}

/* newproc1 counts system goroutines: sched.ngsys.Add(1), its only 32-bit atomic addition to a global. */
static int64_t measure_ngsys(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_NEWPROC1);
	uint64_t sched = survey->globals.addr[PW_GLOBAL_SCHED];
	struct pw_reference reference;
	size_t pos = 0;

	while (code && sched && pw_code_next_reference(code, &pos, &reference)) {
		const struct pw_insn *insn = &code->insn[reference.insn];
		size_t end = PW_MIN(code->count, reference.insn + 4);

		if (reference.kind != PW_REFERENCE_ADDRESS || reference.addr <= sched ||
		    reference.addr - sched >= SCHED_COUNTERS_MAX || insn->operand[0].kind != PW_OPERAND_REG)
			continue;
		for (size_t i = reference.insn + 1; i < end; i++)
			if (is_add32(survey->arch, &code->insn[i], insn->operand[0].reg))
				return (int64_t)(reference.addr - sched);
	}
	return PW_NOT_MEASURED;
}

/* The field whose value is added to a global in [first, first + size) by an atomic addition. */
static int64_t added_field(const struct pw_survey *survey, const struct pw_code *code, uint64_t first, uint64_t size)
{
	struct pw_reference reference = {.addr = 0}, next;
	struct pw_access access;
	size_t pos = 0;

	for (size_t i = 0; i < code->count; i++) {
		uint8_t reg = pw_insn_added_reg64(survey->arch, &code->insn[i]);

		if (reg == PW_REG_NONE)
			continue;
		while (pw_code_next_reference(code, &pos, &next) && next.insn < i)
			if (next.kind == PW_REFERENCE_ADDRESS)
				reference = next;
		pos = i;
		if (reference.addr - first >= size)
			continue;
		for (size_t k = i; k-- > 0 && i - k <= CAS_INSNS_MAX;)
			if (pw_insn_access(survey->arch, &code->insn[k], &access) && access.kind == PW_ACCESS_LOAD &&
			    access.size == 8 && access.reg == reg)
				return access.offset;
	}
	return PW_NOT_MEASURED;
}

/* mexit: ncgocall += mp.ncgocall, and from 1.22 on sched.totalRuntimeLockWaitTime += mp.mLockProfile.waitTime. */
static int64_t measure_ncgocall(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_MEXIT);
	uint64_t ncgocall = survey->globals.addr[PW_GLOBAL_NCGOCALL];

	return code && ncgocall ? added_field(survey, code, ncgocall, 1) : PW_NOT_MEASURED;
}

static int64_t measure_lock_wait(struct pw_survey *survey)
{
	const struct pw_code *code = pw_survey_code(survey, PW_FUNC_MEXIT);
	uint64_t sched = survey->globals.addr[PW_GLOBAL_SCHED];

	return code && sched ? added_field(survey, code, sched, SCHED_BYTES_MAX) : PW_NOT_MEASURED;
}

static int64_t (*const measures[_PW_MEASURE_MAX])(struct pw_survey *survey) = {
	[PW_MEASURE_WAITREASON] = measure_waitreason,
	[PW_MEASURE_ATOMICSTATUS] = measure_atomicstatus,
	[PW_MEASURE_TRACKINGSEQ] = measure_trackingseq,
	[PW_MEASURE_STARTPC] = measure_startpc,
	[PW_MEASURE_M_P] = measure_m_p,
	[PW_MEASURE_RUNQHEAD] = measure_runqhead,
	[PW_MEASURE_M_CURG] = measure_m_curg,
	[PW_MEASURE_SCHED_BP] = measure_sched_bp,
	[PW_MEASURE_HEAPMARKED] = measure_heapmarked,
	[PW_MEASURE_LAST_GC_UNIX] = measure_last_gc_unix,
	[PW_MEASURE_NGSYS] = measure_ngsys,
	[PW_MEASURE_M_NCGOCALL] = measure_ncgocall,
	[PW_MEASURE_M_LOCK_WAIT] = measure_lock_wait,
};

int64_t pw_measure(struct pw_survey *survey, enum pw_measure_id id)
{
	int64_t offset = measures[id](survey);

	return offset >= 0 && offset < OFFSET_MAX ? offset : PW_NOT_MEASURED;
}
