/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/intern.h"
#include "base/table.h"
#include "base/vec.h"

static int freed;

static void count_free(void *value)
{
	freed++;
	free(value);
}

static void *number(int value)
{
	int *copy = malloc(sizeof(*copy));

	assert_non_null(copy);
	*copy = value;
	return copy;
}

static void a_vector_grows_up_to_its_maximum(void **state)
{
	PW_VEC(uint32_t) vec = PW_VEC_INIT(100);
	uint64_t sum = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(pw_vec_push(&vec, i), 0);
	assert_int_equal(pw_vec_push(&vec, 1), -E2BIG);
	assert_null(pw_vec_add(&vec));
	assert_int_equal(vec.count, 100);
	pw_vec_foreach (&vec, item)
		sum += *item;
	assert_int_equal(sum, 4950);
	pw_vec_reset(&vec);
	assert_int_equal(*pw_vec_add(&vec), 0);
	pw_vec_done(&vec);
	assert_null(vec.items);
}

static void a_vector_of_any_size_refuses_what_overflows(void **state)
{
	struct big {
		char bytes[1 << 20];
	};
	PW_VEC(struct big) vec = PW_VEC_INIT(SIZE_MAX);
	PW_VEC(int) empty = {};
	int seen = 0;

	(void)state;
	assert_int_equal(pw_vec_reserve(&vec, SIZE_MAX / 2), -E2BIG);
	assert_null(vec.items);
	pw_vec_foreach (&empty, item)
		seen += *item;
	assert_int_equal(seen, 0);
	pw_vec_done(&vec);
	pw_vec_done(&empty);
}

static void a_full_table_refuses_and_counts(void **state)
{
	struct pw_table table = PW_TABLE_INIT(2, count_free);
	void *third = number(3);

	(void)state;
	freed = 0;
	assert_int_equal(pw_table_put_u64(&table, 1, number(1)), 0);
	assert_int_equal(pw_table_put_u64(&table, 2, number(2)), 0);
	assert_int_equal(pw_table_put_u64(&table, 3, third), -E2BIG);
	assert_int_equal(table.refused, 1);
	assert_int_equal(pw_table_put_u64(&table, 2, number(22)), 0); /* replacing needs no room */
	assert_int_equal(freed, 1);
	assert_int_equal(*(int *)pw_table_get_u64(&table, 2), 22);
	assert_null(pw_table_get_u64(&table, 3));
	free(third);
	pw_table_done(&table);
	assert_int_equal(freed, 3);
	assert_int_equal(pw_table_count(&table), 0);
}

static void the_least_recently_used_is_pushed_out(void **state)
{
	struct pw_table table = PW_TABLE_INIT_LRU(3, count_free);
	uint64_t order[3], count = 0;

	(void)state;
	freed = 0;
	for (uint64_t key = 1; key <= 3; key++)
		assert_int_equal(pw_table_put_u64(&table, key, number((int)key)), 0);
	assert_non_null(pw_table_get_u64(&table, 1));
	assert_int_equal(pw_table_put_u64(&table, 4, number(4)), 0);
	assert_int_equal(table.evicted, 1);
	assert_int_equal(freed, 1);
	assert_null(pw_table_get_u64(&table, 2));
	pw_table_foreach(&table, entry)
	{
		memcpy(&order[count++], entry->key, sizeof(order[0]));
	}
	assert_int_equal(count, 3);
	assert_true(order[0] == 3 && order[1] == 1 && order[2] == 4);
	pw_table_done(&table);
}

/* Against a plain array as the model: order, count and content stay right through thousands of mixed steps. */
static void use_order_survives_a_long_mixed_history(void **state)
{
	struct pw_table table = PW_TABLE_INIT_LRU(16, NULL);
	uint64_t model[17], random = 12345;
	size_t used = 0;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		uint64_t key;
		size_t at = 0, i = 0;
		bool found;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		key = (random >> 33) % 24;
		while (at < used && model[at] != key)
			at++;
		found = at < used;
		if (found) {
			memmove(&model[at], &model[at + 1], (used - at - 1) * sizeof(model[0]));
			used--;
		}
		switch ((random >> 60) & 3) {
		case 0:
			assert_int_equal(pw_table_remove_u64(&table, key), found);
			break;
		case 1:
			assert_int_equal(pw_table_get_u64(&table, key) != NULL, found);
			if (found)
				model[used++] = key;
			break;
		default:
			assert_int_equal(pw_table_put_u64(&table, key, &table), 0);
			if (used == 16) {
				memmove(&model[0], &model[1], 15 * sizeof(model[0]));
				used--;
			}
			model[used++] = key;
		}
		assert_int_equal(pw_table_count(&table), used);
		pw_table_foreach(&table, entry)
		{
			assert_memory_equal(entry->key, &model[i], sizeof(uint64_t));
			i++;
		}
		assert_int_equal(i, used);
	}
	assert_true(table.evicted > 100);
	pw_table_done(&table);
}

static void entries_can_leave_while_one_walks(void **state)
{
	struct pw_table table = PW_TABLE_INIT(0, count_free);
	char key[16];
	int *taken;

	(void)state;
	freed = 0;
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(pw_table_put_str(&table, key, number(i)), 0);
	}
	taken = pw_table_take(&table, "key7", 4);
	assert_int_equal(*taken, 7);
	free(taken);
	assert_null(pw_table_take(&table, "key7", 4));
	pw_table_foreach(&table, entry)
	{
		if (*(int *)entry->value % 2)
			assert_true(pw_table_remove(&table, entry->key, entry->key_size));
	}
	assert_int_equal(pw_table_count(&table), 25);
	assert_int_equal(freed, 24);
	assert_null(pw_table_get_str(&table, "key9"));
	assert_non_null(pw_table_get_str(&table, "key8"));
	assert_false(pw_table_remove_str(&table, "nobody"));
	pw_table_done(&table);
	assert_int_equal(freed, 49);
}

static void each_string_has_one_id_for_ever(void **state)
{
	_cleanup_(pw_intern_freep) struct pw_intern *intern = NULL;
	uint32_t a = 99, again = 99, empty = 99, id = 99;
	const char *text;

	(void)state;
	assert_int_equal(pw_intern_new(&intern, 10000, 1 << 20), 0);
	assert_int_equal(pw_intern_adds(intern, "main.worker", &a), 0);
	text = pw_intern_text(intern, a);
	assert_int_equal(pw_intern_adds(intern, "", &empty), 0);
	assert_int_equal(empty, 0);
	for (int i = 0; i < 5000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "main.f%d", i);
		assert_int_equal(pw_intern_adds(intern, name, &id), 0);
	}
	assert_int_equal(pw_intern_add(intern, "main.worker()", 11, &again), 0);
	assert_int_equal(a, again);
	assert_ptr_equal(pw_intern_text(intern, a), text);
	assert_int_equal(pw_intern_size(intern, a), 11);
	assert_int_equal(pw_intern_count(intern), 5002);
	assert_string_equal(pw_intern_text(intern, 5002), "");
	assert_string_equal(pw_intern_text(intern, UINT32_MAX), "");
	assert_false(pw_intern_find(intern, "absent", 6, &id));
}

static void the_caps_of_interning_refuse_and_count(void **state)
{
	_cleanup_(pw_intern_freep) struct pw_intern *intern = NULL;
	static char huge[PW_INTERN_STRING_MAX + 2];
	uint32_t id = 77;

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	assert_int_equal(pw_intern_new(&intern, 3, 10), 0);
	assert_int_equal(pw_intern_adds(intern, "12345678901", &id), -E2BIG);
	assert_int_equal(pw_intern_adds(intern, huge, &id), -E2BIG);
	assert_int_equal(id, 77);
	assert_int_equal(pw_intern_adds(intern, "1", &id), 0);
	assert_int_equal(pw_intern_adds(intern, "2", &id), 0);
	assert_int_equal(pw_intern_adds(intern, "3", &id), -E2BIG);
	assert_int_equal(pw_intern_adds(intern, "1", &id), 0);
	assert_int_equal(pw_intern_dropped(intern), 3);
	assert_int_equal(pw_intern_bytes(intern), 2);
}

static void minimum_and_maximum_evaluate_their_arguments_once(void **state)
{
	int i = 1;
	char *text = strdup("mine"), *other;

	(void)state;
	assert_int_equal(PW_MIN(i++, 5), 1);
	assert_int_equal(i, 2);
	assert_int_equal(PW_MAX(PW_MIN(3, 7), PW_MAX(1, 2)), 3);
	other = TAKE_PTR(text);
	assert_null(text);
	assert_string_equal(other, "mine");
	free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_grows_up_to_its_maximum),
		cmocka_unit_test(a_vector_of_any_size_refuses_what_overflows),
		cmocka_unit_test(a_full_table_refuses_and_counts),
		cmocka_unit_test(the_least_recently_used_is_pushed_out),
		cmocka_unit_test(use_order_survives_a_long_mixed_history),
		cmocka_unit_test(entries_can_leave_while_one_walks),
		cmocka_unit_test(each_string_has_one_id_for_ever),
		cmocka_unit_test(the_caps_of_interning_refuse_and_count),
		cmocka_unit_test(minimum_and_maximum_evaluate_their_arguments_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
