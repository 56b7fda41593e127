/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/time.h"
#include "collect/overhead.h"

#define SECOND PW_NS_PER_SEC
#define BUDGET 0.01 /* of one CPU: 10 ms a second */
#define ALL    (PW_GROUP_BIT(PW_GROUP_PARK) | PW_GROUP_BIT(PW_GROUP_LIFECYCLE) | PW_GROUP_BIT(PW_GROUP_GC))

static struct pw_governor governor;
static uint64_t now_ns;

static int begin(void **state)
{
	const uint64_t nothing[_PW_GROUP_MAX] = {0};

	(void)state;
	now_ns = 1000 * SECOND;
	pw_governor_init(&governor, ALL, 10 * PW_NS_PER_MS);
	assert_false(pw_governor_update(&governor, now_ns, nothing, BUDGET));
	return 0;
}

/* So many ms of CPU each second, for so many seconds. */
static bool run(uint64_t seconds, double park_ms, double lifecycle_ms, double gc_ms)
{
	bool changed = false;

	for (uint64_t i = 0; i < seconds; i++) {
		const uint64_t cost_ns[_PW_GROUP_MAX] = {[PW_GROUP_PARK] = (uint64_t)(park_ms * 1e6),
							 [PW_GROUP_LIFECYCLE] = (uint64_t)(lifecycle_ms * 1e6),
							 [PW_GROUP_GC] = (uint64_t)(gc_ms * 1e6)};

		now_ns += SECOND;
		changed |= pw_governor_update(&governor, now_ns, cost_ns, BUDGET);
	}
	return changed;
}

static enum pw_probe_mode mode(enum pw_attach_group group)
{
	return governor.group[group].mode;
}

static void within_the_budget_each_event_is_counted(void **state)
{
	(void)state;
	assert_false(run(100, 5, 3, 1));
	assert_int_equal(pw_governor_groups(&governor, PW_PROBES_CONTINUOUS), ALL);
	assert_string_equal(pw_governor_state(&governor), "continuous");
	assert_true(governor.share > 0.0085 && governor.share < 0.0095);
}

static void over_the_budget_parks_go_to_windows_first(void **state)
{
	(void)state;
	assert_true(run(1, 50, 3, 0.1));
	assert_int_equal(mode(PW_GROUP_PARK), PW_PROBES_WINDOWS);
	assert_int_equal(mode(PW_GROUP_LIFECYCLE), PW_PROBES_CONTINUOUS);
	assert_string_equal(pw_governor_state(&governor), "park sampled");
}

static void then_spawn_and_exit_and_last_gc(void **state)
{
	(void)state;
	assert_true(run(1, 50, 30, 0.1));
	assert_int_equal(mode(PW_GROUP_LIFECYCLE), PW_PROBES_WINDOWS);
	assert_int_equal(mode(PW_GROUP_GC), PW_PROBES_CONTINUOUS);
	assert_string_equal(pw_governor_state(&governor), "spawn, exit and park sampled");
	begin(state);
	assert_true(run(1, 1, 1, 40));
	assert_int_equal(mode(PW_GROUP_GC), PW_PROBES_OFF);
	assert_string_equal(pw_governor_state(&governor), "spawn, exit and park sampled, GC off");
}

static void what_is_continuous_leaves_windows_enough_to_see(void **state)
{
	(void)state;
	/* Spawns alone would fit, but leave the parks 2% of what they want. */
	assert_true(run(1, 50, 9, 0));
	assert_int_equal(mode(PW_GROUP_LIFECYCLE), PW_PROBES_WINDOWS);
	begin(state);
	assert_true(run(1, 5, 9, 0)); /* 1 ms for 5: that is fine */
	assert_int_equal(mode(PW_GROUP_LIFECYCLE), PW_PROBES_CONTINUOUS);
	assert_int_equal(mode(PW_GROUP_PARK), PW_PROBES_WINDOWS);
}

static void window(double park_ms, uint64_t open_ms)
{
	const uint64_t cost_ns[_PW_GROUP_MAX] = {[PW_GROUP_PARK] = (uint64_t)(park_ms * 1e6)};

	pw_governor_window(&governor, cost_ns, open_ms * PW_NS_PER_MS);
}

static void it_comes_back_only_after_a_while_and_well_within_the_budget(void **state)
{
	(void)state;
	run(1, 50, 0, 0);
	window(0.4, 50); /* 0.8% of a CPU: would fit, but not by much */
	for (int i = 0; i < 10; i++)
		window(0.4, 50);
	assert_false(run(60, 0.4, 0, 0));
	for (int i = 0; i < 20; i++)
		window(0.1, 50);
	assert_true(run(1, 0.1, 0, 0));
	assert_int_equal(mode(PW_GROUP_PARK), PW_PROBES_CONTINUOUS);
	run(5, 50, 0, 0);
	assert_int_equal(mode(PW_GROUP_PARK), PW_PROBES_WINDOWS);
	for (int i = 0; i < 20; i++)
		window(0, 50);
	assert_false(run(50, 0, 0, 0)); /* the second time it holds twice as long */
	assert_true(run(10, 0, 0, 0));
}

static void after_ten_calm_minutes_the_next_time_is_a_first_one(void **state)
{
	(void)state;
	run(1, 50, 0, 0);
	for (int i = 0; i < 20; i++)
		window(0, 50);
	run(31, 0, 0, 0);
	assert_int_equal(mode(PW_GROUP_PARK), PW_PROBES_CONTINUOUS);
	run(601, 1, 0, 0);
	run(1, 50, 0, 0);
	assert_int_equal(governor.hold_ns, PW_GOVERNOR_HOLD_FIRST_NS);
}

static void a_burst_is_judged_at_once(void **state)
{
	const uint64_t cost_ns[_PW_GROUP_MAX] = {[PW_GROUP_PARK] = 10 * PW_NS_PER_MS};

	(void)state;
	now_ns += 100 * PW_NS_PER_MS;
	assert_false(pw_governor_update(&governor, now_ns, cost_ns, BUDGET)); /* a poll waits for its second */
	now_ns += 20 * PW_NS_PER_MS;
	assert_true(pw_governor_burst(&governor, now_ns, cost_ns, BUDGET));
	assert_int_equal(mode(PW_GROUP_PARK), PW_PROBES_WINDOWS);
}

static void gc_that_was_too_dear_is_tried_again(void **state)
{
	(void)state;
	run(1, 0, 0, 500);
	assert_int_equal(mode(PW_GROUP_GC), PW_PROBES_OFF);
	assert_true(run(35, 0, 0, 0));
	assert_int_equal(mode(PW_GROUP_GC), PW_PROBES_CONTINUOUS);
}

static void a_budget_of_0_switches_all_off_and_none_lifts_it(void **state)
{
	const uint64_t cost_ns[_PW_GROUP_MAX] = {[PW_GROUP_PARK] = 5 * PW_NS_PER_MS};

	(void)state;
	now_ns += SECOND;
	assert_true(pw_governor_update(&governor, now_ns, cost_ns, 0));
	assert_int_equal(pw_governor_groups(&governor, PW_PROBES_OFF), ALL);
	assert_string_equal(pw_governor_state(&governor), "off");
	now_ns += SECOND;
	assert_true(pw_governor_update(&governor, now_ns, cost_ns, -1));
	assert_int_equal(pw_governor_groups(&governor, PW_PROBES_CONTINUOUS), ALL);
	now_ns += SECOND;
	assert_true(pw_governor_update(&governor, now_ns, cost_ns, 0));
	now_ns += SECOND;
	assert_true(run(1, 0, 0, 0));
	assert_int_equal(pw_governor_groups(&governor, PW_PROBES_CONTINUOUS), ALL);
}

/*
 * Whatever a second of open probes costs, windows and the pauses that they ask for keep the budget on average: with a
 * process whose demand jumps between nothing and a whole CPU, and windows that are closed late.
 */
static void windows_keep_the_budget_whatever_they_cost(void **state)
{
	uint64_t seed = 1, spent_ns = 0, elapsed_ns = 0, windows = 0;

	(void)state;
	run(1, 800, 0, 0);
	while (elapsed_ns < 600 * SECOND) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		double demand = seed >> 62 ? (double)(seed >> 40 & 0xffff) / 0xffff : 0.0;
		uint64_t open_ns = pw_governor_window_ns(&governor, BUDGET) + (seed >> 33) % (20 * PW_NS_PER_MS);
		uint64_t cost_ns[_PW_GROUP_MAX] = {[PW_GROUP_PARK] = (uint64_t)(demand * (double)open_ns)};
		/* BPF closes a window that costs more than twice the budget and a whole one of the shortest */
		uint64_t cap_ns = 2 * 10 * PW_NS_PER_MS + governor.window_min_ns;

		if (cost_ns[PW_GROUP_PARK] > cap_ns) {
			open_ns = (uint64_t)((double)cap_ns / demand);
			cost_ns[PW_GROUP_PARK] = cap_ns;
		}
		pw_governor_window(&governor, cost_ns, open_ns);
		spent_ns += cost_ns[PW_GROUP_PARK];
		elapsed_ns += open_ns + pw_governor_pause_ns(&governor, BUDGET, cost_ns[PW_GROUP_PARK], open_ns,
							     (double)(seed >> 12 & 0xfff) / 0x1000);
		windows++;
	}
	assert_true((double)spent_ns / (double)elapsed_ns < 0.66 * BUDGET); /* three fifths of it are for windows */
	assert_true((double)spent_ns / (double)elapsed_ns > 0.3 * BUDGET);  /* and used */
	assert_true(windows > 200);
}

static void pauses_are_random_and_never_too_short(void **state)
{
	(void)state;
	run(1, 50, 0, 0);
	uint64_t least = pw_governor_pause_ns(&governor, BUDGET, 30 * PW_NS_PER_MS, 40 * PW_NS_PER_MS, 0);
	uint64_t most = pw_governor_pause_ns(&governor, BUDGET, 30 * PW_NS_PER_MS, 40 * PW_NS_PER_MS, 1);

	assert_true(least > 2450 * PW_NS_PER_MS && least < 2500 * PW_NS_PER_MS); /* 30 ms at 0.6% of a CPU: 5 s */
	assert_true(most > 7400 * PW_NS_PER_MS && most < 7500 * PW_NS_PER_MS);
	assert_true(pw_governor_pause_ns(&governor, BUDGET, 0, 5 * SECOND, 0) >= PW_GOVERNOR_PAUSE_MIN_NS / 2);
	assert_true(pw_governor_pause_ns(&governor, 0, 1, 0, 0) <= PW_GOVERNOR_PAUSE_MAX_NS);
}

/* What is continuous and takes most of the budget leaves them less than that. */
static void windows_take_what_is_left_and_never_all(void **state)
{
	(void)state;
	run(1, 5, 9, 0);
	assert_int_equal(mode(PW_GROUP_LIFECYCLE), PW_PROBES_CONTINUOUS);
	/* 3 ms at the 0.1% of a CPU that the 0.9% of spawns and exits leave */
	assert_in_range(pw_governor_pause_ns(&governor, BUDGET, 3 * PW_NS_PER_MS, 0, 0.5), 2990 * PW_NS_PER_MS,
			3010 * PW_NS_PER_MS);
	run(1, 5, 0, 0);
	assert_in_range(pw_governor_pause_ns(&governor, BUDGET, 30 * PW_NS_PER_MS, 0, 0.5), 4990 * PW_NS_PER_MS,
			5010 * PW_NS_PER_MS);
}

static void all_targets_share_what_the_host_allows(void **state)
{
	double two[] = {0.5, 0.5}, four[] = {0.5, 0.001, 0.5, 0.5}, idle[50] = {0}, one[] = {0.3};

	(void)state;
	assert_true(pw_budget_share(two, 2, 0.01, 0.02) == 0.01);
	double share = pw_budget_share(four, 4, 0.01, 0.02);
	assert_true(share > 0.0063 && share < 0.0064); /* the modest one takes 0.001, the others a third each */
	assert_true(pw_budget_share(idle, ARRAY_SIZE(idle), 0.01, 0.02) == 0.01);
	assert_true(pw_budget_share(one, 1, -1, 0.02) == 0.02);
	assert_true(pw_budget_share(one, 1, 0.01, -1) == 0.01);
	assert_true(pw_budget_share(one, 1, -1, -1) < 0);
	assert_true(pw_budget_share(one, 1, 0, 0.02) == 0);
	assert_true(pw_budget_share(NULL, 0, 0.01, 0.02) == 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(within_the_budget_each_event_is_counted, begin),
		cmocka_unit_test_setup(over_the_budget_parks_go_to_windows_first, begin),
		cmocka_unit_test_setup(then_spawn_and_exit_and_last_gc, begin),
		cmocka_unit_test_setup(what_is_continuous_leaves_windows_enough_to_see, begin),
		cmocka_unit_test_setup(it_comes_back_only_after_a_while_and_well_within_the_budget, begin),
		cmocka_unit_test_setup(after_ten_calm_minutes_the_next_time_is_a_first_one, begin),
		cmocka_unit_test_setup(a_burst_is_judged_at_once, begin),
		cmocka_unit_test_setup(gc_that_was_too_dear_is_tried_again, begin),
		cmocka_unit_test_setup(a_budget_of_0_switches_all_off_and_none_lifts_it, begin),
		cmocka_unit_test_setup(windows_keep_the_budget_whatever_they_cost, begin),
		cmocka_unit_test_setup(pauses_are_random_and_never_too_short, begin),
		cmocka_unit_test_setup(windows_take_what_is_left_and_never_all, begin),
		cmocka_unit_test(all_targets_share_what_the_host_allows),
	};

	return cmocka_run_group_tests_name("collect/overhead", tests, NULL, NULL);
}
