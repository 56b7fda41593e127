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
		cmocka_unit_test_setup_teardown(an_event_number_beyond_the_known_is_not_counted_anywhere, begin, end),
		cmocka_unit_test_setup_teardown(exec_disarms_its_target_only, begin, end),
		cmocka_unit_test_setup_teardown(exec_leaves_a_slot_alone_that_has_gone_to_another_target, begin, end),
		cmocka_unit_test_setup_teardown(outside_the_initial_pid_namespace_processes_go_by_ours, begin, end),
	};

	return cmocka_run_group_tests_name("bpf/gc", tests, NULL, NULL);
}
