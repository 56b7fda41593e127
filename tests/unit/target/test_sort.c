/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "target/sort.h"

#define N 20000

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void radix_sort_agrees_with_qsort(void **state)
{
	static uint64_t values[N], wanted[N], scratch[N];
	static const uint64_t masks[] = {UINT64_MAX, 0xffff, 0xffffffffff00, 0x1, 0x8000000000000000, 0};

	(void)state;
	srand(3);
	for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
		for (size_t n = 0; n <= N; n += n < 4 ? 1 : 6665) {
			for (size_t i = 0; i < n; i++)
				values[i] = wanted[i] =
					(((uint64_t)rand() << 42) ^ ((uint64_t)rand() << 21) ^ (uint64_t)rand()) &
					masks[m];
			pw_sort_u64(values, n, 0, scratch);
			qsort(wanted, n, sizeof(wanted[0]), compare);
			assert_memory_equal(values, wanted, n * sizeof(values[0]));
		}
	}
}

static void bits_below_the_lowest_keep_the_order_they_came_in(void **state)
{
	static uint64_t values[N], wanted[N], scratch[N];

	(void)state;
	srand(4);
	for (size_t i = 0; i < N; i++)
		values[i] = wanted[i] = (uint64_t)(rand() % 500) << 20 | i;
	qsort(wanted, N, sizeof(wanted[0]), compare);
	pw_sort_u64(values, N, 20, scratch);
	assert_memory_equal(values, wanted, sizeof(values));

	for (size_t i = 0; i < N; i++)
		values[i] = wanted[i] = N - i;
	pw_sort_u64(values, N, 20, scratch);
	assert_memory_equal(values, wanted, sizeof(values));
}

static void merging_keeps_order_and_drops_what_is_there_twice(void **state)
{
	uint64_t values[16] = {1, 3, 3, 7, 9}, fresh[] = {0, 3, 8, 8, 12};
	const uint64_t wanted[] = {0, 1, 3, 7, 8, 9, 12};

	(void)state;
	assert_int_equal(pw_merge_u64(values, 5, fresh, 5), 7);
	assert_memory_equal(values, wanted, sizeof(wanted));
	assert_int_equal(pw_merge_u64(values, 0, fresh, 5), 4);
	assert_int_equal(values[3], 12);
	assert_int_equal(pw_merge_u64(values, 4, fresh, 0), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(radix_sort_agrees_with_qsort),
		cmocka_unit_test(bits_below_the_lowest_keep_the_order_they_came_in),
		cmocka_unit_test(merging_keeps_order_and_drops_what_is_there_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
