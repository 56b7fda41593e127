/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/runtime.h"

#include <string.h>

#include "base/macros.h"
#include "target/gread.h"
#include "target/target.h"

/* Live address of a global, 0 if it was not found. */
static uint64_t global(const struct pw_target *target, enum pw_global which)
{
	uint64_t addr = target->build->facts.globals.addr[which];

	return addr ? addr + target->bias : 0;
}

int pw_runtime_goroutine_list(struct pw_target *target, struct pw_runtime_list *ret_list)
{
	uint64_t length_at = global(target, PW_GLOBAL_ALLGLEN), addr_at = global(target, PW_GLOBAL_ALLGPTR);
	uint64_t allgs = global(target, PW_GLOBAL_ALLGS);
	struct pw_runtime_list list;
	int r;

	if (!length_at || !addr_at) {
		if (!allgs)
			return -ENOTSUP;
		addr_at = allgs;
		length_at = allgs + 8;
	}
	r = pw_mem_read_u64(&target->mem, length_at, &list.length);
	if (!r)
		r = pw_mem_read_u64(&target->mem, addr_at, &list.addr);
	if (r)
		return r;
	if (list.length > PW_ALLGLEN_MAX || (list.length && (!list.addr || list.addr % 8)))
		return -EBADMSG;
	*ret_list = list;
	return 0;
}

int pw_runtime_read_ps(struct pw_target *target, struct pw_runtime_ps *ret_ps)
{
	uint64_t allp = global(target, PW_GLOBAL_ALLP), slice[3];
	int r;

	if (!allp)
		return -ENOTSUP;
	r = pw_mem_read(&target->mem, allp, slice, sizeof(slice));
	if (r)
		return r;
	if (!slice[0] || slice[0] % 8 || !slice[1] || slice[1] > slice[2] || slice[2] > PW_PS_MAX)
		return -EBADMSG;
	ret_ps->length = slice[1];
	ret_ps->capacity = (size_t)slice[2];
	return pw_mem_read(&target->mem, slice[0], ret_ps->addr, ret_ps->capacity * sizeof(ret_ps->addr[0]));
}

/* Sum of the free lists of all Ps in use; *ret_sum may be garbage if *ps is. */
static int sum_free_of_ps(struct pw_target *target, const struct pw_runtime_ps *ps, int32_t offset, uint64_t *ret_sum)
{
	_cleanup_free_ struct pw_mem_range *ranges = calloc(ps->length, sizeof(*ranges));
	_cleanup_free_ uint32_t *counts = calloc(ps->length, sizeof(*counts));
	int n;

	if (!ranges || !counts)
		return -ENOMEM;
	for (size_t i = 0; i < ps->length; i++)
		ranges[i] = (struct pw_mem_range){
			.addr = ps->addr[i] + (uint64_t)offset, .buffer = &counts[i], .size = sizeof(counts[i])};
	n = pw_mem_read_many(&target->mem, ranges, ps->length);
	if (n < 0)
		return n;
	*ret_sum = 0;
	for (size_t i = 0; i < ps->length; i++) {
		if (!ranges[i].ok)
			return -EFAULT;
		*ret_sum += counts[i];
	}
	return 0;
}

int pw_runtime_num_goroutine(struct pw_target *target, const struct pw_runtime_ps *ps, uint64_t allglen,
			     uint64_t *ret_count)
{
	const struct pw_layout *layout = &target->build->facts.layout;
	uint64_t sched = global(target, PW_GLOBAL_SCHED), local_free, not_counted;
	int32_t system_at = pw_field_offset(layout, PW_FIELD_SCHED_NGSYS, PW_SCHED_SIZE_MAX);
	int32_t free_at = pw_field_offset(layout, PW_FIELD_SCHED_GFREE_N, PW_SCHED_SIZE_MAX);
	int32_t free_no_stack_at = pw_field_offset(layout, PW_FIELD_SCHED_GFREE_NOSTACK_N, PW_SCHED_SIZE_MAX);
	int32_t p_free_at = pw_field_offset(layout, PW_FIELD_P_GFREE_N, PW_P_SIZE_MAX);
	uint32_t system_count, free_count, free_no_stack_count = 0;
	int r;

	if (!sched || system_at < 0 || free_at < 0 || p_free_at < 0)
		return -ENOTSUP;
	r = pw_mem_read_u32(&target->mem, sched + (uint64_t)system_at, &system_count);
	if (!r)
		r = pw_mem_read_u32(&target->mem, sched + (uint64_t)free_at, &free_count);
	if (!r && free_no_stack_at >= 0) /* 1.25 and later count the two free lists apart */
		r = pw_mem_read_u32(&target->mem, sched + (uint64_t)free_no_stack_at, &free_no_stack_count);
	if (!r)
		r = sum_free_of_ps(target, ps, p_free_at, &local_free);
	if (r)
		return r;
	not_counted = (uint64_t)system_count + free_count + free_no_stack_count + local_free;
	if (not_counted > allglen + ps->length * 64) /* a P moves 32 of them at a time to the common list */
		return -EBADMSG;
	*ret_count = not_counted < allglen ? allglen - not_counted : 1; /* as gcount does */
	return 0;
}
