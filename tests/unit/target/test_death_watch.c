/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/procfs.h"
#include "target/death_watch.h"
#include "target/target.h"

/* Ends of real children, as a zombie and after they were reaped; and a counter of OOM kills of our own making. */

static struct pw_procfs procfs;

static void child(struct pw_target *target, int status, int signal_number)
{
	struct pw_proc_id id;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		raise(SIGSTOP);
		if (signal_number)
			kill(getpid(), signal_number);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	assert_int_equal(pw_procfs_id(&procfs, pid, &id), 0);
	*target = (struct pw_target){.id = 5,
				     .pid = pid,
				     .pidfd = pw_pidfd_open(pid),
				     .start_time_ticks = id.start_ticks,
				     .memory_ok = true,
				     .end = PW_DEATH_EXIT};
	assert_true(target->pidfd >= 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(poll(&(struct pollfd){.fd = target->pidfd, .events = POLLIN}, 1, 10000), 1);
}

static struct pw_death end(const struct pw_target *target)
{
	struct pw_death_watch watch;
	struct pw_death death;

	pw_death_watch_init(&watch);
	pw_death_watch_end(&watch, target, &procfs, 11, 22, &death);
	pw_death_watch_done(&watch);
	return death;
}

static void a_zombie_tells_its_status(void **state)
{
	struct pw_target target;
	struct pw_death death;

	(void)state;
	child(&target, 3, 0);
	death = end(&target);
	assert_int_equal(death.target_id, 5);
	assert_int_equal(death.boot_ns, 11);
	assert_int_equal(death.wall_ns, 22);
	assert_int_equal(death.how, PW_DEATH_EXIT);
	assert_true(death.status_known);
	assert_int_equal(death.status, 3 << 8);
	assert_int_equal(death.oom_kills, PW_DEATH_OOM_UNKNOWN);
	waitpid(target.pid, NULL, 0);
	close(target.pidfd);
}

static void a_signal_is_told_as_one(void **state)
{
	struct pw_target target;
	struct pw_death death;

	(void)state;
	child(&target, 0, SIGKILL);
	death = end(&target);
	assert_true(death.status_known);
	assert_int_equal(pw_death_signal(&death), SIGKILL);
	waitpid(target.pid, NULL, 0);
	close(target.pidfd);
}

/* Where the kernel can (6.15) the status is there after the process was reaped; else it is absent, and never 0. */
static void of_one_that_was_reaped_the_status_is_right_or_absent(void **state)
{
	struct pw_target target;
	struct pw_death death;

	(void)state;
	child(&target, 7, 0);
	waitpid(target.pid, NULL, 0);
	death = end(&target);
	print_message("after it was reaped the status is %s\n", death.status_known ? "known" : "not known");
	if (death.status_known)
		assert_int_equal(death.status, 7 << 8);
	close(target.pidfd);
}

static void without_rights_a_zero_is_not_believed(void **state)
{
	struct pw_target target;

	(void)state;
	child(&target, 0, 0);
	assert_true(end(&target).status_known);
	target.memory_ok = false;
	assert_false(end(&target).status_known);
	waitpid(target.pid, NULL, 0);
	close(target.pidfd);
}

static void what_did_not_exit_has_no_status(void **state)
{
	struct pw_target target;

	(void)state;
	child(&target, 3, 0);
	target.end = PW_DEATH_EXEC;
	assert_false(end(&target).status_known);
	assert_int_equal(end(&target).how, PW_DEATH_EXEC);
	waitpid(target.pid, NULL, 0);
	close(target.pidfd);
}

/* --- OOM kills --------------------------------------------------------------------------------------------------- */

static char root[64];

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

#define S PW_NS_PER_SEC

static void kills_are_those_since_ten_seconds_before(void **state)
{
	struct pw_target target = {.pid = 7, .pidfd = -1, .end = PW_DEATH_EXIT};
	struct pw_death_watch watch;
	struct pw_procfs fake;
	struct pw_death death;
	char path[128];

	(void)state;
	snprintf(root, sizeof(root), "/tmp/pw-test-watch.XXXXXX");
	assert_non_null(mkdtemp(root));
	for (const char *const *name = (const char *const[]){"7", "a", "b", NULL}; *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", root, *name);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(pw_procfs_open(&fake, root), 0);
	put("7/cgroup", "0::/a\n");
	put("a/memory.events.local", "oom_kill 5\n");
	put("b/memory.events.local", "oom_kill 90\n");
	pw_death_watch_init(&watch);
	pw_death_watch_look(&watch, &target, &fake, root, 100 * S);
	put("a/memory.events.local", "oom_kill 6\n"); /* long before the end: another process of the cgroup */
	pw_death_watch_look(&watch, &target, &fake, root, 111 * S);
	pw_death_watch_look(&watch, &target, &fake, root, 122 * S);
	pw_death_watch_end(&watch, &target, &fake, 123 * S, 0, &death);
	assert_int_equal(death.oom_kills, 0);
	put("a/memory.events.local", "oom_kill 7\n");
	pw_death_watch_look(&watch, &target, &fake, root, 124 * S); /* counted, and the process not yet gone */
	pw_death_watch_end(&watch, &target, &fake, 125 * S, 0, &death);
	assert_int_equal(death.oom_kills, 1);

	put("7/cgroup", "0::/b\n"); /* moved: the other cgroup's 90 are not its own */
	pw_death_watch_look(&watch, &target, &fake, root, 190 * S);
	pw_death_watch_end(&watch, &target, &fake, 191 * S, 0, &death);
	assert_int_equal(death.oom_kills, 0);
	put("b/memory.events.local", "oom_kill 91\n");
	pw_death_watch_end(&watch, &target, &fake, 191 * S, 0, &death);
	assert_int_equal(death.oom_kills, 1);
	pw_death_watch_done(&watch);
	pw_procfs_done(&fake);
	snprintf(path, sizeof(path), "rm -rf %s", root);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zombie_tells_its_status),
		cmocka_unit_test(a_signal_is_told_as_one),
		cmocka_unit_test(of_one_that_was_reaped_the_status_is_right_or_absent),
		cmocka_unit_test(without_rights_a_zero_is_not_believed),
		cmocka_unit_test(what_did_not_exit_has_no_status),
		cmocka_unit_test(kills_are_those_since_ten_seconds_before),
	};

	if (pw_procfs_open(&procfs, "/proc") < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
