/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* A core file that lies: refused, or everything of it is in order and goes over the reader's socket unchanged. */
#include "fuzz/file_input.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/why.h"
#include "binary/core.h"
#include "reader/protocol.h"

static uint64_t touch(const struct pw_core *core, size_t file_size)
{
	uint64_t sum = strlen(core->exe) + strlen(core->process) + strlen(core->build_id), end = 0;

	for (size_t i = 0; i < core->segments.count; i++) {
		const struct pw_core_segment *segment = &core->segments.items[i];

		if (segment->start < end || !segment->size || segment->held > segment->size ||
		    (segment->held && (segment->offset > file_size || segment->held > file_size - segment->offset)))
			__builtin_trap();
		end = segment->start + segment->size;
		if (pw_core_segment_at(core, segment->start) != segment || pw_core_segment_at(core, end - 1) != segment)
			__builtin_trap();
	}
	for (size_t i = 0; i < core->threads.count; i++)
		sum += core->threads.items[i].pc;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile uint64_t sink;
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(PW_READER_ANSWER_MAX);
	struct pw_core core, copy;
	struct pw_why why = {};

	if (!pw_core_parse(&copy, data, size, &why)) { /* as an answer */
		sink += strlen(copy.exe);
		pw_core_done(&copy);
	}
	if (pw_core_read(&core, file_input(data, size), &why))
		return 0;
	sink += touch(&core, size);
	if (pw_core_write(&out, &core) || pw_core_parse(&copy, pw_buf_text(&out), out.size, &why))
		__builtin_trap();
	if (copy.segments.count != core.segments.count || copy.threads.count != core.threads.count ||
	    strcmp(copy.exe, core.exe) != 0)
		__builtin_trap();
	pw_core_done(&copy);
	pw_core_done(&core);
	return 0;
}
