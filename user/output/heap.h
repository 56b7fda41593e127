/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_HEAP_H
#define PW_OUTPUT_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct pw_buf;
struct pw_heap_profile;

/*
 * A heap profile in every format. All append to out and return its error (-E2BIG, -ENOMEM) or 0. What a target chose
 * (names) is escaped for the format at hand.
 */

struct pw_heap_shown {
	bool alloc; /* what was allocated, not what is in use */
	size_t top; /* text: sites, classes, types */
};

/* For people: what is biggest, what grows, then sites with their stacks; classes and types where there is no profile.
 */
int pw_heap_write_text(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
	__attribute__((warn_unused_result));

/* schema_version 1; pw_heap_write_json_schema says what is in it (JSON Schema, draft 2020-12). */
int pw_heap_write_json(struct pw_buf *out, const struct pw_heap_profile *heap) __attribute__((warn_unused_result));
int pw_heap_write_json_schema(struct pw_buf *out) __attribute__((warn_unused_result));
/* Reads such a document back, for --diff. -EBADMSG it is none, -E2BIG, -ENOMEM, -ENOTSUP a schema_version that we do
 * not know. */
int pw_heap_read_json(const void *data, size_t size, struct pw_heap_profile **ret_heap)
	__attribute__((warn_unused_result));

/* The formats below show sites; of a compared profile, growth. */

/* profile.proto (github.com/google/pprof), gzip, with the sample types of Go's own heap profile; of a profile that is
 * not merged each bucket is a sample with its size as a label, as there. */
int pw_heap_write_pprof(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
	__attribute__((warn_unused_result));
/* "outermost;...;innermost bytes" per line, for flame graph tools. */
int pw_heap_write_folded(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
	__attribute__((warn_unused_result));
/* A flame graph, one file that needs nothing else. */
int pw_heap_write_svg(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_shown *shown)
	__attribute__((warn_unused_result));

#endif
