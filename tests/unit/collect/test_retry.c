/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "collect/retry.h"

static void it_waits_twice_as_long_each_time_up_to_five_minutes(void **state)
{
	static const unsigned int seconds[] = {2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
	struct pw_retry retry = {0};
	uint64_t now_ns = 77;

	(void)state;
	assert_true(pw_retry_due(&retry, 0));
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		assert_int_equal(pw_retry_failed(&retry, now_ns), seconds[i]);
		assert_false(pw_retry_due(&retry, now_ns + seconds[i] * 1000000000ULL - 1));
		now_ns += seconds[i] * 1000000000ULL;
		assert_true(pw_retry_due(&retry, now_ns));
	}
}

static void what_may_pass_is_worth_it_and_what_cannot_is_not(void **state)
{
	(void)state;
	assert_true(pw_retry_worth(-EMFILE));
	assert_true(pw_retry_worth(-ENOMEM));
	assert_true(pw_retry_worth(-EBUSY));
	assert_true(pw_retry_worth(-E2BIG));
	assert_false(pw_retry_worth(0));
	assert_false(pw_retry_worth(-ESRCH));
	assert_false(pw_retry_worth(-EOPNOTSUPP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_waits_twice_as_long_each_time_up_to_five_minutes),
		cmocka_unit_test(what_may_pass_is_worth_it_and_what_cannot_is_not),
	};

	return cmocka_run_group_tests_name("collect/retry", tests, NULL, NULL);
}
