/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/record.h"
#include "observe/digest.h"
#include "observe/steps.h"
#include "observe/statements.h"
#include "support/records.h"
#include "target/goroutines.h"

/* Censuses made by hand, summed up and written: does the record say what was in them? */

#define NOW	(5000 * PW_NS_PER_SEC)
#define BIAS	0x1000000
#define REASONS 4

static const char reasons[REASONS][40] = {"", "chan receive", "select", "sleep"};

struct world {
	struct pw_statements statements;
	struct pw_record_builder *builder;
	struct pw_digest *digest;
	struct pw_census_result census;
	struct pw_goroutine *goroutines;
	struct pw_digest_source source;
};

/* A goid g was born between g and g + 1 seconds of boot time; those below 100 before we looked. */
static void bounds(const void *context, uint64_t goid, uint64_t *ret_after_ns, uint64_t *ret_before_ns)
{
	(void)context;
	*ret_after_ns = goid < 100 ? 0 : goid * PW_NS_PER_SEC;
	*ret_before_ns = (PW_MAX(goid, (uint64_t)100) + 1) * PW_NS_PER_SEC;
}

static void world_init(struct world *world, size_t count)
{
	*world = (struct world){};
	assert_int_equal(pw_statements_init(&world->statements, NULL), 0);
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_digest_new(&world->digest), 0);
	world->goroutines = calloc(PW_MAX(count, (size_t)1), sizeof(*world->goroutines));
	world->census = (struct pw_census_result){.goroutines = world->goroutines, .count = count, .started_ns = NOW};
	world->source = (struct pw_digest_source){.census = &world->census,
						  .bias = BIAS,
						  .reason_names = reasons,
						  .reason_count = REASONS,
						  .bounds = bounds};
}

static void world_done(struct world *world)
{
	free(world->goroutines);
	pw_digest_free(world->digest);
	pw_record_builder_free(world->builder);
	pw_statements_done(&world->statements);
}

static void sum_up(struct world *world)
{
	int r;

	pw_digest_begin(world->digest, &world->source);
	do
		r = pw_digest_step(world->digest, &world->source, &world->statements, 1);
	while (r == -EAGAIN);
	assert_int_equal(r, 0);
}

static struct pw_record *write_record(struct world *world)
{
	struct pw_record *draft = pw_record_builder_begin(world->builder), *record = NULL;

	draft->census.section = (struct pw_section){.present = true, .taken_ns = NOW};
	pw_statements_write(&world->statements, world->builder);
	pw_digest_write(world->digest, &world->source, world->builder);
	assert_int_equal(pw_record_builder_finish(world->builder, &record), 0);
	return record;
}

static struct pw_goroutine goroutine(uint64_t goid, uint64_t gopc, uint8_t status, uint8_t reason)
{
	return (struct pw_goroutine){.goid = goid, .gopc = gopc + BIAS, .status = status, .wait_reason = reason};
}

static void equal_goroutines_become_one_group(void **state)
{
	struct world world;
	struct pw_record *record;

	(void)state;
	world_init(&world, 5);
	world.goroutines[0] = goroutine(4000, 0x401000, PW_GOROUTINE_WAITING, 1);
	world.goroutines[1] = goroutine(4990, 0x401000, PW_GOROUTINE_WAITING, 1);
	world.goroutines[2] = goroutine(4991, 0x402000, PW_GOROUTINE_RUNNING, 3);
	world.goroutines[3] = goroutine(50, 0x401000, PW_GOROUTINE_WAITING, 1);
	world.goroutines[4] = goroutine(4995, 0x401000, PW_GOROUTINE_WAITING, 200);
	world.goroutines[4].system = true;
	sum_up(&world);
	assert_int_equal(world.digest->total, 5);
	assert_int_equal(world.digest->system, 1);
	record = write_record(&world);
	assert_int_equal(record->statement_count, 2);
	assert_int_equal(record->statements[0].gopc, 0x401000); /* link-time, never a live address */
	assert_int_equal(record->census.group_count, 3);
	const struct pw_record_group *group = &record->census.groups[0];
	assert_int_equal(group->count, 3);
	assert_int_equal(group->count_initial, 1);
	assert_string_equal(pw_record_string(record, group->reason), "chan receive");
	assert_int_equal(pw_group_older_than(record, group, 5 * PW_NS_PER_SEC, false), 2);
	assert_int_equal(pw_group_older_than(record, group, 60 * PW_NS_PER_SEC, false), 1);
	assert_int_equal(pw_group_older_than(record, group, 60 * PW_NS_PER_SEC, true), 2);
	assert_int_equal(pw_group_oldest_age_ns(record, group), NOW - 101 * PW_NS_PER_SEC);
	assert_int_equal(pw_group_youngest_age_ns(record, group), 10 * PW_NS_PER_SEC);
	assert_string_equal(pw_record_string(record, record->census.groups[1].reason), "wait reason 200");
	assert_string_equal(pw_record_string(record, record->census.groups[2].reason),
			    ""); /* running: waits for nothing */
	pw_record_unref(record);
	world_done(&world);
}

/* Exact up to 64 s; beyond never more than there are, and never so few that an age an eighth higher would not do. */
static void ages_are_exact_when_young_and_a_lower_bound_when_old(void **state)
{
	enum { COUNT = 4800 };
	struct world world;
	struct pw_record *record;
	const struct pw_record_group *group;

	(void)state;
	world_init(&world, COUNT);
	for (uint64_t i = 0; i < COUNT; i++) /* one born each second; in no order */
		world.goroutines[i] = goroutine(200 + i * 7 % COUNT - (200 + i * 7 % COUNT > 4998 ? 4900 : 0), 0x401000,
						PW_GOROUTINE_WAITING, 2);
	sum_up(&world);
	record = write_record(&world);
	group = &record->census.groups[0];
	assert_true(group->age_count <= PW_AGE_STEPS_MAX);
	for (uint64_t age = 0; age < 4900; age++) {
		uint64_t truth = 0, wide = 0, found = pw_group_older_than(record, group, age * PW_NS_PER_SEC, false);

		for (size_t i = 0; i < COUNT; i++) {
			uint64_t goid = world.goroutines[i].goid, is = 5000 - (goid + 1);

			truth += goid >= 100 && is >= age;
			wide += goid >= 100 && is >= age + age / 7 + 1;
		}
		if (age <= 64)
			assert_int_equal(found, truth);
		assert_in_range(found, wide, truth);
	}
	pw_record_unref(record);
	world_done(&world);
}

static void a_step_never_makes_a_goroutine_older(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint64_t age = 0; age < 400; age++) {
		uint64_t born = NOW - age * 10 * PW_NS_PER_SEC - rnd_below(&seed, PW_NS_PER_SEC), step;

		step = pw_age_step(born, NOW);
		assert_true(step >= born && step <= NOW);
		if (NOW - born > PW_AGE_EXACT_NS)
			assert_true(NOW - step >= PW_AGE_EXACT_NS);
		assert_true(step - born <= (NOW - born) / 8);
	}
	assert_int_equal(pw_age_step(NOW + 5, NOW), NOW);
}

static void main_goroutine_has_a_name(void **state)
{
	struct world world;
	struct pw_record *record;

	(void)state;
	world_init(&world, 1);
	world.source.main_pc = 0x450000 + BIAS;
	world.goroutines[0] = goroutine(1, 0x460001, PW_GOROUTINE_WAITING, 2);
	world.goroutines[0].startpc = 0x450000 + BIAS;
	sum_up(&world);
	record = write_record(&world);
	assert_string_equal(pw_record_string(record, record->statements[0].function), "runtime.main");
	assert_false(record->statements[0].system);
	pw_record_unref(record);
	world_done(&world);
}

static void statements_keep_their_places(void **state)
{
	struct pw_statements statements;

	(void)state;
	assert_int_equal(pw_statements_init(&statements, NULL), 0);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(pw_statements_find(&statements, 0x1000 + i, 10), i);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(pw_statements_find(&statements, 0x1000 + i, 20), i);
	pw_statements_done(&statements);
}

static void too_many_statements_are_summed_up_as_other_until_one_is_unused(void **state)
{
	struct pw_statements statements;
	uint64_t now = 100;

	(void)state;
	assert_int_equal(pw_statements_init(&statements, NULL), 0);
	for (uint64_t i = 0; i < PW_STATEMENTS_MAX - 1; i++)
		assert_int_equal(pw_statements_find(&statements, 0x1000 + i, now), i);
	assert_int_equal(pw_statements_find(&statements, 1, now), PW_STATEMENTS_MAX - 1);
	assert_int_equal(pw_statements_find(&statements, 2, now), PW_STATEMENTS_MAX - 1);
	assert_true(statements.items[PW_STATEMENTS_MAX - 1].gopc == PW_STATEMENT_OTHER);
	assert_int_equal(statements.refused, 2);
	/* After the time to keep, all but two have been seen again: the longest unused gives up its place. */
	now += PW_STATEMENT_KEEP_NS;
	for (uint64_t i = 0; i < PW_STATEMENTS_MAX - 1; i++)
		if (i != 17 && i != 99)
			assert_int_equal(pw_statements_find(&statements, 0x1000 + i, now), i);
	assert_int_equal(pw_statements_find(&statements, 1, now), 17);
	assert_int_equal(pw_statements_find(&statements, 2, now), 99);
	assert_int_equal(pw_statements_find(&statements, 0x1000 + 17, now), PW_STATEMENTS_MAX - 1);
	assert_int_equal(pw_statements_find(&statements, 1, now), 17);
	pw_statements_done(&statements);
}

/* As many groups and steps as a hostile target can make: bounded, and the sum is right as far as there is room. */
static void hostile_numbers_of_groups_are_bounded(void **state)
{
	enum { COUNT = 60000 };
	struct world world;
	struct pw_record *record;
	uint64_t shown = 0;

	(void)state;
	world_init(&world, COUNT);
	for (uint64_t i = 0; i < COUNT; i++)
		world.goroutines[i] =
			goroutine(100 + i % 4900, i % 5000, (uint8_t)(i % _PW_GOROUTINE_STATUS_MAX), (uint8_t)(i / 7));
	sum_up(&world);
	record = write_record(&world);
	assert_int_equal(world.digest->total, COUNT);
	assert_true(world.digest->skipped > 0);
	for (size_t i = 0; i < record->census.group_count; i++)
		shown += record->census.groups[i].count;
	assert_int_equal(shown + world.digest->skipped, COUNT);
	assert_int_equal(record->census.group_count, 16384);
	pw_record_unref(record);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_goroutines_become_one_group),
		cmocka_unit_test(ages_are_exact_when_young_and_a_lower_bound_when_old),
		cmocka_unit_test(a_step_never_makes_a_goroutine_older),
		cmocka_unit_test(main_goroutine_has_a_name),
		cmocka_unit_test(statements_keep_their_places),
		cmocka_unit_test(too_many_statements_are_summed_up_as_other_until_one_is_unused),
		cmocka_unit_test(hostile_numbers_of_groups_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
