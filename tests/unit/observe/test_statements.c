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
#include "model/record.h"
#include "observe/statements.h"
#include "target/symbolize.h"

/* The symbolizer made up; it stands in for the library's. pcs below `answered` have been answered. */
static uint64_t answered;
static unsigned int lookups;

static const struct pw_located_frame plain[] = {{"main.serve", "main.go", 17, false, false, 0x1000}};
static const struct pw_located_frame inlined[] = {{"runtime.helper", "proc.go", 1, true, false, 0x2000},
						  {"main.start", "start.go", 23, true, false, 0x2000},
						  {"main.main", "main.go", 5, false, false, 0x2000}};
static const struct pw_located_frame newproc[] = {{"runtime.newproc", "proc.go", 2, false, false, 0x3000}};
static const struct pw_located_frame goexit[] = {{"runtime.goexit", "asm.s", 3, false, false, 0x4000}};

int pw_symbolize(struct pw_symbolizer *symbolizer, uint64_t pc, bool is_return_address,
		 const struct pw_located_frame **ret_frames)
{
	assert_ptr_equal(symbolizer, &answered);
	assert_true(is_return_address);
	lookups++;
	if (pc >= answered)
		return -EAGAIN;
	switch (pc & 0xf000) {
	case 0x1000:
		*ret_frames = plain;
		return ARRAY_SIZE(plain);
	case 0x2000:
		*ret_frames = inlined;
		return ARRAY_SIZE(inlined);
	case 0x3000:
		*ret_frames = newproc;
		return ARRAY_SIZE(newproc);
	case 0x4000:
		*ret_frames = goexit;
		return ARRAY_SIZE(goexit);
	default:
		return 0;
	}
}

static struct pw_statements statements;

static void begin(void)
{
	answered = lookups = 0;
	assert_int_equal(pw_statements_init(&statements, (struct pw_symbolizer *)&answered), 0);
}

static void a_place_is_kept(void **state)
{
	uint32_t first, second;

	(void)state;
	begin();
	first = pw_statements_find(&statements, 0x1001, 1);
	second = pw_statements_find(&statements, 0x1002, 1);
	assert_int_not_equal(first, second);
	assert_int_equal(pw_statements_find(&statements, 0x1001, 2), first);
	assert_int_equal(statements.count, 2);
	pw_statements_done(&statements);
}

static void fill(uint64_t now_ns)
{
	for (uint64_t i = 0; i < PW_STATEMENTS_MAX - 1; i++)
		assert_int_equal(pw_statements_find(&statements, 0x100000 + i, now_ns), i);
	assert_int_equal(statements.refused, 0);
}

static void when_it_is_full_new_ones_are_other(void **state)
{
	(void)state;
	begin();
	fill(PW_NS_PER_SEC);
	assert_int_equal(pw_statements_find(&statements, 0x1001, 2 * PW_NS_PER_SEC), PW_STATEMENTS_MAX - 1);
	assert_int_equal(pw_statements_find(&statements, 0x1002, 2 * PW_NS_PER_SEC), PW_STATEMENTS_MAX - 1);
	assert_int_equal(statements.refused, 2);
	assert_true(statements.items[PW_STATEMENTS_MAX - 1].gopc == PW_STATEMENT_OTHER);
	assert_int_equal(pw_statements_find(&statements, 0x100005, 2 * PW_NS_PER_SEC), 5); /* the old ones go on */
	pw_statements_done(&statements);
}

static void the_place_unused_longest_is_given_away_after_ten_minutes(void **state)
{
	const uint64_t later = PW_NS_PER_SEC + PW_STATEMENT_KEEP_NS, stack = 0x1234;

	(void)state;
	begin();
	fill(2 * PW_NS_PER_SEC);
	for (uint32_t i = 0; i < PW_STATEMENTS_MAX - 1; i++)
		statements.items[i].seen_ns = i == 77 ? PW_NS_PER_SEC : later;
	pw_statements_set_stack(&statements, 77, &stack, 1);
	assert_int_equal(pw_statements_find(&statements, 0x1001, later - 1), PW_STATEMENTS_MAX - 1);
	/* Who has just looked through all does not look again at once. */
	assert_int_equal(pw_statements_find(&statements, 0x1001, later), PW_STATEMENTS_MAX - 1);
	assert_int_equal(pw_statements_find(&statements, 0x1001, later + PW_STATEMENT_KEEP_NS / 10), 77);
	assert_int_equal(statements.items[77].gopc, 0x1001);
	assert_null(statements.items[77].stack);
	assert_int_equal(statements.unnamed, PW_STATEMENTS_MAX - 1);
	/* The one before is new again, and there is no place for it. */
	assert_int_equal(pw_statements_find(&statements, 0x100000 + 77, later + PW_STATEMENT_KEEP_NS / 10),
			 PW_STATEMENTS_MAX - 1);
	pw_statements_done(&statements);
}

static void names_are_asked_until_they_are_there(void **state)
{
	uint32_t one, two, none;

	(void)state;
	begin();
	one = pw_statements_find(&statements, 0x1001, 1);
	two = pw_statements_find(&statements, 0x2001, 1);
	none = pw_statements_find(&statements, 0x5001, 1);
	pw_statements_name(&statements);
	assert_int_equal(statements.unnamed, 3);
	answered = 0x2000;
	pw_statements_name(&statements);
	assert_int_equal(statements.unnamed, 2);
	assert_string_equal(statements.items[one].function, "main.serve");
	assert_null(statements.items[two].function);
	answered = UINT64_MAX;
	pw_statements_name(&statements);
	/* Where the go statement was written, not the runtime's helper that was inlined there. */
	assert_string_equal(statements.items[two].function, "main.start");
	assert_int_equal(statements.items[two].line, 23);
	assert_null(statements.items[none].function);
	assert_int_equal(statements.unnamed, 0);
	lookups = 0;
	pw_statements_name(&statements);
	assert_int_equal(lookups, 0);
	pw_statements_done(&statements);
}

static void creation_stacks_begin_at_the_go_statement(void **state)
{
	const uint64_t stack[] = {0x3001, 0x2001, 0x5001, 0x4001};
	struct pw_statement *statement;
	uint32_t index;

	(void)state;
	begin();
	index = pw_statements_find(&statements, 0x2001, 1);
	statement = &statements.items[index];
	pw_statements_set_stack(&statements, index, stack, ARRAY_SIZE(stack));
	assert_null(statement->frames); /* names first */
	answered = UINT64_MAX;
	pw_statements_name(&statements);
	assert_int_equal(statement->frame_count, 3);
	assert_string_equal(statement->frames[0].function, "main.start");
	assert_string_equal(statement->frames[1].function, "main.main");
	assert_null(statement->frames[2].function); /* known to have no name: the address is left */
	assert_int_equal(statement->frames[2].addr, 0x5001);
	lookups = 0;
	pw_statements_set_stack(&statements, index, stack, ARRAY_SIZE(stack));
	assert_int_equal(lookups, 0); /* the same: nothing to do */
	pw_statements_set_stack(&statements, index, stack, 2);
	assert_int_equal(statement->frame_count, 2);
	pw_statements_done(&statements);
}

static void a_record_says_what_the_table_says(void **state)
{
	const uint64_t stack[] = {0x3001, 0x2001};
	struct pw_record_builder *builder = NULL;
	struct pw_record *record = NULL;
	uint32_t first, second, written;

	(void)state;
	begin();
	answered = UINT64_MAX;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	first = pw_statements_find(&statements, 0x1001, 1);
	second = pw_statements_find(&statements, 0x2001, 1);
	pw_statements_set_stack(&statements, second, stack, ARRAY_SIZE(stack));
	pw_statements_name(&statements);
	for (int i = 0; i < 2; i++) { /* the second time strings have their numbers already */
		pw_record_builder_begin(builder);
		pw_statements_write(&statements, builder);
		assert_int_equal(pw_statements_write_stack(&statements, first, builder), UINT32_MAX);
		written = pw_statements_write_stack(&statements, second, builder);
		assert_int_equal(pw_record_builder_finish(builder, &record), 0);
		assert_int_equal(record->statement_count, 2);
		assert_string_equal(pw_record_string(record, record->statements[first].function), "main.serve");
		assert_int_equal(record->statements[second].gopc, 0x2001);
		assert_int_equal(record->stacks[written].count, 2);
		assert_string_equal(
			pw_record_string(record, record->frames[record->stacks[written].first + 1].function),
			"main.main");
		pw_record_unref(record);
	}
	pw_record_builder_free(builder);
	pw_statements_done(&statements);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_kept),
		cmocka_unit_test(when_it_is_full_new_ones_are_other),
		cmocka_unit_test(the_place_unused_longest_is_given_away_after_ten_minutes),
		cmocka_unit_test(names_are_asked_until_they_are_there),
		cmocka_unit_test(creation_stacks_begin_at_the_go_statement),
		cmocka_unit_test(a_record_says_what_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
