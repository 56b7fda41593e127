/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "harness.h"

#include "bpf/park.bpf.c"

#define COST	 1000ULL
#define CAPACITY 100000ULL

static struct goroutine g = {.gopc = GOPC};

static struct pw_bpf_budget *budget(void)
{
	uint32_t slot = SLOT;

	return bpf_map_lookup_elem(&pw_budgets, &slot);
}

static struct pw_bpf_account *account(void)
{
	uint32_t slot = SLOT;

	return bpf_map_lookup_elem(&pw_accounts, &slot);
}

static struct pw_bpf_stats *stats(void)
{
	uint32_t slot = SLOT;

	return bpf_map_lookup_elem(&pw_stats, &slot);
}

static int begin_budget(void **state)
{
	begin(state);
	host.now_ns = 5000000000ULL;
	*budget() = (struct pw_bpf_budget){.capacity_ns = CAPACITY,
					   .quantum_ns = 4 * COST,
					   .rate = PW_BPF_RATE_ONE / 100,
					   .round = 1,
					   .cost_ns = {[PW_BPF_PARK] = COST}};
	return 0;
}

static void park(size_t times)
{
	for (size_t i = 0; i < times; i++) {
		pw_regs regs = {0};

		SET_G(&regs, (uintptr_t)&g);
		host.cookie = cookie_of(TARGET, SLOT, PW_BPF_PARK, G_REG, PW_COOKIE_NO_REG);
		pw_park(&regs);
	}
}

static uint64_t parks(void)
{
	struct pw_bpf_reason_key key = {.target = TARGET, .reason = 0, .gopc = GOPC};
	__u64 *count = bpf_map_lookup_elem(&pw_reasons, &key);

	return count ? *count : 0;
}

static void a_closed_gate_costs_but_does_not_count(void **state)
{
	(void)state;
	park(3);
	*gate() &= ~(1U << PW_BPF_PARK);
	park(2);
	assert_int_equal(parks(), 3);
	assert_int_equal(stats()->probed[PW_BPF_PARK], 5);
	assert_int_equal(stats()->muted[PW_BPF_PARK], 2);
}

static void the_account_is_looked_at_once_a_quantum(void **state)
{
	(void)state;
	park(3);
	assert_int_equal(account()->spent_ns, 0);
	assert_int_equal(stats()->due_ns, 3 * COST);
	park(1);
	assert_int_equal(account()->spent_ns, 4 * COST);
	assert_int_equal(stats()->due_ns, 0);
}

static void over_the_capacity_is_said_once_a_round(void **state)
{
	struct pw_bpf_record record;

	(void)state;
	park(100); /* exactly the capacity */
	assert_int_equal(host.record_count, 0);
	park(4);
	assert_int_equal(host.record_count, 1);
	memcpy(&record, host.records[0], sizeof(record));
	assert_int_equal(record.event, PW_BPF_OVER_BUDGET);
	assert_int_equal(record.target, TARGET);
	assert_int_equal(record.argument, 104 * COST);
	park(400);
	assert_int_equal(host.record_count, 1);
	budget()->round++;
	park(4);
	assert_int_equal(host.record_count, 2);
}

static void what_the_budget_allows_flows_out(void **state)
{
	(void)state;
	park(80);
	host.now_ns += PW_BPF_LEAK_NS; /* 1 ms of budget: all of it */
	park(80);
	assert_int_equal(host.record_count, 0);
	budget()->rate = PW_BPF_RATE_ONE / 5000; /* 20 us each 0.1 s */
	host.now_ns += PW_BPF_LEAK_NS;
	park(36);
	assert_int_equal(host.record_count, 0); /* 80 - 20 + 36 */
	host.now_ns += PW_BPF_LEAK_NS / 2;	/* too soon */
	park(8);
	assert_int_equal(host.record_count, 1);
}

static void a_long_pause_is_as_good_as_a_shorter_one(void **state)
{
	(void)state;
	park(100);
	budget()->rate = PW_BPF_RATE_ONE;
	host.now_ns += 1ULL << 60;
	park(4);
	assert_int_equal(account()->spent_ns, 4 * COST);
}

static void without_a_budget_nothing_is_booked(void **state)
{
	(void)state;
	*budget() = (struct pw_bpf_budget){.cost_ns = {[PW_BPF_PARK] = COST}};
	park(1000);
	assert_int_equal(parks(), 1000);
	assert_int_equal(stats()->due_ns, 0);
	assert_int_equal(host.record_count, 0);
}

static void a_report_that_finds_no_room_is_made_again(void **state)
{
	(void)state;
	host.ring_full = true;
	park(104);
	assert_int_equal(drops(PW_DROP_RING_FULL), 1);
	host.ring_full = false;
	park(4);
	assert_int_equal(host.record_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_closed_gate_costs_but_does_not_count, begin_budget, end),
		cmocka_unit_test_setup_teardown(the_account_is_looked_at_once_a_quantum, begin_budget, end),
		cmocka_unit_test_setup_teardown(over_the_capacity_is_said_once_a_round, begin_budget, end),
		cmocka_unit_test_setup_teardown(what_the_budget_allows_flows_out, begin_budget, end),
		cmocka_unit_test_setup_teardown(a_long_pause_is_as_good_as_a_shorter_one, begin_budget, end),
		cmocka_unit_test_setup_teardown(without_a_budget_nothing_is_booked, begin_budget, end),
		cmocka_unit_test_setup_teardown(a_report_that_finds_no_room_is_made_again, begin_budget, end),
	};

	return cmocka_run_group_tests_name("bpf/budget", tests, NULL, NULL);
}
