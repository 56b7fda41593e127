/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"
#include "model/record.h"
#include "observe/profile_build.h"
#include "target/snapshot.h"

#define SEC PW_NS_PER_SEC

static const char reasons[][40] = {"", "chan receive", "IO wait"};

/* A look that is told goroutine by goroutine; names are addresses, as there is no symbolizer. */
struct told {
	struct pw_snapshot_goroutine goroutines[64];
	struct pw_snapshot_pc pcs[256];
	struct pw_snapshot_label labels[64];
	struct pw_snapshot_result result;
};

static struct pw_snapshot_goroutine *tell(struct told *told, uint8_t status, uint8_t reason, uint64_t gopc, uint64_t pc)
{
	struct pw_snapshot_goroutine *g = &told->goroutines[told->result.count++];

	*g = (struct pw_snapshot_goroutine){.goid = told->result.count,
					    .gopc = gopc,
					    .status = status,
					    .wait_reason = reason,
					    .runs = 0,
					    .first_pc = (uint32_t)told->result.pc_count,
					    .pc_count = pc ? 2 : 0,
					    .born_before_ns = told->result.taken_ns - 10 * SEC,
					    .parked_since_ns = told->result.taken_ns - 3 * SEC,
					    .parked_at_least = true};
	if (pc) {
		told->pcs[told->result.pc_count++] = (struct pw_snapshot_pc){pc, true};
		told->pcs[told->result.pc_count++] = (struct pw_snapshot_pc){0x9000, true};
	}
	return g;
}

static void begin(struct told *told)
{
	*told = (struct told){.result.taken_ns = pw_boot_ns()};
	told->result.goroutines = told->goroutines;
	told->result.pcs = told->pcs;
	told->result.labels = told->labels;
}

static struct pw_profile *build(const struct told *told, bool over, unsigned int looks)
{
	const struct pw_profile_source source = {
		.reason_names = reasons, .reason_count = ARRAY_SIZE(reasons), .over = over};
	struct pw_profile *profile = pw_profile_new();
	struct pw_profile_builder *builder = NULL;

	assert_non_null(profile);
	assert_int_equal(pw_profile_builder_new(&builder, &source), 0);
	for (unsigned int i = 0; i < looks; i++)
		assert_int_equal(pw_profile_builder_look(builder, &told->result, SEC), 0);
	assert_int_equal(pw_profile_builder_finish(builder, NULL, profile), 0);
	pw_profile_builder_free(builder);
	return profile;
}

static void equal_goroutines_are_one_group_and_each_difference_makes_another(void **state)
{
	struct pw_profile *profile;
	struct told told;

	(void)state;
	begin(&told);
	for (int i = 0; i < 5; i++)
		tell(&told, PW_GOROUTINE_WAITING, 1, 0x100, 0x1000);
	tell(&told, PW_GOROUTINE_WAITING, 1, 0x100, 0x1001);  /* another stack */
	tell(&told, PW_GOROUTINE_WAITING, 1, 0x200, 0x1000);  /* another go statement */
	tell(&told, PW_GOROUTINE_WAITING, 2, 0x100, 0x1000);  /* another reason */
	tell(&told, PW_GOROUTINE_RUNNABLE, 1, 0x100, 0x1000); /* another status; its old reason means nothing */
	tell(&told, PW_GOROUTINE_RUNNABLE, 2, 0x100, 0x1000);
	tell(&told, PW_GOROUTINE_RUNNING, 0, 0x100, 0);
	profile = build(&told, false, 1);
	assert_int_equal(profile->total, 11);
	assert_int_equal(profile->group_count, 6);
	assert_int_equal(profile->groups[0].count, 5);
	assert_string_equal(pw_profile_string(profile, profile->groups[0].wait_reason), "chan receive");
	assert_string_equal(pw_profile_string(profile, profile->frames[profile->groups[0].first_frame].function),
			    "0xfff");
	assert_true(profile->groups[0].age_max_ns == 3 * SEC && profile->groups[0].age_at_least);
	assert_int_equal(profile->groups[1].count, 2);
	assert_int_equal(profile->groups[1].wait_reason, 0);
	pw_profile_free(profile);
}

static void what_they_wait_on_is_numbered_and_deadlines_are_from_now(void **state)
{
	struct pw_snapshot_goroutine *g;
	struct pw_profile *profile;
	struct told told;

	(void)state;
	begin(&told);
	for (uint64_t i = 0; i < 4; i++) {
		g = tell(&told, PW_GOROUTINE_WAITING, 2, 0x100, 0x1000);
		g->wait = (struct pw_wait){
			.kind = PW_WAIT_NETWORK, .known = true, .object = 0xc000000000 + (i & 1), .fd = 7};
		g->wait.deadline_ns = i ? (int64_t)(pw_now_ns() + 60 * SEC) : 0;
	}
	g->wait.deadline_ns = 1; /* long ago */
	profile = build(&told, false, 1);
	assert_int_equal(profile->groups[0].distinct_objects, 2);
	assert_int_equal(profile->groups[0].waiting_on.object, 0); /* no live address, and none of two is typical */
	assert_int_equal(profile->goroutines[0].wait.object, 1);
	assert_int_equal(profile->goroutines[3].wait.object, 2);
	assert_int_equal(profile->goroutines[0].wait.deadline_ns, 0);
	assert_in_range(profile->goroutines[1].wait.deadline_ns, 59 * SEC, 61 * SEC);
	assert_true(profile->goroutines[3].wait.deadline_ns == -1);
	pw_profile_free(profile);
}

static void labels_are_sorted_and_a_group_has_those_that_all_have(void **state)
{
	struct pw_profile *profile;
	struct told told;

	(void)state;
	begin(&told);
	for (uint32_t i = 0; i < 2; i++) {
		struct pw_snapshot_goroutine *g = tell(&told, PW_GOROUTINE_WAITING, 1, 0x100, 0x1000);

		g->first_label = (uint32_t)told.result.label_count;
		g->label_count = 2;
		told.labels[told.result.label_count++] = (struct pw_snapshot_label){"z", "same"};
		told.labels[told.result.label_count++] = (struct pw_snapshot_label){"a", i ? "one" : "two"};
	}
	profile = build(&told, false, 1);
	assert_int_equal(profile->groups[0].label_count, 1);
	assert_string_equal(pw_profile_string(profile, profile->labels[profile->groups[0].first_label].key), "z");
	assert_string_equal(pw_profile_string(profile, profile->labels[profile->goroutines[0].first_label].key), "a");
	pw_profile_free(profile);
}

static void time_of_many_looks_goes_to_states(void **state)
{
	struct pw_profile *profile;
	struct told told;

	(void)state;
	begin(&told);
	for (int i = 0; i < 3; i++)
		tell(&told, PW_GOROUTINE_WAITING, 1, 0x100, 0x1000);
	tell(&told, PW_GOROUTINE_SYSCALL, 0, 0x100, 0x2000);
	tell(&told, PW_GOROUTINE_PREEMPTED, 0, 0x100, 0x3000);
	profile = build(&told, true, 4);
	assert_int_equal(profile->goroutine_count, 0);
	assert_int_equal(profile->groups[0].count, 3);
	assert_true(profile->groups[0].waiting_ns == 12 * SEC);
	assert_true(profile->groups[1].syscall_ns + profile->groups[2].syscall_ns == 4 * SEC);
	assert_true(profile->groups[1].runnable_ns + profile->groups[2].runnable_ns == 4 * SEC);
	pw_profile_free(profile);
}

static void a_look_that_lies_about_its_lists_is_not_believed(void **state)
{
	struct pw_snapshot_goroutine *g;
	struct pw_profile *profile;
	struct told told;

	(void)state;
	begin(&told);
	tell(&told, PW_GOROUTINE_WAITING, 200, 0x100, 0x1000); /* an unknown reason has a number */
	g = tell(&told, PW_GOROUTINE_WAITING, 1, 0x100, 0x1000);
	g->pc_count = UINT32_MAX;
	g = tell(&told, PW_GOROUTINE_WAITING, 1, 0x100, 0x1000);
	g->first_label = 60;
	g->label_count = 60;
	tell(&told, 99, 1, 0x100, 0x1000);
	profile = build(&told, false, 1);
	assert_int_equal(profile->total, 1);
	assert_string_equal(pw_profile_string(profile, profile->groups[0].wait_reason), "wait reason 200");
	pw_profile_free(profile);
}

static void a_hundred_thousand_are_grouped_fast(void **state)
{
	enum { COUNT = 100000, STACKS = 50, DEPTH = 8 };
	struct pw_snapshot_goroutine *goroutines = calloc(COUNT, sizeof(*goroutines));
	struct pw_snapshot_pc *pcs = calloc((size_t)COUNT * DEPTH, sizeof(*pcs));
	struct told told;
	struct pw_profile *profile;
	uint64_t start;

	(void)state;
	assert_true(goroutines && pcs);
	begin(&told);
	for (uint32_t i = 0; i < COUNT; i++) {
		goroutines[i] = (struct pw_snapshot_goroutine){.goid = i + 1,
							       .gopc = 0x100,
							       .status = PW_GOROUTINE_WAITING,
							       .wait_reason = 1,
							       .first_pc = i * DEPTH,
							       .pc_count = DEPTH};
		for (uint32_t k = 0; k < DEPTH; k++)
			pcs[i * DEPTH + k] = (struct pw_snapshot_pc){0x1000 + k * 0x100 + i % STACKS, true};
	}
	told.result.goroutines = goroutines;
	told.result.count = COUNT;
	told.result.pcs = pcs;
	told.result.pc_count = (size_t)COUNT * DEPTH;
	start = pw_cpu_process_ns();
	profile = build(&told, false, 1);
	/* 0.1 s without sanitizers would be slow; with them this bound only catches what is quadratic. */
	assert_true(pw_cpu_process_ns() - start < 5 * SEC);
	assert_int_equal(profile->group_count, STACKS);
	assert_int_equal(profile->groups[0].count, COUNT / STACKS);
	pw_profile_free(profile);
	free(goroutines);
	free(pcs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_goroutines_are_one_group_and_each_difference_makes_another),
		cmocka_unit_test(what_they_wait_on_is_numbered_and_deadlines_are_from_now),
		cmocka_unit_test(labels_are_sorted_and_a_group_has_those_that_all_have),
		cmocka_unit_test(time_of_many_looks_goes_to_states),
		cmocka_unit_test(a_look_that_lies_about_its_lists_is_not_believed),
		cmocka_unit_test(a_hundred_thousand_are_grouped_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
