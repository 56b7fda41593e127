/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "harness.h"

#include "bpf/alloc.bpf.c"

static void hit(uint64_t event, uint64_t argument)
{
	pw_regs regs = {0};

	SET_ARG(&regs, argument);
	host.cookie = cookie_of(TARGET, SLOT, event, PW_COOKIE_NO_REG, ARG_REG);
	pw_alloc(&regs);
}

/* What is in the map for a class; NULL. */
static struct pw_bpf_alloc *of_class(uint32_t class, size_t *ret_entries)
{
	struct pw_bpf_alloc *found = NULL;

	*ret_entries = 0;
	for (struct host_map *map = host.maps; map; map = map->next)
		for (struct host_entry *entry = map->definition == &pw_allocs ? map->entries : NULL; entry;
		     entry = entry->next) {
			struct pw_bpf_alloc_key *key = (void *)entry->key;

			assert_int_equal(key->target, TARGET);
			assert_int_equal(key->hash, pw_bpf_stack_hash(((struct pw_bpf_alloc *)entry->value)->frames));
			++*ret_entries;
			if (key->class == class)
				found = (void *)entry->value;
		}
	return found;
}

static void spans_count_by_class_and_large_objects_by_bytes(void **state)
{
	struct pw_bpf_alloc *alloc;
	size_t entries;

	(void)state;
	hit(PW_BPF_ALLOC_SPAN, 9);
	hit(PW_BPF_ALLOC_SPAN, 0xabc00 | 9); /* a byte in a register: what is above it is anything */
	hit(PW_BPF_ALLOC_SPAN, 20);
	hit(PW_BPF_ALLOC_LARGE, 40000);
	hit(PW_BPF_ALLOC_LARGE, 1ULL << 33);
	alloc = of_class(9, &entries);
	assert_int_equal(entries, 3);
	assert_int_equal(alloc->count, 2);
	assert_int_equal(alloc->bytes, 0);
	alloc = of_class(PW_BPF_ALLOC_LARGE_CLASS, &entries);
	assert_int_equal(alloc->count, 2);
	assert_int_equal(alloc->bytes, 40000 + (1ULL << 33));
	assert_int_equal(unplaced_hits(PW_BPF_ALLOC_SPAN), 3);
	assert_int_equal(unplaced_hits(PW_BPF_ALLOC_LARGE), 2);
}

static void another_stack_is_another_entry(void **state)
{
	size_t entries;

	(void)state;
	hit(PW_BPF_ALLOC_SPAN, 9);
	host.stack[1] += 4;
	hit(PW_BPF_ALLOC_SPAN, 9);
	of_class(9, &entries);
	assert_int_equal(entries, 2);
}

static void what_has_no_stack_is_counted_and_said(void **state)
{
	size_t entries;

	(void)state;
	host.stack_result = -14;
	hit(PW_BPF_ALLOC_SPAN, 9);
	assert_null(of_class(9, &entries));
	assert_int_equal(drops(PW_DROP_STACK_UNREADABLE), 1);
	assert_int_equal(unplaced_hits(PW_BPF_ALLOC_SPAN), 1);
}

static void nothing_is_counted_before_arming(void **state)
{
	size_t entries;

	(void)state;
	target()->armed = 0;
	hit(PW_BPF_ALLOC_SPAN, 9);
	assert_null(of_class(9, &entries));
	assert_int_equal(unplaced_hits(PW_BPF_ALLOC_SPAN), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spans_count_by_class_and_large_objects_by_bytes, begin, end),
		cmocka_unit_test_setup_teardown(another_stack_is_another_entry, begin, end),
		cmocka_unit_test_setup_teardown(what_has_no_stack_is_counted_and_said, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_counted_before_arming, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
