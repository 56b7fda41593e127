/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * runtime.allm is a list through m.alllink; new Ms come to its head, those that end are taken out anywhere. All Ms of
 * the last walk are read in one batch; then the list is walked through what was read, and only an M that is not among
 * it costs a read of its own. An M that left the list has its count of cgo calls added to runtime.ncgocall
 * (src/runtime/proc.go:mexit), so it is not missed.
 */
#include "target/runtime_lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "go/layout.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/mem.h"

#define RANGES_PER_M   6
#define FINALIZERS_MAX 1024 /* in one block: 101 in its 4 kB */

void pw_m_list_init(struct pw_m_list *ret_list, struct pw_mem *mem, const struct pw_layout *layout)
{
	*ret_list = (struct pw_m_list){
		.mem = mem,
		.link = pw_field_offset(layout, PW_FIELD_M_ALLLINK, PW_M_SIZE_MAX),
		.cgo_calls = pw_field_offset(layout, PW_FIELD_M_NCGOCALL, PW_M_SIZE_MAX),
		.lock_wait = pw_field_offset(layout, PW_FIELD_M_MLOCKPROFILE_WAITTIME, PW_M_SIZE_MAX),
		.curg = PW_OFFSET_NONE,
		.in_cgo = PW_OFFSET_NONE,
		.locked_g = PW_OFFSET_NONE,
	};
	ret_list->lock_wait_missing =
		ret_list->lock_wait < 0 && layout->trust[PW_FIELD_SCHED_TOTALRUNTIMELOCKWAITTIME] != PW_TRUST_NONE;
}

void pw_m_list_want_states(struct pw_m_list *list, const struct pw_layout *layout)
{
	list->curg = pw_field_offset(layout, PW_FIELD_M_CURG, PW_M_SIZE_MAX);
	list->in_cgo = pw_field_offset(layout, PW_FIELD_M_INCGO, PW_M_SIZE_MAX);
	list->locked_g = pw_field_offset(layout, PW_FIELD_M_LOCKEDG, PW_M_SIZE_MAX);
}

void pw_m_list_done(struct pw_m_list *list)
{
	free(list->ms);
	list->ms = NULL;
	list->count = list->capacity = 0;
}

static size_t m_ranges(const struct pw_m_list *list, struct pw_m_words *m, struct pw_mem_range *ranges)
{
	const struct {
		int32_t offset;
		void *buffer;
		size_t size;
	} wanted[RANGES_PER_M] = {
		{list->link, &m->next, 8}, {list->cgo_calls, &m->cgo_calls, 8}, {list->lock_wait, &m->lock_wait_ns, 8},
		{list->curg, &m->curg, 8}, {list->locked_g, &m->locked_g, 8},	{list->in_cgo, &m->in_cgo, 1},
	};
	size_t count = 0;

	for (size_t i = 0; i < RANGES_PER_M; i++)
		if (wanted[i].offset >= 0)
			ranges[count++] = (struct pw_mem_range){.addr = m->addr + (uint64_t)wanted[i].offset,
								.buffer = wanted[i].buffer,
								.size = wanted[i].size};
	return count;
}

/* Reads count Ms at once. */
static int read_ms(const struct pw_m_list *list, struct pw_m_words *ms, size_t count)
{
	_cleanup_free_ struct pw_mem_range *ranges = calloc(count + !count, RANGES_PER_M * sizeof(*ranges));
	size_t filled = 0, at = 0, width = 0;
	int n;

	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		width = m_ranges(list, &ms[i], ranges + filled);
		filled += width;
	}
	n = pw_mem_read_many(list->mem, ranges, filled);
	if (n < 0)
		return n;
	for (size_t i = 0; i < count; i++) {
		ms[i].ok = true;
		for (size_t k = 0; k < width; k++)
			ms[i].ok = ms[i].ok && ranges[at++].ok;
	}
	return 0;
}

static int append(struct pw_m_list *list, const struct pw_m_words *m)
{
	if (list->count == list->capacity) {
		size_t capacity = PW_MAX(list->capacity * 2, (size_t)64);
		struct pw_m_words *ms = realloc(list->ms, capacity * sizeof(*ms));

		if (!ms)
			return -ENOMEM;
		list->ms = ms;
		list->capacity = capacity;
	}
	list->ms[list->count++] = *m;
	return 0;
}

/* Walks from first through what is known, into list. -EAGAIN: the list does not end, or leads nowhere. */
static int walk(struct pw_m_list *list, const struct pw_m_list *known, const struct pw_addr_map *index,
		struct pw_addr_map *seen, uint64_t first)
{
	for (uint64_t addr = first; addr;) {
		struct pw_m_words m = {.addr = addr};
		uint32_t at = pw_addr_map_find(index, addr);
		int r = 0;

		if (addr % 8 || addr >= PW_USER_ADDRESS_MAX || list->count >= PW_MS_MAX ||
		    pw_addr_map_find(seen, addr) != UINT32_MAX)
			return -EAGAIN;
		if (pw_addr_map_add(seen, addr, (uint32_t)list->count) == UINT32_MAX)
			return -ENOMEM;
		if (at != UINT32_MAX && known->ms[at].ok)
			m = known->ms[at];
		else
			r = read_ms(list, &m, 1);
		if (!r && !m.ok)
			return -EAGAIN;
		if (!r)
			r = append(list, &m);
		if (r)
			return r;
		addr = m.next;
	}
	return 0;
}

static int walk_list(struct pw_m_list *list, uint64_t first)
{
	struct pw_addr_map index = {}, seen = {};
	struct pw_m_list fresh = *list;
	int r;

	fresh.ms = NULL;
	fresh.count = fresh.capacity = 0;
	r = read_ms(list, list->ms, list->count);
	for (size_t i = 0; i < list->count && !r; i++)
		if (pw_addr_map_add(&index, list->ms[i].addr, (uint32_t)i) == UINT32_MAX)
			r = -ENOMEM;
	if (!r)
		r = walk(&fresh, list, &index, &seen, first);
	pw_addr_map_done(&index);
	pw_addr_map_done(&seen);
	if (r) {
		pw_m_list_done(&fresh);
		list->count = 0; /* begun anew next time */
		return r;
	}
	free(list->ms);
	*list = fresh;
	return 0;
}

int pw_m_list_read(struct pw_m_list *list, uint64_t first, struct pw_runtime_numbers *numbers)
{
	int r = -EAGAIN;

	if (first && first != PW_UNKNOWN && list->link >= 0) {
		r = walk_list(list, first);
		if (r == -EAGAIN)
			r = walk_list(list, first);
	}
	if (r && r != -EAGAIN)
		return r;
	if (r || list->cgo_calls < 0)
		numbers->cgo_calls = PW_UNKNOWN;
	if ((r && list->lock_wait >= 0) || list->lock_wait_missing) /* before 1.22 there is nothing to add */
		numbers->mutex_wait_ns = PW_UNKNOWN;
	for (size_t i = 0; i < list->count && !r; i++) {
		if (numbers->cgo_calls != PW_UNKNOWN)
			numbers->cgo_calls += list->ms[i].cgo_calls;
		if (numbers->mutex_wait_ns != PW_UNKNOWN && list->lock_wait >= 0)
			numbers->mutex_wait_ns += list->ms[i].lock_wait_ns;
	}
	return 0;
}

int pw_finalizers_waiting(struct pw_mem *mem, const struct pw_layout *layout, uint64_t first, uint64_t *ret_count)
{
	int32_t next_at = pw_field_offset(layout, PW_FIELD_FINBLOCK_NEXT, 64);
	int32_t count_at = pw_field_offset(layout, PW_FIELD_FINBLOCK_CNT, 64);
	uint64_t total = 0, addr = first;

	*ret_count = PW_UNKNOWN;
	if (next_at < 0 || count_at < 0 || first == PW_UNKNOWN)
		return 0;
	for (unsigned int steps = 0; addr; steps++) {
		uint64_t next = 0;
		uint32_t count = 0;
		struct pw_mem_range ranges[] = {
			{.addr = addr + (uint64_t)next_at, .buffer = &next, .size = sizeof(next)},
			{.addr = addr + (uint64_t)count_at, .buffer = &count, .size = sizeof(count)},
		};
		int n = addr % 8 || addr >= PW_USER_ADDRESS_MAX || steps >= PW_FINBLOCKS_MAX
				? 0
				: pw_mem_read_many(mem, ranges, ARRAY_SIZE(ranges));

		if (n < 0)
			return n;
		if (n < 2 || count > FINALIZERS_MAX)
			return 0;
		total += count;
		addr = next;
	}
	*ret_count = total;
	return 0;
}
