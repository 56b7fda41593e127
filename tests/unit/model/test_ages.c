/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/ages.h"
#include "support/records.h"

static const struct pw_ages_head head = {
	.pid = 4711, .start_ns = 5, .first_ns = PW_NS_PER_SEC, .first_wall_ns = 77, .taken_ns = 9 * PW_NS_PER_SEC};

/* A program's goroutines: goids rise, births with them, most parked since the first look. */
static struct pw_age age_at(uint64_t *seed, uint64_t goid)
{
	bool parked = rnd_below(seed, 10) > 0;

	return (struct pw_age){.goid = goid,
			       .parked_since_ns = parked ? rnd_below(seed, 3) * 4 * PW_NS_PER_SEC : 0,
			       .born_after_ns = goid / 16 * PW_NS_PER_MS,
			       .born_before_ns = (goid / 16 + 1) * PW_NS_PER_MS,
			       .depth = (uint32_t)rnd_below(seed, 4096) * 8,
			       .tracking_seq = (uint8_t)rnd(seed),
			       .at_least = parked && rnd_below(seed, 2)};
}

static size_t write_list(struct pw_buf *out, size_t count, struct pw_age *ages)
{
	struct pw_age before = {};
	uint64_t seed = 1, goid = 0;

	assert_int_equal(pw_ages_write_head(out, &head), 0);
	for (size_t i = 0; i < count; i++) {
		goid += 1 + rnd_below(&seed, 3);
		ages[i] = age_at(&seed, goid);
		assert_int_equal(pw_ages_write(out, &before, &ages[i]), 0);
		before = ages[i];
	}
	return out->size;
}

static void what_is_read_is_what_was_written(void **state)
{
	static struct pw_age ages[10000];
	struct pw_buf out = PW_BUF_INIT(PW_AGES_BYTES_MAX);
	struct pw_ages_head read_head;
	struct pw_age *read;
	size_t count, size = write_list(&out, ARRAY_SIZE(ages), ages);

	(void)state;
	print_message("%.1f bytes a goroutine\n", (double)size / ARRAY_SIZE(ages));
	assert_true(size < 20 * ARRAY_SIZE(ages));
	assert_int_equal(pw_ages_read(out.data, out.size, &read_head, &read, &count, NULL), 0);
	assert_int_equal(count, ARRAY_SIZE(ages));
	assert_memory_equal(&read_head, &head, sizeof(head));
	for (size_t i = 0; i < count; i++) {
		const struct pw_age *found = pw_ages_find(read, count, ages[i].goid);

		assert_non_null(found);
		assert_int_equal(found->parked_since_ns, ages[i].parked_since_ns);
		assert_int_equal(found->born_after_ns, ages[i].born_after_ns);
		assert_int_equal(found->born_before_ns, ages[i].born_before_ns);
		assert_int_equal(found->depth, ages[i].depth);
		assert_int_equal(found->tracking_seq, ages[i].tracking_seq);
		assert_int_equal(found->at_least, ages[i].at_least);
	}
	assert_null(pw_ages_find(read, count, ages[count - 1].goid + 1));
	assert_null(pw_ages_find(NULL, 0, 1));
	free(read);
	pw_buf_done(&out);
}

static void cut_or_changed_bytes_are_refused_or_read_in_order(void **state)
{
	struct pw_age ages[20], *read;
	struct pw_buf out = PW_BUF_INIT(PW_AGES_BYTES_MAX);
	struct pw_ages_head read_head;
	struct pw_why why = {};
	size_t count, size = write_list(&out, ARRAY_SIZE(ages), ages);
	uint64_t seed = 3;

	(void)state;
	assert_int_equal(pw_ages_read("nothing of the kind", 19, &read_head, &read, &count, &why), -EBADMSG);
	assert_int_equal(pw_ages_read(out.data, 20, &read_head, &read, &count, &why), -EBADMSG);
	assert_int_equal(pw_ages_read(out.data, size - 1, &read_head, &read, &count, &why), -EBADMSG);
	for (int round = 0; round < 2000; round++) {
		char *copy = malloc(size);

		memcpy(copy, out.data, size);
		copy[48 + rnd_below(&seed, size - 48)] ^= (char)(1 << rnd_below(&seed, 8));
		if (pw_ages_read(copy, size, &read_head, &read, &count, &why) == 0) {
			for (size_t i = 1; i < count; i++)
				assert_true(read[i].goid > read[i - 1].goid);
			free(read);
		}
		free(copy);
	}
	out.data[6]++;
	assert_int_equal(pw_ages_read(out.data, size, &read_head, &read, &count, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "another version"));
	pw_buf_done(&out);
}

static void an_image_lives_as_long_as_somebody_holds_it(void **state)
{
	struct pw_ages_image *image = pw_ages_image_new(7, "abc", 3);

	(void)state;
	assert_ptr_equal(pw_ages_image_ref(image), image);
	pw_ages_image_unref(image);
	assert_memory_equal(image->bytes, "abc", 3);
	pw_ages_image_unref(image);
	pw_ages_image_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_what_was_written),
		cmocka_unit_test(cut_or_changed_bytes_are_refused_or_read_in_order),
		cmocka_unit_test(an_image_lives_as_long_as_somebody_holds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
