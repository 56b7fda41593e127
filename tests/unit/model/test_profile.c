/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "model/profile.h"
#include "model/profile_select.h"
#include "model/record.h"
#include "support/profiles.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define W   PW_GOROUTINE_WAITING
#define SEC PW_NS_PER_SEC

static const struct sample_group groups[] = {
	{.count = 2,
	 .status = W,
	 .reason = "chan send",
	 .stack = {"main.b b.go:2", "main.x x.go:1"},
	 .created_by = "main.s s.go:1",
	 .parked_ns = 10 * SEC,
	 .label = "k",
	 .value = "one"},
	{.count = 5,
	 .status = W,
	 .reason = "select",
	 .stack = {"main.c c.go:3", "main.x x.go:1"},
	 .created_by = "main.s s.go:1",
	 .parked_ns = SEC,
	 .label = "k",
	 .value = "two",
	 .runs = 2,
	 .wait = "select",
	 .own_objects = true},
	{.count = 1, .status = PW_GOROUTINE_RUNNABLE, .stack = {"main.d d.go:4"}, .created_by = "main.t t.go:9"},
};

static struct pw_profile *sample(void)
{
	return sample_profile(groups, ARRAY_SIZE(groups));
}

static void a_group_says_what_its_members_are(void **state)
{
	struct pw_profile *profile = sample();
	const struct pw_profile_group *group = &profile->groups[0];

	(void)state;
	assert_int_equal(profile->total, 8);
	assert_int_equal(group->count, 5); /* by count, falling */
	assert_true(group->age_min_ns == SEC && group->age_median_ns == 4 * SEC && group->age_max_ns == 8 * SEC);
	assert_true(group->age_at_least);
	assert_true(group->runs_per_second == 10 && group->never_ran == 0);
	assert_int_equal(group->label_count, 1);
	assert_string_equal(pw_profile_string(profile, profile->labels[group->first_label].value), "two");
	assert_int_equal(group->distinct_objects, 5);
	assert_int_equal(profile->groups[1].never_ran, 2);
	for (size_t i = 0; i < profile->goroutine_count; i++) /* rows follow their group */
		assert_int_equal(profile->goroutines[i].group, i < 2 ? 1 : i < 7 ? 0 : 2);
	pw_profile_free(profile);
}

static size_t left(const struct pw_profile_filter *filter, uint64_t *ret_total)
{
	struct pw_profile *profile = sample();
	size_t count;

	assert_int_equal(pw_profile_filter(profile, filter), 0);
	count = profile->group_count;
	*ret_total = profile->total;
	assert_int_equal(profile->goroutine_count, profile->total);
	pw_profile_free(profile);
	return count;
}

static void filters_keep_what_fits_and_count_it_anew(void **state)
{
	regex_t blocked, created;
	uint64_t total;

	(void)state;
	assert_int_equal(regcomp(&blocked, "main\\.[bd]|zzz", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(regcomp(&created, "^t\\.go$", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(left(&(struct pw_profile_filter){0}, &total), 3);
	assert_int_equal(left(&(struct pw_profile_filter){.min_age_ns = 5 * SEC}, &total), 2);
	assert_int_equal(total, 4); /* 10, 20 and, of the doubling ages, two of 8 s */
	assert_int_equal(left(&(struct pw_profile_filter){.min_count = 2}, &total), 2);
	assert_int_equal(total, 7);
	assert_int_equal(left(&(struct pw_profile_filter){.reason = "select"}, &total), 1);
	assert_int_equal(left(&(struct pw_profile_filter){.reason = "runnable"}, &total), 1);
	assert_int_equal(left(&(struct pw_profile_filter){.reason = "waiting"}, &total), 0);
	assert_int_equal(left(&(struct pw_profile_filter){.label_key = "k", .label_value = "one"}, &total), 1);
	assert_int_equal(total, 2);
	assert_int_equal(left(&(struct pw_profile_filter){.label_key = "k"}, &total), 2);
	assert_int_equal(left(&(struct pw_profile_filter){.goid = 3}, &total), 1);
	assert_int_equal(total, 1);
	assert_int_equal(left(&(struct pw_profile_filter){.blocked = &blocked}, &total), 2);
	assert_int_equal(left(&(struct pw_profile_filter){.created = &created}, &total), 1);
	regfree(&blocked);
	regfree(&created);
}

static void merging_by_site_keeps_what_is_common(void **state)
{
	struct pw_profile *profile = sample();
	const struct pw_profile_group *group;

	(void)state;
	assert_int_equal(pw_profile_regroup(profile, PW_PROFILE_BY_SITE, NULL), 0);
	assert_int_equal(profile->group_count, 2);
	group = &profile->groups[0];
	assert_int_equal(group->count, 7);
	assert_int_equal(group->wait_reason, 0);
	assert_int_equal(group->frame_count, 1);
	assert_string_equal(pw_profile_string(profile, profile->frames[group->first_frame].function), "main.x");
	assert_int_equal(group->label_count, 0); /* not the same for all */
	assert_true(group->age_max_ns == 20 * SEC);
	pw_profile_free(profile);

	profile = sample();
	assert_int_equal(pw_profile_regroup(profile, PW_PROFILE_BY_REASON, NULL), 0);
	assert_int_equal(profile->group_count, 3);
	pw_profile_free(profile);

	profile = sample();
	assert_int_equal(pw_profile_regroup(profile, PW_PROFILE_BY_LABEL, "k"), 0);
	assert_int_equal(profile->group_count, 3); /* one, two, none */
	assert_int_equal(pw_profile_regroup(profile, PW_PROFILE_BY_LABEL, "other"), 0);
	assert_int_equal(profile->group_count, 1);
	assert_true(profile->groups[0].mixed_status);
	pw_profile_free(profile);
}

static void what_needs_rows_is_refused_without_them(void **state)
{
	struct pw_profile *profile = sample();

	(void)state;
	profile->goroutine_count = 0;
	assert_int_equal(pw_profile_regroup(profile, PW_PROFILE_BY_LABEL, "k"), -ENOTSUP);
	assert_int_equal(pw_profile_filter(profile, &(struct pw_profile_filter){.min_age_ns = 1}), -ENOTSUP);
	assert_int_equal(pw_profile_filter(profile, &(struct pw_profile_filter){.min_count = 2}), 0);
	assert_int_equal(profile->total, 7);
	pw_profile_free(profile);
}

static void growth_is_by_name_and_line_and_what_is_gone_is_counted(void **state)
{
	struct sample_group before[ARRAY_SIZE(groups)];
	struct pw_profile *profile = sample(), *old;

	(void)state;
	memcpy(before, groups, sizeof(groups));
	before[0].count = 1;
	before[1].count = 6;
	before[2].stack[0] = "main.d d.go:5"; /* another line: another group */
	old = sample_profile(before, ARRAY_SIZE(before));
	assert_int_equal(pw_profile_compare(profile, old), 0);
	assert_int_equal(group_of(profile, "main.b")->growth, 1);
	assert_int_equal(group_of(profile, "main.c")->growth, -1);
	assert_int_equal(group_of(profile, "main.d")->growth, 1);
	assert_int_equal(profile->gone_groups, 1);
	assert_int_equal(profile->gone_goroutines, 1);
	assert_int_equal(profile->old_total, 8);
	pw_profile_free(old);
	pw_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_says_what_its_members_are),
		cmocka_unit_test(filters_keep_what_fits_and_count_it_anew),
		cmocka_unit_test(merging_by_site_keeps_what_is_common),
		cmocka_unit_test(what_needs_rows_is_refused_without_them),
		cmocka_unit_test(growth_is_by_name_and_line_and_what_is_gone_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
