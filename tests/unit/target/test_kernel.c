/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/procfs.h"
#include "target/kernel.h"

static void figures_of_ourselves_are_ours(void **state)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_kernel_figures before, after;
	int fds[2];

	(void)state;
	assert_int_equal(pw_procfs_open(&procfs, "/proc"), 0);
	assert_int_equal(pw_kernel_read(&before, &procfs, getpid()), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pw_kernel_read(&after, &procfs, getpid()), 0);
	assert_int_equal(after.open_files, before.open_files + 2);
	assert_int_equal(after.threads, 1);
	assert_true(after.rss_bytes > 1 << 20 && after.rss_bytes < 1ULL << 34);
	assert_true(after.cpu_ns >= before.cpu_ns);
	close(fds[0]);
	close(fds[1]);
	pw_procfs_done(&procfs);
}

static void a_process_that_is_gone_has_none(void **state)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_kernel_figures figures;
	pid_t child = fork();

	(void)state;
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(pw_procfs_open(&procfs, "/proc"), 0);
	assert_int_equal(pw_kernel_read(&figures, &procfs, child), -ESRCH);
	pw_procfs_done(&procfs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_of_ourselves_are_ours),
		cmocka_unit_test(a_process_that_is_gone_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
