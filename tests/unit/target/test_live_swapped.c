/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * A Go program that is in swap is looked at, and stays there. Needs root, a place for a swap file (a file
 * system that allows one), and scripts/targets --default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/procfs.h"
#include "base/why.h"
#include "reader/reader.h"
#include "support/go_target.h"
#include "target/goroutines.h"
#include "target/snapshot.h"
#include "target/swapped.h"
#include "target/target.h"

#define SWAP_BYTES (64 << 20)
#define COUNT	   5000
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static struct pw_procfs procfs = PW_PROCFS_INIT;
static struct pw_reader *reader;
static char swap_file[] = "/var/tmp/test_swapped.XXXXXX";

/* False: this host has no place for it. */
static bool add_swap(void)
{
	char command[128];
	int fd = mkstemp(swap_file);
	bool ok = fd >= 0 && !posix_fallocate(fd, 0, SWAP_BYTES);

	if (fd >= 0)
		close(fd);
	snprintf(command, sizeof(command), "mkswap -q %s", swap_file);
	ok = ok && !system(command) && !swapon(swap_file, 0);
	if (!ok)
		unlink(swap_file);
	return ok;
}

static uint64_t swapped_bytes(int pid)
{
	static struct pw_proc_status status;

	assert_int_equal(pw_procfs_status(&procfs, pid, &status), 0);
	return status.vm_swap_bytes;
}

/* All that it may write to. */
static void page_out(int pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pw_proc_maps maps = {};

	assert_true(pidfd >= 0);
	assert_int_equal(pw_procfs_maps(&procfs, pid, &maps), 0);
	for (size_t i = 0; i < maps.count; i++) {
		struct iovec range = {(void *)(uintptr_t)maps.items[i].start, maps.items[i].end - maps.items[i].start};

		if (maps.items[i].writable)
			(void)syscall(SYS_process_madvise, pidfd, &range, 1, MADV_PAGEOUT, 0);
	}
	pw_proc_maps_done(&maps);
	close(pidfd);
}

/* Looks, and sees to it that nothing came back by that. */
static int look(struct pw_snapshot *snapshot, int pid)
{
	uint64_t before = swapped_bytes(pid), after;
	int r = pw_snapshot_look(snapshot);

	after = swapped_bytes(pid);
	if (before < 4 << 20)
		fail_msg("only %llu bytes could be swapped out", (unsigned long long)before);
	if (after + before / 50 < before)
		fail_msg("%llu bytes in swap, %llu after the look", (unsigned long long)before,
			 (unsigned long long)after);
	return r;
}

/* A walk that brings the goroutines in, but not their stacks: as if the program had touched them. */
static void bring_in_goroutines(struct pw_target *target)
{
	struct pw_swapped nothing = {.fd = -1};
	struct pw_census *census;

	assert_int_equal(pw_census_new(&census), 0);
	target->mem.swapped = &nothing;
	assert_int_equal(pw_census_begin(census, target), 0);
	assert_int_equal(pw_census_step(census, UINT64_MAX), 0);
	target->mem.swapped = NULL;
	assert_true(pw_census_result(census)->count >= COUNT);
	pw_census_free(census);
}

static void check(struct go_target *go, struct pw_target *target)
{
	struct pw_snapshot_options options = {.waits = true, .labels = true};
	const struct pw_snapshot_result *result;
	struct pw_snapshot *snapshot;
	int r;

	assert_int_equal(pw_snapshot_new(&snapshot, target, &options), 0);
	result = pw_snapshot_result(snapshot);
	page_out(go->pid);
	r = look(snapshot, go->pid);
	if (r != -EFAULT) { /* the list of goroutines is out, too, or its page is in use */
		assert_int_equal(r, 0);
		assert_true(result->skipped_by[PW_SKIP_SWAPPED] > COUNT / 2);
	}
	bring_in_goroutines(target);
	assert_int_equal(look(snapshot, go->pid), 0);
	assert_true(result->count >= COUNT);
	assert_true(result->skipped_by[PW_SKIP_SWAPPED] > COUNT / 2);
	assert_int_equal(result->skipped, result->skipped_by[PW_SKIP_SWAPPED]);
	pw_snapshot_free(snapshot);
}

static void what_is_swapped_out_stays_out_and_is_counted(void **state)
{
	struct go_target go;
	struct pw_target *target;
	struct pw_why why = {};

	(void)state;
	if (geteuid() != 0 || !add_swap())
		skip();
	if (!go_target_start(&go, "many_stacks", "1.24", "plain"))
		fail_msg("no program 'many_stacks': run scripts/targets many_stacks");
	go_target_ask(&go, "start 5000 8");
	assert_int_equal(pw_target_open(&target, go.pid, &procfs, reader, &why), 0);
	check(&go, target);
	pw_target_free(target);
	go_target_stop(&go);
}

static int set_up(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	return pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	swapoff(swap_file);
	unlink(swap_file);
	pw_reader_free(reader);
	pw_procfs_done(&procfs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_swapped_out_stays_out_and_is_counted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
