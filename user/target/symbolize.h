/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SYMBOLIZE_H
#define PW_TARGET_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_target;
struct pw_reader;
struct pw_frame_table;

struct pw_located_frame { /* strings are owned by the symbolizer */
	const char *function, *file;
	uint32_t line;
	bool inlined;
	bool wrapper;	/* made by the compiler: tracebacks leave out those that call */
	uint64_t entry; /* of the physical function; 0 unknown */
};

/*
 * pc -> frames of one build, with a capped cache. Misses are queued and asked in batches from the reader; until the
 * answer is there a pc is "not yet known".
 */
struct pw_symbolizer;

int pw_symbolizer_new(struct pw_symbolizer **ret_symbolizer, struct pw_reader *reader, int exe_fd, const char *build_id)
	__attribute__((warn_unused_result));
void pw_symbolizer_free(struct pw_symbolizer *symbolizer);

/* Frames of a link-time pc that is a return address (1 is subtracted) or exact. Number of frames, 0: known to have
 * none, -EAGAIN: asked, come back after the next flush was answered. *ret_frames lives until the symbolizer is freed.
 */
int pw_symbolize(struct pw_symbolizer *symbolizer, uint64_t pc, bool is_return_address,
		 const struct pw_located_frame **ret_frames) __attribute__((warn_unused_result));
/* What the unwinder has to know of pcs: all that was asked and answered so far. Owned by the symbolizer. */
const struct pw_frame_table *pw_symbolizer_frame_info(const struct pw_symbolizer *symbolizer);
/* Queues a link-time pc, exactly as it stands on a stack, for that table. 0, -E2BIG full, -ENOMEM. */
int pw_symbolizer_ask_frame(struct pw_symbolizer *symbolizer, uint64_t pc) __attribute__((warn_unused_result));
/* True while something is queued or asked. */
bool pw_symbolizer_busy(const struct pw_symbolizer *symbolizer);
/* Sends what is queued, if no request is under way. */
int pw_symbolizer_flush(struct pw_symbolizer *symbolizer);
/* One-shot commands: flush and wait until nothing is queued. */
int pw_symbolizer_settle(struct pw_symbolizer *symbolizer);

#endif
