/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "model/record.h"
#include "support/fake_mem.h"
#include "target/goroutines.h"

static int walk(struct pw_census *census, struct fake_go *go)
{
	int r = pw_census_begin(census, &go->target);

	if (r)
		return r;
	do {
		r = pw_census_step(census, 0); /* the smallest slices there are */
	} while (r == -EAGAIN);
	return r;
}

static struct pw_census *new_census(void)
{
	struct pw_census *census;

	assert_int_equal(pw_census_new(&census), 0);
	return census;
}

static const struct pw_goroutine *by_goid(const struct pw_census *census, uint64_t goid)
{
	const struct pw_census_result *result = pw_census_result(census);

	for (size_t i = 0; i < result->count; i++)
		if (result->goroutines[i].goid == goid)
			return &result->goroutines[i];
	return NULL;
}

/* CPU time that stands still is a program that stood still; once it moved, all is read again. */
static void of_a_program_that_did_not_run_nothing_is_read(void **state)
{
	struct fake_go *go = fake_go_new(24, 5000, 2);
	struct pw_census *census = new_census();
	const struct pw_census_result *result = pw_census_result(census);
	uint64_t whole, started;

	(void)state;
	go->mem.ran_ns = 1000;
	assert_int_equal(walk(census, go), 0);
	whole = result->bytes_read;
	started = result->started_ns;
	assert_true(whole > 5000 * 200);
	fake_go_set(go, 9, PW_FIELD_G_WAITREASON, 7, 1); /* which it cannot have done: it shows that nobody looks */
	assert_int_equal(walk(census, go), 0);
	assert_true(result->bytes_read < whole / 20);
	assert_true(result->started_ns > started);
	assert_int_equal(result->count, 5000);
	assert_int_equal(by_goid(census, 10)->wait_reason, 2);
	go->mem.ran_ns++;
	assert_int_equal(walk(census, go), 0);
	assert_true(result->bytes_read > whole / 2);
	assert_int_equal(by_goid(census, 10)->wait_reason, 7);
	go->mem.ran_ns = 0; /* not known */
	assert_int_equal(walk(census, go), 0);
	assert_true(result->bytes_read > whole / 2);
	assert_int_equal(walk(census, go), 0);
	assert_true(result->bytes_read > whole / 2);
	go->mem.ran_ns = 2000;
	fake_go_set(go, 11, PW_FIELD_G_ATOMICSTATUS, 77, 4); /* no state that there is: torn */
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(result->torn, 1);
	fake_go_set(go, 11, PW_FIELD_G_ATOMICSTATUS, 4, 4);
	assert_int_equal(walk(census, go), 0); /* of what was not seen whole all is looked at */
	assert_int_equal(result->torn, 0);
	assert_int_equal(result->count, 5000);
	pw_census_free(census);
	fake_go_free(go);
}

static void every_goroutine_of_every_version_is_found(void **state)
{
	(void)state;
	for (int minor = pw_layout_oldest(); minor <= pw_layout_newest(); minor++) {
		struct fake_go *go = fake_go_new(minor, 5000, 3);
		struct pw_census *census = new_census();
		const struct pw_census_result *result = pw_census_result(census);

		fake_go_set_sched(go, PW_FIELD_SCHED_NGSYS, 6, 4);
		fake_go_set_p(go, 1, PW_FIELD_P_GFREE_N, 10, 4);
		assert_int_equal(walk(census, go), 0);
		assert_int_equal(result->count, 5000);
		assert_int_equal(result->allglen, 5000);
		assert_int_equal(result->num_goroutine, 5000 - 6 - 10);
		assert_int_equal(result->dead + result->skipped + result->torn, 0);
		for (uint64_t goid = 1; goid <= 5000; goid += 499) {
			const struct pw_goroutine *g = by_goid(census, goid);

			assert_non_null(g);
			assert_int_equal(g->gopc, FAKE_GO_MAIN_FUNC + 0x20);
			assert_int_equal(g->status, PW_GOROUTINE_WAITING);
			assert_int_equal(g->wait_reason, 2);
			assert_false(g->system);
		}
		pw_census_free(census);
		fake_go_free(go);
	}
}

static void each_status_has_its_class(void **state)
{
	static const struct {
		uint32_t status;
		int class; /* -1: dead */
	} cases[] = {
		{0, -1},
		{1, PW_GOROUTINE_RUNNABLE},
		{2, PW_GOROUTINE_RUNNING},
		{3, PW_GOROUTINE_SYSCALL},
		{4, PW_GOROUTINE_WAITING},
		{6, -1},
		{8, PW_GOROUTINE_RUNNING},
		{9, PW_GOROUTINE_PREEMPTED},
		{10, PW_GOROUTINE_LEAKED},
		{11, -1},
		{0x1004, PW_GOROUTINE_WAITING},
		{0x1002, PW_GOROUTINE_RUNNING},
	};
	size_t n = sizeof(cases) / sizeof(cases[0]), dead = 0;
	struct fake_go *go = fake_go_new(27, n, 1);
	struct pw_census *census = new_census();

	(void)state;
	for (size_t i = 0; i < n; i++)
		fake_go_set(go, i, PW_FIELD_G_ATOMICSTATUS, cases[i].status, 4);
	assert_int_equal(walk(census, go), 0);
	for (size_t i = 0; i < n; i++) {
		const struct pw_goroutine *g = by_goid(census, i + 1);

		if (cases[i].class < 0) {
			assert_null(g);
			dead++;
		} else {
			assert_non_null(g);
			assert_int_equal(g->status, cases[i].class);
		}
	}
	assert_int_equal(pw_census_result(census)->dead, dead);
	assert_int_equal(pw_census_result(census)->count, n - dead);
	pw_census_free(census);
	fake_go_free(go);
}

static void system_goroutines_are_those_the_runtime_started(void **state)
{
	struct fake_go *go = fake_go_new(24, 6, 1);
	struct pw_census *census = new_census();

	(void)state;
	fake_go_set(go, 0, PW_FIELD_G_STARTPC, FAKE_GO_RUNTIME_FUNC + 0x100, 8); /* runtime.main */
	fake_go_set(go, 1, PW_FIELD_G_STARTPC, FAKE_GO_RUNTIME_FUNC + 0x300, 8);
	fake_go_set(go, 2, PW_FIELD_G_STARTPC, FAKE_GO_RUNTIME_FUNC + 0x200, 8); /* finalizers, waiting for some */
	fake_go_set(go, 2, PW_FIELD_G_WAITREASON, 16, 1);
	fake_go_set(go, 3, PW_FIELD_G_STARTPC, FAKE_GO_RUNTIME_FUNC + 0x200, 8);  /* a finalizer waits in the program */
	fake_go_set(go, 4, PW_FIELD_G_STARTPC, FAKE_GO_RUNTIME_FUNC + 0x1000, 8); /* just behind the runtime */
	fake_go_set(go, 5, PW_FIELD_G_STARTPC, 0, 8);
	assert_int_equal(walk(census, go), 0);
	assert_false(by_goid(census, 1)->system);
	assert_true(by_goid(census, 2)->system);
	assert_true(by_goid(census, 3)->system);
	assert_false(by_goid(census, 4)->system);
	assert_false(by_goid(census, 5)->system);
	assert_false(by_goid(census, 6)->system);
	pw_census_free(census);
	fake_go_free(go);
}

static void a_list_that_has_grown_is_walked_whole(void **state)
{
	struct fake_go *go = fake_go_new(24, 3000, 1);
	struct pw_census *census = new_census();

	(void)state;
	/* in no order: the runtime appends what it allocates, and it allocates all over the place */
	for (size_t i = 0; i < 3000; i++)
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, fake_go_g(go, (i * 1237) % 3000), 8);
	for (size_t length = 1; length <= 3000; length += 613) {
		fake_go_set_allglen(go, length);
		assert_int_equal(walk(census, go), 0);
		assert_int_equal(pw_census_result(census)->count, length);
		for (size_t i = 0; i < length; i++)
			assert_non_null(by_goid(census, (i * 1237) % 3000 + 1));
	}
	/* another process in its place: shorter, and in another order */
	for (size_t i = 0; i < 100; i++)
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, fake_go_g(go, 2000 + i), 8);
	fake_go_set_allglen(go, 100);
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->count, 100);
	assert_null(by_goid(census, 1));
	assert_non_null(by_goid(census, 2001));
	pw_census_free(census);
	fake_go_free(go);
}

static void garbage_is_never_believed(void **state)
{
	static const uint64_t lengths[] = {1ULL << 60, UINT64_MAX, (1ULL << 27) + 1};
	struct fake_go *go = fake_go_new(24, 100, 1);
	struct pw_census *census = new_census();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fake_go_set_allglen(go, lengths[i]);
		assert_int_equal(walk(census, go), -EBADMSG);
	}
	fake_go_set_allglen(go, 1 << 20); /* more than there is */
	assert_int_equal(walk(census, go), -EFAULT);
	assert_int_equal(pw_census_result(census)->count, 0);

	fake_go_set_allglen(go, 100);
	for (size_t i = 0; i < 100; i++) /* the same one a hundred times */
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, fake_go_g(go, 7), 8);
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->count, 1);

	for (size_t i = 0; i < 100; i++) /* wild */
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, 0x123456789abcdef1 * (i + 1), 8);
	assert_int_equal(walk(census, go), -EBADMSG);
	assert_int_equal(pw_census_result(census)->count, 0);

	memset(fake_mem_at(&go->mem, FAKE_GO_GS, 100 * FAKE_GO_STRIDE), 0xff, 100 * FAKE_GO_STRIDE);
	for (size_t i = 0; i < 100; i++)
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, fake_go_g(go, i), 8);
	assert_int_equal(walk(census, go), -EBADMSG);
	pw_census_free(census);
	fake_go_free(go);
}

/* 8 bytes apart: 130,000 of them in one megabyte, each a g of 400 bytes if you believe it. */
static void overlapping_goroutines_do_not_overrun_anything(void **state)
{
	size_t n = 100000;
	struct fake_go *go = fake_go_new(24, n, 1);
	struct pw_census *census = new_census();

	(void)state;
	memset(fake_mem_at(&go->mem, FAKE_GO_GS, n * 8), 0x55, n * 8);
	for (size_t i = 0; i < n; i++)
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, FAKE_GO_GS + i * 8, 8);
	assert_int_equal(walk(census, go), -EBADMSG);
	pw_census_free(census);
	fake_go_free(go);
}

static void one_unreadable_goroutine_costs_only_itself(void **state)
{
	struct fake_go *go = fake_go_new(24, 1000, 1);
	struct pw_census *census = new_census();

	(void)state;
	fake_mem_put(&go->mem, FAKE_GO_LIST + 500 * 8, fake_go_g(go, 1000), 8); /* just behind the last one */
	fake_mem_put(&go->mem, FAKE_GO_LIST + 501 * 8, 0, 8);
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->count, 998);
	assert_int_equal(pw_census_result(census)->skipped, 2);
	pw_census_free(census);
	fake_go_free(go);
}

struct change { /* what the target does after each look at it */
	struct fake_go *go;
	size_t index;
	uint64_t goid; /* the next one's; 0: dies */
	int times;     /* how often it does */
};

static void change_after_look(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct change *change = context;
	uint64_t g = fake_go_g(change->go, change->index);

	(void)mem;
	if (!change->times || range->addr > g || range->addr + range->size <= g)
		return;
	change->times--;
	if (change->goid)
		fake_go_set(change->go, change->index, PW_FIELD_G_GOID, change->goid++, 8);
	else
		fake_go_set(change->go, change->index, PW_FIELD_G_ATOMICSTATUS, 6, 4);
}

static void what_changes_under_our_eyes_is_settled_or_torn_or_dead(void **state)
{
	struct fake_go *go = fake_go_new(24, 100, 1);
	struct change change = {.go = go, .index = 40, .goid = 777, .times = 1000};
	struct pw_census *census = new_census();

	(void)state;
	go->mem.after_range = change_after_look;
	go->mem.context = &change;
	fake_go_set(go, 40, PW_FIELD_G_ATOMICSTATUS, 1, 4); /* runnable: may be gone in a moment */
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->torn, 1);
	assert_int_equal(pw_census_result(census)->count, 99);
	assert_null(by_goid(census, 41));
	assert_null(by_goid(census, 777));

	change = (struct change){.go = go, .index = 40, .goid = 900, .times = 1}; /* and then it stays */
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->torn, 0);
	assert_int_equal(pw_census_result(census)->count, 100);
	assert_non_null(by_goid(census, 900));

	change = (struct change){.go = go, .index = 40, .times = 1};
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->torn, 0);
	assert_int_equal(pw_census_result(census)->dead, 1);
	assert_int_equal(pw_census_result(census)->count, 99);
	pw_census_free(census);
	fake_go_free(go);
}

static void a_bad_field_keeps_a_goroutine_out(void **state)
{
	static const struct {
		enum pw_field field;
		uint64_t value;
		size_t size;
	} cases[] = {
		{PW_FIELD_G_ATOMICSTATUS, 5, 4},
		{PW_FIELD_G_ATOMICSTATUS, 0x80000004, 4},
		{PW_FIELD_G_GOID, 0, 8},
		{PW_FIELD_G_GOID, 1ULL << 60, 8},
		{PW_FIELD_G_WAITREASON, 47, 1},
		{PW_FIELD_G_GOPC, FAKE_GO_ETEXT + 1, 8},
		{PW_FIELD_G_GOPC, 0x1000, 8},
		{PW_FIELD_G_STARTPC, 0xc000000000, 8},
		{PW_FIELD_G_SCHED_PC, 0, 8},
		{PW_FIELD_G_SCHED_SP, 8, 8},
		{PW_FIELD_G_STACK_HI, 0, 8},
		{PW_FIELD_G_STACK_LO, 0x1000, 8},
		{PW_FIELD_G_STACK_HI, UINT64_MAX, 8},
	};
	struct fake_go *go = fake_go_new(24, 50, 1);
	struct pw_census *census = new_census();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_go_set(go, 9, cases[i].field, cases[i].value, cases[i].size);
		assert_int_equal(walk(census, go), 0);
		assert_int_equal(pw_census_result(census)->count, 49);
		assert_int_equal(pw_census_result(census)->torn, 1);
		fake_go_reset_g(go, 9);
	}
	pw_census_free(census);
	fake_go_free(go);
}

static void more_than_the_cap_is_counted_as_skipped(void **state)
{
	size_t n = (1 << 20) + 50000;
	struct fake_go *go = fake_go_new(24, 1000, 1);
	struct pw_census *census = new_census();

	(void)state;
	fake_mem_add(&go->mem, 0xc300000000, n * 8);
	for (size_t i = 0; i < n; i++)
		fake_mem_put(&go->mem, 0xc300000000 + i * 8, fake_go_g(go, i % 1000), 8);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x08, 0xc300000000, 8);
	fake_go_set_allglen(go, n);
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->skipped, 50000);
	assert_int_equal(pw_census_result(census)->count, 1000);
	pw_census_free(census);
	fake_go_free(go);
}

static void a_process_that_goes_away_ends_the_walk(void **state)
{
	struct fake_go *go = fake_go_new(24, 5000, 1);
	struct pw_census *census = new_census();

	(void)state;
	assert_int_equal(pw_census_begin(census, &go->target), 0);
	assert_int_equal(pw_census_step(census, 0), -EAGAIN);
	go->mem.error = -ESRCH;
	assert_int_equal(pw_census_step(census, 0), -ESRCH);
	assert_int_equal(pw_census_step(census, 0), 0); /* over */
	assert_int_equal(pw_census_begin(census, &go->target), -ESRCH);
	go->mem.error = -EPERM;
	assert_int_equal(pw_census_begin(census, &go->target), -EPERM);
	go->mem.error = 0;
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->count, 5000);
	pw_census_free(census);
	fake_go_free(go);
}

static void numbers_of_the_scheduler_that_lie_leave_the_count_unknown(void **state)
{
	struct fake_go *go = fake_go_new(24, 100, 2);
	struct pw_census *census = new_census();

	(void)state;
	fake_go_set_sched(go, PW_FIELD_SCHED_NGSYS, 0xfffffff0, 4);
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->num_goroutine, PW_UNKNOWN);
	fake_go_set_sched(go, PW_FIELD_SCHED_NGSYS, 0, 4);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x20, 1ULL << 40, 8); /* capacity of allp */
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(pw_census_result(census)->num_goroutine, PW_UNKNOWN);
	assert_int_equal(pw_census_result(census)->count, 100);
	pw_census_free(census);
	fake_go_free(go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_goroutine_of_every_version_is_found),
		cmocka_unit_test(of_a_program_that_did_not_run_nothing_is_read),
		cmocka_unit_test(each_status_has_its_class),
		cmocka_unit_test(system_goroutines_are_those_the_runtime_started),
		cmocka_unit_test(a_list_that_has_grown_is_walked_whole),
		cmocka_unit_test(garbage_is_never_believed),
		cmocka_unit_test(overlapping_goroutines_do_not_overrun_anything),
		cmocka_unit_test(one_unreadable_goroutine_costs_only_itself),
		cmocka_unit_test(what_changes_under_our_eyes_is_settled_or_torn_or_dead),
		cmocka_unit_test(a_bad_field_keeps_a_goroutine_out),
		cmocka_unit_test(more_than_the_cap_is_counted_as_skipped),
		cmocka_unit_test(a_process_that_goes_away_ends_the_walk),
		cmocka_unit_test(numbers_of_the_scheduler_that_lie_leave_the_count_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
