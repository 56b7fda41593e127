/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define BATCH_FIRST 512U
#define BATCH_MAX   65536U
/* The kernel's own errno for an operation that a map type lacks (ENOTSUPP), not in errno.h. */
#define KERNEL_ENOTSUPP 524

static int kernel_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, uint32_t *count)
{
	return bpf_map_lookup_batch(fd, in_batch, out_batch, keys, values, count, NULL) < 0 ? -errno : 0;
}

static int kernel_delete_batch(int fd, const void *keys, uint32_t *count)
{
	return bpf_map_delete_batch(fd, keys, count, NULL) < 0 ? -errno : 0;
}

static int kernel_get_next_key(int fd, const void *key, void *next_key)
{
	return bpf_map_get_next_key(fd, key, next_key) < 0 ? -errno : 0;
}

static int kernel_lookup(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value) < 0 ? -errno : 0;
}

static int kernel_delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) < 0 ? -errno : 0;
}

const struct pw_map_ops pw_map_kernel_ops = {
	.lookup_batch = kernel_lookup_batch,
	.delete_batch = kernel_delete_batch,
	.get_next_key = kernel_get_next_key,
	.lookup = kernel_lookup,
	.delete = kernel_delete,
};

void pw_map_reader_init(struct pw_map_reader *reader, const struct pw_map_ops *ops, int cpus)
{
	*reader = (struct pw_map_reader){.ops = ops, .cpus = cpus > 0 ? cpus : 1};
}

void pw_map_reader_done(struct pw_map_reader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
	reader->buffer_bytes = 0;
}

static size_t value_words(const struct pw_map_reader *reader, const struct pw_map_shape *shape)
{
	return (size_t)shape->counters * (shape->per_cpu ? (size_t)reader->cpus : 1);
}

static void *buffer_of(struct pw_map_reader *reader, size_t bytes)
{
	if (bytes > reader->buffer_bytes) {
		void *grown = realloc(reader->buffer, bytes);

		if (!grown)
			return NULL;
		reader->buffer = grown;
		reader->buffer_bytes = bytes;
	}
	return reader->buffer;
}

static void sum_up(const struct pw_map_shape *shape, const uint64_t *words, size_t count, uint64_t *sum)
{
	memset(sum, 0, shape->counters * sizeof(*sum));
	for (size_t i = 0; i < count; i++)
		sum[i % shape->counters] += words[i];
}

static bool is_shape_ok(const struct pw_map_shape *shape)
{
	return shape->counters && shape->counters <= PW_MAP_COUNTERS_MAX && shape->key_bytes &&
	       shape->key_bytes <= PW_MAP_KEY_MAX;
}

/* The batch position of hash maps is a u32; the kernel says only that it fits a key. */
union position {
	uint32_t bucket;
	uint8_t bytes[PW_MAP_KEY_MAX];
};

/* One walk with a batch of `size`; -ENOSPC if a bucket holds more, before anything was reported or after `*total`. */
static int walk(struct pw_map_reader *reader, const struct pw_map_shape *shape, uint32_t size, union position *position,
		int *total, pw_map_each each, void *context)
{
	size_t words = value_words(reader, shape);
	uint8_t *values = buffer_of(reader, (size_t)size * (words * sizeof(uint64_t) + shape->key_bytes));
	uint64_t sum[PW_MAP_COUNTERS_MAX];
	int r;

	if (!values)
		return -ENOMEM;
	uint8_t *keys = values + (size_t)size * words * sizeof(uint64_t);
	do {
		union position next = {0};
		uint32_t count = size;

		r = reader->ops->lookup_batch(shape->fd, *total || position->bucket ? position : NULL, &next, keys,
					      values, &count);
		if (r < 0 && r != -ENOENT)
			return r;
		for (uint32_t i = 0; i < count && i < size; i++) {
			sum_up(shape, (uint64_t *)(void *)(values + (size_t)i * words * sizeof(uint64_t)), words, sum);
			each(context, keys + (size_t)i * shape->key_bytes, sum);
		}
		*total += (int)PW_MIN(count, size);
		*position = next;
	} while (!r && *total <= (int)shape->max_entries * 2);
	return 0;
}

static int read_batches(struct pw_map_reader *reader, const struct pw_map_shape *shape, pw_map_each each, void *context)
{
	union position position = {0};
	uint32_t size = PW_MIN(BATCH_FIRST, PW_MAX(shape->max_entries, 16U));
	int total = 0, r;

	for (;;) {
		r = walk(reader, shape, size, &position, &total, each, context);
		if (r != -ENOSPC || size >= BATCH_MAX)
			return r < 0 ? r : total;
		size *= 4;
	}
}

static int read_singly(struct pw_map_reader *reader, const struct pw_map_shape *shape, pw_map_each each, void *context)
{
	uint8_t key[PW_MAP_KEY_MAX], next[PW_MAP_KEY_MAX];
	size_t words = value_words(reader, shape);
	uint64_t *values = buffer_of(reader, words * sizeof(uint64_t)), sum[PW_MAP_COUNTERS_MAX];
	int total = 0, r;

	if (!values)
		return -ENOMEM;
	r = reader->ops->get_next_key(shape->fd, NULL, next);
	/* A key that is deleted under us sends the walk back to the start: hence the budget. */
	for (uint32_t steps = 0; !r && steps < shape->max_entries * 2; steps++) {
		memcpy(key, next, shape->key_bytes);
		r = reader->ops->lookup(shape->fd, key, values);
		if (!r) {
			sum_up(shape, values, words, sum);
			each(context, key, sum);
			total++;
		} else if (r != -ENOENT) {
			return r;
		}
		r = reader->ops->get_next_key(shape->fd, key, next);
	}
	return r && r != -ENOENT ? r : total;
}

static bool is_refusal(int r)
{
	return r == -EINVAL || r == -KERNEL_ENOTSUPP || r == -EOPNOTSUPP || r == -ENOSYS;
}

int pw_map_read(struct pw_map_reader *reader, const struct pw_map_shape *shape, pw_map_each each, void *context)
{
	if (!is_shape_ok(shape))
		return -EINVAL;
	if (!reader->no_batch) {
		int r = read_batches(reader, shape, each, context);

		if (!is_refusal(r))
			return r;
		reader->no_batch = true;
	}
	return read_singly(reader, shape, each, context);
}

int pw_map_read_one(struct pw_map_reader *reader, const struct pw_map_shape *shape, const void *key, uint64_t *ret_sum)
{
	if (!is_shape_ok(shape))
		return -EINVAL;
	size_t words = value_words(reader, shape);
	uint64_t *values = buffer_of(reader, words * sizeof(uint64_t));
	if (!values)
		return -ENOMEM;
	int r = reader->ops->lookup(shape->fd, key, values);
	if (!r)
		sum_up(shape, values, words, ret_sum);
	return r;
}

int pw_map_delete(struct pw_map_reader *reader, const struct pw_map_shape *shape, const void *keys, uint32_t count)
{
	uint32_t done = count;

	if (!count)
		return 0;
	if (!reader->no_batch && !reader->ops->delete_batch(shape->fd, keys, &done))
		return 0;
	/* The batch stops at the first key that is gone: the rest, or all of it, one by one. */
	for (uint32_t i = 0; i < count; i++) {
		int r = reader->ops->delete (shape->fd, (const uint8_t *)keys + (size_t)i * shape->key_bytes);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}
