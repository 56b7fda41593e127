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
#include "base/gzip.h"

static void gzip_comes_back_and_is_the_same_each_time(void **state)
{
	_cleanup_buf_ struct pw_buf data = PW_BUF_INIT(1 << 20), once = PW_BUF_INIT(1 << 20),
				    twice = PW_BUF_INIT(1 << 20);
	_cleanup_buf_ struct pw_buf back = PW_BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 30000; i++)
		pw_buf_printf(&data, "line %d\n", i * i % 977);
	assert_int_equal(pw_gzip_compress(data.data, data.size, &once), 0);
	assert_int_equal(pw_gzip_compress(data.data, data.size, &twice), 0);
	assert_int_equal(once.size, twice.size);
	assert_memory_equal(once.data, twice.data, once.size);
	assert_true(once.size < data.size / 4);
	assert_int_equal(pw_gzip_decompress(once.data, once.size, &back), 0);
	assert_int_equal(back.size, data.size);
	assert_memory_equal(back.data, data.data, data.size);
}

static void broken_cut_and_exploding_gzip_is_refused(void **state)
{
	_cleanup_buf_ struct pw_buf data = PW_BUF_INIT(1 << 20), packed = PW_BUF_INIT(1 << 20);

	(void)state;
	assert_int_equal(pw_buf_zeros(&data, 500000), 0);
	assert_int_equal(pw_gzip_compress(data.data, data.size, &packed), 0);
	for (size_t size = 0; size < packed.size; size += 7) {
		_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1 << 20);

		assert_int_equal(pw_gzip_decompress(packed.data, size, &out), -EBADMSG);
	}
	{
		_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(100000);

		assert_int_equal(pw_gzip_decompress(packed.data, packed.size, &out), -E2BIG);
	}
	{
		_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1 << 20);

		packed.data[packed.size - 6] ^= 1; /* in the CRC */
		assert_int_equal(pw_gzip_decompress(packed.data, packed.size, &out), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gzip_comes_back_and_is_the_same_each_time),
		cmocka_unit_test(broken_cut_and_exploding_gzip_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
