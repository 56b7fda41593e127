/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collect/counts.h"
#include "fake_map.h"

enum { SITES = 1, REASONS, CREATIONS };

static const struct pw_counts_maps maps = {
	.sites = {.fd = SITES, .key_bytes = 16, .counters = 4, .max_entries = 100, .per_cpu = true},
	.reasons = {.fd = REASONS, .key_bytes = 16, .counters = 1, .max_entries = 100, .per_cpu = true},
	.creations = {.fd = CREATIONS,
		      .key_bytes = sizeof(struct pw_bpf_creation_key),
		      .counters = sizeof(struct pw_bpf_creation) / 8,
		      .max_entries = 100},
};

static struct pw_map_reader reader;
static struct pw_counts counts;

static int begin(void **state)
{
	(void)state;
	fake_reset();
	pw_map_reader_init(&reader, &fake_ops, 1);
	pw_counts_init(&counts, &maps);
	return 0;
}

static int end(void **state)
{
	(void)state;
	pw_counts_done(&counts);
	pw_map_reader_done(&reader);
	return 0;
}

static void site(uint32_t target, uint64_t gopc, uint64_t spawned, uint64_t exited, uint64_t parked)
{
	struct pw_bpf_site_key key = {.target = target, .gopc = gopc};
	struct pw_bpf_site value = {.spawned = spawned, .exited = exited, .parked = parked};

	fake_add(SITES, &key, sizeof(key), &value, sizeof(value));
}

static void reason(uint32_t target, uint64_t gopc, uint32_t code, uint64_t count)
{
	struct pw_bpf_reason_key key = {.target = target, .reason = code, .gopc = gopc};

	fake_add(REASONS, &key, sizeof(key), &count, sizeof(count));
}

static void creation(uint32_t target, uint64_t gopc, const uint64_t *frames, size_t depth, uint64_t count, bool torn)
{
	struct pw_bpf_creation value = {.count = count};

	for (size_t i = 0; i < depth; i++)
		value.frames[i] = frames[i];
	struct pw_bpf_creation_key key = {
		.target = target, .gopc = gopc, .hash = pw_bpf_stack_hash(value.frames) + torn};
	fake_add(CREATIONS, &key, sizeof(key), &value, sizeof(value));
}

static void statements_come_by_target_and_address_with_their_reasons(void **state)
{
	const uint32_t known[] = {3, 9};
	const struct pw_statement_counts *statements;
	size_t count;

	(void)state;
	site(9, 0x300, 7, 6, 5);
	site(3, 0x200, 1, 0, 4);
	site(9, 0x100, 2, 2, 0);
	site(3, 0, 0, 0, 8);
	reason(3, 0x200, 14, 3);
	reason(9, 0x300, 21, 5);
	reason(3, 0x200, 9, 1);
	reason(3, 0, 26, 8);
	reason(9, 0x777, 1, 6); /* it only parked */
	reason(9, 0x777, 2, 1);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 2), 0);

	statements = pw_counts_of(&counts, 3, &count);
	assert_int_equal(count, 2);
	assert_int_equal(statements[0].gopc, 0);
	assert_int_equal(statements[0].reason_count, 1);
	assert_int_equal(statements[0].creation_depth, 0);
	assert_int_equal(statements[1].gopc, 0x200);
	assert_int_equal(statements[1].spawned, 1);
	assert_int_equal(statements[1].parked, 4 + 3 + 1);
	assert_int_equal(statements[1].reason_count, 2);
	assert_int_equal(statements[1].reasons[0].reason, 9);
	assert_int_equal(statements[1].reasons[1].reason, 14);
	assert_int_equal(statements[1].reasons[1].count, 3);

	statements = pw_counts_of(&counts, 9, &count);
	assert_int_equal(count, 3);
	assert_int_equal(statements[2].gopc, 0x777);
	assert_int_equal(statements[2].parked, 7);
	assert_int_equal(statements[2].reason_count, 2);
	assert_int_equal(statements[0].gopc, 0x100);
	assert_int_equal(statements[0].reason_count, 0);
	assert_int_equal(statements[1].exited, 6);
	assert_int_equal(statements[1].reasons[0].reason, 21);

	assert_null(pw_counts_of(&counts, 5, &count));
	assert_int_equal(count, 0);
}

static void entries_of_forgotten_targets_are_deleted(void **state)
{
	const uint32_t known[] = {3};
	const uint64_t frames[] = {0x10, 0x200};
	size_t count;

	(void)state;
	site(3, 0x200, 1, 0, 0);
	site(4, 0x200, 1, 0, 0);
	reason(4, 0x200, 1, 1);
	creation(4, 0x200, frames, 2, 1, false);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	assert_int_equal(fake_left(SITES), 1);
	assert_int_equal(fake_left(REASONS), 0);
	assert_int_equal(fake_left(CREATIONS), 0);
	assert_null(pw_counts_of(&counts, 4, &count));
	assert_non_null(pw_counts_of(&counts, 3, &count));
}

static void the_most_frequent_creation_stack_starts_at_the_statement(void **state)
{
	const uint32_t known[] = {3};
	const uint64_t rare[] = {0x11, 0x12, 0x200, 0x999}, often[] = {0x11, 0x12, 0x200, 0x301, 0x302};
	const struct pw_statement_counts *statements;
	size_t count;

	(void)state;
	site(3, 0x200, 30, 0, 0);
	creation(3, 0x200, rare, 4, 2, false);
	creation(3, 0x200, often, 5, 28, false);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	statements = pw_counts_of(&counts, 3, &count);
	assert_int_equal(statements[0].creation_depth, 3);
	assert_int_equal(statements[0].creation_stack[0], 0x200);
	assert_int_equal(statements[0].creation_stack[2], 0x302);
}

static void a_stack_that_missed_the_statement_leaves_only_the_statement(void **state)
{
	const uint32_t known[] = {3};
	const uint64_t elsewhere[] = {0x11, 0x12, 0x999};
	const struct pw_statement_counts *statements;
	size_t count;

	(void)state;
	site(3, 0x200, 1, 0, 0);
	creation(3, 0x200, elsewhere, 3, 1, false);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	statements = pw_counts_of(&counts, 3, &count);
	assert_int_equal(statements[0].creation_depth, 1);
	assert_int_equal(statements[0].creation_stack[0], 0x200);
}

static void a_torn_stack_is_not_believed(void **state)
{
	const uint32_t known[] = {3};
	const uint64_t frames[] = {0x11, 0x200, 0x300};
	const struct pw_statement_counts *statements;
	size_t count;

	(void)state;
	site(3, 0x200, 1, 0, 0);
	creation(3, 0x200, frames, 3, 1, true);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	assert_int_equal(counts.torn_stacks, 1);
	statements = pw_counts_of(&counts, 3, &count);
	assert_int_equal(statements[0].creation_depth, 1);
}

static void a_full_depth_stack_ends_at_the_limit(void **state)
{
	const uint32_t known[] = {3};
	uint64_t frames[PW_BPF_STACK_DEPTH];
	const struct pw_statement_counts *statements;
	size_t count;

	(void)state;
	for (size_t i = 0; i < PW_BPF_STACK_DEPTH; i++)
		frames[i] = 0x200 + i;
	site(3, 0x200, 1, 0, 0);
	creation(3, 0x200, frames, PW_BPF_STACK_DEPTH, 1, false);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	statements = pw_counts_of(&counts, 3, &count);
	assert_int_equal(statements[0].creation_depth, PW_BPF_STACK_DEPTH);
}

static void a_second_poll_replaces_the_first(void **state)
{
	const uint32_t known[] = {3};
	const struct pw_statement_counts *statements;
	struct pw_bpf_site_key key = {.target = 3, .gopc = 0x200};
	size_t count;

	(void)state;
	site(3, 0x200, 1, 0, 0);
	site(3, 0x100, 1, 0, 0);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	assert_int_equal(fake_delete(SITES, &key), 0);
	site(3, 0x200, 5, 0, 0);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	statements = pw_counts_of(&counts, 3, &count);
	assert_int_equal(count, 2);
	assert_int_equal(statements[1].spawned, 5);
}

static void a_failed_poll_leaves_nothing_behind(void **state)
{
	const uint32_t known[] = {3};
	size_t count;

	(void)state;
	site(3, 0x200, 1, 0, 0);
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), 0);
	fake.batch_error = -EPERM;
	assert_int_equal(pw_counts_poll(&counts, &reader, known, 1), -EPERM);
	assert_null(pw_counts_of(&counts, 3, &count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(statements_come_by_target_and_address_with_their_reasons, begin, end),
		cmocka_unit_test_setup_teardown(entries_of_forgotten_targets_are_deleted, begin, end),
		cmocka_unit_test_setup_teardown(the_most_frequent_creation_stack_starts_at_the_statement, begin, end),
		cmocka_unit_test_setup_teardown(a_stack_that_missed_the_statement_leaves_only_the_statement, begin,
						end),
		cmocka_unit_test_setup_teardown(a_torn_stack_is_not_believed, begin, end),
		cmocka_unit_test_setup_teardown(a_full_depth_stack_ends_at_the_limit, begin, end),
		cmocka_unit_test_setup_teardown(a_second_poll_replaces_the_first, begin, end),
		cmocka_unit_test_setup_teardown(a_failed_poll_leaves_nothing_behind, begin, end),
	};

	return cmocka_run_group_tests_name("collect/counts", tests, NULL, NULL);
}
