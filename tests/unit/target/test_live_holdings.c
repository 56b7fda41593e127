/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Threads, timers and sockets as we read them, against what the program made and /proc says, on every Go version. Needs
 * root, or CAP_SYS_PTRACE, and scripts/targets --default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "model/holdings.h"
#include "model/record.h"
#include "reader/reader.h"
#include "support/go_target.h"
#include "target/sockets.h"
#include "target/target.h"
#include "target/threads.h"
#include "target/timers.h"

#define TRIES 100 /* of 50 ms: what a command began may not be there yet */

static struct pw_procfs procfs = PW_PROCFS_INIT;
static struct pw_reader *reader;

static struct pw_target *open_target(const struct go_target *go)
{
	struct pw_target *target;
	struct pw_why why = {};
	int r = pw_target_open(&target, go->pid, &procfs, reader, &why);

	if (r)
		fail_msg("%s: %s", go->path, pw_why_text(&why, r));
	if (!target->memory_ok)
		fail_msg("%s: memory '%s'", go->path, target->memory_reason);
	return target;
}

static void for_each(const char *behaviour, const char *flavour,
		     void (*check)(struct go_target *go, struct pw_target *target))
{
	size_t seen = 0;

	if (geteuid() != 0)
		skip();
	for (size_t v = 0; go_target_versions[v]; v++) {
		struct pw_target *target;
		struct go_target go;

		if (!go_target_start(&go, behaviour, go_target_versions[v], flavour))
			continue;
		target = open_target(&go);
		check(&go, target);
		pw_target_free(target);
		go_target_stop(&go);
		seen++;
	}
	if (!seen)
		fail_msg("no program '%s': run scripts/targets --default", behaviour);
}

static struct pw_holdings look(struct pw_threads *threads, struct pw_target *target, uint64_t boot_ns)
{
	struct pw_holdings numbers;
	char path[256];

	pw_holdings_init(&numbers);
	assert_int_equal(pw_threads_read(threads, target, &procfs, boot_ns, &numbers, path, sizeof(path)), 0);
	assert_int_equal(pw_timers_count(target, &numbers), 0);
	return numbers;
}

static uint64_t tasks(int pid)
{
	struct pw_pid_vec tids = {.max = PW_VEC_DEFAULT_MAX};
	uint64_t count;

	assert_int_equal(pw_procfs_threads(&procfs, pid, &tids), 0);
	count = tids.count;
	pw_vec_done(&tids);
	return count;
}

#define LOCKED 20
#define MADE   3000

static void check_drains(struct go_target *go, struct pw_target *target)
{
	struct pw_threads threads = {};
	struct pw_holdings before = look(&threads, target, pw_boot_ns()), after = before;

	assert_int_equal(before.threads_max, 10000);
	assert_true(before.timers < 10);
	assert_int_equal(before.threads_locked, 0);
	go_target_ask(go, "make timers 3000");
	go_target_ask(go, "make threads 20");
	for (int i = 0; i < TRIES && after.threads_locked != LOCKED; i++) {
		usleep(50000);
		after = look(&threads, target, pw_boot_ns());
	}
	print_message(
		"%s: %llu timers, %llu threads, %llu in the runtime's list, %llu locked, %llu idle, %llu in calls\n",
		go->path, (unsigned long long)after.timers, (unsigned long long)after.threads,
		(unsigned long long)after.threads_go, (unsigned long long)after.threads_locked,
		(unsigned long long)after.threads_idle, (unsigned long long)after.threads_syscall);
	assert_int_equal(after.threads_locked, LOCKED);
	assert_int_equal(after.threads_cgo, 0);
	assert_true(after.timers >= MADE && after.timers < MADE + 10);
	assert_int_equal(after.gomaxprocs, before.gomaxprocs);
	assert_true(after.threads >= LOCKED && after.threads <= tasks(go->pid));
	assert_true(after.threads_go >= LOCKED && after.threads_go <= after.threads + 2);
	assert_true(after.files_max > 0 && after.files_max != PW_UNKNOWN);
	pw_threads_done(&threads);
}

static void what_a_program_made_is_what_is_counted(void **state)
{
	(void)state;
	for_each("drains", "stripped", check_drains);
}

#define ASLEEP 7

static void check_cgo(struct go_target *go, struct pw_target *target)
{
	struct pw_threads threads = {};
	struct pw_holdings numbers = {};
	uint64_t now_ns = pw_boot_ns();

	go_target_ask(go, "sleepers 7");
	for (int i = 0; i < TRIES && numbers.threads_cgo != ASLEEP; i++) {
		usleep(50000);
		numbers = look(&threads, target, now_ns);
	}
	assert_int_equal(numbers.threads_cgo, ASLEEP);
	assert_int_equal(numbers.threads_cgo_long, 0);
	numbers = look(&threads, target, now_ns + PW_CGO_LONG_NS); /* as if a minute had gone by */
	assert_int_equal(numbers.threads_cgo, ASLEEP);
	assert_int_equal(numbers.threads_cgo_long, ASLEEP);
	assert_true(numbers.threads >= ASLEEP && numbers.threads <= tasks(go->pid));
	pw_threads_done(&threads);
}

static void threads_in_c_are_told_apart(void **state)
{
	(void)state;
	for_each("cgo", "cgo-stripped", check_cgo);
}

#define CLOSED 15
#define LOCAL  6
#define SILENT 5
#define RESET  4

static struct pw_holdings look_at_sockets(struct pw_sockets *sockets, int pid, uint64_t boot_ns)
{
	struct pw_holdings numbers;

	pw_holdings_init(&numbers);
	assert_int_equal(pw_sockets_look(sockets, &procfs, pid, boot_ns, &numbers), 0);
	return numbers;
}

/* From another network namespace: only what /proc says. In a child, since nobody comes back from there. */
static void look_from_elsewhere(int pid)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct pw_sockets sockets = {};
		struct pw_holdings numbers;

		if (unshare(CLONE_NEWNET))
			_exit(2);
		pw_holdings_init(&numbers);
		if (pw_sockets_look(&sockets, &procfs, pid, pw_boot_ns(), &numbers) || sockets.same_namespace ||
		    numbers.tcp_close_wait != CLOSED || numbers.tcp_established < 2 * SILENT ||
		    numbers.tcp_quiet != PW_UNKNOWN || numbers.unix_closed != PW_UNKNOWN)
			_exit(1);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void check_sockets(struct go_target *go, struct pw_target *target)
{
	struct pw_sockets sockets = {};
	uint64_t now_ns = pw_boot_ns();
	struct pw_holdings numbers;

	(void)target;
	go_target_ask(go, "make closed 15");
	go_target_ask(go, "make unix 6");
	go_target_ask(go, "make silent 5");
	numbers = look_at_sockets(&sockets, go->pid, now_ns);
	for (int i = 0; i < TRIES && (numbers.tcp_close_wait != CLOSED || numbers.unix_closed != LOCAL); i++) {
		usleep(50000);
		numbers = look_at_sockets(&sockets, go->pid, now_ns);
	}
	assert_true(sockets.same_namespace);
	assert_int_equal(numbers.tcp_close_wait, CLOSED);
	assert_int_equal(numbers.tcp_close_wait_long, 0);
	assert_int_equal(numbers.tcp_established, 2 * SILENT); /* both ends are its own */
	assert_int_equal(numbers.tcp_listen, 1);
	assert_int_equal(numbers.tcp_quiet, 0);
	assert_int_equal(numbers.unix_closed, LOCAL);
	assert_int_equal(numbers.sockets, CLOSED + LOCAL + 2 * SILENT + 2);
	assert_int_equal(numbers.sockets_left_out, 0);
	numbers = look_at_sockets(&sockets, go->pid, now_ns + PW_SOCKET_LONG_NS); /* as if a minute had gone by */
	assert_int_equal(numbers.tcp_close_wait_long, CLOSED);
	assert_int_equal(numbers.unix_closed_long, LOCAL);
	assert_null(pw_sockets_find(&sockets, 0));
	assert_int_equal(numbers.tcp_dead, 0);
	go_target_ask(go, "make reset 4");
	for (int i = 0; i < TRIES && numbers.tcp_dead != RESET; i++) {
		usleep(50000);
		numbers = look_at_sockets(&sockets, go->pid, now_ns + PW_SOCKET_LONG_NS);
	}
	assert_int_equal(numbers.tcp_dead, RESET);
	assert_int_equal(numbers.tcp_close_wait, CLOSED);
	look_from_elsewhere(go->pid);
	pw_sockets_done(&sockets);
}

static void sockets_are_told_apart_from_inside_and_outside(void **state)
{
	(void)state;
	for_each("drains", "stripped", check_sockets);
}

static int setup(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	return pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	pw_reader_free(reader);
	pw_procfs_done(&procfs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_program_made_is_what_is_counted),
		cmocka_unit_test(threads_in_c_are_told_apart),
		cmocka_unit_test(sockets_are_told_apart_from_inside_and_outside),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
