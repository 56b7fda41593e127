/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/gread.h"

#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/record.h"

/* src/runtime/runtime2.go */
enum g_status {
	G_IDLE = 0,
	G_RUNNABLE = 1,
	G_RUNNING = 2,
	G_SYSCALL = 3,
	G_WAITING = 4,
	G_DEAD = 6,
	G_COPYSTACK = 8,
	G_PREEMPTED = 9,
	G_LEAKED = 10,	  /* 1.26 and later */
	G_DEADEXTRA = 11, /* 1.26 and later */
	G_SCAN = 0x1000,  /* set on top of another one while the GC scans the stack */
};

int32_t pw_field_offset(const struct pw_layout *layout, enum pw_field field, int32_t max)
{
	bool usable = layout->offset[field] >= 0 && layout->offset[field] <= max &&
		      layout->trust[field] != PW_TRUST_NONE && layout->trust[field] != PW_TRUST_CONFLICT;

	return usable ? layout->offset[field] : PW_OFFSET_NONE;
}

/* Offset of a field, and the plan's need grown to cover it. */
static int32_t take(struct pw_gread *plan, enum pw_field field, uint32_t width)
{
	int32_t offset = pw_field_offset(&plan->facts->layout, field, PW_G_SIZE_MAX);

	if (offset >= 0)
		plan->need = PW_MAX(plan->need, (uint32_t)offset + width);
	return offset;
}

static uint8_t reason_code(const struct pw_wait_reasons *reasons, const char *name)
{
	for (size_t i = 0; i < reasons->count && i < PW_WAIT_REASONS_MAX; i++)
		if (strcmp(reasons->name[i], name) == 0)
			return (uint8_t)i;
	return UINT8_MAX;
}

int pw_gread_init(struct pw_gread *ret_plan, const struct pw_build_facts *facts, uint64_t bias)
{
	struct pw_gread plan = {.facts = facts, .bias = bias, .text = facts->text + bias, .etext = facts->etext + bias};

	plan.stack_lo = take(&plan, PW_FIELD_G_STACK_LO, 8);
	plan.stack_hi = take(&plan, PW_FIELD_G_STACK_HI, 8);
	plan.sched_sp = take(&plan, PW_FIELD_G_SCHED_SP, 8);
	plan.sched_pc = take(&plan, PW_FIELD_G_SCHED_PC, 8);
	plan.status = take(&plan, PW_FIELD_G_ATOMICSTATUS, 4);
	plan.goid = take(&plan, PW_FIELD_G_GOID, 8);
	plan.wait_reason = take(&plan, PW_FIELD_G_WAITREASON, 1);
	plan.gopc = take(&plan, PW_FIELD_G_GOPC, 8);
	plan.startpc = take(&plan, PW_FIELD_G_STARTPC, 8);
	if (plan.stack_lo < 0 || plan.stack_hi < 0 || plan.sched_sp < 0 || plan.sched_pc < 0 || plan.status < 0 ||
	    plan.goid < 0 || plan.wait_reason < 0 || plan.gopc < 0 || plan.startpc < 0)
		return -ENOTSUP;
	plan.tracking_seq = take(&plan, PW_FIELD_G_TRACKINGSEQ, 1);
	plan.syscall_sp = take(&plan, PW_FIELD_G_SYSCALLSP, 8);
	plan.syscall_pc = take(&plan, PW_FIELD_G_SYSCALLPC, 8);
	plan.sched_lr = facts->arch == PW_ARCH_ARM64 ? take(&plan, PW_FIELD_G_SCHED_LR, 8) : PW_OFFSET_NONE;
	plan.waiting = take(&plan, PW_FIELD_G_WAITING, 8);
	plan.labels = take(&plan, PW_FIELD_G_LABELS, 8);
	plan.lockedm = take(&plan, PW_FIELD_G_LOCKEDM, 8);
	plan.parent_goid = take(&plan, PW_FIELD_G_PARENTGOID, 8);
	plan.finalizer_wait = reason_code(&facts->wait_reasons, "finalizer wait");
	plan.cleanup_wait = reason_code(&facts->wait_reasons, "cleanup wait");
	plan.coroutine = reason_code(&facts->wait_reasons, "coroutine");
	*ret_plan = plan;
	return 0;
}

/* Not by way of pw_bytes, which took 8% of a whole look at 100,000 goroutines; take() has made need cover the field. */
static inline uint64_t field(const struct pw_gread *plan, const uint8_t *bytes, int32_t offset, unsigned int width)
{
	uint64_t value = 0;

	if (offset < 0 || (uint32_t)offset + width > plan->need || width > sizeof(value))
		return 0;
	memcpy(&value, bytes + offset, width);
	return value;
}

static bool in_text(const struct pw_gread *plan, uint64_t pc)
{
	return pc >= plan->text && pc <= plan->etext;
}

static bool in_runtime(const struct pw_build_facts *facts, uint64_t pc)
{
	size_t low = 0, high = facts->runtime_range_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct pw_address_range *range = &facts->runtime_ranges[middle];

		if (pc < range->start)
			high = middle;
		else if (pc >= range->end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/*
 * runtime.isSystemGoroutine (src/runtime/traceback.go). The two goroutines that run finalizers and cleanups are the
 * runtime's own unless they run the program's code just then; the runtime keeps that in flags of its own, we tell it
 * from their wait: in their own loop they wait for work, and nowhere else with that reason.
 */
static bool is_system(const struct pw_gread *plan, const struct pw_goroutine *goroutine)
{
	const struct pw_build_facts *facts = plan->facts;
	uint64_t pc = goroutine->startpc - plan->bias;

	if (!goroutine->startpc)
		return false;
	if (pc == facts->runtime_main || pc == facts->runtime_corostart || pc == facts->runtime_handle_async_event)
		return false;
	if (pc == facts->runtime_runfinq || pc == facts->runtime_run_cleanups)
		return goroutine->status != PW_GOROUTINE_WAITING || goroutine->wait_reason == plan->finalizer_wait ||
		       goroutine->wait_reason == plan->cleanup_wait || plan->finalizer_wait == UINT8_MAX;
	return in_runtime(facts, pc);
}

/* False: a status that does not exist. */
static bool class_of(uint32_t status, uint8_t *ret_class, bool *ret_dead)
{
	*ret_dead = false;
	switch (status & ~(uint32_t)G_SCAN) {
	case G_RUNNABLE:
		*ret_class = PW_GOROUTINE_RUNNABLE;
		return true;
	case G_RUNNING:
	case G_COPYSTACK: /* its stack is being moved: it runs, or will in a moment */
		*ret_class = PW_GOROUTINE_RUNNING;
		return true;
	case G_SYSCALL:
		*ret_class = PW_GOROUTINE_SYSCALL;
		return true;
	case G_WAITING:
		*ret_class = PW_GOROUTINE_WAITING;
		return true;
	case G_PREEMPTED:
		*ret_class = PW_GOROUTINE_PREEMPTED;
		return true;
	case G_LEAKED:
		*ret_class = PW_GOROUTINE_LEAKED;
		return true;
	case G_IDLE:
	case G_DEAD:
	case G_DEADEXTRA:
		*ret_dead = true;
		return true;
	}
	return false;
}

/* Stack bounds and saved registers; of one that is running they mean nothing. */
static const char *check_stack(const struct pw_gread *plan, const struct pw_goroutine *g)
{
	if (g->stack_lo >= g->stack_hi || g->stack_hi - g->stack_lo > PW_STACK_SIZE_MAX)
		return "stack bounds";
	if (g->status == PW_GOROUTINE_RUNNING || g->status == PW_GOROUTINE_SYSCALL)
		return NULL;
	if (g->sched_sp < g->stack_lo || g->sched_sp > g->stack_hi)
		return "saved stack pointer";
	return in_text(plan, g->sched_pc) ? NULL : "saved program counter";
}

/* A system call leaves its place in registers of its own; 0 while it is being entered or left. */
static void use_syscall_registers(const struct pw_gread *plan, const uint8_t *bytes, uint64_t *ret_sp, uint64_t *ret_pc)
{
	uint64_t sp = field(plan, bytes, plan->syscall_sp, 8), pc = field(plan, bytes, plan->syscall_pc, 8);

	if (!sp || !pc)
		return;
	*ret_sp = sp;
	*ret_pc = pc;
}

/* All but its status, which is known. Written in place: a copy of it took a tenth of a census. */
static void take_fields(const struct pw_gread *plan, uint64_t addr, const uint8_t *bytes, struct pw_goroutine *g)
{
	g->addr = addr;
	g->sched_sp = field(plan, bytes, plan->sched_sp, 8);
	g->sched_pc = field(plan, bytes, plan->sched_pc, 8);
	g->stack_lo = field(plan, bytes, plan->stack_lo, 8);
	g->stack_hi = field(plan, bytes, plan->stack_hi, 8);
	g->wait_reason = (uint8_t)field(plan, bytes, plan->wait_reason, 1);
	g->tracking_seq = (uint8_t)field(plan, bytes, plan->tracking_seq, 1);
	g->system = g->placed = g->exact = false;
	g->locked_to_thread = field(plan, bytes, plan->lockedm, 8) != 0;
	g->sched_lr = field(plan, bytes, plan->sched_lr, 8);
	g->goid = field(plan, bytes, plan->goid, 8);
	g->parent_goid = field(plan, bytes, plan->parent_goid, 8);
	g->gopc = field(plan, bytes, plan->gopc, 8);
	g->startpc = field(plan, bytes, plan->startpc, 8);
	g->waiting = field(plan, bytes, plan->waiting, 8);
	g->labels = field(plan, bytes, plan->labels, 8);
}

/* NULL: it may be a goroutine; else the field that cannot be. */
static const char *check_fields(const struct pw_gread *plan, const struct pw_goroutine *g)
{
	size_t reasons = plan->facts->wait_reasons.count;

	if (!g->goid || g->goid > PW_GOID_MAX || g->parent_goid > PW_GOID_MAX)
		return "goid";
	if ((g->startpc && !in_text(plan, g->startpc)) || (g->gopc && !in_text(plan, g->gopc)))
		return "start address";
	if (g->status == PW_GOROUTINE_WAITING && reasons && g->wait_reason >= reasons)
		return "wait reason";
	return check_stack(plan, g);
}

enum pw_gread_verdict pw_gread_parse(const struct pw_gread *plan, uint64_t addr, const uint8_t *bytes,
				     struct pw_goroutine *ret_goroutine, const char **ret_what)
{
	bool dead;

	*ret_what = "status";
	if (!class_of((uint32_t)field(plan, bytes, plan->status, 4), &ret_goroutine->status, &dead)) {
		ret_goroutine->addr = 0;
		return PW_GREAD_BAD;
	}
	if (dead)
		return PW_GREAD_DEAD;
	take_fields(plan, addr, bytes, ret_goroutine);
	if (ret_goroutine->status == PW_GOROUTINE_SYSCALL)
		use_syscall_registers(plan, bytes, &ret_goroutine->sched_sp, &ret_goroutine->sched_pc);
	*ret_what = check_fields(plan, ret_goroutine);
	if (*ret_what) {
		ret_goroutine->addr = 0;
		return PW_GREAD_BAD;
	}
	ret_goroutine->system = is_system(plan, ret_goroutine);
	return PW_GREAD_LIVE;
}

bool pw_gread_stood_still(const struct pw_gread *plan, const uint8_t *bytes, const struct pw_goroutine *goroutine)
{
	uint64_t sp = field(plan, bytes, plan->sched_sp, 8), pc = field(plan, bytes, plan->sched_pc, 8);
	uint8_t status;
	bool dead;

	if (!class_of((uint32_t)field(plan, bytes, plan->status, 4), &status, &dead) || dead)
		return false;
	if (status == PW_GOROUTINE_SYSCALL)
		use_syscall_registers(plan, bytes, &sp, &pc);
	return status == goroutine->status && sp == goroutine->sched_sp && pc == goroutine->sched_pc &&
	       field(plan, bytes, plan->goid, 8) == goroutine->goid &&
	       field(plan, bytes, plan->stack_hi, 8) == goroutine->stack_hi &&
	       (uint8_t)field(plan, bytes, plan->tracking_seq, 1) == goroutine->tracking_seq;
}

bool pw_gread_same_park(const struct pw_gread *plan, const uint8_t *bytes, const struct pw_goroutine *goroutine)
{
	return pw_gread_stood_still(plan, bytes, goroutine) &&
	       (uint8_t)field(plan, bytes, plan->wait_reason, 1) == goroutine->wait_reason &&
	       field(plan, bytes, plan->waiting, 8) == goroutine->waiting &&
	       field(plan, bytes, plan->startpc, 8) == goroutine->startpc;
}
