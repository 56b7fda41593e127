/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_PROFILE_RECORD_H
#define PW_MODEL_PROFILE_RECORD_H

struct pw_profile;
struct pw_record;

/*
 * The goroutine profile that the last snapshot in a record makes: groups as `parkwatch goroutines` shows them, without
 * labels, which records never hold, and without rows. What has no stack in the record is a group without one. 0,
 * -ENODATA no snapshot, -ENOMEM.
 */
int pw_profile_from_record(const struct pw_record *record, struct pw_profile **ret_profile)
	__attribute__((warn_unused_result));

#endif
