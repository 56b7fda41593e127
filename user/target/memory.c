/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/memory.h"

#include <string.h>

#include "base/cgroup.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/smaps.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/target.h"

#define ARENA_BYTES (64ULL << 20) /* src/runtime/malloc.go:heapArenaBytes on 64-bit Linux, go1.17 to 1.27 */
/* What is subtracted from an address before it is divided: malloc.go:arenaBaseOffset. */
#define ARENA_BASE_AMD64 0xffff800000000000ULL

struct pw_memory_look {
	struct pw_smaps smaps;
	struct pw_arena *arenas; /* owned */
	size_t arena_count, next_arena;
	struct pw_memory_mappings mappings;
	uint64_t shmem_by_status;
	uint64_t data_end; /* of the writable file mapping before this one, and the bss that follows it; 0: none */
};

/* ---- the arenas ---- */

static int compare_arenas(const void *left, const void *right)
{
	const struct pw_arena *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static size_t join(struct pw_arena *arenas, size_t count)
{
	size_t joined = 0;

	qsort(arenas, count, sizeof(*arenas), compare_arenas);
	for (size_t i = 0; i < count; i++) {
		if (joined && arenas[i].start <= arenas[joined - 1].end)
			arenas[joined - 1].end = PW_MAX(arenas[joined - 1].end, arenas[i].end);
		else
			arenas[joined++] = arenas[i];
	}
	return joined;
}

int pw_memory_arenas(struct pw_target *target, struct pw_arena **ret_arenas, size_t *ret_count)
{
	const struct pw_build_facts *facts = &target->build->facts;
	int32_t offset = pw_field_offset(&facts->layout, PW_FIELD_MHEAP_HEAPARENAS, PW_MHEAP_SIZE_MAX);
	uint64_t base = facts->arch == PW_ARCH_AMD64 ? ARENA_BASE_AMD64 : 0, slice[2];
	_cleanup_free_ struct pw_arena *arenas = NULL;
	_cleanup_free_ uint64_t *numbers = NULL;
	int r;

	if (!target->memory_ok || !facts->globals.addr[PW_GLOBAL_MHEAP] || offset < 0)
		return -ENOTSUP;
	r = pw_mem_read(&target->mem, facts->globals.addr[PW_GLOBAL_MHEAP] + target->bias + (uint64_t)offset, slice,
			sizeof(slice));
	if (r)
		return r;
	if (!slice[0] || slice[0] % 8 || !slice[1] || slice[1] > PW_ARENAS_MAX)
		return -EBADMSG;
	numbers = calloc(slice[1], sizeof(*numbers));
	arenas = calloc(slice[1], sizeof(*arenas));
	if (!numbers || !arenas)
		return -ENOMEM;
	r = pw_mem_read(&target->mem, slice[0], numbers, slice[1] * sizeof(*numbers));
	if (r)
		return r;
	for (size_t i = 0; i < slice[1]; i++) {
		uint64_t start = numbers[i] * ARENA_BYTES + base;

		if (numbers[i] >> 38 || start >= PW_USER_ADDRESS_MAX) /* 2^38 of them are all addresses */
			return -EBADMSG;
		arenas[i] = (struct pw_arena){start, start + ARENA_BYTES};
	}
	*ret_count = join(arenas, slice[1]);
	*ret_arenas = TAKE_PTR(arenas);
	return 0;
}

/* ---- one mapping ---- */

static void add(struct pw_memory_sizes *to, const struct pw_smaps_sizes *from)
{
	to->rss += from->rss;
	to->anonymous += from->anonymous;
	to->swap += from->swap;
	to->lazy_free += from->lazy_free;
	to->anon_huge += from->anon_huge;
}

/* Mappings come in ascending order, and so do the arenas. One that is mostly in an arena is taken to be its. */
static bool in_arena(struct pw_memory_look *look, const struct pw_proc_map *map)
{
	uint64_t inside = 0;

	while (look->next_arena < look->arena_count && look->arenas[look->next_arena].end <= map->start)
		look->next_arena++;
	for (size_t i = look->next_arena; i < look->arena_count && look->arenas[i].start < map->end; i++)
		inside += PW_MIN(look->arenas[i].end, map->end) - PW_MAX(look->arenas[i].start, map->start);
	return inside > (map->end - map->start) / 2;
}

static bool is_shmem(const struct pw_proc_map *map)
{
	static const char *const paths[] = {"/dev/zero", "/memfd:", "/dev/shm/", "/SYSV"};

	for (size_t i = 0; map->shared && i < ARRAY_SIZE(paths); i++)
		if (!strncmp(map->path, paths[i], strlen(paths[i])))
			return true;
	return false;
}

static void take_mapping(void *context, const struct pw_proc_map *map, const struct pw_smaps_sizes *sizes)
{
	static const char go_name[] = "[anon: Go: ", heap_name[] = "[anon: Go: heap";
	struct pw_memory_look *look = context;
	struct pw_memory_mappings *mappings = &look->mappings;
	bool anonymous = !map->inode && (!map->path[0] || map->path[0] == '[');
	bool bss = anonymous && !map->path[0] && look->data_end && map->start == look->data_end;

	add(&mappings->total, sizes);
	mappings->count++;
	look->data_end = !map->shared && map->writable && (map->inode || bss) ? map->end : 0;
	if (is_shmem(map))
		mappings->shmem += sizes->rss;
	else if (map->inode || bss)
		add(&mappings->globals, sizes); /* of these, only what is anonymous is counted */
	else if (in_arena(look, map) || !strncmp(map->path, heap_name, sizeof(heap_name) - 1))
		add(&mappings->arenas, sizes);
	else if (!strncmp(map->path, go_name, sizeof(go_name) - 1))
		add(&mappings->go_named, sizes);
	else if (!strcmp(map->path, "[heap]"))
		add(&mappings->brk, sizes);
	else
		add(&mappings->other, sizes);
}

/* ---- all of them ---- */

int pw_memory_look_begin(struct pw_memory_look **ret_look, struct pw_target *target, const struct pw_procfs *procfs)
{
	_cleanup_(pw_memory_look_freep) struct pw_memory_look *look = calloc(1, sizeof(*look));
	struct pw_proc_status status;
	int r;

	if (!look)
		return -ENOMEM;
	look->smaps = (struct pw_smaps)PW_SMAPS_INIT;
	look->mappings.detailed = true;
	r = pw_memory_arenas(target, &look->arenas, &look->arena_count);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	for (size_t i = 0; i < look->arena_count; i++)
		look->mappings.arenas_bytes += look->arenas[i].end - look->arenas[i].start;
	r = pw_procfs_status(procfs, target->pid, &status);
	if (r < 0)
		return r;
	look->shmem_by_status = status.rss_shmem_bytes;
	r = pw_smaps_open(&look->smaps, procfs, target->pid, take_mapping, look);
	if (r < 0)
		return r;
	*ret_look = TAKE_PTR(look);
	return 0;
}

int pw_memory_look_step(struct pw_memory_look *look, uint64_t budget_ns, struct pw_memory_mappings *ret_mappings)
{
	int r = pw_smaps_step(&look->smaps, budget_ns);

	if (r < 0)
		return r;
	/* Files on tmpfs are shared memory too, which only the kernel's own count tells. */
	look->mappings.shmem = PW_MAX(look->mappings.shmem, look->shmem_by_status);
	*ret_mappings = look->mappings;
	return 0;
}

void pw_memory_look_free(struct pw_memory_look *look)
{
	if (!look)
		return;
	pw_smaps_close(&look->smaps);
	free(look->arenas);
	free(look);
}

int pw_memory_rollup(struct pw_memory_mappings *ret_mappings, const struct pw_procfs *procfs, int pid)
{
	struct pw_memory_mappings mappings = {0};
	struct pw_proc_status status;
	struct pw_smaps_sizes sizes;
	int r = pw_procfs_smaps_rollup(procfs, pid, &sizes);

	if (!r)
		r = pw_procfs_status(procfs, pid, &status);
	if (r)
		return r;
	add(&mappings.total, &sizes);
	mappings.shmem = status.rss_shmem_bytes;
	*ret_mappings = mappings;
	return 0;
}

int pw_memory_counts(struct pw_memory_mappings *ret_mappings, const struct pw_procfs *procfs, int pid)
{
	struct pw_proc_status status;
	int r = pw_procfs_status(procfs, pid, &status);

	if (r < 0)
		return r;
	*ret_mappings = (struct pw_memory_mappings){
		.total = {.rss = status.vm_rss_bytes, .anonymous = status.rss_anon_bytes, .swap = status.vm_swap_bytes},
		.shmem = status.rss_shmem_bytes};
	return 0;
}

int pw_memory_limits(struct pw_memory_limits *ret_limits, struct pw_cgroup_memory *ret_cgroup, const char *cgroup_root,
		     const struct pw_procfs *procfs, int pid)
{
	int r = pw_cgroup_memory_read(cgroup_root, procfs, pid, ret_cgroup);

	*ret_limits = (struct pw_memory_limits){0, PW_UNKNOWN, PW_UNKNOWN, PW_UNKNOWN, PW_UNKNOWN, PW_UNKNOWN};
	if (r == -ENODATA || r == -EINVAL)
		return 0;
	if (r < 0)
		return r;
	*ret_limits = (struct pw_memory_limits){.cgroup_version = (uint64_t)ret_cgroup->version,
						.max_bytes = ret_cgroup->max_bytes,
						.max_used_bytes = ret_cgroup->max_used_bytes,
						.max_reclaimable_bytes = ret_cgroup->max_reclaimable_bytes,
						.high_bytes = ret_cgroup->high_bytes,
						.swap_max_bytes = ret_cgroup->swap_max_bytes};
	return 0;
}
