/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/profile.h"
#include "model/profile_record.h"
#include "model/record.h"
#include "support/records.h"

static void the_snapshot_of_a_record_is_a_profile(void **state)
{
	static struct program_statement statement = {
		.gopc = 0x1000, .function = "main.handle", .file = "/src/server.go", .line = 9, .reason = "chan send"};
	struct program_statement *statements[] = {&statement};
	struct program program = {.target_id = 3,
				  .epoch_ns = 100 * PW_NS_PER_SEC,
				  .wall_epoch_ns = 1700000000 * PW_NS_PER_SEC,
				  .service = "shop",
				  .statements = statements,
				  .count = 1,
				  .snapshots = true,
				  .snapshot_second = 40};
	const struct pw_profile_group *group;
	struct pw_record_builder *builder;
	struct pw_profile *profile;
	struct pw_record *record;

	(void)state;
	program_spawn(&statement, 5, 12);
	assert_int_equal(pw_record_builder_new(&builder), 0);
	record = program_record(&program, builder, 43);
	assert_int_equal(pw_profile_from_record(record, &profile), 0);
	assert_int_equal(profile->pid, 4711);
	assert_string_equal(profile->service, "shop");
	assert_int_equal(profile->taken_wall_ns, (1700000000ULL + 40) * PW_NS_PER_SEC);
	assert_int_equal(profile->total, 12);
	assert_int_equal(profile->group_count, 1);
	group = &profile->groups[0];
	assert_int_equal(group->count, 12);
	assert_int_equal(group->never_ran, 12);
	assert_string_equal(pw_profile_string(profile, group->wait_reason), "chan send");
	assert_string_equal(pw_profile_string(profile, group->created_by.function), "main.handle");
	assert_int_equal(group->created_by.line, 9);
	assert_int_equal(group->frame_count, 3);
	assert_string_equal(pw_profile_string(profile, profile->frames[group->first_frame + 1].function),
			    "main.publish");
	assert_string_equal(pw_profile_string(profile, group->waiting_on.kind), "channel");
	assert_int_equal(group->waiting_on.senders, 12);
	assert_int_equal(group->distinct_objects, 1);
	assert_true(group->runs_per_second < 0); /* unknown is not zero */
	assert_int_equal(group->waiting_on.fd, -1);
	pw_profile_free(profile);
	pw_record_unref(record);
	program.snapshot_elapsed_seconds = 8;
	statement.runs_each = 2;
	record = program_record(&program, builder, 43);
	assert_int_equal(pw_profile_from_record(record, &profile), 0);
	assert_int_equal(profile->groups[0].runs_per_second, 3); /* 12 of them, twice in 8 s */
	assert_int_equal(profile->looks, 2);
	pw_profile_free(profile);
	pw_record_unref(record);
	program.snapshots = false;
	record = program_record(&program, builder, 44);
	assert_int_equal(pw_profile_from_record(record, &profile), -ENODATA);
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

/* What a group waits on in full, and who holds the lock: the rows that a record has are there to be asked. */
static void what_they_wait_on_is_all_there(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *draft, *record;
	struct pw_record_statement *statement;
	struct pw_record_park *park;
	struct pw_profile *profile;
	const struct pw_profile_wait *wait;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->snapshot.section = (struct pw_section){.present = true, .taken_ns = 100 * PW_NS_PER_SEC};
	draft->snapshot.elapsed_ns = 10 * PW_NS_PER_SEC;
	statement = pw_record_builder_statement(builder, NULL);
	statement->function = pw_record_builder_string(builder, "main.lock");
	for (uint32_t i = 0; i < 2; i++) { /* the larger group is shown first, and its row follows it */
		park = pw_record_builder_park(builder, NULL);
		*park = (struct pw_record_park){
			.status = PW_GOROUTINE_WAITING, .stack = UINT32_MAX, .count = 1 + i, .arrived = i};
		park->wait = (struct pw_record_wait){.kind = pw_record_builder_string(builder, "semaphore"),
						     .sync = pw_record_builder_string(builder, "sync.Mutex"),
						     .known = true,
						     .state_known = true,
						     .locked = true,
						     .woken = true,
						     .fd = -1,
						     .deadline_ns = INT64_MIN,
						     .counter = -1,
						     .owner_goid = 7 + i};
	}
	*pw_record_builder_row(builder, NULL) = (struct pw_record_row){.goid = 7, .park = 1, .owner_goid = 8};
	*pw_record_builder_row(builder, NULL) =
		(struct pw_record_row){.goid = 8, .park = 0, .runs = 3, .parked_since_ns = 90 * PW_NS_PER_SEC};
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	assert_int_equal(pw_profile_from_record(record, &profile), 0);
	wait = &profile->groups[0].waiting_on;
	assert_int_equal(profile->groups[0].count, 2);
	assert_int_equal(profile->groups[0].arrived, 1);
	assert_string_equal(pw_profile_string(profile, wait->sync), "sync.Mutex");
	assert_true(wait->state_known && wait->locked && wait->woken && !wait->starving);
	assert_int_equal(wait->owner_goid, 8);
	assert_int_equal(profile->goroutine_count, 2);
	assert_int_equal(profile->goroutines[0].group, 0);
	assert_int_equal(profile->goroutines[0].wait.owner_goid, 8);
	assert_int_equal(profile->goroutines[1].group, 1);
	assert_int_equal(profile->goroutines[1].runs, 3);
	assert_int_equal(profile->goroutines[1].parked_ns, 10 * PW_NS_PER_SEC);
	pw_profile_free(profile);
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

static void random_records_make_profiles_or_none(void **state)
{
	struct pw_record_builder *builder;
	uint64_t seed = 7;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	for (int i = 0; i < 300; i++) {
		struct pw_record *record = random_record(builder, &seed, 1, 40);
		struct pw_profile *profile = NULL;
		uint64_t counted = 0;
		int r = pw_profile_from_record(record, &profile);

		assert_int_equal(r, record->snapshot.section.present ? 0 : -ENODATA);
		for (size_t k = 0; !r && k < profile->group_count; k++) {
			counted += profile->groups[k].count;
			assert_true(profile->groups[k].first_frame + profile->groups[k].frame_count <=
				    profile->frame_count);
		}
		assert_true(r || counted == profile->total);
		pw_profile_free(profile);
		pw_record_unref(record);
	}
	pw_record_builder_free(builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_snapshot_of_a_record_is_a_profile),
		cmocka_unit_test(what_they_wait_on_is_all_there),
		cmocka_unit_test(random_records_make_profiles_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
