/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_PROFILE_SELECT_H
#define PW_MODEL_PROFILE_SELECT_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

struct pw_profile;
struct pw_profile_frame;

/* What of a profile is shown, and how it is grouped. Pure; a profile without rows (--over, read back) can only be
 * judged by what its groups say. */
struct pw_profile_filter {
	uint64_t min_age_ns;		     /* rows: of the park if waiting, else of the goroutine */
	uint64_t goid;			     /* rows: only this one; 0 all */
	uint64_t min_count;		     /* groups, after everything else */
	const char *reason;		     /* wait reason or status, exactly; NULL any */
	const char *label_key, *label_value; /* rows; value NULL: any value */
	const regex_t *blocked, *created;    /* any frame of the stack; the go statement's function or file */
};

/* Function or file of that frame. */
bool pw_profile_frame_matches(const struct pw_profile *profile, const regex_t *regex,
			      const struct pw_profile_frame *frame);

/* Takes out what does not fit; counts are those of what stays. 0, -ENOMEM, -ENOTSUP needs rows that are not there. */
int pw_profile_filter(struct pw_profile *profile, const struct pw_profile_filter *filter)
	__attribute__((warn_unused_result));

enum pw_profile_by { PW_PROFILE_BY_STACK, PW_PROFILE_BY_SITE, PW_PROFILE_BY_REASON, PW_PROFILE_BY_LABEL };

/*
 * Merges groups: by go statement, by wait reason (or status), by the value of a label. A merged group keeps of the
 * stack what all have in common at its outer end, and of the rest what is the same for all. Errors as above.
 */
int pw_profile_regroup(struct pw_profile *profile, enum pw_profile_by by, const char *label_key)
	__attribute__((warn_unused_result));

/* Sets the growth of each group against an older profile: same status, reason, go statement and stack, by name and
 * line. 0 or -ENOMEM. */
int pw_profile_compare(struct pw_profile *profile, const struct pw_profile *old) __attribute__((warn_unused_result));

#endif
