/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_map.h"

#define CPUS 3
static const struct pw_map_shape shape = {
	.fd = 1, .key_bytes = 8, .counters = 2, .max_entries = FAKE_ENTRIES, .per_cpu = true};

static struct {
	uint32_t entries;
	uint64_t first, second;
	uint8_t seen[FAKE_ENTRIES];
} sums;

static void take(void *context, const void *key, const uint64_t *sum)
{
	uint64_t number;

	assert_ptr_equal(context, &sums);
	memcpy(&number, key, sizeof(number));
	assert_true(number < FAKE_ENTRIES);
	sums.seen[number]++;
	sums.entries++;
	sums.first += sum[0];
	sums.second += sum[1];
}

/* Entry i: on CPU c the counters are i and 1000 * c. */
static void fill(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t value[CPUS * 2];

		for (uint64_t cpu = 0; cpu < CPUS; cpu++) {
			value[cpu * 2] = i;
			value[cpu * 2 + 1] = 1000 * cpu;
		}
		fake_add(1, &i, sizeof(i), value, sizeof(value));
	}
}

static int begin(void **state)
{
	(void)state;
	fake_reset();
	memset(&sums, 0, sizeof(sums));
	return 0;
}

static void expect_all(struct pw_map_reader *reader, uint64_t count)
{
	assert_int_equal(pw_map_read(reader, &shape, take, &sums), (int)count);
	assert_int_equal(sums.entries, count);
	assert_int_equal(sums.first, CPUS * (count * (count - (count > 0)) / 2));
	assert_int_equal(sums.second, 3000 * count);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(sums.seen[i], 1);
}

static void batches_sum_each_entry_over_the_cpus_once(void **state)
{
	struct pw_map_reader reader;

	(void)state;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	fill(5001);
	expect_all(&reader, 5001);
	assert_true(fake.batch_calls >= 9);
	assert_int_equal(fake.lookups, 0);
	pw_map_reader_done(&reader);
}

static void an_empty_map_has_no_entries(void **state)
{
	struct pw_map_reader reader;

	(void)state;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	expect_all(&reader, 0);
	pw_map_reader_done(&reader);
}

static void a_bucket_larger_than_the_batch_makes_the_batch_larger(void **state)
{
	struct pw_map_reader reader;

	(void)state;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	fake.bucket_size = 1500;
	fill(4000);
	expect_all(&reader, 4000);
	pw_map_reader_done(&reader);
}

static void a_kernel_without_batches_is_asked_once_and_then_read_singly(void **state)
{
	static const int refusals[] = {-EINVAL, -524, -EOPNOTSUPP};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct pw_map_reader reader;

		begin(NULL);
		fake.batch_error = refusals[i];
		pw_map_reader_init(&reader, &fake_ops, CPUS);
		fill(100);
		expect_all(&reader, 100);
		memset(&sums, 0, sizeof(sums));
		expect_all(&reader, 100);
		assert_int_equal(fake.batch_calls, 1);
		pw_map_reader_done(&reader);
	}
}

static void other_errors_are_handed_on(void **state)
{
	struct pw_map_reader reader;

	(void)state;
	fake.batch_error = -EPERM;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	fill(3);
	assert_int_equal(pw_map_read(&reader, &shape, take, &sums), -EPERM);
	pw_map_reader_done(&reader);
}

static void shapes_that_do_not_fit_our_buffers_are_refused(void **state)
{
	struct pw_map_shape wide = shape, long_key = shape;
	struct pw_map_reader reader;

	(void)state;
	wide.counters = PW_MAP_COUNTERS_MAX + 1;
	long_key.key_bytes = PW_MAP_KEY_MAX + 1;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	assert_int_equal(pw_map_read(&reader, &wide, take, &sums), -EINVAL);
	assert_int_equal(pw_map_read(&reader, &long_key, take, &sums), -EINVAL);
	pw_map_reader_done(&reader);
}

static void one_entry_is_summed_too(void **state)
{
	struct pw_map_reader reader;
	uint64_t key = 7, sum[2];

	(void)state;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	fill(10);
	assert_int_equal(pw_map_read_one(&reader, &shape, &key, sum), 0);
	assert_int_equal(sum[0], 21);
	assert_int_equal(sum[1], 3000);
	key = 99;
	assert_int_equal(pw_map_read_one(&reader, &shape, &key, sum), -ENOENT);
	pw_map_reader_done(&reader);
}

static void deleting_goes_on_behind_a_key_that_is_gone(void **state)
{
	const uint64_t keys[] = {1, 500, 2, 3};
	struct pw_map_reader reader;

	(void)state;
	pw_map_reader_init(&reader, &fake_ops, CPUS);
	fill(10);
	assert_int_equal(pw_map_delete(&reader, &shape, keys, 4), 0);
	assert_int_equal(fake_left(1), 7);
	fake.batch_error = -EINVAL;
	const uint64_t more[] = {4, 5};
	assert_int_equal(pw_map_delete(&reader, &shape, more, 2), 0);
	assert_int_equal(fake_left(1), 5);
	pw_map_reader_done(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(batches_sum_each_entry_over_the_cpus_once, begin),
		cmocka_unit_test_setup(an_empty_map_has_no_entries, begin),
		cmocka_unit_test_setup(a_bucket_larger_than_the_batch_makes_the_batch_larger, begin),
		cmocka_unit_test_setup(a_kernel_without_batches_is_asked_once_and_then_read_singly, begin),
		cmocka_unit_test_setup(other_errors_are_handed_on, begin),
		cmocka_unit_test_setup(shapes_that_do_not_fit_our_buffers_are_refused, begin),
		cmocka_unit_test_setup(one_entry_is_summed_too, begin),
		cmocka_unit_test_setup(deleting_goes_on_behind_a_key_that_is_gone, begin),
	};

	return cmocka_run_group_tests_name("collect/maps", tests, NULL, NULL);
}
