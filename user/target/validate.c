/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Before anything in a process is believed: does what the file says fit what is in memory? First the bias, from the
 * mapping of the text segment; then runtime.firstmoduledata, which holds its own addresses; then goroutines, Ps and
 * counters, each against what they must be. What fails closes the memory of this target, with a sentence.
 */
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/capable.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/why.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/heap_profile.h"
#include "target/runtime.h"
#include "target/target.h"

#define SAMPLE_MAX 512
#define FIRST_MAX  16 /* of these each one: the runtime's own are among them */

/* src/runtime/symtab.go:moduledata: text and etext have been at these offsets since go1.16 (and are in 1.27). */
#define MODULEDATA_TEXT 0xb0

static int closed(struct pw_target *target, const char *fmt, ...) pw_printf_like(2, 3);
static int closed(struct pw_target *target, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(target->memory_reason, sizeof(target->memory_reason), fmt, args) < 0)
		target->memory_reason[0] = '\0';
	va_end(args);
	target->memory_ok = false;
	return -EFAULT;
}

/* ---- where the program lies ---- */

struct candidate {
	uint64_t bias;
	int rank; /* 2 device and inode are the executable's, 1 the inode is (btrfs and overlayfs show another device)
		   */
};

/* live = link-time + bias, by one mapping of the file. */
static uint64_t bias_of(const struct pw_proc_map *map, const struct pw_elf_segment *segment)
{
	return (map->start - map->offset) - (segment->vaddr - segment->offset);
}

static bool is_text_mapping(const struct pw_target *target, const struct pw_proc_map *map)
{
	const struct pw_build_facts *facts = &target->build->facts;
	uint64_t text_offset = facts->text - facts->text_segment.vaddr + facts->text_segment.offset;

	return map->executable && map->inode == target->exe_inode && text_offset >= map->offset &&
	       text_offset - map->offset < map->end - map->start;
}

/* The process's own copy of its moduledata must hold the addresses that this bias gives. */
static int check_moduledata(struct pw_target *target, uint64_t bias)
{
	const struct pw_build_facts *facts = &target->build->facts;
	uint64_t bounds[2];
	int r = pw_mem_read(&target->mem, facts->moduledata + bias + MODULEDATA_TEXT, bounds, sizeof(bounds));

	if (r)
		return r;
	return bounds[0] == facts->text + bias && bounds[1] == facts->etext + bias ? 0 : -EBADMSG;
}

static int find_bias(struct pw_target *target, const struct pw_procfs *procfs)
{
	const struct pw_build_facts *facts = &target->build->facts;
	struct pw_proc_maps maps = {};
	struct candidate best = {};
	int r = pw_procfs_maps(procfs, target->pid, &maps), error = -ENODATA;

	if (r)
		return r;
	pw_vec_foreach (&maps, map) {
		struct candidate candidate;

		if (!is_text_mapping(target, map))
			continue;
		candidate.bias = bias_of(map, &facts->text_segment);
		candidate.rank = makedev(map->dev_major, map->dev_minor) == target->exe_dev ? 2 : 1;
		r = check_moduledata(target, candidate.bias);
		if (r == -ESRCH || r == -EPERM)
			candidate.rank = 1; /* cannot be told; the first mapping is the loader's */
		if (!r && candidate.rank < 3)
			candidate.rank += 2;
		if (candidate.rank > best.rank) {
			best = candidate;
			error = r;
		}
	}
	pw_proc_maps_done(&maps);
	if (!best.rank)
		return -ENODATA;
	target->bias = best.bias;
	target->bias_known = error == 0 || error == -EPERM;
	return error;
}

static void say_forbidden(struct pw_target *target, const struct pw_procfs *procfs)
{
	_cleanup_buf_ struct pw_buf scope = PW_BUF_INIT(64);

	if (!pw_procfs_read(procfs, 0, "sys/kernel/yama/ptrace_scope", &scope) && pw_buf_text(&scope)[0] == '3')
		closed(target, "this host forbids reading other processes' memory until it boots again "
			       "(kernel.yama.ptrace_scope is 3): set it to 2 or less at boot");
	else if (pw_capable(CAP_SYS_PTRACE))
		closed(target, "no permission to read its memory: we hold CAP_SYS_PTRACE, but the kernel or a security "
			       "module refuses it (is the process outside of our user namespace or container?)");
	else
		closed(target, "no permission to read its memory: run as root, or with CAP_SYS_PTRACE");
}

/* ---- what lies there ---- */

static int compare_goids(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

struct sample {
	struct pw_gread plan;
	size_t looked, live, bad;
	size_t with_gopc, with_startpc;	 /* of the live ones */
	size_t helpers, helpers_at_rest; /* of them the runtime's own that wait; that wait for what these wait for */
	uint64_t goids[SAMPLE_MAX];
	const char *what; /* makes the first bad one bad */
	uint64_t bad_addr;
};

/* The runtime's own goroutines, started by runtime.init and gcenable, wait for one of these nearly all the time. */
static void count_helper(struct sample *sample, const struct pw_goroutine *goroutine)
{
	static const char *const reasons[] = {"force gc (idle)", "GC sweep wait", "GC scavenge wait",
					      "GC worker (idle)"};
	const struct pw_wait_reasons *names = &sample->plan.facts->wait_reasons;

	if (!goroutine->system || goroutine->status != PW_GOROUTINE_WAITING || goroutine->wait_reason >= names->count)
		return;
	sample->helpers++;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		sample->helpers_at_rest += strcmp(names->name[goroutine->wait_reason], reasons[i]) == 0;
}

/* One goroutine, looked at up to three times: it may be on its way from one state to the next. */
static int look_at(struct pw_target *target, struct sample *sample, uint64_t addr)
{
	uint8_t bytes[PW_G_SIZE_MAX + 8];
	enum pw_gread_verdict verdict = PW_GREAD_BAD;
	struct pw_goroutine goroutine;
	const char *what = "address";

	for (int attempt = 0; attempt < 3 && verdict == PW_GREAD_BAD; attempt++) {
		int r = pw_mem_read(&target->mem, addr, bytes, sample->plan.need);

		if (r == -EFAULT)
			break;
		if (r)
			return r;
		verdict = pw_gread_parse(&sample->plan, addr, bytes, &goroutine, &what);
	}
	sample->looked++;
	if (verdict == PW_GREAD_LIVE) {
		sample->goids[sample->live++] = goroutine.goid;
		sample->with_gopc += goroutine.gopc != 0;
		sample->with_startpc += goroutine.startpc != 0;
		count_helper(sample, &goroutine);
	}
	if (verdict == PW_GREAD_BAD && !sample->bad++) {
		sample->what = what;
		sample->bad_addr = addr;
	}
	return 0;
}

static int look_at_goroutines(struct pw_target *target, struct sample *sample)
{
	struct pw_runtime_list list;
	uint64_t step;
	int r = pw_gread_init(&sample->plan, &target->build->facts, target->bias);

	if (!r)
		r = pw_runtime_goroutine_list(target, &list);
	if (r == -EBADMSG)
		return closed(target, "the length of its goroutine list makes no sense: please report this build (%s)",
			      target->build->facts.info.go_version);
	if (r)
		return r;
	if (!list.length) {
		target->starting = true;
		return closed(target, "its runtime has not started yet: it is looked at again");
	}
	step = PW_MAX(list.length / SAMPLE_MAX, (uint64_t)1);
	for (uint64_t i = 0; !r && i < list.length && sample->looked < SAMPLE_MAX; i += i < FIRST_MAX ? 1 : step) {
		uint64_t addr;

		r = pw_mem_read_u64(&target->mem, list.addr + i * sizeof(addr), &addr);
		if (!r)
			r = look_at(target, sample, addr);
	}
	return r;
}

static int judge_goroutines(struct pw_target *target, struct sample *sample)
{
	const char *version = target->build->facts.info.go_version;

	if (sample->bad * 50 > sample->looked)
		return closed(
			target,
			"goroutines do not look as %s lays them out (%s of the one at 0x%llx): please report this "
			"build; counts from probes are not affected",
			version, sample->what, (unsigned long long)sample->bad_addr);
	if (!sample->live) {
		target->starting = true;
		return closed(target, "its runtime has no goroutine yet: it is looked at again");
	}
	/* Then it is another field that we look at. */
	if (!sample->with_gopc || !sample->with_startpc || (sample->helpers >= 3 && !sample->helpers_at_rest))
		return closed(target, "goroutines have no %s where %s has it: please report this build",
			      !sample->with_gopc      ? "go statement"
			      : !sample->with_startpc ? "start address"
						      : "wait reason",
			      version);
	qsort(sample->goids, sample->live, sizeof(sample->goids[0]), compare_goids);
	for (size_t i = 1; i < sample->live; i++)
		if (sample->goids[i] == sample->goids[i - 1])
			return closed(target, "two goroutines have the number %llu: the layout of %s is not known",
				      (unsigned long long)sample->goids[i], version);
	return 0;
}

static int check_ps(struct pw_target *target, const struct pw_runtime_ps *ps)
{
	int32_t id_at = pw_field_offset(&target->build->facts.layout, PW_FIELD_P_ID, PW_P_SIZE_MAX);

	for (uint64_t i = 0; id_at >= 0 && i < ps->length; i++) {
		uint32_t id;
		int r = pw_mem_read_u32(&target->mem, ps->addr[i] + (uint64_t)id_at, &id);

		if (r)
			return r;
		if (id != i)
			return -EBADMSG;
	}
	return 0;
}

/* Ps and counters: births and NumGoroutine need them, the walk of goroutines does not. So what fails is a remark. */
static int check_scheduler(struct pw_target *target, uint64_t goid_max)
{
	const struct pw_build_facts *facts = &target->build->facts;
	int32_t goidgen_at = pw_field_offset(&facts->layout, PW_FIELD_SCHED_GOIDGEN, PW_SCHED_SIZE_MAX);
	_cleanup_free_ struct pw_runtime_ps *ps = malloc(sizeof(*ps));
	uint64_t sched = facts->globals.addr[PW_GLOBAL_SCHED], goidgen;
	int r = ps ? pw_runtime_read_ps(target, ps) : -ENOMEM;

	if (!r)
		r = check_ps(target, ps);
	if (!r && sched && goidgen_at >= 0) {
		r = pw_mem_read_u64(&target->mem, sched + target->bias + (uint64_t)goidgen_at, &goidgen);
		if (!r && goidgen < goid_max)
			r = -EBADMSG;
	}
	if (r == -ESRCH || r == -EPERM)
		return r;
	if (r)
		snprintf(target->memory_reason, sizeof(target->memory_reason),
			 "its scheduler does not look as %s lays it out: ages and spawn totals are not to be had",
			 facts->info.go_version);
	return 0;
}

static int check_memory(struct pw_target *target)
{
	_cleanup_free_ struct sample *sample = calloc(1, sizeof(*sample));
	int r;

	if (!sample)
		return -ENOMEM;
	r = look_at_goroutines(target, sample);
	if (!r)
		r = judge_goroutines(target, sample);
	if (!r)
		r = check_scheduler(target, sample->goids[sample->live - 1]);
	return r;
}

static int check_identity(const struct pw_target *target, const struct pw_procfs *procfs)
{
	struct pw_proc_id id = {.pid = target->pid, .start_ticks = target->start_time_ticks};
	struct pw_proc_file_id file;
	int r = pw_procfs_check_id(procfs, &id);

	if (!r)
		r = pw_procfs_exe_id(procfs, target->pid, &file);
	if (r)
		return r == -ENOENT ? -ESRCH : r; /* a zombie has no executable */
	return file.dev == target->exe_dev && file.inode == target->exe_inode ? 0 : -ESTALE;
}

/* Nothing is known of the memory yet. */
static void begin_validation(struct pw_target *target)
{
	const struct pw_build_facts *facts = &target->build->facts;

	target->symbols_ok = !facts->why_no_symbols[0];
	snprintf(target->symbols_reason, sizeof(target->symbols_reason), "%s", facts->why_no_symbols);
	target->memory_ok = target->bias_known = target->starting = false;
	target->memory_reason[0] = '\0';
}

int pw_target_validate(struct pw_target *target, const struct pw_procfs *procfs)
{
	const struct pw_build_facts *facts = &target->build->facts;
	int r = check_identity(target, procfs);

	if (r)
		return r;
	begin_validation(target);
	r = facts->text_segment.memsz ? find_bias(target, procfs) : -ENODATA;
	if (facts->why_no_memory[0])
		closed(target, "%s", facts->why_no_memory);
	else if (r == -EPERM || r == -EACCES)
		say_forbidden(target, procfs);
	else if (r == -ENODATA)
		closed(target, "its code is not mapped from its executable (packed?): run the unpacked program");
	else if (r == -EBADMSG || r == -EFAULT) {
		target->starting = true; /* before the dynamic linker has relocated it */
		closed(target, "what is mapped does not fit its executable: was the file overwritten while it runs?");
	} else if (!r) {
		r = check_memory(target);
		target->memory_ok = !r;
		if (r == -EPERM)
			say_forbidden(target, procfs);
		else if (r && !target->memory_reason[0])
			closed(target, "its memory cannot be read: %s", pw_why_text(NULL, r));
	}
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	r = check_identity(target, procfs);
	if (r)
		return r;
	target->heap_remark = target->memory_ok ? pw_heap_absence_text(pw_heap_absence(target)) : NULL;
	target->state = target->memory_ok ? PW_TARGET_READABLE : PW_TARGET_DEGRADED;
	return 0;
}

int pw_target_validate_frozen(struct pw_target *target, const uint64_t *biases, size_t count)
{
	const struct pw_build_facts *facts = &target->build->facts;
	int r = -EFAULT;

	begin_validation(target);
	for (size_t i = 0; i < count && !target->bias_known; i++) {
		int error = check_moduledata(target, biases[i]);

		r = error == -EFAULT ? r : error;
		target->bias = biases[i];
		target->bias_known = !error;
	}
	if (facts->why_no_memory[0] || r) {
		closed(target, "%s",
		       facts->why_no_memory[0] ? facts->why_no_memory
		       : r == -EFAULT	       ? "the data of its runtime is not in the core: it is cut, or was made "
						 "without it (see coredump_filter in core(5))"
					       : "the executable does not fit the core: give the right one with --exe");
		return 0;
	}
	r = check_memory(target);
	if (r == -ENOMEM)
		return r;
	target->memory_ok = !r;
	if (target->starting)
		closed(target, "its runtime had not started yet");
	else if (r && !target->memory_reason[0])
		closed(target, "its goroutines are not in the core: it is cut, or was made without them");
	target->state = target->memory_ok ? PW_TARGET_READABLE : PW_TARGET_DEGRADED;
	return 0;
}

/*
 * A breakpoint over an otherwise unchanged instruction is a uprobe (of another parkwatch, of bpftrace, or of ours
 * before an exec) unless a debugger is attached: uprobes share a place, a debugger's breakpoint would be lost at our
 * detach.
 */
static bool is_uprobe(const struct pw_target *target, const struct pw_site *site, const uint8_t *live)
{
	static const uint8_t amd64[] = {0xcc},
			     arm64[] = {0xa0, 0x00, 0x20, 0xd4}; /* int3; brk #5 (BRK64_OPCODE_UPROBES) */
	bool arm = target->build->facts.arch == PW_ARCH_ARM64;
	const uint8_t *breakpoint = arm ? arm64 : amd64;
	size_t size = arm ? sizeof(arm64) : sizeof(amd64);
	struct pw_proc_status status;
	struct pw_procfs procfs;

	if (site->insn_size < size || memcmp(live, breakpoint, size) ||
	    memcmp(live + size, site->insn + size, site->insn_size - size) || pw_procfs_open(&procfs, "/proc"))
		return false;
	int r = pw_procfs_status(&procfs, target->pid, &status);
	pw_procfs_done(&procfs);
	return !r && !status.tracer_pid;
}

int pw_target_check_sites(struct pw_target *target, struct pw_why *reterr_why)
{
	const struct pw_build_facts *facts = &target->build->facts;

	if (!target->bias_known)
		return -EPERM;
	for (size_t i = 0; i < _PW_EVENT_MAX; i++) {
		const struct pw_site *site = &facts->sites[i];
		uint8_t live[sizeof(site->insn)];
		int r;

		if (!site->found || !site->insn_size)
			continue;
		r = pw_mem_read(&target->mem, site->addr + target->bias, live, site->insn_size);
		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r || (memcmp(live, site->insn, site->insn_size) && !is_uprobe(target, site, live)))
			return pw_why_set(
				reterr_why, -EBUSY,
				"the code of %s at +0x%x is not that of the file: a debugger's breakpoint, or "
				"a program that changes its own code",
				site->function, site->function_offset);
	}
	return 0;
}
