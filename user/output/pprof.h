/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_PPROF_H
#define PW_OUTPUT_PPROF_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct pw_buf;
struct pw_profile;
struct pw_profile_frame;

/*
 * profile.proto (github.com/google/pprof) of any kind of stacks: samples are added one by one, finish writes them,
 * compressed. Strings of frames are those of the profile that it is made for, which also says whose it is.
 */
struct pw_pprof;

struct pw_pprof_type {
	const char *name, *unit; /* "inuse_space", "bytes" */
};
struct pw_pprof_kind {
	const struct pw_pprof_type *types; /* of the values of each sample */
	size_t type_count;
	struct pw_pprof_type period_type;
	uint64_t period, duration_ns;
	const char *default_type;
};
struct pw_pprof_label {
	const char *key, *text; /* text NULL: a number */
	uint64_t number;
	const char *unit;
};
struct pw_pprof_sample {
	const struct pw_profile_frame *frames; /* innermost first; NULL: */
	const uint32_t *numbers;	       /* of those of the profile, which stacks share */
	uint32_t frame_count;
	const char *stackless; /* the name of the one frame of a sample without frames */
	const uint64_t *values;
	size_t value_count;
	const struct pw_pprof_label *labels;
	size_t label_count;
};

/* The profile is borrowed. 0 or -ENOMEM. */
int pw_pprof_new(struct pw_pprof **ret_writer, const struct pw_profile *profile) __attribute__((warn_unused_result));
void pw_pprof_free(struct pw_pprof *writer);
PW_DEFINE_CLEANUP(struct pw_pprof *, pw_pprof_free);
void pw_pprof_add(struct pw_pprof *writer, const struct pw_pprof_sample *sample);
/* Once, at the end: 0, or the first error of all that was added (-E2BIG, -ENOMEM). */
int pw_pprof_finish(struct pw_pprof *writer, const struct pw_pprof_kind *kind, struct pw_buf *out)
	__attribute__((warn_unused_result));

#endif
