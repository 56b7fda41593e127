/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/memory.h"
#include "model/record.h"
#include "model/runtime_numbers.h"

#define MB (1ULL << 20)

static struct pw_runtime_numbers numbers(void)
{
	struct pw_runtime_numbers numbers;

	pw_runtime_numbers_init(&numbers);
	numbers.heap_inuse_bytes = 300 * MB;
	numbers.heap_marked_bytes = 100 * MB;
	numbers.heap_live_bytes = 260 * MB;
	numbers.heap_objects_bytes = 250 * MB;
	numbers.heap_free_bytes = 50 * MB;
	numbers.heap_released_bytes = 70 * MB;
	numbers.stack_inuse_bytes = 10 * MB;
	numbers.mspan_sys_bytes = 2 * MB;
	numbers.gc_sys_bytes = 5 * MB;
	numbers.other_sys_bytes = 1 * MB;
	numbers.gc_cycles = 9;
	return numbers;
}

static struct pw_memory_mappings mappings(void)
{
	return (struct pw_memory_mappings){
		.detailed = true,
		.count = 40,
		.total = {.rss = 500 * MB, .anonymous = 440 * MB},
		.arenas = {.rss = 360 * MB, .anonymous = 360 * MB},
		.globals = {.rss = 30 * MB, .anonymous = 12 * MB},
		.brk = {.rss = 20 * MB, .anonymous = 20 * MB},
		.other = {.rss = 48 * MB, .anonymous = 48 * MB},
		.shmem = 15 * MB,
		.arenas_bytes = 512 * MB,
	};
}

static int64_t sum(const struct pw_memory_table *table)
{
	int64_t sum = table->unexplained_bytes;

	for (int i = 0; i < _PW_MEMORY_KIND_MAX; i++)
		sum += (int64_t)table->kind[i];
	return sum;
}

static void rows_and_rest_add_up_to_the_rss(void **state)
{
	struct pw_runtime_numbers runtime = numbers();
	struct pw_memory_mappings kernel = mappings();
	struct pw_memory_table table = {0};

	(void)state;
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.kind[PW_MEMORY_LIVE], 100 * MB);
	assert_int_equal(table.kind[PW_MEMORY_UNCOLLECTED], 160 * MB);
	assert_int_equal(table.kind[PW_MEMORY_SLOTS], 40 * MB);
	assert_int_equal(table.kind[PW_MEMORY_FREE], 50 * MB);
	assert_int_equal(table.kind[PW_MEMORY_STACKS], 10 * MB);
	assert_int_equal(table.kind[PW_MEMORY_RUNTIME], 8 * MB); /* what it says it has */
	assert_int_equal(table.kind[PW_MEMORY_NON_GO], 60 * MB); /* 20 on the C heap, 40 of nobody known */
	assert_int_equal(table.kind[PW_MEMORY_GLOBALS], 12 * MB);
	assert_int_equal(table.kind[PW_MEMORY_FILE], 45 * MB);
	assert_int_equal(table.kind[PW_MEMORY_SHMEM], 15 * MB);
	assert_int_equal(table.unexplained_bytes, 0);
	assert_int_equal(sum(&table), 500 * MB);
	assert_int_equal(pw_memory_largest(&table), PW_MEMORY_UNCOLLECTED);
}

static void pages_never_written_make_the_rest_negative_and_are_named(void **state)
{
	struct pw_runtime_numbers runtime = numbers();
	struct pw_memory_mappings kernel = mappings();
	struct pw_memory_table table = {0};

	(void)state;
	kernel.arenas.anonymous -= 100 * MB;
	kernel.arenas.swap = 30 * MB;
	kernel.total.rss -= 100 * MB;
	kernel.total.anonymous -= 100 * MB;
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.unexplained_bytes, -100 * (int64_t)MB);
	assert_int_equal(table.heap_untouched_bytes, 70 * MB);
	assert_int_equal(table.heap_swapped_bytes, 30 * MB);
	assert_int_equal(sum(&table), 400 * MB);
}

static void buffers_of_the_collector_in_the_arenas_are_the_runtimes(void **state)
{
	struct pw_runtime_numbers runtime = numbers();
	struct pw_memory_mappings kernel = mappings();
	struct pw_memory_table table = {0};

	(void)state;
	kernel.arenas.anonymous += 25 * MB; /* 4 of them can be its work buffers */
	kernel.total.rss += 25 * MB;
	kernel.total.anonymous += 25 * MB;
	runtime.gc_sys_bytes = 4 * MB;
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.kind[PW_MEMORY_RUNTIME], 7 * MB);
	assert_int_equal(table.kind[PW_MEMORY_NON_GO], 65 * MB);
	assert_int_equal(table.unexplained_bytes, 21 * MB);
}

static void where_the_kernel_keeps_names_the_runtimes_own_is_exact(void **state)
{
	struct pw_runtime_numbers runtime = numbers();
	struct pw_memory_mappings kernel = mappings();
	struct pw_memory_table table = {0};

	(void)state;
	kernel.go_named = (struct pw_memory_sizes){.rss = 3 * MB, .anonymous = 3 * MB};
	kernel.other.anonymous -= 3 * MB;
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.kind[PW_MEMORY_RUNTIME], 3 * MB);
	assert_int_equal(table.kind[PW_MEMORY_NON_GO], 65 * MB);
	assert_int_equal(table.unexplained_bytes, 0);
}

static void without_mappings_what_nobody_accounts_for_is_not_gos(void **state)
{
	struct pw_runtime_numbers runtime = numbers();
	struct pw_memory_mappings kernel = {.total = {.rss = 500 * MB, .anonymous = 440 * MB}, .shmem = 15 * MB};
	struct pw_memory_table table = {0};

	(void)state;
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.detailed, 0);
	assert_int_equal(table.kind[PW_MEMORY_NON_GO], 440 * MB - 360 * MB - 8 * MB);
	assert_true(table.heap_resident_bytes == PW_UNKNOWN);
	assert_int_equal(sum(&table), 500 * MB);
}

static void without_the_runtime_all_that_is_anonymous_is_in_one_row(void **state)
{
	struct pw_memory_mappings kernel = mappings();
	struct pw_memory_table table = {0};

	(void)state;
	pw_memory_balance(&table, &kernel, NULL);
	assert_int_equal(table.kind[PW_MEMORY_NON_GO], 440 * MB);
	assert_int_equal(table.kind[PW_MEMORY_LIVE], 0);
	assert_int_equal(sum(&table), 500 * MB);
}

static void numbers_that_lie_or_are_missing_wrap_nowhere(void **state)
{
	struct pw_memory_mappings kernel = mappings();
	struct pw_memory_table table = {0};
	struct pw_runtime_numbers runtime;

	(void)state;
	pw_runtime_numbers_init(&runtime);
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.kind[PW_MEMORY_LIVE], 0);
	assert_int_equal(sum(&table), 500 * MB);
	runtime = numbers();
	runtime.heap_marked_bytes = 1ULL << 55; /* more than is in use */
	runtime.heap_live_bytes = 0;
	kernel.shmem = 900 * MB;
	kernel.total.anonymous = 600 * MB; /* more than is resident */
	pw_memory_balance(&table, &kernel, &runtime);
	assert_int_equal(table.kind[PW_MEMORY_LIVE], 300 * MB);
	assert_int_equal(table.kind[PW_MEMORY_UNCOLLECTED], 0);
	assert_int_equal(table.kind[PW_MEMORY_SLOTS], 0);
	assert_int_equal(table.kind[PW_MEMORY_SHMEM], 0);
	assert_int_equal(sum(&table), 500 * MB);
}

static void garbage_that_is_not_swept_yet_is_known_to_be_garbage(void **state)
{
	struct pw_memory_table table = {.gc_cycles = 3, .heap_live_bytes = 150 * MB};

	(void)state;
	table.kind[PW_MEMORY_LIVE] = 100 * MB;
	table.kind[PW_MEMORY_UNCOLLECTED] = 80 * MB; /* of which 50 were allocated since */
	assert_int_equal(pw_memory_known_garbage(&table), 30 * MB);
	table.heap_live_bytes = 185 * MB; /* whole spans that caches hold */
	assert_int_equal(pw_memory_known_garbage(&table), 0);
	table.heap_live_bytes = 0;
	assert_int_equal(pw_memory_known_garbage(&table), 80 * MB); /* never more than there is */
	table.gc_cycles = 0;
	assert_true(pw_memory_known_garbage(&table) == PW_UNKNOWN);
	table.gc_cycles = 3;
	table.heap_live_bytes = PW_UNKNOWN;
	assert_true(pw_memory_known_garbage(&table) == PW_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_that_is_not_swept_yet_is_known_to_be_garbage),
		cmocka_unit_test(rows_and_rest_add_up_to_the_rss),
		cmocka_unit_test(pages_never_written_make_the_rest_negative_and_are_named),
		cmocka_unit_test(buffers_of_the_collector_in_the_arenas_are_the_runtimes),
		cmocka_unit_test(where_the_kernel_keeps_names_the_runtimes_own_is_exact),
		cmocka_unit_test(without_mappings_what_nobody_accounts_for_is_not_gos),
		cmocka_unit_test(without_the_runtime_all_that_is_anonymous_is_in_one_row),
		cmocka_unit_test(numbers_that_lie_or_are_missing_wrap_nowhere),
	};

	return cmocka_run_group_tests_name("model/memory", tests, NULL, NULL);
}
