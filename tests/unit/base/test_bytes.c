/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"

static void numbers_are_read_in_both_byte_orders(void **state)
{
	const uint8_t data[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
	struct pw_bytes little = pw_bytes_init(data, sizeof(data)), big = little;

	(void)state;
	big.big_endian = true;
	assert_int_equal(pw_bytes_u16(&little), 0x0201);
	assert_int_equal(pw_bytes_u16(&big), 0x0102);
	assert_int_equal(pw_bytes_u8(&little), 3);
	pw_bytes_seek(&little, 0);
	pw_bytes_seek(&big, 0);
	assert_int_equal(pw_bytes_u32(&big), 0x01020304);
	pw_bytes_seek(&big, 0);
	assert_true(pw_bytes_u64(&little) == 0x0807060504030201ULL);
	assert_true(pw_bytes_u64(&big) == 0x0102030405060708ULL);
	assert_true(pw_bytes_ok(&little) && pw_bytes_ok(&big));
	assert_int_equal(pw_bytes_remaining(&little), 0);
}

static void an_error_sticks_and_moves_nothing(void **state)
{
	const uint8_t data[] = {1, 2, 3};
	struct pw_bytes bytes = pw_bytes_init(data, sizeof(data));

	(void)state;
	assert_int_equal(pw_bytes_u8(&bytes), 1);
	assert_int_equal(pw_bytes_u32(&bytes), 0);
	assert_false(pw_bytes_ok(&bytes));
	assert_int_equal(pw_bytes_u8(&bytes), 0);
	assert_int_equal(bytes.pos, 1);
	assert_int_equal(pw_bytes_remaining(&bytes), 0);
	pw_bytes_seek(&bytes, 0);
	assert_false(pw_bytes_ok(&bytes));
	assert_null(pw_bytes_take(&bytes, 1));
}

static void every_width_but_1_2_4_8_fails(void **state)
{
	const uint8_t data[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	for (unsigned int width = 0; width < 12; width++) {
		struct pw_bytes bytes = pw_bytes_init(data, sizeof(data));
		uint64_t value = pw_bytes_uint(&bytes, width);
		bool known = width == 1 || width == 2 || width == 4 || width == 8;

		assert_int_equal(pw_bytes_ok(&bytes), known);
		assert_true(value == (known ? UINT64_MAX >> (64 - 8 * width) : 0));
	}
}

static void varints_come_back_as_they_were_written(void **state)
{
	const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};
	const int64_t signed_values[] = {0, -1, 1, -64, 64, INT32_MIN, INT64_MAX, INT64_MIN};
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(256);
	struct pw_bytes bytes;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		pw_buf_uvarint(&buf, values[i]);
	for (size_t i = 0; i < ARRAY_SIZE(signed_values); i++)
		pw_buf_svarint(&buf, signed_values[i]);
	pw_buf_double(&buf, -1.25);
	assert_int_equal(pw_buf_error(&buf), 0);
	bytes = pw_bytes_init(buf.data, buf.size);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_true(pw_bytes_uvarint(&bytes) == values[i]);
	for (size_t i = 0; i < ARRAY_SIZE(signed_values); i++)
		assert_true(pw_bytes_svarint(&bytes) == signed_values[i]);
	assert_true(pw_bytes_double(&bytes) == -1.25);
	assert_true(pw_bytes_ok(&bytes));
	assert_int_equal(pw_bytes_remaining(&bytes), 0);
}

static void a_varint_over_64_bits_fails(void **state)
{
	const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
	const uint8_t too_big[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
	const uint8_t cut[] = {0x80, 0x80};
	struct pw_bytes bytes;

	(void)state;
	bytes = pw_bytes_init(too_long, sizeof(too_long));
	assert_int_equal(pw_bytes_uvarint(&bytes), 0);
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(too_big, sizeof(too_big));
	assert_int_equal(pw_bytes_uvarint(&bytes), 0);
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(cut, sizeof(cut));
	assert_int_equal(pw_bytes_uvarint(&bytes), 0);
	assert_false(pw_bytes_ok(&bytes));
}

static void a_string_ends_at_its_nul_within_its_bound(void **state)
{
	const char data[] = {'a', 'b', 0, 'c', 0, 'd', 'e'};
	struct pw_bytes bytes = pw_bytes_init(data, sizeof(data));
	size_t length = 99;

	(void)state;
	assert_string_equal(pw_bytes_cstr(&bytes, 2, &length), "ab");
	assert_int_equal(length, 2);
	assert_string_equal(pw_bytes_cstr(&bytes, SIZE_MAX, NULL), "c");
	assert_null(pw_bytes_cstr(&bytes, 100, &length));
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(data, sizeof(data));
	assert_null(pw_bytes_cstr(&bytes, 1, &length));
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(NULL, 0);
	assert_null(pw_bytes_cstr(&bytes, 5, NULL));
}

static void slices_stay_inside_what_they_are_cut_from(void **state)
{
	const uint8_t data[] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct pw_bytes bytes = pw_bytes_init(data, sizeof(data)), slice, sub;

	(void)state;
	pw_bytes_skip(&bytes, 4);
	slice = pw_bytes_slice(&bytes, 1, 3);
	assert_int_equal(pw_bytes_u8(&slice), 1);
	assert_int_equal(pw_bytes_remaining(&slice), 2);
	assert_int_equal(bytes.pos, 4);
	sub = pw_bytes_sub(&bytes, 2);
	assert_int_equal(pw_bytes_u16(&sub), 0x0504);
	assert_int_equal(pw_bytes_u8(&sub), 0);
	assert_false(pw_bytes_ok(&sub));
	assert_true(pw_bytes_ok(&bytes));
	slice = pw_bytes_slice(&bytes, UINT64_MAX, 2); /* offset + size wraps around */
	assert_false(pw_bytes_ok(&slice));
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(data, sizeof(data));
	sub = pw_bytes_sub(&bytes, 9);
	assert_false(pw_bytes_ok(&sub) || pw_bytes_ok(&bytes));
}

static void alignment_and_seeks_cannot_leave_the_data(void **state)
{
	const uint8_t data[10] = {0};
	struct pw_bytes bytes = pw_bytes_init(data, sizeof(data));

	(void)state;
	pw_bytes_skip(&bytes, 3);
	pw_bytes_align(&bytes, 8);
	assert_int_equal(bytes.pos, 8);
	pw_bytes_align(&bytes, 8);
	assert_int_equal(bytes.pos, 8);
	pw_bytes_seek(&bytes, 10);
	assert_true(pw_bytes_ok(&bytes));
	pw_bytes_align(&bytes, 8);
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(data, sizeof(data));
	pw_bytes_skip(&bytes, UINT64_MAX);
	assert_false(pw_bytes_ok(&bytes));
	bytes = pw_bytes_init(data, sizeof(data));
	pw_bytes_align(&bytes, 3);
	assert_false(pw_bytes_ok(&bytes));
}

static void a_count_is_held_against_its_cap_and_the_bytes_left(void **state)
{
	const uint8_t data[16] = {0};
	struct pw_bytes bytes = pw_bytes_init(data, sizeof(data));

	(void)state;
	assert_true(pw_bytes_can_hold(&bytes, 2, 8, 10));
	assert_false(pw_bytes_can_hold(&bytes, 3, 8, 10));
	assert_false(pw_bytes_can_hold(&bytes, 2, 8, 1));
	assert_false(pw_bytes_can_hold(&bytes, UINT64_MAX / 4, 8, UINT64_MAX));
	assert_true(pw_bytes_ok(&bytes));
}

static void a_failed_copy_leaves_zeros(void **state)
{
	const uint8_t data[] = {1, 2};
	struct pw_bytes bytes = pw_bytes_init(data, sizeof(data));
	uint8_t copy[4] = {9, 9, 9, 9};

	(void)state;
	assert_true(pw_bytes_copy(&bytes, copy, 2));
	assert_int_equal(copy[1], 2);
	assert_false(pw_bytes_copy(&bytes, copy, 4));
	assert_int_equal(copy[0] | copy[1] | copy[2] | copy[3], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_in_both_byte_orders),
		cmocka_unit_test(an_error_sticks_and_moves_nothing),
		cmocka_unit_test(every_width_but_1_2_4_8_fails),
		cmocka_unit_test(varints_come_back_as_they_were_written),
		cmocka_unit_test(a_varint_over_64_bits_fails),
		cmocka_unit_test(a_string_ends_at_its_nul_within_its_bound),
		cmocka_unit_test(slices_stay_inside_what_they_are_cut_from),
		cmocka_unit_test(alignment_and_seeks_cannot_leave_the_data),
		cmocka_unit_test(a_count_is_held_against_its_cap_and_the_bytes_left),
		cmocka_unit_test(a_failed_copy_leaves_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
