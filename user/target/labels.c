/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/labels.h"

#include <errno.h>
#include <string.h>

#include "base/intern.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/vec.h"
#include "target/gather.h"
#include "target/target.h"

#define LABEL_BYTES 32u /* two string headers */

/* runtime.hmap and bmap of map[string]string (src/runtime/map.go, go1.17 to 1.23). */
#define HMAP_BYTES    48u
#define HMAP_B	      9u
#define HMAP_BUCKETS  16u
#define HMAP_B_MAX    8u
#define BUCKET_SLOTS  8u
#define BUCKET_BYTES  (BUCKET_SLOTS + BUCKET_SLOTS * LABEL_BYTES + 8u)
#define TOPHASH_EMPTY 4u /* smaller values: empty or moved away */

struct label_range {
	uint32_t first, count;
};

struct pw_label_set {
	struct pw_target *target; /* borrowed */
	struct pw_intern *strings;
	struct pw_addr_map known; /* address -> index into ranges, of this look */
	PW_VEC(struct label_range) ranges;
	PW_VEC(struct pw_snapshot_label) labels;
};

int pw_label_set_new(struct pw_label_set **ret_set, struct pw_target *target)
{
	struct pw_label_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	set->target = target;
	set->ranges.max = set->labels.max = PW_GOROUTINES_MAX;
	if (pw_intern_new(&set->strings, PW_LABEL_STRINGS_MAX, PW_LABEL_BYTES_MAX)) {
		free(set);
		return -ENOMEM;
	}
	*ret_set = set;
	return 0;
}

void pw_label_set_free(struct pw_label_set *set)
{
	if (!set)
		return;
	pw_intern_free(set->strings);
	pw_addr_map_done(&set->known);
	pw_vec_done(&set->ranges);
	pw_vec_done(&set->labels);
	free(set);
}

void pw_label_set_begin(struct pw_label_set *set)
{
	pw_addr_map_reset(&set->known);
	pw_vec_reset(&set->ranges);
	pw_vec_reset(&set->labels);
}

static uint64_t word_at(const uint8_t *bytes, size_t at)
{
	uint64_t word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

/* A Go string by its header. NULL: none that makes sense. */
static const char *read_string(struct pw_label_set *set, const uint8_t *header)
{
	char text[PW_LABEL_SIZE_MAX];
	uint64_t length = word_at(header, 8);
	uint32_t id;

	if (length > PW_STACK_SIZE_MAX)
		return NULL;
	length = PW_MIN(length, (uint64_t)sizeof(text));
	if (length && pw_mem_read(&set->target->mem, word_at(header, 0), text, (size_t)length))
		return NULL;
	if (memchr(text, '\0', (size_t)length) || pw_intern_add(set->strings, text, (size_t)length, &id))
		return NULL;
	return pw_intern_text(set->strings, id);
}

static int add_label(struct pw_label_set *set, const uint8_t *key, const uint8_t *value, struct label_range *range)
{
	struct pw_snapshot_label label = {.key = read_string(set, key), .value = read_string(set, value)};
	int r;

	if (!label.key || !label.value || range->count >= PW_LABELS_MAX)
		return 0;
	r = pw_vec_push(&set->labels, label);
	range->count += !r;
	return r == -E2BIG ? 0 : r;
}

/* 1.24 and later: a slice of {key, value}. */
static int read_list(struct pw_label_set *set, uint64_t addr, struct label_range *range)
{
	uint8_t slice[16], labels[PW_LABELS_MAX * LABEL_BYTES];
	size_t count;
	int r = pw_mem_read(&set->target->mem, addr, slice, sizeof(slice));

	if (r || word_at(slice, 8) > 1u << 20)
		return r;
	count = (size_t)PW_MIN(word_at(slice, 8), (uint64_t)PW_LABELS_MAX);
	if (count)
		r = pw_mem_read(&set->target->mem, word_at(slice, 0), labels, count * LABEL_BYTES);
	for (size_t i = 0; !r && i < count; i++)
		r = add_label(set, labels + i * LABEL_BYTES, labels + i * LABEL_BYTES + 16, range);
	return r;
}

static int read_bucket(struct pw_label_set *set, uint64_t addr, struct label_range *range, uint64_t *ret_overflow)
{
	uint8_t bucket[BUCKET_BYTES];
	int r = pw_mem_read(&set->target->mem, addr, bucket, sizeof(bucket));

	for (size_t i = 0; !r && i < BUCKET_SLOTS; i++) {
		const uint8_t *key = bucket + BUCKET_SLOTS + i * 16;

		if (bucket[i] > TOPHASH_EMPTY)
			r = add_label(set, key, key + (size_t)BUCKET_SLOTS * 16, range);
	}
	if (!r)
		*ret_overflow = word_at(bucket, BUCKET_BYTES - 8);
	return r;
}

/* Up to 1.23: a map. Label sets are never changed once they are made, so there is no old table beside the new one but
 * while it is being filled. */
static int read_map(struct pw_label_set *set, uint64_t addr, struct label_range *range)
{
	uint64_t map, buckets, steps = 0;
	uint8_t header[HMAP_BYTES];
	int r = pw_mem_read_u64(&set->target->mem, addr, &map);

	if (r || !map)
		return r;
	r = pw_mem_read(&set->target->mem, map, header, sizeof(header));
	if (r)
		return r;
	if (header[HMAP_B] > HMAP_B_MAX || !word_at(header, 0))
		return 0;
	buckets = word_at(header, HMAP_BUCKETS);
	for (size_t i = 0; !r && i < (size_t)1 << header[HMAP_B] && range->count < PW_LABELS_MAX; i++) {
		uint64_t at = buckets + i * BUCKET_BYTES;

		while (!r && at && steps++ < PW_LABELS_MAX + 256)
			r = read_bucket(set, at, range, &at);
	}
	return r;
}

int pw_label_set_read(struct pw_label_set *set, uint64_t addr, uint32_t *ret_first, uint32_t *ret_count)
{
	struct label_range range = {.first = (uint32_t)set->labels.count};
	uint32_t known = pw_addr_map_find(&set->known, addr);
	int r = 0;

	*ret_first = *ret_count = 0;
	if (!addr)
		return 0;
	if (known == UINT32_MAX) {
		r = set->target->build->facts.layout.go_minor >= 24 ? read_list(set, addr, &range)
								    : read_map(set, addr, &range);
		if (r && r != -EFAULT)
			return r;
		known = pw_addr_map_add(&set->known, addr, (uint32_t)set->ranges.count);
		if (known == UINT32_MAX)
			return -ENOMEM;
		r = pw_vec_push(&set->ranges, range);
		if (r)
			return r == -E2BIG ? 0 : r;
	}
	if (known < set->ranges.count && set->ranges.items[known].count) {
		*ret_first = set->ranges.items[known].first;
		*ret_count = set->ranges.items[known].count;
	}
	return 0;
}

const struct pw_snapshot_label *pw_label_set_all(const struct pw_label_set *set, size_t *ret_count)
{
	*ret_count = set->labels.count;
	return set->labels.items;
}
