/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cgroup_pids.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/rlimits.h"
#include "model/record.h"
#include "model/holdings.h"
#include "target/gread.h"
#include "target/target.h"

#define CGROUP_ROOT	"/sys/fs/cgroup"
#define G_SYSCALL	3u	/* src/runtime/runtime2.go: _Gsyscall */
#define G_SCAN		0x1000u /* _Gscan */
#define MAX_THREADS_MAX INT32_MAX

void pw_threads_done(struct pw_threads *threads)
{
	pw_m_list_done(&threads->list);
	free(threads->calls);
	*threads = (struct pw_threads){0};
}

/* ---- what each is at ----------------------------------------------------------------------------------------------
 */

/* How many of the Ms run a goroutine that is in a system call, and not in C. PW_UNKNOWN: that cannot be told. */
static int count_syscalls(struct pw_target *target, const struct pw_m_list *list, uint64_t *ret_count)
{
	int32_t at = pw_field_offset(&target->build->facts.layout, PW_FIELD_G_ATOMICSTATUS, PW_G_SIZE_MAX);
	_cleanup_free_ struct pw_mem_range *ranges = calloc(list->count + 1, sizeof(*ranges));
	_cleanup_free_ uint32_t *status = calloc(list->count + 1, sizeof(*status));
	size_t count = 0;
	int n;

	if (!ranges || !status)
		return -ENOMEM;
	if (at < 0 || list->curg < 0 || list->in_cgo < 0)
		return 0;
	for (size_t i = 0; i < list->count; i++)
		if (!list->ms[i].in_cgo && list->ms[i].curg >= 4096 && list->ms[i].curg < PW_USER_ADDRESS_MAX) {
			ranges[count] = (struct pw_mem_range){.addr = list->ms[i].curg + (uint64_t)at,
							      .buffer = &status[count],
							      .size = sizeof(status[count])};
			count++;
		}
	n = count ? pw_mem_read_many(&target->mem, ranges, count) : 0;
	if (n < 0)
		return n == -ESRCH || n == -ENOMEM ? n : 0;
	*ret_count = 0;
	for (size_t i = 0; i < count; i++)
		*ret_count += ranges[i].ok && (status[i] & ~G_SCAN) == G_SYSCALL;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct pw_cgo_call *left = a, *right = b;

	return left->m < right->m ? -1 : left->m > right->m;
}

/* Since when the same call has been under way, as far as our looks tell. */
static uint64_t call_since(const struct pw_threads *threads, const struct pw_m_words *m, uint64_t boot_ns)
{
	const struct pw_cgo_call key = {.m = m->addr};
	const struct pw_cgo_call *before =
		threads->calls ? bsearch(&key, threads->calls, threads->call_count, sizeof(key), by_address) : NULL;

	return before && before->number == m->cgo_calls ? before->since_ns : boot_ns;
}

static int follow_calls(struct pw_threads *threads, uint64_t boot_ns, struct pw_holdings *numbers)
{
	const struct pw_m_list *list = &threads->list;
	struct pw_cgo_call *calls = calloc(list->count + 1, sizeof(*calls));
	size_t count = 0;

	if (!calls)
		return -ENOMEM;
	numbers->threads_cgo_long = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (!list->ms[i].in_cgo)
			continue;
		calls[count] = (struct pw_cgo_call){.m = list->ms[i].addr,
						    .number = list->ms[i].cgo_calls,
						    .since_ns = call_since(threads, &list->ms[i], boot_ns)};
		numbers->threads_cgo_long += boot_ns - calls[count++].since_ns >= PW_CGO_LONG_NS;
	}
	qsort(calls, count, sizeof(*calls), by_address);
	free(threads->calls);
	threads->calls = calls;
	threads->call_count = count;
	numbers->threads_cgo = count;
	return 0;
}

static int count_states(struct pw_threads *threads, struct pw_target *target, uint64_t boot_ns,
			struct pw_holdings *numbers)
{
	const struct pw_m_list *list = &threads->list;

	numbers->threads_go = list->count;
	if (list->locked_g >= 0)
		numbers->threads_locked = 0;
	for (size_t i = 0; i < list->count && list->locked_g >= 0; i++)
		numbers->threads_locked += list->ms[i].locked_g != 0;
	if (list->in_cgo >= 0 && list->cgo_calls >= 0 && follow_calls(threads, boot_ns, numbers) < 0)
		return -ENOMEM;
	return count_syscalls(target, list, &numbers->threads_syscall);
}

static uint64_t global(const struct pw_target *target, enum pw_global which)
{
	uint64_t addr = target->build->facts.globals.addr[which];

	return addr ? addr + target->bias : 0;
}

/*
 * sched.nmidle, and sched.maxmcount, the int32 between mnext (int64) and nmsys (src/runtime/runtime2.go, go1.17
 * to 1.27): believed where these two are 12 bytes apart.
 */
static int read_sched(struct pw_target *target, struct pw_holdings *numbers)
{
	const struct pw_layout *layout = &target->build->facts.layout;
	int32_t idle_at = pw_field_offset(layout, PW_FIELD_SCHED_NMIDLE, PW_SCHED_SIZE_MAX);
	int32_t next_at = pw_field_offset(layout, PW_FIELD_SCHED_MNEXT, PW_SCHED_SIZE_MAX);
	int32_t system_at = pw_field_offset(layout, PW_FIELD_SCHED_NMSYS, PW_SCHED_SIZE_MAX);
	uint64_t sched = global(target, PW_GLOBAL_SCHED);
	uint32_t idle, max;
	int r = 0;

	if (sched && idle_at >= 0) {
		r = pw_mem_read_u32(&target->mem, sched + (uint64_t)idle_at, &idle);
		if (!r && idle <= PW_MS_MAX)
			numbers->threads_idle = idle;
	}
	if (!r && sched && next_at >= 0 && system_at == next_at + 12) {
		r = pw_mem_read_u32(&target->mem, sched + (uint64_t)next_at + 8, &max);
		if (!r && max && max <= MAX_THREADS_MAX)
			numbers->threads_max = max;
	}
	return r == -ESRCH ? r : 0;
}

static int read_runtime(struct pw_threads *threads, struct pw_target *target, uint64_t boot_ns,
			struct pw_holdings *numbers)
{
	uint64_t allm = global(target, PW_GLOBAL_ALLM), first;
	struct pw_runtime_numbers unused;
	int r;

	if (!threads->started) {
		pw_m_list_init(&threads->list, &target->mem, &target->build->facts.layout);
		pw_m_list_want_states(&threads->list, &target->build->facts.layout);
		threads->started = true;
	}
	r = read_sched(target, numbers);
	if (r || !allm)
		return r;
	r = pw_mem_read_u64(&target->mem, allm, &first);
	if (r)
		return r == -ESRCH ? r : 0;
	pw_runtime_numbers_init(&unused);
	r = pw_m_list_read(&threads->list, first, &unused);
	if (r)
		return r == -ESRCH || r == -ENOMEM ? r : 0;
	return threads->list.count ? count_states(threads, target, boot_ns, numbers) : 0;
}

/* ---- limits -------------------------------------------------------------------------------------------------------
 */

static int read_limits(const struct pw_procfs *procfs, int pid, struct pw_holdings *numbers, char *path, size_t size)
{
	_cleanup_free_ struct pw_cgroup_pids *pids = malloc(sizeof(*pids));
	struct pw_proc_status status;
	struct pw_rlimits limits;
	int r;

	if (!pids)
		return -ENOMEM;
	path[0] = '\0';
	r = pw_rlimits_read(procfs, pid, &limits);
	if (!r) {
		numbers->files_max = limits.open_files;
		r = pw_procfs_status(procfs, pid, &status);
		if (!r && status.uid_real) /* it does not hold for root, kernel/fork.c:copy_process */
			numbers->processes_max = limits.processes;
	}
	if (r == -ESRCH)
		return r;
	r = pw_cgroup_pids_read(CGROUP_ROOT, procfs, pid, pids);
	if (!r && pids->max != UINT64_MAX) {
		numbers->pids_max = pids->max;
		numbers->pids_used = pids->used;
		snprintf(path, size, "%.255s", pids->path);
	}
	return r == -ESRCH || r == -ENOMEM ? r : 0;
}

int pw_threads_read(struct pw_threads *threads, struct pw_target *target, const struct pw_procfs *procfs,
		    uint64_t boot_ns, struct pw_holdings *numbers, char *pids_path, size_t pids_path_size)
{
	struct pw_proc_stat stat;
	int r = pw_procfs_stat(procfs, target->pid, &stat);

	if (!r)
		numbers->threads = stat.threads;
	if (r != -ESRCH)
		r = read_limits(procfs, target->pid, numbers, pids_path, pids_path_size);
	if (!r && target->memory_ok && target->bias_known && target->build)
		r = read_runtime(threads, target, boot_ns, numbers);
	return r;
}
