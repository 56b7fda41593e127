/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_FRAMES_H
#define PW_OBSERVE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

struct pw_located_frame;
struct pw_record_builder;
struct pw_snapshot_pc;
struct pw_symbolizer;

/*
 * The frames of a stack as people know them: with inlined ones, without the wrappers that the compiler made, which the
 * runtime's own tracebacks leave out too. symbolizer NULL: no names.
 */

/* Asks for the names of all pcs: 0 all are there, -EAGAIN flush and come back, -errno. */
int pw_stack_ask(struct pw_symbolizer *symbolizer, const struct pw_snapshot_pc *pcs, size_t count)
	__attribute__((warn_unused_result));

/* Each frame, innermost first, with the pc that it is looked up by; frame NULL: that pc has no name. fn returns 0 to go
 * on; anything else ends it and is returned. */
typedef int (*pw_frame_fn)(void *context, const struct pw_located_frame *frame, const struct pw_snapshot_pc *pc,
			   uint64_t addr);
int pw_stack_frames(struct pw_symbolizer *symbolizer, const struct pw_snapshot_pc *pcs, size_t count, pw_frame_fn fn,
		    void *context);

/* A function as the runtime prints it: the shapes of generics are "..." (runtime.funcNameForPrint, go1.21; before, the
 * linker had written it so). Returns name, or text. */
#define PW_FUNCTION_TEXT_MAX 4096
const char *pw_function_shown(const char *name, char text[PW_FUNCTION_TEXT_MAX]);

/* A frame on its way into records: its strings, and their indices in those of one generation of the builder. */
struct pw_named_frame {
	const char *function, *file; /* owned by the symbolizer; NULL unknown */
	pw_string function_id, file_id;
	uint32_t line;
	bool inlined;
	uint64_t addr;
};

/* Finds the indices. */
void pw_frames_index(struct pw_named_frame *frames, size_t count, struct pw_record_builder *builder);
/* Writes a stack: its index in the draft, or UINT32_MAX if there is none or no room. */
uint32_t pw_frames_write(const struct pw_named_frame *frames, size_t count, struct pw_record_builder *builder);

#endif
