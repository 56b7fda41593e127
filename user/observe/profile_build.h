/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_PROFILE_BUILD_H
#define PW_OBSERVE_PROFILE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_profile;
struct pw_snapshot_result;
struct pw_symbolizer;

/*
 * From looks at all goroutines to a profile in words: equal goroutines (stack, status, wait reason, go statement)
 * become one group by a hash of their pcs, and only the pcs of groups are given names. A look is copied as far as it is
 * needed: the snapshot may go on to the next one.
 */
struct pw_profile_builder;

struct pw_profile_source {
	const char (*reason_names)[40]; /* of the target's runtime (go/layout.h), by code; borrowed */
	size_t reason_count;
	bool over;   /* many looks: time per state is summed up, there are no rows */
	bool frozen; /* of a core file: what its clock said is not known, so deadlines are not */
};

int pw_profile_builder_new(struct pw_profile_builder **ret_builder, const struct pw_profile_source *source)
	__attribute__((warn_unused_result));
void pw_profile_builder_free(struct pw_profile_builder *builder);

/* Takes a look: the only one, the second one (runs and ages are in it), or, with source->over, one of many, to which
 * weight_ns of time is given. 0, -ENOMEM, -E2BIG more different stacks than the caps allow. */
int pw_profile_builder_look(struct pw_profile_builder *builder, const struct pw_snapshot_result *look,
			    uint64_t weight_ns) __attribute__((warn_unused_result));

/*
 * Names everything into an empty profile of the caller: groups, frames, rows; summarized and sorted. -EAGAIN: names
 * were asked for, settle the symbolizer and call again. symbolizer NULL: no names, addresses only.
 */
int pw_profile_builder_finish(struct pw_profile_builder *builder, struct pw_symbolizer *symbolizer,
			      struct pw_profile *profile) __attribute__((warn_unused_result));

#endif
