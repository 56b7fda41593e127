/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "harness.h"

#include "bpf/exec.bpf.c"

#define LICENSE gc_license /* each file has its own */
#include "bpf/gc.bpf.c"

static void hit(uint64_t event, uint64_t argument)
{
	pw_regs regs = {0};

	SET_ARG(&regs, argument);
	host.cookie = cookie_of(TARGET, SLOT, event, PW_COOKIE_NO_REG, ARG_REG);
	pw_gc(&regs);
}

static struct pw_bpf_record record(size_t index)
{
	struct pw_bpf_record copy;

	memcpy(&copy, host.records[index], sizeof(copy));
	return copy;
}

static void each_event_is_counted_and_recorded_with_time_and_argument(void **state)
{
	(void)state;
	host.boot_ns = 123456789;
	hit(PW_BPF_GC_START, 0);
	hit(PW_BPF_STW_START, 7);
	assert_int_equal(unplaced_hits(PW_BPF_GC_START), 1);
	assert_int_equal(unplaced_hits(PW_BPF_STW_START), 1);
	assert_int_equal(host.record_count, 2);
	assert_int_equal(record(1).target, TARGET);
	assert_int_equal(record(1).event, PW_BPF_STW_START);
	assert_int_equal(record(1).boot_ns, 123456789);
	assert_int_equal(record(1).argument, 7);
}

static void a_full_ring_loses_the_record_not_the_count(void **state)
{
	(void)state;
	host.ring_full = true;
	hit(PW_BPF_GC_SWEEP, 0);
	assert_int_equal(host.record_count, 0);
	assert_int_equal(unplaced_hits(PW_BPF_GC_SWEEP), 1);
	assert_int_equal(drops(PW_DROP_RING_FULL), 1);
}

static struct {
	uint64_t words[PW_BPF_GC_WORDS];
} runtime; /* stands for the target's globals */

static void tell_words(void)
{
	uint32_t slot = SLOT;
	struct pw_bpf_gc *gc = bpf_map_lookup_elem(&pw_gcs, &slot);

	*gc = (struct pw_bpf_gc){.target = TARGET};
	for (int i = 0; i < PW_BPF_GC_WORDS; i++) {
		runtime.words[i] = 1000 + (uint64_t)i;
		gc->address[i] = (uintptr_t)&runtime.words[i];
	}
}

static struct pw_bpf_gc_record cycle(size_t index)
{
	struct pw_bpf_gc_record copy;

	memcpy(&copy, host.records[index], sizeof(copy));
	return copy;
}

static void a_cycle_is_told_once_at_the_start_of_the_world_behind_mark_termination(void **state)
{
	(void)state;
	tell_words();
	host.boot_ns = 5000;
	hit(PW_BPF_GC_START, 0);
	hit(PW_BPF_STW_START, 2);
	hit(PW_BPF_STW_END, 0);			/* of sweep termination */
	assert_int_equal(host.record_count, 2); /* the two stops: nothing of the cycle yet */
	hit(PW_BPF_STW_START, 1);
	hit(PW_BPF_GC_MARK_TERMINATION, 0);
	runtime.words[0] = 7; /* taken away by the end of the cycle */
	hit(PW_BPF_GC_SWEEP, 0);
	runtime.words[PW_BPF_GC_EARLY] = 42;
	hit(PW_BPF_STW_END, 0);
	assert_int_equal(host.record_count, 5);
	assert_int_equal(record(3).event, PW_BPF_GC_CYCLE);
	assert_int_equal(record(4).event, PW_BPF_STW_END);
	assert_int_equal(cycle(3).head.target, TARGET);
	assert_int_equal(cycle(3).head.boot_ns, 5000);
	assert_int_equal(cycle(3).head.argument, 0);
	assert_int_equal(cycle(3).word[0], 1000);
	assert_int_equal(cycle(3).word[PW_BPF_GC_EARLY], 42);
	assert_int_equal(cycle(3).word[PW_BPF_GC_WORDS - 1], 1000 + PW_BPF_GC_WORDS - 1);
	hit(PW_BPF_STW_START, 7);
	hit(PW_BPF_STW_END, 0); /* of somebody else */
	assert_int_equal(host.record_count, 7);
	assert_int_equal(unplaced_hits(PW_BPF_GC_START), 1);
	assert_int_equal(unplaced_hits(PW_BPF_GC_SWEEP), 1);
}

static void words_that_cannot_be_read_are_said_to_be_missing(void **state)
{
	uint32_t slot = SLOT;

	(void)state;
	tell_words();
	struct pw_bpf_gc *gc = bpf_map_lookup_elem(&pw_gcs, &slot);
	gc->address[1] = 0; /* this version has no such word: no news */
	gc->address[5] = 0;
	gc->address[20] = 0;
	hit(PW_BPF_GC_MARK_TERMINATION, 0);
	hit(PW_BPF_STW_END, 0);
	assert_int_equal(cycle(0).head.argument, 1ULL << 5 | 1ULL << 20);
	assert_int_equal(cycle(0).word[5], 0);
	assert_int_equal(cycle(0).word[6], 1006);
	assert_int_equal(drops(PW_DROP_GC_UNREADABLE), 1);
}

static void a_cycle_that_finds_the_ring_full_is_not_told_later(void **state)
{
	(void)state;
	tell_words();
	hit(PW_BPF_GC_MARK_TERMINATION, 0);
	host.ring_full = true;
	hit(PW_BPF_STW_END, 0);
	host.ring_full = false;
	hit(PW_BPF_STW_END, 0);
	assert_int_equal(host.record_count, 1);
	assert_int_equal(record(0).event, PW_BPF_STW_END);
	assert_int_equal(drops(PW_DROP_RING_FULL), 2);
}

static void words_of_another_target_in_the_slot_are_left_alone(void **state)
{
	uint32_t slot = SLOT;

	(void)state;
	tell_words();
	struct pw_bpf_gc *gc = bpf_map_lookup_elem(&pw_gcs, &slot);
	gc->target = TARGET - 1;
	hit(PW_BPF_GC_MARK_TERMINATION, 0);
	hit(PW_BPF_STW_END, 0);
	assert_int_equal(gc->ending, 0);
	assert_int_equal(host.record_count, 2);
	assert_int_equal(record(0).event, PW_BPF_GC_MARK_TERMINATION);
}

static void an_event_number_beyond_the_known_is_not_counted_anywhere(void **state)
{
	uint32_t slot = SLOT;

	(void)state;
	hit(_PW_BPF_EVENT_MAX + 2, 0);
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &slot);
	for (int event = 0; event < _PW_BPF_EVENT_MAX; event++)
		assert_int_equal(stats->hits[event], 0);
}

static void exec_disarms_its_target_only(void **state)
{
	struct pw_bpf_process process = {.target = TARGET, .slot = SLOT};
	uint32_t id = 500;

	(void)state;
	bpf_map_update_elem(&pw_processes, &id, &process, BPF_ANY);
	host.pid_tgid = 501ULL << 32 | 501;
	pw_exec(NULL);
	assert_int_equal(target()->armed, 1);
	assert_int_equal(host.record_count, 0);
	host.pid_tgid = 500ULL << 32 | 777;
	pw_exec(NULL);
	assert_int_equal(target()->armed, 0);
	assert_int_equal(host.record_count, 1);
	assert_int_equal(record(0).event, PW_BPF_EXEC);
	assert_int_equal(record(0).target, TARGET);
}

static void exec_leaves_a_slot_alone_that_has_gone_to_another_target(void **state)
{
	struct pw_bpf_process process = {.target = TARGET - 1, .slot = SLOT};
	uint32_t id = 500;

	(void)state;
	bpf_map_update_elem(&pw_processes, &id, &process, BPF_ANY);
	host.pid_tgid = 500ULL << 32;
	pw_exec(NULL);
	assert_int_equal(target()->armed, 1);
}

static void outside_the_initial_pid_namespace_processes_go_by_ours(void **state)
{
	struct pw_bpf_process process = {.target = TARGET, .slot = SLOT};
	uint32_t id = 12;

	(void)state;
	host_set_option(pw_pidns_inode, 4026532000);
	bpf_map_update_elem(&pw_processes, &id, &process, BPF_ANY);
	host.pid_tgid = 12ULL << 32;
	host.ns_result = -EINVAL;
	pw_exec(NULL);
	assert_int_equal(target()->armed, 1);
	host.pid_tgid = 9000ULL << 32;
	host.ns_result = 0;
	host.ns_tgid = 12;
	pw_exec(NULL);
	assert_int_equal(target()->armed, 0);
	host_set_option(pw_pidns_inode, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_event_is_counted_and_recorded_with_time_and_argument, begin, end),
		cmocka_unit_test_setup_teardown(a_full_ring_loses_the_record_not_the_count, begin, end),
		cmocka_unit_test_setup_teardown(a_cycle_is_told_once_at_the_start_of_the_world_behind_mark_termination,
						begin, end),
		cmocka_unit_test_setup_teardown(words_that_cannot_be_read_are_said_to_be_missing, begin, end),
		cmocka_unit_test_setup_teardown(a_cycle_that_finds_the_ring_full_is_not_told_later, begin, end),
		cmocka_unit_test_setup_teardown(words_of_another_target_in_the_slot_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(an_event_number_beyond_the_known_is_not_counted_anywhere, begin, end),
		cmocka_unit_test_setup_teardown(exec_disarms_its_target_only, begin, end),
		cmocka_unit_test_setup_teardown(exec_leaves_a_slot_alone_that_has_gone_to_another_target, begin, end),
		cmocka_unit_test_setup_teardown(outside_the_initial_pid_namespace_processes_go_by_ours, begin, end),
	};

	return cmocka_run_group_tests_name("bpf/gc", tests, NULL, NULL);
}
