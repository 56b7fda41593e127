/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/swapped.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/procfs.h"

#define PAGE_SWAPPED (1ULL << 62) /* Documentation/admin-guide/mm/pagemap.rst */

/* One system call, where the status of a process takes a hundred times as long: most hosts have nothing in swap. */
static bool host_swaps(void)
{
	struct sysinfo host;

	return sysinfo(&host) < 0 || host.freeswap < host.totalswap;
}

void pw_swapped_open(struct pw_swapped *ret_swapped, int pid)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	_cleanup_free_ struct pw_proc_status *status = NULL;

	ret_swapped->fd = -1;
	ret_swapped->count = 0;
	ret_swapped->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (!host_swaps())
		return;
	status = malloc(sizeof(*status));
	if (!status || pw_procfs_open(&procfs, "/proc"))
		return;
	if (!pw_procfs_status(&procfs, pid, status) && status->vm_swap_bytes && status->vm_swap_bytes != UINT64_MAX)
		ret_swapped->fd = pw_procfs_open_file(&procfs, pid, "pagemap", O_RDONLY);
	pw_procfs_done(&procfs);
}

void pw_swapped_close(struct pw_swapped *swapped)
{
	if (swapped->fd >= 0)
		close(swapped->fd);
	swapped->fd = -1;
}

bool pw_swapped_out(struct pw_swapped *swapped, uint64_t addr, uint64_t size)
{
	uint64_t last = (addr + (size ? size - 1 : 0)) / swapped->page_size;

	if (swapped->fd < 0)
		return false;
	for (uint64_t page = addr / swapped->page_size; page <= last; page++) {
		if (page < swapped->base || page - swapped->base >= swapped->count) {
			ssize_t n = pread(swapped->fd, swapped->window, sizeof(swapped->window),
					  (off_t)(page * sizeof(uint64_t)));

			swapped->base = page;
			swapped->count = n > 0 ? (uint32_t)((size_t)n / sizeof(uint64_t)) : 0;
			if (!swapped->count)
				return false;
		}
		if (swapped->window[page - swapped->base] & PAGE_SWAPPED)
			return true;
	}
	return false;
}
