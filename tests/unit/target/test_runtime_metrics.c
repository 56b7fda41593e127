/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "model/record.h"
#include "support/fake_runtime.h"
#include "target/runtime_metrics.h"

static struct pw_histograms histograms;

static int read_once(struct fake_go *go, unsigned int what, struct pw_runtime_numbers *numbers, struct pw_why *why,
		     uint64_t *ret_repeats)
{
	struct pw_runtime_metrics *metrics;
	int r = pw_runtime_metrics_new(&metrics, &go->target, why);

	if (r)
		return r;
	r = pw_runtime_metrics_read(metrics, what, numbers, &histograms, why);
	if (ret_repeats)
		*ret_repeats = pw_runtime_metrics_repeats(metrics);
	pw_runtime_metrics_free(metrics);
	return r;
}

static void numbers_of_every_version_are_where_it_keeps_them(void **state)
{
	(void)state;
	for (int minor = pw_layout_oldest(); minor <= pw_layout_newest(); minor++) {
		struct fake_go *go = fake_runtime_new(minor, 50, 3);
		struct pw_runtime_numbers n;
		struct pw_why why = {};

		fake_go_set_p(go, 1, PW_FIELD_P_GFREE_N, 6, 4);
		fake_go_set_p(go, 2, PW_FIELD_P_RUNQTAIL, 9, 4);
		fake_go_set_p(go, 2, PW_FIELD_P_RUNNEXT, FAKE_GO_GS, 8);
		if (read_once(go, 0, &n, &why, NULL))
			fail_msg("1.%d: %s", minor, why.text);
		assert_int_equal(n.goroutines, 50 - 4 - 6);
		assert_int_equal(n.goroutines_system, 4);
		assert_int_equal(n.runnable, 10);
		assert_int_equal(n.gomaxprocs, 3);
		assert_int_equal(n.threads, 3);
		assert_int_equal(n.gc_percent, 100);
		assert_int_equal(n.gc_cycles, FAKE_GC_CYCLES);
		assert_int_equal(n.gc_forced, 7);
		assert_int_equal(n.gc_last_pause_ns, FAKE_GC_CYCLES * 1000);
		assert_int_equal(n.gc_pause_quantiles_ns[0], (FAKE_GC_CYCLES - 255) * 1000); /* of the last 256 */
		assert_int_equal(n.gc_pause_quantiles_ns[4], FAKE_GC_CYCLES * 1000);
		assert_int_equal(n.heap_inuse_bytes, (4 << 20) - 8192);
		assert_int_equal(n.heap_released_bytes, 1 << 20);
		assert_int_equal(n.alloc_bytes, (1 << 20) + 1010 * 48 + 3 * 32768);
		assert_int_equal(n.freed_bytes, 400 * 48);
		assert_int_equal(n.allocs, 4 + 1010 + 3);
		assert_int_equal(n.frees, 400);
		assert_int_equal(n.tiny_allocs, 77);
		assert_int_equal(n.heap_objects, n.allocs - n.frees);
		assert_int_equal(n.stack_inuse_bytes, 1 << 20);
		assert_int_equal(n.heap_free_bytes, (8 << 20) - ((4 << 20) - 8192) - (1 << 20) - (1 << 16));
		assert_true(n.cgo_calls == PW_UNKNOWN); /* not asked for */
		assert_true((n.cpu_total_ns == PW_UNKNOWN) == (minor < 20));
		assert_true((n.memory_limit_bytes == PW_UNKNOWN) == (minor < 19));
		assert_int_equal(histograms.scale[PW_HISTOGRAM_SCHED_LATENCIES],
				 minor < 20 ? PW_SCALE_FINE : PW_SCALE_TIME);
		assert_int_equal(histograms.scale[PW_HISTOGRAM_GC_PAUSES], minor < 20 ? PW_SCALE_FINE : PW_SCALE_TIME);
		assert_int_equal(histograms.scale[PW_HISTOGRAM_STW_TOTAL_GC],
				 minor < 22 ? PW_SCALE_NONE : PW_SCALE_TIME);
		assert_int_equal(histograms.count[PW_HISTOGRAM_ALLOCS_BY_SIZE][5], 1010);
		assert_int_equal(histograms.count[PW_HISTOGRAM_ALLOCS_BY_SIZE][PW_SIZE_CLASSES], 4);
		fake_go_free(go);
	}
}

static uint64_t goal(struct fake_go *go)
{
	struct pw_runtime_numbers n;

	assert_int_equal(read_once(go, 0, &n, NULL, NULL), 0);
	return n.heap_goal_bytes;
}

/* src/runtime/mgcpacer.go: heapGoalInternal, memoryLimitHeapGoal */
static void the_goal_is_what_the_pacer_would_compute(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);

	(void)state;
	assert_int_equal(goal(go), 9 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_SWEEPDISTMINTRIGGER, 11 << 20);
	assert_int_equal(goal(go), 11 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_TRIGGERED, 12 << 20);
	assert_int_equal(goal(go), (12 << 20) + (64 << 10));
	/* Other memory: 8 ready - 2 free - (3 - 1) of objects = 4 MB; with a limit of 10 6 are left, minus headroom. */
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_MEMORYLIMIT, 10 << 20);
	assert_int_equal(goal(go), 5 << 20);
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_MEMORYLIMIT, 7 << 20); /* 1 MB over it: 2 left */
	assert_int_equal(goal(go), 3 << 20);					 /* what is marked, at least */
	fake_runtime_controller(go, PW_FIELD_GCCONTROLLER_MEMORYLIMIT, 1 << 20);
	assert_int_equal(goal(go), 3 << 20);
	fake_go_free(go);
}

/* ---- torn ---- */

struct meddling {
	struct fake_go *go;
	unsigned int times; /* how many reads are spoilt */
	uint64_t cycles;
};

/* While the copy stands between its two halves, somebody inside reads the statistics: slot 0 is merged into 2. */
static void merge(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct meddling *meddling = context;

	(void)mem;
	if (range->addr != FAKE_MEMSTATS || !meddling->times)
		return;
	meddling->times--;
	fake_runtime_slot(meddling->go, 2, PW_FIELD_HEAPSTATS_SMALLALLOCCOUNT, 5, 1000 + meddling->times % 2);
}

static void a_merge_under_the_read_is_read_again(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct meddling meddling = {.go = go, .times = 6};
	struct pw_runtime_numbers n;
	uint64_t repeats = 0;

	(void)state;
	go->mem.after_range = merge;
	go->mem.context = &meddling;
	assert_int_equal(read_once(go, 0, &n, NULL, &repeats), 0);
	assert_int_equal(repeats, 3);
	assert_int_equal(n.allocs, 4 + 1010 + 3);
	fake_go_free(go);
}

static void slots_that_are_being_merged_are_no_sum(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct pw_runtime_numbers n;
	struct pw_why why = {};

	(void)state;
	fake_runtime_slot(go, 1, PW_FIELD_HEAPSTATS_LARGEALLOC, 0, 4096); /* not yet zeroed */
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -EAGAIN);
	assert_non_null(strstr(why.text, "memstats.heapStats"));
	fake_runtime_slot(go, 1, PW_FIELD_HEAPSTATS_LARGEALLOC, 0, 0);
	assert_int_equal(read_once(go, 0, &n, &why, NULL), 0);
	fake_go_free(go);
}

/* A cycle ends while the blocks behind memstats are read. */
static void end_cycle(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct meddling *meddling = context;
	const int32_t *offset = meddling->go->build.facts.layout.offset;
	uint64_t cycle = FAKE_GC_CYCLES + ++meddling->cycles;

	if (range->addr != FAKE_GCCONTROLLER || meddling->cycles > meddling->times) {
		meddling->cycles -= range->addr != FAKE_GCCONTROLLER;
		return;
	}
	fake_mem_put(mem, FAKE_MEMSTATS + (uint64_t)offset[PW_FIELD_MSTATS_PAUSE_END] + (cycle - 1) % 256 * 8,
		     1000000 + cycle, 8);
	fake_runtime_memstats(meddling->go, PW_FIELD_MSTATS_LAST_GC_UNIX, 1000000 + cycle, 8);
	fake_runtime_memstats(meddling->go, PW_FIELD_MSTATS_NUMGC, cycle, 4);
}

static void the_end_of_a_cycle_under_the_read_is_read_again(void **state)
{
	struct fake_go *go = fake_runtime_new(27, 10, 2);
	struct meddling meddling = {.go = go, .times = 3};
	struct pw_runtime_numbers n;
	uint64_t repeats = 0;

	(void)state;
	go->mem.after_range = end_cycle;
	go->mem.context = &meddling;
	assert_int_equal(read_once(go, 0, &n, NULL, &repeats), 0);
	assert_int_equal(repeats, 3);
	assert_int_equal(n.gc_cycles, FAKE_GC_CYCLES + 3);
	fake_go_free(go);
}

static void a_half_written_cycle_and_a_stopped_world_are_read_again(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct pw_runtime_numbers n;
	struct pw_why why = {};

	(void)state;
	fake_runtime_memstats(go, PW_FIELD_MSTATS_LAST_GC_UNIX, 1, 8); /* not that of the last entry of the ring */
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -EAGAIN);
	fake_runtime_memstats(go, PW_FIELD_MSTATS_LAST_GC_UNIX, 1000000 + FAKE_GC_CYCLES, 8);
	fake_go_set_sched(go, PW_FIELD_SCHED_GCWAITING, 1, 1);
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -EAGAIN);
	assert_non_null(strstr(why.text, "the world is stopped"));
	fake_go_free(go);
}

/* ---- garbage ---- */

static void what_cannot_be_is_refused_with_a_sentence(void **state)
{
	static const struct {
		enum pw_field field;
		uint64_t value;
		const char *words;
	} cases[] = {
		{PW_FIELD_GCCONTROLLER_HEAPINUSE, 12345, "gcControllerState.heapInUse"},
		{PW_FIELD_GCCONTROLLER_HEAPRELEASED, 4096, "gcControllerState.heapReleased"},
		{PW_FIELD_GCCONTROLLER_HEAPMARKED, 1ULL << 60, "gcControllerState.heapMarked"},
		{PW_FIELD_GCCONTROLLER_MEMORYLIMIT, 1ULL << 63, "gcControllerState.memoryLimit"},
		{PW_FIELD_GCCONTROLLER_TOTALFREE, 1ULL << 40, "gcControllerState.totalFree"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_go *go = fake_runtime_new(24, 10, 2);
		struct pw_runtime_numbers n;
		struct pw_why why = {};

		fake_runtime_controller(go, cases[i].field, cases[i].value);
		assert_int_equal(read_once(go, 0, &n, &why, NULL), -EBADMSG);
		if (!strstr(why.text, cases[i].words) || !strstr(why.text, "not laid out as in Go 1.24"))
			fail_msg("'%s' does not say '%s'", why.text, cases[i].words);
		fake_go_free(go);
	}
}

static void lists_of_processors_are_bounded(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct pw_runtime_numbers n;
	struct pw_why why = {};

	(void)state;
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x18, 1ULL << 40, 8); /* allp.len */
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -EBADMSG);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x18, 2, 8);
	fake_mem_put(&go->mem, FAKE_GO_PS + 8, 0x1234567, 8); /* not where a P could be */
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -EBADMSG);
	fake_mem_put(&go->mem, FAKE_GO_PS + 8, 0x7f0000000000, 8);
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -EFAULT);
	go->mem.error = -ESRCH;
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -ESRCH);
	fake_go_free(go);
}

static void a_build_that_does_not_tell_is_not_guessed(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct pw_runtime_numbers n;
	struct pw_why why = {};

	(void)state;
	go->build.facts.globals.addr[PW_GLOBAL_GCCONTROLLER] = 0;
	assert_int_equal(read_once(go, 0, &n, &why, NULL), -ENOTSUP);
	assert_non_null(strstr(why.text, "gcController"));
	fake_go_free(go);
}

static void a_guessed_place_in_sched_is_not_believed(void **state)
{
	struct fake_go *go = fake_runtime_new(27, 10, 2);
	struct pw_runtime_numbers n;

	(void)state;
	go->build.facts.layout.exact = false; /* 1.28, say */
	go->build.facts.layout.trust[PW_FIELD_SCHED_TIMETORUN] = PW_TRUST_NEAR_TABLE;
	go->build.facts.layout.trust[PW_FIELD_SCHED_TOTALMUTEXWAITTIME] = PW_TRUST_NEAR_TABLE;
	assert_int_equal(read_once(go, 0, &n, NULL, NULL), 0);
	assert_int_equal(histograms.scale[PW_HISTOGRAM_SCHED_LATENCIES], PW_SCALE_NONE);
	assert_int_equal(histograms.scale[PW_HISTOGRAM_STW_TOTAL_GC], PW_SCALE_TIME);
	assert_true(n.mutex_wait_ns == PW_UNKNOWN);
	fake_go_free(go);
}

/* ---- lists ---- */

static uint64_t m_at(size_t i)
{
	return FAKE_MS + i * FAKE_M_STRIDE;
}

static void threads_are_summed_and_the_next_time_read_at_once(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct pw_runtime_metrics *metrics;
	struct pw_runtime_numbers n;
	uint64_t calls;

	(void)state;
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_ALLM), m_at(0), 8);
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_NCGOCALL), 1000, 8);
	fake_go_set_sched(go, PW_FIELD_SCHED_TOTALMUTEXWAITTIME, 50, 8);
	for (size_t i = 0; i < 5; i++)
		fake_runtime_m(go, i, i < 4 ? m_at(i + 1) : 0, 10 + i, 7);
	assert_int_equal(pw_runtime_metrics_new(&metrics, &go->target, NULL), 0);
	assert_int_equal(pw_runtime_metrics_read(metrics, PW_READ_ALL, &n, NULL, NULL), 0);
	assert_int_equal(n.cgo_calls, 1000 + 10 + 11 + 12 + 13 + 14);
	assert_int_equal(n.mutex_wait_ns, 50 + 5 * 7);
	assert_int_equal(n.finalizers_waiting, 0);
	calls = go->target.mem.calls;
	fake_runtime_m(go, 1, m_at(3), 11, 7); /* M 2 has ended, M 5 has come */
	fake_runtime_m(go, 5, m_at(0), 100, 7);
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_ALLM), m_at(5), 8);
	assert_int_equal(pw_runtime_metrics_read(metrics, PW_READ_ALL, &n, NULL, NULL), 0);
	assert_int_equal(n.cgo_calls, 1000 + 100 + 10 + 11 + 13 + 14);
	assert_int_equal(go->target.mem.calls - calls, 3 + 2); /* all known ones at once, the new one */
	pw_runtime_metrics_free(metrics);
	fake_go_free(go);
}

static void lists_without_an_end_are_no_number(void **state)
{
	struct fake_go *go = fake_runtime_new(24, 10, 2);
	struct pw_runtime_numbers n;

	(void)state;
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_ALLM), m_at(0), 8);
	fake_runtime_m(go, 0, m_at(1), 1, 1);
	fake_runtime_m(go, 1, m_at(0), 1, 1); /* a cycle */
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_FINQ), FAKE_FINBLOCKS, 8);
	fake_runtime_finblock(go, 0, FAKE_FINBLOCKS + 0x1000, 90);
	fake_runtime_finblock(go, 1, FAKE_FINBLOCKS, 101);
	assert_int_equal(read_once(go, PW_READ_ALL, &n, NULL, NULL), 0);
	assert_true(n.cgo_calls == PW_UNKNOWN && n.mutex_wait_ns == PW_UNKNOWN);
	assert_true(n.finalizers_waiting == PW_UNKNOWN);
	assert_int_equal(n.gc_cycles, FAKE_GC_CYCLES); /* the rest is there */
	fake_runtime_m(go, 1, 0x123456789, 1, 1);      /* leads nowhere */
	fake_runtime_finblock(go, 1, 0, 101);
	assert_int_equal(read_once(go, PW_READ_ALL, &n, NULL, NULL), 0);
	assert_true(n.cgo_calls == PW_UNKNOWN);
	assert_int_equal(n.finalizers_waiting, 191);
	fake_runtime_finblock(go, 1, 0, 100000); /* more than a block holds */
	assert_int_equal(read_once(go, PW_READ_ALL, &n, NULL, NULL), 0);
	assert_true(n.finalizers_waiting == PW_UNKNOWN);
	fake_go_free(go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_every_version_are_where_it_keeps_them),
		cmocka_unit_test(the_goal_is_what_the_pacer_would_compute),
		cmocka_unit_test(a_merge_under_the_read_is_read_again),
		cmocka_unit_test(slots_that_are_being_merged_are_no_sum),
		cmocka_unit_test(the_end_of_a_cycle_under_the_read_is_read_again),
		cmocka_unit_test(a_half_written_cycle_and_a_stopped_world_are_read_again),
		cmocka_unit_test(what_cannot_be_is_refused_with_a_sentence),
		cmocka_unit_test(lists_of_processors_are_bounded),
		cmocka_unit_test(a_build_that_does_not_tell_is_not_guessed),
		cmocka_unit_test(a_guessed_place_in_sched_is_not_believed),
		cmocka_unit_test(threads_are_summed_and_the_next_time_read_at_once),
		cmocka_unit_test(lists_without_an_end_are_no_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
