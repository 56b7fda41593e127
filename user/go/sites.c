/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a uprobe goes, by rules over the machine code of this very binary. For each event there is a list of places,
 *best first; the first one that passes all checks is taken and the note says why those before it were not.
 *
 *	prologue  the function runs on g0 only, whose stack never grows: the jbe (b.ls) of the stack check is emulated
 *by the kernel, hit exactly once, and all arguments are still in their registers post	  the function runs on a user
 *goroutine, where the stack check is run again after each growth and each preemption: the first emulated instruction
 *behind it, before any branch target, with the wanted registers followed through copies call	  the call itself of a
 *named function inside another: its arguments are in their registers
 *	result	  the first emulated instruction behind a call that returns the wanted value
 *	step	  last resort: an instruction that the kernel must single-step, at ten times the price
 *
 * An instruction inside a loop, or one that a branch reaches behind the point where registers are known, is never
 *taken. Facts: src/runtime/proc.go (newproc, newproc1, gopark, park_m, execute, gdestroy, goexit0), mgc.go (gcMark,
 *gcSweep, gcResetMarkState), stack check: cmd/internal/obj/x86/obj6.go, cmd/internal/obj/arm64/obj7.go.
 */
#include "go/sites.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "binary/disasm.h"
#include "binary/pclntab.h"
#include "go/funcs.h"
#include "go/insns.h"
#include "go/layout.h"
#include "go/siterules.h"

#define CLOSURES_MAX	 8  /* func1 to func8 of a function; gcMarkTermination has six */
#define INLINE_DEPTH_MAX 16 /* frames of one pc that are looked at */
#define G_DEAD		 6  /* _Gdead, src/runtime/runtime2.go, go1.17 to go1.27 */

enum rule { RULE_PROLOGUE, RULE_POST, RULE_CALL, RULE_RESULT, RULE_STEP };

/* Where a wanted value is when the rule starts: nowhere, the current g, or the n-th argument (or first result). */
enum value { VALUE_NONE, VALUE_G, VALUE_ARG0, VALUE_ARG1, VALUE_ARG2 };

struct place {
	enum rule rule;
	enum pw_func_id func;
	const char *callee; /* CALL, RESULT, STEP */
	enum value g, arg;
	int8_t arg_since;	/* the argument exists from this minor on */
	int8_t since;		/* the function is there, or sees the event, from this minor on */
	bool user_g;		/* runs on the goroutine itself, not on g0 */
	bool misses_coroutines; /* from 1.22 on, goroutines of iter.Pull do not come by */
	bool of_dead;		/* CALL: the one with _Gdead as second argument */
	const char *callers;	/* functions, with closures if marked by '*', that must not have func inlined */
};

/*
 * Profile-guided builds inline even these, and where one caller has its own copy the function sees only the others: Go
 * 1.27 with a profile of a program that starts many goroutines has gdestroy in goexit0, and a probe on gdestroy would
 * count coroutines only (measured: 100 of 9120 exits).
 */
#define CALLERS_NEWPROC1 "runtime.newproc* runtime.newcoro*"
#define CALLERS_GDESTROY "runtime.goexit0 runtime.coroexit"
#define CALLERS_GOPARK                                                                                                \
	"runtime.chanrecv runtime.chansend runtime.selectgo runtime.semacquire1 runtime.timeSleep "                   \
	"runtime.netpollblock runtime.goparkunlock sync.runtime_notifyListWait runtime.block runtime.gcBgMarkWorker " \
	"runtime.runFinalizers runtime.runfinq runtime.forcegchelper runtime.bgsweep runtime.bgscavenge"
#define CALLERS_GC    "runtime.gcMarkTermination*"
#define CALLERS_STOP  "runtime.stopTheWorld* runtime.stopTheWorldGC* runtime.gcStart* runtime.gcMarkDone*"
#define CALLERS_START "runtime.startTheWorld* runtime.startTheWorldGC* runtime.gcStart* runtime.gcMarkDone* " CALLERS_GC
#define CALLERS_EXECUTE \
	"runtime.schedule runtime.exitsyscall0 runtime.exitsyscallNoP runtime.exitsyscall* runtime.coroswitch_m"
#define CALLERS_REFILL	    "runtime.(*mcache).nextFree runtime.mallocgc"
#define CALLERS_ALLOC_LARGE "runtime.mallocgc runtime.mallocgcLarge"

/* clang-format off */
static const struct place spawn_places[] = {
	{ .rule = RULE_CALL, .func = PW_FUNC_NEWPROC1, .callee = "runtime.casgstatus", .g = VALUE_ARG0, .of_dead = true,
	  .callers = CALLERS_NEWPROC1 },
	{ .rule = RULE_CALL, .func = PW_FUNC_NEWPROC_FUNC1, .callee = "runtime.runqput", .g = VALUE_ARG1,
	  .misses_coroutines = true },
	{ .rule = RULE_RESULT, .func = PW_FUNC_NEWPROC_FUNC1, .callee = "runtime.newproc1", .g = VALUE_ARG0,
	  .misses_coroutines = true },
	{ .rule = RULE_CALL, .func = PW_FUNC_NEWPROC_FUNC1, .callee = "runtime.casgstatus", .g = VALUE_ARG0, .of_dead = true,
	  .misses_coroutines = true },
	{ .rule = RULE_STEP, .func = PW_FUNC_NEWPROC_FUNC1, .callee = "runtime.newproc1", .g = VALUE_ARG0,
	  .misses_coroutines = true },
};
static const struct place exit_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_GDESTROY, .g = VALUE_ARG0, .since = 22,
	  .callers = CALLERS_GDESTROY },
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_GOEXIT0, .g = VALUE_ARG0, .misses_coroutines = true },
	{ .rule = RULE_STEP, .func = PW_FUNC_GDESTROY, .g = VALUE_ARG0, .since = 22,
	  .callers = CALLERS_GDESTROY },
	{ .rule = RULE_STEP, .func = PW_FUNC_GOEXIT0, .g = VALUE_ARG0, .misses_coroutines = true },
};
static const struct place park_places[] = {
	{ .rule = RULE_POST, .func = PW_FUNC_GOPARK, .g = VALUE_G, .arg = VALUE_ARG2, .user_g = true,
	  .callers = CALLERS_GOPARK },
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_PARK_M, .g = VALUE_ARG0 },
	{ .rule = RULE_STEP, .func = PW_FUNC_GOPARK, .g = VALUE_G, .arg = VALUE_ARG2, .user_g = true,
	  .callers = CALLERS_GOPARK },
};
static const struct place gc_start_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_GC_RESET_MARK_STATE },
	{ .rule = RULE_POST, .func = PW_FUNC_GC_START_CYCLE, .user_g = true },
	{ .rule = RULE_STEP, .func = PW_FUNC_GC_RESET_MARK_STATE },
};
static const struct place gc_mark_termination_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_GC_MARK, .arg = VALUE_ARG0,
	  .callers = CALLERS_GC },
	{ .rule = RULE_POST, .func = PW_FUNC_GC_MARK_TERMINATION, .user_g = true },
	{ .rule = RULE_STEP, .func = PW_FUNC_GC_MARK, .arg = VALUE_ARG0,
	  .callers = CALLERS_GC },
};
static const struct place gc_sweep_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_GC_SWEEP,
	  .callers = CALLERS_GC },
	{ .rule = RULE_POST, .func = PW_FUNC_MPROF_FLUSH, .user_g = true },
	{ .rule = RULE_STEP, .func = PW_FUNC_GC_SWEEP,
	  .callers = CALLERS_GC },
};
static const struct place stw_start_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_STOP_THE_WORLD, .arg = VALUE_ARG0, .arg_since = 21,
	  .callers = CALLERS_STOP },
	{ .rule = RULE_STEP, .func = PW_FUNC_STOP_THE_WORLD, .arg = VALUE_ARG0, .arg_since = 21,
	  .callers = CALLERS_STOP },
};
static const struct place stw_end_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_START_THE_WORLD, .arg = VALUE_ARG1, .arg_since = 22,
	  .callers = CALLERS_START },
	{ .rule = RULE_STEP, .func = PW_FUNC_START_THE_WORLD, .arg = VALUE_ARG1, .arg_since = 22,
	  .callers = CALLERS_START },
};
static const struct place run_places[] = {
	{ .rule = RULE_PROLOGUE, .func = PW_FUNC_EXECUTE, .g = VALUE_ARG0,
	  .callers = CALLERS_EXECUTE },
	{ .rule = RULE_STEP, .func = PW_FUNC_EXECUTE, .g = VALUE_ARG0,
	  .callers = CALLERS_EXECUTE },
};
/* Both run on the goroutine that allocates (src/runtime/malloc.go:nextFree, mallocgcLarge, go1.19 to go1.27). */
static const struct place alloc_span_places[] = {
	{ .rule = RULE_POST, .func = PW_FUNC_MCACHE_REFILL, .arg = VALUE_ARG1, .user_g = true,
	  .callers = CALLERS_REFILL },
	{ .rule = RULE_STEP, .func = PW_FUNC_MCACHE_REFILL, .arg = VALUE_ARG1, .user_g = true,
	  .callers = CALLERS_REFILL },
};
static const struct place alloc_large_places[] = {
	{ .rule = RULE_POST, .func = PW_FUNC_MCACHE_ALLOC_LARGE, .arg = VALUE_ARG1, .user_g = true,
	  .callers = CALLERS_ALLOC_LARGE },
	{ .rule = RULE_POST, .func = PW_FUNC_MALLOCGC_LARGE, .arg = VALUE_ARG0, .user_g = true,
	  .callers = "runtime.mallocgc" },
	{ .rule = RULE_STEP, .func = PW_FUNC_MCACHE_ALLOC_LARGE, .arg = VALUE_ARG1, .user_g = true,
	  .callers = CALLERS_ALLOC_LARGE },
};
/* clang-format on */

static const struct {
	const char *name;
	const struct place *places;
	size_t count;
} events[_PW_EVENT_MAX] = {
#define EVENT(id, name, list) [PW_EVENT_##id] = {name, list, ARRAY_SIZE(list)}
	EVENT(SPAWN, "spawn", spawn_places),
	EVENT(EXIT, "exit", exit_places),
	EVENT(PARK, "park", park_places),
	EVENT(GC_START, "gc_start", gc_start_places),
	EVENT(GC_MARK_TERMINATION, "gc_mark_termination", gc_mark_termination_places),
	EVENT(GC_SWEEP, "gc_sweep", gc_sweep_places),
	EVENT(STW_START, "stw_start", stw_start_places),
	EVENT(STW_END, "stw_end", stw_end_places),
	EVENT(RUN, "run", run_places),
	EVENT(ALLOC_SPAN, "alloc_span", alloc_span_places),
	EVENT(ALLOC_LARGE, "alloc_large", alloc_large_places),
#undef EVENT
};

const char *pw_event_name(enum pw_event event)
{
	return (unsigned int)event < _PW_EVENT_MAX ? events[event].name : "?";
}

/* What the rules look at. */
struct search {
	const struct pw_elf *elf;
	const struct pw_pclntab *table;
	enum pw_arch arch;
	int go_minor;
};

static void note(struct pw_site *site, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct pw_site *site, const char *format, ...)
{
	size_t used = strlen(site->note);
	va_list arguments;

	if (used > 0 && used + 2 < sizeof(site->note))
		used += (size_t)snprintf(site->note + used, sizeof(site->note) - used, "; ");
	if (used >= sizeof(site->note))
		return;
	va_start(arguments, format);
	vsnprintf(site->note + used, sizeof(site->note) - used, format, arguments);
	va_end(arguments);
}

static uint8_t value_reg(enum pw_arch arch, enum value value)
{
	if (value == VALUE_NONE)
		return PW_REG_NONE;
	if (value == VALUE_G)
		return pw_abi_g(arch);
	return pw_abi_arg(arch, (unsigned int)(value - VALUE_ARG0));
}

static size_t find_call(const struct search *search, const struct place *place, const struct pw_code *code)
{
	size_t index = 0;

	for (;;) {
		index = pw_code_find_call(code, search->table, place->callee, index);
		if (index >= code->count || !place->of_dead || pw_call_passes_constant(code, index, G_DEAD))
			return index;
		index++;
	}
}

/* The instruction that the rule of this place names; count if there is none, with the reason in the note. */
static size_t find_insn(const struct search *search, const struct place *place, const struct pw_code *code,
			struct pw_site *site, struct pw_traced *g, struct pw_traced *arg)
{
	const char *name = pw_func_names(place->func)[0];
	size_t check, call, index = code->count;

	switch (place->rule) {
	case RULE_PROLOGUE:
		index = pw_code_stack_check(code);
		if (index >= code->count) /* go:nosplit: as for any other straight line from the entry on */
			index = pw_code_first_emulated(code, 0, g, arg);
		if (index >= code->count)
			note(site, "%s has no stack check", name);
		break;
	case RULE_POST:
		check = pw_code_stack_check(code);
		index = pw_code_first_emulated(code, check < code->count ? check + 1 : 0, g, arg);
		if (index >= code->count)
			note(site, "%s has no emulated instruction before its first branch", name);
		break;
	case RULE_CALL:
		index = find_call(search, place, code);
		if (index >= code->count)
			note(site, "no call of %s%s in %s", place->callee, place->of_dead ? " for a dead g" : "", name);
		break;
	case RULE_RESULT:
	case RULE_STEP:
		call = place->callee ? find_call(search, place, code) : 0;
		if (place->callee && call >= code->count) {
			note(site, "no call of %s in %s", place->callee, name);
			break;
		}
		if (place->callee) {
			call++;
		} else if (place->user_g) {
			check = pw_code_stack_check(code);
			call = check < code->count ? check + 1 : 0;
		}
		index = place->rule == RULE_STEP ? call : pw_code_first_emulated(code, call, g, arg);
		if (index >= code->count)
			note(site, "no emulated instruction behind the call of %s in %s", place->callee, name);
		break;
	}
	return index;
}

/* Does any call inside caller belong to an inlined copy of name? Everything that is probed contains calls. */
static bool inlined_in(const struct search *search, const char *name, const char *caller)
{
	_cleanup_(pw_code_done) struct pw_code code = {0};
	struct pw_frame_ref frames[INLINE_DEPTH_MAX];
	struct pw_func func;

	if (pw_pclntab_func_by_name(search->table, caller, &func) < 0 ||
	    pw_code_read(&code, search->elf, func.entry, func.end, NULL) < 0)
		return false;
	for (size_t i = 0; i < code.count; i++) {
		int count;

		if (code.insn[i].kind != PW_INSN_CALL)
			continue;
		count = pw_pclntab_frames(search->table, code.insn[i].addr, frames, INLINE_DEPTH_MAX);
		for (int k = 0; k < count; k++)
			if (frames[k].inlined && frames[k].function && !strcmp(frames[k].function, name))
				return true;
	}
	return false;
}

static bool inlined_in_closures(const struct search *search, const char *name, const char *caller, struct pw_site *site)
{
	char closure[128];

	for (int i = 0; i <= CLOSURES_MAX; i++) {
		snprintf(closure, sizeof(closure), i ? "%s.func%d" : "%s", caller, i);
		if (!inlined_in(search, name, closure))
			continue;
		note(site, "%s is inlined in %s", name, closure);
		return true;
	}
	return false;
}

/* Is the function of this place inlined in one of the callers that matter? Then its own code does not see every event.
 */
static bool inlined_away(const struct search *search, const struct place *place, const char *name, struct pw_site *site)
{
	const char *at = place->callers;

	while (at && *at) {
		size_t size = strcspn(at, " ");
		char caller[128];

		snprintf(caller, sizeof(caller), "%.*s", (int)size, at);
		at += size + strspn(at + size, " ");
		if (caller[size - 1] == '*') {
			caller[size - 1] = '\0';
			if (inlined_in_closures(search, name, caller, site))
				return true;
		} else if (inlined_in(search, name, caller)) {
			note(site, "%s is inlined in %s", name, caller);
			return true;
		}
	}
	return false;
}

static bool bytes_match(const struct search *search, const struct pw_insn *insn)
{
	uint8_t bytes[sizeof(insn->bytes)];

	return insn->size > 0 && insn->size <= sizeof(bytes) &&
	       pw_elf_read(search->elf, insn->addr, bytes, insn->size) >= 0 && !memcmp(bytes, insn->bytes, insn->size);
}

/* Checks the chosen instruction once more and fills the site. */
static bool fill(const struct search *search, const struct place *place, const struct pw_function *function,
		 size_t index, struct pw_site *site)
{
	const struct pw_insn *insn = &function->code.insn[index];
	bool emulated = pw_insn_emulated(search->arch, insn);
	uint64_t offset;

	if (pw_code_in_loop(&function->code, index)) {
		note(site, "%s+0x%llx is in a loop", function->func.name,
		     (unsigned long long)(insn->addr - function->func.entry));
		return false;
	}
	if (place->rule != RULE_STEP && !emulated) {
		note(site, "'%s' in %s is not emulated", insn->text, function->func.name);
		return false;
	}
	if (pw_elf_offset(search->elf, insn->addr, &offset) < 0 || !bytes_match(search, insn)) {
		note(site, "%s is not backed by the file", function->func.name);
		return false;
	}
	site->found = true;
	site->emulated = emulated;
	site->user_g = place->user_g;
	site->counts_coroutines = !place->misses_coroutines || search->go_minor < 22;
	site->insn_size = insn->size;
	memcpy(site->insn, insn->bytes, insn->size);
	site->addr = insn->addr;
	site->file_offset = offset;
	site->function_offset = (uint32_t)(insn->addr - function->func.entry);
	site->caller_missing = pw_code_frame_missing(&function->code, index);
	snprintf(site->function, sizeof(site->function), "%s", function->func.name);
	snprintf(site->instruction, sizeof(site->instruction), "%s", insn->text);
	return true;
}

/* On arm64 arguments are in registers from 1.18 on only; the g always is. */
static bool registers_usable(const struct search *search, const struct place *place)
{
	return search->arch != PW_ARCH_ARM64 || search->go_minor >= 18 ||
	       ((place->g == VALUE_NONE || place->g == VALUE_G) && place->arg == VALUE_NONE);
}

static bool try_place(const struct search *search, const struct place *place, struct pw_site *site)
{
	_cleanup_(pw_function_done) struct pw_function function = {0};
	bool has_arg = place->arg != VALUE_NONE && search->go_minor >= place->arg_since;
	struct pw_traced g = pw_trace_start(value_reg(search->arch, place->g));
	struct pw_traced arg = pw_trace_start(has_arg ? value_reg(search->arch, place->arg) : PW_REG_NONE);
	size_t index;
	int r;

	if (search->go_minor < place->since)
		return false;
	if (!registers_usable(search, place)) {
		note(site, "%s takes its arguments on the stack", pw_func_names(place->func)[0]);
		return false;
	}
	r = pw_function_read(&function, search->elf, search->table, place->func, NULL);
	if (r < 0) {
		note(site, r == -ENODATA ? "no %s" : "cannot read %s", pw_func_names(place->func)[0]);
		return false;
	}
	if (inlined_away(search, place, function.func.name, site))
		return false;
	index = find_insn(search, place, &function.code, site, &g, &arg);
	if (index >= function.code.count || !fill(search, place, &function, index, site))
		return false;
	site->g_reg = g.reg;
	site->arg_reg = arg.reg;
	if (place->rule == RULE_STEP && !site->emulated)
		note(site, "single-stepped: about 10 us per hit");
	return true;
}

/* The first place of an event that can be used. only_without_coroutines: skip places that see coroutines. */
static void find_event(const struct search *search, enum pw_event event, bool only_without_coroutines,
		       struct pw_site *site)
{
	*site = (struct pw_site){.g_reg = PW_SITE_REG_NONE, .arg_reg = PW_SITE_REG_NONE};
	for (size_t i = 0; i < events[event].count && !site->found; i++) {
		const struct place *place = &events[event].places[i];

		if (only_without_coroutines && !place->misses_coroutines)
			note(site, "%s: the exit site does not see coroutines", pw_func_names(place->func)[0]);
		else
			try_place(search, place, site);
	}
}

int pw_sites_find(struct pw_site *sites, const struct pw_elf *elf, const struct pw_pclntab *table, int go_minor,
		  struct pw_why *reterr_why)
{
	const struct search search = {.elf = elf,
				      .table = table,
				      .arch = pw_elf_arch(elf),
				      .go_minor = go_minor < 0 ? pw_layout_newest() : go_minor};
	struct pw_func func;
	struct pw_site *exit = &sites[PW_EVENT_EXIT];

	if (pw_pclntab_func_by_name(table, "runtime.gopark", &func) < 0 &&
	    pw_pclntab_func_by_name(table, "runtime.goexit0", &func) < 0)
		return pw_why_set(reterr_why, -ENODATA, "there is no Go runtime among the functions of this binary");
	for (enum pw_event event = 0; event < _PW_EVENT_MAX; event++)
		find_event(&search, event, false, &sites[event]);
	/* What is counted at birth must be counted at death: without coroutines there, none here. */
	if (exit->found && !exit->counts_coroutines && sites[PW_EVENT_SPAWN].counts_coroutines) {
		struct pw_site spawn;

		find_event(&search, PW_EVENT_SPAWN, true, &spawn);
		if (spawn.found)
			sites[PW_EVENT_SPAWN] = spawn;
		else
			note(&sites[PW_EVENT_SPAWN], "coroutines are counted here but not at their exit");
	}
	return 0;
}
