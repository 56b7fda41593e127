/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "model/storage.h"
#include "model/waitclass.h"
#include "support/records.h"

static void strings_keep_their_index_from_record_to_record(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *first, *second;
	pw_string a, b;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	pw_record_builder_begin(builder);
	a = pw_record_builder_string(builder, "main.main");
	assert_int_equal(pw_record_builder_finish(builder, &first), 0);
	pw_record_builder_begin(builder);
	b = pw_record_builder_string(builder, "main.other");
	assert_int_equal(pw_record_builder_string(builder, "main.main"), a);
	assert_int_equal(pw_record_builder_finish(builder, &second), 0);
	pw_record_builder_free(builder);
	/* The records live on without the builder. */
	assert_string_equal(pw_record_string(first, a), "main.main");
	assert_string_equal(pw_record_string(first, b), ""); /* was not there yet */
	assert_string_equal(pw_record_string(second, b), "main.other");
	assert_string_equal(pw_record_string(second, 0), "");
	assert_string_equal(pw_record_string(second, UINT32_MAX), "");
	pw_record_unref(first);
	pw_record_unref(second);
	pw_record_unref(NULL);
}

static void refused_elements_are_counted_in_the_record(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *record;
	uint64_t refused = 0;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	pw_record_builder_begin(builder);
	for (uint32_t i = 0; i < PW_RECORD_STATEMENTS_MAX; i++)
		assert_non_null(pw_record_builder_statement(builder, NULL));
	for (uint32_t i = 0; i < 3; i++)
		assert_null(pw_record_builder_statement(builder, NULL));
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	assert_int_equal(record->statement_count, PW_RECORD_STATEMENTS_MAX);
	for (size_t i = 0; i < record->drop_count; i++)
		if (strcmp(pw_record_string(record, record->drops[i].name), "record_statements_full") == 0)
			refused = record->drops[i].count;
	assert_int_equal(refused, 3);
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

static void table_full_of_strings_is_begun_anew(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *record;
	uint64_t generation;
	char text[32];

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	pw_record_builder_begin(builder);
	generation = pw_record_builder_generation(builder);
	for (uint32_t i = 0; i < PW_RECORD_STRINGS_MAX + 10; i++) {
		snprintf(text, sizeof(text), "string %u", i);
		(void)pw_record_builder_string(builder, text);
	}
	assert_int_equal(pw_record_builder_string(builder, "one more"), 0);
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	assert_int_equal(record->string_count, PW_RECORD_STRINGS_MAX);
	pw_record_unref(record);
	pw_record_builder_begin(builder);
	assert_true(pw_record_builder_generation(builder) != generation);
	assert_int_not_equal(pw_record_builder_string(builder, "one more"), 0);
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	assert_true(record->string_count < 10);
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

static void index_outside_of_its_list_is_refused(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *record;
	struct pw_record_group *group;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	pw_record_builder_begin(builder);
	group = pw_record_builder_group(builder, NULL);
	group->statement = 0; /* there is none */
	assert_int_equal(pw_record_builder_finish(builder, &record), -EBADMSG);
	pw_record_builder_begin(builder);
	pw_record_builder_statement(builder, NULL);
	group = pw_record_builder_group(builder, NULL);
	group->age_count = 1;
	assert_int_equal(pw_record_builder_finish(builder, &record), -EBADMSG);
	pw_record_builder_begin(builder);
	pw_record_builder_statement(builder, NULL)->file = 77;
	assert_int_equal(pw_record_builder_finish(builder, &record), -EBADMSG);
	pw_record_builder_free(builder);
}

/* Four threads take and drop references of one record: the last one frees it (ASan sees both too early and never). */
static void *take_and_drop(void *context)
{
	struct pw_record *record = context;

	for (int i = 0; i < 20000; i++)
		pw_record_unref(pw_record_ref(record));
	pw_record_unref(record);
	return NULL;
}

static void threads_may_share_a_record(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *record;
	pthread_t threads[4];
	uint64_t seed = 5;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	record = random_record(builder, &seed, 1, 20);
	pw_record_builder_free(builder);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, pw_record_ref(record)), 0);
	pw_record_unref(record);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

static void ages_are_counted_from_the_census(void **state)
{
	struct pw_record_age ages[] = {{10, 5}, {20, 7}, {90, 1}};
	struct pw_record record = {.census = {.section = {.taken_ns = 100}, .ages = ages, .age_count = 3}};
	struct pw_record_group group = {.count = 17, .count_initial = 4, .age_count = 3, .oldest_born_before_ns = 5};

	(void)state;
	assert_int_equal(pw_group_older_than(&record, &group, 0, false), 13);
	assert_int_equal(pw_group_older_than(&record, &group, 10, false), 13);
	assert_int_equal(pw_group_older_than(&record, &group, 11, false), 12);
	assert_int_equal(pw_group_older_than(&record, &group, 80, false), 12);
	assert_int_equal(pw_group_older_than(&record, &group, 81, false), 5);
	assert_int_equal(pw_group_older_than(&record, &group, 91, false), 0);
	assert_int_equal(pw_group_older_than(&record, &group, 91, true), 4);
	assert_int_equal(pw_group_older_than(&record, &group, 96, true), 0);
	ages[2].born_before_ns = 200; /* a clock that lies makes nothing old */
	assert_int_equal(pw_group_older_than(&record, &group, 0, false), 12);
	assert_int_equal(pw_group_youngest_age_ns(&record, &group), PW_UNKNOWN);
}

static void every_word_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(pw_status_name(PW_GOROUTINE_WAITING), "waiting");
	assert_string_equal(pw_status_name((enum pw_status_class)99), "unknown");
	assert_string_equal(pw_alert_state_name(PW_ALERT_GONE), "gone");
	assert_string_equal(pw_alert_level_name(PW_LEVEL_INFO), "info");
	assert_true(pw_status_parked(PW_GOROUTINE_LEAKED));
	assert_false(pw_status_parked(PW_GOROUTINE_SYSCALL));
}

static void wait_reasons_have_a_class(void **state)
{
	(void)state;
	assert_int_equal(pw_wait_class("chan receive (nil chan)", NULL), PW_WAIT_CHANNEL);
	assert_int_equal(pw_wait_class("select (no cases)", NULL), PW_WAIT_CHANNEL);
	assert_int_equal(pw_wait_class("sync.WaitGroup.Wait", NULL), PW_WAIT_LOCK);
	assert_int_equal(pw_wait_class("semacquire", "sync.(*Mutex).Lock"), PW_WAIT_LOCK);
	assert_int_equal(pw_wait_class("semacquire", "internal/poll.(*fdMutex).rwlock"), PW_WAIT_NETWORK);
	assert_int_equal(pw_wait_class("IO wait", NULL), PW_WAIT_NETWORK);
	assert_int_equal(pw_wait_class("sleep", NULL), PW_WAIT_TIMER);
	assert_int_equal(pw_wait_class("GC assist wait", NULL), PW_WAIT_GC);
	assert_int_equal(pw_wait_class("GC worker (idle)", NULL), PW_WAIT_GC);
	assert_int_equal(pw_wait_class("finalizer wait", NULL), PW_WAIT_RUNTIME);
	assert_int_equal(pw_wait_class("coroutine", NULL), PW_WAIT_OTHER);
	assert_int_equal(pw_wait_class("", NULL), PW_WAIT_UNKNOWN);
	assert_int_equal(pw_wait_class(NULL, NULL), PW_WAIT_UNKNOWN);
	assert_string_equal(pw_wait_class_name(PW_WAIT_LOCK), "lock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_keep_their_index_from_record_to_record),
		cmocka_unit_test(refused_elements_are_counted_in_the_record),
		cmocka_unit_test(table_full_of_strings_is_begun_anew),
		cmocka_unit_test(index_outside_of_its_list_is_refused),
		cmocka_unit_test(threads_may_share_a_record),
		cmocka_unit_test(ages_are_counted_from_the_census),
		cmocka_unit_test(every_word_has_a_name),
		cmocka_unit_test(wait_reasons_have_a_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
