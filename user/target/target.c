/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/target.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/capable.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/why.h"
#include "target/core.h"
#include "target/service.h"
#include "target/symbolize.h"

void pw_target_free(struct pw_target *target)
{
	if (!target)
		return;
	pw_symbolizer_free(target->symbolizer);
	pw_births_free(target->births);
	pw_build_unref(target->build);
	pw_closep(&target->pidfd);
	pw_closep(&target->exe_fd);
	pw_frozen_free(target->frozen);
	free(target);
}
PW_DEFINE_CLEANUP(struct pw_target *, pw_target_free);

static void read_cgroup_names(struct pw_target *target, const struct pw_procfs *procfs)
{
	_cleanup_free_ struct pw_proc_cgroup *cgroup = malloc(sizeof(*cgroup));
	struct pw_cgroup_names names;

	if (!cgroup || pw_procfs_cgroup(procfs, target->pid, cgroup))
		return;
	pw_cgroup_names_parse(&names, cgroup->v2[0] && strcmp(cgroup->v2, "/") != 0 ? cgroup->v2
				      : cgroup->v1_systemd[0]			    ? cgroup->v1_systemd
										    : cgroup->v1_memory);
	memcpy(target->unit, names.unit, sizeof(target->unit));
	memcpy(target->container, names.container, sizeof(target->container));
	memcpy(target->pod, names.pod, sizeof(target->pod));
}

static void read_namespaces(struct pw_target *target, const struct pw_procfs *procfs)
{
	uint64_t its, ours;

	if (pw_procfs_ns(procfs, target->pid, "pid", &its))
		return;
	target->pid_namespace_inode = (uint32_t)its;
	target->same_pid_namespace = !pw_procfs_ns(procfs, getpid(), "pid", &ours) && its == ours;
}

/* Who cannot be asked to the end is left alone: the wish not to be observed goes before our curiosity. */
static int read_wish(struct pw_target *target, const struct pw_procfs *procfs)
{
	char value[sizeof("off")];
	int r = pw_procfs_environ(procfs, target->pid, "PARKWATCH", value, sizeof(value));

	if (r == -ESRCH || r == -ENODATA || r == -E2BIG) /* gone, unset, or a longer word than "off" */
		return r == -ESRCH ? r : 0;
	target->opted_out = r || strcmp(value, "off") == 0;
	if (r) {
		target->wish_unread = true;
		pw_log_warn(
			0,
			"'%s' (pid %d) is left alone: whether PARKWATCH=off is in its environment cannot be read: %s",
			target->process, target->pid, pw_why_text(NULL, r));
	}
	return 0;
}

/* Everything that /proc says. The executable is opened first and compared last: what lies between is of one program. */
static int read_identity(struct pw_target *target, const struct pw_procfs *procfs)
{
	struct pw_proc_file_id file;
	struct pw_proc_id id;
	struct stat st;
	int r = pw_procfs_id(procfs, target->pid, &id);

	if (r)
		return r;
	target->start_time_ticks = id.start_ticks;
	target->start_time_ns = pw_proc_start_boot_ns(&id);
	target->exe_fd = pw_procfs_open_exe(procfs, target->pid);
	if (target->exe_fd < 0)
		return target->exe_fd == -EPERM ? -EACCES : target->exe_fd;
	if (fstat(target->exe_fd, &st))
		return -errno;
	target->exe_dev = st.st_dev;
	target->exe_inode = st.st_ino;
	r = pw_pidfd_open(target->pid);
	if (r == -ESRCH)
		return r;
	target->pidfd = r < 0 ? -1 : r;
	r = pw_procfs_comm(procfs, target->pid, target->process, sizeof(target->process));
	if (r)
		return r;
	if (pw_procfs_exe(procfs, target->pid, target->exe, sizeof(target->exe)))
		target->exe[0] = '\0';
	read_cgroup_names(target, procfs);
	read_namespaces(target, procfs);
	r = read_wish(target, procfs);
	if (r)
		return r;
	r = pw_procfs_exe_id(procfs, target->pid, &file);
	if (r)
		return r;
	if (file.dev != st.st_dev || file.inode != st.st_ino)
		return -ESTALE;
	return pw_procfs_check_id(procfs, &id);
}

int pw_target_new(struct pw_target **ret_target, uint64_t id, int pid, const struct pw_procfs *procfs,
		  struct pw_build *build, struct pw_reader *reader)
{
	_cleanup_(pw_target_freep) struct pw_target *target = calloc(1, sizeof(*target));
	int r;

	if (!target)
		return -ENOMEM;
	target->id = id;
	target->pid = pid;
	target->pidfd = target->exe_fd = -1;
	target->build = pw_build_ref(build);
	snprintf(target->events_reason, sizeof(target->events_reason), "not attached");
	r = read_identity(target, procfs);
	if (!r)
		r = pw_mem_process(&target->mem, pid);
	if (!r)
		r = pw_births_new(&target->births);
	if (!r && reader)
		r = pw_symbolizer_new(&target->symbolizer, reader, target->exe_fd, build->facts.build_id);
	if (r)
		return r;
	pw_target_name_service(target);
	*ret_target = TAKE_PTR(target);
	return 0;
}

/* ---- one target now ---- */

static int ask_facts(int pid, const struct pw_procfs *procfs, struct pw_reader *reader, struct pw_build **ret_build,
		     struct pw_why *reterr_why)
{
	_cleanup_fd_ int exe_fd = pw_procfs_open_exe(procfs, pid);
	char whose[32];

	if (exe_fd == -ESRCH)
		return pw_why_set(reterr_why, -ESRCH, "no process %d", pid);
	if (exe_fd == -ENOENT)
		return pw_why_set(reterr_why, -ENOEXEC,
				  "process %d has no executable: a kernel thread, or dead already", pid);
	if (exe_fd == -EACCES || exe_fd == -EPERM)
		return pw_why_set(
			reterr_why, -EACCES, "process %d is closed to us: %s", pid,
			pw_capable(CAP_SYS_PTRACE)
				? "we hold CAP_SYS_PTRACE, but the kernel or a security module refuses it (is "
				  "the process outside of our user namespace or container?)"
				: "run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	if (exe_fd < 0)
		return pw_why_set(reterr_why, exe_fd, "cannot open the executable of process %d: %s", pid,
				  pw_why_text(NULL, exe_fd));
	snprintf(whose, sizeof(whose), "process %d", pid);
	return pw_build_ask(ret_build, reader, exe_fd, whose, reterr_why);
}

int pw_target_open(struct pw_target **ret_target, int pid, const struct pw_procfs *procfs, struct pw_reader *reader,
		   struct pw_why *reterr_why)
{
	_cleanup_(pw_target_freep) struct pw_target *target = NULL;
	struct pw_build *build = NULL;
	int r = ask_facts(pid, procfs, reader, &build, reterr_why);

	if (!r)
		r = pw_target_new(&target, 1, pid, procfs, build, reader);
	pw_build_unref(build);
	if (!r && target->opted_out)
		return pw_why_set(reterr_why, -EPERM,
				  target->wish_unread
					  ? "process %d is left alone: its environment cannot be read, where "
					    "PARKWATCH=off may be"
					  : "process %d has PARKWATCH=off in its environment",
				  pid);
	if (!r)
		r = pw_target_validate(target, procfs);
	if (r && reterr_why && !reterr_why->text[0])
		pw_why_set(reterr_why, r, r == -ESRCH ? "process %d is gone" : "process %d cannot be observed", pid);
	if (r)
		return r;
	*ret_target = TAKE_PTR(target);
	return 0;
}
