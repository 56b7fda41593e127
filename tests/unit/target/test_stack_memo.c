/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "target/stack_memo.h"
#include "target/stacks.h"
#include "target/unwind.h"

#define TEXT  0x1000
#define ETEXT 0x9000
#define TOP   0x8000
#define WORDS 64u

static const uint64_t callers[] = {0x2000, 0x3000, 0x4000, 0x5000};

static struct pw_frame_table new_frames(void)
{
	struct pw_frame_table table = {};

	for (size_t i = 0; i < 4; i++) {
		struct pw_frame_info info = {.pc = callers[i], .size = (int32_t)(8 * (i + 1))};

		assert_int_equal(pw_frame_table_put(&table, &info), 0);
	}
	assert_int_equal(pw_frame_table_put(&table, &(struct pw_frame_info){.pc = TOP, .top = true}), 0);
	return table;
}

static struct pw_unwind_start start_at(const uint64_t *words, size_t count)
{
	return (struct pw_unwind_start){.arch = PW_ARCH_AMD64,
					.pc = callers[0],
					.bytes = (const uint8_t *)words,
					.size = count * 8,
					.text = TEXT,
					.etext = ETEXT};
}

/* callers[0] has a frame of one word, so its return address is words[1]; that of callers[1] is two words further. */
static void a_stack_with_the_same_words_is_found(void **state)
{
	uint64_t words[WORDS] = {[1] = callers[1], [4] = TOP}, other[WORDS] = {7, callers[1], 9, 9, TOP, 1};
	struct pw_frame_table frames = new_frames();
	struct pw_unwind_start start = start_at(words, WORDS);
	struct pw_unwind_stack walked;
	struct pw_stack_memo memo = {};

	(void)state;
	pw_unwind(&start, &frames, &walked);
	assert_int_equal(walked.count, 3);
	assert_false(walked.truncated);
	assert_int_equal(walked.read_count, 2);
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	pw_stack_memo_keep(&memo, &start, &walked, 42);
	assert_int_equal(pw_stack_memo_find(&memo, &start), 42);

	start = start_at(other, WORDS); /* what no walk reads may differ */
	assert_int_equal(pw_stack_memo_find(&memo, &start), 42);
	start.size = 5 * 8;
	assert_int_equal(pw_stack_memo_find(&memo, &start), 42);
	start.size = 5 * 8 - 1; /* the outermost word is not there */
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	start.size = 0;
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	start = start_at(other, WORDS);
	start.pc = callers[1];
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	start = start_at(other, WORDS);
	start.lr = 1;
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	start = start_at(other, WORDS);
	other[1] = callers[2];
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	pw_frame_table_done(&frames);
}

static void stacks_that_were_not_walked_to_their_end_are_not_kept(void **state)
{
	uint64_t words[WORDS] = {[1] = callers[1], [4] = 5};
	struct pw_frame_table frames = new_frames();
	struct pw_unwind_start start = start_at(words, WORDS);
	struct pw_unwind_stack walked;
	struct pw_stack_memo memo = {};

	(void)state;
	pw_unwind(&start, &frames, &walked);
	assert_true(walked.truncated);
	pw_stack_memo_keep(&memo, &start, &walked, 1);
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);

	words[4] = 0x6000; /* nobody knows its frame yet */
	pw_unwind(&start, &frames, &walked);
	assert_int_equal(walked.missing, 0x6000);
	pw_stack_memo_keep(&memo, &start, &walked, 1);
	assert_int_equal(pw_stack_memo_find(&memo, &start), PW_STACK_NONE);
	pw_frame_table_done(&frames);
}

static uint32_t id_of(const struct pw_unwind_stack *walked)
{
	uint32_t id = 0;

	for (uint32_t i = 0; i < walked->count; i++)
		id = id * 31 + (uint32_t)(walked->packed[i] >> 12);
	return id & 0xffffff;
}

static void whatever_is_found_is_what_a_walk_says(void **state)
{
	struct pw_frame_table frames = new_frames();
	struct pw_stack_memo memo = {};
	unsigned int found = 0;

	(void)state;
	srand(11);
	for (int round = 0; round < 200000; round++) {
		uint64_t words[12];
		struct pw_unwind_start start = start_at(words, 3 + (size_t)rand() % 10);
		struct pw_unwind_stack walked;
		uint32_t id;

		for (size_t i = 0; i < 12; i++)
			words[i] = rand() % 3 ? TOP : callers[rand() % 4];
		id = pw_stack_memo_find(&memo, &start);
		pw_unwind(&start, &frames, &walked);
		if (id != PW_STACK_NONE) {
			assert_false(walked.truncated);
			assert_int_equal(id, id_of(&walked));
			found++;
		} else {
			pw_stack_memo_keep(&memo, &start, &walked, id_of(&walked));
		}
		if (round % 50000 == 0)
			pw_stack_memo_reset(&memo);
	}
	assert_true(found > 50000 && found < 199000);
	pw_frame_table_done(&frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_with_the_same_words_is_found),
		cmocka_unit_test(stacks_that_were_not_walked_to_their_end_are_not_kept),
		cmocka_unit_test(whatever_is_found_is_what_a_walk_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
