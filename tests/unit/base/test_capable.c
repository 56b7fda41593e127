/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/capable.h"

static unsigned long long effective_by_proc(void)
{
	unsigned long long value = 0;
	char line[256];
	FILE *status = fopen("/proc/thread-self/status", "r");

	assert_non_null(status);
	while (fgets(line, sizeof(line), status) && sscanf(line, "CapEff: %llx", &value) != 1)
		;
	fclose(status);
	return value;
}

static void the_answer_is_what_the_kernel_shows(void **state)
{
	(void)state;
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		assert_int_equal(pw_capable(capability), effective_by_proc() >> capability & 1);
	assert_false(pw_capable(-1));
	assert_false(pw_capable(64));
}

static void a_capability_that_was_given_up_is_not_there_even_for_root(void **state)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct had[2], data[2];

	(void)state;
	assert_int_equal(syscall(SYS_capget, &header, had), 0);
	if (!pw_capable(CAP_SYS_PTRACE))
		skip();
	data[0] = had[0];
	data[1] = had[1];
	data[0].effective &= ~(1U << CAP_SYS_PTRACE);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
	assert_false(pw_capable(CAP_SYS_PTRACE));
	assert_true(pw_capable(CAP_SYS_ADMIN) == (had[0].effective >> CAP_SYS_ADMIN & 1));
	assert_int_equal(syscall(SYS_capset, &header, had), 0);
	assert_true(pw_capable(CAP_SYS_PTRACE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_is_what_the_kernel_shows),
		cmocka_unit_test(a_capability_that_was_given_up_is_not_there_even_for_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
