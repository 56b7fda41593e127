/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "collect/attach.h"
#include "collect/skeleton.h"

static uint64_t field(uint64_t cookie, unsigned int shift, uint64_t mask)
{
	return cookie >> shift & mask;
}

static void the_cookie_holds_every_part_at_its_limit(void **state)
{
	(void)state;
	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		uint64_t cookie = pw_attach_cookie(0xfffffffe, PW_BPF_TARGETS_MAX - 1, (enum pw_event)event, 30, 28);

		assert_int_equal((uint32_t)cookie, 0xfffffffe);
		assert_int_equal(field(cookie, PW_COOKIE_SLOT_SHIFT, 0xffff), PW_BPF_TARGETS_MAX - 1);
		assert_int_equal(field(cookie, PW_COOKIE_EVENT_SHIFT, PW_COOKIE_EVENT_MASK), event);
		assert_int_equal(field(cookie, PW_COOKIE_G_SHIFT, PW_COOKIE_REG_MASK), 30);
		assert_int_equal(field(cookie, PW_COOKIE_ARG_SHIFT, PW_COOKIE_REG_MASK), 28);
	}
}

static void a_register_that_is_none_stays_none(void **state)
{
	uint64_t cookie = pw_attach_cookie(1, 1, PW_EVENT_GC_START, PW_SITE_REG_NONE, PW_SITE_REG_NONE);

	(void)state;
	assert_int_equal(field(cookie, PW_COOKIE_G_SHIFT, PW_COOKIE_REG_MASK), PW_COOKIE_NO_REG);
	assert_int_equal(field(cookie, PW_COOKIE_ARG_SHIFT, PW_COOKIE_REG_MASK), PW_COOKIE_NO_REG);
	assert_int_equal(field(cookie, PW_COOKIE_EVENT_SHIFT, PW_COOKIE_EVENT_MASK), PW_EVENT_GC_START);
}

static void events_share_links_as_their_rates_go_together(void **state)
{
	(void)state;
	assert_int_equal(pw_attach_group_of(PW_EVENT_PARK), PW_GROUP_PARK);
	assert_int_equal(pw_attach_group_of(PW_EVENT_SPAWN), PW_GROUP_LIFECYCLE);
	assert_int_equal(pw_attach_group_of(PW_EVENT_EXIT), PW_GROUP_LIFECYCLE);
	assert_int_equal(pw_attach_group_of(PW_EVENT_STW_END), PW_GROUP_GC);
	assert_int_equal(pw_attach_group_of(PW_EVENT_GC_SWEEP), PW_GROUP_GC);
	assert_int_equal(pw_attach_group_of(PW_EVENT_RUN), PW_GROUP_RUN);
}

static void groups_without_sites_are_neither_attached_nor_an_error(void **state)
{
	struct pw_attachment *attachment = pw_attachment_new();
	struct pw_why why = {0};

	(void)state;
	attachment->method = PW_ATTACH_UPROBE_MULTI;
	assert_int_equal(pw_attachment_apply(attachment, PW_GROUP_BIT(PW_GROUP_PARK) | PW_GROUP_BIT(PW_GROUP_GC), &why),
			 0);
	assert_int_equal(attachment->attached, 0);
	pw_attachment_free(attachment);
}

static void a_failed_attach_leaves_nothing_and_says_why(void **state)
{
	static const enum pw_attach_method methods[] = {PW_ATTACH_UPROBE_MULTI, PW_ATTACH_PERF};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pw_attachment *attachment = pw_attachment_new();
		struct pw_why why = {0};

		attachment->method = methods[i];
		attachment->pid = getpid();
		attachment->site_count = 1;
		attachment->sites[0] = (struct pw_attach_site){.event = PW_EVENT_PARK, .offset = 64};
		assert_true(pw_attachment_apply(attachment, PW_GROUP_BIT(PW_GROUP_PARK), &why) < 0);
		assert_int_equal(attachment->attached, 0);
		assert_int_equal(attachment->link[PW_GROUP_PARK], -1);
		assert_true(strlen(why.text) > 20);
		pw_attachment_free(attachment);
	}
}

static void per_cpu_maps_shrink_with_the_number_of_cpus(void **state)
{
	(void)state;
	assert_int_equal(pw_skeleton_fit(16384, 32, 2), 16384);
	assert_int_equal(pw_skeleton_fit(16384, 32, 16), 16384);
	assert_int_equal(pw_skeleton_fit(16384, 32, 64), 4096);
	assert_int_equal(pw_skeleton_fit(16384, 1, 64), 16384); /* a value takes 8 bytes at least */
	assert_int_equal(pw_skeleton_fit(16384, 32, 4096), 256);
	assert_int_equal(pw_skeleton_fit(100, 32, 4096), 100);
	assert_int_equal(pw_skeleton_fit(16384, 32, 0), 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cookie_holds_every_part_at_its_limit),
		cmocka_unit_test(a_register_that_is_none_stays_none),
		cmocka_unit_test(events_share_links_as_their_rates_go_together),
		cmocka_unit_test(groups_without_sites_are_neither_attached_nor_an_error),
		cmocka_unit_test(a_failed_attach_leaves_nothing_and_says_why),
		cmocka_unit_test(per_cpu_maps_shrink_with_the_number_of_cpus),
	};

	return cmocka_run_group_tests_name("collect/attach", tests, NULL, NULL);
}
