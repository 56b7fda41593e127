/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's map calls for tests: sorted by insertion, in "buckets" of bucket_size entries. Number 0 to 7 is the fd. */
#ifndef PW_TEST_FAKE_MAP_H
#define PW_TEST_FAKE_MAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "collect/maps.h"

#define FAKE_MAPS    8
#define FAKE_ENTRIES 6000
#define FAKE_VALUE   (PW_MAP_COUNTERS_MAX * 8)

struct fake_entry {
	uint8_t key[PW_MAP_KEY_MAX], value[FAKE_VALUE];
	bool gone;
};
struct fake_map {
	uint32_t key_bytes, value_bytes, count;
	struct fake_entry entries[FAKE_ENTRIES];
};

static struct {
	struct fake_map maps[FAKE_MAPS];
	uint32_t bucket_size; /* entries of one bucket: a batch must hold all of one */
	int batch_error;      /* what lookup_batch and delete_batch say instead of working */
	unsigned int batch_calls, lookups, deletes;
} fake;

static inline void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.bucket_size = 4;
}

static inline void fake_add(int fd, const void *key, uint32_t key_bytes, const void *value, uint32_t value_bytes)
{
	struct fake_map *map = &fake.maps[fd];
	struct fake_entry *entry = &map->entries[map->count++];

	map->key_bytes = key_bytes;
	map->value_bytes = value_bytes;
	memcpy(entry->key, key, key_bytes);
	memcpy(entry->value, value, value_bytes);
}

static inline uint32_t fake_left(int fd)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < fake.maps[fd].count; i++)
		left += !fake.maps[fd].entries[i].gone;
	return left;
}

static int fake_lookup_batch(int fd, void *in, void *out, void *keys, void *values, uint32_t *count)
{
	struct fake_map *map = &fake.maps[fd];
	uint32_t at = 0, room = *count, filled = 0;

	fake.batch_calls++;
	if (fake.batch_error)
		return fake.batch_error;
	if (in)
		memcpy(&at, in, sizeof(at));
	while (at < map->count) {
		uint32_t end = at + fake.bucket_size < map->count ? at + fake.bucket_size : map->count;

		if (filled + (end - at) > room)
			break;
		for (; at < end; at++) {
			if (map->entries[at].gone)
				continue;
			memcpy((uint8_t *)keys + (size_t)filled * map->key_bytes, map->entries[at].key, map->key_bytes);
			memcpy((uint8_t *)values + (size_t)filled * map->value_bytes, map->entries[at].value,
			       map->value_bytes);
			filled++;
		}
	}
	if (!filled && at < map->count)
		return -ENOSPC;
	memcpy(out, &at, sizeof(at));
	*count = filled;
	return at < map->count ? 0 : -ENOENT;
}

static struct fake_entry *fake_find(int fd, const void *key, uint32_t *ret_index)
{
	struct fake_map *map = &fake.maps[fd];

	for (uint32_t i = 0; i < map->count; i++)
		if (!map->entries[i].gone && !memcmp(map->entries[i].key, key, map->key_bytes)) {
			*ret_index = i;
			return &map->entries[i];
		}
	return NULL;
}

static int fake_next_key(int fd, const void *key, void *next)
{
	struct fake_map *map = &fake.maps[fd];
	uint32_t index = 0;

	if (key && fake_find(fd, key, &index))
		index++;
	while (index < map->count && map->entries[index].gone)
		index++;
	if (index >= map->count)
		return -ENOENT;
	memcpy(next, map->entries[index].key, map->key_bytes);
	return 0;
}

static int fake_lookup(int fd, const void *key, void *value)
{
	uint32_t index;
	struct fake_entry *entry = fake_find(fd, key, &index);

	fake.lookups++;
	if (!entry)
		return -ENOENT;
	memcpy(value, entry->value, fake.maps[fd].value_bytes);
	return 0;
}

static int fake_delete(int fd, const void *key)
{
	uint32_t index;
	struct fake_entry *entry = fake_find(fd, key, &index);

	fake.deletes++;
	if (!entry)
		return -ENOENT;
	entry->gone = true;
	return 0;
}

static int fake_delete_batch(int fd, const void *keys, uint32_t *count)
{
	for (uint32_t i = 0; i < *count; i++) {
		int r = fake.batch_error ? fake.batch_error :
					   fake_delete(fd, (const uint8_t *)keys + (size_t)i * fake.maps[fd].key_bytes);

		if (r < 0) {
			*count = i;
			return r;
		}
	}
	return 0;
}

static const struct pw_map_ops fake_ops = {
	.lookup_batch = fake_lookup_batch,
	.delete_batch = fake_delete_batch,
	.get_next_key = fake_next_key,
	.lookup = fake_lookup,
	.delete = fake_delete,
};

#endif
