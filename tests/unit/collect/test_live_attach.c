/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole of collect against this kernel: targets are children of the test that call a known function a known number
 * of times. Needs the privilege to load BPF programs; without it every test is skipped and says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "base/why.h"
#include "bpf/shared.h"
#include "collect/child.h"
#include "collect/collect.h"
#include "collect/features.h"
#include "target/target.h"

#define TARGETS 20

static struct pw_child *children[TARGETS];
static struct pw_target targets[TARGETS];
static struct pw_build build;
static struct pw_features features;

/* PARK at the emulated and SPAWN at the single-stepped place; the child's goroutine has gopc 0. */
static void describe(struct pw_child *child)
{
	struct pw_build_facts *facts = &build.facts;
	static const struct {
		enum pw_event event;
		enum pw_child_site place;
	} sites[] = {{PW_EVENT_PARK, PW_CHILD_EMULATED}, {PW_EVENT_SPAWN, PW_CHILD_STEPPED}};

	memset(facts, 0, sizeof(*facts));
	facts->is_go = true;
#if defined(__x86_64__)
	facts->arch = PW_ARCH_AMD64;
#else
	facts->arch = PW_ARCH_ARM64;
#endif
	assert_int_equal(pw_layout_for(&facts->layout, facts->arch, 24), 0);
	for (size_t i = 0; i < 2; i++) {
		struct pw_site *site = &facts->sites[sites[i].event];

		site->found = true;
		site->emulated = sites[i].place == PW_CHILD_EMULATED;
		site->counts_coroutines = true;
		site->g_reg = pw_child_g_reg();
		site->arg_reg = sites[i].event == PW_EVENT_PARK ? pw_child_arg_reg() : PW_SITE_REG_NONE;
		site->insn_size = 1;
		site->addr = pw_child_address(sites[i].place);
		memcpy(site->insn, (const void *)(uintptr_t)site->addr, 1);
		site->file_offset = pw_child_file_offset(child, sites[i].place);
		snprintf(site->function, sizeof(site->function), "test");
	}
}

static void make_target(size_t index, uint64_t id)
{
	struct pw_target *target = &targets[index];

	memset(target, 0, sizeof(*target));
	target->id = id;
	target->pid = pw_child_pid(children[index]);
	target->exe_fd = pw_child_exe_fd(children[index]);
	target->build = &build;
	target->bias_known = target->same_pid_namespace = true;
	assert_int_equal(pw_mem_process(&target->mem, target->pid), 0);
}

static int begin(void **state)
{
	struct pw_why why = {0};

	(void)state;
	if (!features.kernel[0] && pw_features_probe(&features))
		return -1;
	for (size_t i = 0; i < TARGETS; i++) {
		if (pw_child_start(&children[i], &why))
			return -1;
		make_target(i, 100 + i);
	}
	describe(children[0]);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < TARGETS; i++) {
		pw_child_stop(children[i]);
		children[i] = NULL;
	}
	return 0;
}

static struct pw_collect *start_budget(enum pw_attach_method method, double budget)
{
	struct pw_collect_options options = {.method = method,
					     .budget_percent = budget,
					     .host_budget_percent = -1,
					     .creation_stacks_first = 4,
					     .creation_stacks_every = 16};
	struct pw_collect *collect = NULL;
	struct pw_why why = {0};

	if (!features.events_possible ||
	    (method == PW_ATTACH_UPROBE_MULTI && !features.feature[PW_FEATURE_UPROBE_MULTI].ok) ||
	    (method == PW_ATTACH_PERF && !features.feature[PW_FEATURE_UPROBE_PERF].ok)) {
		print_message("skipped: %s %s\n", features.feature[PW_FEATURE_BPF].reason,
			      features.feature[PW_FEATURE_UPROBE_PERF].reason);
		skip();
	}
	if (pw_collect_new(&collect, &options, &why))
		fail_msg("%s", why.text);
	return collect;
}

static struct pw_collect *start(enum pw_attach_method method)
{
	return start_budget(method, -1);
}

static void settle(struct pw_collect *collect, uint64_t id)
{
	uint64_t deadline_ns = pw_now_ns() + 20 * 1000000000ULL;

	while (!pw_collect_settled(collect, id) && pw_now_ns() < deadline_ns) {
		struct pollfd ready = {.fd = pw_collect_fd(collect), .events = POLLIN};

		poll(&ready, 1, 1000);
		pw_collect_dispatch(collect);
	}
	assert_true(pw_collect_settled(collect, id));
}

static void call(size_t child, enum pw_child_site site, uint32_t count, bool second_thread)
{
	uint64_t ns;

	assert_int_equal(pw_child_run(children[child], site, count, second_thread, &ns), 0);
}

static const struct pw_target_counts *poll_counts(struct pw_collect *collect, uint64_t id)
{
	assert_int_equal(pw_collect_poll(collect, pw_boot_ns()), 0);
	return pw_collect_counts(collect, id);
}

static void count_exactly(enum pw_attach_method method)
{
	struct pw_collect *collect = start(method);

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pw_collect_add(collect, &targets[i]), 0);
	for (size_t i = 0; i < 3; i++) {
		settle(collect, targets[i].id);
		assert_true(targets[i].events_ok);
	}
	call(0, PW_CHILD_EMULATED, 1000, false);
	call(0, PW_CHILD_EMULATED, 500, true);
	call(0, PW_CHILD_STEPPED, 40, true);
	call(1, PW_CHILD_EMULATED, 7, false);
	call(3, PW_CHILD_EMULATED, 99, false); /* not a target */
	const struct pw_target_counts *counts = poll_counts(collect, targets[0].id);
	assert_true(counts->armed);
	assert_int_equal(counts->parked, 1500);
	assert_int_equal(counts->spawned, 40);
	assert_int_equal(counts->hits, 1540);
	assert_int_equal(counts->statement_count, 1);
	assert_int_equal(counts->statements[0].gopc, 0);
	assert_int_equal(counts->statements[0].parked, 1500);
	assert_int_equal(counts->statements[0].reason_count, 1);
	assert_int_equal(counts->statements[0].reasons[0].reason, PW_CHILD_WAIT_REASON);
	assert_int_equal(counts->statements[0].reasons[0].count, 1500);
	assert_true(counts->site_attached[PW_EVENT_PARK] && counts->site_attached[PW_EVENT_SPAWN]);
	assert_false(counts->site_attached[PW_EVENT_EXIT]);
	assert_true(counts->cost_per_hit_ns[PW_EVENT_PARK] > 0);
	for (size_t drop = 0; drop < counts->drop_count; drop++)
		assert_true(!counts->drops[drop] || drop == PW_DROP_STACK_UNREADABLE);
	assert_int_equal(pw_collect_counts(collect, targets[1].id)->parked, 7);
	assert_int_equal(pw_collect_counts(collect, targets[2].id)->hits, 0);
	assert_null(pw_collect_counts(collect, targets[3].id));
	call(0, PW_CHILD_EMULATED, 1, false);
	assert_int_equal(poll_counts(collect, targets[0].id)->parked, 1501);
	pw_collect_free(collect);
}

static void uprobe_multi_counts_every_hit_once(void **state)
{
	(void)state;
	count_exactly(PW_ATTACH_UPROBE_MULTI);
}

static void perf_events_count_every_hit_once(void **state)
{
	(void)state;
	count_exactly(PW_ATTACH_PERF);
}

static void a_target_removed_and_added_again_starts_at_zero(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);

	(void)state;
	for (uint64_t round = 0; round < 3; round++) {
		targets[0].id = 500 + round;
		assert_int_equal(pw_collect_add(collect, &targets[0]), 0);
		settle(collect, targets[0].id);
		assert_true(targets[0].events_ok);
		call(0, PW_CHILD_EMULATED, 10, false);
		assert_int_equal(poll_counts(collect, targets[0].id)->parked, 10);
		pw_collect_remove(collect, targets[0].id);
		assert_null(pw_collect_counts(collect, targets[0].id));
	}
	pw_collect_free(collect);
}

static void nobody_is_counted_after_the_end(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);
	uint8_t byte;

	(void)state;
	assert_int_equal(pw_collect_add(collect, &targets[0]), 0);
	settle(collect, targets[0].id);
	uint64_t place = pw_child_address(PW_CHILD_EMULATED);
	assert_int_equal(pw_mem_read(&targets[0].mem, place, &byte, 1), 0);
	assert_int_not_equal(byte, *(const uint8_t *)(uintptr_t)place);
	pw_collect_free(collect);
	assert_int_equal(pw_mem_read(&targets[0].mem, place, &byte, 1), 0);
	assert_int_equal(byte, *(const uint8_t *)(uintptr_t)place);
}

static void twenty_targets_are_detached_within_four_seconds(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_UPROBE_MULTI);

	(void)state;
	for (size_t i = 0; i < TARGETS; i++)
		assert_int_equal(pw_collect_add(collect, &targets[i]), 0);
	for (size_t i = 0; i < TARGETS; i++)
		settle(collect, targets[i].id);
	for (size_t i = 0; i < TARGETS; i++)
		call(i, PW_CHILD_EMULATED, 10 + (uint32_t)i, false);
	assert_int_equal(pw_collect_poll(collect, pw_boot_ns()), 0);
	for (size_t i = 0; i < TARGETS; i++)
		assert_int_equal(pw_collect_counts(collect, targets[i].id)->parked, 10 + i);
	uint64_t start_ns = pw_now_ns();
	pw_collect_free(collect);
	uint64_t took_ns = pw_now_ns() - start_ns;
	print_message("20 targets detached in %llu ms\n", (unsigned long long)(took_ns / 1000000));
	assert_true(took_ns < 4000000000ULL);
}

static void a_target_that_is_gone_is_refused_with_a_reason(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);

	(void)state;
	int pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	targets[0].pid = pid;
	assert_int_equal(pw_mem_process(&targets[0].mem, pid), 0);
	int r = pw_collect_add(collect, &targets[0]);
	if (!r)
		settle(collect, targets[0].id);
	assert_false(targets[0].events_ok);
	assert_true(targets[0].events_reason[0]);
	assert_true(strstr(targets[0].events_reason, "gone") || r == -ESRCH);
	pw_collect_free(collect);
}

static void a_target_under_a_debugger_s_breakpoint_is_left_alone(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);
	void *place = (void *)(uintptr_t)pw_child_address(PW_CHILD_EMULATED);

	(void)state;
	assert_int_equal(ptrace(PTRACE_ATTACH, targets[0].pid, NULL, NULL), 0);
	waitpid(targets[0].pid, NULL, 0);
	long word = ptrace(PTRACE_PEEKTEXT, targets[0].pid, place, NULL);
	assert_int_equal(ptrace(PTRACE_POKETEXT, targets[0].pid, place, (void *)((word & ~0xffL) | 0xcc)), 0);
	assert_int_equal(pw_collect_add(collect, &targets[0]), -EOPNOTSUPP);
	assert_non_null(strstr(targets[0].events_reason, "breakpoint"));
	assert_int_equal(ptrace(PTRACE_POKETEXT, targets[0].pid, place, (void *)word), 0);
	assert_int_equal(ptrace(PTRACE_DETACH, targets[0].pid, NULL, NULL), 0);
	pw_collect_free(collect);
}

/* Until a target's events are there, with a clock of polls that is `ahead_ns` in front of the real one. */
static bool attached_within(struct pw_collect *collect, size_t target, uint64_t ahead_ns, unsigned int seconds)
{
	uint64_t deadline_ns = pw_now_ns() + seconds * 1000000000ULL;

	while (!targets[target].events_ok && pw_now_ns() < deadline_ns) {
		struct pollfd ready = {.fd = pw_collect_fd(collect), .events = POLLIN};

		assert_int_equal(pw_collect_poll(collect, pw_boot_ns() + ahead_ns), 0);
		poll(&ready, 1, 100);
		pw_collect_dispatch(collect);
	}
	return targets[target].events_ok;
}

static void a_target_is_attached_when_the_debugger_s_breakpoint_is_gone(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);
	void *place = (void *)(uintptr_t)pw_child_address(PW_CHILD_EMULATED);

	(void)state;
	assert_int_equal(ptrace(PTRACE_ATTACH, targets[0].pid, NULL, NULL), 0);
	waitpid(targets[0].pid, NULL, 0);
	long word = ptrace(PTRACE_PEEKTEXT, targets[0].pid, place, NULL);
	assert_int_equal(ptrace(PTRACE_POKETEXT, targets[0].pid, place, (void *)((word & ~0xffL) | 0xcc)), 0);
	assert_int_equal(pw_collect_add(collect, &targets[0]), -EOPNOTSUPP);
	assert_non_null(strstr(targets[0].events_reason, "trying again in 2 s"));
	assert_int_equal(pw_collect_add(collect, &targets[0]), -EEXIST);
	assert_int_equal(pw_collect_poll(collect, pw_boot_ns() + 3000000000ULL), 0);
	assert_non_null(strstr(targets[0].events_reason, "trying again in 4 s"));
	assert_int_equal(ptrace(PTRACE_POKETEXT, targets[0].pid, place, (void *)word), 0);
	assert_int_equal(ptrace(PTRACE_DETACH, targets[0].pid, NULL, NULL), 0);
	assert_true(attached_within(collect, 0, 10000000000ULL, 5));
	call(0, PW_CHILD_EMULATED, 10, false);
	assert_int_equal(poll_counts(collect, targets[0].id)->parked, 10);
	pw_collect_free(collect);
}

static size_t open_files(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* What was measured at the start is taken off by a thread, in its own time: until half a second brings no change. */
static void wait_for_files_to_rest(struct pw_collect *collect)
{
	uint64_t start_ns = pw_now_ns(), changed_ns = start_ns;

	for (size_t before = open_files(), now; pw_now_ns() - changed_ns < 500000000ULL; before = now) {
		assert_true(pw_now_ns() - start_ns < 20000000000ULL);
		usleep(10000);
		pw_collect_dispatch(collect);
		now = open_files();
		if (now != before)
			changed_ns = pw_now_ns();
	}
}

static void an_attach_that_failed_for_want_of_files_is_tried_again(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);
	struct rlimit before, none;
	struct pw_collect_stats stats;

	(void)state;
	wait_for_files_to_rest(collect);
	int next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next + 1; /* one for its program file, none for a link */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int r = pw_collect_add(collect, &targets[0]);
	settle(collect, targets[0].id);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, 0);
	assert_false(targets[0].events_ok);
	assert_non_null(strstr(targets[0].events_reason, "LimitNOFILE"));
	assert_non_null(strstr(targets[0].events_reason, "trying again"));
	pw_collect_stats(collect, &stats);
	assert_int_equal(stats.attach_failures, 1);
	assert_true(attached_within(collect, 0, 3000000000ULL, 5));
	call(0, PW_CHILD_EMULATED, 10, false);
	assert_int_equal(poll_counts(collect, targets[0].id)->parked, 10);
	pw_collect_free(collect);
}

static void in_a_burst_the_young_wait_and_are_attached_when_it_is_over(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);
	struct pw_collect_stats stats;
	uint64_t born_ns = pw_boot_ns();

	(void)state;
	for (size_t i = 0; i < TARGETS; i++) {
		targets[i].start_time_ns = born_ns;
		assert_int_equal(pw_collect_add(collect, &targets[i]), 0);
	}
	pw_collect_stats(collect, &stats);
	assert_int_equal(stats.waiting_targets, TARGETS - 16);
	assert_false(pw_collect_settled(collect, targets[TARGETS - 1].id));
	assert_non_null(strstr(targets[TARGETS - 1].events_reason, "2 s old"));
	pw_collect_remove(collect, targets[TARGETS - 2].id); /* it ended */
	pw_collect_stats(collect, &stats);
	assert_int_equal(stats.waiting_targets, TARGETS - 17);
	for (size_t i = 0; i < TARGETS; i++)
		if (i != TARGETS - 2)
			assert_true(attached_within(collect, i, 0, 20));
	assert_true(pw_boot_ns() >= born_ns + 2000000000ULL);
	pw_collect_free(collect);
}

static void two_collectors_share_a_place(void **state)
{
	struct pw_collect *first = start(PW_ATTACH_AUTO), *second = start(PW_ATTACH_AUTO);

	(void)state;
	assert_int_equal(pw_collect_add(first, &targets[0]), 0);
	settle(first, targets[0].id);
	assert_int_equal(pw_collect_add(second, &targets[0]), 0);
	settle(second, targets[0].id);
	call(0, PW_CHILD_EMULATED, 25, false);
	assert_int_equal(poll_counts(first, targets[0].id)->parked, 25);
	assert_int_equal(poll_counts(second, targets[0].id)->parked, 25);
	pw_collect_free(second);
	call(0, PW_CHILD_EMULATED, 5, false);
	assert_int_equal(poll_counts(first, targets[0].id)->parked, 30);
	pw_collect_free(first);
}

struct burst {
	pthread_t thread;
	uint32_t calls;
	uint64_t ns;
	int result;
	atomic_bool done;
};

static void *run_burst(void *argument)
{
	struct burst *burst = argument;

	burst->result = pw_child_run(children[0], PW_CHILD_EMULATED, burst->calls, false, &burst->ns);
	atomic_store(&burst->done, true);
	return NULL;
}

static void dispatch(struct pw_collect *collect, int wait_ms)
{
	struct pollfd ready = {.fd = pw_collect_fd(collect), .events = POLLIN};

	if (poll(&ready, 1, wait_ms) > 0)
		pw_collect_dispatch(collect);
}

/*
 * The child does nothing but hit the probe, from one moment to the next, and nobody polls: what BPF reports has to do.
 * Until the last hit that costs it anything no more than 150 ms may be spent; and the park probe comes back in windows.
 */
static void a_burst_is_cut_off_within_150_ms_of_full_rate(enum pw_attach_method method)
{
	struct pw_collect *collect = start_budget(method, 1);
	struct burst burst = {.calls = UINT32_MAX}; /* many seconds even when nothing is attached */
	const struct pw_target_counts *counts;
	uint64_t start_ns;

	assert_int_equal(pw_collect_add(collect, &targets[0]), 0);
	settle(collect, targets[0].id);
	counts = poll_counts(collect, targets[0].id);
	start_ns = pw_now_ns();
	assert_int_equal(pthread_create(&burst.thread, NULL, run_burst, &burst), 0);
	while (counts->site_attached[PW_EVENT_PARK] && pw_now_ns() < start_ns + 5000000000ULL)
		dispatch(collect, 100);
	uint64_t took_ns = pw_now_ns() - start_ns;
	assert_false(counts->site_attached[PW_EVENT_PARK]);
	assert_true(counts->site_attached[PW_EVENT_SPAWN]);
	assert_int_equal(counts->bursts, 1);
	assert_int_equal(counts->mode[PW_EVENT_PARK], PW_PROBES_WINDOWS);
	assert_int_equal(counts->mode[PW_EVENT_SPAWN], PW_PROBES_CONTINUOUS);
	poll_counts(collect, targets[0].id);
	assert_string_equal(counts->governor_state, "park sampled");
	uint64_t spent_ns = counts->hits * counts->cost_per_hit_ns[PW_EVENT_PARK];
	print_message("off after %.0f ms, %.1f ms of CPU spent on %llu hits\n", (double)took_ns / 1e6,
		      (double)spent_ns / 1e6, (unsigned long long)counts->hits);
	assert_true(spent_ns > 5000000); /* the budget of a second is used, or it was no burst */
	assert_true(spent_ns < 150000000);
	assert_true(counts->parked <= counts->hits);
	while (!counts->windows && pw_now_ns() < start_ns + 20000000000ULL) {
		dispatch(collect, 100);
		poll_counts(collect, targets[0].id);
	}
	assert_true(counts->windows > 0);
	assert_true(counts->sampled_ns > 0);
	pw_collect_free(collect); /* while the burst goes on, too */
	pw_child_stop(children[0]);
	children[0] = NULL;
	pthread_join(burst.thread, NULL);
}

static void a_burst_is_cut_off_with_uprobe_multi(void **state)
{
	(void)state;
	a_burst_is_cut_off_within_150_ms_of_full_rate(PW_ATTACH_UPROBE_MULTI);
}

/* Detaching takes the kernel longer; what is spent is bounded all the same. */
static void a_burst_is_cut_off_with_perf_events(void **state)
{
	(void)state;
	a_burst_is_cut_off_within_150_ms_of_full_rate(PW_ATTACH_PERF);
}

static void a_budget_of_0_attaches_nothing_until_it_is_raised(void **state)
{
	struct pw_collect *collect = start_budget(PW_ATTACH_AUTO, 0);
	const struct pw_target_counts *counts;
	uint64_t deadline_ns = pw_now_ns() + 10000000000ULL;

	(void)state;
	assert_int_equal(pw_collect_add(collect, &targets[0]), 0);
	settle(collect, targets[0].id);
	assert_false(targets[0].events_ok);
	assert_non_null(strstr(targets[0].events_reason, "the budget is 0"));
	call(0, PW_CHILD_EMULATED, 100, false);
	counts = poll_counts(collect, targets[0].id);
	assert_int_equal(counts->hits, 0);
	assert_false(counts->armed);
	pw_collect_set_budget(collect, -1, -1);
	while (!counts->armed && pw_now_ns() < deadline_ns) {
		dispatch(collect, 100);
		poll_counts(collect, targets[0].id);
	}
	assert_true(counts->armed && targets[0].events_ok);
	call(0, PW_CHILD_EMULATED, 100, false);
	assert_int_equal(poll_counts(collect, targets[0].id)->parked, 100);
	pw_collect_set_budget(collect, 0, -1);
	while (counts->site_attached[PW_EVENT_PARK] && pw_now_ns() < deadline_ns) {
		poll_counts(collect, targets[0].id);
		dispatch(collect, 100);
	}
	assert_false(counts->site_attached[PW_EVENT_PARK]);
	assert_false(counts->armed);
	pw_collect_free(collect);
}

static void the_whole_price_of_a_hit_is_known_after_some_polls(void **state)
{
	struct pw_collect *collect = start(PW_ATTACH_AUTO);
	uint64_t deadline_ns = pw_now_ns() + 20000000000ULL;
	struct pw_collect_stats stats = {0};

	(void)state;
	while (!stats.cost_complete && pw_now_ns() < deadline_ns) {
		assert_int_equal(pw_collect_poll(collect, pw_boot_ns()), 0);
		dispatch(collect, 50);
		pw_collect_stats(collect, &stats);
	}
	assert_true(stats.cost_complete);
	print_message("a hit: emulated %llu ns, single-stepped %llu; a stack %llu more, each further process %llu\n",
		      (unsigned long long)stats.emulated_hit_ns, (unsigned long long)stats.stepped_hit_ns,
		      (unsigned long long)stats.stack_hit_ns, (unsigned long long)stats.further_hit_ns);
	assert_true(stats.emulated_hit_ns > 50 && stats.emulated_hit_ns < stats.stepped_hit_ns);
	assert_true(stats.stack_hit_ns > 0);
	assert_true(stats.further_hit_ns < stats.emulated_hit_ns);
	pw_collect_free(collect);
}

static void what_the_host_allows_is_said_in_words(void **state)
{
	(void)state;
	for (int i = 0; i < _PW_FEATURE_MAX; i++) {
		const struct pw_feature_state *feature = &features.feature[i];

		assert_true(feature->means[0]);
		assert_true(pw_feature_name((enum pw_feature)i)[0] != '?');
		assert_true(feature->ok || feature->reason[0]);
		assert_true(feature->ok || !feature->tried || feature->remedy[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(uprobe_multi_counts_every_hit_once, begin, end),
		cmocka_unit_test_setup_teardown(perf_events_count_every_hit_once, begin, end),
		cmocka_unit_test_setup_teardown(a_target_removed_and_added_again_starts_at_zero, begin, end),
		cmocka_unit_test_setup_teardown(nobody_is_counted_after_the_end, begin, end),
		cmocka_unit_test_setup_teardown(twenty_targets_are_detached_within_four_seconds, begin, end),
		cmocka_unit_test_setup_teardown(a_target_that_is_gone_is_refused_with_a_reason, begin, end),
		cmocka_unit_test_setup_teardown(a_target_under_a_debugger_s_breakpoint_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(a_target_is_attached_when_the_debugger_s_breakpoint_is_gone, begin,
						end),
		cmocka_unit_test_setup_teardown(an_attach_that_failed_for_want_of_files_is_tried_again, begin, end),
		cmocka_unit_test_setup_teardown(in_a_burst_the_young_wait_and_are_attached_when_it_is_over, begin, end),
		cmocka_unit_test_setup_teardown(two_collectors_share_a_place, begin, end),
		cmocka_unit_test_setup_teardown(a_burst_is_cut_off_with_uprobe_multi, begin, end),
		cmocka_unit_test_setup_teardown(a_burst_is_cut_off_with_perf_events, begin, end),
		cmocka_unit_test_setup_teardown(a_budget_of_0_attaches_nothing_until_it_is_raised, begin, end),
		cmocka_unit_test_setup_teardown(the_whole_price_of_a_hit_is_known_after_some_polls, begin, end),
		cmocka_unit_test_setup_teardown(what_the_host_allows_is_said_in_words, begin, end),
	};

	return cmocka_run_group_tests_name("collect/live", tests, NULL, NULL);
}
