/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/death_watch.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/cgroup_oom.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/time.h"
#include "target/target.h"

#define REOPEN_NS (60 * PW_NS_PER_SEC)

/* include/uapi/linux/pidfd.h, Linux 6.15; the headers that we are built with may be older. */
struct info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define INFO_EXIT (1ULL << 3)
#define GET_INFO  _IOWR(0xFF, 11, struct info)
_Static_assert(sizeof(struct info) == 64, "PIDFD_INFO_SIZE_VER0");

void pw_death_watch_init(struct pw_death_watch *watch)
{
	*watch = (struct pw_death_watch){.fd = -1};
}

void pw_death_watch_done(struct pw_death_watch *watch)
{
	pw_closep(&watch->fd);
	pw_death_watch_init(watch);
}

/* Another cgroup counts anew: what was known of the old one says nothing. */
static void open_again(struct pw_death_watch *watch, const struct pw_target *target, const struct pw_procfs *procfs,
		       const char *cgroups, uint64_t boot_ns)
{
	int fd = pw_cgroup_oom_open(cgroups, procfs, target->pid);
	struct stat before, after;

	watch->opened_ns = boot_ns;
	if (fd < 0 || watch->fd < 0 || fstat(watch->fd, &before) < 0 || fstat(fd, &after) < 0 ||
	    before.st_dev != after.st_dev || before.st_ino != after.st_ino)
		watch->known = false;
	pw_closep(&watch->fd);
	watch->fd = fd < 0 ? -1 : fd;
}

void pw_death_watch_look(struct pw_death_watch *watch, const struct pw_target *target, const struct pw_procfs *procfs,
			 const char *cgroups, uint64_t boot_ns)
{
	uint64_t kills;

	if (!watch->opened_ns || boot_ns - watch->opened_ns >= REOPEN_NS)
		open_again(watch, target, procfs, cgroups, boot_ns);
	if (watch->fd < 0 || pw_cgroup_oom_kills(watch->fd, &kills) < 0)
		return;
	if (!watch->known) {
		watch->older = watch->newer = kills;
		watch->older_ns = watch->newer_ns = boot_ns;
		watch->known = true;
	} else if (boot_ns - watch->newer_ns >= PW_DEATH_WATCH_NS) {
		watch->older = watch->newer;
		watch->older_ns = watch->newer_ns;
		watch->newer = kills;
		watch->newer_ns = boot_ns;
	}
}

static bool by_pidfd(const struct pw_target *target, int32_t *ret_status)
{
	struct info info = {.mask = INFO_EXIT};

	if (target->pidfd < 0 || ioctl(target->pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT))
		return false;
	*ret_status = info.exit_code;
	return true;
}

/* A zombie shows 0 to those who may not know, and that is us unless we could read its memory. */
static bool by_zombie(const struct pw_target *target, const struct pw_procfs *procfs, int32_t *ret_status)
{
	struct pw_proc_stat stat;

	if (pw_procfs_stat(procfs, target->pid, &stat) < 0 || (stat.state != 'Z' && stat.state != 'X') ||
	    stat.id.start_ticks != target->start_time_ticks || (!stat.exit_code && !target->memory_ok))
		return false;
	*ret_status = stat.exit_code;
	return true;
}

void pw_death_watch_end(struct pw_death_watch *watch, const struct pw_target *target, const struct pw_procfs *procfs,
			uint64_t boot_ns, uint64_t wall_ns, struct pw_death *ret_death)
{
	struct pw_death death = {.target_id = target->id,
				 .boot_ns = boot_ns,
				 .wall_ns = wall_ns,
				 .how = target->end,
				 .oom_kills = PW_DEATH_OOM_UNKNOWN};
	uint64_t kills;

	if (death.how == PW_DEATH_EXIT) {
		/* It may be reaped between the two. */
		death.status_known = by_pidfd(target, &death.status) || by_zombie(target, procfs, &death.status) ||
				     by_pidfd(target, &death.status);
		if (watch->fd >= 0 && watch->known && !pw_cgroup_oom_kills(watch->fd, &kills))
			death.oom_kills = kills - PW_MIN(watch->older, kills);
	}
	*ret_death = death;
}
