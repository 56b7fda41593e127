/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * A pass over /proc looks at each process as cheaply as it can. Whether a process is a Go program depends on its
 * executable alone, so one stat of /proc/PID/exe decides for all but new files; it also makes reused pids harmless.
 * A process that is no Go program may become one by exec: young ones are looked at in each pass, since a shell that
 * starts a program does so at once, older ones in one pass of eight. A pass stops when its time is over and goes on at
 * the next call.
 */
#include "target/discover.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/procfs.h"
#include "base/table.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "model/death.h"
#include "target/files.h"

#define YOUNG_NS	(10 * PW_NS_PER_SEC)
#define OLD_EVERY	8		     /* passes */
#define START_ATTEMPTS	20		     /* looks at a runtime that is not up yet */
#define STARTING_NS	(100 * PW_NS_PER_MS) /* between them, at least */
#define REVALIDATE_NS	(60 * PW_NS_PER_SEC) /* permissions and states change */
#define ADOPT_BUDGET_NS (5 * PW_NS_PER_MS)   /* per answer of the reader */

enum kind {
	KIND_NEW,
	KIND_KERNEL, /* without an executable: kernel threads and zombies */
	KIND_NOT_GO,
	KIND_CLOSED,  /* its executable is closed to us */
	KIND_WAITING, /* for the reader */
	KIND_TARGET,
	KIND_OPTED_OUT, /* by its environment */
	KIND_EXCLUDED,	/* by our configuration */
};

struct process {
	pid_t pid;
	enum kind kind;
	uint64_t first_seen_ns;
	uint64_t pass; /* that saw it last */
	struct pw_proc_file_id file;
	struct pw_target *target; /* owned; KIND_TARGET */
	bool announced;		  /* found() was called */
	unsigned int attempts;
	uint64_t validated_ns;
	uint64_t start_code, start_stack; /* change at exec */
	struct pw_source *exit_source;
};

struct pw_discover {
	struct pw_procfs procfs; /* root_fd borrowed */
	struct pw_loop *loop;	 /* borrowed; may be NULL */
	struct pw_discover_callbacks callbacks;
	struct pw_discover_filter filter; /* owned copy */
	struct pw_files files;
	struct pw_table processes;	    /* pid -> struct process */
	PW_VEC(struct pw_target *) targets; /* announced ones; borrowed from processes */
	struct pw_pid_vec pids;
	size_t position; /* in pids; == count: no pass under way */
	uint64_t pass;
	size_t waiting;
	struct pw_source *adopt_timer;
	uint64_t last_id;
	struct pw_discover_stats stats;
};

/* ---- filter ---- */

static void filter_done(struct pw_discover_filter *filter)
{
	for (size_t i = 0; i < filter->include_count; i++)
		free((void *)(uintptr_t)filter->include[i]);
	for (size_t i = 0; i < filter->exclude_count; i++)
		free((void *)(uintptr_t)filter->exclude[i]);
	free(filter->include);
	free(filter->exclude);
	*filter = (struct pw_discover_filter){};
}

static const char **copy_patterns(const char **patterns, size_t count)
{
	const char **copy = calloc(count ? count : 1, sizeof(*copy));

	for (size_t i = 0; copy && i < count; i++)
		copy[i] = strdup(patterns[i]);
	return copy;
}

static bool matches(const char **patterns, size_t count, const struct pw_target *target)
{
	const char *names[] = {target->process, target->exe, target->unit, target->service};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; patterns[i] && k < ARRAY_SIZE(names); k++)
			if (names[k][0] && pw_glob_match(patterns[i], names[k]))
				return true;
	return false;
}

static bool wanted(const struct pw_discover *discover, const struct pw_target *target)
{
	const struct pw_discover_filter *filter = &discover->filter;

	if (matches(filter->exclude, filter->exclude_count, target))
		return false;
	return !filter->include_count || matches(filter->include, filter->include_count, target);
}

/* ---- one process ---- */

static void set_kind(struct pw_discover *discover, struct process *process, enum kind kind)
{
	uint64_t *const counters[] = {
		[KIND_NOT_GO] = &discover->stats.not_go,
		[KIND_CLOSED] = &discover->stats.closed,
		[KIND_OPTED_OUT] = &discover->stats.opted_out,
		[KIND_EXCLUDED] = &discover->stats.opted_out,
	};

	if (process->kind < ARRAY_SIZE(counters) && counters[process->kind])
		--*counters[process->kind];
	if (kind < ARRAY_SIZE(counters) && counters[kind])
		++*counters[kind];
	discover->waiting -= process->kind == KIND_WAITING;
	discover->waiting += kind == KIND_WAITING;
	process->kind = kind;
}

/* how: what becomes of the target that it is now. */
static void drop_target(struct pw_discover *discover, struct process *process, enum kind kind, enum pw_death_how how)
{
	struct pw_target *target = TAKE_PTR(process->target);

	set_kind(discover, process, kind);
	pw_source_remove(process->exit_source);
	process->exit_source = NULL;
	if (!target)
		return;
	target->state = PW_TARGET_GONE;
	target->end = (uint8_t)how;
	for (size_t i = 0; process->announced && i < discover->targets.count; i++) {
		if (discover->targets.items[i] == target) {
			discover->targets.items[i] = discover->targets.items[--discover->targets.count];
			break;
		}
	}
	if (process->announced && discover->callbacks.gone)
		discover->callbacks.gone(discover->callbacks.context, target);
	process->announced = false;
	pw_target_free(target);
}

static void forget(struct pw_discover *discover, struct process *process, enum pw_death_how how)
{
	drop_target(discover, process, KIND_NEW, how);
	pw_table_remove_u64(&discover->processes, (uint64_t)process->pid);
}

static int on_exit_of(struct pw_source *source, pid_t pid, int status, void *ctx)
{
	struct pw_discover *discover = ctx;
	struct process *process = pw_table_get_u64(&discover->processes, (uint64_t)pid);

	(void)source;
	(void)status;
	if (process)
		forget(discover, process, PW_DEATH_EXIT);
	return 0;
}

static void watch_exit(struct pw_discover *discover, struct process *process)
{
	int pidfd;

	if (!discover->loop)
		return;
	pidfd = pw_pidfd_open(process->pid);
	if (pidfd < 0)
		return; /* before 5.3, or gone: the next pass tells */
	if (pw_loop_add_exit(discover->loop, process->pid, pidfd, on_exit_of, discover, &process->exit_source))
		close(pidfd);
}

/* Marks by which an exec of the same file shows. */
static int read_marks(struct pw_discover *discover, struct process *process, bool compare)
{
	struct pw_proc_stat stat;
	int r = pw_procfs_stat(&discover->procfs, process->pid, &stat);

	if (r)
		return r;
	if (compare && (stat.id.start_ticks != process->target->start_time_ticks ||
			stat.start_code != process->start_code || stat.start_stack != process->start_stack))
		return -ESTALE;
	process->start_code = stat.start_code;
	process->start_stack = stat.start_stack;
	return 0;
}

static void announce(struct pw_discover *discover, struct process *process)
{
	if (pw_vec_push(&discover->targets, process->target)) {
		drop_target(discover, process, KIND_EXCLUDED, PW_DEATH_UNOBSERVED);
		pw_log_warn(0, "more than %u Go processes: some are not observed", PW_DISCOVER_TARGETS_MAX);
		return;
	}
	process->announced = true;
	watch_exit(discover, process);
	if (discover->callbacks.found)
		discover->callbacks.found(discover->callbacks.context, process->target);
}

/* Looks into the live process; tells of it once there is something to tell. */
static int validate(struct pw_discover *discover, struct process *process)
{
	uint64_t start_ns = pw_now_ns();
	int r = pw_target_validate(process->target, &discover->procfs);

	if (r)
		return r;
	process->validated_ns = pw_now_ns();
	pw_log_debug(0, "setup: validated %.1f ms", (double)(process->validated_ns - start_ns) / (double)PW_NS_PER_MS);
	if (process->announced)
		return 0;
	if (process->target->starting && process->attempts++ < START_ATTEMPTS)
		return 0;
	announce(discover, process);
	return 0;
}

static int adopt(struct pw_discover *discover, struct process *process, struct pw_build *build)
{
	struct pw_target *target;
	int r = pw_target_new(&target, discover->last_id + 1, process->pid, &discover->procfs, build,
			      discover->files.reader);

	if (r)
		return r;
	discover->last_id++;
	process->target = target;
	process->attempts = 0;
	set_kind(discover, process, KIND_TARGET);
	if (discover->callbacks.service_name)
		discover->callbacks.service_name(discover->callbacks.context, target);
	if (target->opted_out || !wanted(discover, target)) {
		drop_target(discover, process, target->opted_out ? KIND_OPTED_OUT : KIND_EXCLUDED, PW_DEATH_UNOBSERVED);
		return 0;
	}
	r = read_marks(discover, process, false);
	return r ? r : validate(discover, process);
}

/* A process whose executable is new to us, or waited for. */
static int resolve(struct pw_discover *discover, struct process *process)
{
	enum pw_file_state state;
	struct pw_build *build;
	int r = pw_files_state(&discover->files, &discover->procfs, process->pid, &process->file, &state, &build);

	if (r)
		return r;
	switch (state) {
	case PW_FILE_ASKED:
	case PW_FILE_BUSY:
		set_kind(discover, process, KIND_WAITING);
		return 0;
	case PW_FILE_GO:
		return adopt(discover, process, build);
	case PW_FILE_NOT_GO:
	case PW_FILE_FAILED:
		set_kind(discover, process, KIND_NOT_GO);
		return 0;
	}
	return 0;
}

static bool same_file(const struct pw_proc_file_id *a, const struct pw_proc_file_id *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->mtime_ns == b->mtime_ns && a->size_bytes == b->size_bytes;
}

/* What was there under this pid is there no more: has the process become another program, or another process the pid?
 */
static enum pw_death_how replaced(const struct pw_discover *discover, const struct process *process)
{
	struct pw_proc_stat stat;
	bool same = process->target && !pw_procfs_stat(&discover->procfs, process->pid, &stat) &&
		    stat.id.start_ticks == process->target->start_time_ticks;

	return same ? PW_DEATH_EXEC : PW_DEATH_EXIT;
}

/* Is it still the program that it was? */
static int look(struct pw_discover *discover, struct process *process)
{
	struct pw_proc_file_id file;
	int r = pw_procfs_exe_id(&discover->procfs, process->pid, &file);

	if (r == -ENOENT && process->kind == KIND_TARGET)
		return -ESRCH; /* a zombie */
	if (r == -ENOENT) {
		set_kind(discover, process, KIND_KERNEL);
		return 0;
	}
	if (r)
		return r;
	if (process->kind == KIND_TARGET) {
		r = same_file(&file, &process->file) ? read_marks(discover, process, true) : -ESTALE;
		if (r != -ESTALE)
			return r;
		drop_target(discover, process, KIND_NEW, replaced(discover, process));
	}
	if (process->kind != KIND_NEW && process->kind != KIND_WAITING && same_file(&file, &process->file))
		return 0;
	process->file = file;
	return resolve(discover, process);
}

static bool is_due(const struct pw_discover *discover, const struct process *process, uint64_t now)
{
	switch (process->kind) {
	case KIND_NEW:
	case KIND_WAITING:
	case KIND_TARGET:
		return true;
	default:
		return now - process->first_seen_ns < YOUNG_NS ||
		       (discover->pass + (uint64_t)process->pid) % OLD_EVERY == 0;
	}
}

static void handle(struct pw_discover *discover, struct process *process, uint64_t now)
{
	int r = is_due(discover, process, now) ? look(discover, process) : 0;

	if (!r && process->kind == KIND_TARGET && !process->target->memory_ok &&
	    now > process->validated_ns + (process->announced ? REVALIDATE_NS : STARTING_NS))
		r = validate(discover, process);
	switch (r) {
	case 0:
		return;
	case -EACCES:
	case -EPERM:
		drop_target(discover, process, KIND_CLOSED, PW_DEATH_UNOBSERVED);
		return;
	case -ESTALE: /* exec under our eyes: the next pass sees the new program */
		drop_target(discover, process, KIND_NEW, replaced(discover, process));
		return;
	case -ESRCH:
	case -ENOENT:
		discover->stats.vanished++;
		forget(discover, process, PW_DEATH_EXIT);
		return;
	default:
		pw_log_warn(0, "process %d cannot be looked at: %s", process->pid, pw_why_text(NULL, r));
		forget(discover, process, PW_DEATH_UNOBSERVED);
	}
}

/* ---- passes ---- */

static struct process *process_of(struct pw_discover *discover, pid_t pid, uint64_t now)
{
	struct process *process = pw_table_get_u64(&discover->processes, (uint64_t)pid);

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->first_seen_ns = now;
	if (pw_table_put_u64(&discover->processes, (uint64_t)pid, process)) {
		free(process);
		return NULL;
	}
	return process;
}

/* What the pass has not seen is gone. */
static void end_pass(struct pw_discover *discover)
{
	pw_table_foreach(&discover->processes, entry)
	{
		struct process *process = entry->value;

		if (process->pass != discover->pass)
			forget(discover, process, PW_DEATH_EXIT);
	}
	discover->stats.scans++;
	discover->stats.processes_seen = discover->pids.count;
}

static int begin_pass(struct pw_discover *discover)
{
	int r = pw_procfs_pids(&discover->procfs, &discover->pids);

	if (r < 0)
		return r;
	discover->position = 0;
	discover->pass++;
	return 0;
}

int pw_discover_scan(struct pw_discover *discover, uint64_t budget_ns)
{
	uint64_t start = pw_now_ns(), now = start;
	int r;

	if (discover->position >= discover->pids.count) {
		r = begin_pass(discover);
		if (r)
			return r;
	}
	while (discover->position < discover->pids.count && now - start < budget_ns) {
		pid_t pid = discover->pids.items[discover->position++];
		struct process *process = pid == getpid() ? NULL : process_of(discover, pid, now);

		if (process) {
			process->pass = discover->pass;
			handle(discover, process, now);
		}
		now = pw_now_ns();
	}
	if (discover->position >= discover->pids.count)
		end_pass(discover);
	return 0;
}

/* The reader has answered: those who waited for it need not wait for the next pass. */
static void adopt_waiting(struct pw_discover *discover)
{
	uint64_t start = pw_now_ns();

	pw_table_foreach(&discover->processes, entry)
	{
		struct process *process = entry->value;

		if (process->kind == KIND_WAITING)
			handle(discover, process, start);
		if (pw_now_ns() - start > ADOPT_BUDGET_NS)
			break;
	}
}

static int on_adopt_timer(struct pw_source *source, uint64_t due_ns, uint64_t late_ns, uint64_t missed, void *ctx)
{
	(void)source;
	(void)due_ns;
	(void)late_ns;
	(void)missed;
	adopt_waiting(ctx);
	return 0;
}

static void on_answered(void *context)
{
	struct pw_discover *discover = context;

	if (discover->adopt_timer && pw_source_set_timer(discover->adopt_timer, 0, 0))
		pw_log_debug(0, "cannot set a timer; new processes wait for the next scan");
}

bool pw_discover_pending(const struct pw_discover *discover)
{
	return discover->waiting > 0 || discover->position < discover->pids.count;
}

/* ---- life ---- */

int pw_discover_new(struct pw_discover **ret_discover, const struct pw_procfs *procfs, struct pw_reader *reader,
		    struct pw_loop *loop, const struct pw_discover_callbacks *callbacks)
{
	struct pw_discover *discover = calloc(1, sizeof(*discover));
	int r = 0;

	if (!discover)
		return -ENOMEM;
	discover->procfs = *procfs;
	discover->loop = loop;
	discover->callbacks = *callbacks;
	discover->processes = (struct pw_table)PW_TABLE_INIT(0, free);
	discover->targets.max = PW_DISCOVER_TARGETS_MAX;
	pw_files_init(&discover->files, reader);
	discover->files.answered = on_answered;
	discover->files.context = discover;
	if (loop) /* idle until an answer comes */
		r = pw_loop_add_timer(loop, 0, 0, on_adopt_timer, discover, &discover->adopt_timer);
	if (r) {
		pw_discover_free(discover);
		return r;
	}
	*ret_discover = discover;
	return 0;
}

void pw_discover_free(struct pw_discover *discover)
{
	if (!discover)
		return;
	pw_table_foreach(&discover->processes, entry) forget(discover, entry->value, PW_DEATH_UNOBSERVED);
	pw_source_remove(discover->adopt_timer);
	pw_table_done(&discover->processes);
	pw_files_done(&discover->files);
	pw_vec_done(&discover->targets);
	free(discover->pids.items);
	filter_done(&discover->filter);
	free(discover);
}

void pw_discover_set_filter(struct pw_discover *discover, const struct pw_discover_filter *filter)
{
	struct pw_discover_filter copy = {
		.include = copy_patterns(filter->include, filter->include_count),
		.exclude = copy_patterns(filter->exclude, filter->exclude_count),
		.include_count = filter->include_count,
		.exclude_count = filter->exclude_count,
	};

	if (!copy.include || !copy.exclude) {
		copy.include_count = copy.exclude_count = 0;
		filter_done(&copy);
		pw_log_warn(0, "no memory for the new filter of processes, continuing with the old one");
		return;
	}
	filter_done(&discover->filter);
	discover->filter = copy;
	pw_table_foreach(&discover->processes, entry)
	{
		struct process *process = entry->value;

		if (process->kind == KIND_TARGET && !wanted(discover, process->target))
			drop_target(discover, process, KIND_EXCLUDED, PW_DEATH_UNOBSERVED);
		else if (process->kind == KIND_EXCLUDED)
			set_kind(discover, process, KIND_NEW);
	}
}

size_t pw_discover_count(const struct pw_discover *discover)
{
	return discover->targets.count;
}

struct pw_target *pw_discover_at(const struct pw_discover *discover, size_t index)
{
	return index < discover->targets.count ? discover->targets.items[index] : NULL;
}

void pw_discover_stats(const struct pw_discover *discover, struct pw_discover_stats *ret_stats)
{
	*ret_stats = discover->stats;
	ret_stats->failed = discover->files.failed;
}
