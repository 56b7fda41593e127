/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collect/attach.h"
#include "collect/overhead.h"

#define SECOND 1000000000ULL

static uint64_t hits[_PW_EVENT_MAX];
static const uint64_t cost_ns[_PW_EVENT_MAX] = {
	[PW_EVENT_SPAWN] = 1000, [PW_EVENT_EXIT] = 1000, [PW_EVENT_PARK] = 1000, [PW_EVENT_RUN] = 1000};

/* One interval with so many hits a second, judged against 1%: 10,000 hits of 1 us. */
static enum pw_guard_level step(struct pw_guard *guard, uint64_t *now_ns, uint64_t seconds, uint64_t parks,
				uint64_t spawns)
{
	*now_ns += seconds * SECOND;
	hits[PW_EVENT_PARK] += parks * seconds;
	hits[PW_EVENT_SPAWN] += spawns * seconds;
	return pw_guard_update(guard, *now_ns, hits, cost_ns, 1.0);
}

static struct pw_guard started(uint64_t *now_ns)
{
	struct pw_guard guard = {0};

	*now_ns = 1000 * SECOND;
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		hits[event] = 0;
	(void)pw_guard_update(&guard, *now_ns, hits, cost_ns, 1.0);
	return guard;
}

static void within_the_budget_everything_stays(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(step(&guard, &now_ns, 1, 8000, 1000), PW_GUARD_CONTINUOUS);
	assert_true(guard.cpu_percent > 0.89 && guard.cpu_percent < 0.91);
	assert_int_equal(guard.detaches, 0);
}

static void over_the_budget_the_park_probe_goes(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	assert_int_equal(step(&guard, &now_ns, 1, 50000, 1000), PW_GUARD_PARK_DETACHED);
	assert_string_equal(pw_guard_level_name(guard.level), "park detached");
	assert_false(pw_guard_groups(guard.level) & PW_GROUP_BIT(PW_GROUP_PARK));
	assert_true(pw_guard_groups(guard.level) & PW_GROUP_BIT(PW_GROUP_LIFECYCLE));
}

static void over_twice_the_budget_without_parks_everything_goes(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	assert_int_equal(step(&guard, &now_ns, 1, 100, 25000), PW_GUARD_DETACHED);
	assert_int_equal(pw_guard_groups(guard.level), 0);
}

static void between_once_and_twice_without_parks_spawns_go_on(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	assert_int_equal(step(&guard, &now_ns, 1, 0, 15000), PW_GUARD_PARK_DETACHED);
	for (int i = 0; i < 100; i++)
		assert_int_equal(step(&guard, &now_ns, 1, 0, 15000), PW_GUARD_PARK_DETACHED);
}

static void it_tries_again_after_30_s_and_each_failure_doubles_the_wait(void **state)
{
	uint64_t now_ns, wait_s = 30;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	(void)step(&guard, &now_ns, 1, 50000, 0);
	for (int round = 0; round < 8; round++) {
		assert_int_equal(guard.level, PW_GUARD_PARK_DETACHED);
		assert_int_equal(step(&guard, &now_ns, wait_s - 1, 0, 0), PW_GUARD_PARK_DETACHED);
		assert_int_equal(step(&guard, &now_ns, 1, 0, 0), PW_GUARD_CONTINUOUS);
		assert_int_equal(step(&guard, &now_ns, 1, 50000, 0), PW_GUARD_PARK_DETACHED);
		wait_s = wait_s * 2 > 600 ? 600 : wait_s * 2;
	}
}

static void from_fully_detached_it_comes_back_in_two_steps(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	(void)step(&guard, &now_ns, 1, 0, 50000);
	assert_int_equal(guard.level, PW_GUARD_DETACHED);
	assert_int_equal(step(&guard, &now_ns, 30, 0, 0), PW_GUARD_PARK_DETACHED);
	assert_int_equal(step(&guard, &now_ns, 30, 0, 10), PW_GUARD_CONTINUOUS);
}

static void after_ten_quiet_minutes_the_next_wait_is_short_again(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	(void)step(&guard, &now_ns, 1, 50000, 0);
	(void)step(&guard, &now_ns, 30, 0, 0);
	(void)step(&guard, &now_ns, 1, 50000, 0);
	assert_int_equal(guard.backoff_ns, 60 * SECOND);
	(void)step(&guard, &now_ns, 60, 0, 0);
	assert_int_equal(guard.level, PW_GUARD_CONTINUOUS);
	for (int i = 0; i < 11; i++)
		(void)step(&guard, &now_ns, 60, 100, 100);
	(void)step(&guard, &now_ns, 1, 50000, 0);
	assert_int_equal(guard.backoff_ns, 30 * SECOND);
}

static void polls_that_follow_closely_are_judged_together(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	hits[PW_EVENT_PARK] += 5000;
	assert_int_equal(pw_guard_update(&guard, now_ns + SECOND / 10, hits, cost_ns, 1.0), PW_GUARD_CONTINUOUS);
	assert_int_equal(pw_guard_update(&guard, now_ns + SECOND, hits, cost_ns, 1.0), PW_GUARD_CONTINUOUS);
	assert_true(guard.cpu_percent > 0.49 && guard.cpu_percent < 0.51);
}

static void without_a_budget_nothing_is_detached_and_what_was_comes_back(void **state)
{
	uint64_t now_ns;
	struct pw_guard guard = started(&now_ns);

	(void)state;
	(void)step(&guard, &now_ns, 1, 50000, 0);
	assert_int_equal(guard.level, PW_GUARD_PARK_DETACHED);
	hits[PW_EVENT_SPAWN] += 100000;
	assert_int_equal(pw_guard_update(&guard, now_ns + SECOND, hits, cost_ns, -1), PW_GUARD_CONTINUOUS);
	assert_true(guard.cpu_percent > 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(within_the_budget_everything_stays),
		cmocka_unit_test(over_the_budget_the_park_probe_goes),
		cmocka_unit_test(over_twice_the_budget_without_parks_everything_goes),
		cmocka_unit_test(between_once_and_twice_without_parks_spawns_go_on),
		cmocka_unit_test(it_tries_again_after_30_s_and_each_failure_doubles_the_wait),
		cmocka_unit_test(from_fully_detached_it_comes_back_in_two_steps),
		cmocka_unit_test(after_ten_quiet_minutes_the_next_wait_is_short_again),
		cmocka_unit_test(polls_that_follow_closely_are_judged_together),
		cmocka_unit_test(without_a_budget_nothing_is_detached_and_what_was_comes_back),
	};

	return cmocka_run_group_tests_name("collect/overhead", tests, NULL, NULL);
}
