/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/macros.h"
#include "reader/reader.h"
#include "target/symbolize.h"

/* A reader made up: it keeps what it is asked, and answers when the test says. These stand in for the library's. */
static struct {
	uint64_t pcs[PW_READER_PCS_MAX];
	size_t count;
	unsigned int requests, cancelled, waits;
	int64_t under_way;
	int refuse; /* what asking returns */
	pw_reader_symbols_fn callback;
	void *context;
} reader;

int64_t pw_reader_ask_symbols(struct pw_reader *unused, int exe_fd, const char *build_id, const uint64_t *pcs,
			      size_t count, pw_reader_symbols_fn callback, void *context)
{
	assert_null(unused);
	assert_true(exe_fd > STDERR_FILENO);
	assert_string_equal(build_id, "go:try");
	assert_true(count && count <= PW_READER_PCS_MAX);
	assert_int_equal(reader.under_way, 0);
	if (reader.refuse)
		return reader.refuse;
	memcpy(reader.pcs, pcs, count * sizeof(*pcs));
	reader.count = count;
	reader.callback = callback;
	reader.context = context;
	return reader.under_way = ++reader.requests;
}

void pw_reader_cancel(struct pw_reader *unused, int64_t id)
{
	assert_null(unused);
	assert_int_equal(id, reader.under_way);
	reader.under_way = 0;
	reader.cancelled++;
}

/* Each pc is in a function named after it, inlined into another; pc 0xdead has no name. The strings die at once. */
static void answer(void)
{
	static struct pw_symbol symbols[PW_READER_PCS_MAX];
	static struct pw_frame frames[PW_READER_PCS_MAX][2];
	static char names[PW_READER_PCS_MAX][2][32];
	struct pw_symbols all = {.count = reader.count, .symbols = symbols};

	for (size_t i = 0; i < reader.count; i++) {
		snprintf(names[i][0], sizeof(names[i][0]), "inner_%llx", (unsigned long long)reader.pcs[i]);
		snprintf(names[i][1], sizeof(names[i][1]), "outer_%llx", (unsigned long long)reader.pcs[i]);
		frames[i][0] = (struct pw_frame){names[i][0], "a.go", 7, true, false};
		frames[i][1] = (struct pw_frame){names[i][1], "b.go", 9, false, true};
		symbols[i] = (struct pw_symbol){.pc = reader.pcs[i],
						.entry = reader.pcs[i] & ~0xffULL,
						.frame_count = reader.pcs[i] == 0xdead ? 0 : 2,
						.frames = frames[i]};
	}
	assert_true(reader.under_way);
	reader.under_way = 0;
	reader.callback(reader.context, 0, &all, NULL);
	memset(names, 'X', sizeof(names));
}

static void fail_with(int r)
{
	assert_true(reader.under_way);
	reader.under_way = 0;
	reader.callback(reader.context, r, NULL, "for a reason");
}

int pw_reader_wait(struct pw_reader *unused, int64_t id)
{
	assert_null(unused);
	assert_int_equal(id, reader.under_way);
	reader.waits++;
	answer();
	return 0;
}

static struct pw_symbolizer *begin(void)
{
	struct pw_symbolizer *symbolizer = NULL;

	memset(&reader, 0, sizeof(reader));
	assert_int_equal(pw_symbolizer_new(&symbolizer, NULL, STDIN_FILENO, "go:try"), 0);
	return symbolizer;
}

static void names_come_with_the_answer_and_stay(void **state)
{
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames, *again;

	(void)state;
	assert_int_equal(pw_symbolize(symbolizer, 0x401005, true, &frames), -EAGAIN);
	assert_int_equal(pw_symbolize(symbolizer, 0x401004, false, &frames), -EAGAIN); /* the same place */
	assert_int_equal(pw_symbolize(symbolizer, 0xdead, false, &frames), -EAGAIN);
	assert_int_equal(reader.requests, 0); /* nothing goes out by itself */
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(reader.count, 2);
	assert_int_equal(reader.pcs[0], 0x401004);
	assert_int_equal(pw_symbolize(symbolizer, 0x401005, true, &frames), -EAGAIN);
	answer();
	assert_int_equal(pw_symbolize(symbolizer, 0x401005, true, &frames), 2);
	assert_string_equal(frames[0].function, "inner_401004");
	assert_true(frames[0].inlined);
	assert_string_equal(frames[1].function, "outer_401004");
	assert_true(frames[1].wrapper);
	assert_int_equal(frames[1].line, 9);
	assert_int_equal(frames[0].entry, 0x401000);
	assert_int_equal(pw_symbolize(symbolizer, 0x401004, false, &again), 2);
	assert_ptr_equal(again, frames);
	assert_int_equal(pw_symbolize(symbolizer, 0xdead, false, &frames), 0); /* known to have none */
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(reader.requests, 1);
	pw_symbolizer_free(symbolizer);
	assert_int_equal(reader.cancelled, 0);
}

static void many_are_asked_in_batches_one_at_a_time(void **state)
{
	enum { COUNT = 2 * PW_READER_PCS_MAX + 10 };
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames;
	char name[32];

	(void)state;
	for (uint64_t i = 0; i < COUNT; i++)
		assert_int_equal(pw_symbolize(symbolizer, 0x500000 + i, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0); /* the fake refuses a second one under way */
	assert_int_equal(reader.requests, 1);
	answer();
	assert_int_equal(pw_symbolizer_settle(symbolizer), 0);
	assert_int_equal(reader.requests, 3);
	assert_int_equal(reader.waits, 2);
	for (uint64_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "inner_%llx", (unsigned long long)(0x500000 + i));
		assert_int_equal(pw_symbolize(symbolizer, 0x500000 + i, false, &frames), 2);
		assert_string_equal(frames[0].function, name);
	}
	pw_symbolizer_free(symbolizer);
}

static void a_reader_that_dies_is_asked_once_more(void **state)
{
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames;

	(void)state;
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	fail_with(-ECONNRESET);
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(reader.requests, 2);
	answer();
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), 2);
	/* An answer in between makes good for it: the next failure is a first one again. */
	assert_int_equal(pw_symbolize(symbolizer, 0x402000, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	fail_with(-ETIMEDOUT);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(reader.requests, 4);
	fail_with(-ETIMEDOUT);
	assert_int_equal(pw_symbolize(symbolizer, 0x402000, false, &frames), 0);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(reader.requests, 4);
	pw_symbolizer_free(symbolizer);
}

static void a_file_that_lies_is_not_asked_again(void **state)
{
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames;

	(void)state;
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	fail_with(-EBADMSG);
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), 0);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	assert_int_equal(reader.requests, 1);
	pw_symbolizer_free(symbolizer);
}

static void a_reader_that_is_busy_is_asked_later(void **state)
{
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames;

	(void)state;
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), -EAGAIN);
	reader.refuse = -EAGAIN;
	assert_int_equal(pw_symbolizer_flush(symbolizer), -EAGAIN);
	reader.refuse = 0;
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	answer();
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), 2);
	pw_symbolizer_free(symbolizer);
}

static void beyond_the_cap_there_are_no_names(void **state)
{
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames;

	(void)state;
	for (uint64_t i = 0; i < PW_SYMBOLS_MAX; i++)
		assert_int_equal(pw_symbolize(symbolizer, 0x1000000 + i, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), 0);
	assert_null(frames);
	pw_symbolizer_free(symbolizer);
}

static void what_is_under_way_is_cancelled_at_the_end(void **state)
{
	struct pw_symbolizer *symbolizer = begin();
	const struct pw_located_frame *frames;

	(void)state;
	assert_int_equal(pw_symbolize(symbolizer, 0x401000, false, &frames), -EAGAIN);
	assert_int_equal(pw_symbolizer_flush(symbolizer), 0);
	pw_symbolizer_free(symbolizer);
	assert_int_equal(reader.cancelled, 1);
	pw_symbolizer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_with_the_answer_and_stay),
		cmocka_unit_test(many_are_asked_in_batches_one_at_a_time),
		cmocka_unit_test(a_reader_that_dies_is_asked_once_more),
		cmocka_unit_test(a_file_that_lies_is_not_asked_again),
		cmocka_unit_test(a_reader_that_is_busy_is_asked_later),
		cmocka_unit_test(beyond_the_cap_there_are_no_names),
		cmocka_unit_test(what_is_under_way_is_cancelled_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
