/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "output/page_pool.h"

#define MAX   (8U << 20)
#define LARGE (1U << 20)

static struct pw_buf page_of(struct pw_page_pool *pool, size_t size)
{
	struct pw_buf page;

	pw_page_pool_take(pool, 1, MAX, &page);
	assert_int_equal(page.size, 0);
	assert_int_equal(pw_buf_zeros(&page, size), 0);
	return page;
}

static void a_large_page_passes_its_memory_on(void **state)
{
	struct pw_page_pool *pool = pw_page_pool_new();
	struct pw_buf page = page_of(pool, LARGE), other;
	const char *memory = page.data;

	(void)state;
	pw_page_pool_give(pool, 1, &page);
	assert_null(page.data);
	pw_page_pool_take(pool, 2, MAX, &other); /* another kind of page has none */
	assert_null(other.data);
	page = page_of(pool, LARGE);
	assert_ptr_equal(page.data, memory);
	other = page_of(pool, LARGE); /* while that one is in use */
	assert_ptr_not_equal(other.data, memory);
	pw_page_pool_give(pool, 1, &other);
	pw_page_pool_give(pool, 1, &page); /* one is enough */
	assert_null(page.data);
	pw_page_pool_unref(pool);
}

static void what_is_small_or_wrong_is_freed(void **state)
{
	struct pw_page_pool *pool = pw_page_pool_new();
	struct pw_buf page = page_of(pool, 100);

	(void)state;
	pw_page_pool_give(pool, 1, &page);
	pw_page_pool_take(pool, 1, MAX, &page);
	assert_null(page.data);
	assert_int_equal(pw_buf_zeros(&page, LARGE), 0);
	assert_int_equal(pw_buf_zeros(&page, MAX), -E2BIG);
	pw_page_pool_give(pool, 1, &page);
	pw_page_pool_take(pool, 1, MAX, &page);
	assert_null(page.data);
	pw_page_pool_give(NULL, 1, &page);
	pw_page_pool_unref(pool);
}

static void a_page_that_shrank_gives_its_memory_back(void **state)
{
	struct pw_page_pool *pool = pw_page_pool_new();
	struct pw_buf page = page_of(pool, LARGE);

	(void)state;
	pw_page_pool_give(pool, 1, &page);
	page = page_of(pool, LARGE / 8);
	assert_true(page.capacity > LARGE);
	pw_page_pool_give(pool, 1, &page);
	pw_page_pool_take(pool, 1, MAX, &page);
	assert_null(page.data);
	pw_page_pool_unref(pool);
}

static void what_nobody_asks_for_is_freed_after_a_while(void **state)
{
	struct pw_page_pool *pool = pw_page_pool_new();
	struct pw_buf page = page_of(pool, LARGE);

	(void)state;
	pw_page_pool_give(pool, 1, &page);
	for (int i = 0; i < 60; i++)
		pw_page_pool_tick(pool);
	pw_page_pool_take(pool, 1, MAX, &page);
	assert_non_null(page.data);
	assert_int_equal(pw_buf_zeros(&page, LARGE), 0);
	pw_page_pool_give(pool, 1, &page);
	for (int i = 0; i < 200; i++)
		pw_page_pool_tick(pool);
	pw_page_pool_take(pool, 1, MAX, &page);
	assert_null(page.data);
	pw_page_pool_unref(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_page_passes_its_memory_on),
		cmocka_unit_test(what_is_small_or_wrong_is_freed),
		cmocka_unit_test(a_page_that_shrank_gives_its_memory_back),
		cmocka_unit_test(what_nobody_asks_for_is_freed_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
