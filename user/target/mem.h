/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_MEM_H
#define PW_TARGET_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading the memory of a target: a live process (process_vm_readv), a core file later, or a byte array in tests. Never
 * writes, never stops. Everything read is foreign.
 */
struct pw_mem_range {
	uint64_t addr;
	void *buffer;
	size_t size;
	bool ok;      /* out: all of it was read */
	bool swapped; /* out: not read, as some of it is swapped out */
};

struct pw_swapped;

struct pw_mem {
	/* Reads all ranges, sets ok in each. Returns the number read, or -ESRCH gone, -EPERM closed to us. */
	int (*read)(void *context, struct pw_mem_range *ranges, size_t count);
	/* CPU time of whose memory it is, in ns; 0 unknown. NULL: not a process. */
	uint64_t (*ran_ns)(void *context);
	void *context;
	uint64_t calls, bytes; /* what it has cost so far */
	/* Not NULL: what is swapped out is not read (see target/swapped.h), as if it were unreadable; borrowed, and set
	 * only while whoever owns it works. swapped_out: how many single things were refused for it. */
	struct pw_swapped *swapped;
	uint64_t swapped_out;
};

/* Batches of at most IOV_MAX; a range that cannot be read costs only itself. (Who reads many neighbours asks for one
 * range over them: see goroutines.c.) */
int pw_mem_process(struct pw_mem *ret_mem, int pid) __attribute__((warn_unused_result));
/* One range: 0, -EFAULT unreadable, -ESRCH, -EPERM. */
int pw_mem_read(struct pw_mem *mem, uint64_t addr, void *buffer, size_t size) __attribute__((warn_unused_result));
int pw_mem_read_u64(struct pw_mem *mem, uint64_t addr, uint64_t *ret_value) __attribute__((warn_unused_result));
int pw_mem_read_u32(struct pw_mem *mem, uint64_t addr, uint32_t *ret_value) __attribute__((warn_unused_result));
/* What may have changed it has run by then: while this stays the same, and is not 0, the memory did. */
uint64_t pw_mem_ran_ns(const struct pw_mem *mem);
int pw_mem_read_many(struct pw_mem *mem, struct pw_mem_range *ranges, size_t count) __attribute__((warn_unused_result));

#endif
