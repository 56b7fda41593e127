/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Snapshots as an observation takes them, of a process made of fake memory: when, what of it is recorded, and what is
 * left when it goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/ages.h"
#include "model/record.h"
#include "observe/observe.h"
#include "reader/reader.h"
#include "support/fake_world.h"
#include "target/births.h"

static struct pw_reader *reader;

struct observed {
	struct fake_world world;
	struct pw_observation *observation;
	uint64_t now_ns;
	int error; /* of the last work */
};

static struct observed begin(uint64_t interval_ns, uint32_t rows_max)
{
	const struct pw_observe_options options = {.census_interval_ns = 1,
						   .snapshot_interval_ns = interval_ns,
						   .slice_ns = 60 * PW_NS_PER_SEC,
						   .rows_max = rows_max};
	struct observed observed = {.world = fake_world_new(24, reader), .now_ns = pw_boot_ns()};
	struct pw_target *target = &observed.world.go->target;

	target->memory_ok = true;
	target->pid = 4711;
	target->start_time_ns = 5;
	fake_go_set_sched(observed.world.go, PW_FIELD_SCHED_GOIDGEN, FAKE_COUNT, 8);
	assert_int_equal(pw_births_new(&target->births), 0);
	assert_int_equal(pw_observation_new(&observed.observation, target, NULL, NULL, &options), 0);
	return observed;
}

static void end(struct observed *observed)
{
	pw_observation_free(observed->observation);
	pw_births_free(observed->world.go->target.births);
	fake_world_end(&observed->world);
}

/* A tick of the daemon so much later. */
static struct pw_record *tick(struct observed *observed, uint64_t later_ns)
{
	struct pw_record *record = NULL;

	observed->now_ns += later_ns;
	while ((observed->error = pw_observation_work(observed->observation, observed->now_ns)) == -EAGAIN)
		(void)pw_symbolizer_settle(observed->world.go->target.symbolizer);
	assert_int_equal(pw_observation_record(observed->observation, pw_boot_ns(), 1, &record), 0);
	return record;
}

static void pass(struct observed *observed, uint64_t later_ns)
{
	pw_record_unref(tick(observed, later_ns));
}

static uint64_t taken(struct observed *observed, uint64_t later_ns)
{
	struct pw_record *record = tick(observed, later_ns);
	uint64_t taken_ns = record->snapshot.section.present ? record->snapshot.section.taken_ns : 0;

	pw_record_unref(record);
	return taken_ns;
}

static void a_snapshot_comes_after_the_first_census_and_then_at_its_interval(void **state)
{
	struct observed observed = begin(100 * PW_NS_PER_SEC, 0);
	const struct pw_record_park *park;
	struct pw_record *record = tick(&observed, 0);
	uint64_t first;

	(void)state;
	assert_int_equal(record->census.total, FAKE_COUNT); /* nobody waits for stacks to be counted */
	assert_false(record->snapshot.section.present);
	pw_record_unref(record);
	record = tick(&observed, PW_NS_PER_SEC);
	assert_int_equal(record->census.total, FAKE_COUNT);
	assert_int_equal(record->snapshot.total, FAKE_COUNT);
	assert_int_equal(record->snapshot.stacks_read, FAKE_COUNT);
	assert_true(record->snapshot.interval_ns >= 100 * PW_NS_PER_SEC);
	assert_int_equal(record->snapshot.park_count, 1);
	park = &record->snapshot.parks[0];
	assert_int_equal(park->count, FAKE_COUNT);
	assert_int_equal(record->stacks[park->stack].count, 3);
	assert_string_equal(pw_record_string(record, park->reason), "chan receive");
	assert_true(park->oldest_at_least);
	assert_int_equal(record->snapshot.row_count, 0);
	first = record->snapshot.section.taken_ns;
	pw_record_unref(record);
	assert_int_equal(taken(&observed, 98 * PW_NS_PER_SEC), first);
	fake_go_set(observed.world.go, 7, PW_FIELD_G_TRACKINGSEQ, 5, 1);
	record = tick(&observed, 3 * PW_NS_PER_SEC);
	assert_true(record->snapshot.section.taken_ns > first);
	assert_int_equal(record->snapshot.stacks_kept, FAKE_COUNT - 1);
	assert_int_equal(record->snapshot.parks[0].never_ran, FAKE_COUNT - 1);
	assert_int_equal(record->snapshot.parks[0].runs, 5);
	assert_int_equal(record->snapshot.parks[0].oldest_since_ns, first);
	pw_record_unref(record);
	end(&observed);
}

static void one_that_is_wanted_comes_at_once(void **state)
{
	struct observed observed = begin(3600 * PW_NS_PER_SEC, 0), without = begin(0, 0);
	uint64_t first;

	(void)state;
	pass(&observed, 0);
	first = taken(&observed, PW_NS_PER_SEC);
	assert_int_equal(taken(&observed, PW_NS_PER_SEC), first);
	assert_true(pw_observation_want_snapshot(observed.observation, observed.now_ns + 60 * PW_NS_PER_SEC));
	assert_true(taken(&observed, 1) > first);
	pass(&without, 0);
	assert_false(pw_observation_want_snapshot(without.observation, without.now_ns));
	assert_int_equal(taken(&without, 7200 * PW_NS_PER_SEC), 0);
	end(&observed);
	end(&without);
}

static void small_targets_have_a_row_for_each_goroutine(void **state)
{
	struct observed observed = begin(PW_NS_PER_SEC, FAKE_COUNT);
	struct pw_record *record;

	(void)state;
	pass(&observed, 0);
	record = tick(&observed, 2 * PW_NS_PER_SEC);
	assert_int_equal(record->snapshot.row_count, FAKE_COUNT);
	assert_int_equal(record->snapshot.rows[41].goid, 42);
	assert_int_equal(record->snapshot.rows[41].parked_since_ns, record->snapshot.section.taken_ns);
	pw_record_unref(record);
	end(&observed);
}

static void one_that_fails_leaves_the_last_as_stale(void **state)
{
	struct observed observed = begin(PW_NS_PER_SEC, 0);
	struct pw_record *record;
	uint64_t first;

	(void)state;
	pass(&observed, 0);
	first = taken(&observed, 60 * PW_NS_PER_SEC);
	observed.world.go->mem.error = -EFAULT;
	record = tick(&observed, 60 * PW_NS_PER_SEC);
	assert_int_equal(record->snapshot.section.taken_ns, first);
	assert_int_equal(record->snapshot.section.quality, PW_STALE);
	assert_int_equal(record->snapshot.parks[0].count, FAKE_COUNT);
	pw_record_unref(record);
	observed.world.go->mem.error = 0;
	record = tick(&observed, 60 * PW_NS_PER_SEC);
	assert_int_equal(record->snapshot.section.quality, PW_EXACT);
	assert_true(record->snapshot.section.taken_ns > first);
	pw_record_unref(record);
	end(&observed);
}

static void ages_are_handed_out_when_two_looks_have_seen_them(void **state)
{
	struct observed observed = begin(PW_NS_PER_SEC, 0);
	const struct pw_ages_image *image;
	struct pw_ages_head head;
	struct pw_age *ages;
	size_t count;
	uint64_t first;

	(void)state;
	assert_null(pw_observation_ages(observed.observation));
	pass(&observed, 0);
	first = taken(&observed, 60 * PW_NS_PER_SEC);
	image = pw_observation_ages(observed.observation);
	assert_int_equal(image->pid, 4711);
	assert_int_equal(pw_ages_read(image->bytes, image->size, &head, &ages, &count, NULL), 0);
	assert_int_equal(count, FAKE_COUNT);
	assert_int_equal(ages[0].parked_since_ns, 0); /* one look is not enough: trackingSeq comes round */
	free(ages);
	fake_go_set(observed.world.go, 7, PW_FIELD_G_TRACKINGSEQ, 5, 1);
	pass(&observed, 60 * PW_NS_PER_SEC);
	image = pw_observation_ages(observed.observation);
	assert_int_equal(pw_ages_read(image->bytes, image->size, &head, &ages, &count, NULL), 0);
	assert_int_equal(head.start_ns, 5);
	assert_int_equal(head.first_ns, first);
	assert_int_equal(ages[0].parked_since_ns, first);
	assert_true(ages[0].at_least);
	assert_int_equal(ages[0].depth, 0x2000 - 0x1f00);
	assert_int_equal(ages[7].goid, 8);
	assert_int_equal(ages[7].parked_since_ns, 0); /* it ran */
	assert_int_equal(ages[7].tracking_seq, 5);
	free(ages);
	end(&observed);
}

static unsigned int ranges_left;

static void die(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	(void)range;
	(void)context;
	if (!ranges_left--)
		mem->error = -ESRCH;
}

static void a_target_may_die_at_any_moment_of_it(void **state)
{
	bool lived = false;

	(void)state;
	for (unsigned int ranges = 0; !lived && ranges < 2000; ranges++) {
		struct observed observed = begin(PW_NS_PER_SEC, 1000);

		pass(&observed, 0);
		ranges_left = ranges;
		observed.world.go->mem.after_range = die;
		pass(&observed, 60 * PW_NS_PER_SEC);
		lived = observed.error == 0;
		if (!lived)
			assert_int_equal(observed.error, -ESRCH);
		end(&observed);
	}
	assert_true(lived);
}

static int set_up(void **state)
{
	(void)state;
	return pw_reader_start(&reader) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	pw_reader_free(reader);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_comes_after_the_first_census_and_then_at_its_interval),
		cmocka_unit_test(one_that_is_wanted_comes_at_once),
		cmocka_unit_test(small_targets_have_a_row_for_each_goroutine),
		cmocka_unit_test(one_that_fails_leaves_the_last_as_stale),
		cmocka_unit_test(ages_are_handed_out_when_two_looks_have_seen_them),
		cmocka_unit_test(a_target_may_die_at_any_moment_of_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
