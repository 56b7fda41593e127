/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_GOROUTINES_LOOK_H
#define PW_CMD_GOROUTINES_LOOK_H

struct pw_daemon_ages;
struct pw_goroutines_values;
struct pw_profile;
struct pw_target;

/*
 * Looks at all goroutines of a target, as often as the options say (once, twice one second apart, or many times with
 * --over, which Ctrl-C ends early): a profile with names, owned by the caller. Ages reach back as far as the daemon's
 * do, if it knows any. -ESRCH it has ended, -errno.
 */
int pw_goroutines_look(struct pw_target *target, const struct pw_goroutines_values *values,
		       const struct pw_daemon_ages *ages, struct pw_profile **ret_profile)
	__attribute__((warn_unused_result));

#endif
