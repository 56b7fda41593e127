/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_PLACE_H
#define PW_OUTPUT_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct pw_buf;
struct pw_profile;
struct pw_profile_frame;

/* Pieces of text that every profile shows to people. */

void pw_put_foreign(struct pw_buf *out, const char *text); /* escaped for a terminal */
void pw_put_string(struct pw_buf *out, const struct pw_profile *profile, uint32_t string);
/* "main.leak main.go:42"; whole: with the path of the file, unless the function's name says it ("net/http.Get
 * client.go:42"). */
void pw_put_place(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_frame *frame,
		  bool whole);

#define PW_GROUPED_SIZE 32
const char *pw_grouped(uint64_t value, char text[PW_GROUPED_SIZE]); /* "1,312" */

/* A function of the runtime's own packages? */
bool pw_is_runtime_name(const char *function);

#endif
