/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_FLAME_H
#define PW_OUTPUT_FLAME_H

#include <stdint.h>

#include "base/macros.h"

struct pw_buf;
struct pw_profile;
struct pw_profile_frame;

/*
 * A flame graph of any kind of stacks: one SVG file that needs nothing else. Stacks are added one by one, finish draws
 * them. Strings of frames are those of the profile that it is made for, which also says whose it is.
 */
struct pw_flame;

enum pw_flame_unit { PW_FLAME_GOROUTINES, PW_FLAME_MICROSECONDS, PW_FLAME_BYTES };
struct pw_flame_title {
	const char *text; /* what the widths are */
	enum pw_flame_unit unit;
};

/* The profile is borrowed. 0 or -ENOMEM. */
int pw_flame_new(struct pw_flame **ret_flame, const struct pw_profile *profile) __attribute__((warn_unused_result));
void pw_flame_free(struct pw_flame *flame);
PW_DEFINE_CLEANUP(struct pw_flame *, pw_flame_free);
/* Frames innermost first; state: the leaf beneath them, which lives as long as the graph, or NULL. 0, -ENOMEM, -E2BIG.
 */
int pw_flame_add(struct pw_flame *flame, const struct pw_profile_frame *frames, uint32_t count, const char *state,
		 uint64_t value) __attribute__((warn_unused_result));
/* Once, at the end. 0, -ENOMEM, or the error of the buffer. */
int pw_flame_finish(struct pw_flame *flame, const struct pw_flame_title *title, struct pw_buf *out)
	__attribute__((warn_unused_result));

#endif
