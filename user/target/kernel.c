/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/kernel.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "model/record.h"

/* Since Linux 6.2 the size of /proc/PID/fd is the number of descriptors (fs/proc/fd.c); before, it is 0: count. */
static uint64_t count_files(const struct pw_procfs *procfs, int pid)
{
	int fd = pw_procfs_open_file(procfs, pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t count = 0;
	struct stat st;
	DIR *dir;

	if (fd < 0)
		return PW_UNKNOWN;
	if (!fstat(fd, &st) && st.st_size > 0) {
		close(fd);
		return (uint64_t)st.st_size;
	}
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return PW_UNKNOWN;
	}
	for (struct dirent *entry = readdir(dir); entry && count <= PW_OPEN_FILES_MAX; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count > PW_OPEN_FILES_MAX ? PW_UNKNOWN : count;
}

int pw_kernel_read(struct pw_kernel_figures *ret_figures, const struct pw_procfs *procfs, int pid)
{
	struct pw_kernel_figures figures;
	struct pw_proc_stat stat;
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int r = pw_procfs_stat(procfs, pid, &stat);

	if (r)
		return r;
	figures.threads = stat.threads;
	figures.stopped = stat.state == 'T' || stat.state == 't';
	figures.cpu_ns = (stat.user_ticks + stat.system_ticks) * (PW_NS_PER_SEC / pw_proc_ticks_per_sec());
	if (pw_mul_overflows(stat.rss_pages, page_bytes, &figures.rss_bytes))
		figures.rss_bytes = PW_UNKNOWN;
	figures.open_files = count_files(procfs, pid);
	*ret_figures = figures;
	return 0;
}
