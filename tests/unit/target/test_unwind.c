/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "target/unwind.h"

#define TEXT 0x401000
#define BIAS 0x100000
#define SP   0xc000010000

/* pcs, link-time */
#define PARK 0x402010 /* frame of 24 bytes */
#define LEAF 0x403010 /* frame of 0 bytes */
#define WORK 0x404010 /* 40 bytes */
#define TOP  0x405010

static struct pw_frame_table table;
static uint64_t words[512];

static void put(struct pw_frame_info info)
{
	assert_int_equal(pw_frame_table_put(&table, &info), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(words, 0, sizeof(words));
	put((struct pw_frame_info){.pc = PARK, .size = 24});
	put((struct pw_frame_info){.pc = LEAF, .size = 0});
	put((struct pw_frame_info){.pc = WORK, .size = 40});
	put((struct pw_frame_info){.pc = TOP, .size = 8, .top = true});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pw_frame_table_done(&table);
	return 0;
}

static struct pw_unwind_start start_at(enum pw_arch arch, uint64_t pc, size_t size)
{
	return (struct pw_unwind_start){
		.arch = arch,
		.pc = pc + BIAS,
		.sp = SP,
		.hi = SP + size,
		.bytes = (const uint8_t *)words,
		.size = size,
		.text = TEXT + BIAS,
		.etext = TEXT + 0x10000 + BIAS,
		.bias = BIAS,
	};
}

static void a_stack_of_amd64_is_walked_by_frame_sizes(void **state)
{
	struct pw_unwind_start start = start_at(PW_ARCH_AMD64, PARK, 160);
	struct pw_unwind_stack stack;

	(void)state;
	words[3] = WORK + BIAS;	       /* behind 24 bytes */
	words[3 + 1 + 5] = TOP + BIAS; /* behind 40 more */
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.missing, 0);
	assert_false(stack.truncated);
	assert_int_equal(stack.count, 3);
	assert_int_equal(stack.packed[0], PW_PACK_PC((uint64_t)PARK, 1));
	assert_int_equal(stack.packed[1], PW_PACK_PC((uint64_t)WORK, 1));
	assert_int_equal(stack.packed[2], PW_PACK_PC((uint64_t)TOP, 1));
}

static void what_a_signal_interrupted_is_no_return_address(void **state)
{
	struct pw_unwind_start start = start_at(PW_ARCH_AMD64, 0x406010, 160);
	struct pw_unwind_stack stack;

	(void)state;
	put((struct pw_frame_info){.pc = 0x406010, .size = 8, .injects = true}); /* asyncPreempt */
	words[1] = WORK + BIAS;
	words[1 + 1 + 5] = TOP + BIAS;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, 3);
	assert_int_equal(stack.packed[1], PW_PACK_PC((uint64_t)WORK, 0));
	assert_int_equal(stack.packed[2], PW_PACK_PC((uint64_t)TOP, 1));
}

static void one_that_never_ran_stands_at_its_entry(void **state)
{
	struct pw_unwind_start start = start_at(PW_ARCH_AMD64, 0x407000, 160);
	struct pw_unwind_stack stack;

	(void)state;
	put((struct pw_frame_info){.pc = 0x407000, .size = 0, .at_entry = true});
	words[0] = TOP + BIAS;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, 2);
	assert_int_equal(stack.packed[0], PW_PACK_PC((uint64_t)0x407000, 0));
}

static void on_arm64_the_return_address_is_at_sp_or_in_a_register(void **state)
{
	struct pw_unwind_start start = start_at(PW_ARCH_ARM64, PARK, 160);
	struct pw_unwind_stack stack;

	(void)state;
	words[0] = WORK + BIAS; /* frame of PARK: 24 bytes */
	words[3] = TOP + BIAS;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, 3);
	assert_int_equal(stack.packed[1], PW_PACK_PC((uint64_t)WORK, 1));
	assert_false(stack.truncated);

	start = start_at(PW_ARCH_ARM64, LEAF, 160);
	start.lr = WORK + BIAS;
	words[0] = TOP + BIAS;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, 3);
	assert_int_equal(stack.packed[1], PW_PACK_PC((uint64_t)WORK, 1));
	assert_int_equal(stack.packed[2], PW_PACK_PC((uint64_t)TOP, 1));
}

static void an_unknown_pc_is_asked_for(void **state)
{
	struct pw_unwind_start start = start_at(PW_ARCH_AMD64, PARK, 160);
	struct pw_unwind_stack stack;

	(void)state;
	words[3] = 0x408010 + BIAS;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.missing, 0x408010);
	assert_int_equal(stack.missing_at, 32);
	put((struct pw_frame_info){.pc = 0x408010, .asked = true});
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.missing, 0x408010);
	put((struct pw_frame_info){.pc = 0x408010, .size = -1}); /* no function there, says the reader */
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.missing, 0);
	assert_true(stack.truncated);
	assert_int_equal(stack.count, 1);
}

static void no_stack_leads_out_of_its_bytes(void **state)
{
	struct pw_unwind_stack stack;

	(void)state;
	for (size_t size = 0; size <= 72; size += 4) {
		struct pw_unwind_start start = start_at(PW_ARCH_AMD64, PARK, size);

		words[3] = WORK + BIAS;
		words[9] = PARK + BIAS;
		pw_unwind(&start, &table, &stack);
		assert_true(stack.truncated);
		assert_int_equal(stack.count, size < 32 ? 1 : size < 80 ? 2 : 3);
	}
	put((struct pw_frame_info){.pc = 0x409010, .size = INT32_MAX});
	for (enum pw_arch arch = PW_ARCH_AMD64; arch <= PW_ARCH_ARM64; arch++) {
		struct pw_unwind_start start = start_at(arch, 0x409010, sizeof(words));

		words[0] = 0x409010 + BIAS;
		pw_unwind(&start, &table, &stack);
		assert_true(stack.truncated);
		assert_true(stack.count <= 2);
	}
}

static void garbage_and_endless_stacks_end(void **state)
{
	struct pw_unwind_start start = start_at(PW_ARCH_AMD64, LEAF, sizeof(words));
	struct pw_unwind_stack stack;

	(void)state;
	for (size_t i = 0; i < 512; i++)
		words[i] = LEAF + BIAS;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, PW_UNWIND_DEPTH_MAX);
	assert_true(stack.truncated);
	start.arch = PW_ARCH_ARM64; /* a function without a frame that calls itself: sp stands still */
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, PW_UNWIND_DEPTH_MAX);
	words[0] = 0xdeadbeefdeadbeef;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, 1);
	assert_true(stack.truncated);
	start.pc = 7;
	pw_unwind(&start, &table, &stack);
	assert_int_equal(stack.count, 0);
	assert_true(stack.truncated);
}

static void the_table_of_frames_grows_and_replaces(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 20000; i++)
		put((struct pw_frame_info){.pc = 0x500000 + i, .size = (int32_t)i});
	for (uint32_t i = 1; i <= 20000; i++)
		assert_int_equal(pw_frame_table_find(&table, 0x500000 + i)->size, i);
	put((struct pw_frame_info){.pc = 0x500007, .size = 1});
	assert_int_equal(pw_frame_table_find(&table, 0x500007)->size, 1);
	assert_null(pw_frame_table_find(&table, 0x500000));
	assert_null(pw_frame_table_find(&table, 0));
	assert_int_equal(pw_frame_table_put(&table, &(struct pw_frame_info){.pc = 0}), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stack_of_amd64_is_walked_by_frame_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_signal_interrupted_is_no_return_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_never_ran_stands_at_its_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(on_arm64_the_return_address_is_at_sp_or_in_a_register, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_unknown_pc_is_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_stack_leads_out_of_its_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(garbage_and_endless_stacks_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_table_of_frames_grows_and_replaces, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
