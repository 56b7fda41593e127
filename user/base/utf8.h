/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

/*
 * Length (1 to 4) of the valid UTF-8 character at the start of text, or 0 if there is none: stray, overlong, surrogate,
 * above U+10FFFF, or cut off by size. Control characters are valid characters. ret_code may be NULL.
 */
size_t pw_utf8_next(const char *text, size_t size, uint32_t *ret_code);

/* True for characters that a terminal or a log acts on instead of showing: C0, DEL, C1, line and bidi controls. */
bool pw_utf8_is_control(uint32_t code);
