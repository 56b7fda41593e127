/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_PROFILE_NAMES_H
#define PW_OBSERVE_PROFILE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct pw_located_frame;
struct pw_profile;
struct pw_profile_frame;
struct pw_symbolizer;
struct pw_target;

/* From program counters to frames of a profile, for all who build one. */

/* Whose profile it is, and when: everything of its head. */
void pw_profile_describe(struct pw_profile *profile, const struct pw_target *target);

/* As pw_symbolize; without a symbolizer nothing has a name. */
int pw_name_frames(struct pw_symbolizer *symbolizer, uint64_t pc, bool is_return,
		   const struct pw_located_frame **ret_frames) __attribute__((warn_unused_result));
/* Interned as the runtime prints it: shapes of generics are "...". */
uint32_t pw_name_function(struct pw_profile *profile, const char *name);
/* addr: the link-time pc as it was looked up. */
struct pw_profile_frame pw_name_frame(struct pw_profile *profile, const struct pw_located_frame *from, uint64_t addr);
/* A pc without a name is a frame all the same: its address stands for it. 0 or -ENOMEM. */
int pw_name_add_nameless(struct pw_profile *profile, uint64_t addr) __attribute__((warn_unused_result));

#endif
