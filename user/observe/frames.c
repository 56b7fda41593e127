/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/frames.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/builder.h"
#include "observe/profile_names.h"
#include "target/snapshot.h"
#include "target/symbolize.h"

int pw_stack_ask(struct pw_symbolizer *symbolizer, const struct pw_snapshot_pc *pcs, size_t count)
{
	const struct pw_located_frame *frames;
	int missing = 0;

	for (size_t i = 0; i < count; i++) {
		int r = pw_name_frames(symbolizer, pcs[i].pc, pcs[i].is_return, &frames);

		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == -EAGAIN)
			missing = r;
	}
	return missing;
}

/* src/runtime/traceback.go:elideWrapperCalling: not below a panic. */
static bool is_panic(const char *function)
{
	return !strcmp(function, "runtime.gopanic") || !strcmp(function, "runtime.sigpanic") ||
	       !strcmp(function, "runtime.panicwrap");
}

int pw_stack_frames(struct pw_symbolizer *symbolizer, const struct pw_snapshot_pc *pcs, size_t count, pw_frame_fn fn,
		    void *context)
{
	const char *callee = NULL;
	int r = 0;

	for (size_t i = 0; i < count && !r; i++) {
		uint64_t addr = pcs[i].is_return && pcs[i].pc ? pcs[i].pc - 1 : pcs[i].pc;
		const struct pw_located_frame *frames;
		int n = pw_name_frames(symbolizer, pcs[i].pc, pcs[i].is_return, &frames);

		if (n <= 0)
			r = fn(context, NULL, &pcs[i], addr);
		for (int k = 0; k < n && !r; k++) {
			if (frames[k].wrapper && callee && !is_panic(callee))
				continue;
			callee = frames[k].function;
			r = fn(context, &frames[k], &pcs[i], addr);
		}
	}
	return r;
}

const char *pw_function_shown(const char *name, char text[PW_FUNCTION_TEXT_MAX])
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');

	if (!open || !close || close < open)
		return name;
	snprintf(text, PW_FUNCTION_TEXT_MAX, "%.*s[...]%s", (int)(open - name), name, close + 1);
	return text;
}

void pw_frames_index(struct pw_named_frame *frames, size_t count, struct pw_record_builder *builder)
{
	char text[PW_FUNCTION_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		const char *function = frames[i].function ? pw_function_shown(frames[i].function, text) : NULL;

		frames[i].function_id = pw_record_builder_string(builder, function);
		frames[i].file_id = pw_record_builder_string(builder, frames[i].file);
	}
}

uint32_t pw_frames_write(const struct pw_named_frame *frames, size_t count, struct pw_record_builder *builder)
{
	struct pw_record_stack *stack;
	uint32_t index, last = 0, written = 0;

	for (size_t i = 0; i < count; i++) {
		struct pw_record_frame *to = pw_record_builder_frame(builder, &last);

		if (!to)
			break;
		*to = (struct pw_record_frame){.function = frames[i].function_id,
					       .file = frames[i].file_id,
					       .line = frames[i].line,
					       .inlined = frames[i].inlined,
					       .addr = frames[i].addr};
		written++;
	}
	stack = written ? pw_record_builder_stack(builder, &index) : NULL;
	if (!stack)
		return UINT32_MAX;
	stack->first = last + 1 - written;
	stack->count = written;
	return index;
}
