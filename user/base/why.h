/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/limits.h"
#include "base/macros.h"

/*
 * The cause of a failure as one sentence, filled where it is known by layers that do not log, and put into a message by
 * the caller that logs. Fixed size: it lives on the stack and in records of state.
 */
struct pw_why {
	char text[PW_WHY_TEXT_MAX];
};

/*
 * Writes the sentence and returns r, so that a caller says "return pw_why_set(why, -EBADMSG, ...)". why may be NULL.
 * Control characters and bytes that are not UTF-8 are shown escaped; a sentence that is too long is cut.
 */
int pw_why_set(struct pw_why *why, int r, const char *fmt, ...) pw_printf_like(3, 4);

/* Puts "prefix: " before what is already said; returns r. */
int pw_why_prefix(struct pw_why *why, int r, const char *fmt, ...) pw_printf_like(3, 4);

/* The sentence, or the name of the error r (negative errno) when nobody wrote one. Never NULL. */
const char *pw_why_text(const struct pw_why *why, int r);
