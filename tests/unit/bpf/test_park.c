/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "harness.h"

#include "bpf/park.bpf.c"

static struct goroutine g = {.gopc = GOPC, .waitreason = 21};

static void park(const struct goroutine *goroutine, uint64_t argument, uint64_t arg_reg)
{
	pw_regs regs = {0};

	SET_G(&regs, (uintptr_t)goroutine);
	SET_ARG(&regs, argument);
	host.cookie = cookie_of(TARGET, SLOT, PW_BPF_PARK, G_REG, arg_reg);
	pw_park(&regs);
}

static uint64_t reason_count(uint32_t reason)
{
	struct pw_bpf_reason_key key = {.target = TARGET, .reason = reason, .gopc = GOPC};
	__u64 *count = bpf_map_lookup_elem(&pw_reasons, &key);

	return count ? *count : 0;
}

static void parks_are_counted_by_statement_and_reason(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		park(&g, 14, ARG_REG);
	park(&g, 15, ARG_REG);
	assert_int_equal(site_counts(GOPC).parked, 0); /* each park once: user space adds them up */
	assert_int_equal(reason_count(14), 3);
	assert_int_equal(reason_count(15), 1);
}

static void the_reason_is_the_low_byte_of_its_register(void **state)
{
	(void)state;
	park(&g, 0xffffffffffffff0eULL, ARG_REG);
	assert_int_equal(reason_count(14), 1);
}

static void a_site_without_a_reason_register_reads_it_from_the_goroutine(void **state)
{
	(void)state;
	park(&g, 14, PW_COOKIE_NO_REG);
	assert_int_equal(reason_count(21), 1);
	assert_int_equal(reason_count(14), 0);
}

static void every_register_of_the_recipe_is_the_one_meant(void **state)
{
	static const uint32_t numbers[] = {
#define NUMBER(number, field) number,
		PW_REGS(NUMBER)
#undef NUMBER
	};
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		__u64 values[32] = {0}, first, second;
		pw_regs regs = {0};

#define FILL(number, field) regs.field = values[number] = 1000 + number;
		PW_REGS(FILL)
#undef FILL
		read_regs(&regs, numbers[i], PW_COOKIE_NO_REG, &first, &second);
		assert_int_equal(first, 1000 + numbers[i]);
		assert_int_equal(second, 0);
		read_regs(&regs, PW_COOKIE_NO_REG, numbers[i], &first, &second);
		assert_int_equal(first, 0);
		assert_int_equal(second, 1000 + numbers[i]);
	}
}

static void reasons_beyond_the_target_s_share_are_drops_and_the_park_counts(void **state)
{
	(void)state;
	host_set_option(pw_share_reasons, 2);
	for (uint64_t reason = 1; reason <= 3; reason++)
		park(&g, reason, ARG_REG);
	assert_int_equal(drops(PW_DROP_TARGET_SHARE), 1);
	assert_int_equal(drops(PW_DROP_REASON_MAP_FULL), 0);
	assert_int_equal(reason_count(3), 0);
	assert_int_equal(site_counts(GOPC).parked, 1);
	host_set_option(pw_share_reasons, PW_BPF_REASONS_MAX / PW_BPF_SHARES);
}

static void a_full_reason_map_loses_the_reason_not_the_park(void **state)
{
	(void)state;
	host.map_max = 2;
	for (uint64_t reason = 1; reason <= 3; reason++)
		park(&g, reason, ARG_REG);
	assert_int_equal(reason_count(1) + reason_count(2), 2);
	assert_int_equal(site_counts(GOPC).parked, 1);
	assert_int_equal(drops(PW_DROP_REASON_MAP_FULL), 1);
}

static void runs_are_counted_apart_from_parks(void **state)
{
	pw_regs regs = {0};

	(void)state;
	SET_G(&regs, (uintptr_t)&g);
	host.cookie = cookie_of(TARGET, SLOT, PW_BPF_RUN, G_REG, PW_COOKIE_NO_REG);
	pw_run(&regs);
	pw_run(&regs);
	assert_int_equal(site_counts(GOPC).ran, 2);
	assert_int_equal(site_counts(GOPC).parked, 0);
	host.memory_closed = true;
	pw_run(&regs);
	assert_int_equal(unplaced_hits(PW_BPF_RUN), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(parks_are_counted_by_statement_and_reason, begin, end),
		cmocka_unit_test_setup_teardown(the_reason_is_the_low_byte_of_its_register, begin, end),
		cmocka_unit_test_setup_teardown(a_site_without_a_reason_register_reads_it_from_the_goroutine, begin,
						end),
		cmocka_unit_test_setup_teardown(every_register_of_the_recipe_is_the_one_meant, begin, end),
		cmocka_unit_test_setup_teardown(reasons_beyond_the_target_s_share_are_drops_and_the_park_counts, begin,
						end),
		cmocka_unit_test_setup_teardown(a_full_reason_map_loses_the_reason_not_the_park, begin, end),
		cmocka_unit_test_setup_teardown(runs_are_counted_apart_from_parks, begin, end),
	};

	return cmocka_run_group_tests_name("bpf/park", tests, NULL, NULL);
}
