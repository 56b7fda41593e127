/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/statements.h"

#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "target/symbolize.h"

#define OTHER (PW_STATEMENTS_MAX - 1)

int pw_statements_init(struct pw_statements *statements, struct pw_symbolizer *symbolizer)
{
	*statements =
		(struct pw_statements){.by_gopc = PW_TABLE_INIT(PW_STATEMENTS_MAX, NULL), .symbolizer = symbolizer};
	statements->items = calloc(PW_STATEMENTS_MAX, sizeof(*statements->items));
	return statements->items ? 0 : -ENOMEM;
}

static void statement_clear(struct pw_statement *statement)
{
	free(statement->stack);
	free(statement->frames);
	*statement = (struct pw_statement){};
}

void pw_statements_done(struct pw_statements *statements)
{
	for (size_t i = 0; statements->items && i < statements->count; i++)
		statement_clear(&statements->items[i]);
	free(statements->items);
	pw_table_done(&statements->by_gopc);
	*statements = (struct pw_statements){};
}

/* The place that has been unused longest, if that is long enough; PW_STATEMENTS_MAX if there is none. */
static uint32_t unused_place(struct pw_statements *statements, uint64_t now_ns)
{
	uint32_t oldest = PW_STATEMENTS_MAX;

	if (statements->full_of_live && now_ns - statements->looked_ns < PW_STATEMENT_KEEP_NS / 10)
		return PW_STATEMENTS_MAX;
	for (uint32_t i = 0; i < OTHER; i++) {
		uint64_t seen_ns = statements->items[i].seen_ns;

		if (seen_ns < now_ns && now_ns - seen_ns >= PW_STATEMENT_KEEP_NS &&
		    (oldest == PW_STATEMENTS_MAX || seen_ns < statements->items[oldest].seen_ns))
			oldest = i;
	}
	statements->full_of_live = oldest == PW_STATEMENTS_MAX;
	statements->looked_ns = now_ns;
	return oldest;
}

static uint32_t other(struct pw_statements *statements, uint64_t now_ns)
{
	struct pw_statement *statement = &statements->items[OTHER];

	statements->count = PW_STATEMENTS_MAX;
	statement->gopc = PW_STATEMENT_OTHER;
	statement->named = true;
	statement->seen_ns = now_ns;
	statements->refused++;
	return OTHER;
}

uint32_t pw_statements_find(struct pw_statements *statements, uint64_t gopc, uint64_t now_ns)
{
	struct pw_statement *statement = pw_table_peek(&statements->by_gopc, &gopc, sizeof(gopc));
	uint32_t index;

	if (statement) {
		statement->seen_ns = now_ns;
		return (uint32_t)(statement - statements->items);
	}
	index = statements->count < OTHER ? (uint32_t)statements->count : unused_place(statements, now_ns);
	if (index == PW_STATEMENTS_MAX)
		return other(statements, now_ns);
	statement = &statements->items[index];
	if (pw_table_put_u64(&statements->by_gopc, gopc, statement) < 0)
		return other(statements, now_ns);
	if (index < statements->count) { /* takes over a place */
		pw_table_remove_u64(&statements->by_gopc, statement->gopc);
		statements->unnamed -= !statement->named;
		statement_clear(statement);
		statement->took_over = true;
	} else {
		statements->count++;
	}
	statement->gopc = gopc;
	statement->seen_ns = now_ns;
	statement->named = !gopc || !statements->symbolizer;
	statements->unnamed += !statement->named;
	return index;
}

static bool is_runtime(const char *function)
{
	return function && strncmp(function, "runtime.", 8) == 0;
}

/* The innermost frame that is not an inlined helper of the runtime. */
static const struct pw_located_frame *user_frame(const struct pw_located_frame *frames, int count)
{
	for (int i = 0; i + 1 < count; i++)
		if (!is_runtime(frames[i].function))
			return &frames[i];
	return &frames[count - 1];
}

/*
 * gopc is the return address of the call that the go statement became (src/runtime/proc.go:newproc, getcallerpc), so
 * the statement is at gopc - 1, as the runtime prints it (src/runtime/traceback.go:printcreatedby1).
 */
static void name_one(struct pw_statements *statements, struct pw_statement *statement)
{
	const struct pw_located_frame *frames, *frame;
	int count = pw_symbolize(statements->symbolizer, statement->gopc, true, &frames);

	if (count == -EAGAIN)
		return;
	statement->named = true;
	statements->unnamed--;
	statement->generation = 0;
	if (count <= 0)
		return;
	frame = user_frame(frames, count);
	statement->function = frame->function;
	statement->file = frame->file;
	statement->line = frame->line;
	if (!statement->seen_in_census)
		statement->system = is_runtime(frame->function);
}

void pw_statements_name_main(struct pw_statements *statements, struct pw_statement *statement)
{
	static const char name[] = "runtime.main";

	if (statement->function == name || statement->gopc == PW_STATEMENT_OTHER)
		return;
	statements->unnamed -= !statement->named;
	statement->named = true;
	statement->function = name;
	statement->file = NULL;
	statement->line = 0;
	statement->generation = 0;
}

/* Frames of the creation stack, when all are known: from the go statement outwards. */
static void frame_stack(struct pw_statements *statements, struct pw_statement *statement)
{
	struct pw_named_frame frames[PW_STATEMENT_FRAMES_MAX] = {};
	size_t count = 0;

	for (size_t i = 0; i < statement->stack_depth; i++) {
		const struct pw_located_frame *located = NULL;
		int found = statements->symbolizer
				    ? pw_symbolize(statements->symbolizer, statement->stack[i], true, &located)
				    : 0;

		if (found == -EAGAIN)
			return;
		for (int j = 0; j < PW_MAX(found, 1) && count < PW_STATEMENT_FRAMES_MAX; j++) {
			const struct pw_located_frame *from = found > 0 ? &located[j] : NULL;

			if (!count && from && is_runtime(from->function))
				continue; /* newproc and what it runs on */
			if (from && strcmp(from->function, "runtime.goexit") == 0)
				continue; /* where every goroutine ends: says nothing */
			frames[count].addr = statement->stack[i];
			if (from) {
				frames[count].function = from->function;
				frames[count].file = from->file;
				frames[count].line = from->line;
				frames[count].inlined = from->inlined;
			}
			count++;
		}
	}
	if (!count)
		return; /* all of it was the runtime's: asked again with the next stack */
	statement->frames = malloc(count * sizeof(*frames));
	if (!statement->frames)
		return;
	memcpy(statement->frames, frames, count * sizeof(*frames));
	statement->frame_count = count;
	statement->generation = 0;
}

void pw_statements_name(struct pw_statements *statements)
{
	for (size_t i = 0; statements->unnamed && i < statements->count; i++)
		if (!statements->items[i].named)
			name_one(statements, &statements->items[i]);
	for (size_t i = 0; i < statements->count; i++)
		if (statements->items[i].stack && !statements->items[i].frames)
			frame_stack(statements, &statements->items[i]);
}

void pw_statements_set_stack(struct pw_statements *statements, uint32_t index, const uint64_t *stack, size_t depth)
{
	struct pw_statement *statement = &statements->items[index];
	uint64_t *copy;

	depth = PW_MIN(depth, (size_t)PW_STATEMENT_FRAMES_MAX);
	if (!depth || index == OTHER ||
	    (depth == statement->stack_depth && memcmp(stack, statement->stack, depth * sizeof(*stack)) == 0))
		return;
	copy = malloc(depth * sizeof(*copy));
	if (!copy)
		return;
	memcpy(copy, stack, depth * sizeof(*copy));
	free(statement->stack);
	free(statement->frames);
	statement->stack = copy;
	statement->stack_depth = depth;
	statement->frames = NULL;
	statement->frame_count = 0;
	frame_stack(statements, statement);
}

static void index_strings(struct pw_statement *statement, struct pw_record_builder *builder)
{
	if (statement->generation == pw_record_builder_generation(builder))
		return;
	statement->generation = pw_record_builder_generation(builder);
	statement->function_id = pw_record_builder_string(builder, statement->function);
	statement->file_id = pw_record_builder_string(builder, statement->file);
	pw_frames_index(statement->frames, statement->frame_count, builder);
}

void pw_statements_write(struct pw_statements *statements, struct pw_record_builder *builder)
{
	for (size_t i = 0; i < statements->count; i++) {
		struct pw_statement *from = &statements->items[i];
		struct pw_record_statement *to = pw_record_builder_statement(builder, NULL);

		if (!to)
			return;
		index_strings(from, builder);
		to->gopc = from->gopc;
		to->function = from->function_id;
		to->file = from->file_id;
		to->line = from->line;
		to->system = from->system;
	}
}

uint32_t pw_statements_write_stack(struct pw_statements *statements, uint32_t index, struct pw_record_builder *builder)
{
	const struct pw_statement *statement = &statements->items[index];

	return pw_frames_write(statement->frames, statement->frame_count, builder);
}
