/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Pages that are swapped out, as a file says that stands for /proc/PID/pagemap. The real thing: test_live_swapped.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fake_mem.h"
#include "target/goroutines.h"
#include "target/swapped.h"

#define PAGE	4096u
#define SWAPPED (1ULL << 62)
#define PRESENT (1ULL << 63)

static struct pw_swapped new_pagemap(void)
{
	char path[] = "/tmp/test_swapped.XXXXXX";
	struct pw_swapped swapped = {.page_size = PAGE, .fd = mkstemp(path)};

	assert_true(swapped.fd >= 0);
	unlink(path);
	return swapped;
}

static void set_page(struct pw_swapped *swapped, uint64_t addr, uint64_t entry)
{
	assert_int_equal(pwrite(swapped->fd, &entry, sizeof(entry), (off_t)(addr / PAGE * sizeof(entry))), 8);
	swapped->count = 0; /* nothing in the window is believed */
}

static void a_range_is_out_if_any_of_its_pages_is(void **state)
{
	struct pw_swapped swapped = new_pagemap();
	const uint64_t base = 0xc000000000;

	(void)state;
	for (uint64_t page = 0; page < 2000; page++)
		set_page(&swapped, base + page * PAGE, PRESENT);
	assert_false(pw_swapped_out(&swapped, base, 2000 * PAGE));
	set_page(&swapped, base + 1500 * PAGE, SWAPPED);
	assert_true(pw_swapped_out(&swapped, base, 2000 * PAGE));
	assert_true(pw_swapped_out(&swapped, base + 1500 * PAGE + 4095, 1));
	assert_true(pw_swapped_out(&swapped, base + 1500 * PAGE - 1, 2));
	assert_false(pw_swapped_out(&swapped, base + 1500 * PAGE - 1, 1));
	assert_false(pw_swapped_out(&swapped, base + 1501 * PAGE, 100 * PAGE));
	assert_false(pw_swapped_out(&swapped, base, 0));
	assert_false(pw_swapped_out(&swapped, 0x700000000000, PAGE)); /* the file does not say */
	assert_false(pw_swapped_out(&swapped, UINT64_MAX - 10, PAGE));
	pw_swapped_close(&swapped);
	assert_false(pw_swapped_out(&swapped, base + 1500 * PAGE, 1)); /* nobody can tell */
}

static void what_is_swapped_out_is_not_read(void **state)
{
	struct pw_swapped swapped = new_pagemap();
	struct fake_mem fake = {};
	struct pw_mem mem = fake_mem_reader(&fake);
	struct pw_mem_range ranges[5];
	uint64_t words[5];

	(void)state;
	fake_mem_add(&fake, 0x10000, 5 * PAGE);
	set_page(&swapped, 0x10000 + 1 * PAGE, SWAPPED);
	set_page(&swapped, 0x10000 + 2 * PAGE, SWAPPED);
	mem.swapped = &swapped;
	for (size_t i = 0; i < 5; i++) {
		fake_mem_put(&fake, 0x10000 + i * PAGE, i + 1, 8);
		ranges[i] = (struct pw_mem_range){
			.addr = 0x10000 + i * PAGE, .buffer = &words[i], .size = sizeof(words[i])};
	}
	assert_int_equal(pw_mem_read_many(&mem, ranges, 5), 3);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(ranges[i].ok, i != 1 && i != 2);
		assert_int_equal(ranges[i].swapped, i == 1 || i == 2);
	}
	assert_int_equal(words[4], 5);
	assert_int_equal(fake.ranges_read, 3);
	assert_int_equal(pw_mem_read_u64(&mem, 0x10000 + PAGE, words), -EFAULT);
	assert_int_equal(mem.swapped_out, 1);
	assert_int_equal(fake.ranges_read, 3);
	fake.error = -ESRCH;
	assert_int_equal(pw_mem_read_many(&mem, ranges, 5), -ESRCH);
	pw_swapped_close(&swapped);
	fake_mem_done(&fake);
}

static int walk(struct pw_census *census, struct fake_go *go)
{
	int r = pw_census_begin(census, &go->target);

	while (!r) {
		r = pw_census_step(census, UINT64_MAX);
		if (r != -EAGAIN)
			return r;
		r = 0;
	}
	return r;
}

static void goroutines_on_such_pages_are_skipped_and_counted(void **state)
{
	struct fake_go *go = fake_go_new(24, 1000, 1); /* 8 on a page */
	struct pw_swapped swapped = new_pagemap();
	struct pw_census *census;
	const struct pw_census_result *result;

	(void)state;
	assert_int_equal(pw_census_new(&census), 0);
	result = pw_census_result(census);
	go->target.mem.swapped = &swapped;
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(result->count, 1000);
	for (uint64_t page = 10; page < 60; page++) /* far more than what would be garbage */
		set_page(&swapped, FAKE_GO_GS + page * PAGE, SWAPPED);
	assert_int_equal(walk(census, go), 0);
	assert_int_equal(result->count, 600);
	assert_int_equal(result->skipped, 400);
	assert_int_equal(result->swapped, 400);
	assert_int_equal(result->torn, 0);
	for (size_t i = 1; i < result->count; i++)
		assert_true(result->goroutines[i - 1].addr < result->goroutines[i].addr);

	set_page(&swapped, FAKE_GO_LIST, SWAPPED); /* the list itself */
	assert_int_equal(walk(census, go), -EFAULT);
	set_page(&swapped, FAKE_GO_LIST, PRESENT);
	for (uint64_t page = 0; page < 125; page++)
		set_page(&swapped, FAKE_GO_GS + page * PAGE, SWAPPED);
	assert_int_equal(walk(census, go), -EFAULT); /* no garbage: nothing of it is there */
	assert_int_equal(result->count, 0);
	assert_ptr_equal(go->target.mem.swapped, &swapped); /* the caller's stays */
	pw_census_free(census);
	pw_swapped_close(&swapped);
	fake_go_free(go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_out_if_any_of_its_pages_is),
		cmocka_unit_test(what_is_swapped_out_is_not_read),
		cmocka_unit_test(goroutines_on_such_pages_are_skipped_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
