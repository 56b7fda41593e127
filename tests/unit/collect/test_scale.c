/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/macros.h"
#include "collect/scale.h"

static const double nothing[_PW_EVENT_MAX];
static const double parks_tenfold[_PW_EVENT_MAX] = {[PW_EVENT_PARK] = 9};

/* Two statements; the first parks for two reasons. */
struct counts {
	struct pw_reason_count reasons[3];
	struct pw_statement_counts statements[2];
};

static struct counts counts(uint64_t first, uint64_t second, uint64_t other)
{
	return (struct counts){.reasons = {{.reason = 4, .count = first},
					   {.reason = 9, .count = second},
					   {.reason = 9, .count = other}},
			       .statements = {{.gopc = 0x10, .spawned = 5, .parked = first + second, .reason_count = 2},
					      {.gopc = 0x20, .parked = other, .reason_count = 1}}};
}

static void link_reasons(struct counts *all)
{
	all->statements[0].reasons = all->reasons;
	all->statements[1].reasons = all->reasons + 2;
}

static void settle(struct pw_scale *scale, uint64_t first, uint64_t second, uint64_t other, const double *factor)
{
	struct counts all = counts(first, second, other);

	link_reasons(&all);
	assert_int_equal(pw_scale_settle(scale, all.statements, ARRAY_SIZE(all.statements), factor), 0);
}

static struct counts applied(const struct pw_scale *scale, uint64_t first, uint64_t second, uint64_t other)
{
	struct counts all = counts(first, second, other);

	link_reasons(&all);
	pw_scale_apply(scale, all.statements, ARRAY_SIZE(all.statements), all.reasons);
	return all;
}

static void only_what_windows_saw_is_scaled(void **state)
{
	struct pw_scale scale = {0};

	(void)state;
	settle(&scale, 1000, 100, 7, nothing); /* up to here each one was counted */
	settle(&scale, 1010, 100, 8, parks_tenfold);
	struct counts all = applied(&scale, 1010, 100, 8);
	assert_int_equal(all.statements[0].parked, 1010 + 100 + 90);
	assert_int_equal(all.reasons[0].count, 1010 + 90);
	assert_int_equal(all.reasons[1].count, 100);
	assert_int_equal(all.statements[1].parked, 8 + 9);
	assert_int_equal(all.reasons[2].count, 8 + 9);
	assert_int_equal(all.statements[0].spawned, 5);
	pw_scale_done(&scale);
}

static void windows_add_up_and_what_comes_between_is_not_scaled(void **state)
{
	struct pw_scale scale = {0};

	(void)state;
	settle(&scale, 0, 0, 0, nothing);
	settle(&scale, 10, 0, 0, parks_tenfold);
	settle(&scale, 30, 0, 0, nothing); /* continuous again */
	settle(&scale, 31, 0, 0, parks_tenfold);
	struct counts all = applied(&scale, 31, 0, 0);
	assert_int_equal(all.statements[0].parked, 31 + 90 + 9);
	pw_scale_done(&scale);
}

static void a_statement_first_seen_in_a_window_is_scaled_in_full(void **state)
{
	struct pw_statement_counts first = {.gopc = 0x30, .parked = 3};
	struct pw_scale scale = {0};

	(void)state;
	settle(&scale, 1, 1, 1, nothing);
	assert_int_equal(pw_scale_settle(&scale, &first, 1, parks_tenfold), 0);
	pw_scale_apply(&scale, &first, 1, NULL);
	assert_int_equal(first.parked, 3 + 27);
	settle(&scale, 2, 1, 1, parks_tenfold); /* those not in the list meanwhile are remembered */
	struct counts all = applied(&scale, 2, 1, 1);
	assert_int_equal(all.statements[0].parked, 3 + 9);
	pw_scale_done(&scale);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_windows_saw_is_scaled),
		cmocka_unit_test(windows_add_up_and_what_comes_between_is_not_scaled),
		cmocka_unit_test(a_statement_first_seen_in_a_window_is_scaled_in_full),
	};

	return cmocka_run_group_tests_name("collect/scale", tests, NULL, NULL);
}
