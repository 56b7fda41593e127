/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/huge.h"
#include "base/vec.h"

static void large_memory_is_aligned_to_a_huge_page(void **state)
{
	void *memory = pw_huge_alloc(PW_HUGE_FROM_BYTES + 1);

	(void)state;
	assert_non_null(memory);
	assert_int_equal((uintptr_t)memory % (2u << 20), 0);
	memset(memory, 1, PW_HUGE_FROM_BYTES + 1);
	free(memory);
}

static void sizes_that_overflow_are_refused(void **state)
{
	assert_null(pw_huge_alloc(SIZE_MAX));
	assert_null(pw_huge_alloc(SIZE_MAX - 1000));
	(void)state;
}

static void a_vector_keeps_its_content_while_it_grows_into_huge_pages(void **state)
{
	PW_VEC(uint64_t) numbers = {};
	size_t count = 4 * PW_HUGE_FROM_BYTES / sizeof(uint64_t);

	(void)state;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pw_vec_push(&numbers, i * 7), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(numbers.items[i], i * 7);
	pw_vec_done(&numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_memory_is_aligned_to_a_huge_page),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(a_vector_keeps_its_content_while_it_grows_into_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
