/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_STATEMENTS_H
#define PW_OBSERVE_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "model/record.h"
#include "observe/frames.h"

struct pw_record_builder;
struct pw_symbolizer;

/*
 * The go statements of one target: each has a place in a table that it keeps as long as the target lives, so that
 * records differ little. When the table is full, a statement that has had no goroutine for a while gives up its place;
 * if there is none, new ones are summed up as "other" (PW_STATEMENT_OTHER, the last place).
 */
#define PW_STATEMENTS_MAX	4096U		/* PW_RECORD_STATEMENTS_MAX */
#define PW_STATEMENT_FRAMES_MAX 32U		/* of a creation stack */
#define PW_STATEMENT_KEEP_NS	600000000000ULL /* 10 min without goroutine or event before its place may be taken */

/* Events of one go statement held against the census: observe/drift.c. */
struct pw_statement_drift {
	uint64_t before_spawned, before_exited; /* when the last census began */
	uint64_t counted;			/* by that census */
	uint64_t base;				/* alive when counting began */
	bool base_known, base_exact;
	bool known, exact;
	int64_t difference; /* census - events */
};

struct pw_statement {
	uint64_t gopc;	  /* link-time */
	uint64_t seen_ns; /* last goroutine or event */
	bool seen_in_census, system;
	bool took_over;		     /* a place in the table that another one had */
	bool named;		     /* the answer on its name is there, even if it is "none" */
	const char *function, *file; /* owned by the symbolizer; NULL unknown */
	uint32_t line;
	uint64_t generation; /* of the builder whose indices these are */
	pw_string function_id, file_id;

	struct pw_statement_drift drift;

	uint64_t *stack; /* creation stack as asked last, link-time return addresses */
	size_t stack_depth;
	struct pw_named_frame *frames; /* NULL: not yet known */
	size_t frame_count;
};

struct pw_statements {
	struct pw_statement *items; /* PW_STATEMENTS_MAX places */
	size_t count;
	struct pw_table by_gopc;	  /* -> struct pw_statement, borrowed */
	struct pw_symbolizer *symbolizer; /* borrowed; NULL: no names */
	size_t unnamed;
	uint64_t refused;  /* goroutines and counts that went to "other", by statement sighting */
	bool full_of_live; /* no place to give away at the last look: not looked again before the next */
	uint64_t looked_ns;
};

int pw_statements_init(struct pw_statements *statements, struct pw_symbolizer *symbolizer)
	__attribute__((warn_unused_result));
void pw_statements_done(struct pw_statements *statements);

/* The place of gopc, a new one if need be; that of "other" if there is no room. Never fails. */
uint32_t pw_statements_find(struct pw_statements *statements, uint64_t gopc, uint64_t now_ns);

/* Asks again for the names that are not yet known. Cheap when all are. */
void pw_statements_name(struct pw_statements *statements);

/* The main goroutine is started by assembly through a wrapper that nobody knows: it is called by what it runs. */
void pw_statements_name_main(struct pw_statements *statements, struct pw_statement *statement);

/* Remembers the creation stack of a statement and asks for its frames. */
void pw_statements_set_stack(struct pw_statements *statements, uint32_t index, const uint64_t *stack, size_t depth);

/* Writes all statements into the draft, in the order of their places. */
void pw_statements_write(struct pw_statements *statements, struct pw_record_builder *builder);

/* Writes the creation stack of a statement: its index in the draft, or UINT32_MAX. */
uint32_t pw_statements_write_stack(struct pw_statements *statements, uint32_t index, struct pw_record_builder *builder);

#endif
