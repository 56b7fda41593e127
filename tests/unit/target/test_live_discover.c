/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Discovery on the real /proc: programs start, exec, opt out, end; thousands of strangers come and go. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "reader/reader.h"
#include "support/go_target.h"
#include "target/discover.h"

#define SCAN_BUDGET (20 * PW_NS_PER_MS)

struct world {
	struct pw_procfs procfs;
	struct pw_reader *reader;
	struct pw_loop *loop;
	struct pw_discover *discover;
	pid_t found[256], gone[256]; /* in order */
	size_t found_count, gone_count;
	bool rename;
};

static void on_found(void *context, struct pw_target *target)
{
	struct world *world = context;

	world->found[world->found_count++ % 256] = target->pid;
}

static void on_gone(void *context, struct pw_target *target)
{
	struct world *world = context;

	assert_int_equal(target->state, PW_TARGET_GONE);
	world->gone[world->gone_count++ % 256] = target->pid;
}

static void on_service_name(void *context, struct pw_target *target)
{
	const struct world *world = context;

	if (world->rename)
		snprintf(target->service, sizeof(target->service), "renamed");
}

static int on_reader(struct pw_source *source, int fd, uint32_t events, void *ctx)
{
	struct world *world = ctx;

	(void)source;
	(void)fd;
	(void)events;
	return pw_reader_dispatch(world->reader);
}

static void begin(struct world *world)
{
	const struct pw_discover_callbacks callbacks = {
		.context = world, .found = on_found, .gone = on_gone, .service_name = on_service_name};

	memset(world, 0, sizeof(*world));
	if (geteuid() != 0)
		skip();
	pw_log_set_level(PW_LOG_ERR);
	assert_int_equal(pw_procfs_open(&world->procfs, "/proc"), 0);
	assert_int_equal(pw_reader_start(&world->reader), 0);
	assert_int_equal(pw_loop_new(&world->loop), 0);
	assert_int_equal(pw_loop_add_io(world->loop, pw_reader_fd(world->reader), EPOLLIN, on_reader, world, NULL), 0);
	assert_int_equal(pw_discover_new(&world->discover, &world->procfs, world->reader, world->loop, &callbacks), 0);
}

static void end(struct world *world)
{
	pw_discover_free(world->discover);
	assert_int_equal(world->gone_count, world->found_count); /* each that was found is taken leave of */
	pw_loop_free(world->loop);
	pw_reader_free(world->reader);
	pw_procfs_done(&world->procfs);
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count && i < 256; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static bool is_found(const struct world *world, pid_t pid)
{
	return contains(world->found, world->found_count, pid);
}

static bool is_gone(const struct world *world, pid_t pid)
{
	return contains(world->gone, world->gone_count, pid);
}

/* Lets the world turn until done(pid), with a scan every 50 ms. */
static void turn_until(struct world *world, bool (*done)(const struct world *, pid_t), pid_t pid)
{
	uint64_t end_ns = pw_now_ns() + 20 * PW_NS_PER_SEC;

	while (!done(world, pid)) {
		if (pw_now_ns() > end_ns)
			fail_msg("nothing about process %d within 20 s", pid);
		assert_int_equal(pw_discover_scan(world->discover, SCAN_BUDGET), 0);
		pw_reader_expire(world->reader, pw_now_ns());
		for (int i = 0; i < 10; i++)
			assert_true(pw_loop_run_once(world->loop, 5) >= 0);
	}
}

static bool nothing_pending(const struct world *world, pid_t pid)
{
	struct pw_discover_stats stats;

	(void)pid;
	pw_discover_stats(world->discover, &stats);
	return stats.scans >= 2 && !pw_discover_pending(world->discover);
}

static struct pw_target *target_of(const struct world *world, pid_t pid)
{
	for (size_t i = 0; i < pw_discover_count(world->discover); i++)
		if (pw_discover_at(world->discover, i)->pid == pid)
			return pw_discover_at(world->discover, i);
	return NULL;
}

static void start_any(struct go_target *go, const char *behaviour)
{
	for (size_t i = 0; go_target_versions[i]; i++)
		if (go_target_start(go, behaviour, go_target_versions[i], "stripped"))
			return;
	fail_msg("no program '%s': run scripts/targets --default", behaviour);
}

/* In a child: our end of a pipe as standard input, no output, and no life after the test's. */
static void become_target(int input)
{
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	dup2(input, 0);
	dup2(null_fd, 1);
}

/* Starts path with one more environment variable, its standard input held open by us. */
static pid_t start_with(const char *path, const char *name, const char *value, int *ret_input)
{
	int input[2];
	pid_t pid;

	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		become_target(input[0]);
		setenv(name, value, 1);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(input[0]);
	*ret_input = input[1];
	return pid;
}

static void stop(pid_t pid, int input)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(input);
}

static void go_programs_are_found_and_their_end_is_noticed(void **state)
{
	struct world world;
	struct go_target first, second;
	struct pw_target *target;

	(void)state;
	begin(&world);
	start_any(&first, "waits");
	turn_until(&world, is_found, first.pid);
	start_any(&second, "idle");
	turn_until(&world, is_found, second.pid);
	target = target_of(&world, first.pid);
	assert_non_null(target);
	assert_true(target->memory_ok && target->symbols_ok);
	assert_int_equal(target->state, PW_TARGET_READABLE);
	assert_true(target->same_pid_namespace);
	assert_true(target->service[0]);
	assert_null(target_of(&world, getpid()));
	go_target_stop(&first);
	turn_until(&world, is_gone, first.pid);
	assert_null(target_of(&world, first.pid));
	assert_non_null(target_of(&world, second.pid));
	end(&world);
	go_target_stop(&second);
}

static void processes_of_one_build_share_its_facts(void **state)
{
	struct world world;
	struct go_target a, b;

	(void)state;
	begin(&world);
	start_any(&a, "waits");
	start_any(&b, "waits");
	turn_until(&world, is_found, a.pid);
	turn_until(&world, is_found, b.pid);
	assert_ptr_equal(target_of(&world, a.pid)->build, target_of(&world, b.pid)->build);
	go_target_stop(&a);
	turn_until(&world, is_gone, a.pid);
	assert_int_equal(target_of(&world, b.pid)->build->facts.info.go_version[0], 'g');
	end(&world);
	go_target_stop(&b);
}

static void a_process_that_opts_out_is_left_alone(void **state)
{
	struct world world;
	struct go_target model;
	struct pw_discover_stats stats;
	int input;
	pid_t pid;

	(void)state;
	begin(&world);
	start_any(&model, "idle");
	pid = start_with(model.path, "PARKWATCH", "off", &input);
	turn_until(&world, is_found, model.pid);
	turn_until(&world, nothing_pending, 0);
	assert_false(is_found(&world, pid));
	pw_discover_stats(world.discover, &stats);
	assert_true(stats.opted_out >= 1);
	stop(pid, input);
	end(&world);
	go_target_stop(&model);
}

/* The variable is the last of an environment of 400 kB. */
static void opting_out_holds_behind_a_large_environment(void **state)
{
	static char filler[100001];
	struct world world;
	struct go_target model;
	struct pw_target *target;
	struct pw_why why = {};
	int input;
	pid_t pid;

	(void)state;
	begin(&world);
	start_any(&model, "idle");
	memset(filler, 'x', sizeof(filler) - 1);
	for (char name[] = "FILLER0"; name[6] < '4'; name[6]++)
		assert_int_equal(setenv(name, filler, 1), 0);
	pid = start_with(model.path, "PARKWATCH", "off", &input);
	for (char name[] = "FILLER0"; name[6] < '4'; name[6]++)
		unsetenv(name);
	turn_until(&world, is_found, model.pid);
	turn_until(&world, nothing_pending, 0);
	assert_false(is_found(&world, pid));
	assert_int_equal(pw_target_open(&target, pid, &world.procfs, world.reader, &why), -EPERM);
	assert_non_null(strstr(why.text, "has PARKWATCH=off"));
	stop(pid, input);
	end(&world);
	go_target_stop(&model);
}

static int zombies(pid_t *pids, int count)
{
	for (int i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(0);
		assert_true(pids[i] > 0);
	}
	for (int i = 0; i < count; i++) { /* dead, and left lying */
		siginfo_t info;

		assert_int_equal(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
	}
	return count;
}

/* Kernel threads and zombies are there at each scan and have no executable: that is not "gone while we looked". */
static void who_has_no_executable_does_not_vanish_at_each_scan(void **state)
{
	struct world world;
	struct pw_discover_stats before, after;
	struct pw_target *target;
	struct pw_why why = {};
	pid_t dead[100];

	(void)state;
	begin(&world);
	assert_int_equal(zombies(dead, 100), 100);
	turn_until(&world, nothing_pending, 0);
	pw_discover_stats(world.discover, &before);
	do {
		assert_int_equal(pw_discover_scan(world.discover, SCAN_BUDGET), 0);
		pw_discover_stats(world.discover, &after);
	} while (after.scans < before.scans + 5);
	assert_in_range(after.vanished - before.vanished, 0, 100); /* of 5 scans: others may come and go meanwhile */
	assert_int_equal(pw_target_open(&target, dead[0], &world.procfs, world.reader, &why), -ENOEXEC);
	assert_non_null(strstr(why.text, "has no executable"));
	for (int i = 0; i < 100; i++)
		assert_int_equal(waitpid(dead[i], NULL, 0), dead[i]);
	end(&world);
}

static void configuration_chooses_and_can_change_its_mind(void **state)
{
	static const char *nobody[] = {"no-such-*"}, *renamed[] = {"rena?ed"};
	struct world world;
	struct go_target go;

	(void)state;
	begin(&world);
	world.rename = true;
	pw_discover_set_filter(world.discover, &(struct pw_discover_filter){.include = nobody, .include_count = 1});
	start_any(&go, "idle");
	turn_until(&world, nothing_pending, 0);
	assert_int_equal(world.found_count, 0);
	pw_discover_set_filter(world.discover, &(struct pw_discover_filter){.include = renamed, .include_count = 1});
	turn_until(&world, is_found, go.pid);
	pw_discover_set_filter(world.discover, &(struct pw_discover_filter){.exclude = renamed, .exclude_count = 1});
	assert_true(is_gone(&world, go.pid));
	assert_int_equal(pw_discover_count(world.discover), 0);
	end(&world);
	go_target_stop(&go);
}

/* sh becomes a Go program: the same process, found anew. */
static void an_exec_into_a_go_program_is_noticed(void **state)
{
	struct world world;
	struct go_target model;
	int to[2];
	pid_t pid;

	(void)state;
	begin(&world);
	start_any(&model, "idle");
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		become_target(to[0]);
		execl("/bin/sh", "sh", "-c", "read line; exec \"$0\"", model.path, (char *)NULL);
		_exit(127);
	}
	turn_until(&world, nothing_pending, 0);
	assert_false(is_found(&world, pid));
	assert_int_equal(write(to[1], "\n", 1), 1);
	turn_until(&world, is_found, pid);
	stop(pid, to[1]);
	turn_until(&world, is_gone, pid);
	close(to[0]);
	end(&world);
	go_target_stop(&model);
}

/* The scan must neither hang nor fail nor keep anything of processes that live for a millisecond. */
static void short_lived_processes_do_no_harm(void **state)
{
	struct world world;
	struct go_target go;
	uint64_t longest = 0;
	size_t forks = 0;

	(void)state;
	begin(&world);
	start_any(&go, "idle");
	while (forks < 2000) {
		uint64_t start;

		for (int i = 0; i < 40; i++, forks++) {
			pid_t pid = fork();

			assert_true(pid >= 0);
			if (!pid) {
				if (forks % 4 == 0)
					execl("/bin/true", "true", (char *)NULL);
				_exit(0);
			}
		}
		start = pw_cpu_thread_ns();
		assert_int_equal(pw_discover_scan(world.discover, SCAN_BUDGET), 0);
		longest = PW_MAX(longest, pw_cpu_thread_ns() - start);
		assert_true(pw_loop_run_once(world.loop, 0) >= 0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	turn_until(&world, is_found, go.pid);
	assert_in_range(longest, 0, 2 * SCAN_BUDGET);
	end(&world);
	go_target_stop(&go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(go_programs_are_found_and_their_end_is_noticed),
		cmocka_unit_test(processes_of_one_build_share_its_facts),
		cmocka_unit_test(a_process_that_opts_out_is_left_alone),
		cmocka_unit_test(opting_out_holds_behind_a_large_environment),
		cmocka_unit_test(who_has_no_executable_does_not_vanish_at_each_scan),
		cmocka_unit_test(configuration_chooses_and_can_change_its_mind),
		cmocka_unit_test(an_exec_into_a_go_program_is_noticed),
		cmocka_unit_test(short_lived_processes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
