/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/ages.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/vec.h"
#include "base/why.h"
#include "base/zigzag.h"

#define VERSION	  1U
#define ENTRY_MAX 64U /* bytes of one */

static const char magic[6] = {'P', 'W', 'A', 'G', 'E', 'S'};

const struct pw_age *pw_ages_find(const struct pw_age *ages, size_t count, uint64_t goid)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ages[middle].goid < goid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ages[low].goid == goid ? &ages[low] : NULL;
}

int pw_ages_write_head(struct pw_buf *out, const struct pw_ages_head *head)
{
	pw_buf_append(out, magic, sizeof(magic));
	pw_buf_u8(out, VERSION);
	pw_buf_u8(out, 0);
	pw_buf_u64(out, (uint64_t)head->pid);
	pw_buf_u64(out, head->start_ns);
	pw_buf_u64(out, head->first_ns);
	pw_buf_u64(out, head->taken_ns);
	pw_buf_u64(out, head->first_wall_ns);
	return pw_buf_error(out);
}

int pw_ages_write(struct pw_buf *out, const struct pw_age *before, const struct pw_age *age)
{
	if (pw_buf_error(out) < 0)
		return pw_buf_error(out);
	if (out->size + ENTRY_MAX > PW_AGES_BYTES_MAX)
		return -E2BIG;
	pw_buf_uvarint(out, age->goid - before->goid);
	pw_buf_u8(out, age->tracking_seq);
	pw_buf_uvarint(out, (uint64_t)age->depth / 8 << 1 | age->at_least);
	pw_buf_uvarint(out, pw_zigzag(age->parked_since_ns - before->parked_since_ns));
	pw_buf_uvarint(out, pw_zigzag(age->born_after_ns - before->born_after_ns));
	pw_buf_uvarint(out, pw_zigzag(age->born_before_ns - before->born_before_ns));
	return pw_buf_error(out);
}

struct pw_ages_image *pw_ages_image_new(int32_t pid, const void *bytes, size_t size)
{
	struct pw_ages_image *image = malloc(sizeof(*image) + size);

	if (!image)
		return NULL;
	atomic_init(&image->references, 1);
	image->pid = pid;
	image->size = size;
	memcpy(image->bytes, bytes, size);
	return image;
}

struct pw_ages_image *pw_ages_image_ref(struct pw_ages_image *image)
{
	atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
	return image;
}

void pw_ages_image_unref(struct pw_ages_image *image)
{
	if (image && atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) == 1)
		free(image);
}

static int read_head(struct pw_bytes *in, struct pw_ages_head *head, struct pw_why *reterr_why)
{
	const uint8_t *start = pw_bytes_take(in, sizeof(magic));
	uint8_t version = pw_bytes_u8(in);

	if (!start || memcmp(start, magic, sizeof(magic)) != 0)
		return pw_why_set(reterr_why, -EBADMSG, "these are no ages of goroutines");
	if (version != VERSION)
		return pw_why_set(reterr_why, -ENOTSUP,
				  "the daemon has another version: its ages have format %u, not %u", version, VERSION);
	(void)pw_bytes_u8(in);
	head->pid = (int32_t)pw_bytes_u64(in);
	head->start_ns = pw_bytes_u64(in);
	head->first_ns = pw_bytes_u64(in);
	head->taken_ns = pw_bytes_u64(in);
	head->first_wall_ns = pw_bytes_u64(in);
	return pw_bytes_ok(in) ? 0 : pw_why_set(reterr_why, -EBADMSG, "the ages of goroutines are cut off");
}

static bool read_entry(struct pw_bytes *in, const struct pw_age *before, struct pw_age *age)
{
	uint64_t step = pw_bytes_uvarint(in), depth;

	age->goid = before->goid + step;
	age->tracking_seq = pw_bytes_u8(in);
	depth = pw_bytes_uvarint(in);
	age->at_least = depth & 1;
	age->depth = (uint32_t)(depth >> 1) * 8;
	age->parked_since_ns = before->parked_since_ns + pw_unzigzag(pw_bytes_uvarint(in));
	age->born_after_ns = before->born_after_ns + pw_unzigzag(pw_bytes_uvarint(in));
	age->born_before_ns = before->born_before_ns + pw_unzigzag(pw_bytes_uvarint(in));
	return pw_bytes_ok(in) && step && age->goid > before->goid && depth >> 1 <= UINT32_MAX / 8;
}

int pw_ages_read(const void *bytes, size_t size, struct pw_ages_head *ret_head, struct pw_age **ret_ages,
		 size_t *ret_count, struct pw_why *reterr_why)
{
	struct pw_bytes in = pw_bytes_init(bytes, size);
	PW_VEC(struct pw_age) ages = PW_VEC_INIT(PW_GOROUTINES_MAX);
	struct pw_age age = {}, before = {};
	struct pw_ages_head head;
	int r = read_head(&in, &head, reterr_why);

	while (!r && pw_bytes_remaining(&in)) {
		if (!read_entry(&in, &before, &age))
			r = pw_why_set(reterr_why, -EBADMSG, "the ages of goroutines are cut off or out of order");
		else
			r = pw_vec_push(&ages, age);
		before = age;
	}
	if (r < 0) {
		pw_vec_done(&ages);
		return r;
	}
	*ret_head = head;
	*ret_ages = ages.items;
	*ret_count = ages.count;
	return 0;
}
