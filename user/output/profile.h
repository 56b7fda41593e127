/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_PROFILE_H
#define PW_OUTPUT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_profile;
struct pw_profile_frame;

/*
 * A goroutine profile in every format. All append to out and return its error (-E2BIG, -ENOMEM) or 0. What a target
 * chose (names, labels) is escaped for the format at hand.
 */

/* For people: what is biggest, oldest, fastest growing, then at most top groups with stack and reading. */
int pw_profile_write_text(struct pw_buf *out, const struct pw_profile *profile, size_t top)
	__attribute__((warn_unused_result));
/* One goroutine with all that is known of it: the only row of the profile. */
int pw_profile_write_goroutine(struct pw_buf *out, const struct pw_profile *profile)
	__attribute__((warn_unused_result));

/* schema_version 1; pw_profile_write_json_schema says what is in it (JSON Schema, draft 2020-12). */
int pw_profile_write_json(struct pw_buf *out, const struct pw_profile *profile) __attribute__((warn_unused_result));
int pw_profile_write_json_schema(struct pw_buf *out) __attribute__((warn_unused_result));
/* Reads such a document back, for --diff: groups without rows. -EBADMSG it is none, -E2BIG, -ENOMEM, -ENOTSUP a
 * schema_version that we do not know. */
int pw_profile_read_json(const void *data, size_t size, struct pw_profile **ret_profile)
	__attribute__((warn_unused_result));

/* The formats below leave out the runtime's own goroutines, as runtime/pprof does. */

/* profile.proto (github.com/google/pprof), gzip: sample types goroutine/count and waiting/nanoseconds. */
int pw_profile_write_pprof(struct pw_buf *out, const struct pw_profile *profile) __attribute__((warn_unused_result));
/* "outermost;...;innermost;reason count" per line, for flame graph tools. */
int pw_profile_write_folded(struct pw_buf *out, const struct pw_profile *profile) __attribute__((warn_unused_result));
/* A flame graph, one file that needs nothing else: click to zoom, search by regular expression. */
int pw_profile_write_svg(struct pw_buf *out, const struct pw_profile *profile) __attribute__((warn_unused_result));
/* As /debug/pprof/goroutine?debug=2 and a crash print it; needs rows. */
int pw_profile_write_debug2(struct pw_buf *out, const struct pw_profile *profile) __attribute__((warn_unused_result));

#endif
