/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_STEPS_H
#define PW_OBSERVE_STEPS_H

#include <stdint.h>

#include "base/vec.h"
#include "model/record.h"

struct pw_record_builder;

/*
 * How old the members of a group are, in steps (model/record.h: struct pw_record_age), oldest first: of births in the
 * census, of parks in the snapshot. A zeroed one is empty.
 */
#define PW_AGE_STEPS_MAX 256 /* of one group; beyond that the oldest are merged into the next younger step */

struct pw_age_steps {
	PW_VEC(struct pw_record_age) of;
};

/* One more, that was there since since_ns (at the latest now_ns). 0, -ENOMEM. */
int pw_age_steps_add(struct pw_age_steps *steps, uint64_t since_ns, uint64_t now_ns)
	__attribute__((warn_unused_result));
/* All of another one, which stays as it is. */
int pw_age_steps_merge(struct pw_age_steps *steps, const struct pw_age_steps *other)
	__attribute__((warn_unused_result));
void pw_age_steps_reset(struct pw_age_steps *steps); /* keeps the memory */
void pw_age_steps_done(struct pw_age_steps *steps);

/* The step that a time is shown in: exact up to PW_AGE_EXACT_NS, then rounded towards younger. */
uint64_t pw_age_step(uint64_t since_ns, uint64_t now_ns);

/* Writes them into a list of the draft, whose elements add_age makes: where they begin, and how many found room. */
typedef struct pw_record_age *(*pw_age_add_fn)(struct pw_record_builder *builder, uint32_t *ret_index);
void pw_age_steps_write(const struct pw_age_steps *steps, struct pw_record_builder *builder, pw_age_add_fn add_age,
			uint32_t *ret_first, uint32_t *ret_count);

#endif
