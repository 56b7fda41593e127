/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libbpf's bpf_helpers.h for the host: maps are small lists of real entries with the sizes that their definitions say,
 * per-CPU maps have one CPU, and the helpers read what a test put into `host`.
 */
#ifndef PW_BPF_HOST_HELPERS_H
#define PW_BPF_HOST_HELPERS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEC(name)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __weak
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

struct host_entry {
	struct host_entry *next;
	uint8_t *key, *value;
};

struct host_map {
	const void *definition;
	struct host_map *next;
	struct host_entry *entries;
	size_t count, max;
};

static struct {
	struct host_map *maps;
	uint64_t cookie, pid_tgid, boot_ns, now_ns;
	int ns_result; /* of bpf_get_ns_current_pid_tgid */
	uint32_t ns_tgid;
	bool memory_closed; /* bpf_probe_read_user fails */
	uint64_t stack[8];
	long stack_result; /* < 0: the error of bpf_get_stack */
	bool ring_full;
	void *reserved;
	size_t reserved_size;
	uint8_t records[16][256];
	size_t record_count;
	size_t map_max; /* 0: as defined */
} host;

/* Sets an option of bpf/config.bpf.h, which the compiler has put among the constants. */
#define host_set_option(option, value)                                                                        \
	do {                                                                                                  \
		uintptr_t page_ = (uintptr_t)sysconf(_SC_PAGESIZE);                                           \
		if (mprotect((void *)((uintptr_t) & (option) & ~(page_ - 1)), page_, PROT_READ | PROT_WRITE)) \
			abort();                                                                              \
		memcpy((void *)(uintptr_t) & (option), &(__u64){value}, sizeof(option));                      \
	} while (0)

static struct host_map *host_map(const void *definition, size_t max)
{
	struct host_map *map;

	for (map = host.maps; map; map = map->next)
		if (map->definition == definition)
			return map;
	map = calloc(1, sizeof(*map));
	map->definition = definition;
	map->max = host.map_max ? host.map_max : max;
	map->next = host.maps;
	host.maps = map;
	return map;
}

static void host_reset(void)
{
	while (host.maps) {
		struct host_map *map = host.maps;

		host.maps = map->next;
		while (map->entries) {
			struct host_entry *entry = map->entries;

			map->entries = entry->next;
			free(entry->key);
			free(entry->value);
			free(entry);
		}
		free(map);
	}
	free(host.reserved);
	memset(&host, 0, sizeof(host));
}

static void *host_find(struct host_map *map, const void *key, size_t key_size)
{
	for (struct host_entry *entry = map->entries; entry; entry = entry->next)
		if (!memcmp(entry->key, key, key_size))
			return entry->value;
	return NULL;
}

static long host_put(struct host_map *map, const void *key, size_t key_size, const void *value, size_t value_size,
		     uint64_t flags)
{
	void *known = host_find(map, key, key_size);

	if (known && flags == 1 /* BPF_NOEXIST */)
		return -EEXIST;
	if (known) {
		memcpy(known, value, value_size);
		return 0;
	}
	if (map->count >= map->max)
		return -E2BIG;
	struct host_entry *entry = calloc(1, sizeof(*entry));
	entry->key = malloc(key_size);
	entry->value = malloc(value_size);
	memcpy(entry->key, key, key_size);
	memcpy(entry->value, value, value_size);
	entry->next = map->entries;
	map->entries = entry;
	map->count++;
	return 0;
}

/* Arrays have all their entries from the start: made when first looked at. */
static void *host_lookup(const void *definition, size_t type, size_t max, const void *key, size_t key_size,
			 size_t value_size)
{
	struct host_map *map = host_map(definition, max);
	void *value = host_find(map, key, key_size);
	bool array = type == 2 || type == 6;
	uint32_t index;

	if (value || !array)
		return value;
	memcpy(&index, key, sizeof(index));
	if (index >= max)
		return NULL;
	void *zero = calloc(1, value_size);
	map->max = max;
	host_put(map, key, key_size, zero, value_size, 0);
	free(zero);
	return host_find(map, key, key_size);
}

#define HOST_TYPE(map) (sizeof(*(map)->type) / sizeof(int))
#define HOST_MAX(map)  (sizeof(*(map)->max_entries) / sizeof(int))
#define bpf_map_lookup_elem(map, k) \
	host_lookup(map, HOST_TYPE(map), HOST_MAX(map), k, sizeof(*(map)->key), sizeof(*(map)->value))
#define bpf_map_update_elem(map, k, v, flags) \
	host_put(host_map(map, HOST_MAX(map)), k, sizeof(*(map)->key), v, sizeof(*(map)->value), flags)

static inline uint64_t bpf_get_attach_cookie(void *ctx)
{
	(void)ctx;
	return host.cookie;
}

static inline uint64_t bpf_get_current_pid_tgid(void)
{
	return host.pid_tgid;
}

struct bpf_pidns_info;
static inline long host_ns_pid(void *info, size_t size)
{
	uint32_t numbers[2] = {host.ns_tgid, host.ns_tgid};

	if (!host.ns_result)
		memcpy(info, numbers, size < sizeof(numbers) ? size : sizeof(numbers));
	return host.ns_result;
}
#define bpf_get_ns_current_pid_tgid(device, inode, info, size) ((void)(device), (void)(inode), host_ns_pid(info, size))

static inline uint64_t bpf_ktime_get_boot_ns(void)
{
	return host.boot_ns;
}

static inline uint64_t bpf_ktime_get_ns(void)
{
	return host.now_ns;
}

/* The "user memory" is the test's own. */
static inline long bpf_probe_read_user(void *to, uint32_t size, const void *from)
{
	memset(to, 0, size);
	if (host.memory_closed || !from)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static inline long bpf_get_stack(void *ctx, void *to, uint32_t size, uint64_t flags)
{
	(void)ctx;
	(void)flags;
	memset(to, 0, size);
	if (host.stack_result < 0)
		return host.stack_result;
	memcpy(to, host.stack, sizeof(host.stack));
	return sizeof(host.stack);
}

/* malloc, so that a write beyond the reserved size is caught. */
static inline void *bpf_ringbuf_reserve(void *ring, uint64_t size, uint64_t flags)
{
	(void)ring;
	(void)flags;
	if (host.ring_full || host.reserved)
		return NULL;
	host.reserved = malloc(size);
	host.reserved_size = size;
	return host.reserved;
}

static inline void bpf_ringbuf_submit(void *record, uint64_t flags)
{
	(void)flags;
	memcpy(host.records[host.record_count++], record, host.reserved_size);
	free(record);
	host.reserved = NULL;
}

#endif
