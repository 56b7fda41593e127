/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/mem.h"

#define PAGE 4096u

/* Three pages, the middle one unmapped: [0] 0x11.., [2] 0x33.. */
static uint8_t *pages_with_a_hole(void)
{
	uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	for (size_t i = 0; i < PAGE; i++) {
		pages[i] = 0x11;
		pages[2 * PAGE + i] = 0x33;
	}
	assert_int_equal(munmap(pages + PAGE, PAGE), 0);
	return pages;
}

static void an_unreadable_range_costs_only_itself(void **state)
{
	uint8_t *pages = pages_with_a_hole(), out[5000][8];
	static struct pw_mem_range ranges[5000]; /* several batches */
	struct pw_mem mem;

	(void)state;
	assert_int_equal(pw_mem_process(&mem, getpid()), 0);
	for (size_t i = 0; i < 5000; i++)
		ranges[i] = (struct pw_mem_range){
			.addr = (uint64_t)(uintptr_t)pages + (i % 3) * PAGE, .buffer = out[i], .size = 8};
	ranges[7].addr = (uint64_t)(uintptr_t)pages + PAGE - 4; /* half of it is there */
	assert_int_equal(pw_mem_read_many(&mem, ranges, 5000), 5000 - 1667);
	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(ranges[i].ok, i % 3 != 1);
		if (i % 3 != 1)
			assert_int_equal(out[i][5], i % 3 ? 0x33 : 0x11);
	}
	assert_int_equal(mem.bytes, (5000 - 1667) * 8);
	munmap(pages, 3 * PAGE);
}

static void single_reads_say_what_is_wrong(void **state)
{
	uint8_t *pages = pages_with_a_hole();
	uint64_t word = 1, addr = (uint64_t)(uintptr_t)pages;
	uint32_t half = 1;
	struct pw_mem mem;
	pid_t child;

	(void)state;
	assert_int_equal(pw_mem_process(&mem, getpid()), 0);
	assert_int_equal(pw_mem_read_u64(&mem, addr + 2 * PAGE, &word), 0);
	assert_true(word == 0x3333333333333333);
	assert_int_equal(pw_mem_read_u32(&mem, addr, &half), 0);
	assert_int_equal(half, 0x11111111);
	assert_int_equal(pw_mem_read_u64(&mem, addr + PAGE, &word), -EFAULT);
	assert_int_equal(pw_mem_read_u64(&mem, 0, &word), -EFAULT);
	assert_int_equal(pw_mem_read_u64(&mem, UINT64_MAX - 3, &word), -EFAULT);
	assert_true(word == 0x3333333333333333); /* untouched by what failed */
	child = fork();
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(pw_mem_process(&mem, child), 0);
	assert_int_equal(pw_mem_read_u64(&mem, addr, &word), -ESRCH);
	assert_int_equal(pw_mem_process(&mem, 0), -ESRCH);
	munmap(pages, 3 * PAGE);
}

/* A child that waits on a pipe uses no CPU time, and some once it was told to go on. */
static void cpu_time_stands_still_while_nothing_runs(void **state)
{
	struct pw_mem mem, gone;
	int asks[2], answers[2];
	uint64_t before, after;
	char byte = 0;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(asks), 0);
	assert_int_equal(pipe(answers), 0);
	child = fork();
	if (!child) {
		while (read(asks[0], &byte, 1) == 1)
			(void)!write(answers[1], &byte, 1);
		_exit(0);
	}
	assert_int_equal(pw_mem_process(&mem, child), 0);
	assert_int_equal(write(asks[1], &byte, 1), 1);
	assert_int_equal(read(answers[0], &byte, 1), 1);
	do { /* until it waits again */
		before = pw_mem_ran_ns(&mem);
		usleep(20000);
		after = pw_mem_ran_ns(&mem);
	} while (before != after);
	assert_true(before > 0);
	assert_int_equal(write(asks[1], &byte, 1), 1);
	assert_int_equal(read(answers[0], &byte, 1), 1);
	assert_true(pw_mem_ran_ns(&mem) > before);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(pw_mem_ran_ns(&mem), 0);
	gone = (struct pw_mem){};
	assert_int_equal(pw_mem_ran_ns(&gone), 0);
	for (int i = 0; i < 2; i++) {
		close(asks[i]);
		close(answers[i]);
	}
}

static void nothing_asked_is_nothing_read(void **state)
{
	struct pw_mem mem;

	(void)state;
	assert_int_equal(pw_mem_process(&mem, getpid()), 0);
	assert_int_equal(pw_mem_read_many(&mem, NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unreadable_range_costs_only_itself),
		cmocka_unit_test(single_reads_say_what_is_wrong),
		cmocka_unit_test(nothing_asked_is_nothing_read),
		cmocka_unit_test(cpu_time_stands_still_while_nothing_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
