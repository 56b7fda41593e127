/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/mem.h"

#include <limits.h>
#include <string.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "base/time.h"
#include "target/swapped.h"

/*
 * One process_vm_readv for at most IOV_MAX ranges. The kernel stops at the first page that it cannot read and tells
 * how many bytes it had copied by then (mm/process_vm_access.c:process_vm_rw_core): the ranges before that are whole,
 * the one it stopped in is not. Returns the number of ranges dealt with, at least 1, or -errno.
 */
static int read_batch(pid_t pid, struct pw_mem_range *ranges, size_t count)
{
	struct iovec local[IOV_MAX], remote[IOV_MAX];
	size_t done = 0, left;
	ssize_t n;

	if (!count)
		return 0;
	for (size_t i = 0; i < count; i++) {
		local[i] = (struct iovec){ranges[i].buffer, ranges[i].size};
		remote[i] = (struct iovec){(void *)(uintptr_t)ranges[i].addr, ranges[i].size};
	}
	n = process_vm_readv(pid, local, count, remote, count, 0);
	if (n < 0 && errno != EFAULT && errno != EINVAL) /* EINVAL: a size that no process can have */
		return -errno;
	left = n < 0 ? 0 : (size_t)n;
	while (done < count && ranges[done].size <= left) {
		left -= ranges[done].size;
		ranges[done++].ok = true;
	}
	if (done < count)
		ranges[done++].ok = false;
	return (int)done;
}

static int read_process(void *context, struct pw_mem_range *ranges, size_t count)
{
	pid_t pid = (pid_t)(intptr_t)context;
	int good = 0;

	for (size_t at = 0; at < count;) {
		int n = read_batch(pid, ranges + at, PW_MIN(count - at, (size_t)IOV_MAX));

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			good += ranges[at + (size_t)i].ok;
		at += (size_t)n;
	}
	return good;
}

static uint64_t process_ran_ns(void *context)
{
	return pw_cpu_of_ns((pid_t)(intptr_t)context);
}

int pw_mem_process(struct pw_mem *ret_mem, int pid)
{
	if (pid <= 0)
		return -ESRCH;
	*ret_mem = (struct pw_mem){.read = read_process, .ran_ns = process_ran_ns, .context = (void *)(intptr_t)pid};
	return 0;
}

uint64_t pw_mem_ran_ns(const struct pw_mem *mem)
{
	return mem->ran_ns ? mem->ran_ns(mem->context) : 0;
}

/* Only those of which nothing is swapped out. */
static int read_resident(struct pw_mem *mem, struct pw_mem_range *ranges, size_t count)
{
	int good = 0;

	for (size_t i = 0; i < count; i++)
		ranges[i].swapped = pw_swapped_out(mem->swapped, ranges[i].addr, ranges[i].size);
	for (size_t at = 0, end; at < count; at = end) {
		int n;

		for (end = at; end < count && !ranges[end].swapped; end++)
			;
		n = end > at ? mem->read(mem->context, ranges + at, end - at) : 0;
		if (n < 0)
			return n;
		good += n;
		while (end < count && ranges[end].swapped)
			end++;
	}
	return good;
}

int pw_mem_read_many(struct pw_mem *mem, struct pw_mem_range *ranges, size_t count)
{
	bool all = !mem->swapped || mem->swapped->fd < 0;
	int n;

	for (size_t i = 0; i < count; i++)
		ranges[i].ok = ranges[i].swapped = false;
	mem->calls++;
	n = all ? mem->read(mem->context, ranges, count) : read_resident(mem, ranges, count);
	for (size_t i = 0; n > 0 && i < count; i++)
		if (ranges[i].ok)
			mem->bytes += ranges[i].size;
	return n;
}

int pw_mem_read(struct pw_mem *mem, uint64_t addr, void *buffer, size_t size)
{
	struct pw_mem_range range = {.addr = addr, .buffer = buffer, .size = size};
	int n = pw_mem_read_many(mem, &range, 1);

	if (n < 0)
		return n;
	mem->swapped_out += range.swapped;
	return n == 1 && range.ok ? 0 : -EFAULT;
}

int pw_mem_read_u64(struct pw_mem *mem, uint64_t addr, uint64_t *ret_value)
{
	uint64_t value;
	int r = pw_mem_read(mem, addr, &value, sizeof(value));

	if (!r)
		*ret_value = value;
	return r;
}

int pw_mem_read_u32(struct pw_mem *mem, uint64_t addr, uint32_t *ret_value)
{
	uint32_t value;
	int r = pw_mem_read(mem, addr, &value, sizeof(value));

	if (!r)
		*ret_value = value;
	return r;
}
