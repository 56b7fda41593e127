/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_FOLDED_H
#define PW_OUTPUT_FOLDED_H

#include <stdint.h>

struct pw_buf;
struct pw_profile;
struct pw_profile_frame;

/* One line of folded stacks, "outermost;...;innermost;[state] value": frames innermost first, state may be NULL. A
 * value of 0 is no line. */
void pw_folded_line(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_frame *frames,
		    uint32_t count, const char *state, uint64_t value);

#endif
