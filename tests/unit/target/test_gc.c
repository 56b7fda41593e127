/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"
#include "support/fake_mem.h"
#include "target/gc.h"

#define MEMSTATS     0x900000
#define WORK	     0x910000
#define CONTROLLER   0x920000
#define LONE	     0x930000 /* gcphase, runtimeInitTime */
#define START_NS     1000000000ULL
#define INIT_NS	     400000000ULL
#define MARK_NS	     20000ULL
#define MARK_TERM_NS 3000000ULL

static void put(struct fake_go *go, uint64_t base, enum pw_field field, uint64_t value, size_t size)
{
	fake_mem_put(&go->mem, base + (uint64_t)go->build.facts.layout.offset[field], value, size);
}

static void put_double(struct fake_go *go, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put(go, MEMSTATS, PW_FIELD_MSTATS_GC_CPU_FRACTION, bits, 8);
}

/* A runtime at rest behind its cycle 12. */
static struct fake_go *runtime(int go_minor)
{
	struct fake_go *go = fake_go_new(go_minor, 1, 1);
	uint64_t *globals = go->build.facts.globals.addr;

	fake_mem_add(&go->mem, MEMSTATS, 0x4000);
	fake_mem_add(&go->mem, WORK, 0x1000);
	fake_mem_add(&go->mem, CONTROLLER, 0x1000);
	fake_mem_add(&go->mem, LONE, 0x100);
	globals[PW_GLOBAL_MEMSTATS] = MEMSTATS;
	globals[PW_GLOBAL_WORK] = WORK;
	globals[PW_GLOBAL_GCCONTROLLER] = CONTROLLER;
	globals[PW_GLOBAL_GCPHASE] = LONE;
	globals[PW_GLOBAL_RUNTIMEINITTIME] = LONE + 8;
	fake_mem_put(&go->mem, LONE + 8, INIT_NS, 8);
	put(go, MEMSTATS, PW_FIELD_MSTATS_NUMGC, 12, 4);
	put(go, MEMSTATS, PW_FIELD_MSTATS_NUMFORCEDGC, 3, 4);
	put_double(go, 0.25);
	put(go, WORK, PW_FIELD_WORK_CYCLES, 12, 4);
	put(go, WORK, PW_FIELD_WORK_STARTSEMA, 1, 4);
	put(go, WORK, PW_FIELD_WORK_STWPROCS, 2, 4);
	put(go, WORK, PW_FIELD_WORK_MAXPROCS, 8, 4);
	put(go, WORK, PW_FIELD_WORK_TSWEEPTERM, START_NS, 8);
	put(go, WORK, PW_FIELD_WORK_TMARK, START_NS + MARK_NS, 8);
	put(go, WORK, PW_FIELD_WORK_TMARKTERM, START_NS + MARK_TERM_NS, 8);
	put(go, WORK, PW_FIELD_WORK_TEND, START_NS + MARK_TERM_NS + 30000, 8);
	put(go, WORK, PW_FIELD_WORK_PAUSENS, 50000, 8);
	put(go, WORK, PW_FIELD_WORK_HEAP0, 100 << 20, 8);
	put(go, WORK, PW_FIELD_WORK_HEAP1, 110 << 20, 8);
	put(go, WORK, PW_FIELD_WORK_HEAP2, 60 << 20, 8);
	put(go, WORK, PW_FIELD_WORK_USERFORCED, 1, 1);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_LASTHEAPGOAL, 120 << 20, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_LASTSTACKSCAN, 1 << 20, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_MAXSTACKSCAN, 2 << 20, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_GLOBALSSCAN, 4096, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_ASSISTTIME, 111, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_DEDICATEDMARKTIME, 222, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_FRACTIONALMARKTIME, 333, 8);
	put(go, CONTROLLER, PW_FIELD_GCCONTROLLER_IDLEMARKTIME, 444, 8);
	return go;
}

static void all_numbers_come_from_where_the_version_has_them(void **state)
{
	static const int versions[] = {19, 20, 21, 22, 23, 24, 25, 26, 27};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct fake_go *go = runtime(versions[i]);
		struct pw_record_gc_cycle cycle;
		uint64_t offset = pw_boot_ns() - pw_now_ns();

		assert_int_equal(pw_gc_poll(&go->target, &cycle), 0);
		assert_int_equal(cycle.number, 12);
		assert_int_equal(cycle.since_init_ns, START_NS - INIT_NS);
		assert_int_equal(cycle.mark_ns - cycle.start_ns, MARK_NS);
		assert_int_equal(cycle.mark_termination_ns - cycle.start_ns, MARK_TERM_NS);
		assert_int_equal(cycle.end_ns - cycle.mark_termination_ns, 30000);
		assert_true(cycle.start_ns - START_NS - offset + 1000000 < 2000000);
		assert_int_equal(cycle.pause_ns, 50000);
		assert_int_equal(cycle.heap_start_bytes, 100 << 20);
		assert_int_equal(cycle.heap_mark_end_bytes, 110 << 20);
		assert_int_equal(cycle.heap_live_bytes, 60 << 20);
		assert_int_equal(cycle.goal_bytes, 120 << 20);
		assert_int_equal(cycle.stack_bytes, (versions[i] == 19 ? 2 : 1) << 20);
		assert_int_equal(cycle.globals_bytes, 4096);
		assert_int_equal(cycle.assist_ns, 111);
		assert_int_equal(cycle.dedicated_ns, 222);
		assert_int_equal(cycle.fractional_ns, 333);
		assert_int_equal(cycle.idle_ns, 444);
		assert_int_equal(cycle.stw_procs, 2);
		assert_int_equal(cycle.max_procs, 8);
		assert_true(cycle.cpu_fraction == 0.25);
		assert_true(cycle.forced && cycle.polled && !cycle.leak_check);
		assert_true(cycle.trigger_bytes == PW_UNKNOWN);
		fake_go_free(go);
	}
}

static void versions_whose_record_is_not_known_say_so(void **state)
{
	struct pw_record_gc_cycle cycle;

	(void)state;
	for (int minor = 17; minor <= 18; minor++) {
		struct fake_go *go = fake_go_new(minor, 1, 1);

		go->build.facts.globals.addr[PW_GLOBAL_WORK] = WORK;
		assert_int_equal(pw_gc_poll(&go->target, &cycle), -ENOTSUP);
		fake_go_free(go);
	}
	struct fake_go *go = runtime(24);
	go->build.facts.globals.addr[PW_GLOBAL_RUNTIMEINITTIME] = 0;
	assert_int_equal(pw_gc_poll(&go->target, &cycle), -ENOTSUP);
	fake_go_free(go);
}

static void a_cycle_under_way_or_about_to_begin_is_not_read(void **state)
{
	static const struct {
		enum pw_field field;
		uint64_t value;
	} moving[] = {
		{PW_FIELD_WORK_CYCLES, 13},   /* begun, not ended */
		{PW_FIELD_WORK_STARTSEMA, 0}, /* somebody begins one: userForced is the next one's already */
		{PW_FIELD_WORK_STARTSEMA, 0xffff},
	};
	struct pw_record_gc_cycle cycle;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(moving); i++) {
		struct fake_go *go = runtime(27);

		put(go, WORK, moving[i].field, moving[i].value, 4);
		assert_int_equal(pw_gc_poll(&go->target, &cycle), -EAGAIN);
		fake_go_free(go);
	}
	struct fake_go *go = runtime(27);
	fake_mem_put(&go->mem, LONE, 2, 4); /* gcphase */
	assert_int_equal(pw_gc_poll(&go->target, &cycle), -EAGAIN);
	fake_mem_put(&go->mem, LONE, 0, 4);
	put(go, MEMSTATS, PW_FIELD_MSTATS_NUMGC, 0, 4);
	put(go, WORK, PW_FIELD_WORK_CYCLES, 0, 4);
	assert_int_equal(pw_gc_poll(&go->target, &cycle), -ENODATA);
	fake_go_free(go);
}

/* A cycle begins while we read: at the n-th range, the next field that gcStart writes. */
static void begin_cycle(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct fake_go *go = context;

	(void)range;
	if (mem->ranges_read == go->g_count)
		put(go, WORK, PW_FIELD_WORK_HEAP0, 101 << 20, 8);
	if (mem->ranges_read == go->g_count + 3)
		put(go, WORK, PW_FIELD_WORK_TSWEEPTERM, 2 * START_NS, 8);
}

static void words_that_change_at_any_moment_of_the_read_are_noticed(void **state)
{
	struct pw_record_gc_cycle cycle;

	(void)state;
	for (size_t at = 1; at < 46; at++) {
		struct fake_go *go = runtime(24);
		int r;

		go->g_count = at;
		go->mem.after_range = begin_cycle;
		go->mem.context = go;
		r = pw_gc_poll(&go->target, &cycle);
		if (!r) /* all was read before, or it ended in the gate: the old numbers, whole */
			assert_int_equal(cycle.heap_start_bytes, 100 << 20);
		else
			assert_true(r == -EAGAIN || r == -EBADMSG);
		fake_go_free(go);
	}
}

static void numbers_that_no_cycle_can_have_are_refused(void **state)
{
	static const struct {
		uint64_t base;
		enum pw_field field;
		uint64_t value;
		size_t size;
	} lies[] = {
		{WORK, PW_FIELD_WORK_TSWEEPTERM, 1ULL << 63, 8},
		{WORK, PW_FIELD_WORK_TSWEEPTERM, INIT_NS - 1, 8},
		{WORK, PW_FIELD_WORK_TMARK, START_NS - 1, 8}, /* descending */
		{WORK, PW_FIELD_WORK_TMARKTERM, START_NS, 8},
		{WORK, PW_FIELD_WORK_TEND, START_NS, 8},
		{WORK, PW_FIELD_WORK_TEND, 1ULL << 62, 8}, /* not yet */
		{WORK, PW_FIELD_WORK_TEND, UINT64_MAX, 8},
		{WORK, PW_FIELD_WORK_PAUSENS, 1ULL << 40, 8},
		{WORK, PW_FIELD_WORK_HEAP0, UINT64_MAX, 8},
		{WORK, PW_FIELD_WORK_HEAP2, 1ULL << 63, 8},
		{WORK, PW_FIELD_WORK_STWPROCS, 0, 4},
		{WORK, PW_FIELD_WORK_STWPROCS, 9, 4}, /* more than there are */
		{WORK, PW_FIELD_WORK_MAXPROCS, 1U << 31, 4},
		{CONTROLLER, PW_FIELD_GCCONTROLLER_ASSISTTIME, UINT64_MAX, 8},
		{CONTROLLER, PW_FIELD_GCCONTROLLER_IDLEMARKTIME, 1ULL << 60, 8},
		{CONTROLLER, PW_FIELD_GCCONTROLLER_LASTSTACKSCAN, 1ULL << 60, 8},
		{MEMSTATS, PW_FIELD_MSTATS_GC_CPU_FRACTION, UINT64_MAX, 8}, /* not a number */
		{MEMSTATS, PW_FIELD_MSTATS_GC_CPU_FRACTION, 1ULL << 63 | 0x3ff0000000000000, 8},
		{MEMSTATS, PW_FIELD_MSTATS_GC_CPU_FRACTION, 0x4000000000000000, 8},
	};
	struct pw_record_gc_cycle cycle;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct fake_go *go = runtime(27);

		put(go, lies[i].base, lies[i].field, lies[i].value, lies[i].size);
		assert_int_equal(pw_gc_poll(&go->target, &cycle), -EBADMSG);
		fake_go_free(go);
	}
}

static void a_target_that_dies_or_hides_its_memory_gives_an_error(void **state)
{
	struct fake_go *go = runtime(25);
	struct pw_record_gc_cycle cycle;

	(void)state;
	go->mem.error = -ESRCH;
	assert_int_equal(pw_gc_poll(&go->target, &cycle), -ESRCH);
	go->mem.error = 0;
	go->build.facts.globals.addr[PW_GLOBAL_GCCONTROLLER] = 0xdead0000;
	assert_int_equal(pw_gc_poll(&go->target, &cycle), -EFAULT);
	go->target.bias_known = false;
	assert_int_equal(pw_gc_poll(&go->target, &cycle), -ENOTSUP);
	fake_go_free(go);
}

static struct pw_gc_words copied(void)
{
	struct pw_gc_words words = {.read_ns = 0};

	words.word[PW_GC_TRIGGERED] = 99 << 20;
	words.word[PW_GC_LEAK_CHECK] = 0xff00;
	words.word[PW_GC_NUMGC] = 7ULL << 32 | 12;
	words.word[PW_GC_PROCS] = 8ULL << 32 | 2;
	words.word[PW_GC_SWEEP_TERM] = START_NS;
	words.word[PW_GC_MARK] = START_NS + 1;
	words.word[PW_GC_MARK_TERM] = START_NS + 2;
	words.word[PW_GC_END] = START_NS + 3;
	return words;
}

static void a_probe_knows_what_triggered_the_cycle(void **state)
{
	struct pw_gc_words words = copied();
	struct pw_record_gc_cycle cycle;

	(void)state;
	assert_int_equal(pw_gc_parse(&words, INIT_NS, 2 * START_NS, 0, &cycle), 0);
	assert_int_equal(cycle.trigger_bytes, 99 << 20);
	assert_int_equal(cycle.number, 12);
	assert_false(cycle.leak_check); /* another byte than ours */
	words.word[PW_GC_LEAK_CHECK] = 1;
	words.word[PW_GC_TRIGGERED] = UINT64_MAX;
	assert_int_equal(pw_gc_parse(&words, INIT_NS, 2 * START_NS, 0, &cycle), 0);
	assert_true(cycle.leak_check);
	assert_true(cycle.trigger_bytes == PW_UNKNOWN);
	words.missing = 1 << PW_GC_HEAP_LIVE;
	assert_int_equal(pw_gc_parse(&words, INIT_NS, 2 * START_NS, 0, &cycle), -EBADMSG);
}

static void a_clock_of_the_targets_own_is_told_by_the_probe(void **state)
{
	struct pw_gc_words words = copied();
	struct pw_record_gc_cycle cycle;
	const uint64_t monotonic_ns = 500 * START_NS, suspended_ns = 400 * START_NS;

	(void)state;
	words.read_ns = 401 * START_NS + 50; /* the same clock as ours */
	assert_int_equal(pw_gc_parse(&words, INIT_NS, monotonic_ns, suspended_ns, &cycle), 0);
	assert_int_equal(cycle.start_ns, 401 * START_NS);
	words.read_ns = 700 * START_NS; /* a time namespace */
	assert_int_equal(pw_gc_parse(&words, INIT_NS, monotonic_ns, suspended_ns, &cycle), 0);
	assert_int_equal(cycle.end_ns, 700 * START_NS);
	assert_int_equal(cycle.end_ns - cycle.start_ns, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_numbers_come_from_where_the_version_has_them),
		cmocka_unit_test(versions_whose_record_is_not_known_say_so),
		cmocka_unit_test(a_cycle_under_way_or_about_to_begin_is_not_read),
		cmocka_unit_test(words_that_change_at_any_moment_of_the_read_are_noticed),
		cmocka_unit_test(numbers_that_no_cycle_can_have_are_refused),
		cmocka_unit_test(a_target_that_dies_or_hides_its_memory_gives_an_error),
		cmocka_unit_test(a_probe_knows_what_triggered_the_cycle),
		cmocka_unit_test(a_clock_of_the_targets_own_is_told_by_the_probe),
	};

	return cmocka_run_group_tests_name("target/gc", tests, NULL, NULL);
}
