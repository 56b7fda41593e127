/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Where running goroutines stood when the core was made. A live one is on the move; here each thread has left its
 * registers (NT_PRSTATUS). Which thread: m.procid of the m that g.m names and that names g in m.curg. Then the stack
 * pointer tells which of the three stacks of an m was in use:
 *
 *	the goroutine's		pc and sp are those of the goroutine; on arm64 so is the register of return addresses,
 *				which is where a function without a frame returns to
 *	g0's			systemstack, mcall and morestack have saved where the goroutine left in g.sched
 *				(src/runtime/asm_amd64.s, asm_arm64.s); calls into the vDSO have not, but leave it in
 *				m.vdsoPC and vdsoSP (src/runtime/time_linux_amd64.s, sys_linux_arm64.s)
 *	the signal stack	a handler runs, as in all threads after GOTRACEBACK=crash: the kernel has put the
 *				interrupted registers there, as a ucontext (uapi/asm/sigcontext.h, ucontext.h of x86 and
 *				arm64; src/runtime/defs_linux_amd64.go, defs_linux_arm64.go)
 *
 * Programs built with -race, -msan or -asan switch to g0's stack without saving anything: nothing is said of those.
 */
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "target/core.h"
#include "target/goroutines.h"
#include "target/gread.h"
#include "target/target.h"

#define M_SIZE_MAX    (64 << 10) /* offsets inside m; it has 2 kB in Go 1.27 */
#define SIGNAL_STACK  (64 << 10) /* looked through at most: gsignal has 32 kB (src/runtime/os_linux.go:mpreinit) */
#define FPSIMD_MAGIC  0x46508001 /* arch/arm64/include/uapi/asm/sigcontext.h: what the kernel always puts first */
#define CS_USER	      0x33	 /* arch/x86/include/asm/segment.h:__USER_CS */
#define CONTEXT_WORDS 59	 /* of a ucontext that are looked at, on either processor */

/* Words of a ucontext: uc_flags, uc_link, uc_stack {base, flags, size}, then what each processor has. */
enum { UC_LINK = 1, UC_STACK_BASE = 2, UC_STACK_SIZE = 4 };

static const struct context {
	uint8_t words, sp, pc, lr; /* lr 0: no such register */
	uint8_t sure;		   /* a word of which some bits are always the same: */
	uint64_t mask, value;
} contexts[] = {
	[PW_ARCH_AMD64] = {.words = 24, .sp = 20, .pc = 21, .sure = 23, .mask = 0xffff, .value = CS_USER},
	[PW_ARCH_ARM64] =
		{.words = 59, .sp = 54, .pc = 55, .lr = 53, .sure = 58, .mask = UINT32_MAX, .value = FPSIMD_MAGIC},
};

struct place {
	uint64_t pc, sp, lr;
	bool exact;
};

struct machine { /* what of an m is needed */
	uint64_t procid, curg, g0, vdso_sp, vdso_pc;
};

static int read_field(struct pw_target *target, uint64_t base, enum pw_field field, uint64_t *ret_value)
{
	int32_t offset = pw_field_offset(&target->build->facts.layout, field, M_SIZE_MAX);

	return offset < 0 ? -ENOTSUP : pw_mem_read_u64(&target->mem, base + (uint64_t)offset, ret_value);
}

static int read_machine(struct pw_target *target, uint64_t g, struct machine *ret_m)
{
	struct machine m = {};
	uint64_t addr = 0;
	int r = read_field(target, g, PW_FIELD_G_M, &addr);

	if (!r && !addr)
		r = -ENODATA;
	if (!r)
		r = read_field(target, addr, PW_FIELD_M_PROCID, &m.procid);
	if (!r)
		r = read_field(target, addr, PW_FIELD_M_CURG, &m.curg);
	if (!r)
		r = read_field(target, addr, PW_FIELD_M_G0, &m.g0);
	if (!r)
		r = read_field(target, addr, PW_FIELD_M_VDSOSP, &m.vdso_sp);
	if (!r)
		r = read_field(target, addr, PW_FIELD_M_VDSOPC, &m.vdso_pc);
	if (!r)
		*ret_m = m;
	return r;
}

static const struct pw_core_thread *thread_of(const struct pw_core *core, uint64_t tid)
{
	for (size_t i = 0; i < core->threads.count; i++)
		if ((uint64_t)core->threads.items[i].tid == tid)
			return &core->threads.items[i];
	return NULL;
}

static bool on_own_stack(const struct pw_goroutine *g, uint64_t sp)
{
	return sp >= g->stack_lo && sp < g->stack_hi;
}

static bool on_g0(struct pw_target *target, const struct machine *m, uint64_t sp)
{
	uint64_t lo, hi;

	return m->g0 && !read_field(target, m->g0, PW_FIELD_G_STACK_LO, &lo) &&
	       !read_field(target, m->g0, PW_FIELD_G_STACK_HI, &hi) && sp >= lo && sp < hi;
}

static bool is_context(const struct context *context, const uint64_t *words, uint64_t at, uint64_t sp)
{
	uint64_t base = words[UC_STACK_BASE], size = words[UC_STACK_SIZE];

	if (words[UC_LINK] || (words[context->sure] & context->mask) != context->value)
		return false;
	if (base > at || at - base >= size || sp < base)
		return false;
	/* else a signal in the handler of another: the runtime raises SIGABRT like that */
	return words[context->sp] - base >= size;
}

/* The registers that a signal interrupted: the stack above sp holds a ucontext that names this very stack. */
static bool find_interrupted(struct pw_target *target, uint64_t sp, struct place *ret_place)
{
	const struct pw_build_facts *facts = &target->build->facts;
	const struct context *context = &contexts[facts->arch];
	uint64_t text = facts->text + target->bias, etext = facts->etext + target->bias;

	for (uint64_t at = (sp + 7) & ~7ULL; at < sp + SIGNAL_STACK; at += sizeof(uint64_t)) {
		uint64_t words[CONTEXT_WORDS];

		if (pw_mem_read(&target->mem, at, words, context->words * sizeof(*words)))
			return false;
		if (!is_context(context, words, at, sp))
			continue;
		*ret_place = (struct place){.pc = words[context->pc],
					    .sp = words[context->sp],
					    .lr = context->lr ? words[context->lr] : 0,
					    .exact = true};
		return ret_place->pc >= text && ret_place->pc < etext;
	}
	return false;
}

static bool find_place(struct pw_target *target, const struct pw_goroutine *g, const struct machine *m,
		       struct place *place)
{
	bool interrupted = !on_own_stack(g, place->sp) && !on_g0(target, m, place->sp);

	if (interrupted && !find_interrupted(target, place->sp, place))
		return false;
	if (on_own_stack(g, place->sp))
		return true;
	if (!on_g0(target, m, place->sp))
		return false;
	*place = m->vdso_sp ? (struct place){.pc = m->vdso_pc, .sp = m->vdso_sp}
			    : (struct place){.pc = g->sched_pc, .sp = g->sched_sp, .lr = g->sched_lr};
	return true;
}

void pw_frozen_place(struct pw_target *target, struct pw_goroutine *goroutine)
{
	const struct pw_build_facts *facts = &target->build->facts;
	const struct pw_core_thread *thread;
	struct place place;
	struct machine m;

	if ((facts->arch != PW_ARCH_AMD64 && facts->arch != PW_ARCH_ARM64) || facts->info.instrumented ||
	    read_machine(target, goroutine->addr, &m) || m.curg != goroutine->addr)
		return;
	thread = thread_of(&target->frozen->core, m.procid);
	if (!thread)
		return;
	place = (struct place){.pc = thread->pc, .sp = thread->sp, .lr = thread->lr, .exact = true};
	if (!find_place(target, goroutine, &m, &place) || !on_own_stack(goroutine, place.sp))
		return;
	goroutine->sched_pc = place.pc;
	goroutine->sched_sp = place.sp;
	goroutine->sched_lr = place.lr;
	goroutine->placed = true;
	goroutine->exact = place.exact;
}
