/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SWAPPED_H
#define PW_TARGET_SWAPPED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which pages of a process are swapped out, by /proc/PID/pagemap: reading them with process_vm_readv would bring them
 * in. Asked only of a process that has anything in swap (VmSwap), on a host that has; what is in swap is counted as
 * skipped and said. (A page that is swapped out between the question and the reading is brought in all the same.)
 */
struct pw_swapped {
	uint64_t page_size;
	int fd;	       /* -1: nothing is swapped out, or nobody can tell */
	uint64_t base; /* first page in the window */
	uint32_t count;
	uint64_t window[512];
};

void pw_swapped_open(struct pw_swapped *ret_swapped, int pid);
void pw_swapped_close(struct pw_swapped *swapped);
/* True if any page of [addr, addr + size) is swapped out. */
bool pw_swapped_out(struct pw_swapped *swapped, uint64_t addr, uint64_t size);

#endif
